//! Task files as their publishers ship them, read whole and checked: what is wrong is named with its line.

mod published;

use std::{fs, io::Read, path::Path};

use flate2::read::MultiGzDecoder;
use serde::de::DeserializeOwned;

use crate::task::{Result, TaskError};

pub(crate) use published::check as check_published;

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

/// The file's text, decompressed when its name ends in `.gz`.
pub(crate) fn text(path: &Path) -> Result<String> {
    let fail = |source| TaskError::Io { path: path.to_owned(), source };
    let mut bytes = fs::read(path).map_err(fail)?;
    if path.extension().is_some_and(|e| e == "gz") {
        let mut plain = Vec::new();
        MultiGzDecoder::new(bytes.as_slice())
            .read_to_end(&mut plain)
            .map_err(|e| bad(path, 0, format!("not a whole gzip file: {e}")))?;
        bytes = plain;
    }
    String::from_utf8(bytes).map_err(|e| {
        let good = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = good.iter().filter(|&&b| b == b'\n').count() + 1;
        bad(path, line, "not UTF-8: the file was converted or is damaged")
    })
}

/// The objects of a text with one on each line; `path` is named in errors.
pub(crate) fn json_lines<T: DeserializeOwned>(path: &Path, text: &str) -> Result<Vec<Line<T>>> {
    let n_lines = text.lines().count();
    let mut lines = Vec::with_capacity(n_lines);
    for (i, line) in text.lines().enumerate() {
        let number = i + 1;
        let value = serde_json::from_str(line).map_err(|e| {
            let is_cut = e.is_eof() && number == n_lines && !text.ends_with('\n');
            bad(path, number, if is_cut { "the file is cut off".to_owned() } else { e.to_string() })
        })?;
        lines.push(Line { number, value });
    }
    if lines.is_empty() {
        return Err(bad(path, 0, "the file is empty"));
    }
    Ok(lines)
}

/// The one JSON document of a text.
pub(crate) fn json<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| bad(path, e.line(), e.to_string()))
}
