//! What can be wrong with a task: its name, its data, an output that does not fit.

use std::{error::Error, fmt, io, path::PathBuf};

/// Result of this crate's tasks.
pub type Result<T> = std::result::Result<T, TaskError>;

/// Why a task cannot be opened or an output cannot be judged.
#[derive(Debug)]
pub enum TaskError {
    /// No task has this name.
    Unknown { name: String, near: Vec<String> },
    /// The task's file is in none of the folders.
    Missing { file: PathBuf, looked: Vec<PathBuf>, source: &'static str },
    /// A file cannot be read.
    Io { path: PathBuf, source: io::Error },
    /// A file is not what it should be.
    Bad { path: PathBuf, line: usize, what: String },
    /// A task that is for evaluation only was opened for training.
    EvaluationOnly { task: String },
    /// The task runs programs of models, and there is no sandbox for them.
    NoSandbox { task: String, why: String },
    /// An option makes no sense for the task.
    Option { task: String, what: String },
    /// The output is of another kind than the item asks for.
    Unfit { item: String, wanted: &'static str, got: &'static str },
    /// Judging needs something that is not there.
    CannotJudge { item: String, why: String },
}

impl TaskError {
    /// A way out, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { near, .. } if !near.is_empty() => {
                Some(format!("did you mean {}?", near.join(" or ")))
            }
            Self::Unknown { .. } => Some("`psi eval tasks` lists them".to_owned()),
            Self::Missing { source, .. } => {
                Some(format!("put the files of {source} there as their publisher ships them"))
            }
            Self::Bad { .. } => {
                Some("get the file again from its publisher; nothing of it was used".to_owned())
            }
            Self::EvaluationOnly { .. } => Some(
                "train on a task with a training split; `psi eval tasks` says which".to_owned(),
            ),
            _ => None,
        }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, .. } => write!(f, "{name}: no such task"),
            Self::Missing { file, looked, .. } => {
                let looked: Vec<String> = looked.iter().map(|p| p.display().to_string()).collect();
                write!(f, "{}: not found in {}", file.display(), looked.join(" or "))
            }
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Bad { path, line: 0, what } => write!(f, "{}: {what}", path.display()),
            Self::Bad { path, line, what } => write!(f, "{}:{line}: {what}", path.display()),
            Self::EvaluationOnly { task } => {
                write!(f, "{task}: for evaluation only, never for training")
            }
            Self::NoSandbox { task, why } => {
                write!(f, "{task} runs what models write, and nothing confines it: {why}")
            }
            Self::Option { task, what } => write!(f, "{task}: {what}"),
            Self::Unfit { item, wanted, got } => {
                write!(f, "item {item} asks for {wanted}, the output is {got}")
            }
            Self::CannotJudge { item, why } => write!(f, "item {item} cannot be judged: {why}"),
        }
    }
}

impl Error for TaskError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
