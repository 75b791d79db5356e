//! Files to rows: one reader per format, each in bounded memory.

mod csv;
mod input;
mod lines;
mod parquet;
mod text;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::config::{Format, SourceConfig};
use super::error::Result;
use super::files::DataFile;

/// A row as its file has it; checked and encoded later, by several threads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// From 1.
    pub(crate) line: u64,
    pub(crate) body: Body,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    /// The text of a document.
    Text(Vec<u8>),
    /// A line of JSON, not parsed yet.
    Json(Vec<u8>),
    /// A record of a Parquet file with conversations.
    Record(serde_json::Value),
    /// What lies here cannot be a document, for this reason.
    Bad(String),
}

impl Row {
    pub(crate) fn bad(line: u64, reason: impl Into<String>) -> Self {
        Self { line, body: Body::Bad(reason.into()) }
    }

    /// About how many bytes it holds.
    pub(crate) fn size(&self) -> usize {
        match &self.body {
            Body::Text(bytes) | Body::Json(bytes) => bytes.len(),
            Body::Record(value) => value.to_string().len(),
            Body::Bad(_) => 0,
        }
    }
}

/// The rows of a file, in order.
pub(crate) type Rows = Box<dyn Iterator<Item = Result<Row>>>;

/// How files are read.
#[derive(Clone, Debug)]
pub(crate) struct ReadOptions<'a> {
    pub(crate) source: &'a SourceConfig,
    /// A longer document is a bad row.
    pub(crate) max_bytes: usize,
    /// Counts the bytes read from disk.
    pub(crate) progress: Arc<AtomicU64>,
}

/// Opens `file`.
pub(crate) fn rows(file: &DataFile, options: &ReadOptions<'_>) -> Result<Rows> {
    Ok(match file.format {
        Format::Text => Box::new(text::Documents::open(file, options)?),
        Format::Jsonl => Box::new(lines::JsonLines::open(file, options)?),
        Format::Csv => Box::new(csv::Table::open(file, options)?),
        Format::Parquet => Box::new(parquet::Table::open(file, options)?),
    })
}

/// The reason given for a document over the limit.
fn too_long(what: &str, max_bytes: usize) -> String {
    let mb = max_bytes as f64 / 1e6;
    format!("{what} is longer than {mb} MB (data.max_document_mb)")
}
