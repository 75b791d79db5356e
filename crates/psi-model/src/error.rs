//! What can be wrong with a model on disk, and where.

use std::{
    error::Error,
    fmt,
    path::{Path, PathBuf},
};

use psi_store::StoreError;

/// `Result` with a [`ModelError`].
pub type Result<T> = std::result::Result<T, ModelError>;

/// A model that cannot be read or written. `Display` is one line with path, place and reason;
/// [`ModelError::hint`] says what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum ModelError {
    /// The file itself.
    Store(StoreError),
    /// `config.json` is not JSON, or not an object.
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser says, with line and column.
        why: String,
    },
    /// A key that is needed is not there.
    MissingKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// A key has a value that psi cannot use.
    Key {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The value, shortened.
        value: String,
        /// What is wrong with it.
        why: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A tensor is missing, or does not fit the configuration.
    Tensor {
        /// The file or folder.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What is wrong with it.
        why: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The file holds tensors that the configuration has no place for.
    Unexpected {
        /// The file or folder.
        path: PathBuf,
        /// The first few of them.
        names: Vec<String>,
        /// How many there are.
        count: usize,
    },
    /// The model cannot be expressed in the format asked for.
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// What the format has no place for.
        why: String,
        /// What to do.
        hint: Option<String>,
    },
}

impl ModelError {
    /// One sentence on what to do, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(e) => e.hint(),
            Self::Key { hint, .. } | Self::Tensor { hint, .. } | Self::Unwritable { hint, .. } => {
                hint.clone()
            }
            Self::Unexpected { .. } => Some(
                "the weights may belong to another config.json, or to a variant psi lacks".into(),
            ),
            Self::Json { .. } | Self::MissingKey { .. } => None,
        }
    }

    pub(crate) fn key(
        path: &Path,
        key: impl Into<String>,
        value: impl fmt::Display,
        why: impl Into<String>,
    ) -> Self {
        let mut value = value.to_string();
        if value.chars().count() > 60 {
            value = value.chars().take(57).chain("...".chars()).collect();
        }
        Self::Key { path: path.to_owned(), key: key.into(), value, why: why.into(), hint: None }
    }

    pub(crate) fn tensor(path: &Path, name: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Tensor { path: path.to_owned(), name: name.into(), why: why.into(), hint: None }
    }

    pub(crate) fn unwritable(path: &Path, why: impl Into<String>) -> Self {
        Self::Unwritable { path: path.to_owned(), why: why.into(), hint: None }
    }

    pub(crate) fn with_hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Key { hint, .. } | Self::Tensor { hint, .. } | Self::Unwritable { hint, .. } =
            &mut self
        {
            *hint = Some(text.into());
        }
        self
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(e) => e.fmt(f),
            Self::Json { path, why } | Self::Unwritable { path, why, .. } => {
                write!(f, "{}: {why}", path.display())
            }
            Self::MissingKey { path, key } => {
                write!(f, "{}: key '{key}' is missing", path.display())
            }
            Self::Key { path, key, value, why, .. } => {
                write!(f, "{}: key '{key}' is {value}: {why}", path.display())
            }
            Self::Tensor { path, name, why, .. } => {
                write!(f, "{}: tensor '{name}': {why}", path.display())
            }
            Self::Unexpected { path, names, count } => {
                write!(f, "{}: {count} tensors have no place in this model: ", path.display())?;
                f.write_str(&names.join(", "))?;
                f.write_str(if *count > names.len() { ", ..." } else { "" })
            }
        }
    }
}

impl Error for ModelError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(e) => e.source(),
            _ => None,
        }
    }
}

impl From<StoreError> for ModelError {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}
