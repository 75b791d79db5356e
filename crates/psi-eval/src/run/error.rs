//! Why a run stops.

use std::{error::Error, fmt, path::PathBuf};

use psi_store::StoreError;

use super::player::{Overlong, PlayError};
use crate::task::TaskError;

/// Why a run cannot start, go on or be read.
#[derive(Debug)]
pub enum RunError {
    /// A file of the run.
    Store(StoreError),
    /// A task, or the judging of one of its answers.
    Task(TaskError),
    /// The model gives no answer.
    Play { item: String, source: PlayError },
    /// Items whose prompt does not fit the model's context.
    Overlong { task: String, items: Vec<Overlong>, n_items: usize },
    /// The folder holds a run already.
    Exists { dir: PathBuf },
    /// The folder holds another run than the one to go on with.
    Differs { dir: PathBuf, what: &'static str, before: String, now: String },
    /// Another process writes to the folder.
    Busy { dir: PathBuf },
    /// A file of the run is not what it should be.
    Bad { path: PathBuf, line: usize, what: String },
    /// There is nothing to run or to compare.
    Empty { what: String },
}

/// Result of runs.
pub type Result<T> = std::result::Result<T, RunError>;

impl RunError {
    /// A way out, where there is one.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Store(e) => return e.hint(),
            Self::Task(e) => return e.hint(),
            Self::Play { source, .. } => return source.hint(),
            Self::Overlong { .. } => {
                "--overlong wrong counts them as wrong; fewer --shots make prompts shorter"
            }
            Self::Exists { .. } => "--resume goes on with it; or give another --out",
            Self::Differs { .. } => "a run that is resumed keeps its settings; give another --out",
            Self::Busy { .. } => "wait for it, or give another --out",
            Self::Bad { .. } => "the file was changed by hand or by another version of psi",
            Self::Empty { .. } => return None,
        };
        Some(text.to_owned())
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(e) => e.fmt(f),
            Self::Task(e) => e.fmt(f),
            Self::Play { item, .. } => write!(f, "item {item}: the model gives no answer"),
            Self::Overlong { task, items, n_items } => {
                write!(f, "{task}: {n_items} items do not fit the model's context:")?;
                for item in items {
                    write!(f, " {item},")?;
                }
                match n_items.checked_sub(items.len()) {
                    None | Some(0) => f.write_str(" no more"),
                    Some(more) => write!(f, " and {more} more"),
                }
            }
            Self::Exists { dir } => write!(f, "{}: holds a run already", dir.display()),
            Self::Differs { dir, what, before, now } => {
                write!(f, "{}: was run with {what} {before}, now it is {now}", dir.display())
            }
            Self::Busy { dir } => {
                write!(f, "{}: another process is running in this folder", dir.display())
            }
            Self::Bad { path, line: 0, what } => write!(f, "{}: {what}", path.display()),
            Self::Bad { path, line, what } => write!(f, "{}:{line}: {what}", path.display()),
            Self::Empty { what } => f.write_str(what),
        }
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(e) => Some(e),
            Self::Task(e) => Some(e),
            Self::Play { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<StoreError> for RunError {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}

impl From<TaskError> for RunError {
    fn from(e: TaskError) -> Self {
        Self::Task(e)
    }
}
