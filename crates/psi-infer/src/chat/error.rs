//! Why a model does not open, and why a conversation is not taken.

use std::{error::Error, fmt, path::PathBuf};

use psi_model::ModelError;
use psi_tokenizer::TemplateError;

use crate::{
    grammar::GrammarError,
    service::{ServiceError, SubmitError},
    text::TextError,
};

/// Why a model does not open.
#[derive(Debug)]
pub enum OpenError {
    /// Its weights.
    Model(ModelError),
    /// Its tokenizer.
    Text(TextError),
    /// Its chat template.
    Template(PathBuf, TemplateError),
    /// The service that runs it.
    Service(ServiceError),
    /// Its tokenizer cannot guide grammars.
    Grammar(GrammarError),
}

impl OpenError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Model(e) => e.hint(),
            Self::Text(e) => e.hint().map(str::to_owned),
            Self::Service(e) => e.hint().map(str::to_owned),
            Self::Grammar(e) => e.hint().map(str::to_owned),
            Self::Template(..) => None,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(e) => e.fmt(f),
            Self::Text(e) => e.fmt(f),
            Self::Template(path, _) => {
                write!(f, "{}: the chat template cannot be used", path.display())
            }
            Self::Service(e) => e.fmt(f),
            Self::Grammar(e) => e.fmt(f),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            Self::Model(e) => e,
            Self::Text(e) => e,
            Self::Template(_, e) => e,
            Self::Service(e) => e,
            Self::Grammar(e) => e,
        })
    }
}

/// Why a conversation is not taken. Every kind is the asker's to mend.
#[derive(Debug)]
pub enum ChatError {
    /// The model has no chat template.
    NoTemplate,
    /// A field has a value that cannot be.
    BadRequest {
        /// Where it is, as in `messages[2].content`.
        field: String,
        /// What is wrong with it.
        why: String,
    },
    /// The chat template refuses the conversation, or runs out of its limits.
    Template(TemplateError),
    /// What the answer should look like cannot be enforced.
    Grammar {
        /// The field that asks for it, as in `response_format` or `tools[0].function.parameters`.
        field: String,
        /// Why not.
        error: GrammarError,
    },
    /// The service does not take it.
    Submit(SubmitError),
}

impl ChatError {
    pub(super) fn bad(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::BadRequest { field: field.into(), why: why.into() }
    }

    /// The field that is at fault, where one is.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::BadRequest { field, .. } | Self::Grammar { field, .. } => Some(field),
            Self::Submit(SubmitError::BadRequest { field, .. }) => Some(field),
            Self::NoTemplate | Self::Template(_) | Self::Submit(_) => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoTemplate => Some("ask for a plain completion instead"),
            Self::Grammar { error, .. } => error.hint(),
            Self::Submit(e) => e.hint(),
            Self::BadRequest { .. } | Self::Template(_) => None,
        }
    }
}

impl fmt::Display for ChatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTemplate => f.write_str("this model has no chat template"),
            Self::BadRequest { field, why } => write!(f, "{field} {why}"),
            Self::Template(e) => e.fmt(f),
            Self::Grammar { field, error } => write!(f, "{field}: {error}"),
            Self::Submit(e) => e.fmt(f),
        }
    }
}

impl Error for ChatError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoTemplate | Self::BadRequest { .. } => None,
            Self::Template(e) => Some(e),
            Self::Grammar { error, .. } => Some(error),
            Self::Submit(e) => Some(e),
        }
    }
}

impl From<SubmitError> for ChatError {
    fn from(e: SubmitError) -> Self {
        Self::Submit(e)
    }
}
