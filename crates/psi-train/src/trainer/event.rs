//! What a run tells while it goes.

use std::path::PathBuf;

use serde::Serialize;

use crate::refine::RefineRecord;

/// One thing that happened. The binary prints it; nothing depends on it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A remark for people.
    Note(String),
    /// Text is being turned into tokens.
    Reading {
        /// Which source.
        source: String,
        /// Bytes read.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The loop begins.
    Started {
        /// Steps already done.
        step: u64,
        /// Steps in all.
        steps: u64,
    },
    /// A step is done.
    Step(Record),
    /// A step of `psi refine` is done; boxed, as it tells more than the others.
    Refined(Box<RefineRecord>),
    /// A continuation of one of the recipe's prompts.
    Sample {
        /// After this step.
        step: u64,
        /// The prompt.
        prompt: String,
        /// What the model wrote.
        text: String,
    },
    /// A checkpoint is being written.
    Saving {
        /// Of this step.
        step: u64,
    },
}

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Record {
    /// From 1.
    pub step: u64,
    /// Mean of -ln p over the step's targets.
    pub loss: f64,
    /// AdamW's learning rate.
    pub lr: f64,
    /// Before clipping.
    pub grad_norm: f64,
    /// Positions trained on so far.
    pub tokens: u64,
    /// Positions per second, in this step alone.
    pub tokens_per_s: f64,
    /// Arithmetic per second as a share of the processor's measured peak; 6 operations per matrix weight and
    /// token, and attention's. `None` without `log.roof`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_of_roof: Option<f64>,
    /// Why the weights were left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Bits per byte of the validation data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_bpb: Option<f64>,
    /// The same under the averaged weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_bpb_ema: Option<f64>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// The run folder.
    pub dir: PathBuf,
    /// Steps done.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// Positions trained on.
    pub tokens: u64,
    /// The last bits per byte of the validation data.
    pub val_bpb: Option<f64>,
    /// The final weights; `None` when the run was stopped before its end.
    pub model: Option<PathBuf>,
}
