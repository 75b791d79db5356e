//! Task files as their publishers ship them, read whole and checked: what is wrong is named with its line.

use std::{fs, path::Path};

use serde::de::DeserializeOwned;

use crate::task::{Result, TaskError};

/// A row of a file.
#[derive(Clone, Debug)]
pub(crate) struct Line<T> {
    /// Where it stands, from 1.
    pub(crate) number: usize,
    pub(crate) value: T,
}

/// The error that a file is bad at a line; line 0 is the file as a whole.
pub(crate) fn bad(path: &Path, line: usize, what: impl Into<String>) -> TaskError {
    TaskError::Bad { path: path.to_owned(), line, what: what.into() }
}

/// The file's text.
pub(crate) fn text(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(|source| TaskError::Io { path: path.to_owned(), source })?;
    utf8(path, bytes)
}

/// Bytes as text; the line of the first byte that is not UTF-8 is named.
fn utf8(path: &Path, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|e| {
        let good = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = good.iter().filter(|&&b| b == b'\n').count() + 1;
        bad(path, line, "not UTF-8: the file was converted or is damaged")
    })
}

/// A JSON object on each line.
pub(crate) fn json_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<Line<T>>> {
    parse_lines(path, &text(path)?)
}

/// The objects of a text with one on each line; `path` is named in errors.
pub(crate) fn parse_lines<T: DeserializeOwned>(path: &Path, text: &str) -> Result<Vec<Line<T>>> {
    let mut lines = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let number = i + 1;
        let value = serde_json::from_str(line).map_err(|e| {
            let cut = e.is_eof() && !text.ends_with('\n') && number == text.lines().count();
            let what = if cut { "the file is cut off".to_owned() } else { e.to_string() };
            bad(path, number, what)
        })?;
        lines.push(Line { number, value });
    }
    if lines.is_empty() {
        return Err(bad(path, 0, "the file is empty"));
    }
    Ok(lines)
}
