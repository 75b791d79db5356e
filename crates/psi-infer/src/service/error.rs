//! Why a service does not start, and why it does not take a request.

use std::{error::Error, fmt, io};

/// Why a service does not start.
#[derive(Debug)]
pub enum ServiceError {
    /// An option that cannot work.
    Option {
        /// Its name.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The cache has no room for a single block.
    CacheTooSmall {
        /// Bytes given.
        bytes: usize,
        /// Bytes of one block.
        per_block: usize,
    },
    /// No thread could be started.
    Thread(io::Error),
}

impl ServiceError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::CacheTooSmall { .. } => Some("give the cache more memory"),
            Self::Option { .. } | Self::Thread(_) => None,
        }
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option { field, why } => write!(f, "{field} {why}"),
            Self::CacheTooSmall { bytes, per_block } => {
                write!(f, "a cache of {bytes} bytes holds no block of {per_block} bytes")
            }
            Self::Thread(_) => f.write_str("the service's thread could not be started"),
        }
    }
}

impl Error for ServiceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Thread(e) => Some(e),
            Self::Option { .. } | Self::CacheTooSmall { .. } => None,
        }
    }
}

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubmitError {
    /// Prompt and answer together are longer than a request may be.
    ContextOverflow {
        /// Tokens of the prompt.
        n_prompt: usize,
        /// Most tokens of the answer.
        max_tokens: usize,
        /// The most that both may be.
        limit: usize,
    },
    /// As many requests as allowed are running and waiting.
    QueueFull {
        /// How many those are.
        n_open: usize,
    },
    /// No adapter of this name is loaded.
    UnknownAdapter(String),
    /// A field has a value that cannot be.
    BadRequest {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The service takes no more requests.
    Stopped,
}

impl SubmitError {
    pub(super) fn bad(field: &'static str, why: impl Into<String>) -> Self {
        Self::BadRequest { field, why: why.into() }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::ContextOverflow { .. } => Some("shorten the prompt or ask for fewer tokens"),
            Self::QueueFull { .. } => Some("try again later"),
            Self::UnknownAdapter(_) => Some("load it first"),
            Self::BadRequest { .. } | Self::Stopped => None,
        }
    }
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContextOverflow { n_prompt, max_tokens, limit } => write!(
                f,
                "a prompt of {n_prompt} tokens and an answer of up to {max_tokens} do not fit the \
                 context of {limit}"
            ),
            Self::QueueFull { n_open } => write!(f, "{n_open} requests are running and waiting"),
            Self::UnknownAdapter(name) => write!(f, "no adapter '{name}' is loaded"),
            Self::BadRequest { field, why } => write!(f, "{field} {why}"),
            Self::Stopped => f.write_str("the service takes no more requests"),
        }
    }
}

impl Error for SubmitError {}
