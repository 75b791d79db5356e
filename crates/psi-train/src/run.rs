//! A run on disk: configuration, metrics, checkpoints.
//!
//! ```text
//! DIR/config.toml        every setting with its origin; a recipe itself
//! DIR/tokenizer/         tokenizer.json and what belongs to it
//! DIR/metrics.jsonl      one object per logged step
//! DIR/samples.jsonl      continuations of eval.prompts
//! DIR/checkpoints/       step-00000100/: model/, state.safetensors, state.json; whole or absent
//! DIR/model/             the final weights, a Hugging Face folder
//! DIR/adapter/           the final adapter, where one was trained
//! ```

mod checkpoint;
mod lines;
mod list;
mod writer;

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use psi_store::write_atomic;

pub use self::list::{RunSummary, Status, list, metrics, settings, summarize};
pub(crate) use self::{
    checkpoint::{Best, Loaded, State, VERSION, load, newest},
    lines::Lines,
    writer::{Snapshot, Writer},
};
use crate::{Result, TrainError, recipe::Settings};

/// A run folder that this process alone writes to.
#[derive(Debug)]
pub(crate) struct RunDir {
    path: PathBuf,
    /// Held as long as the run.
    _lock: File,
}

impl RunDir {
    /// The folder that the settings name, and whether it holds a checkpoint; then it is gone on from only
    /// if `resume` says so.
    pub(crate) fn begin(settings: &Settings, resume: bool) -> Result<(Self, bool)> {
        let Some(dir) = settings.text("run.dir").map(PathBuf::from) else {
            let error = settings.refuse("run.dir", "the run has no folder");
            return Err(error.with_hint("set run.dir, or PSI_HOME to keep runs there"));
        };
        let begun = newest(&dir.join("checkpoints"))?.is_some();
        if begun && !resume {
            let error = TrainError::run(&dir, "holds a run already");
            return Err(error.with_hint(format!(
                "go on with it by --resume {}, or give this run another run.dir",
                dir.display()
            )));
        }
        Ok((Self::open(&dir)?, begun))
    }

    /// Opens or makes the folder. Leftovers of a killed process are removed.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        fs::create_dir_all(path.join("checkpoints"))
            .map_err(|e| TrainError::io(path, "making the run folder", e))?;
        let lock_path = path.join("lock");
        let lock =
            File::create(&lock_path).map_err(|e| TrainError::io(&lock_path, "opening", e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let error = TrainError::run(path, "another process is training in this folder");
                return Err(error.with_hint("wait for it, or give this run another run.dir"));
            }
            Err(TryLockError::Error(e)) => return Err(TrainError::io(&lock_path, "locking", e)),
        }
        let run = Self { path: path.to_owned(), _lock: lock };
        for folder in [run.path.clone(), run.checkpoints()] {
            remove_leftovers(&folder)?;
        }
        Ok(run)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Keeps the settings; of a run that has begun only the free ones may differ from those it began with.
    pub(crate) fn keep_settings(&self, settings: &Settings, has_begun: bool) -> Result<()> {
        let path = self.file("config.toml");
        let text = settings.to_toml();
        if has_begun && path.exists() {
            let before = Settings::read(&path, &[])?;
            if let Some((key, old, new)) = settings.first_change(&before) {
                let why = format!("the run was started with {old}, now it is {new}");
                let error = TrainError::key(&path.display().to_string(), key, why);
                return Err(error.with_hint(
                    "a run that is resumed keeps its settings; start a new run for others",
                ));
            }
        }
        Ok(write_atomic(&path, text.as_bytes())?)
    }
}

/// Removes what a killed process left under temporary names. The caller holds the run's lock.
fn remove_leftovers(folder: &Path) -> Result<()> {
    let fail = |e| TrainError::io(folder, "listing", e);
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(".psi-") && name.ends_with(".tmp") {
            let removed =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(|e| TrainError::io(&path, "removing", e))?;
        }
    }
    Ok(())
}
