//! What can go wrong in the assistant's own part: its database, and requests that name what is not there.

use std::{error::Error, fmt, io, path::PathBuf};

use psi_vault::VaultError;

/// What this crate's functions return.
pub type Result<T, E = AgentError> = std::result::Result<T, E>;

/// Why something could not be done.
#[derive(Debug)]
pub enum AgentError {
    /// The database refused.
    Database {
        /// The database file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A file could not be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The database was written by a later version of psi.
    Newer {
        /// The database file.
        path: PathBuf,
        /// The change to its tables that this version does not know.
        migration: String,
    },
    /// The database is encrypted, and nobody gave a passphrase.
    Locked {
        /// The database file.
        path: PathBuf,
    },
    /// The database could not be encrypted, unlocked or decrypted.
    Vault(VaultError),
    /// There is nothing of that number.
    NotFound {
        /// What was looked for: "conversation", "message", ...
        what: &'static str,
        /// Its number.
        id: i64,
    },
    /// A request that cannot be met as it stands.
    Invalid {
        /// The field or thing that is wrong.
        what: &'static str,
        /// Why, with the value.
        why: String,
    },
    /// A row of the database holds what this program never writes.
    Corrupt {
        /// The table and column.
        what: &'static str,
        /// What it holds.
        why: String,
    },
}

impl AgentError {
    pub(crate) fn invalid(what: &'static str, why: impl Into<String>) -> Self {
        Self::Invalid { what, why: why.into() }
    }

    pub(crate) fn corrupt(what: &'static str, why: impl fmt::Display) -> Self {
        Self::Corrupt { what, why: why.to_string() }
    }

    /// Names the file that an error of SQLite is about.
    pub(crate) fn at(self, file: &std::path::Path) -> Self {
        match self {
            Self::Database { path, source } if path.as_os_str().is_empty() => {
                Self::Database { path: file.to_owned(), source }
            }
            other => other,
        }
    }

    /// A way out, where there is one.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Newer { .. } => "use the newer psi, or another PSI_HOME",
            Self::Locked { .. } => "give its passphrase: in a terminal, or by PSI_PASSPHRASE_FILE",
            Self::Vault(error) => return error.hint().map(str::to_owned),
            Self::Database { source, .. } if is_busy(source) => {
                "another psi holds it for long; try again when it is done"
            }
            Self::Database { source, .. } if is_damaged(source) => {
                "a page of the encrypted file is not what psi wrote: take the file from a backup"
            }
            Self::Database { source, .. } if is_not_a_database(source) => {
                "move the file away; psi then starts with an empty one"
            }
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "the folder must belong to you; PSI_HOME names another"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|e| e.extended_code == rusqlite::ffi::SQLITE_IOERR_DATA)
}

fn is_not_a_database(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(NotADatabase | DatabaseCorrupt))
}

impl fmt::Display for AgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Io { path, doing, source } => {
                write!(f, "{}: {doing}: {source}", path.display())
            }
            Self::Newer { path, migration } => write!(
                f,
                "{}: made by a later version of psi (it has `{migration}`)",
                path.display()
            ),
            Self::Locked { path } => write!(f, "{}: is encrypted", path.display()),
            Self::Vault(error) => error.fmt(f),
            Self::NotFound { what, id } => write!(f, "there is no {what} {id}"),
            Self::Invalid { what, why } => write!(f, "{what}: {why}"),
            Self::Corrupt { what, why } => write!(f, "the database's {what} holds {why}"),
        }
    }
}

impl Error for AgentError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Database { source, .. } => Some(source),
            Self::Io { source, .. } => Some(source),
            Self::Vault(error) => error.source(),
            _ => None,
        }
    }
}

impl From<VaultError> for AgentError {
    fn from(error: VaultError) -> Self {
        Self::Vault(error)
    }
}

impl From<rusqlite::Error> for AgentError {
    fn from(source: rusqlite::Error) -> Self {
        Self::Database { path: PathBuf::new(), source }
    }
}
