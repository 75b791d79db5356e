//! Two runs item by item: what was won and lost, and whether that means anything.

use std::{collections::HashMap, path::Path};

use psi_store::ContentHash;
use serde::{Deserialize, Serialize};

use crate::{
    run::{Result, RunError, RunFile, Sample, samples},
    stats::{Bootstrap, Mean, Paired, bootstrap, detectable},
};

/// Resamples of the bootstrap.
const RESAMPLES: usize = 2000;
/// Level of every interval.
const LEVEL: f64 = 0.95;
/// Flipped items of each task that are kept with their texts.
const FLIPS: usize = 200;

/// Two runs side by side.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// The first run: what was before, the incumbent.
    pub a: RunFile,
    /// The second: what came after, the candidate.
    pub b: RunFile,
    /// Tasks that both ran.
    pub tasks: Vec<TaskComparison>,
    /// Tasks that only one of them ran.
    pub only_one: Vec<String>,
}

/// One task of two runs, over the items that both answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskComparison {
    /// The task.
    pub name: String,
    /// Items that both answered, and those that only one did.
    pub n: usize,
    /// Answered in the first run only.
    pub only_a: usize,
    /// Answered in the second run only.
    pub only_b: usize,
    /// Mean score of each.
    pub mean: (f64, f64),
    /// Items right in the second and wrong in the first.
    pub wins: usize,
    /// Items wrong in the second and right in the first.
    pub losses: usize,
    /// Items whose answers differ in any way; 0 when a model is compared with itself.
    pub differing: usize,
    /// Independent groups of items.
    pub n_clusters: usize,
    /// Mean difference of the scores, second minus first.
    pub difference: f64,
    /// Its standard error, by clusters.
    pub se: f64,
    /// Its interval from that error.
    pub interval: (f64, f64),
    /// Its interval from resampled items, by clusters.
    pub bootstrap: (f64, f64),
    /// The interval of the difference in right answers that Tango's test gives; items taken as independent.
    pub tango: (f64, f64),
    /// p of the exact two-sided test of McNemar; items taken as independent.
    pub mcnemar: f64,
    /// The smallest true difference that this many items would show with power 80 %.
    pub detectable: f64,
    /// Items that changed sides, losses first.
    pub flips: Vec<Flip>,
}

/// An item that changed sides.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flip {
    /// The first run's sample.
    pub a: Sample,
    /// The second's.
    pub b: Sample,
}

impl TaskComparison {
    /// Whether the interval of the mean difference leaves out 0.
    pub fn is_clear(&self) -> bool {
        self.interval.0 > 0.0 || self.interval.1 < 0.0
    }
}

/// What is kept of the first run's samples.
struct Kept {
    score: f64,
    correct: bool,
    output: ContentHash,
}

/// Compares the runs of two folders.
///
/// # Errors
/// When a folder holds no run, a task is not the same in both, or they share no item.
pub fn compare(dir_a: &Path, dir_b: &Path) -> Result<Comparison> {
    let (a, b) = (RunFile::read(dir_a)?, RunFile::read(dir_b)?);
    let mut only_one = Vec::new();
    for task in &a.tasks {
        match b.tasks.iter().find(|t| t.name == task.name) {
            None => only_one.push(task.name.clone()),
            Some(other) if other.version != task.version => {
                let what = format!(
                    "{}: the runs used different versions of the task ({} and {})",
                    task.name,
                    task.version.short(),
                    other.version.short()
                );
                return Err(RunError::Empty { what });
            }
            Some(_) => {}
        }
    }
    only_one.extend(
        b.tasks.iter().map(|t| &t.name).filter(|n| a.tasks.iter().all(|t| t.name != **n)).cloned(),
    );
    let names = a.tasks.iter().map(|t| t.name.clone()).filter(|n| !only_one.contains(n));
    let mut sums: Vec<Sums> = names.map(Sums::new).collect();
    if sums.is_empty() {
        return Err(RunError::Empty { what: "the runs have no task in common".to_owned() });
    }
    pair_up(dir_a, dir_b, &mut sums)?;
    let flips = flips(dir_a, dir_b, &sums)?;
    let tasks = sums.into_iter().zip(flips).map(|(sums, flips)| sums.finish(flips)).collect();
    Ok(Comparison { a, b, tasks, only_one })
}

fn output_hash(sample: &Sample) -> ContentHash {
    let output = serde_json::to_string(&sample.output).unwrap_or_default();
    ContentHash::of_bytes(output.as_bytes())
}

/// Fills in the sums of every task.
fn pair_up(dir_a: &Path, dir_b: &Path, sums: &mut [Sums]) -> Result<()> {
    let mut first: HashMap<u128, Kept> = HashMap::new();
    let place = |sums: &[Sums], task: &str| sums.iter().position(|s| s.name == task);
    for sample in samples(dir_a)? {
        let sample = sample?;
        if let Some(i) = place(sums, &sample.task) {
            sums[i].only_a += 1;
            let Sample { score, correct, .. } = sample;
            first.insert(sample.key(), Kept { score, correct, output: output_hash(&sample) });
        }
    }
    for sample in samples(dir_b)? {
        let sample = sample?;
        let Some(i) = place(sums, &sample.task) else { continue };
        match first.remove(&sample.key()) {
            Some(kept) => sums[i].add(&kept, &sample),
            None => sums[i].only_b += 1,
        }
    }
    match sums.iter().find(|s| s.differences.is_empty()) {
        Some(empty) => {
            Err(RunError::Empty { what: format!("{}: the runs share no item", empty.name) })
        }
        None => Ok(()),
    }
}

/// The pairs of one task.
struct Sums {
    name: String,
    only_a: usize,
    only_b: usize,
    differences: Vec<f64>,
    clusters: Vec<u64>,
    cluster_ids: HashMap<String, u64>,
    means: (f64, f64),
    paired: Paired,
    differing: usize,
    lost: Vec<u128>,
    won: Vec<u128>,
}

impl Sums {
    fn new(name: String) -> Self {
        Self {
            name,
            only_a: 0,
            only_b: 0,
            differences: Vec::new(),
            clusters: Vec::new(),
            cluster_ids: HashMap::new(),
            means: (0.0, 0.0),
            paired: Paired::default(),
            differing: 0,
            lost: Vec::new(),
            won: Vec::new(),
        }
    }

    fn add(&mut self, a: &Kept, b: &Sample) {
        self.only_a -= 1;
        self.differences.push(b.score - a.score);
        let next = self.cluster_ids.len() as u64;
        self.clusters.push(*self.cluster_ids.entry(b.cluster().to_owned()).or_insert(next));
        self.means.0 += a.score;
        self.means.1 += b.score;
        self.paired.n += 1;
        self.differing += usize::from(a.output != output_hash(b));
        match (a.correct, b.correct) {
            (false, true) => {
                self.paired.wins += 1;
                self.won.push(b.key());
            }
            (true, false) => {
                self.paired.losses += 1;
                self.lost.push(b.key());
            }
            _ => {}
        }
    }

    /// The flipped items whose texts are kept.
    fn kept_flips(&self) -> impl Iterator<Item = u128> {
        self.lost.iter().take(FLIPS).chain(self.won.iter().take(FLIPS)).copied()
    }

    fn finish(self, flips: Vec<Flip>) -> TaskComparison {
        let n = self.paired.n;
        // A task that is one cluster (a paradigm) speaks for this cluster: its items are the sample.
        let is_clustered = self.cluster_ids.len() > 1 && self.cluster_ids.len() < n;
        let clusters = is_clustered.then_some(self.clusters.as_slice());
        let mean = match clusters {
            Some(clusters) => Mean::clustered(&self.differences, clusters),
            None => Mean::of(&self.differences),
        };
        let Bootstrap { low, high, .. } =
            bootstrap(&self.differences, clusters, RESAMPLES, LEVEL, 0);
        TaskComparison {
            name: self.name,
            n,
            only_a: self.only_a,
            only_b: self.only_b,
            mean: (self.means.0 / n as f64, self.means.1 / n as f64),
            wins: self.paired.wins,
            losses: self.paired.losses,
            differing: self.differing,
            n_clusters: mean.n_clusters,
            difference: mean.value,
            se: finite(mean.se),
            interval: clipped(mean.interval(LEVEL)),
            bootstrap: (low, high),
            tango: self.paired.tango_interval(LEVEL),
            mcnemar: self.paired.mcnemar(),
            // Where nothing differed, one item in as many might have.
            detectable: detectable(self.paired.discordance().max(1.0 / n as f64), n),
            flips,
        }
    }
}

/// JSON has no infinity; a difference of scores is never larger than 1.
fn finite(x: f64) -> f64 {
    if x.is_finite() { x } else { 1.0 }
}

fn clipped((low, high): (f64, f64)) -> (f64, f64) {
    (low.max(-1.0), high.min(1.0))
}

/// The samples of flipped items, in the order of the sums and their lists.
fn flips(dir_a: &Path, dir_b: &Path, sums: &[Sums]) -> Result<Vec<Vec<Flip>>> {
    let mut first: HashMap<u128, Option<Sample>> =
        sums.iter().flat_map(Sums::kept_flips).map(|key| (key, None)).collect();
    let mut second = first.clone();
    for (dir, found) in [(dir_a, &mut first), (dir_b, &mut second)] {
        for sample in samples(dir)? {
            let sample = sample?;
            if let Some(place) = found.get_mut(&sample.key()) {
                *place = Some(sample);
            }
        }
    }
    let mut take = |key: u128| {
        let (a, b) = (first.remove(&key)??, second.remove(&key)??);
        Some(Flip { a, b })
    };
    Ok(sums.iter().map(|s| s.kept_flips().filter_map(&mut take).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::{Scripted, hardest, run_in};

    #[test]
    fn a_model_against_itself_differs_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        run_in(&a, &[hardest()], &mut Scripted::right(0.6), 50).unwrap();
        run_in(&b, &[hardest()], &mut Scripted::right(0.6), 50).unwrap();
        let task = &compare(&a, &b).unwrap().tasks[0];
        assert_eq!((task.n, task.wins, task.losses, task.differing), (50, 0, 0, 0));
        assert_eq!((task.difference, task.mcnemar), (0.0, 1.0));
        assert!(!task.is_clear());
    }

    #[test]
    fn items_that_only_one_run_has_are_counted_apart() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        run_in(&a, &[hardest()], &mut Scripted::right(1.0), 30).unwrap();
        run_in(&b, &[hardest()], &mut Scripted::right(0.0), 20).unwrap();
        let task = &compare(&a, &b).unwrap().tasks[0];
        assert_eq!((task.n, task.only_a, task.only_b), (20, 10, 0));
        assert_eq!((task.losses, task.difference), (20, -1.0));
        assert!(task.is_clear() && task.mcnemar < 1e-5);
        assert_eq!(task.flips.len(), 20);
        let none = compare(&a, &dir.path().join("none")).unwrap_err();
        assert!(none.to_string().contains("run.json"), "{none}");
    }
}
