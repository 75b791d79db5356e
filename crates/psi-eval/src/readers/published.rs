//! What publishers ship, by fingerprint: a file that was cut, duplicated, relabelled or re-encoded is found,
//! and so is the place.
//!
//! `published.tsv` has a line per file: path, SHA-256 of its text, number of records, and one byte of each
//! record's SHA-256 in base64. The hash decides; the bytes only say where a refused file differs.

use std::path::Path;

use base64::{Engine, prelude::BASE64_STANDARD};
use psi_store::ContentHash;

use super::bad;
use crate::task::{Result, TaskError};

const PUBLISHED: &str = include_str!("../../data/published.tsv");

/// Refuses a text that is not what its publisher ships under this name. `path` is named in errors.
pub(crate) fn check(name: &str, path: &Path, text: &str) -> Result<()> {
    let mut fields = PUBLISHED.lines().map(|line| line.split('\t'));
    let Some(mut fields) = fields.find_map(|mut f| (f.next() == Some(name)).then_some(f)) else {
        return Ok(()); // a file that is no published one
    };
    let is_same = fields.next() == Some(&ContentHash::of_bytes(text.as_bytes()).to_string());
    if is_same {
        return Ok(());
    }
    let marks = fields.nth(1).and_then(|marks| BASE64_STANDARD.decode(marks).ok());
    Err(difference(path, text, &marks.unwrap_or_default()))
}

/// The error that names the first record that is not as published.
fn difference(path: &Path, text: &str, marks: &[u8]) -> TaskError {
    let is_lines = text.bytes().filter(|&b| b == b'\n').count() >= 2;
    let whole = text.strip_suffix('\n').unwrap_or(text);
    let records: Vec<&str> = whole.split(if is_lines { "\n" } else { "}, {" }).collect();
    let mark = |record: &str| ContentHash::of_bytes(record.as_bytes()).as_bytes()[0];
    let differs = |(record, &wanted): (&&str, &u8)| mark(record) != wanted;
    let first = records.iter().zip(marks).position(differs);
    let first = first.unwrap_or(records.len().min(marks.len()));
    let place = |i: usize| if is_lines { i + 1 } else { 1 };
    let named =
        |i: usize| if is_lines { format!("line {}", i + 1) } else { format!("record {}", i + 1) };
    let what = match records.get(first) {
        _ if text.starts_with('\u{feff}') => "the file begins with a byte-order mark".to_owned(),
        None if records.len() < marks.len() => {
            format!("the file is cut off: {} of {} records", records.len(), marks.len())
        }
        None => "the end of the file was changed".to_owned(),
        Some(record) if record.ends_with('\r') && !is_published(record, marks, first) => {
            "the line ends were changed to CRLF".to_owned()
        }
        Some(record) => {
            let twin = records[..first].iter().position(|earlier| earlier == record);
            match twin {
                Some(twin) => format!("{} repeats {}", named(first), named(twin)),
                None if first + 1 == records.len() && records.len() < marks.len() => {
                    format!("the file is cut off in {}", named(first))
                }
                None if first >= marks.len() => format!("{} was added", named(first)),
                None => format!("{} is not what the publisher ships", named(first)),
            }
        }
    };
    bad(path, place(first), what)
}

fn is_published(record: &str, marks: &[u8], index: usize) -> bool {
    let mark = ContentHash::of_bytes(record.as_bytes()).as_bytes()[0];
    marks.get(index) == Some(&mark)
}
