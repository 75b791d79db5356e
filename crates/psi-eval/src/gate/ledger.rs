//! The ledger: every gate that was begun, so that the error spent on an incumbent is known.

use std::path::{Path, PathBuf};

use psi_store::{Artefact, ContentHash, Log};
use serde::{Deserialize, Serialize};

use super::{Decision, GateError};

/// A file of begun and ended gates, `gates.jsonl` of a home.
#[derive(Clone, Debug)]
pub struct Ledger {
    path: PathBuf,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum LedgerLine {
    /// A gate begins: from here on its part of α is spent, whatever becomes of it.
    Begun {
        /// Seconds since 1970.
        at: u64,
        /// Hash of the candidate.
        candidate: ContentHash,
        /// Hash of the incumbent.
        incumbent: ContentHash,
        /// Which candidate against this incumbent it is.
        number: u64,
    },
    /// A gate has decided.
    Decided {
        /// Seconds since 1970.
        at: u64,
        /// Hash of the candidate.
        candidate: ContentHash,
        /// Hash of the incumbent.
        incumbent: ContentHash,
        /// What it said.
        decision: Decision,
        /// Its record.
        record: Artefact,
    },
}

impl Ledger {
    /// The ledger at `path`, which need not exist.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Every line, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read or a line is no ledger line.
    pub fn lines(&self) -> Result<Vec<LedgerLine>, GateError> {
        let mut lines = Log::lines(&self.path)?;
        let mut all = Vec::new();
        while let Some(line) = lines.next() {
            all.push(serde_json::from_str(&line?).map_err(|e| GateError::Record {
                path: self.path.clone(),
                what: format!("line {}: {e}", lines.number()),
            })?);
        }
        Ok(all)
    }

    /// Begins a gate of (candidate, incumbent), durably, and says which candidate against this incumbent it is:
    /// with `goes_on`, a gate of the two that was begun and never decided keeps its number.
    pub(super) fn begin(
        &self,
        (candidate, incumbent): (ContentHash, ContentHash),
        at: u64,
        goes_on: bool,
    ) -> Result<u64, GateError> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|e| psi_store::StoreError::io(folder, "creating", e))?;
        }
        // Others wait until this gate is counted.
        let mut log = Log::open(&self.path)?;
        let against = |line: &LedgerLine| matches!(line, LedgerLine::Begun { incumbent: i, .. } if *i == incumbent);
        let lines = self.lines()?;
        let number = 1 + lines.iter().filter(|l| against(l)).count() as u64;
        let mut open = None;
        for line in &lines {
            match line {
                LedgerLine::Begun { candidate: c, incumbent: i, number, .. }
                    if (*c, *i) == (candidate, incumbent) =>
                {
                    open = Some(*number);
                }
                LedgerLine::Decided { candidate: c, incumbent: i, .. }
                    if (*c, *i) == (candidate, incumbent) =>
                {
                    open = None;
                }
                _ => {}
            }
        }
        if let Some(number) = open.filter(|_| goes_on) {
            return Ok(number);
        }
        add(&mut log, &LedgerLine::Begun { at, candidate, incumbent, number })?;
        Ok(number)
    }

    /// Notes a decision, durably.
    pub(super) fn end(&self, line: &LedgerLine) -> Result<(), GateError> {
        add(&mut Log::open(&self.path)?, line)
    }
}

fn add(log: &mut Log, line: &LedgerLine) -> Result<(), GateError> {
    log.append(&serde_json::to_string(line).unwrap_or_default())?;
    Ok(log.sync()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_counted_per_incumbent() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::at(&dir.path().join("home/gates.jsonl"));
        let hash = |text: &str| ContentHash::of_bytes(text.as_bytes());
        let begin = |c: &str, i: &str| ledger.begin((hash(c), hash(i)), 1, false).unwrap();
        assert_eq!([begin("a", "x"), begin("b", "x"), begin("b", "x")], [1, 2, 3]);
        assert_eq!(begin("a", "y"), 1);
        assert_eq!(ledger.lines().unwrap().len(), 4);
        let go_on = |c: &str, i: &str| ledger.begin((hash(c), hash(i)), 1, true).unwrap();
        assert_eq!([go_on("b", "x"), go_on("a", "x"), go_on("c", "x")], [3, 1, 4]);
        assert_eq!(ledger.lines().unwrap().len(), 5);
        let record = Artefact { path: "r".into(), hash: hash("r") };
        let (candidate, incumbent, decision) = (hash("c"), hash("x"), Decision::Hold);
        ledger.end(&LedgerLine::Decided { at: 2, candidate, incumbent, decision, record }).unwrap();
        assert_eq!(go_on("c", "x"), 5, "what was decided begins anew");
    }
}
