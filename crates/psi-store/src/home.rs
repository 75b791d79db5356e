//! The folder psi keeps everything in, `PSI_HOME`, and the names of what lies where in it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::assistant::Assistant;
use crate::error::{Result, StoreError};
use crate::models::ModelDir;

/// psi's home folder. It is a value: whoever reads the environment passes the path in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

/// The environment variables that decide where the home is, as values.
#[derive(Clone, Copy, Debug, Default)]
pub struct HomeVars<'a> {
    /// `PSI_HOME`: wins if set.
    pub psi_home: Option<&'a OsStr>,
    /// `XDG_DATA_HOME` (Unix other than macOS).
    pub xdg_data_home: Option<&'a OsStr>,
    /// `HOME`.
    pub home: Option<&'a OsStr>,
    /// `LOCALAPPDATA` (Windows).
    pub local_app_data: Option<&'a OsStr>,
}

impl HomeVars<'_> {
    /// `PSI_HOME`, else the platform's data directory: `$XDG_DATA_HOME/psi` or
    /// `~/.local/share/psi`; `~/Library/Application Support/psi` on macOS; `%LOCALAPPDATA%\psi` on
    /// Windows. `None` if nothing needed for that is set. Empty values count as not set, as does a
    /// relative `XDG_DATA_HOME` (XDG Base Directory Specification).
    pub fn locate(&self) -> Option<PathBuf> {
        let set = |v: Option<&OsStr>| v.filter(|v| !v.is_empty()).map(PathBuf::from);
        let base = || {
            if cfg!(windows) {
                set(self.local_app_data)
            } else if cfg!(target_os = "macos") {
                set(self.home).map(|h| h.join("Library/Application Support"))
            } else {
                let xdg = set(self.xdg_data_home).filter(|p| p.is_absolute());
                xdg.or_else(|| set(self.home).map(|h| h.join(".local/share")))
            }
        };
        set(self.psi_home).or_else(|| base().map(|b| b.join("psi")))
    }
}

impl Home {
    /// The home at `root`, which need not exist yet.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The home itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Models: Hugging Face folders `ORG/NAME` and GGUF files.
    pub fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    /// The listing of [`Home::models`].
    pub fn model_dir(&self) -> ModelDir {
        ModelDir::at(&self.models())
    }

    /// Trained adapters.
    pub fn adapters(&self) -> PathBuf {
        self.root.join("adapters")
    }

    /// Versioned data sets.
    pub fn datasets(&self) -> PathBuf {
        self.root.join("datasets")
    }

    /// Training runs, one folder each.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// Results of evaluations.
    pub fn evals(&self) -> PathBuf {
        self.root.join("evals")
    }

    /// What the assistant serves, and every switch before.
    pub fn assistant(&self) -> Assistant {
        Assistant::at(&self.root.join("assistant.jsonl"))
    }

    /// Every decision of the gate, one per line.
    pub fn gates(&self) -> PathBuf {
        self.root.join("gates.jsonl")
    }

    /// The database of conversations, memories and feedback.
    pub fn database(&self) -> PathBuf {
        self.root.join("psi.db")
    }

    /// Creates the home and its folders where they are missing.
    pub fn create(&self) -> Result<()> {
        for dir in [self.models(), self.adapters(), self.datasets(), self.runs(), self.evals()] {
            fs::create_dir_all(&dir).map_err(|e| StoreError::io(&dir, "creating", e))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn psi_home_wins_and_empty_counts_as_unset() {
        let mut vars = HomeVars { psi_home: Some(OsStr::new("/p")), ..HomeVars::default() };
        assert_eq!(vars.locate(), Some("/p".into()));
        vars.psi_home = Some(OsStr::new(""));
        assert_eq!(vars.locate(), None);
    }

    #[test]
    #[cfg(all(unix, not(target_os = "macos")))]
    fn the_data_directory_follows_xdg() {
        let (abs, rel, home) = (OsStr::new("/x"), OsStr::new("x"), OsStr::new("/h"));
        let vars = HomeVars { xdg_data_home: Some(abs), home: Some(home), ..HomeVars::default() };
        assert_eq!(vars.locate(), Some("/x/psi".into()));
        let vars = HomeVars { xdg_data_home: Some(rel), ..vars };
        assert_eq!(vars.locate(), Some("/h/.local/share/psi".into()));
    }

    #[test]
    fn creating_a_home_twice_is_fine() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(&dir.path().join("a/b"));
        home.create().unwrap();
        home.create().unwrap();
        assert!(home.models().is_dir() && home.evals().is_dir());
    }
}
