//! The run that learns from a data set: an adapter on the model in use, trained on the corrections beside
//! what it should keep.

use std::path::Path;

use super::{DataSet, Example};
use crate::{Result, TrainError};

/// How much a run may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Passes over the corrections.
    pub epochs: usize,
    /// Fewest and most optimiser steps, whatever the number of corrections.
    pub steps: (usize, usize),
    /// Rank of the adapter.
    pub rank: usize,
    /// Peak learning rate.
    pub lr: f64,
    /// Conversations that keep old skills.
    pub rehearsed: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { epochs: 40, steps: (120, 400), rank: 16, lr: 5e-4, rehearsed: 1200 }
    }
}

/// Tokens of an optimiser step.
const BATCH_TOKENS: usize = 2048;
/// Share of them that are corrections; the rest keeps old skills.
const SHARE: f64 = 0.3;

/// The recipe, as a person could have written it. `folder` holds `train.jsonl` and `replay.jsonl`.
///
/// # Errors
/// The data set has nothing to learn from.
pub fn recipe(model: &Path, folder: &Path, data: &DataSet, budget: &Budget) -> Result<String> {
    if data.train.is_empty() {
        let why = "no rating teaches anything yet";
        let hint = "give better answers, or praise good ones; `psi learn --dry-run` says more";
        return Err(TrainError::run(folder, why).with_hint(hint));
    }
    let n_tokens: usize = data.train.iter().map(about_tokens).sum();
    let per_step = SHARE * BATCH_TOKENS as f64;
    let steps = ((n_tokens * budget.epochs) as f64 / per_step).ceil() as usize;
    let steps = steps.clamp(budget.steps.0, budget.steps.1);
    let quoted = |path: &Path| toml::Value::String(path.display().to_string()).to_string();
    let Budget { rank, lr, .. } = budget;
    Ok(format!(
        "# Made by psi learn from {n} corrections.\n\n\
         [run]\nseed = 1\n\n\
         [model]\nfrom = {model}\n\n\
         [data]\nsources = [\n    \
         {{ name = \"feedback\", path = {train}, weight = {SHARE} }},\n    \
         {{ name = \"replay\", path = {replay}, weight = {rest} }},\n]\n\
         packing = \"whole\"\noverlong = \"drop\"\nseq_len = 1024\n\n\
         [train]\nmethod = \"lora\"\nsteps = {steps}\nbatch_tokens = {BATCH_TOKENS}\n\n\
         [lora]\nrank = {rank}\nalpha = {alpha}\n\n\
         [optim]\nkind = \"adamw\"\nlr = {lr}\nweight_decay = 0.0\n\n\
         [schedule]\nkind = \"linear\"\n\n\
         [eval]\nevery = 0\n\n[log]\nroof = false\n",
        n = data.train.len(),
        model = quoted(model),
        train = quoted(&folder.join("train.jsonl")),
        replay = quoted(&folder.join("replay.jsonl")),
        rest = 1.0 - SHARE,
        alpha = 2 * rank,
    ))
}

/// About how many tokens an example has: three bytes each, and what marks a turn.
fn about_tokens(example: &Example) -> usize {
    let said = example.messages.iter().filter_map(|m| m["content"].as_str());
    let bytes: usize = said.map(str::len).sum::<usize>() + example.target.len();
    let tools = serde_json::to_string(&example.tools).map_or(0, |text| text.len());
    (bytes + tools) / 3 + 5 * (example.messages.len() + 1)
}
