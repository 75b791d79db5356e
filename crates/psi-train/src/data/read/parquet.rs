//! Parquet: a column of texts, or one of conversations.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, List, Row as Record};
use parquet::schema::types::Type;
use serde_json::{Map, Value, json};

use super::super::error::{DataError, Result};
use super::super::files::{Compression, DataFile};
use super::csv::find_column;
use super::{Body, ReadOptions, Row, too_long};

/// The rows of a Parquet file.
pub(super) struct Table {
    path: PathBuf,
    rows: RowIter<'static>,
    at: u64,
    n_rows: u64,
    size: u64,
    max_bytes: usize,
    progress: Arc<AtomicU64>,
    done: bool,
}

impl Table {
    pub(super) fn open(file: &DataFile, options: &ReadOptions<'_>) -> Result<Self> {
        let path = &file.path;
        if file.compression != Compression::Plain {
            let hint = "Parquet compresses its columns itself: unpack the file";
            return Err(DataError::file(path, "Parquet cannot be read packed").with_hint(hint));
        }
        let disk = File::open(path).map_err(|e| DataError::io(path, "opening", e))?;
        let size = disk.metadata().map_err(|e| DataError::io(path, "opening", e))?.len();
        let reader = guarded(path, || SerializedFileReader::new(disk))?;
        let schema = reader.metadata().file_metadata().schema().clone();
        let n_rows = u64::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or(0);
        let projection = projection(&schema, options.source.column.as_deref(), path)?;
        let rows =
            guarded(path, || RowIter::from_file_into(Box::new(reader)).project(Some(projection)))?;
        Ok(Self {
            path: path.clone(),
            rows,
            at: 0,
            n_rows,
            size,
            max_bytes: options.max_bytes,
            progress: Arc::clone(&options.progress),
            done: false,
        })
    }

    fn next_row(&mut self) -> Result<Option<Row>> {
        let rows = &mut self.rows;
        let record = guarded(&self.path, || rows.next().transpose())?;
        let share = |at: u64| (self.size as f64 * at as f64 / self.n_rows.max(1) as f64) as u64;
        let Some(record) = record else {
            self.done = true;
            return Ok(None);
        };
        self.progress.fetch_add(share(self.at + 1) - share(self.at), Ordering::Relaxed);
        self.at += 1;
        Ok(Some(self.row(record)))
    }

    fn row(&self, record: Record) -> Row {
        let line = self.at;
        let mut fields = record.into_columns();
        if let [(_, Field::Str(_) | Field::Bytes(_) | Field::Null)] = fields.as_slice() {
            return match fields.pop() {
                Some((_, Field::Str(text))) if text.len() > self.max_bytes => {
                    Row::bad(line, too_long("the text", self.max_bytes))
                }
                Some((_, Field::Str(text))) => Row { line, body: Body::Text(text.into_bytes()) },
                Some((_, Field::Bytes(b))) => Row { line, body: Body::Text(b.data().to_vec()) },
                _ => Row::bad(line, "the text is null"),
            };
        }
        let record = fields.iter().map(|(name, field)| (name.clone(), to_json(field)));
        Row { line, body: Body::Record(Value::Object(record.collect())) }
    }
}

/// The part of the schema to read: the column of the text, or `messages` with `tools`.
fn projection(schema: &Type, column: Option<&str>, path: &Path) -> Result<Type> {
    let names: Vec<&str> = schema.get_fields().iter().map(|f| f.name()).collect();
    let wanted: Vec<usize> = match column {
        None if names.contains(&"messages") => {
            (0..names.len()).filter(|&i| ["messages", "tools"].contains(&names[i])).collect()
        }
        column => vec![find_column(column.unwrap_or("text"), &names, path)?],
    };
    let fields = wanted.iter().map(|&i| Arc::clone(&schema.get_fields()[i])).collect();
    guarded(path, || Type::group_type_builder(schema.name()).with_fields(fields).build())
}

/// Runs the library on a stranger's file. It reports most damage, but some it meets with a panic.
fn guarded<T>(path: &Path, f: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T> {
    let damaged = || DataError::file(path, "not a Parquet file, or a damaged one");
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(ParquetError::NYI(what))) => {
            let why = format!("uses a part of Parquet that psi does not read: {what}");
            Err(DataError::file(path, why))
        }
        Ok(Err(e)) => Err(damaged().because(e)),
        Err(_) => Err(damaged()),
    }
}

/// Nested values as JSON. Nulls are left out, as optional keys of messages are stored so.
fn to_json(field: &Field) -> Value {
    match field {
        Field::Group(group) => {
            let entries = group.get_column_iter().map(|(k, v)| (k.clone(), to_json(v)));
            Value::Object(entries.filter(|(_, v)| !v.is_null()).collect::<Map<_, _>>())
        }
        Field::ListInternal(list) => list_to_json(list),
        Field::Str(text) => json!(text),
        Field::Bool(b) => json!(b),
        Field::Int(n) => json!(n),
        Field::Long(n) => json!(n),
        Field::Float(x) => json!(x),
        Field::Double(x) => json!(x),
        Field::Null => Value::Null,
        other => json!(other.to_string()),
    }
}

fn list_to_json(list: &List) -> Value {
    Value::Array(list.elements().iter().map(to_json).collect())
}

impl Iterator for Table {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done { None } else { self.next_row().transpose() }
    }
}
