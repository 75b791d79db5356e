//! Runs as they lie on disk, for people: state, progress, last numbers.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::Value;

use super::checkpoint;
use crate::{Result, TrainError, recipe::Settings};

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// A process is training in it.
    Running,
    /// At its end, with `model/`.
    Finished,
    /// Neither; it can be gone on with.
    Stopped,
}

impl Status {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
        }
    }
}

/// A run in one line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunSummary {
    /// The folder.
    pub dir: PathBuf,
    /// How it stands.
    pub status: Status,
    /// The last logged step.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// Positions trained on.
    pub tokens: u64,
    /// Mean loss of the last tenth of the logged steps.
    pub loss: Option<f64>,
    /// The fewest bits per byte of a validation, and the step of it.
    pub best: Option<(f64, u64)>,
    /// The median of the logged speeds.
    pub tokens_per_s: Option<f64>,
    /// Steps that have a checkpoint.
    pub checkpoints: Vec<u64>,
    /// What to start with or compare: the final model, else the newest checkpoint.
    pub model: Option<PathBuf>,
}

/// Every run in `root`, by name; folders that hold none are passed over.
///
/// # Errors
/// A folder or file that cannot be read.
pub fn list(root: &Path) -> Result<Vec<RunSummary>> {
    let mut dirs = Vec::new();
    if root.exists() {
        let fail = |e| TrainError::io(root, "listing", e);
        for entry in fs::read_dir(root).map_err(fail)? {
            let dir = entry.map_err(fail)?.path();
            if dir.join("config.toml").exists() {
                dirs.push(dir);
            }
        }
    }
    dirs.sort();
    dirs.iter().map(|dir| summarize(dir)).collect()
}

/// The settings a run was started with.
///
/// # Errors
/// A folder that is no run.
pub fn settings(dir: &Path) -> Result<Settings> {
    let file = dir.join("config.toml");
    if !file.exists() {
        let error = TrainError::run(dir, "is no run: it holds no config.toml");
        return Err(error.with_hint("`psi runs list` lists the runs in PSI_HOME"));
    }
    Settings::read(&file, &[])
}

/// One run.
///
/// # Errors
/// A folder that is no run, or a file of it that cannot be read.
pub fn summarize(dir: &Path) -> Result<RunSummary> {
    let steps = settings(dir)?.opt_count("train.steps").unwrap_or(0) as u64;
    let metrics = metrics(dir)?;
    let number = |m: &Value, name: &str| m.get(name).and_then(Value::as_f64);
    let last = metrics.last();
    let count = |name: &str| last.and_then(|m| m.get(name)?.as_u64()).unwrap_or(0);
    let tail = &metrics[metrics.len() - metrics.len().div_ceil(10)..];
    let losses: Vec<f64> = tail.iter().filter_map(|m| number(m, "loss")).collect();
    let validations = metrics.iter().filter_map(|m| {
        let bpb = number(m, "val_bpb_ema").or(number(m, "val_bpb"))?;
        Some((bpb, m.get("step")?.as_u64()?))
    });
    let mut speeds: Vec<f64> = metrics.iter().filter_map(|m| number(m, "tokens_per_s")).collect();
    speeds.sort_by(f64::total_cmp);
    let checkpoints = checkpoint::steps(&dir.join("checkpoints"))?;
    let model = Some(dir.join("model")).filter(|m| m.exists());
    let finished = model.is_some() && checkpoints.last().is_some_and(|&last| last >= steps);
    let newest = checkpoint::newest(&dir.join("checkpoints"))?;
    Ok(RunSummary {
        dir: dir.to_owned(),
        status: match (is_locked(dir)?, finished) {
            (true, _) => Status::Running,
            (false, true) => Status::Finished,
            (false, false) => Status::Stopped,
        },
        step: count("step"),
        steps,
        tokens: count("tokens"),
        loss: (!losses.is_empty()).then(|| losses.iter().sum::<f64>() / losses.len() as f64),
        best: validations.min_by(|a, b| a.0.total_cmp(&b.0)),
        tokens_per_s: speeds.get(speeds.len() / 2).copied(),
        checkpoints,
        model: model.or(newest.map(|c| c.join("model")).filter(|m| m.exists())),
    })
}

/// The lines of `metrics.jsonl`; one that is still being written is left out.
///
/// # Errors
/// A file that cannot be read.
pub fn metrics(dir: &Path) -> Result<Vec<Value>> {
    let path = dir.join("metrics.jsonl");
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&path).map_err(|e| TrainError::io(&path, "reading", e))?;
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let parse = |(i, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|e| TrainError::run(&path, format!("line {}: not a JSON object: {e}", i + 1)))
    };
    whole.enumerate().map(parse).collect()
}

/// Whether a process trains in the folder.
fn is_locked(dir: &Path) -> Result<bool> {
    let path = dir.join("lock");
    let Ok(file) = File::open(&path) else { return Ok(false) };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(e)) => Err(TrainError::io(&path, "locking", e)),
    }
}
