//! The record of a gate: what was compared, on what, by which rules, and what came out.

use std::{fmt, fs, path::Path};

use psi_store::{ContentHash, Served, StoreError, write_atomic};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{GateError, Role, Test};
use crate::stats::Verdict;

/// Version of the record's form.
const VERSION: u32 = 1;

/// What the gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Every suite that decides found the candidate good enough.
    Promote,
    /// Not known: some suite has not decided within its items.
    Hold,
    /// Some suite found the candidate worse.
    Reject,
}

impl Decision {
    /// What the suites say together.
    pub fn of(suites: &[Evidence]) -> Self {
        let mut deciding = suites.iter().filter(|s| s.role != Role::Shown).peekable();
        if deciding.peek().is_none() {
            return Self::Hold;
        }
        let verdicts: Vec<Verdict> = deciding.map(|s| s.verdict).collect();
        if verdicts.contains(&Verdict::Block) {
            Self::Reject
        } else if verdicts.iter().all(|v| *v == Verdict::Promote) {
            Self::Promote
        } else {
            Self::Hold
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Hold => "hold",
            Self::Reject => "reject",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What one suite found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The suite.
    pub suite: String,
    /// What it asks of the candidate.
    pub role: Role,
    /// How it is decided.
    pub test: Test,
    /// How much worse still counts as as good.
    pub margin: f64,
    /// The tasks and their versions.
    pub tasks: Vec<(String, ContentHash)>,
    /// Fixes the items and their order.
    pub seed: u64,
    /// Hash of the items that were used, in order.
    pub items: ContentHash,
    /// Items (clusters) there were.
    pub n_max: usize,
    /// Items that were used.
    pub n: usize,
    /// Items after which it was decided.
    pub stopped_at: Option<usize>,
    /// Items that only the candidate solved.
    pub wins: usize,
    /// Items that only the incumbent solved.
    pub losses: usize,
    /// Mean scores of incumbent and candidate.
    pub means: (f64, f64),
    /// 95 % interval of the difference, candidate minus incumbent; for people, the test decides.
    pub interval: (f64, f64),
    /// Money on "not worse by the margin"; promotes from 1 / α on.
    pub evidence_for: f64,
    /// Money on "worse"; blocks from 1 / β on.
    pub evidence_against: f64,
    /// Tango's statistic, where that test decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tango: Option<f64>,
    /// How the money grew: items, and the decimal logarithms of both.
    #[serde(default)]
    pub trace: Vec<(usize, f64, f64)>,
    /// What the suite says.
    pub verdict: Verdict,
}

/// A decision with everything needed to check it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Of the form.
    pub version: u32,
    /// psi's version.
    pub psi: String,
    /// Seconds since 1970.
    pub at: u64,
    /// What would be served.
    pub candidate: Served,
    /// What is served.
    pub incumbent: Served,
    /// Hash of the rules.
    pub profile: ContentHash,
    /// Which candidate against this incumbent it is, from 1.
    pub number: u64,
    /// The part of α that it may use.
    pub alpha: f64,
    /// β of each suite.
    pub beta: f64,
    /// What each suite found.
    pub suites: Vec<Evidence>,
    /// What the gate says.
    pub decision: Decision,
    /// Hash of all of the above: a record that was changed is none.
    pub hash: ContentHash,
}

impl Record {
    /// Fills in the version and the hash. Numbers keep 12 digits, so that reading gives what was written.
    pub(super) fn signed(mut self) -> Self {
        for suite in &mut self.suites {
            let Evidence { means, interval, evidence_for, evidence_against, .. } = suite;
            for number in [
                &mut means.0,
                &mut means.1,
                &mut interval.0,
                &mut interval.1,
                evidence_for,
                evidence_against,
            ] {
                *number = twelve_digits(*number);
            }
            suite.tango = suite.tango.map(twelve_digits);
            for point in &mut suite.trace {
                *point = (point.0, twelve_digits(point.1), twelve_digits(point.2));
            }
        }
        self.alpha = twelve_digits(self.alpha);
        self.version = VERSION;
        self.hash = self.content();
        self
    }

    /// Hash of everything but the hash.
    fn content(&self) -> ContentHash {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.remove("hash");
        }
        ContentHash::of_bytes(canonical(value).to_string().as_bytes())
    }

    /// Writes it whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), GateError> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        Ok(write_atomic(path, text.as_bytes())?)
    }

    /// Reads a record, and checks that nobody changed it and that its decision follows from its suites.
    ///
    /// # Errors
    /// When it is no record or was changed.
    pub fn read(path: &Path) -> Result<Self, GateError> {
        let bad = |what: String| GateError::Record { path: path.to_owned(), what };
        let bytes = fs::read(path).map_err(|e| StoreError::io(path, "reading", e))?;
        let record: Self =
            serde_json::from_slice(&bytes).map_err(|e| bad(format!("no record: {e}")))?;
        if record.version != VERSION {
            return Err(bad(format!("version {}, this psi reads {VERSION}", record.version)));
        }
        if record.content() != record.hash || Decision::of(&record.suites) != record.decision {
            return Err(bad("was changed after it was made".to_owned()));
        }
        Ok(record)
    }
}

/// The number with 12 significant digits; what JSON has no form for becomes the largest number.
fn twelve_digits(x: f64) -> f64 {
    let finite = if x.is_finite() { x } else { f64::MAX.copysign(x) };
    format!("{finite:.11e}").parse().unwrap_or(finite)
}

/// Fractions as text, so that the last bit of a parser does not matter.
fn canonical(value: Value) -> Value {
    match value {
        Value::Number(n) if n.is_f64() => format!("{:.11e}", n.as_f64().unwrap_or(0.0)).into(),
        Value::Array(values) => values.into_iter().map(canonical).collect(),
        Value::Object(fields) => fields.into_iter().map(|(k, v)| (k, canonical(v))).collect(),
        other => other,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn evidence(role: Role, verdict: Verdict) -> Evidence {
        Evidence {
            suite: "s".to_owned(),
            role,
            test: Test::Betting,
            margin: 0.05,
            tasks: Vec::new(),
            seed: 1,
            items: ContentHash::of_bytes(b"items"),
            n_max: 10,
            n: 10,
            stopped_at: Some(7),
            wins: 1,
            losses: 2,
            means: (0.1, 0.3),
            interval: (-0.1, 0.333_333_333_333_333_3),
            evidence_for: 32.9,
            evidence_against: 0.123_456_789_012_345_68,
            tango: None,
            trace: vec![(5, 0.1, -0.2), (10, 1.517, -0.909)],
            verdict,
        }
    }

    #[test]
    fn one_block_rejects_and_only_all_promotions_promote() {
        use Decision::{Hold, Promote, Reject};
        use Verdict as V;
        let of = |verdicts: &[V]| {
            let suites: Vec<_> = verdicts.iter().map(|&v| evidence(Role::NotWorse, v)).collect();
            Decision::of(&suites)
        };
        assert_eq!(of(&[V::Promote, V::Promote]), Promote);
        assert_eq!(of(&[V::Promote, V::Hold]), Hold);
        assert_eq!(of(&[V::Promote, V::Block]), Reject);
        assert_eq!(of(&[V::Hold, V::Block]), Reject);
        let shown = evidence(Role::Shown, V::Block);
        assert_eq!(Decision::of(&[evidence(Role::Better, V::Promote), shown.clone()]), Promote);
        assert_eq!(Decision::of(&[shown]), Hold);
    }
}
