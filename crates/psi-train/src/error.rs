//! The error type of recipes, runs and the loop: what is wrong, where, and the way out.

use std::{
    error::Error,
    fmt,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use psi_model::ModelError;
use psi_store::StoreError;
use psi_tokenizer::TokenizerError;

use crate::data::DataError;

/// `Result` with a [`TrainError`].
pub type Result<T> = std::result::Result<T, TrainError>;

/// Why a run cannot start or go on.
#[derive(Debug)]
#[non_exhaustive]
pub enum TrainError {
    /// A key of the recipe is unknown, or its value cannot be used.
    Recipe {
        /// Where it is written: the file, or `--set`.
        place: String,
        /// The key, if one is to blame.
        key: Option<String>,
        /// What is wrong.
        why: String,
        /// The way out.
        hint: Option<String>,
    },
    /// A run folder cannot be used as it is.
    Run {
        /// The folder or a file in it.
        path: PathBuf,
        /// What is wrong.
        why: String,
        /// The way out.
        hint: Option<String>,
    },
    /// The loss left the realm of useful numbers.
    Diverged {
        /// The step that showed it.
        step: u64,
        /// What was seen.
        what: String,
        /// The last checkpoint written before.
        last_good: Option<PathBuf>,
    },
    /// A file could not be read or written.
    Store(StoreError),
    /// The model could not be read or written.
    Model(ModelError),
    /// The tokenizer could not be read or trained.
    Tokenizer(TokenizerError),
    /// The data cannot be trained on.
    Data(DataError),
}

impl TrainError {
    /// A key that cannot be used as given at `place`.
    pub(crate) fn key(place: &str, key: &str, why: impl Into<String>) -> Self {
        let (place, key) = (place.to_owned(), Some(key.to_owned()));
        Self::Recipe { place, key, why: why.into(), hint: None }
    }

    /// A run folder that cannot be used.
    pub(crate) fn run(path: &Path, why: impl Into<String>) -> Self {
        Self::Run { path: path.to_owned(), why: why.into(), hint: None }
    }

    /// Adds the way out.
    pub(crate) fn with_hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Recipe { hint, .. } | Self::Run { hint, .. } = &mut self {
            *hint = Some(text.into());
        }
        self
    }

    /// An operation of the operating system on `path` that failed.
    pub(crate) fn io(path: &Path, doing: &'static str, source: std::io::Error) -> Self {
        Self::Store(StoreError::Io { path: path.to_owned(), doing, source })
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Recipe { hint, .. } | Self::Run { hint, .. } => hint.clone(),
            Self::Diverged { last_good, .. } => {
                let change = "start again with a lower optim.lr and optim.muon_lr, or with guard.z";
                let model = last_good.as_ref().map(|path| path.join("model"));
                Some(match model.filter(|model| model.exists()) {
                    Some(model) => {
                        format!("{change}; model.from = {} starts there", model.display())
                    }
                    None => change.to_owned(),
                })
            }
            Self::Store(e) => e.hint(),
            Self::Model(e) => e.hint(),
            Self::Tokenizer(e) => e.hint().map(str::to_owned),
            Self::Data(e) => e.hint(),
        }
    }

    /// Whether what the user gave is at fault, rather than the work itself or the disk.
    pub fn is_input(&self) -> bool {
        let store = match self {
            Self::Diverged { .. } => return false,
            Self::Store(e)
            | Self::Model(ModelError::Store(e))
            | Self::Data(DataError::Store(e)) => e,
            _ => return true,
        };
        let StoreError::Io { source, .. } = store else { return true };
        matches!(
            source.kind(),
            ErrorKind::NotFound
                | ErrorKind::NotADirectory
                | ErrorKind::IsADirectory
                | ErrorKind::PermissionDenied
                | ErrorKind::InvalidData
        )
    }
}

impl fmt::Display for TrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recipe { place, key: Some(key), why, .. } => write!(f, "{place}: {key}: {why}"),
            Self::Recipe { place, key: None, why, .. } => write!(f, "{place}: {why}"),
            Self::Run { path, why, .. } => write!(f, "{}: {why}", path.display()),
            Self::Diverged { step, what, last_good } => {
                write!(f, "training diverged at step {step}: {what}; ")?;
                match last_good {
                    Some(path) => write!(f, "the last good checkpoint is {}", path.display()),
                    None => f.write_str("no checkpoint was written before"),
                }
            }
            Self::Store(e) => e.fmt(f),
            Self::Model(e) => e.fmt(f),
            Self::Tokenizer(e) => e.fmt(f),
            Self::Data(e) => e.fmt(f),
        }
    }
}

impl Error for TrainError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(e) => e.source(),
            Self::Model(e) => e.source(),
            Self::Tokenizer(e) => e.source(),
            Self::Data(e) => e.source(),
            Self::Recipe { .. } | Self::Run { .. } | Self::Diverged { .. } => None,
        }
    }
}

impl From<StoreError> for TrainError {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}

impl From<ModelError> for TrainError {
    fn from(e: ModelError) -> Self {
        Self::Model(e)
    }
}

impl From<DataError> for TrainError {
    fn from(e: DataError) -> Self {
        Self::Data(e)
    }
}

impl From<TokenizerError> for TrainError {
    fn from(e: TokenizerError) -> Self {
        Self::Tokenizer(e)
    }
}
