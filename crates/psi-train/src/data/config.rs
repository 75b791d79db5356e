//! What to train on: the `[data]` part of a recipe.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::{DataError, Result};

/// Where the training data comes from and how it becomes rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// What is trained on.
    pub sources: Vec<SourceConfig>,
    /// What is only evaluated. A training document that also occurs here is left out of training.
    pub validation: Vec<SourceConfig>,
    /// Share of the documents of `sources` set aside for validation instead, chosen by their hash.
    pub validation_fraction: f64,
    /// Tokens of a row.
    pub seq_len: usize,
    /// Rows of a micro-batch.
    pub batch_rows: usize,
    /// How documents become rows.
    pub packing: Packing,
    /// [`Packing::Stream`]: whether a token sees the documents before its own in the row.
    pub attend_across_documents: bool,
    /// [`Packing::Whole`]: what becomes of a document that is longer than a row.
    pub overlong: Overlong,
    /// Whether a conversation is learned as a whole or turn by turn.
    pub turns: Turns,
    /// The special token after each text document (default: `<|endoftext|>`, else the tokenizer's EOS).
    pub end_token: Option<String>,
    /// Variables for the chat template besides the conversation (`enable_thinking`, `strftime_now`).
    pub template_vars: Map<String, Value>,
    /// A run stops when more rows than this cannot be used.
    pub max_bad_rows: u64,
    /// Longest document, in megabytes (10^6 bytes) of text; a longer one counts as a bad row.
    pub max_document_mb: u64,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            validation: Vec::new(),
            validation_fraction: 0.0,
            seq_len: 1024,
            batch_rows: 1,
            packing: Packing::Stream,
            attend_across_documents: true,
            overlong: Overlong::Refuse,
            turns: Turns::Together,
            end_token: None,
            template_vars: Map::new(),
            max_bad_rows: 0,
            max_document_mb: 64,
        }
    }
}

impl DataConfig {
    /// Longest document in bytes.
    pub(crate) fn max_document_bytes(&self) -> usize {
        usize::try_from(self.max_document_mb.saturating_mul(1_000_000)).unwrap_or(usize::MAX)
    }

    /// Refuses a configuration that cannot work whatever the files hold.
    pub(crate) fn check(&self) -> Result<()> {
        let fraction = self.validation_fraction;
        if self.sources.is_empty() {
            return Err(DataError::config("sources", "nothing to train on")
                .with_hint("name at least one file, folder or pattern"));
        }
        if self.seq_len == 0 || self.batch_rows == 0 {
            let key = if self.seq_len == 0 { "seq_len" } else { "batch_rows" };
            return Err(DataError::config(key, "must be at least 1"));
        }
        if !(0.0..1.0).contains(&fraction) {
            let why = format!("{fraction} is not a fraction from 0 to below 1");
            return Err(DataError::config("validation_fraction", why));
        }
        if fraction > 0.0 && !self.validation.is_empty() {
            return Err(DataError::config("validation_fraction", "data.validation is set too")
                .with_hint("set one of the two"));
        }
        let n_weights = self.sources.iter().filter(|s| s.weight.is_some()).count();
        if n_weights != 0 && n_weights != self.sources.len() {
            return Err(DataError::config(
                "sources.weight",
                "set for some sources and not for others",
            )
            .with_hint("set it for all or for none"));
        }
        let usable = |w: f64| w.is_finite() && w > 0.0;
        match self.sources.iter().find(|s| !s.weight.is_none_or(usable)) {
            None => Ok(()),
            Some(s) => {
                let why = format!("{}: must be a number above 0", s.name());
                Err(DataError::config("sources.weight", why)
                    .with_hint("remove a source to leave it out"))
            }
        }
    }
}

/// One source of documents: files of one kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// A file, a folder (with all its folders) or a pattern such as `books/**/*.md`.
    pub path: String,
    /// What reports call it (default: the path).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Share of the tokens, relative to the other sources (default for all: their sizes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// What the files are (default: by their names).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The key or column that holds the text (default: `text`; conversations lie in `messages`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Text files: a line that separates documents, `""` for an empty line (default: one per file).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_at: Option<String>,
    /// Text files: keep the carriage returns of Windows line ends.
    #[serde(default)]
    pub keep_cr: bool,
}

impl SourceConfig {
    /// All defaults for `path`.
    pub fn at(path: &str) -> Self {
        Self { path: path.to_owned(), ..Self::default() }
    }

    /// What reports call it.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.path)
    }

    /// The key or column of the text.
    pub(crate) fn column(&self) -> &str {
        self.column.as_deref().unwrap_or("text")
    }
}

/// Kinds of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Plain text or Markdown, one document unless `split_at` is set.
    Text,
    /// One JSON object per line: a text or a conversation.
    Jsonl,
    /// Comma-separated values with a header (tabs in files named `.tsv`).
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// How documents become rows of `seq_len` tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Packing {
    /// Several side by side, a row of each in turn, cut where a row is full; every token is the target of
    /// exactly one position per epoch. For pre-training.
    Stream,
    /// Each document whole and by itself, several to a row by best fit; what remains of a row stays
    /// empty. For conversations.
    Whole,
}

/// What becomes of a document that does not fit a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlong {
    /// The run does not start.
    Refuse,
    /// It is left out, and counted in the report.
    Drop,
}

/// How the turns of a conversation are learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Turns {
    /// All in one document. The chat template must leave a turn as it was when more follows.
    Together,
    /// The conversation up to each turn in a document of its own, as the model will see it: right for
    /// templates that take the reasoning out of earlier turns, at the price of longer data.
    Each,
}
