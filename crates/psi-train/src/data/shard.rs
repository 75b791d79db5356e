//! The token shard: tokenised documents in one memory-mapped file.
//!
//! ```text
//! magic "psitoks1", then u64 little-endian: width, documents, tokens, bytes of the summary
//! tokens     `width` bytes each (2 while ids fit 15 bits, else 4); top bit: a loss falls on it
//! padding    to 8 bytes
//! documents  u64 end of its tokens, u64 content hash, u32 file, u32 line
//! summary    JSON: what preparing the source found
//! ```

use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use psi_store::{AtomicFile, MappedFile};
use serde::{Deserialize, Serialize};

use super::encode::{Document, TRAINED};
use super::error::{BadRow, DataError, Result};

const MAGIC: &[u8; 8] = b"psitoks1";
const HEADER: usize = 40;
const ENTRY: usize = 24;

/// What preparing a source found, kept with its tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) conversations: u64,
    /// Tokens that a loss falls on.
    pub(crate) trained_tokens: u64,
    /// Bytes of text.
    pub(crate) bytes: u64,
    /// Rows that could not be used.
    pub(crate) bad_rows: u64,
    /// The first of them, with the number of their file.
    pub(crate) bad: Vec<(u32, BadRow)>,
}

/// A shard being written.
#[derive(Debug)]
pub(crate) struct ShardWriter {
    file: std::io::BufWriter<AtomicFile>,
    path: PathBuf,
    width: usize,
    n_tokens: u64,
    entries: Vec<u8>,
}

impl ShardWriter {
    /// Starts the file `path` for ids below `vocab_size`.
    pub(crate) fn create(path: &Path, vocab_size: usize) -> Result<Self> {
        let mut file = std::io::BufWriter::with_capacity(1 << 20, AtomicFile::create(path)?);
        file.write_all(&[0; HEADER]).map_err(|e| DataError::io(path, "writing", e))?;
        let width = if vocab_size <= 1 << 15 { 2 } else { 4 };
        Ok(Self { file, path: path.to_owned(), width, n_tokens: 0, entries: Vec::new() })
    }

    /// Adds a document that came from `line` of file number `file`.
    pub(crate) fn push(&mut self, document: &Document, file: u32, line: u64) -> Result<()> {
        let mut bytes = Vec::with_capacity(document.tokens.len() * self.width);
        for &token in &document.tokens {
            if self.width == 2 {
                let narrow = (token & 0x7fff) as u16 | ((token >> 16) as u16 & 0x8000);
                bytes.extend_from_slice(&narrow.to_le_bytes());
            } else {
                bytes.extend_from_slice(&token.to_le_bytes());
            }
        }
        self.file.write_all(&bytes).map_err(|e| DataError::io(&self.path, "writing", e))?;
        self.n_tokens += document.tokens.len() as u64;
        self.entries.extend_from_slice(&self.n_tokens.to_le_bytes());
        self.entries.extend_from_slice(&document.hash.to_le_bytes());
        self.entries.extend_from_slice(&file.to_le_bytes());
        self.entries.extend_from_slice(&u32::try_from(line).unwrap_or(u32::MAX).to_le_bytes());
        Ok(())
    }

    /// Writes the rest and gives the file its name.
    pub(crate) fn finish(mut self, summary: &Summary) -> Result<()> {
        let fail = |e| DataError::io(&self.path, "writing", e);
        let padding = (self.n_tokens as usize * self.width).next_multiple_of(8)
            - self.n_tokens as usize * self.width;
        self.file.write_all(&vec![0; padding]).map_err(fail)?;
        self.file.write_all(&self.entries).map_err(fail)?;
        let summary = serde_json::to_vec(summary).map_err(|e| fail(e.into()))?;
        self.file.write_all(&summary).map_err(fail)?;
        let n_documents = (self.entries.len() / ENTRY) as u64;
        let mut header = MAGIC.to_vec();
        for n in [self.width as u64, n_documents, self.n_tokens, summary.len() as u64] {
            header.extend_from_slice(&n.to_le_bytes());
        }
        self.file.seek(SeekFrom::Start(0)).map_err(fail)?;
        self.file.write_all(&header).map_err(fail)?;
        let file = self
            .file
            .into_inner()
            .map_err(|e| DataError::io(&self.path, "writing", e.into_error()))?;
        Ok(file.commit()?)
    }
}

/// A mapped shard.
#[derive(Debug)]
pub(crate) struct Shard {
    path: PathBuf,
    map: MappedFile,
    width: usize,
    n_documents: usize,
    entries_at: usize,
    vocab_size: usize,
    pub(crate) n_tokens: u64,
    pub(crate) summary: Summary,
}

/// A document's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its tokens in the shard.
    pub(crate) tokens: Range<usize>,
    pub(crate) hash: u64,
    pub(crate) file: u32,
    pub(crate) line: u32,
}

impl Entry {
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }
}

impl Shard {
    /// Maps `path` and checks its structure.
    pub(crate) fn open(path: &Path, vocab_size: usize) -> Result<Self> {
        let map = MappedFile::open(path)?;
        let layout = layout(map.bytes()).ok_or_else(|| damaged(path))?;
        let Layout { width, n_documents, n_tokens, entries_at, summary } = layout;
        let summary = serde_json::from_slice(summary).map_err(|e| damaged(path).because(e))?;
        let path = path.to_owned();
        let shard =
            Self { path, map, width, n_documents, entries_at, vocab_size, n_tokens, summary };
        let ends_well =
            shard.n_documents == 0 || shard.end_of(n_documents - 1) == n_tokens as usize;
        let ordered = (1..n_documents).all(|i| shard.end_of(i - 1) < shard.end_of(i));
        if ends_well && ordered { Ok(shard) } else { Err(damaged(&shard.path)) }
    }

    pub(crate) fn len(&self) -> usize {
        self.n_documents
    }

    fn end_of(&self, i: usize) -> usize {
        u64_at(self.map.bytes(), self.entries_at + i * ENTRY) as usize
    }

    /// The entry of document `i`.
    pub(crate) fn entry(&self, i: usize) -> Entry {
        let at = self.entries_at + i * ENTRY;
        let bytes = self.map.bytes();
        let places = u64_at(bytes, at + 16);
        Entry {
            tokens: if i == 0 { 0 } else { self.end_of(i - 1) }..self.end_of(i),
            hash: u64_at(bytes, at + 8),
            file: places as u32,
            line: (places >> 32) as u32,
        }
    }

    /// Appends the tokens of `range` to `out`, with [`TRAINED`] where a loss falls on them.
    pub(crate) fn read(&self, range: Range<usize>, out: &mut Vec<u32>) -> Result<()> {
        let bytes =
            &self.map.bytes()[HEADER + range.start * self.width..HEADER + range.end * self.width];
        let from = out.len();
        if self.width == 2 {
            let (pairs, _) = bytes.as_chunks::<2>();
            out.extend(pairs.iter().map(|&b| widen(u16::from_le_bytes(b))));
        } else {
            let (quads, _) = bytes.as_chunks::<4>();
            out.extend(quads.iter().map(|&b| u32::from_le_bytes(b)));
        }
        let unknown = out[from..].iter().any(|&t| (t & !TRAINED) as usize >= self.vocab_size);
        if unknown { Err(damaged(&self.path)) } else { Ok(()) }
    }
}

fn widen(narrow: u16) -> u32 {
    u32::from(narrow & 0x7fff) | if narrow & 0x8000 == 0 { 0 } else { TRAINED }
}

struct Layout<'a> {
    width: usize,
    n_documents: usize,
    n_tokens: u64,
    entries_at: usize,
    summary: &'a [u8],
}

/// The parts of a shard, if it has exactly the length that they need.
fn layout(bytes: &[u8]) -> Option<Layout<'_>> {
    let header = bytes.get(..HEADER)?.strip_prefix(MAGIC)?;
    let number = |i: usize| usize::try_from(u64_at(header, i * 8)).ok();
    let (width, n_documents) = (number(0)?, number(1)?);
    let (n_tokens, n_summary) = (number(2)?, number(3)?);
    if width != 2 && width != 4 {
        return None;
    }
    let tokens = n_tokens.checked_mul(width)?.checked_next_multiple_of(8)?;
    let entries_at = HEADER.checked_add(tokens)?;
    let summary_at = entries_at.checked_add(n_documents.checked_mul(ENTRY)?)?;
    let summary = bytes.get(summary_at..)?;
    let fits = summary.len() == n_summary && (n_documents > 0) == (n_tokens > 0);
    let n_tokens = n_tokens as u64;
    fits.then_some(Layout { width, n_documents, n_tokens, entries_at, summary })
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
}

fn damaged(path: &Path) -> DataError {
    DataError::file(path, "the cached tokens are damaged").with_hint("delete the file")
}
