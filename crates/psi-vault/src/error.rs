//! What can go wrong with an encrypted file.

use std::{
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
};

/// What this crate's functions return.
pub type Result<T, E = VaultError> = std::result::Result<T, E>;

/// Why a file could not be encrypted, unlocked or read.
#[derive(Debug)]
pub enum VaultError {
    /// A file could not be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The passphrase does not open the file.
    WrongPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// The passphrase cannot be used.
    Unfit {
        /// Why.
        why: String,
    },
    /// The file is not what it should be.
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Sealed bytes are damaged, or belong elsewhere.
    Forged {
        /// The file.
        path: PathBuf,
    },
    /// The system gives no random bytes, or SQLite takes no file system.
    System {
        /// What failed.
        why: String,
    },
}

impl VaultError {
    pub(crate) fn io(path: &Path, doing: &'static str, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), doing, source }
    }

    pub(crate) fn malformed(path: &Path, why: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), why: why.into() }
    }

    pub(crate) fn not_encrypted(path: &Path) -> Self {
        Self::malformed(path, "is not encrypted")
    }

    /// A way out, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::WrongPassphrase { .. } => {
                Some("capitals and spaces count; without the passphrase nobody can open the file")
            }
            Self::Forged { .. } => Some("the disk may be failing: take the file from a backup"),
            _ => None,
        }
    }
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, doing, source } => write!(f, "{}: {doing}: {source}", path.display()),
            Self::WrongPassphrase { path } => {
                write!(f, "{}: the passphrase is wrong", path.display())
            }
            Self::Unfit { why } => write!(f, "passphrase: {why}"),
            Self::Malformed { path, why } => write!(f, "{}: {why}", path.display()),
            Self::Forged { path } => {
                write!(f, "{}: damaged, or not written by this psi", path.display())
            }
            Self::System { why } => f.write_str(why),
        }
    }
}

impl Error for VaultError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
