//! Training a tokenizer on a sample of the sources.

use std::borrow::Cow;
use std::sync::Arc;

use psi_tokenizer::{ChatTemplate, Tokenizer, TrainOptions, train_bpe};

use super::config::DataConfig;
use super::encode::{Content, Contents};
use super::error::{DataError, Result};
use super::files;
use super::read::{self, ReadOptions, Row};

/// Trains a byte-level BPE tokenizer on about `sample_mb` megabytes (10^6 bytes) of text, taken evenly
/// from each source: in the proportion of the weights if they are set, else of the sizes.
///
/// Conversations count as `template` renders them; the special tokens of `options` are kept apart. Rows
/// that cannot be used are passed over here: opening a [`Loader`](super::Loader) reports them.
///
/// # Errors
/// Files that cannot be read, sources without any text, options the trainer refuses.
pub fn train_tokenizer(
    config: &DataConfig,
    template: Option<&ChatTemplate>,
    options: &TrainOptions,
    sample_mb: u64,
) -> Result<Tokenizer> {
    config.check()?;
    let found = config.sources.iter().map(files::find).collect::<Result<Vec<_>>>()?;
    let sizes: Vec<u64> = found.iter().map(|f| files::size(&f.read)).collect();
    let weight = |i: usize| config.sources[i].weight.unwrap_or(sizes[i] as f64);
    let all: f64 = (0..sizes.len()).map(weight).sum();
    let mut sample = Vec::new();
    for (i, source) in config.sources.iter().enumerate() {
        let share = (sample_mb as f64 * 1e6 * weight(i) / all) as u64;
        let contents = Contents::new(source, template, config)?;
        let stride = Stride { take: share, of: sizes[i], ..Stride::default() };
        let options = ReadOptions {
            source,
            max_bytes: config.max_document_bytes(),
            progress: Arc::default(),
        };
        take(&found[i].read, &options, &contents, stride, &mut sample)?;
    }
    if sample.is_empty() {
        return Err(DataError::config("sources", "no text to train a tokenizer on")
            .with_hint("`psi data inspect` shows what the files hold"));
    }
    Ok(train_bpe(&mut sample.into_iter().map(Cow::Owned), options)?)
}

/// Takes a share of what passes, evenly.
#[derive(Clone, Copy, Debug, Default)]
struct Stride {
    /// Bytes to take ...
    take: u64,
    /// ... of about so many.
    of: u64,
    taken: u64,
    passed: u64,
}

impl Stride {
    /// Whether to take a piece of `n` bytes.
    fn takes(&mut self, n: u64) -> bool {
        let due = u128::from(self.passed) * u128::from(self.take) / u128::from(self.of.max(1));
        self.passed += n;
        let takes = self.take >= self.of || u128::from(self.taken) <= due;
        // Packed files hold more than their size says.
        let takes = takes && self.taken < self.take;
        self.taken += if takes { n } else { 0 };
        takes
    }
}

/// Adds the texts that `stride` takes.
fn take(
    found: &[files::DataFile],
    options: &ReadOptions<'_>,
    contents: &Contents<'_>,
    mut stride: Stride,
    sample: &mut Vec<String>,
) -> Result<()> {
    for file in found {
        for row in read::rows(file, options)? {
            let row: Row = row?;
            if !stride.takes(row.size() as u64) {
                continue;
            }
            match contents.of(row) {
                Ok(Content::Text(text)) => sample.push(text),
                Ok(Content::Chat { rendered, .. }) => {
                    sample.extend(rendered.into_iter().last().map(|r| r.text));
                }
                Err(_) => {} // the loader reports it
            }
        }
    }
    Ok(())
}
