//! Text and Markdown: a file is a document, or several with a line between them.

use super::super::error::Result;
use super::super::files::DataFile;
use super::input::{Input, Line};
use super::{Body, ReadOptions, Row, too_long};

/// The documents of a text file.
pub(super) struct Documents {
    input: Input,
    split_at: Option<Vec<u8>>,
    keep_cr: bool,
    max_bytes: usize,
    line: Vec<u8>,
    done: bool,
}

impl Documents {
    pub(super) fn open(file: &DataFile, options: &ReadOptions<'_>) -> Result<Self> {
        Ok(Self {
            input: Input::open(file, &options.progress)?,
            split_at: options.source.split_at.as_ref().map(|s| s.as_bytes().to_vec()),
            keep_cr: options.source.keep_cr,
            max_bytes: options.max_bytes,
            line: Vec::new(),
            done: false,
        })
    }

    /// The file as one document.
    fn whole(&mut self) -> Result<Row> {
        self.done = true;
        let Some(bytes) = self.input.read_all(self.max_bytes)? else {
            let reason = too_long("the file, one document,", self.max_bytes);
            return Ok(Row::bad(0, format!("{reason}; set split_at to cut it into documents")));
        };
        Ok(self.document(0, bytes))
    }

    /// The next stretch of lines up to a separating line; stretches of white space alone are passed over.
    fn stretch(&mut self, split_at: &[u8]) -> Result<Option<Row>> {
        let (mut text, mut first) = (Vec::new(), None);
        let mut long = false;
        loop {
            let found = self.input.next_line(self.max_bytes, &mut self.line)?;
            let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
            let ends = found == Line::End || (found == Line::Whole && line == split_at);
            if ends && !long && says_nothing(&text) {
                (text, first) = (Vec::new(), None);
            }
            if let Some(first) = first.filter(|_| ends) {
                self.done = found == Line::End;
                let reason = || too_long("the document", self.max_bytes);
                return Ok(Some(if long {
                    Row::bad(first, reason())
                } else {
                    self.document(first, text)
                }));
            }
            if found == Line::End {
                self.done = true;
                return Ok(None);
            }
            if ends {
                continue;
            }
            first = first.or(Some(self.input.line));
            long |= found == Line::TooLong || text.len() + self.line.len() >= self.max_bytes;
            if long {
                text = Vec::new();
            } else {
                text.extend_from_slice(&self.line);
                text.push(b'\n');
            }
        }
    }

    fn document(&self, line: u64, mut bytes: Vec<u8>) -> Row {
        if bytes.contains(&0) {
            return Row::bad(line, "not text: it holds zero bytes");
        }
        if bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3); // a byte order mark
        }
        if !self.keep_cr {
            remove_cr(&mut bytes);
        }
        Row { line, body: Body::Text(bytes) }
    }
}

fn says_nothing(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.trim().is_empty())
}

/// Windows line ends become Unix ones.
fn remove_cr(bytes: &mut Vec<u8>) {
    let mut kept = 0;
    for i in 0..bytes.len() {
        if bytes[i] == b'\r' && bytes.get(i + 1) == Some(&b'\n') {
            continue;
        }
        bytes[kept] = bytes[i];
        kept += 1;
    }
    bytes.truncate(kept);
}

impl Iterator for Documents {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        match self.split_at.clone() {
            Some(split_at) => self.stretch(&split_at).transpose(),
            None => Some(self.whole()),
        }
    }
}
