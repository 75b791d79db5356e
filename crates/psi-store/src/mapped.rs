//! The bytes of a file, mapped read-only or owned: the only unsafe code of this crate.
#![expect(unsafe_code, reason = "memory-mapping a file is unsafe: another process may change it")]

use std::fmt;
use std::fs::File;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

use crate::error::{Result, StoreError};

/// A regular file, mapped read-only: for formats that other crates define (token shards).
#[derive(Debug)]
pub struct MappedFile(Bytes);

impl MappedFile {
    /// Maps `path`.
    pub fn open(path: &Path) -> Result<Self> {
        Bytes::map(path).map(Self)
    }

    /// The whole file. Its content is not checked: read it as the file of a stranger.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A whole file as one slice.
///
/// psi replaces files by renaming a new one over them, which leaves a mapped file intact. Another
/// program that truncates a mapped file in place makes later reads fault (SIGBUS); that is the
/// price every mmap-based loader pays for not reading a checkpoint twice.
pub(crate) enum Bytes {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl Bytes {
    /// Maps `path`, which must be a regular file (a pipe or a device would block or never end).
    pub(crate) fn map(path: &Path) -> Result<Self> {
        let meta = std::fs::metadata(path).map_err(|e| StoreError::io(path, "opening", e))?;
        if !meta.is_file() {
            let what =
                if meta.is_dir() { "is a folder, not a file" } else { "is not a regular file" };
            return Err(StoreError::unsupported(path, what, "give the path of a file"));
        }
        let file = File::open(path).map_err(|e| StoreError::io(path, "opening", e))?;
        if meta.len() == 0 {
            return Ok(Self::Owned(Vec::new())); // an empty mapping is an error on Linux
        }
        // SAFETY: the mapping is private to this process and never written through. The slice it
        // gives is only ever read as plain bytes, every value of which is valid, so a concurrent
        // change by another process can produce wrong numbers but no invalid Rust value; all
        // lengths and offsets are checked once and stored here, not re-read from the mapping.
        let map = unsafe { Mmap::map(&file) }.map_err(|e| StoreError::io(path, "mapping", e))?;
        Ok(Self::Mapped(map))
    }

    /// Tells the system that the bytes from `start` will be read soon. Best effort.
    pub(crate) fn prefetch(&self, start: usize, len: usize) {
        #[cfg(unix)]
        if let Self::Mapped(map) = self {
            // A refused hint changes nothing but speed.
            let _ = map.advise_range(memmap2::Advice::WillNeed, start, len);
        }
        #[cfg(not(unix))]
        let _ = (start, len);
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(vec) => vec,
        }
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if matches!(self, Self::Mapped(_)) { "mapped" } else { "owned" };
        write!(f, "{} bytes, {kind}", self.len())
    }
}
