//! From a source's path to its files, in one fixed order.

use std::fs;
use std::path::{Path, PathBuf};

use super::config::{Format, SourceConfig};
use super::error::{DataError, Result};

/// A file to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataFile {
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
    pub(crate) compression: Compression,
}

/// How a file's bytes are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Plain,
    Gzip,
    Zstd,
}

/// The files of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Files {
    /// Sorted by path.
    pub(crate) read: Vec<DataFile>,
    /// What a folder or pattern holds besides, and is left out because of its name.
    pub(crate) ignored: Vec<PathBuf>,
}

const ENDINGS: &str = ".txt, .md, .jsonl, .csv (also .gz and .zst) and .parquet";

/// Finds the files of `source`.
pub(crate) fn find(source: &SourceConfig) -> Result<Files> {
    let path = Path::new(&source.path);
    let mut files = Files::default();
    if path.is_dir() {
        folder(path, source, &mut files)?;
    } else if path.exists() {
        let file = classify(path, source).ok_or_else(|| {
            DataError::file(path, "the name does not say what kind of file it is")
                .with_hint(format!("set the source's format, or use one of the endings {ENDINGS}"))
        })?;
        files.read.push(file);
    } else if source.path.contains(['*', '?', '[']) {
        pattern(source, &mut files)?;
    } else {
        return Err(DataError::file(path, "no such file or folder").with_hint("check the path"));
    }
    if files.read.is_empty() {
        let why = format!("no files to train on ({} with other names)", files.ignored.len());
        return Err(DataError::file(path, why).with_hint(format!("files end in {ENDINGS}")));
    }
    files.read.sort_by(|a, b| a.path.cmp(&b.path));
    files.ignored.sort();
    Ok(files)
}

/// Bytes on disk; a file that cannot be asked is found out when it is read.
pub(crate) fn size(files: &[DataFile]) -> u64 {
    files.iter().filter_map(|f| f.path.metadata().ok()).map(|m| m.len()).sum()
}

/// Adds everything under `dir`; hidden entries and links to folders stay out, as they would be
/// surprising or endless.
fn folder(dir: &Path, source: &SourceConfig, files: &mut Files) -> Result<()> {
    let fail = |e| DataError::io(dir, "listing", e);
    for entry in fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let path = entry.path();
        let kind = entry.file_type().map_err(fail)?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            files.ignored.push(path);
        } else if kind.is_dir() {
            folder(&path, source, files)?;
        } else {
            add(path, source, files);
        }
    }
    Ok(())
}

fn pattern(source: &SourceConfig, files: &mut Files) -> Result<()> {
    let bad = |why: String| DataError::config("sources.path", format!("'{}': {why}", source.path));
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..Default::default() };
    let found = glob::glob_with(&source.path, options).map_err(|e| bad(e.to_string()))?;
    for path in found {
        let path = path.map_err(|e| DataError::file(e.path(), "cannot be listed").because(e))?;
        if !path.is_dir() {
            add(path, source, files);
        }
    }
    Ok(())
}

fn add(path: PathBuf, source: &SourceConfig, files: &mut Files) {
    match classify(&path, source).filter(|f| f.path.is_file()) {
        Some(file) => files.read.push(file),
        None => files.ignored.push(path),
    }
}

/// What a file is, by the last parts of its name; the source's `format` wins.
fn classify(path: &Path, source: &SourceConfig) -> Option<DataFile> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let (name, compression) = if let Some(inner) = name.strip_suffix(".gz") {
        (inner, Compression::Gzip)
    } else if let Some(inner) = name.strip_suffix(".zst") {
        (inner, Compression::Zstd)
    } else {
        (name.as_str(), Compression::Plain)
    };
    let by_name = match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("txt" | "text" | "md" | "markdown") => Some(Format::Text),
        Some("jsonl" | "ndjson") => Some(Format::Jsonl),
        Some("csv") => Some(Format::Csv), // .tsv only if `format` says so: it is often an index
        Some("parquet") => Some(Format::Parquet),
        _ => None,
    };
    let format = source.format.or(by_name)?;
    Some(DataFile { path: path.to_owned(), format, compression })
}

impl DataFile {
    /// Whether the values of a table are separated by tabs.
    pub(crate) fn has_tabs(&self) -> bool {
        let name = self.path.to_string_lossy().to_lowercase();
        name.ends_with(".tsv") || name.ends_with(".tsv.gz") || name.ends_with(".tsv.zst")
    }
}
