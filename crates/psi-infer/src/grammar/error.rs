//! Why a grammar is not compiled.

use std::{error::Error, fmt, time::Duration};

/// Why a grammar is refused. Nothing is generated without the constraint that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrammarError {
    /// A keyword of JSON Schema, or a part of a grammar, that cannot be held exactly.
    Unsupported {
        /// The keyword.
        keyword: String,
        /// Where it stands: a JSON pointer.
        path: String,
        /// What is not supported about it.
        why: String,
    },
    /// The grammar itself is wrong.
    Invalid {
        /// The place: a JSON pointer, a line, or the whole.
        at: String,
        /// What is wrong.
        why: String,
    },
    /// No text can satisfy it.
    Unsatisfiable {
        /// Why not.
        why: String,
    },
    /// It is larger than allowed.
    TooLarge {
        /// What there is too much of.
        what: String,
        /// How much.
        n: usize,
        /// How much there may be.
        limit: usize,
    },
    /// It takes more work than allowed.
    TooComplex {
        /// What does.
        what: String,
        /// Which limit was met.
        why: String,
    },
    /// Compiling takes too long.
    TimedOut {
        /// How long it may take.
        limit: Duration,
    },
    /// Other grammars are being compiled.
    Busy,
    /// The tokenizer has no token that ends an answer.
    NoEnd,
}

/// Words by which `llguidance` says that a limit was met.
const LIMITS: [&str; 6] =
    ["too complex", "too large", "too many", "fuel", "too deeply", "level exceeded"];

impl GrammarError {
    /// What `llguidance` says about something, sorted.
    pub(super) fn refused(what: &str, why: &str) -> Self {
        let why = brief(why);
        if LIMITS.iter().any(|limit| why.contains(limit)) {
            Self::TooComplex { what: what.to_owned(), why }
        } else if why.contains("nsatisfiable") {
            Self::Unsatisfiable { why }
        } else {
            Self::Invalid { at: what.to_owned(), why }
        }
    }

    pub(super) fn complex(what: &str, why: &impl fmt::Display) -> Self {
        Self::TooComplex { what: what.to_owned(), why: brief(&why.to_string()) }
    }

    pub(super) fn unsupported(keyword: &str, path: &str, why: impl Into<String>) -> Self {
        Self::Unsupported { keyword: keyword.to_owned(), path: path.to_owned(), why: why.into() }
    }

    pub(super) fn invalid(at: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Invalid { at: at.into(), why: why.into() }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unsupported { .. } => Some("leave the keyword out, or check the answer yourself"),
            Self::TooLarge { .. } | Self::TooComplex { .. } | Self::TimedOut { .. } => {
                Some("make the grammar smaller")
            }
            Self::Busy => Some("try again later"),
            Self::Invalid { .. } | Self::Unsatisfiable { .. } | Self::NoEnd => None,
        }
    }
}

/// The first lines of a message, without dumps and traces.
fn brief(why: &str) -> String {
    let end = why.find("\n<").unwrap_or(why.len());
    let text = why[..end].trim();
    match text.char_indices().nth(400) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}

impl fmt::Display for GrammarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { keyword, path, why } => {
                write!(f, "'{keyword}' at {path} is not supported: {why}")
            }
            Self::Invalid { at, why } => write!(f, "{at}: {why}"),
            Self::Unsatisfiable { why } => write!(f, "no answer can satisfy it: {why}"),
            Self::TooLarge { what, n, limit } => {
                write!(f, "{n} {what}, at most {limit} are allowed")
            }
            Self::TooComplex { what, why } => write!(f, "{what} takes too much work: {why}"),
            Self::TimedOut { limit } => {
                write!(f, "compiling takes longer than {} ms", limit.as_millis())
            }
            Self::Busy => f.write_str("too many grammars are being compiled"),
            Self::NoEnd => f.write_str("the tokenizer has no token that ends an answer"),
        }
    }
}

impl Error for GrammarError {}
