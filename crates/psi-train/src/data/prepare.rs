//! A source's files to its token shard, made once and found again by the hash of what it depends on.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use psi_store::{ContentHash, Hasher};
use psi_tokenizer::{ChatTemplate, Tokenizer};

use super::config::{DataConfig, SourceConfig};
use super::encode::{Contents, Document, Encoder, TRAINED, end_token};
use super::error::{BadRow, DataError, Result};
use super::files::{self, DataFile};
use super::read::{self, ReadOptions, Row};
use super::shard::{Shard, ShardWriter, Summary};

/// What a loader works with besides its configuration.
#[derive(Clone, Copy)]
pub struct Resources<'a> {
    /// Makes the tokens.
    pub tokenizer: &'a Tokenizer,
    /// Renders conversations.
    pub template: Option<&'a ChatTemplate>,
    /// Folder for token shards; made if missing.
    pub cache: &'a Path,
    /// Threads that tokenise.
    pub n_threads: usize,
}

impl fmt::Debug for Resources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resources").field("cache", &self.cache).finish_non_exhaustive()
    }
}

/// How far the preparation of a source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The source.
    pub source: &'a str,
    /// Bytes of its files that are read.
    pub done: u64,
    /// Bytes of its files.
    pub total: u64,
}

/// A source ready to be read.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) shard: Shard,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) ignored: Vec<PathBuf>,
    /// Names the content: files, tokenizer, options.
    pub(crate) key: ContentHash,
    pub(crate) from_cache: bool,
}

/// Bad rows that are kept with their reasons; all are counted.
const SHOWN_BAD_ROWS: usize = 20;
/// Text that is read before the threads encode it.
const BATCH_BYTES: usize = 8 << 20;

/// Tokenises `source`, unless the cache has it.
pub(crate) fn prepare(
    source: &SourceConfig,
    config: &DataConfig,
    with: &Resources<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Prepared> {
    let found = files::find(source)?;
    let key = key(source, config, &found.read, with)?;
    fs::create_dir_all(with.cache).map_err(|e| DataError::io(with.cache, "creating", e))?;
    let path = with.cache.join(format!("{key}.tokens"));
    let vocab_size = with.tokenizer.vocab_size();
    let from_cache = path.exists();
    if !from_cache {
        let job = Job { source, config, files: &found.read, with };
        job.write(ShardWriter::create(&path, vocab_size)?, progress)?;
    }
    let shard = Shard::open(&path, vocab_size)?;
    let files: Vec<_> = found.read.into_iter().map(|f| f.path).collect();
    check_bad_rows(source, config, &shard.summary, &files)?;
    Ok(Prepared { shard, files, ignored: found.ignored, key, from_cache })
}

/// The hash of everything that decides the shard's content. Paths are not part of it.
fn key(
    source: &SourceConfig,
    config: &DataConfig,
    files: &[DataFile],
    with: &Resources<'_>,
) -> Result<ContentHash> {
    let mut hasher = Hasher::new();
    let mut add = |part: &str| {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    };
    add("psi token shard 1");
    add(&with.tokenizer.to_json());
    add(&format!("{:?} {:?}", with.tokenizer.prefix_ids(), with.tokenizer.special_tokens()));
    add(&end_token(config, with.tokenizer)?.to_string());
    add(with.template.map_or("", ChatTemplate::source));
    add(&serde_json::Value::Object(config.template_vars.clone()).to_string());
    add(&format!("{:?} {}", config.turns, config.max_document_mb));
    add(&format!("{:?} {:?} {}", source.column, source.split_at, source.keep_cr));
    for file in files {
        add(&format!("{:?} {:?} {}", file.format, file.compression, file.has_tabs()));
        add(&ContentHash::of_file(&file.path)?.to_string());
    }
    Ok(hasher.finish())
}

fn check_bad_rows(
    source: &SourceConfig,
    config: &DataConfig,
    summary: &Summary,
    files: &[PathBuf],
) -> Result<()> {
    if summary.bad_rows <= config.max_bad_rows {
        return Ok(());
    }
    Err(DataError::BadRows {
        name: source.name().to_owned(),
        count: summary.bad_rows,
        limit: config.max_bad_rows,
        rows: bad_rows(summary, files),
    })
}

/// The bad rows of a shard, in the files as they are called now.
pub(crate) fn bad_rows(summary: &Summary, files: &[PathBuf]) -> Vec<BadRow> {
    let named = |(file, row): &(u32, BadRow)| BadRow {
        file: files.get(*file as usize).unwrap_or(&row.file).clone(),
        ..row.clone()
    };
    summary.bad.iter().map(named).collect()
}

/// A source being tokenised.
struct Job<'a> {
    source: &'a SourceConfig,
    config: &'a DataConfig,
    files: &'a [DataFile],
    with: &'a Resources<'a>,
}

type Encoded = std::result::Result<Vec<Document>, String>;

/// Rows with their files.
#[derive(Default)]
struct Batch {
    rows: Vec<(u32, Row)>,
    bytes: usize,
}

impl Job<'_> {
    fn write(&self, mut shard: ShardWriter, progress: &mut dyn FnMut(Progress<'_>)) -> Result<()> {
        let done = Arc::new(AtomicU64::new(0));
        let total = files::size(self.files);
        let options = ReadOptions {
            source: self.source,
            max_bytes: self.config.max_document_bytes(),
            progress: Arc::clone(&done),
        };
        let mut summary = Summary::default();
        let mut batch = Batch::default();
        for (number, file) in (0_u32..).zip(self.files) {
            let mut empty = true;
            for row in read::rows(file, &options)? {
                let row = row?;
                empty = false;
                batch.bytes += row.size();
                batch.rows.push((number, row));
                if batch.bytes >= BATCH_BYTES {
                    self.flush(&mut batch, &mut shard, &mut summary)?;
                    let done = done.load(Ordering::Relaxed);
                    progress(Progress { source: self.source.name(), done, total });
                }
            }
            if empty {
                batch.rows.push((number, Row::bad(0, "the file holds no documents")));
            }
        }
        self.flush(&mut batch, &mut shard, &mut summary)?;
        shard.finish(&summary)
    }

    /// Encodes the rows of a batch and writes them in order.
    fn flush(
        &self,
        batch: &mut Batch,
        shard: &mut ShardWriter,
        summary: &mut Summary,
    ) -> Result<()> {
        let rows = std::mem::take(&mut batch.rows);
        batch.bytes = 0;
        let places: Vec<(u32, u64)> = rows.iter().map(|(file, row)| (*file, row.line)).collect();
        let encoded = self.encode(rows.into_iter().map(|(_, row)| row).collect())?;
        for ((file, line), documents) in places.into_iter().zip(encoded) {
            match documents {
                Ok(documents) => {
                    for document in documents {
                        summary.bytes += document.bytes;
                        summary.conversations += u64::from(document.is_chat);
                        let trained = document.tokens.iter().filter(|&t| t & TRAINED != 0).count();
                        summary.trained_tokens += trained as u64;
                        shard.push(&document, file, line)?;
                    }
                }
                Err(reason) => {
                    summary.bad_rows += 1;
                    if summary.bad.len() < SHOWN_BAD_ROWS {
                        let path = self.files[file as usize].path.clone();
                        summary.bad.push((file, BadRow { file: path, line, reason }));
                    }
                }
            }
        }
        let files: Vec<_> = self.files.iter().map(|f| f.path.clone()).collect();
        check_bad_rows(self.source, self.config, summary, &files)
    }

    fn encoder(&self) -> Result<Encoder<'_>> {
        let Resources { tokenizer, template, .. } = *self.with;
        let contents = Contents::new(self.source, template, self.config)?;
        Ok(Encoder { contents, tokenizer, end: end_token(self.config, tokenizer)? })
    }

    /// The documents of `rows`, in their order, made by several threads.
    fn encode(&self, rows: Vec<Row>) -> Result<Vec<Encoded>> {
        let rows: Vec<Mutex<Option<Row>>> = rows.into_iter().map(|r| Mutex::new(Some(r))).collect();
        let next = AtomicUsize::new(0);
        let work = || -> Result<Vec<(usize, Encoded)>> {
            let encoder = self.encoder()?;
            let mut made: Vec<(usize, Encoded)> = Vec::new();
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                let Some(slot) = rows.get(i) else { return Ok(made) };
                let row = slot.lock().ok().and_then(|mut row| row.take());
                made.extend(row.map(|row| (i, encoder.encode(row))));
            }
        };
        let mut made = std::thread::scope(|scope| -> Result<_> {
            let others: Vec<_> = (1..self.with.n_threads).map(|_| scope.spawn(work)).collect();
            let mut made = work()?;
            for other in others {
                match other.join() {
                    Ok(more) => made.extend(more?),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok(made)
        })?;
        made.sort_unstable_by_key(|(i, _)| *i);
        Ok(made.into_iter().map(|(_, documents)| documents).collect())
    }
}
