//! The loader: rows for training, in an order that can be left and found again.

use std::collections::BTreeSet;

use psi_store::Hasher;
use psi_tokenizer::Tokenizer;
use serde::{Deserialize, Serialize};

use super::config::{DataConfig, Overlong, Packing, SourceConfig};
use super::error::{DataError, Result};
use super::mix::pick;
use super::prepare::{Progress, Resources, prepare};
use super::report::Report;
use super::rows::{Rows, best_fit};
use super::source::Source;
use super::validation::Validation;

/// Where a loader is; part of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Names the data and what decides their order.
    data: String,
    sources: Vec<SourcePosition>,
    /// By lane: the document being read, and where in it (stream).
    current: Vec<Option<(Drawn, usize)>>,
    /// The lane of the next row (stream).
    lane: usize,
    /// Documents drawn and not yet placed (whole).
    pending: Vec<Drawn>,
}

/// How far a source is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct SourcePosition {
    epoch: u64,
    /// Documents of the epoch that were drawn.
    next: u64,
    /// Tokens in all: read (stream), or of the documents drawn (whole).
    drawn: u64,
}

/// A document by the numbers of its source and within it; `[0, 17]` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Drawn(u32, u32);

/// Serves rows for training and validation.
#[derive(Debug)]
pub struct Loader {
    config: DataConfig,
    sources: Vec<Source>,
    validation: Vec<Source>,
    weights: Vec<f64>,
    /// Bytes of text by token.
    byte_lens: Vec<u16>,
    state: Position,
}

/// Documents from which a row is filled: enough that best fit leaves little empty.
const POOL: usize = 64;

/// Documents that a stream reads side by side, one row of each in turn: of books one after another every
/// batch would be of one book.
const LANES: usize = 16;

/// Fewest documents for each lane: one document must not stand beside itself.
const DOCUMENTS_PER_LANE: usize = 4;

impl Loader {
    /// Prepares the sources (or finds them in the cache) and starts at the beginning.
    ///
    /// # Errors
    /// Files that cannot be read, too many bad rows, documents too long for a row, a configuration
    /// that leaves nothing to train on.
    pub fn open(
        config: &DataConfig,
        with: &Resources<'_>,
        seed: u64,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Self> {
        let loader = Self::prepare(config, with, seed, progress)?;
        check_documents(config, &loader.sources)?;
        Ok(loader)
    }

    /// A loader whose sources may be empty.
    fn prepare(
        config: &DataConfig,
        with: &Resources<'_>,
        seed: u64,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Self> {
        config.check()?;
        let mut open = |list: &[SourceConfig], held_out: &BTreeSet<u64>, config: &DataConfig| {
            let one = |(i, source): (u64, &SourceConfig)| {
                let prepared = prepare(source, config, with, progress)?;
                let seed = seed.wrapping_add(i << 32);
                let source = Source::new(source, prepared, config, held_out, seed);
                source.check_lengths(config)?;
                Ok(source)
            };
            (0..).zip(list).map(one).collect::<Result<Vec<_>>>()
        };
        let all = DataConfig { validation_fraction: 0.0, ..config.clone() };
        let validation = open(&config.validation, &BTreeSet::new(), &all)?;
        let held_out = validation.iter().flat_map(Source::hashes).collect();
        let sources = open(&config.sources, &held_out, config)?;
        let weights = weights(config, &sources);
        let state = Position {
            data: fingerprint(config, &sources, seed),
            sources: vec![SourcePosition::default(); sources.len()],
            current: vec![None; lanes(config, &sources)],
            lane: 0,
            pending: Vec::new(),
        };
        let byte_lens = byte_lens(with.tokenizer);
        Ok(Self { config: config.clone(), sources, validation, weights, byte_lens, state })
    }

    /// The next micro-batch. Data never end: an epoch of a source follows the last one, in a new order.
    ///
    /// # Errors
    /// A damaged cache file.
    pub fn next_rows(&mut self) -> Result<Rows> {
        let mut rows = Rows::default();
        for _ in 0..self.config.batch_rows {
            match self.config.packing {
                Packing::Stream => self.stream_row(&mut rows)?,
                Packing::Whole => self.packed_row(&mut rows)?,
            }
        }
        self.count_bytes(&mut rows);
        Ok(rows)
    }

    /// Where the loader is: what [`seek`](Self::seek) needs to go on with the same rows.
    pub fn position(&self) -> Position {
        self.state.clone()
    }

    /// Goes to a position saved by a loader of the same data, configuration and seed.
    ///
    /// # Errors
    /// The position of another loader, or a damaged one.
    pub fn seek(&mut self, position: &Position) -> Result<()> {
        if position.data != self.state.data {
            return Err(DataError::Position(
                "files, tokenizer, options or seed have changed".into(),
            ));
        }
        let known = |d: &Drawn| {
            let source = self.sources.get(d.0 as usize);
            source.is_some_and(|s| (d.1 as usize) < s.n_documents())
        };
        let fits = position.sources.len() == self.sources.len()
            && position
                .sources
                .iter()
                .zip(&self.sources)
                .all(|(p, s)| p.next <= s.train.len() as u64)
            && position.pending.iter().all(known)
            && position.current.len() == self.state.current.len()
            && position.lane < position.current.len()
            && position
                .current
                .iter()
                .flatten()
                .all(|(d, at)| known(d) && *at < self.entry(*d).len());
        if !fits {
            return Err(DataError::Position("its numbers are out of range".into()));
        }
        self.state = position.clone();
        Ok(())
    }

    /// The validation rows, the same ones each time.
    pub fn validation(&self) -> Validation<'_> {
        let set_aside = self.sources.iter().map(|s| (s, &s.validation));
        let separate = self.validation.iter().map(|s| (s, &s.train));
        let documents = set_aside.chain(separate);
        let documents = documents.flat_map(|(s, list)| list.iter().map(move |&d| (s, d)));
        Validation::new(self, documents.collect())
    }

    /// What the sources hold.
    pub fn report(&self) -> Report {
        Report {
            sources: self.sources.iter().map(Source::report).collect(),
            validation: self.validation.iter().map(Source::report).collect(),
        }
    }

    /// How often each source has been read, in epochs.
    pub fn epochs(&self) -> Vec<f64> {
        let one = |(p, s): (&SourcePosition, &Source)| p.drawn as f64 / s.train_tokens as f64;
        self.state.sources.iter().zip(&self.sources).map(one).collect()
    }

    /// Tokens of one epoch of all sources.
    pub fn epoch_tokens(&self) -> u64 {
        self.sources.iter().map(|s| s.train_tokens).sum()
    }

    pub(crate) fn config(&self) -> &DataConfig {
        &self.config
    }

    /// Sets the bytes of text behind the targets.
    pub(crate) fn count_bytes(&self, rows: &mut Rows) {
        let len = |&t: &u32| self.byte_lens.get(t as usize).map_or(0, |&n| u64::from(n));
        rows.bytes = rows.targets.iter().map(len).sum();
    }

    fn entry(&self, d: Drawn) -> super::shard::Entry {
        self.sources[d.0 as usize].entry(d.1)
    }

    /// The source that is next: the one furthest behind its share.
    fn pick(&self) -> usize {
        let drawn: Vec<u64> = self.state.sources.iter().map(|s| s.drawn).collect();
        pick(&self.weights, &drawn)
    }

    /// Whether source `i` is at the end of an epoch.
    fn is_spent(&self, i: usize) -> bool {
        self.state.sources[i].next == self.sources[i].train.len() as u64
    }

    /// Draws the next document of source `i`.
    fn draw(&mut self, i: usize) -> Drawn {
        let spent = self.is_spent(i);
        let (source, at) = (&mut self.sources[i], &mut self.state.sources[i]);
        if spent {
            (at.epoch, at.next) = (at.epoch + 1, 0);
        }
        let document = source.document(at.epoch, at.next);
        at.next += 1;
        Drawn(i as u32, document)
    }

    /// Appends `seq_len` positions of the next lane's stream of documents.
    fn stream_row(&mut self, rows: &mut Rows) -> Result<()> {
        let need = self.config.seq_len + 1; // the last token is only a target
        let lane = self.state.lane;
        self.state.lane = (lane + 1) % self.state.current.len();
        let mut tokens = Vec::with_capacity(need);
        let mut ends = Vec::new();
        while tokens.len() < need {
            let (document, at) = match self.state.current[lane] {
                Some((d, at)) if at < self.entry(d).len() => (d, at),
                Some(_) | None => (self.draw(self.pick()), 0),
            };
            let all = self.entry(document).tokens;
            let n = (all.len() - at).min(need - tokens.len());
            let from = all.start + at;
            let source = document.0 as usize;
            self.sources[source].read(from..from + n, &mut tokens)?;
            self.state.sources[source].drawn += n as u64;
            self.state.current[lane] = Some((document, at + n));
            if at + n == all.len() {
                ends.push(tokens.len());
            }
        }
        if let Some((document, at)) = &mut self.state.current[lane] {
            *at -= 1; // the last target is the lane's next input
            self.state.sources[document.0 as usize].drawn -= 1;
        }
        rows.push_stream(&tokens, &ends, self.config.attend_across_documents);
        Ok(())
    }

    /// Fills a row with whole documents: the one that waits longest, then what fits best.
    fn packed_row(&mut self, rows: &mut Rows) -> Result<()> {
        while self.state.pending.len() < POOL {
            let i = self.pick();
            let waits = self.state.pending.iter().any(|d| d.0 as usize == i);
            if waits && self.is_spent(i) {
                break; // an epoch's documents are placed before those of the next
            }
            let drawn = self.draw(i);
            self.state.sources[i].drawn += self.entry(drawn).len() as u64;
            self.state.pending.push(drawn);
        }
        let lens: Vec<usize> =
            self.state.pending.iter().map(|&d| self.entry(d).len() - 1).collect();
        let chosen = best_fit(&lens, self.config.seq_len);
        for &i in &chosen {
            let Drawn(source, document) = self.state.pending[i];
            let source = &self.sources[source as usize];
            let mut tokens = Vec::new();
            source.read(source.entry(document).tokens, &mut tokens)?;
            rows.push_whole(&tokens);
        }
        let mut i = 0;
        self.state.pending.retain(|_| {
            i += 1;
            !chosen.contains(&(i - 1))
        });
        Ok(())
    }
}

/// What the sources hold, whatever it is, and the first rows if there are any: for looking at data
/// before training on them.
///
/// # Errors
/// Files that cannot be read.
pub fn inspect(
    config: &DataConfig,
    with: &Resources<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(Report, Option<Rows>)> {
    let lenient = DataConfig { max_bad_rows: u64::MAX, overlong: Overlong::Drop, ..config.clone() };
    let mut loader = Loader::prepare(&lenient, with, 0, progress)?;
    let any = loader.epoch_tokens() > 0;
    let rows = any.then(|| loader.next_rows()).transpose()?;
    Ok((loader.report(), rows))
}

/// Refuses sources that leave nothing to train on or nothing to evaluate.
fn check_documents(config: &DataConfig, sources: &[Source]) -> Result<()> {
    for (source, made) in config.sources.iter().zip(sources) {
        if made.train.is_empty() {
            let why = format!("{}: no documents to train on", source.name());
            return Err(DataError::config("sources", why)
                .with_hint("`psi data inspect` shows what the files hold"));
        }
    }
    if config.validation_fraction > 0.0 && sources.iter().all(|s| s.validation.is_empty()) {
        let n: usize = sources.iter().map(Source::n_documents).sum();
        let why = format!("{} puts none of {n} documents aside", config.validation_fraction);
        return Err(DataError::config("validation_fraction", why).with_hint(
            "name files of their own as data.validation, or cut text files with split_at",
        ));
    }
    Ok(())
}

/// The weights as configured, or such that all sources end their epochs together. An empty source has
/// none and is never picked.
fn weights(config: &DataConfig, sources: &[Source]) -> Vec<f64> {
    let one = |(c, s): (&SourceConfig, &Source)| c.weight.unwrap_or(s.train_tokens as f64);
    config.sources.iter().zip(sources).map(one).collect()
}

/// How many documents a stream reads side by side.
fn lanes(config: &DataConfig, sources: &[Source]) -> usize {
    let n_documents: usize = sources.iter().map(|s| s.train.len()).sum();
    match config.packing {
        Packing::Stream => (n_documents / DOCUMENTS_PER_LANE).clamp(1, LANES),
        Packing::Whole => 1,
    }
}

/// Names everything that decides the rows after a position.
fn fingerprint(config: &DataConfig, sources: &[Source], seed: u64) -> String {
    let mut hasher = Hasher::new();
    let keys: Vec<String> = sources.iter().map(Source::key).collect();
    let counts: Vec<u64> = sources.iter().map(|s| s.train_tokens).collect();
    let weights: Vec<Option<f64>> = config.sources.iter().map(|s| s.weight).collect();
    let DataConfig { seq_len, batch_rows, packing, attend_across_documents, .. } = config;
    let parts =
        (keys, counts, weights, seq_len, batch_rows, packing, attend_across_documents, seed, LANES);
    hasher.update(format!("{parts:?}").as_bytes());
    hasher.finish().short()
}

/// Bytes of text behind each token.
fn byte_lens(tokenizer: &Tokenizer) -> Vec<u16> {
    let len = |id: u32| {
        let n = if tokenizer.is_special(id) { 0 } else { tokenizer.token_bytes(id).len() };
        u16::try_from(n).unwrap_or(u16::MAX)
    };
    (0..tokenizer.vocab_size() as u32).map(len).collect()
}
