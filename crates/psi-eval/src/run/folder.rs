//! The folder of a run: `run.json` says what it is, `samples.jsonl` grows with every answer.

use std::{
    collections::HashSet,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use psi_store::{ContentHash, Log, StoreError, write_atomic};
use serde::{Deserialize, Serialize};

use super::{Result, RunError, player::Identity, sample::Sample};
use crate::task::{Metric, Task};

/// Version of the folder's files.
const VERSION: u32 = 1;

/// What a run is and, when it is done, what came out: `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFile {
    /// Of the format.
    pub version: u32,
    /// Whether every item is answered.
    pub done: bool,
    /// Who answered.
    pub model: Identity,
    /// How.
    pub settings: serde_json::Value,
    /// Hash of who and how: equal where answers must be.
    pub player_hash: ContentHash,
    /// What was asked.
    pub tasks: Vec<TaskRun>,
    /// Seconds since 1970 at the start.
    pub started_at: u64,
    /// Seconds of work, over all sittings.
    pub seconds: f64,
    /// psi's version.
    pub psi: String,
}

/// One task of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskRun {
    /// Its name.
    pub name: String,
    /// Its data, items and judge.
    pub version: ContentHash,
    /// Items asked.
    pub n_items: usize,
    /// Seed that chose them.
    pub seed: u64,
    /// What guessing reaches.
    pub baseline: f64,
    /// Figures, the headline first; empty until the run is done.
    #[serde(default)]
    pub metrics: Vec<Metric>,
    /// Share of right answers with its 95 % interval, mean score and costs; absent until done.
    #[serde(default)]
    pub summary: Option<Summary>,
}

/// What a task's answers add up to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Answers.
    pub n: usize,
    /// Independent groups of them.
    pub n_clusters: usize,
    /// Those that count as right.
    pub right: usize,
    /// Mean score.
    pub mean: f64,
    /// 95 % interval of the mean score.
    pub interval: (f64, f64),
    /// Items that did not fit and count as wrong.
    pub overlong: usize,
    /// Answers that came from the cache.
    pub cached: usize,
    /// Tokens of the prompts.
    pub prompt_tokens: u64,
    /// Tokens of the answers.
    pub answer_tokens: u64,
    /// Seconds of the player.
    pub seconds: f64,
}

impl TaskRun {
    /// A task before its run.
    pub(crate) fn plan(task: &Task, n_items: usize, seed: u64) -> Self {
        Self {
            name: task.name().to_owned(),
            version: task.version(),
            n_items,
            seed,
            baseline: task.baseline(),
            metrics: Vec::new(),
            summary: None,
        }
    }
}

impl RunFile {
    /// A run that begins.
    pub(crate) fn new(
        model: Identity,
        settings: serde_json::Value,
        tasks: Vec<TaskRun>,
        at: u64,
    ) -> Self {
        let text = format!("{}\0{}\0{settings}", model.hash, model.engine);
        let player_hash = ContentHash::of_bytes(text.as_bytes());
        let psi = env!("CARGO_PKG_VERSION").to_owned();
        Self {
            version: VERSION,
            done: false,
            model,
            settings,
            player_hash,
            tasks,
            started_at: at,
            seconds: 0.0,
            psi,
        }
    }

    /// Reads the `run.json` of a folder.
    ///
    /// # Errors
    /// When there is none, or it is not one.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join("run.json");
        let bytes = fs::read(&path).map_err(|e| StoreError::io(&path, "reading", e))?;
        let file: Self = serde_json::from_slice(&bytes).map_err(|e| RunError::Bad {
            path: path.clone(),
            line: e.line(),
            what: e.to_string(),
        })?;
        if file.version != VERSION {
            let what = format!("written as version {}, this psi reads {VERSION}", file.version);
            return Err(RunError::Bad { path, line: 0, what });
        }
        Ok(file)
    }

    fn same_plan(&self, other: &Self, dir: &Path) -> Result<()> {
        let differs = |what, before: String, now: String| {
            Err(RunError::Differs { dir: dir.to_owned(), what, before, now })
        };
        if self.player_hash != other.player_hash {
            let show =
                |f: &Self| format!("{} ({}) {}", f.model.model, f.model.hash.short(), f.settings);
            return differs("the model and settings", show(self), show(other));
        }
        let plan = |f: &Self| {
            let tasks = f.tasks.iter();
            let one = |t: &TaskRun| {
                format!("{} {} x{} seed {}", t.name, t.version.short(), t.n_items, t.seed)
            };
            tasks.map(one).collect::<Vec<_>>()
        };
        let (before, now) = (plan(self), plan(other));
        match before.iter().zip(&now).find(|(b, n)| b != n) {
            Some((b, n)) => differs("the task", b.clone(), n.clone()),
            None if before.len() != now.len() => {
                differs("this many tasks:", before.len().to_string(), now.len().to_string())
            }
            None => Ok(()),
        }
    }
}

/// The samples of a folder, one after another.
///
/// # Errors
/// Each may be an error of its line.
pub fn samples(dir: &Path) -> Result<Samples> {
    let path = dir.join("samples.jsonl");
    Ok(Samples { lines: Log::lines(&path)?, path })
}

/// See [`samples`].
#[derive(Debug)]
pub struct Samples {
    path: PathBuf,
    lines: psi_store::LogLines,
}

impl Iterator for Samples {
    type Item = Result<Sample>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = match self.lines.next()? {
            Ok(line) => line,
            Err(e) => return Some(Err(e.into())),
        };
        let bad = |e: serde_json::Error| RunError::Bad {
            path: self.path.clone(),
            line: self.lines.number(),
            what: e.to_string(),
        };
        Some(serde_json::from_str(&line).map_err(bad))
    }
}

/// A run folder that this process alone writes to.
#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    pub(super) file: RunFile,
    /// Samples of earlier sittings. Those of this one are not added: each item comes once, and memory stays flat.
    pub(super) before: HashSet<u128>,
    log: Log,
    _lock: File,
}

impl Folder {
    /// Makes the folder, or goes on with the run in it.
    pub(super) fn open(dir: &Path, mut file: RunFile, resume: bool) -> Result<Self> {
        fs::create_dir_all(dir).map_err(|e| StoreError::io(dir, "making the run folder", e))?;
        let lock = dir.join("lock");
        let lock_file = File::create(&lock).map_err(|e| StoreError::io(&lock, "opening", e))?;
        match lock_file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(RunError::Busy { dir: dir.to_owned() }),
            Err(TryLockError::Error(e)) => return Err(StoreError::io(&lock, "locking", e).into()),
        }
        let mut earlier = HashSet::new();
        if dir.join("run.json").exists() {
            if !resume {
                return Err(RunError::Exists { dir: dir.to_owned() });
            }
            let before = RunFile::read(dir)?;
            before.same_plan(&file, dir)?;
            file.started_at = before.started_at;
            file.seconds = before.seconds;
            for sample in samples(dir)? {
                earlier.insert(sample?.key());
            }
        }
        let log = Log::open(&dir.join("samples.jsonl"))?;
        let folder = Self { dir: dir.to_owned(), file, before: earlier, log, _lock: lock_file };
        folder.keep()?;
        Ok(folder)
    }

    /// Writes `run.json`.
    pub(super) fn keep(&self) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.file).unwrap_or_default() + "\n";
        Ok(write_atomic(&self.dir.join("run.json"), text.as_bytes())?)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Appends a sample.
    pub(super) fn add(&mut self, sample: &Sample) -> Result<()> {
        Ok(self.log.append(&serde_json::to_string(sample).unwrap_or_default())?)
    }

    /// Makes the samples so far durable.
    pub(super) fn sync(&self) -> Result<()> {
        Ok(self.log.sync()?)
    }
}
