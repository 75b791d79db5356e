//! Logs: files of lines that only grow. A line whose end was written is there for good; what a killed
//! process left of one is cut off when the log is opened again.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{At, Result, StoreError};

/// Longest line that is read; a longer one is not a line of a log.
const MAX_LINE: usize = 64 << 20;

/// A log open for writing by this process alone; others wait in [`Log::open`].
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens or makes the log, and cuts off a last line that has no end.
    pub fn open(path: &Path) -> Result<Self> {
        let fail = |doing| move |e| StoreError::io(path, doing, e);
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(path)
            .map_err(fail("opening"))?;
        file.lock().map_err(fail("locking"))?;
        let len = file.metadata().map_err(fail("opening"))?.len();
        let whole = whole_lines(&mut file, len).map_err(fail("reading"))?;
        if whole < len {
            file.set_len(whole).map_err(fail("cutting off half a line"))?;
        }
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends a line.
    ///
    /// # Panics
    /// When the line holds a line end.
    pub fn append(&mut self, line: &str) -> Result<()> {
        self.append_all(&[line])
    }

    /// Appends lines with one write.
    ///
    /// # Panics
    /// When a line holds a line end.
    pub fn append_all(&mut self, lines: &[&str]) -> Result<()> {
        let mut text = String::with_capacity(lines.iter().map(|l| l.len() + 1).sum());
        for line in lines {
            assert!(!line.contains('\n'), "one line at a time: {line:?}");
            text.push_str(line);
            text.push('\n');
        }
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|e| StoreError::io(&self.path, "writing", e))
    }

    /// Makes the lines so far durable: they survive a power cut from here on.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|e| StoreError::io(&self.path, "syncing", e))
    }

    /// The lines of a log, first to last; none if there is no such file. Half a line at the end, of a
    /// process that was killed or is still writing, is left out.
    pub fn lines(path: &Path) -> Result<LogLines> {
        let reader = match File::open(path) {
            Ok(file) => Some(BufReader::new(file)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(StoreError::io(path, "opening", e)),
        };
        Ok(LogLines { path: path.to_owned(), reader, number: 0 })
    }
}

/// Bytes up to and with the last line end among the first `len`.
fn whole_lines(file: &mut File, len: u64) -> io::Result<u64> {
    const PIECE: u64 = 4096;
    let mut end = len;
    while end > 0 {
        let start = end.saturating_sub(PIECE);
        let mut piece = vec![0; (end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut piece)?;
        if let Some(at) = piece.iter().rposition(|&b| b == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// The lines of a log; see [`Log::lines`].
#[derive(Debug)]
pub struct LogLines {
    path: PathBuf,
    reader: Option<BufReader<File>>,
    number: usize,
}

impl LogLines {
    /// Number of the line that came last, from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    fn read(&mut self) -> Result<Option<String>> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let mut bytes = Vec::new();
        let mut limited = reader.by_ref().take(MAX_LINE as u64);
        let read = limited.read_until(b'\n', &mut bytes);
        read.map_err(|e| StoreError::io(&self.path, "reading", e))?;
        if bytes.pop() != Some(b'\n') {
            return match bytes.len() + 1 {
                MAX_LINE => Err(self.malformed("a line is longer than 64 MiB")),
                _ => Ok(None),
            };
        }
        self.number += 1;
        String::from_utf8(bytes).map(Some).map_err(|_| self.malformed("not UTF-8"))
    }

    fn malformed(&self, what: &str) -> StoreError {
        StoreError::malformed(&self.path, At::File, format!("line {}: {what}", self.number))
    }
}

impl Iterator for LogLines {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.read().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.reader = None;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path) -> Vec<String> {
        Log::lines(path).unwrap().map(|l| l.unwrap()).collect()
    }

    #[test]
    fn half_a_line_is_not_read_and_cut_off_by_the_next_writer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        assert!(lines(&path).is_empty());
        let mut log = Log::open(&path).unwrap();
        log.append("one").unwrap();
        log.append_all(&["two", &"long".repeat(3000)]).unwrap();
        log.file.write_all(b"hal").unwrap();
        log.sync().unwrap();
        assert_eq!(lines(&path)[..2], ["one", "two"]);
        assert_eq!(lines(&path).len(), 3);
        drop(log);
        let mut log = Log::open(&path).unwrap();
        log.append("four").unwrap();
        assert_eq!(lines(&path)[3], "four");
        assert_eq!(lines(&path).len(), 4);
    }

    #[test]
    fn a_file_without_a_line_end_holds_no_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        crate::write_atomic(&path, &[b'x'; 10_000]).unwrap();
        assert!(lines(&path).is_empty());
        drop(Log::open(&path).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    }

    #[test]
    fn bytes_that_are_no_text_are_an_error_with_the_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        crate::write_atomic(&path, b"ok\n\xff\n").unwrap();
        let mut lines = Log::lines(&path).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "ok");
        let error = lines.next().unwrap().unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
        assert!(lines.next().is_none());
    }
}
