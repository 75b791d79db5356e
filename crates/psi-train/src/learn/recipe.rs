//! The run that learns from a data set: an adapter on the model in use, trained on the corrections mixed
//! with replay of old skills.

use std::path::Path;

use psi_eval::{
    skills::{self, Mix},
    split::Split,
};
use psi_store::write_atomic;

use super::DataSet;
use crate::{Result, TrainError};

/// How much a run may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Passes over the corrections.
    pub epochs: usize,
    /// Most optimiser steps, whatever the number of corrections.
    pub max_steps: usize,
    /// Rank of the adapter.
    pub rank: usize,
    /// Conversations of replay per correction.
    pub replay: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { epochs: 12, max_steps: 400, rank: 16, replay: 4 }
    }
}

/// Corrections in one optimiser step, about; as much again is replay.
const PER_STEP: usize = 8;

/// Writes conversations of the skills a model has already, so that it keeps them; returns how many.
///
/// # Errors
/// The file cannot be written.
pub fn write_replay(path: &Path, data: &DataSet, budget: &Budget, seed: u64) -> Result<usize> {
    let n = (data.train.len() * budget.replay).max(64);
    let mut text = String::new();
    for index in 0..n as u64 {
        let conversation = skills::generate(Split::Train, seed, index, &Mix::default());
        text.push_str(&format!("{}\n", conversation.to_json()));
    }
    write_atomic(path, text.as_bytes())?;
    Ok(n)
}

/// The recipe, as a person could have written it. `data` holds `train.jsonl` and `replay.jsonl`.
///
/// # Errors
/// The data set has nothing to learn from.
pub fn recipe(model: &Path, folder: &Path, data: &DataSet, budget: &Budget) -> Result<String> {
    if data.train.is_empty() {
        let why = "no rating teaches anything yet";
        let hint = "give better answers, or praise good ones; `psi learn --dry-run` says more";
        return Err(TrainError::run(folder, why).with_hint(hint));
    }
    let steps = (data.train.len() * budget.epochs).div_ceil(PER_STEP).clamp(20, budget.max_steps);
    let quoted = |path: &Path| toml::Value::String(path.display().to_string()).to_string();
    let rank = budget.rank;
    Ok(format!(
        "# Made by psi learn from {n} corrections.\n\n\
         [run]\nseed = 1\n\n\
         [model]\nfrom = {model}\n\n\
         [data]\nsources = [\n    {{ name = \"feedback\", path = {train}, weight = 0.4 }},\n    \
         {{ name = \"replay\", path = {replay}, weight = 0.6 }},\n]\n\
         packing = \"whole\"\noverlong = \"drop\"\nseq_len = 1024\n\n\
         [train]\nmethod = \"lora\"\nsteps = {steps}\nbatch_tokens = 2048\n\n\
         [lora]\nrank = {rank}\nalpha = {alpha}\n\n\
         [optim]\nkind = \"adamw\"\nlr = 0.002\nweight_decay = 0.0\n\n\
         [schedule]\nkind = \"linear\"\n\n\
         [eval]\nevery = 0\n\n[log]\nroof = false\n",
        n = data.train.len(),
        model = quoted(model),
        train = quoted(&folder.join("train.jsonl")),
        replay = quoted(&folder.join("replay.jsonl")),
        alpha = 2 * rank,
    ))
}
