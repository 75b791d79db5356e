//! A prepared source with its documents divided into training and validation.

use std::collections::BTreeSet;

use super::config::{DataConfig, Overlong, Packing, SourceConfig};
use super::error::{DataError, Result};
use super::mix::shuffled;
use super::prepare::{Prepared, bad_rows};
use super::report::SourceReport;
use super::shard::Entry;

/// What a source contributes.
#[derive(Debug)]
pub(crate) struct Source {
    name: String,
    prepared: Prepared,
    /// Documents to train on, in the order of the files.
    pub(crate) train: Vec<u32>,
    /// Documents set aside.
    pub(crate) validation: Vec<u32>,
    /// Documents left out of training because they are evaluated elsewhere.
    held_out: u64,
    /// Documents longer than a row.
    overlong: Vec<u32>,
    longest: usize,
    /// Tokens of `train`.
    pub(crate) train_tokens: u64,
    /// The order of `epoch`.
    order: Vec<u32>,
    epoch: Option<u64>,
    seed: u64,
}

impl Source {
    /// Divides the documents of `prepared`. Those whose hash is in `held_out` are not trained on.
    pub(crate) fn new(
        source: &SourceConfig,
        prepared: Prepared,
        config: &DataConfig,
        held_out: &BTreeSet<u64>,
        seed: u64,
    ) -> Self {
        let name = source.name().to_owned();
        let mut made = Self {
            name,
            prepared,
            train: Vec::new(),
            validation: Vec::new(),
            held_out: 0,
            overlong: Vec::new(),
            longest: 0,
            train_tokens: 0,
            order: Vec::new(),
            epoch: None,
            seed,
        };
        // 2^64 is not representable, but the conversion saturates: a fraction of 1 takes everything.
        let threshold = (config.validation_fraction * 2_f64.powi(64)) as u64;
        for i in 0..made.prepared.shard.len() {
            let entry = made.prepared.shard.entry(i);
            let n = entry.len();
            made.longest = made.longest.max(n);
            // The last token is only a target, so one more than a row's tokens fit.
            if config.packing == Packing::Whole && n > config.seq_len + 1 {
                made.overlong.push(i as u32);
            } else if held_out.contains(&entry.hash) {
                made.held_out += 1;
            } else if entry.hash < threshold {
                made.validation.push(i as u32);
            } else {
                made.train.push(i as u32);
                made.train_tokens += n as u64;
            }
        }
        made
    }

    /// Refuses documents that are longer than a row, if the configuration says so.
    pub(crate) fn check_lengths(&self, config: &DataConfig) -> Result<()> {
        let Some(&first) = self.overlong.first().filter(|_| config.overlong == Overlong::Refuse)
        else {
            return Ok(());
        };
        let entry = self.entry(first);
        let file = &self.prepared.files[entry.file as usize];
        let why = format!(
            "{}: {} of {} documents are longer than data.seq_len, the first at {}:{} with {} tokens, \
             the longest with {}",
            self.name,
            self.overlong.len(),
            self.prepared.shard.len(),
            file.display(),
            entry.line,
            entry.len(),
            self.longest
        );
        Err(DataError::config("overlong", why)
            .with_hint("raise data.seq_len, or set data.overlong = \"drop\" to leave them out"))
    }

    pub(crate) fn entry(&self, document: u32) -> Entry {
        self.prepared.shard.entry(document as usize)
    }

    /// Appends tokens of the shard to `out`.
    pub(crate) fn read(&self, tokens: std::ops::Range<usize>, out: &mut Vec<u32>) -> Result<()> {
        self.prepared.shard.read(tokens, out)
    }

    /// Number of documents, trained on or not.
    pub(crate) fn n_documents(&self) -> usize {
        self.prepared.shard.len()
    }

    /// Document number `at` of `epoch`.
    pub(crate) fn document(&mut self, epoch: u64, at: u64) -> u32 {
        if self.epoch != Some(epoch) {
            self.order = shuffled(&self.train, self.seed, epoch);
            self.epoch = Some(epoch);
        }
        self.order[at as usize]
    }

    /// Names the content of the source.
    pub(crate) fn key(&self) -> String {
        self.prepared.key.to_string()
    }

    /// The hashes of all documents.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = u64> {
        (0..self.prepared.shard.len()).map(|i| self.prepared.shard.entry(i).hash)
    }

    pub(crate) fn report(&self) -> SourceReport {
        let Prepared { shard, files, ignored, from_cache, .. } = &self.prepared;
        let summary = &shard.summary;
        SourceReport {
            name: self.name.clone(),
            files: files.len(),
            ignored: ignored.clone(),
            documents: shard.len() as u64,
            conversations: summary.conversations,
            tokens: shard.n_tokens,
            trained_tokens: summary.trained_tokens,
            bytes: summary.bytes,
            longest: self.longest as u64,
            train_documents: self.train.len() as u64,
            train_tokens: self.train_tokens,
            validation_documents: self.validation.len() as u64,
            held_out: self.held_out,
            overlong: self.overlong.len() as u64,
            bad_rows: summary.bad_rows,
            bad: bad_rows(summary, files),
            from_cache: *from_cache,
        }
    }
}
