//! What can be wrong with training data: which file, which line, why, and the way out.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use psi_store::StoreError;
use psi_tokenizer::TokenizerError;
use serde::{Deserialize, Serialize};

/// `Result` with a [`DataError`].
pub(crate) type Result<T> = std::result::Result<T, DataError>;

/// A row that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    /// The file.
    pub file: PathBuf,
    /// The line it starts on, from 1 (Parquet: the row); 0 for the file as a whole.
    pub line: u64,
    /// Why.
    pub reason: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file.display(), self.reason),
            line => write!(f, "{}:{line}: {}", self.file.display(), self.reason),
        }
    }
}

/// Why there is nothing to train on.
#[derive(Debug)]
#[non_exhaustive]
pub enum DataError {
    /// A key under `data` has a value that cannot be used.
    Config {
        /// The key, without `data.`.
        key: String,
        /// What is wrong.
        why: String,
        /// The way out.
        hint: Option<String>,
    },
    /// A file cannot be used at all.
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        why: String,
        /// The way out.
        hint: Option<String>,
        /// The cause.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// More rows than allowed cannot be used.
    BadRows {
        /// The source.
        name: String,
        /// How many there were when reading stopped.
        count: u64,
        /// How many `data.max_bad_rows` allows.
        limit: u64,
        /// The first ones.
        rows: Vec<BadRow>,
    },
    /// A saved position does not belong to this data.
    Position(String),
    /// A file could not be read or written.
    Store(StoreError),
    /// A tokenizer could not be trained.
    Tokenizer(TokenizerError),
}

impl DataError {
    pub(crate) fn config(key: &str, why: impl Into<String>) -> Self {
        Self::Config { key: key.to_owned(), why: why.into(), hint: None }
    }

    pub(crate) fn file(path: &Path, why: impl Into<String>) -> Self {
        Self::File { path: path.to_owned(), why: why.into(), hint: None, source: None }
    }

    pub(crate) fn io(path: &Path, doing: &'static str, source: std::io::Error) -> Self {
        Self::Store(StoreError::Io { path: path.to_owned(), doing, source })
    }

    /// Adds the way out.
    pub(crate) fn with_hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Config { hint, .. } | Self::File { hint, .. } = &mut self {
            *hint = Some(text.into());
        }
        self
    }

    /// Adds the cause.
    pub(crate) fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        if let Self::File { source, .. } = &mut self {
            *source = Some(cause.into());
        }
        self
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config { hint, .. } | Self::File { hint, .. } => hint.clone(),
            Self::BadRows { .. } => Some(
                "mend the rows, or set data.max_bad_rows to how many may be left out; \
                 `psi data inspect` lists them all"
                    .into(),
            ),
            Self::Position(_) => {
                Some("resume with the data the run was started with, or start a new run".into())
            }
            Self::Store(e) => e.hint(),
            Self::Tokenizer(e) => e.hint().map(str::to_owned),
        }
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config { key, why, .. } => write!(f, "data.{key}: {why}"),
            Self::File { path, why, .. } => write!(f, "{}: {why}", path.display()),
            Self::BadRows { name, count, limit, rows } => {
                write!(f, "{name}: {count} bad rows where data.max_bad_rows allows {limit}:")?;
                rows.iter().try_for_each(|row| write!(f, "\n  {row}"))
            }
            Self::Position(why) => write!(f, "the saved position does not fit the data: {why}"),
            Self::Store(e) => e.fmt(f),
            Self::Tokenizer(e) => e.fmt(f),
        }
    }
}

impl Error for DataError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::File { source: Some(source), .. } => Some(source.as_ref()),
            Self::Store(e) => e.source(),
            Self::Tokenizer(e) => e.source(),
            _ => None,
        }
    }
}

impl From<StoreError> for DataError {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}

impl From<TokenizerError> for DataError {
    fn from(e: TokenizerError) -> Self {
        Self::Tokenizer(e)
    }
}
