//! A task: items to put to a model, and the judge of what it answers.
//!
//! The same object serves evaluation and, through [`Task::score`], reinforcement learning as the reward.
//! Which of the two a task was opened for is its [`Split`]: procedural tasks draw training and evaluation
//! items from halves that share nothing, data tasks have a training file or refuse to be trained on.

mod error;
mod item;

use std::{fmt, sync::Arc};

use psi_store::{ContentHash, Hasher};
use serde::{Deserialize, Serialize};

use crate::{draws::Draws, split::Split};

pub use error::{Result, TaskError};
pub use item::{
    Choice, Generation, Item, LogLikelihood, Output, OutputKind, Prompt, Request, Shot, Span,
    Verdict,
};

/// The judge of a task.
pub trait Scorer: fmt::Debug + Send + Sync {
    /// Its name and the version of its rules, as in `gsm8k/1`; part of the task's version, so that scores
    /// made by other rules are never compared.
    fn version(&self) -> &'static str;

    /// Judges an answer.
    ///
    /// # Errors
    /// When the output is not of the kind that the item asks for, or the judging itself fails (no sandbox).
    /// A wrong answer is no error.
    fn score(&self, item: &Item, output: &Output) -> Result<Verdict>;

    /// The task's figures, the headline first: the share of right answers where a task has no others.
    fn metrics(&self, judged: &[(&Item, &Verdict)]) -> Vec<Metric> {
        vec![Metric::share("accuracy", judged.iter().map(|(_, v)| v.correct))]
    }
}

/// A figure of a task over judged items.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// What it is: `accuracy`, `bits_per_byte`.
    pub name: String,
    /// Its value; shares lie in 0..=1.
    pub value: f64,
    /// Of how many.
    pub n: usize,
}

impl Metric {
    /// A figure.
    pub fn new(name: impl Into<String>, value: f64, n: usize) -> Self {
        Self { name: name.into(), value, n }
    }

    /// The share of what is true; 0 of nothing.
    pub fn share(name: impl Into<String>, hits: impl Iterator<Item = bool>) -> Self {
        let (mut right, mut n) = (0_usize, 0_usize);
        hits.for_each(|hit| {
            right += usize::from(hit);
            n += 1;
        });
        Self::new(name, if n == 0 { 0.0 } else { right as f64 / n as f64 }, n)
    }

    /// The mean of some numbers; 0 of nothing.
    pub fn mean(name: impl Into<String>, values: impl Iterator<Item = f64>) -> Self {
        let (mut sum, mut n) = (0.0, 0_usize);
        values.for_each(|value| {
            sum += value;
            n += 1;
        });
        Self::new(name, if n == 0 { 0.0 } else { sum / n as f64 }, n)
    }
}

/// Makes items from a seed: a procedural task. Item `index` of a stream depends on (split, seed, index) only.
pub trait Generator: fmt::Debug + Send + Sync {
    /// Item `index` of the stream `seed`.
    fn item(&self, seed: u64, index: u64) -> Item;
}

/// Where a task's items come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A data set, in its publisher's order.
    Fixed(Vec<Item>),
    /// As many as wanted.
    Generated(Arc<dyn Generator>),
}

/// Items and their judge.
#[derive(Clone, Debug)]
pub struct Task {
    name: String,
    split: Split,
    output: OutputKind,
    baseline: f64,
    version: ContentHash,
    source: Source,
    scorer: Arc<dyn Scorer>,
}

/// How many items of a generator stand for it in the task's version.
const PROBED: u64 = 32;

impl Task {
    /// A task of a data set.
    pub fn fixed(name: &str, split: Split, items: Vec<Item>, scorer: Arc<dyn Scorer>) -> Self {
        Self::new(name, split, Source::Fixed(items), scorer)
    }

    /// A procedural task.
    pub(crate) fn generated(
        name: &str,
        split: Split,
        generator: Arc<dyn Generator>,
        scorer: Arc<dyn Scorer>,
    ) -> Self {
        Self::new(name, split, Source::Generated(generator), scorer)
    }

    fn new(name: &str, split: Split, source: Source, scorer: Arc<dyn Scorer>) -> Self {
        let mut hasher = Hasher::new();
        for part in [name, split.name(), scorer.version()] {
            hasher.update(part.as_bytes());
            hasher.update(&[0]);
        }
        let mut output = OutputKind::Generation;
        let mut add = |item: &Item| {
            hasher.update(item.hash.as_bytes());
            output = item.request.kind();
        };
        match &source {
            Source::Fixed(items) => items.iter().for_each(&mut add),
            Source::Generated(generator) => {
                (0..PROBED).for_each(|index| add(&generator.item(0, index)));
            }
        }
        let version = hasher.finish();
        Self { name: name.to_owned(), split, output, baseline: 0.0, version, source, scorer }
    }

    /// Sets what guessing reaches.
    #[must_use]
    pub fn with_baseline(mut self, baseline: f64) -> Self {
        self.baseline = baseline;
        self
    }

    /// Its name, as in `gsm8k` or `blimp/passive_1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its items may be used for.
    pub fn split(&self) -> Split {
        self.split
    }

    /// What its items ask for.
    pub fn output(&self) -> OutputKind {
        self.output
    }

    /// The accuracy that guessing reaches, for centred scores.
    pub fn baseline(&self) -> f64 {
        self.baseline
    }

    /// Hash of the name, the split, the judge's rules and every item (of a generator: its first items).
    /// Scores are comparable only where it is equal.
    pub fn version(&self) -> ContentHash {
        self.version
    }

    /// The judge.
    pub fn scorer(&self) -> &Arc<dyn Scorer> {
        &self.scorer
    }

    /// How many items it has; a procedural task has no end.
    pub fn n_items(&self) -> Option<usize> {
        match &self.source {
            Source::Fixed(items) => Some(items.len()),
            Source::Generated(_) => None,
        }
    }

    /// `n` items chosen by `seed`. Of a data set: without replacement and in the publisher's order, all of
    /// them when `n` is `None` or larger. Of a generator: the first `n` (100) of the stream `seed`.
    pub fn items(&self, n: Option<usize>, seed: u64) -> Vec<Item> {
        match &self.source {
            Source::Generated(generator) => {
                let n = n.unwrap_or(DEFAULT_GENERATED) as u64;
                (0..n).map(|index| generator.item(seed, index)).collect()
            }
            Source::Fixed(items) => match n {
                Some(n) if n < items.len() => {
                    let mut order: Vec<usize> = (0..items.len()).collect();
                    Draws::new(self.split, seed, 0).shuffle(&mut order);
                    order.truncate(n);
                    order.sort_unstable();
                    order.into_iter().map(|i| items[i].clone()).collect()
                }
                _ => items.clone(),
            },
        }
    }

    /// Item `index` of the stream `seed`: for training, which goes through a data set again and again.
    ///
    /// # Panics
    /// When the task has no items.
    pub fn item(&self, seed: u64, index: u64) -> Item {
        match &self.source {
            Source::Generated(generator) => generator.item(seed, index),
            Source::Fixed(items) => {
                let n = items.len() as u64;
                let mut order: Vec<usize> = (0..items.len()).collect();
                Draws::new(self.split, seed, index / n).shuffle(&mut order);
                items[order[(index % n) as usize]].clone()
            }
        }
    }

    /// Judges an answer to one of its items.
    ///
    /// # Errors
    /// See [`Scorer::score`].
    pub fn score(&self, item: &Item, output: &Output) -> Result<Verdict> {
        self.scorer.score(item, output)
    }

    /// The task's figures over judged items.
    pub fn metrics(&self, judged: &[(&Item, &Verdict)]) -> Vec<Metric> {
        self.scorer.metrics(judged)
    }
}

/// Items of a procedural task when nobody says how many.
const DEFAULT_GENERATED: usize = 100;
