//! Why the gate does not decide, and why a promotion is refused.

use std::{error::Error, fmt, path::PathBuf};

use psi_store::StoreError;

use super::Decision;
use crate::{run::RunError, task::TaskError};

/// What goes wrong at the gate.
#[derive(Debug)]
pub enum GateError {
    /// The profile cannot be used.
    Profile { path: PathBuf, what: String },
    /// The candidate and the incumbent hold the same.
    SameModel,
    /// A task of a suite.
    Task(TaskError),
    /// An answer cannot be had or kept.
    Run(RunError),
    /// A file.
    Store(StoreError),
    /// The record is not one, or was changed after it was made.
    Record { path: PathBuf, what: String },
    /// The record does not promote.
    NotPromoted { path: PathBuf, decision: Decision },
    /// A model is not what the record compared.
    Changed { path: PathBuf, what: &'static str },
    /// The record compared with something else than what is served.
    Stale { compared: PathBuf, served: PathBuf },
    /// There is no promotion to take back.
    NothingToRollBack,
}

impl GateError {
    /// A way out, where there is one.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Profile { .. } => "docs/guides/gate.md explains the file",
            Self::SameModel => "psi eval compare shows that two runs of one model do not differ",
            Self::Task(e) => return e.hint(),
            Self::Run(e) => return e.hint(),
            Self::Store(e) => return e.hint(),
            Self::Record { .. } | Self::Changed { .. } => {
                "run psi gate again; a promotion needs the record of these very files"
            }
            Self::NotPromoted { .. } => {
                "only a candidate that the gate promotes may be served; train on, or gather evidence"
            }
            Self::Stale { .. } => "run psi gate with what is served now as the incumbent",
            Self::NothingToRollBack => return None,
        };
        Some(text.to_owned())
    }
}

impl fmt::Display for GateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile { path, what } | Self::Record { path, what } => {
                write!(f, "{}: {what}", path.display())
            }
            Self::SameModel => f.write_str("the candidate is the incumbent: nothing to decide"),
            Self::Task(e) => e.fmt(f),
            Self::Run(e) => e.fmt(f),
            Self::Store(e) => e.fmt(f),
            Self::NotPromoted { path, decision } => {
                write!(f, "{}: the gate said {decision}, not promote", path.display())
            }
            Self::Changed { path, what } => {
                write!(f, "{}: {what} since the gate compared it", path.display())
            }
            Self::Stale { compared, served } => write!(
                f,
                "the gate compared with {}, but {} is served by now",
                compared.display(),
                served.display()
            ),
            Self::NothingToRollBack => f.write_str("nothing was promoted that could be taken back"),
        }
    }
}

impl Error for GateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Task(e) => Some(e),
            Self::Run(e) => Some(e),
            Self::Store(e) => Some(e),
            _ => None,
        }
    }
}

impl From<TaskError> for GateError {
    fn from(e: TaskError) -> Self {
        Self::Task(e)
    }
}

impl From<RunError> for GateError {
    fn from(e: RunError) -> Self {
        Self::Run(e)
    }
}

impl From<StoreError> for GateError {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}
