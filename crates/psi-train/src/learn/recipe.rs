//! The runs that learn from a data set: an adapter on the model in use, trained on the corrections beside
//! what it should keep, and one after it that keeps away from what was disliked.

use std::{fs, path::Path};

use psi_store::write_atomic;
use serde_json::{Value, json};

use super::{
    DataSet, Example, Round,
    data_set::{IMITATE, JUDGED, REPLAY},
};
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
    /// Passes over what was judged, where something was disliked.
    pub judged_epochs: usize,
    /// Peak learning rate of these.
    pub judged_lr: f64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            epochs: 40,
            steps: (120, 400),
            rank: 16,
            lr: 5e-4,
            rehearsed: 1200,
            judged_epochs: 3,
            judged_lr: 5e-5,
        }
    }
}

/// Tokens of an optimiser step.
const BATCH_TOKENS: usize = 2048;
/// Longest conversation, and the tokens that are in memory at once.
pub(super) const SEQ_LEN: usize = 1024;
/// Share of them that are corrections; the rest keeps old skills.
const SHARE: f64 = 0.3;

/// Lines of an optimiser step on what was judged.
const BATCH_LINES: usize = 16;
/// What the model should keep, per line of what was judged: liked as well.
const KEPT_PER_JUDGED: usize = 4;

/// Writes the recipes of a round's runs, as a person could have written them, and what the second one reads.
/// The first one starts from `model`. What the model should keep must be there.
///
/// # Errors
/// What the model should keep cannot be read; a file cannot be written.
pub fn write_recipes(round: &Round, model: &Path, data: &DataSet, budget: &Budget) -> Result<()> {
    let imitated: Vec<&Example> = data.train.iter().filter(|e| e.target.is_some()).collect();
    // The second one first: as long as there is none, the result of the first run is the round's.
    if data.has_disliked() {
        write_judged(round, data)?;
        let recipe = preference(&round.imitation().model(), &round.data(), budget);
        write_atomic(&round.preference().recipe(), recipe.as_bytes())?;
    }
    let recipe = imitation(model, &round.data(), &imitated, budget);
    Ok(write_atomic(&round.imitation().recipe(), recipe.as_bytes())?)
}

/// What was liked and what was not, and, as liked, some of what the model should keep.
fn write_judged(round: &Round, data: &DataSet) -> Result<()> {
    let replay = round.replay();
    let text = fs::read_to_string(&replay).map_err(|e| TrainError::io(&replay, "reading", e))?;
    let n_kept = KEPT_PER_JUDGED * data.train.len();
    let every = (text.lines().count() / n_kept.max(1)).max(1);
    let kept = text.lines().step_by(every).filter_map(|line| {
        let mut line: Value = serde_json::from_str(line).ok()?;
        let answer = line["messages"].as_array_mut()?.pop()?;
        line["answer"] = answer;
        line["liked"] = json!(true);
        Some(line)
    });
    let judged = data.train.iter().map(Example::judged).chain(kept);
    let lines: String = judged.map(|line| format!("{line}\n")).collect();
    Ok(write_atomic(&round.data().join(JUDGED), lines.as_bytes())?)
}

fn imitation(model: &Path, folder: &Path, imitated: &[&Example], budget: &Budget) -> String {
    let n_tokens: usize = imitated.iter().map(|e| about_tokens(e)).sum();
    let per_step = SHARE * BATCH_TOKENS as f64;
    let steps = ((n_tokens * budget.epochs) as f64 / per_step).ceil() as usize;
    let steps = steps.clamp(budget.steps.0, budget.steps.1);
    format!(
        "# Made by psi learn from {n} answers to imitate.\n\n\
         [data]\nsources = [\n    \
         {{ name = \"feedback\", path = {train}, weight = {SHARE} }},\n    \
         {{ name = \"replay\", path = {replay}, weight = {rest} }},\n]\n\
         packing = \"whole\"\noverlong = \"drop\"\nseq_len = {SEQ_LEN}\nbatch_rows = 1\n\n\
         [train]\nmethod = \"lora\"\nsteps = {steps}\nbatch_tokens = {BATCH_TOKENS}\n\n\
         {shared}",
        n = imitated.len(),
        train = quoted(&folder.join(IMITATE)),
        replay = quoted(&folder.join(REPLAY)),
        rest = 1.0 - SHARE,
        shared = shared(model, budget.rank, budget.lr),
    )
}

/// Kahneman-Tversky optimisation: pairs and single answers in one loss, and what is liked stays likely. With beta 1
/// a few nats of difference are enough; at 0.1 it goes on to twenty, and reasoning falls.
fn preference(model: &Path, folder: &Path, budget: &Budget) -> String {
    format!(
        "# Made by psi learn from answers that were disliked.\n\n\
         [data]\noverlong = \"drop\"\nseq_len = {SEQ_LEN}\n\n\
         [train]\nmethod = \"lora\"\nloss = \"kto\"\n\n\
         [prefer]\npairs = {judged}\nepochs = {epochs}\nbatch = {BATCH_LINES}\nbeta = 1.0\nkeep = 1.0\n\n\
         {shared}",
        judged = quoted(&folder.join(JUDGED)),
        epochs = budget.judged_epochs,
        shared = shared(model, budget.rank, budget.judged_lr),
    )
}

/// What both runs say.
fn shared(model: &Path, rank: usize, lr: f64) -> String {
    format!(
        "[run]\nseed = 1\n\n[model]\nfrom = {model}\n\n[lora]\nrank = {rank}\nalpha = {alpha}\n\n\
         [optim]\nkind = \"adamw\"\nlr = {lr}\nweight_decay = 0.0\n\n\
         [schedule]\nkind = \"linear\"\n\n\
         [eval]\nevery = 0\n\n[log]\nroof = false\n",
        model = quoted(model),
        alpha = 2 * rank,
    )
}

fn quoted(path: &Path) -> String {
    toml::Value::String(path.display().to_string()).to_string()
}

/// About how many tokens an example has: three bytes each, and what marks a turn.
fn about_tokens(example: &Example) -> usize {
    let said = example.messages.iter().filter_map(|m| m["content"].as_str());
    let target = example.target.as_ref().map_or(0, String::len);
    let bytes: usize = said.map(str::len).sum::<usize>() + target;
    let tools = serde_json::to_string(&example.tools).map_or(0, |text| text.len());
    (bytes + tools) / 3 + 5 * (example.messages.len() + 1)
}
