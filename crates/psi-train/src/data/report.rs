//! What a loader found in its sources.

use std::path::PathBuf;

use serde::Serialize;

use super::error::BadRow;

/// What is trained on and what is evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// In the order of the configuration.
    pub sources: Vec<SourceReport>,
    /// Sources that are only evaluated.
    pub validation: Vec<SourceReport>,
}

/// One source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceReport {
    /// As configured.
    pub name: String,
    /// Files read.
    pub files: usize,
    /// Files left out because of their names.
    pub ignored: Vec<PathBuf>,
    /// Documents in all.
    pub documents: u64,
    /// Documents that are conversations.
    pub conversations: u64,
    /// Their tokens.
    pub tokens: u64,
    /// Tokens that a loss falls on.
    pub trained_tokens: u64,
    /// Bytes of their text.
    pub bytes: u64,
    /// Tokens of the longest.
    pub longest: u64,
    /// Documents trained on.
    pub train_documents: u64,
    /// Their tokens.
    pub train_tokens: u64,
    /// Documents set aside for validation.
    pub validation_documents: u64,
    /// Documents left out because a validation source has them too.
    pub held_out: u64,
    /// Documents left out because they are longer than a row.
    pub overlong: u64,
    /// Rows that cannot be used.
    pub bad_rows: u64,
    /// The first of them.
    pub bad: Vec<BadRow>,
    /// Whether the tokens were there already.
    pub from_cache: bool,
}
