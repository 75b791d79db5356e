//! A file as a stream of bytes: decompressed, counted, cut into lines of bounded length.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::error::{DataError, Result};
use super::super::files::{Compression, DataFile};

/// A file being read.
pub(super) struct Input {
    pub(super) path: PathBuf,
    stream: Box<dyn BufRead>,
    /// Lines begun so far: the number of the current one, from 1.
    pub(super) line: u64,
}

/// What [`Input::next_line`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line without its end, in the caller's buffer.
    Whole,
    /// A line that is longer than allowed, skipped.
    TooLong,
    End,
}

/// Counts what passes through.
struct Counted {
    file: File,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

const BUFFER: usize = 1 << 18;

impl Input {
    pub(super) fn open(file: &DataFile, progress: &Arc<AtomicU64>) -> Result<Self> {
        let path = &file.path;
        let disk = File::open(path).map_err(|e| DataError::io(path, "opening", e))?;
        let disk = Counted { file: disk, bytes: Arc::clone(progress) };
        let unpacked: Box<dyn Read> = match file.compression {
            Compression::Plain => Box::new(disk),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(
                BufReader::with_capacity(BUFFER, disk),
            )),
            Compression::Zstd => {
                let decoder = zstd::stream::read::Decoder::new(disk);
                Box::new(decoder.map_err(|e| DataError::io(path, "opening", e))?)
            }
        };
        let stream = Box::new(BufReader::with_capacity(BUFFER, unpacked));
        Ok(Self { path: path.clone(), stream, line: 0 })
    }

    /// The stream itself, for readers that find rows in another way.
    pub(super) fn into_stream(self) -> (PathBuf, Box<dyn BufRead>) {
        (self.path, self.stream)
    }

    /// Reads everything up to `max` bytes; `None` if there is more.
    pub(super) fn read_all(&mut self, max: usize) -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        let mut limited = (&mut self.stream).take(max as u64 + 1);
        limited.read_to_end(&mut bytes).map_err(|e| broken(&self.path, e))?;
        Ok((bytes.len() <= max).then_some(bytes))
    }

    /// Reads the next line of at most `max` bytes into `line`, without its end.
    pub(super) fn next_line(&mut self, max: usize, line: &mut Vec<u8>) -> Result<Line> {
        line.clear();
        self.line += 1;
        let (mut begun, mut too_long) = (false, false);
        loop {
            let buffer = match self.stream.fill_buf() {
                Ok(buffer) => buffer,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(broken(&self.path, e)),
            };
            if buffer.is_empty() && !begun {
                return Ok(Line::End);
            }
            begun = true;
            let end = memchr::memchr(b'\n', buffer);
            let piece = &buffer[..end.unwrap_or(buffer.len())];
            too_long |= line.len() + piece.len() > max;
            if !too_long {
                line.extend_from_slice(piece);
            }
            let used = piece.len() + usize::from(end.is_some());
            let last = end.is_some() || buffer.is_empty();
            self.stream.consume(used);
            if last {
                return Ok(if too_long { Line::TooLong } else { Line::Whole });
            }
        }
    }
}

/// The error of a stream that breaks off: a disk's or a decompressor's.
pub(super) fn broken(path: &Path, error: io::Error) -> DataError {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            DataError::file(path, "the compressed data are damaged").because(error)
        }
        _ => DataError::io(path, "reading", error),
    }
}
