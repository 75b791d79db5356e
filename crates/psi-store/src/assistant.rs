//! What the assistant serves: a log of switches, of which the last counts.
//!
//! A switch is one line with an end, so a process killed at any moment leaves the old model or the new
//! one. The log says how it came about; whether a switch is *allowed* is for the gate to say.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{At, Result, StoreError};
use crate::hash::ContentHash;
use crate::log::Log;

/// Files on disk and what they hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artefact {
    /// The folder or file.
    pub path: PathBuf,
    /// [`ContentHash::of_artefact`] of it.
    pub hash: ContentHash,
}

impl Artefact {
    /// What lies at `path` now.
    pub fn at(path: &Path) -> Result<Self> {
        let absolute = std::path::absolute(path).map_err(|e| StoreError::io(path, "finding", e))?;
        Ok(Self { hash: ContentHash::of_artefact(path)?, path: absolute })
    }
}

/// A model with or without an adapter: what a gate compares and the assistant serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// The model.
    pub model: Artefact,
    /// The adapter on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<Artefact>,
}

impl Served {
    /// What lies at these paths now.
    pub fn at(model: &Path, adapter: Option<&Path>) -> Result<Self> {
        let adapter = adapter.map(Artefact::at).transpose()?;
        Ok(Self { model: Artefact::at(model)?, adapter })
    }

    /// Whether both hold the same, wherever they lie.
    pub fn same_content(&self, other: &Self) -> bool {
        let hash = |a: &Option<Artefact>| a.as_ref().map(|a| a.hash);
        self.model.hash == other.model.hash && hash(&self.adapter) == hash(&other.adapter)
    }

    /// One hash for both: the model's own where there is no adapter.
    pub fn hash(&self) -> ContentHash {
        match &self.adapter {
            None => self.model.hash,
            Some(adapter) => {
                let both = format!("{}+{}", self.model.hash, adapter.hash);
                ContentHash::of_bytes(both.as_bytes())
            }
        }
    }
}

/// Why the assistant was switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// The gate promoted a candidate.
    Promotion,
    /// A promotion was taken back.
    Rollback,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// Seconds since 1970.
    pub at: u64,
    /// Why.
    pub reason: Reason,
    /// What is served from here on.
    pub to: Served,
    /// What was served before.
    pub from: Served,
    /// The gate's record: its file and the hash it carries.
    pub record: Artefact,
}

/// The log of switches of one home.
#[derive(Clone, Debug)]
pub struct Assistant {
    path: PathBuf,
}

impl Assistant {
    /// The log at `path`, which need not exist.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The log's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every switch, oldest first.
    pub fn history(&self) -> Result<Vec<Switch>> {
        let mut lines = Log::lines(&self.path)?;
        let mut switches = Vec::new();
        while let Some(line) = lines.next() {
            let switch = serde_json::from_str(&line?).map_err(|e| {
                let what = format!("line {}: not a switch: {e}", lines.number());
                StoreError::malformed(&self.path, At::File, what)
            })?;
            switches.push(switch);
        }
        Ok(switches)
    }

    /// What is served; `None` as long as nothing was ever promoted.
    pub fn served(&self) -> Result<Option<Served>> {
        Ok(self.history()?.pop().map(|switch| switch.to))
    }

    /// Switches, durably, unless something else than `switch.from` is served by now.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`]: another process was faster.
    pub fn switch(&self, switch: &Switch) -> Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| StoreError::io(folder, "creating", e))?;
        }
        let mut log = Log::open(&self.path)?;
        if let Some(served) = self.served()?
            && !served.same_content(&switch.from)
        {
            let what = format!("the assistant serves {} by now", served.model.path.display());
            let hint = "let the gate compare the candidate with what is served";
            return Err(StoreError::unsupported(&self.path, what, hint));
        }
        let line = serde_json::to_string(switch).map_err(|e| {
            StoreError::malformed(&self.path, At::File, format!("cannot be written as JSON: {e}"))
        })?;
        log.append(&line)?;
        log.sync()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(content: &str) -> Served {
        let hash = ContentHash::of_bytes(content.as_bytes());
        Served { model: Artefact { path: content.into(), hash }, adapter: None }
    }

    fn switch(from: &str, to: &str) -> Switch {
        let record = Artefact { path: "r.json".into(), hash: ContentHash::of_bytes(b"r") };
        let (from, to) = (served(from), served(to));
        Switch { at: 1, reason: Reason::Promotion, to, from, record }
    }

    #[test]
    fn the_last_switch_counts_and_a_stale_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let assistant = Assistant::at(&dir.path().join("home/assistant.jsonl"));
        assert_eq!(assistant.served().unwrap(), None);
        assistant.switch(&switch("a", "b")).unwrap();
        assistant.switch(&switch("b", "c")).unwrap();
        assert_eq!(assistant.served().unwrap(), Some(served("c")));
        let error = assistant.switch(&switch("b", "d")).unwrap_err();
        assert!(error.to_string().contains("serves c by now"), "{error}");
        assert_eq!(assistant.history().unwrap().len(), 2);
    }

    #[test]
    fn half_a_switch_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("assistant.jsonl");
        let assistant = Assistant::at(&path);
        assistant.switch(&switch("a", "b")).unwrap();
        let mut text = std::fs::read(&path).unwrap();
        text.extend_from_within(..40);
        crate::write_atomic(&path, &text).unwrap();
        assert_eq!(assistant.served().unwrap(), Some(served("b")));
        assistant.switch(&switch("b", "c")).unwrap();
        assert_eq!(assistant.served().unwrap(), Some(served("c")));
    }

    #[test]
    fn an_adapter_makes_another_content() {
        let dir = tempfile::tempdir().unwrap();
        let (model, adapter) = (dir.path().join("m"), dir.path().join("a"));
        for folder in [&model, &adapter] {
            std::fs::create_dir(folder).unwrap();
            crate::write_atomic(&folder.join("config.json"), b"{}").unwrap();
        }
        let plain = Served::at(&model, None).unwrap();
        let adapted = Served::at(&model, Some(&adapter)).unwrap();
        assert!(!plain.same_content(&adapted) && plain.hash() != adapted.hash());
        assert!(plain.same_content(&Served::at(&adapter, None).unwrap()), "same bytes elsewhere");
    }
}
