//! A checkpoint: everything a run needs to go on with the same bits.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use psi_kernels::Cpu;
use psi_store::{AtomicDir, DType, SafeTensors, TensorSpec, safetensors, write_atomic};
use serde::{Deserialize, Serialize};

use super::writer::Snapshot;
use crate::{
    Result, TrainError,
    data::Position,
    refine::RlState,
    trainer::{Outliers, TextFiles},
};

/// The part of a checkpoint that is no tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// Of this format.
    pub(crate) version: u32,
    /// Steps done.
    pub(crate) step: u64,
    /// Of which the optimisers moved the weights.
    pub(crate) updates: u64,
    /// Positions the model has been trained on.
    pub(crate) tokens: u64,
    /// Where the data go on, in a run that has data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) position: Option<Position>,
    pub(crate) losses: Outliers,
    pub(crate) norms: Outliers,
    /// Steps in a row that the guard has skipped.
    pub(crate) skipped: u64,
    pub(crate) best: Option<Best>,
    /// Of a run of `psi refine`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rl: Option<RlState>,
}

/// The checkpoint with the fewest bits per byte.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Best {
    pub(crate) step: u64,
    pub(crate) val_bpb: f64,
}

/// Version of [`State`].
pub(crate) const VERSION: u32 = 1;

/// A checkpoint read back.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) path: PathBuf,
    pub(crate) state: State,
    /// Moments, averages, adapters and vectors by name.
    pub(crate) tensors: HashMap<String, Vec<f32>>,
}

fn folder_name(step: u64) -> String {
    format!("step-{step:08}")
}

/// The steps that have a checkpoint, in order.
pub(crate) fn steps(checkpoints: &Path) -> Result<Vec<u64>> {
    if !checkpoints.exists() {
        return Ok(Vec::new());
    }
    let fail = |e| TrainError::io(checkpoints, "listing", e);
    let mut steps = Vec::new();
    for entry in fs::read_dir(checkpoints).map_err(fail)? {
        let name = entry.map_err(fail)?.file_name();
        let number = name.to_str().and_then(|n| n.strip_prefix("step-"));
        steps.extend(number.and_then(|n| n.parse::<u64>().ok()));
    }
    steps.sort_unstable();
    Ok(steps)
}

/// The folder of the newest checkpoint.
pub(crate) fn newest(checkpoints: &Path) -> Result<Option<PathBuf>> {
    Ok(steps(checkpoints)?.last().map(|&step| checkpoints.join(folder_name(step))))
}

/// Reads a checkpoint's state; its `model/` is the caller's to read.
pub(crate) fn load(path: &Path) -> Result<Loaded> {
    let file = path.join("state.json");
    let bytes = fs::read(&file).map_err(|e| TrainError::io(&file, "reading", e))?;
    let damaged = |why: String| {
        let error = TrainError::run(&file, why);
        error.with_hint("remove this checkpoint's folder to resume from the one before it")
    };
    let state: State = serde_json::from_slice(&bytes)
        .map_err(|e| damaged(format!("not the state of a checkpoint: {e}")))?;
    if state.version != VERSION {
        return Err(damaged(format!("version {}, psi reads {VERSION}", state.version)));
    }
    let stored = SafeTensors::open(&path.join("state.safetensors"))?;
    let mut tensors = HashMap::new();
    for name in stored.names() {
        let view = stored.require(name)?;
        if view.dtype != DType::F32 {
            return Err(damaged(format!("tensor '{name}' is {}, not F32", view.dtype)));
        }
        let (words, _) = view.data.as_chunks::<4>();
        tensors.insert(name.to_owned(), words.iter().map(|b| f32::from_le_bytes(*b)).collect());
    }
    Ok(Loaded { path: path.to_owned(), state, tensors })
}

/// Writes a checkpoint under `checkpoints`: whole or not at all. Returns its folder.
pub(crate) fn write(
    checkpoints: &Path,
    snapshot: &mut Snapshot,
    text: &TextFiles,
) -> Result<PathBuf> {
    let path = checkpoints.join(folder_name(snapshot.state.step));
    let dir = AtomicDir::create(&path)?;
    let at = dir.staging();
    if snapshot.whole_model {
        let model = at.join("model");
        snapshot.decoder.save_hf(&Cpu::single(), &model, DType::F32)?;
        text.write(&model)?;
    }
    let mut writer = safetensors::Writer::new();
    for (name, values) in &snapshot.tensors {
        writer.add(TensorSpec::new(name, DType::F32, &[values.len()]));
    }
    let mut sink = writer.create(&at.join("state.safetensors"))?;
    for (name, values) in &snapshot.tensors {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        sink.write(name, &bytes)?;
    }
    sink.finish()?;
    let json = serde_json::to_vec_pretty(&snapshot.state)
        .map_err(|e| TrainError::run(&path, format!("its state is no JSON: {e}")))?;
    write_atomic(&at.join("state.json"), &json)?;
    dir.commit()?;
    Ok(path)
}

/// Removes all but the newest `keep` checkpoints and the best one.
pub(crate) fn prune(checkpoints: &Path, keep: usize, best: Option<u64>) -> Result<()> {
    let steps = steps(checkpoints)?;
    let old = &steps[..steps.len().saturating_sub(keep)];
    for &step in old.iter().filter(|s| Some(**s) != best) {
        let path = checkpoints.join(folder_name(step));
        // Under a temporary name first: a half-removed checkpoint is never taken for a whole one.
        let gone = checkpoints.join(format!(".psi-{}.tmp", folder_name(step)));
        fs::rename(&path, &gone).map_err(|e| TrainError::io(&path, "removing", e))?;
        fs::remove_dir_all(&gone).map_err(|e| TrainError::io(&gone, "removing", e))?;
    }
    Ok(())
}
