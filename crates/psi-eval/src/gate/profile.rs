//! What a candidate must show: suites with their margins, in a readable TOML.

use std::path::Path;

use psi_store::ContentHash;
use serde::{Deserialize, Serialize};

use super::GateError;

/// The profile that holds where nobody gives another.
pub const DEFAULT_PROFILE: &str = include_str!("gate.toml");

/// Suites, margins and error rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// How often a candidate worse by the margin is promoted, over all candidates of one incumbent.
    #[serde(default = "five_percent")]
    pub alpha: f64,
    /// How often a suite rejects a candidate that is at least as good.
    #[serde(default = "five_percent")]
    pub beta: f64,
    /// The suites.
    #[serde(rename = "suite")]
    pub suites: Vec<Rule>,
}

/// One suite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name in reports.
    pub name: String,
    /// Its tasks, pooled; a family's name stands for all its tasks.
    pub tasks: Vec<String>,
    /// What the candidate must be.
    #[serde(default)]
    pub role: Role,
    /// How much worse, in mean score, still counts as as good.
    #[serde(default)]
    pub margin: f64,
    /// Most items (clusters, where a task has them).
    pub n: usize,
    /// How it is decided.
    #[serde(default)]
    pub test: Test,
    /// Solved examples in the prompts (default: each task's own number).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shots: Option<usize>,
    /// Level of procedural tasks (default: all).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<usize>,
}

/// What a suite asks of the candidate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Not worse by the margin.
    #[default]
    NotWorse,
    /// Better.
    Better,
    /// Nothing: only reported.
    Shown,
}

/// How a suite is decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// Betting, after every item.
    #[default]
    Betting,
    /// Tango's score test, once, after all items.
    Tango,
}

fn five_percent() -> f64 {
    0.05
}

impl Profile {
    /// Reads a profile; `path` is for messages.
    ///
    /// # Errors
    /// When it is not TOML of this form, or asks for what cannot be.
    pub fn parse(text: &str, path: &Path) -> Result<Self, GateError> {
        let bad = |what: String| GateError::Profile { path: path.to_owned(), what };
        let profile: Self =
            toml::from_str(text).map_err(|e| bad(e.to_string().trim().to_owned()))?;
        profile.check().map_err(bad)?;
        Ok(profile)
    }

    fn check(&self) -> Result<(), String> {
        for (name, rate) in [("alpha", self.alpha), ("beta", self.beta)] {
            if !(rate > 0.0 && rate < 1.0) {
                return Err(format!("{name} is {rate}, but must be between 0 and 1"));
            }
        }
        if self.suites.iter().all(|s| s.role == Role::Shown) {
            return Err("no suite decides anything: all are only shown".to_owned());
        }
        for (i, suite) in self.suites.iter().enumerate() {
            suite.check().map_err(|what| format!("suite '{}': {what}", suite.name))?;
            if self.suites[..i].iter().any(|s| s.name == suite.name) {
                return Err(format!("two suites are called '{}'", suite.name));
            }
        }
        Ok(())
    }

    /// Hash of everything in it: two gates by the same rules have the same.
    pub fn hash(&self) -> ContentHash {
        ContentHash::of_bytes(serde_json::to_string(self).unwrap_or_default().as_bytes())
    }
}

impl Rule {
    fn check(&self) -> Result<(), String> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if self.name.is_empty() || !self.name.chars().all(is_name) {
            return Err("a name has letters, digits, '-' and '_' only".to_owned());
        }
        if self.tasks.is_empty() || self.n == 0 {
            return Err("a suite has at least one task and one item".to_owned());
        }
        match self.role {
            Role::NotWorse if !(self.margin > 0.0 && self.margin < 1.0) => {
                Err(format!("margin is {}, but must be between 0 and 1", self.margin))
            }
            Role::Better | Role::Shown if self.margin != 0.0 => {
                Err("only a suite that must not be worse has a margin".to_owned())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Profile, GateError> {
        Profile::parse(text, Path::new("gate.toml"))
    }

    #[test]
    fn the_default_profile_is_one() {
        let profile = parse(DEFAULT_PROFILE).unwrap();
        assert_eq!(profile.suites[0].margin, 0.05);
        assert_eq!(profile.hash(), parse(DEFAULT_PROFILE).unwrap().hash());
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_reason() {
        let suite = |rest: &str| format!("[[suite]]\nname = \"a\"\ntasks = [\"gsm8k\"]\n{rest}");
        let good = suite("n = 5\nmargin = 0.1\n");
        assert!(parse(&good).is_ok());
        for (text, says) in [
            (suite("n = 5\n"), "margin is 0"),
            (suite("n = 5\nmargin = 0.1\nrole = \"better\"\n"), "only a suite that must not"),
            (suite("n = 0\nmargin = 0.1\n"), "at least one"),
            (suite("n = 5\nrole = \"shown\"\n"), "no suite decides"),
            (suite("n = 5\nmargn = 0.1\n"), "margn"),
            (format!("{good}{good}"), "two suites"),
            (format!("alpha = 0.0\n{good}"), "alpha is 0"),
            ("alpha = 0.1".to_owned(), "suite"),
        ] {
            let error = parse(&text).unwrap_err().to_string();
            assert!(error.contains(says) && error.starts_with("gate.toml"), "{error}");
        }
    }
}
