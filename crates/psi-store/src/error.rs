//! The one error type of this crate: which file, what is wrong, where in it, and what to do.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// `Result` with a [`StoreError`].
pub type Result<T> = std::result::Result<T, StoreError>;

/// Where in a file something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// The file as a whole.
    File,
    /// A byte offset from the start of the file.
    Byte(u64),
    /// A metadata key.
    Key(String),
    /// A tensor.
    Tensor(String),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => Ok(()),
            Self::Byte(n) => write!(f, " (byte {n})"),
            Self::Key(k) => write!(f, " (key '{}')", Clipped(k)),
            Self::Tensor(t) => write!(f, " (tensor '{}')", Clipped(t)),
        }
    }
}

/// Shows text from a file: control characters escaped, at most 80 characters.
pub(crate) struct Clipped<'a>(pub(crate) &'a str);

impl fmt::Display for Clipped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, c) in self.0.chars().enumerate() {
            if i == 80 {
                return f.write_str("...");
            }
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

/// What can go wrong with files. `Display` names the path, the problem and the place on one line;
/// [`StoreError::hint`] says what to do about it.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system said no.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done: "opening", "writing", ...
        doing: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The file is of a kind psi does not load (pickle, big endian, GGUF v1, ...).
    Unsupported {
        /// The file or folder.
        path: PathBuf,
        /// What it is.
        what: String,
        /// What to use instead.
        hint: String,
    },
    /// The file breaks its own format's rules.
    Malformed {
        /// The file.
        path: PathBuf,
        /// Which rule is broken, with the numbers.
        what: String,
        /// Where.
        at: At,
        /// What may have happened or what to do.
        hint: Option<String>,
    },
    /// A metadata key that is needed is not there.
    MissingKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// A metadata value has another type, or a value that does not fit the one asked for.
    WrongType {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What was asked for.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A tensor that is needed is not there.
    MissingTensor {
        /// The file or folder.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// A tensor with a similar name.
        nearest: Option<String>,
    },
    /// No model answers to this name.
    NoSuchModel {
        /// What the user typed.
        name: String,
        /// The folder that was searched.
        dir: PathBuf,
        /// Models with similar names.
        nearest: Vec<String>,
    },
    /// A name that cannot be a model's, an alias's or a revision's.
    BadName {
        /// What was given.
        name: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// Tensors or metadata that cannot be written in the format asked for.
    Unwritable {
        /// The file that was to be written.
        path: PathBuf,
        /// Why not.
        what: String,
        /// Which key or tensor.
        at: At,
    },
}

impl StoreError {
    /// The file or folder at fault, if there is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. }
            | Self::Unsupported { path, .. }
            | Self::Malformed { path, .. }
            | Self::MissingKey { path, .. }
            | Self::WrongType { path, .. }
            | Self::MissingTensor { path, .. }
            | Self::Unwritable { path, .. } => Some(path),
            Self::NoSuchModel { dir, .. } => Some(dir),
            Self::BadName { .. } => None,
        }
    }

    /// One sentence on what to do, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unsupported { hint, .. } => Some(hint.clone()),
            Self::Malformed { hint, .. } => hint.clone(),
            Self::MissingTensor { nearest: Some(n), .. } => Some(format!("did you mean '{n}'?")),
            Self::NoSuchModel { nearest, .. } if !nearest.is_empty() => {
                Some(format!("did you mean {}?", nearest.join(" or ")))
            }
            Self::NoSuchModel { .. } => Some(
                "give a folder, a .gguf file, or fetch a model with `psi pull ORG/NAME`".into(),
            ),
            Self::BadName { .. } => Some(
                "names are ORG/NAME or ORG/NAME@REVISION, of letters, digits, '.', '_' and '-'"
                    .into(),
            ),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("check the path".into())
            }
            _ => None,
        }
    }

    pub fn io(path: &Path, doing: &'static str, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), doing, source }
    }

    pub(crate) fn malformed(path: &Path, at: At, what: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), what: what.into(), at, hint: None }
    }

    pub(crate) fn unsupported(
        path: &Path,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::Unsupported { path: path.to_owned(), what: what.into(), hint: hint.into() }
    }

    pub(crate) fn unwritable(path: &Path, at: At, what: impl Into<String>) -> Self {
        Self::Unwritable { path: path.to_owned(), what: what.into(), at }
    }

    /// Adds a hint to a [`StoreError::Malformed`]; other kinds keep theirs.
    pub(crate) fn with_hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Malformed { hint, .. } = &mut self {
            *hint = Some(text.into());
        }
        self
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, doing, .. } => write!(f, "{}: {doing} failed", path.display()),
            Self::Unsupported { path, what, .. } => write!(f, "{}: {what}", path.display()),
            Self::Malformed { path, what, at, .. } | Self::Unwritable { path, what, at } => {
                write!(f, "{}: {what}{at}", path.display())
            }
            Self::MissingKey { path, key } => {
                write!(f, "{}: metadata key '{}' is missing", path.display(), Clipped(key))
            }
            Self::WrongType { path, key, expected, found } => write!(
                f,
                "{}: metadata key '{}' should be {expected} but is {found}",
                path.display(),
                Clipped(key)
            ),
            Self::MissingTensor { path, name, .. } => {
                write!(f, "{}: no tensor '{}'", path.display(), Clipped(name))
            }
            Self::NoSuchModel { name, dir, .. } => {
                write!(f, "no model '{}' (not a path, not in {})", Clipped(name), dir.display())
            }
            Self::BadName { name, why } => {
                write!(f, "'{}' is not a usable name: {why}", Clipped(name))
            }
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
