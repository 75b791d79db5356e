//! Runs: tasks put to a player, every answer judged and kept at once, so that a run killed at any moment
//! goes on where it was.
//!
//! ```text
//! DIR/run.json        what the run is and, at its end, what came out
//! DIR/samples.jsonl   one judged answer per line, as they come
//! ```

#[cfg(test)]
mod agreement;
mod cache;
mod error;
mod folder;
mod generation;
mod likelihood;
mod local;
mod player;
mod remote;
mod sample;
mod tally;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    collections::HashMap,
    path::Path,
    time::{Duration, Instant},
};

use psi_store::ContentHash;

pub use cache::Cache;
pub use error::{Result, RunError};
pub use folder::{RunFile, Samples, Summary, TaskRun, samples};
pub use local::{Local, LocalParts};
pub use player::{Identity, Overlong, PlayError, Played, Player, Settings, Sink};
pub use remote::{Remote, RemoteParts};
pub use sample::Sample;

use crate::task::{Item, Metric, OutputKind, Task, Verdict};
use folder::Folder;
use tally::Tally;

/// Answers are made durable this often.
const SYNC: Duration = Duration::from_secs(1);
/// Most items whose figures beside the mean score are computed: beyond it memory would grow with the run.
const MAX_JUDGED: usize = 50_000;
/// Overlong items that are named.
const NAMED: usize = 10;

/// What to do with items that do not fit the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnOverlong {
    /// Name them and stop, before anything is computed.
    #[default]
    Stop,
    /// Count them as wrong.
    Wrong,
}

/// How to run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Items of each task (`None`: all of a data set, 100 of a generator).
    pub n: Option<usize>,
    /// Seed that chooses or generates them.
    pub seed: u64,
    /// Items that do not fit.
    pub overlong: OnOverlong,
    /// Go on with the run in the folder.
    pub resume: bool,
    /// How answers are made.
    pub settings: Settings,
    /// Seconds since 1970.
    pub now: u64,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Items answered, with those of earlier sittings.
    pub done: usize,
    /// Items of the run.
    pub total: usize,
}

/// Puts every item of the tasks to the player and returns the finished `run.json`.
///
/// # Errors
/// [`RunError`]; answers that came before it are kept.
pub fn run(
    tasks: &[Task],
    player: &mut dyn Player,
    cache: Option<&mut Cache>,
    options: &RunOptions,
    dir: &Path,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<RunFile> {
    if tasks.is_empty() {
        return Err(RunError::Empty { what: "no task to run".to_owned() });
    }
    let planned = |task| TaskRun::plan(task, Items::new(task, options).n, options.seed);
    let plan = tasks.iter().map(planned).collect();
    let settings = options.settings.to_json();
    let file = RunFile::new(player.identity().clone(), settings, plan, options.now);
    if options.overlong == OnOverlong::Stop {
        refuse_overlong(tasks, player, options)?;
    }
    let total = file.tasks.iter().map(|t| t.n_items).sum();
    let mut session = Session::open(dir, file, player, cache, options)?;
    let mut progress = Progress { done: session.n_done(), total };
    on_progress(progress);
    for task in tasks {
        session.task(task, &mut |_| {
            progress.done += 1;
            on_progress(progress);
        })?;
    }
    session.finish(tasks)
}

/// The items of a task, one after another; those of a generator are made when they are needed.
struct Items<'t> {
    task: &'t Task,
    chosen: Option<std::vec::IntoIter<Item>>,
    n: usize,
    seed: u64,
    next: u64,
}

/// Items of a generator when nobody says how many.
const GENERATED: usize = 100;

impl<'t> Items<'t> {
    fn new(task: &'t Task, options: &RunOptions) -> Self {
        let seed = options.seed;
        let chosen = task.n_items().map(|_| task.items(options.n, seed));
        let n = chosen.as_ref().map_or(options.n.unwrap_or(GENERATED), Vec::len);
        Self { task, chosen: chosen.map(Vec::into_iter), n, seed, next: 0 }
    }
}

impl Iterator for Items<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        match &mut self.chosen {
            Some(items) => items.next(),
            None if self.next < self.n as u64 => {
                self.next += 1;
                Some(self.task.item(self.seed, self.next - 1))
            }
            None => None,
        }
    }
}

fn refuse_overlong(tasks: &[Task], player: &dyn Player, options: &RunOptions) -> Result<()> {
    for task in tasks {
        let (mut items, mut n_items) = (Vec::new(), 0);
        for item in Items::new(task, options) {
            let overlong = player.overlong(&item, &options.settings);
            let overlong =
                overlong.map_err(|source| RunError::Play { item: item.id.clone(), source })?;
            if let Some(overlong) = overlong {
                n_items += 1;
                if items.len() < NAMED {
                    items.push(overlong);
                }
            }
        }
        if n_items > 0 {
            return Err(RunError::Overlong { task: task.name().to_owned(), items, n_items });
        }
    }
    Ok(())
}

/// A run that is going on: a player, its folder and its cache.
pub(crate) struct Session<'a> {
    folder: Folder,
    player: &'a mut dyn Player,
    cache: Option<&'a mut Cache>,
    options: &'a RunOptions,
    started: Instant,
    synced: Instant,
}

/// Told of every sample that is kept.
type OnSample<'a> = dyn FnMut(&Sample) + 'a;

impl<'a> Session<'a> {
    pub(crate) fn open(
        dir: &Path,
        file: RunFile,
        player: &'a mut dyn Player,
        mut cache: Option<&'a mut Cache>,
        options: &'a RunOptions,
    ) -> Result<Self> {
        let folder = Folder::open(dir, file, options.resume)?;
        if let Some(cache) = &mut cache {
            cache.prepare(folder.file.player_hash)?;
        }
        let now = Instant::now();
        Ok(Self { folder, player, cache, options, started: now, synced: now })
    }

    fn n_done(&self) -> usize {
        self.folder.before.len()
    }

    /// Answers what is left of a task.
    fn task(&mut self, task: &Task, on_sample: &mut OnSample<'_>) -> Result<()> {
        let appetite = self.player.appetite().max(1);
        let mut left = Items::new(task, self.options);
        loop {
            let mut batch = Vec::with_capacity(appetite);
            for item in left.by_ref() {
                if !self.folder.before.contains(&sample::key(task.name(), item.hash, &item.id)) {
                    batch.push(item);
                }
                if batch.len() == appetite {
                    break;
                }
            }
            if batch.is_empty() {
                return Ok(());
            }
            self.answer(task, &batch.iter().collect::<Vec<_>>(), on_sample)?;
        }
    }

    /// Answers items of a task.
    pub(crate) fn answer(
        &mut self,
        task: &Task,
        items: &[&Item],
        on_sample: &mut OnSample<'_>,
    ) -> Result<()> {
        let options = self.options;
        let settings = &options.settings;
        let player_hash = self.folder.file.player_hash;
        let mut ask: Vec<&Item> = Vec::with_capacity(items.len());
        for &item in items {
            let cached = match &self.cache {
                Some(cache) if is_kept(item) => cache.get(player_hash, item)?,
                _ => None,
            };
            if let Some(played) = cached {
                let verdict = task.score(item, &played.output)?;
                let sample = Sample::new(task.name(), item, played, verdict, true);
                self.keep(&sample, on_sample)?;
                continue;
            }
            let overlong = match options.overlong {
                OnOverlong::Stop => None, // refused before
                OnOverlong::Wrong => self
                    .player
                    .overlong(item, settings)
                    .map_err(|source| RunError::Play { item: item.id.clone(), source })?,
            };
            match overlong {
                Some(long) => self.keep(&Sample::overlong(task.name(), item, &long), on_sample)?,
                None => ask.push(item),
            }
        }
        if ask.is_empty() {
            return Ok(());
        }
        let Self { folder, player, cache, synced, .. } = self;
        player.play(&ask, settings, &mut |i, played| {
            let item = ask[i];
            if let Some(cache) = cache.as_mut().filter(|_| is_kept(item)) {
                cache.put(player_hash, item, &played)?;
            }
            let verdict = task.score(item, &played.output)?;
            let sample = Sample::new(task.name(), item, played, verdict, false);
            keep(folder, synced, &sample)?;
            on_sample(&sample);
            Ok(())
        })
    }

    fn keep(&mut self, sample: &Sample, on_sample: &mut OnSample<'_>) -> Result<()> {
        keep(&mut self.folder, &mut self.synced, sample)?;
        on_sample(sample);
        Ok(())
    }

    /// Ends the run: what the answers add up to is written to `run.json`.
    pub(crate) fn finish(mut self, tasks: &[Task]) -> Result<RunFile> {
        self.folder.sync()?;
        self.folder.file.seconds += self.started.elapsed().as_secs_f64();
        summarize(&mut self.folder, tasks)?;
        self.folder.file.done = true;
        self.folder.keep()?;
        Ok(self.folder.file)
    }
}

/// Whether an item's answer may be taken from the cache: one of the whole assistant depends on more than the model.
fn is_kept(item: &Item) -> bool {
    item.request.kind() != OutputKind::MultiTurn
}

/// Appends a sample; every now and then what came before is made durable.
fn keep(folder: &mut Folder, synced: &mut Instant, sample: &Sample) -> Result<()> {
    folder.add(sample)?;
    if synced.elapsed() > SYNC {
        folder.sync()?;
        *synced = Instant::now();
    }
    Ok(())
}

/// Whether a task's verdicts may be held at once. Of a gate's runs the items are not a choice by seed, and their
/// number (0 here) is not known beforehand.
fn has_few(run: &TaskRun) -> bool {
    (1..=MAX_JUDGED).contains(&run.n_items)
}

/// Fills in what the answers add up to.
fn summarize(folder: &mut Folder, tasks: &[Task]) -> Result<()> {
    let mut tallies: HashMap<String, Tally> = HashMap::new();
    let mut verdicts: HashMap<String, HashMap<ContentHash, Verdict>> = HashMap::new();
    for run in folder.file.tasks.iter().filter(|run| has_few(run)) {
        verdicts.insert(run.name.clone(), HashMap::new());
    }
    for sample in samples(folder.dir())? {
        let sample = sample?;
        tallies.entry(sample.task.clone()).or_default().add(&sample);
        if let Some(judged) = verdicts.get_mut(&sample.task).filter(|_| sample.output.is_some()) {
            judged.insert(sample.hash, sample.verdict());
        }
    }
    for (task, run) in tasks.iter().zip(&mut folder.file.tasks) {
        let tally = tallies.remove(task.name()).unwrap_or_default();
        let summary = tally.finish();
        let judged = verdicts.remove(task.name()).unwrap_or_default();
        run.metrics = if !has_few(run) {
            vec![Metric::new("accuracy", summary.right as f64 / summary.n.max(1) as f64, summary.n)]
        } else {
            let options =
                RunOptions { n: Some(run.n_items), seed: run.seed, ..RunOptions::default() };
            let items: Vec<Item> = Items::new(task, &options).collect();
            let pairs = items.iter().filter_map(|i| judged.get(&i.hash).map(|v| (i, v)));
            let mut pairs: Vec<(&Item, &Verdict)> = pairs.collect();
            let none = Verdict::default();
            // What did not fit counts as wrong.
            pairs
                .extend(items.iter().filter(|i| !judged.contains_key(&i.hash)).map(|i| (i, &none)));
            task.metrics(&pairs)
        };
        run.n_items = run.n_items.max(summary.n);
        run.summary = Some(summary);
    }
    Ok(())
}
