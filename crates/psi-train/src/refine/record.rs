//! What a step of reinforcement learning tells.

use std::collections::BTreeMap;

use serde::Serialize;

/// One line of `metrics.jsonl` of a run of `psi refine`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RefineRecord {
    /// From 0: the model before the first step, which is only evaluated.
    pub step: u64,
    /// The surrogate's value at the weights that wrote the answers: -(mean advantage), by the loss's average.
    pub loss: f64,
    /// Mean reward of all answers, also of groups without a difference.
    pub reward: f64,
    /// Share of answers that the verifier accepts.
    pub accuracy: f64,
    /// The same by task.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_task: BTreeMap<String, f64>,
    /// Share of groups with at least one accepted answer: pass@k for the group's k.
    pub pass_at_k: f64,
    /// Mean number of tokens written in an answer.
    pub length: f64,
    /// Share of answers that were cut off.
    pub cut: f64,
    /// Mean of -ln p of the written tokens: the policy's entropy in nats per token, estimated.
    pub entropy: f64,
    /// Largest |ratio - 1| in the first, on-policy update: exactly 0.
    pub ratio_max_dev: f64,
    /// The same over the later updates of the step, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio_max_dev_later: Option<f64>,
    /// Share of tokens whose gradient the clip took.
    pub clipped: f64,
    /// Estimated divergence from the reference in nats per token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl: Option<f64>,
    /// Groups that were written.
    pub groups: usize,
    /// Of which all answers earned the same, so that they teach nothing.
    pub groups_equal: usize,
    /// Of AdamW.
    pub lr: f64,
    /// Before clipping, of the last update.
    pub grad_norm: f64,
    /// Tokens written so far.
    pub tokens: u64,
    /// Tokens written per second of the step, training included.
    pub tokens_per_s: f64,
    /// Tokens written per second of writing.
    pub rollout_tokens_per_s: f64,
    /// Share of held-out prompts answered rightly, with the most probable tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_accuracy: Option<f64>,
    /// The same by task.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub val_by_task: BTreeMap<String, f64>,
}
