//! What a run will take: parameters, memory, arithmetic, time.

use std::sync::Arc;

use psi_kernels::{Cpu, Format, roof};
use psi_model::Config;

use super::{
    Method,
    prepare::{self, Environment, Plan},
};
use crate::{
    Result,
    recipe::{RunConfig, Settings},
};

/// The plan of a run that has not started.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// Every setting, derived ones included.
    pub settings: Settings,
    /// Weights of the model.
    pub n_params: u64,
    /// Of which are trained.
    pub n_trained: u64,
    /// Optimiser steps.
    pub steps: u64,
    /// Positions trained on.
    pub tokens: u64,
    /// Bytes of weights, gradients and optimiser state.
    pub state_bytes: u64,
    /// Bytes of the activations of a micro-batch, roughly.
    pub activation_bytes: u64,
    /// Arithmetic of the run.
    pub operations: f64,
    /// Seconds, if psi reaches half of the processor's measured peak.
    pub seconds: f64,
}

/// Share of the peak that the estimate of the time assumes.
const ASSUMED_SHARE: f64 = 0.5;

/// Resolves a recipe without starting it. Nothing is written but the token cache, and that only where the
/// length of the run follows from the data.
///
/// # Errors
/// As [`super::train`], up to the point where it would begin.
pub fn dry_run(settings: Settings, environment: &Environment<'_>) -> Result<Estimate> {
    let Plan { settings, model, config, micro_tokens } = prepare::plan(settings, environment)?;
    let n_params = model.n_params();
    let n_trained = trained(&config, &model);
    let seq_len = settings.count("data.seq_len");
    let tokens = config.steps * settings.count("train.batch_tokens") as u64;
    let operations = ops_per_token(&model, seq_len, &config.method) * tokens as f64;
    let peak = roof(environment.cpu, config.format);
    Ok(Estimate {
        n_params,
        n_trained,
        steps: config.steps,
        tokens,
        state_bytes: state_bytes(&config, &model, n_trained),
        activation_bytes: activation_bytes(&model, micro_tokens as u64),
        operations,
        seconds: operations / (ASSUMED_SHARE * peak),
        settings,
    })
}

fn trained(config: &RunConfig, model: &Config) -> u64 {
    let Method::Lora(lora) = &config.method else { return model.n_params() };
    let tensors = model.tensors();
    let adapted = tensors.iter().filter(|t| lora.targets.contains(&t.id.role));
    adapted.map(|t| (lora.rank * (t.n + t.k)) as u64).sum()
}

fn state_bytes(config: &RunConfig, model: &Config, n_trained: u64) -> u64 {
    let panel = if config.format == Format::Bf16 { 2 } else { 4 };
    // Master, gradient, two moments (Muon keeps one), and the average.
    let moments = if config.optim.muon { 6 } else { 8 };
    let average = if config.ema > 0.0 { 4 } else { 0 };
    model.n_params() * panel + n_trained * (8 + moments + average)
}

/// What the tape keeps for `tokens` positions: each op's output, layer by layer, and the logits. An output takes
/// four bytes, its gradient four, and the bf16 copies that products read about three (475 KB per token were
/// measured on psi-nano with adapters, for 497 KB here); logits have no copies.
pub(crate) fn activation_bytes(c: &Config, tokens: u64) -> u64 {
    let heads = 4 * c.d_q() + 4 * c.d_kv();
    let per_layer = 6 * c.d_model + heads + 3 * c.d_ff;
    let per_token = 11 * (per_layer * c.n_layers + 3 * c.d_model) + 8 * c.vocab_size;
    tokens * per_token as u64
}

/// Operations of forward and backward per position: 6 per weight of a matrix it is multiplied with (4 where
/// the weights are frozen, beside adapters), and 12 per layer, query width and position attended to, of
/// which there are seq_len / 2 on average. Chowdhery et al. 2022 (PaLM), appendix B, halved for causal
/// attention.
pub(crate) fn ops_per_token(c: &Config, seq_len: usize, method: &Method) -> f64 {
    let per_weight = if method.is_full() { 6.0 } else { 4.0 };
    per_weight * c.n_matrix_params() as f64 + 6.0 * (c.n_layers * c.d_q() * seq_len) as f64
}

/// The processor's peak for `format`, in operations per second.
pub(crate) fn roof(cpu: &Arc<Cpu>, format: Format) -> f64 {
    1e9 * roof::peak_gflops(cpu, format == Format::Bf16)
}
