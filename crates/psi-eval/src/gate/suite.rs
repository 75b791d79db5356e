//! One suite at the gate: its items in an order fixed beforehand, and the test that runs along.

use std::collections::HashMap;

use psi_infer::rng;
use psi_store::{ContentHash, Hasher};

use super::{Evidence, Role, Rule, Test};
use crate::{
    split::Split,
    stats::{Bets, Mean, Paired, Rates, Verdict, normal_quantile},
    task::{Item, Task},
    tasks::{Library, TaskOptions},
};

/// Items that stand or fall together: a cluster of a task, mostly a single item.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    /// Which of the suite's tasks.
    pub(super) task: usize,
    pub(super) items: Vec<Item>,
}

/// A suite that is being decided.
#[derive(Debug)]
pub(super) struct Suite {
    pub(super) rule: Rule,
    pub(super) tasks: Vec<Task>,
    pub(super) units: Vec<Unit>,
    seed: u64,
    bets: Bets,
    rates: Rates,
    differences: Vec<f64>,
    sums: (f64, f64),
    counts: Paired,
    items: Hasher,
    tango: Option<f64>,
    trace: Vec<(usize, f64, f64)>,
    verdict: Verdict,
}

impl Suite {
    /// Opens the tasks and fixes the items: of data sets a random choice, of generators new ones of the
    /// stream `seed`, pooled and in random order.
    pub(super) fn open(
        rule: &Rule,
        library: &Library,
        seed: u64,
        (alpha, beta): (f64, f64),
    ) -> crate::task::Result<Self> {
        let options = TaskOptions { shots: rule.shots, level: rule.level };
        let mut tasks = Vec::new();
        for name in &rule.tasks {
            for name in library.expand(name)? {
                tasks.push(library.open(&name, Split::Eval, options)?);
            }
        }
        let mut units = Vec::new();
        let each = rule.n.div_ceil(tasks.len());
        for (i, task) in tasks.iter().enumerate() {
            // A data set gives all it has, so that the choice is one over the whole pool.
            let n = if task.n_items().is_some() { None } else { Some(each) };
            units.extend(clusters(i, task.items(n, seed)));
        }
        shuffle(&mut units, seed);
        units.truncate(rule.n);
        let margin = if rule.role == Role::NotWorse { rule.margin } else { 0.0 };
        let rates = Rates { alpha, beta, margin };
        Ok(Self {
            rule: rule.clone(),
            tasks,
            units,
            seed,
            bets: Bets::new(rates),
            rates,
            differences: Vec::new(),
            sums: (0.0, 0.0),
            counts: Paired::default(),
            items: Hasher::new(),
            tango: None,
            trace: Vec::new(),
            verdict: Verdict::Hold,
        })
    }

    /// Whether more items could change anything.
    pub(super) fn is_open(&self) -> bool {
        self.differences.len() < self.units.len()
            && match (self.rule.role, self.rule.test) {
                (Role::Shown, _) | (_, Test::Tango) => true,
                (_, Test::Betting) => self.bets.stopped().is_none(),
            }
    }

    /// The units of the next batch.
    pub(super) fn next(&self, batch: usize) -> std::ops::Range<usize> {
        let from = self.differences.len();
        from..(from + batch).min(self.units.len())
    }

    /// Takes the scores of the next unit's items, incumbent and candidate.
    pub(super) fn push(&mut self, scores: &[(f64, f64)]) {
        let unit = &self.units[self.differences.len()];
        for item in &unit.items {
            self.items.update(item.hash.as_bytes());
        }
        let n = scores.len().max(1) as f64;
        let (incumbent, candidate) =
            scores.iter().fold((0.0, 0.0), |sum, s| (sum.0 + s.0 / n, sum.1 + s.1 / n));
        let difference = (candidate - incumbent).clamp(-1.0, 1.0);
        self.sums = (self.sums.0 + incumbent, self.sums.1 + candidate);
        self.differences.push(difference);
        self.counts.n += 1;
        self.counts.wins += usize::from(difference > 0.0);
        self.counts.losses += usize::from(difference < 0.0);
        if self.bets.stopped().is_none() {
            self.bets.push(difference);
        }
        self.decide();
    }

    fn decide(&mut self) {
        self.verdict = match self.rule.test {
            Test::Betting => self.bets.verdict(),
            Test::Tango if self.differences.len() < self.units.len() => Verdict::Hold,
            Test::Tango => {
                let statistic = self.counts.tango(self.rates.margin);
                self.tango = Some(statistic);
                if self.counts.mcnemar_worse() <= self.rates.beta {
                    Verdict::Block
                } else if statistic >= normal_quantile(1.0 - self.rates.alpha) {
                    Verdict::Promote
                } else {
                    Verdict::Hold
                }
            }
        };
    }

    /// Notes where the money stands.
    pub(super) fn note(&mut self) {
        let digits = |x: f64| (x.log10() * 1e4).round() / 1e4;
        let (k, l) = (digits(self.bets.evidence_for()), digits(self.bets.evidence_against()));
        self.trace.push((self.differences.len(), k, l));
    }

    pub(super) fn verdict(&self) -> Verdict {
        self.verdict
    }

    pub(super) fn n_done(&self) -> usize {
        self.differences.len()
    }

    pub(super) fn evidence(&self) -> Evidence {
        let n = self.differences.len();
        let share = 1.0 / n.max(1) as f64;
        let (low, high) = Mean::of(&self.differences).interval(0.95);
        Evidence {
            suite: self.rule.name.clone(),
            role: self.rule.role,
            test: self.rule.test,
            margin: self.rates.margin,
            tasks: self.tasks.iter().map(|t| (t.name().to_owned(), t.version())).collect(),
            seed: self.seed,
            items: self.items.clone().finish(),
            n_max: self.units.len(),
            n,
            stopped_at: self
                .bets
                .stopped()
                .map(|(at, _)| at)
                .filter(|_| self.rule.test == Test::Betting),
            wins: self.counts.wins,
            losses: self.counts.losses,
            means: (self.sums.0 * share, self.sums.1 * share),
            interval: (low.max(-1.0), high.min(1.0)),
            evidence_for: self.bets.evidence_for(),
            evidence_against: self.bets.evidence_against(),
            tango: self.tango,
            trace: self.trace.clone(),
            verdict: self.verdict,
        }
    }
}

/// Items by cluster, in the order in which clusters first occur.
fn clusters(task: usize, items: Vec<Item>) -> Vec<Unit> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut units: Vec<Unit> = Vec::new();
    for item in items {
        let place = *places.entry(item.cluster.clone()).or_insert(units.len());
        if place == units.len() {
            units.push(Unit { task, items: Vec::new() });
        }
        units[place].items.push(item);
    }
    units
}

/// A random order that depends on the seed and the units alone.
fn shuffle(units: &mut [Unit], seed: u64) {
    for i in (1..units.len()).rev() {
        let j = (rng::uniform(rng::mix(seed), i as u64) * (i + 1) as f64) as usize;
        units.swap(i, j.min(i));
    }
}

/// A seed for one gate and suite: nobody knew it before the candidate was there.
pub(super) fn seed_of(candidate: ContentHash, number: u64, suite: &str) -> u64 {
    let named = ContentHash::of_bytes(format!("{candidate}\0{number}\0{suite}").as_bytes());
    let [first, ..] = named.as_bytes().as_chunks::<8>().0 else { return 0 };
    // JSON numbers are exact up to 2^53.
    u64::from_le_bytes(*first) >> 11
}
