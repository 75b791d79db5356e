//! JSON lines, unparsed: parsing is done by several threads.

use super::super::error::Result;
use super::super::files::DataFile;
use super::input::{Input, Line};
use super::{Body, ReadOptions, Row, too_long};

/// The lines of a file that are not blank.
pub(super) struct JsonLines {
    input: Input,
    max_bytes: usize,
    done: bool,
}

impl JsonLines {
    pub(super) fn open(file: &DataFile, options: &ReadOptions<'_>) -> Result<Self> {
        let input = Input::open(file, &options.progress)?;
        Ok(Self { input, max_bytes: options.max_bytes, done: false })
    }

    fn next_row(&mut self) -> Result<Option<Row>> {
        loop {
            let mut line = Vec::new();
            let found = self.input.next_line(self.max_bytes, &mut line)?;
            let at = self.input.line;
            let row = match found {
                Line::End => {
                    self.done = true;
                    return Ok(None);
                }
                Line::TooLong => Row::bad(at, too_long("the line", self.max_bytes)),
                Line::Whole if line.iter().all(u8::is_ascii_whitespace) => continue,
                Line::Whole => Row { line: at, body: Body::Json(line) },
            };
            return Ok(Some(row));
        }
    }
}

impl Iterator for JsonLines {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done { None } else { self.next_row().transpose() }
    }
}
