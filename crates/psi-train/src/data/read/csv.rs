//! CSV with a header: one column is the text.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::path::PathBuf;
use std::rc::Rc;

use psi_store::nearest;

use super::super::error::{DataError, Result};
use super::super::files::DataFile;
use super::input::{self, Input};
use super::{Body, ReadOptions, Row};

/// The rows of a table.
pub(super) struct Table {
    path: PathBuf,
    reader: csv::Reader<Bounded>,
    column: usize,
    /// Bytes read since the last record, seen by [`Bounded`] too.
    since: Rc<Cell<usize>>,
    record: csv::ByteRecord,
    done: bool,
}

impl Table {
    pub(super) fn open(file: &DataFile, options: &ReadOptions<'_>) -> Result<Self> {
        let (path, stream) = Input::open(file, &options.progress)?.into_stream();
        let since = Rc::new(Cell::new(0));
        let bounded = Bounded { stream, since: Rc::clone(&since), limit: options.max_bytes };
        let delimiter = if file.has_tabs() { b'\t' } else { b',' };
        let mut builder = csv::ReaderBuilder::new();
        let mut reader = builder.delimiter(delimiter).flexible(true).from_reader(bounded);
        let header = reader.byte_headers().map_err(|e| broken(&path, e))?.clone();
        let names: Vec<_> = header.iter().map(String::from_utf8_lossy).collect();
        let names: Vec<&str> = names.iter().map(|n| n.trim_start_matches('\u{feff}')).collect();
        let column = find_column(options.source.column(), &names, &path)?;
        let record = csv::ByteRecord::new();
        Ok(Self { path, reader, column, since, record, done: false })
    }

    fn next_row(&mut self) -> Result<Option<Row>> {
        self.since.set(0);
        let found = self.reader.read_byte_record(&mut self.record);
        if !found.map_err(|e| broken(&self.path, e))? {
            self.done = true;
            return Ok(None);
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        Ok(Some(match self.record.get(self.column) {
            Some(text) => Row { line, body: Body::Text(text.to_vec()) },
            None => Row::bad(line, format!("the row has {} columns only", self.record.len())),
        }))
    }
}

/// The index of a column by its name.
pub(super) fn find_column(name: &str, names: &[&str], path: &std::path::Path) -> Result<usize> {
    if let Some(at) = names.iter().position(|n| *n == name) {
        return Ok(at);
    }
    let shown: Vec<String> = names.iter().take(20).map(|n| format!("'{n}'")).collect();
    let list = if shown.is_empty() { "none".to_owned() } else { shown.join(", ") };
    let why = format!("there is no column '{name}'; there are {list}");
    let close = nearest(name, &mut names.iter().copied(), 1);
    let named = close.first().map_or_else(String::new, |n| format!(", for example '{n}'"));
    let hint = format!("set the source's column to the one that holds the text{named}");
    Err(DataError::file(path, why).with_hint(hint))
}

fn broken(path: &std::path::Path, error: csv::Error) -> DataError {
    if matches!(error.kind(), csv::ErrorKind::Io(e) if e.kind() == io::ErrorKind::FileTooLarge) {
        let why = format!("{error}");
        let hint = "a quotation mark may be missing; or raise data.max_document_mb";
        return DataError::file(path, why).with_hint(hint);
    }
    match error.into_kind() {
        csv::ErrorKind::Io(e) => input::broken(path, e),
        other => DataError::file(path, format!("not a table: {other:?}")),
    }
}

impl Iterator for Table {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done { None } else { self.next_row().transpose() }
    }
}

/// Refuses to go on within one record beyond a limit: a quotation mark that is never closed makes the
/// rest of the file one value.
struct Bounded {
    stream: Box<dyn BufRead>,
    since: Rc<Cell<usize>>,
    limit: usize,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(buffer)?;
        self.since.set(self.since.get() + n);
        if self.since.get() > self.limit.saturating_add(buffer.len()) {
            let why = super::too_long("a row", self.limit);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
        }
        Ok(n)
    }
}
