//! From logits to a token: bias and penalties, temperature, truncation, one draw.
//!
//! The order is: logit bias, repetition/presence/frequency penalties, temperature, then top-k,
//! typical, top-p and min-p on the resulting distribution, each over what the one before kept
//! (the order of `transformers`, with typical sampling beside the other truncations).

mod filter;

use std::{cmp::Ordering, collections::HashMap, fmt};

use psi_tokenizer::TokenId;

use crate::rng;
use filter::Candidates;

/// How tokens are chosen. [`SamplingParams::default`] is plain sampling at temperature 1.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingParams {
    /// Divides the logits; 0 is greedy (the lowest id among equals).
    pub temperature: f32,
    /// Keep the k most probable tokens; 0 keeps all.
    pub top_k: usize,
    /// Keep the smallest set of most probable tokens with probability >= p; 1 keeps all.
    /// Holtzman et al. 2019.
    pub top_p: f32,
    /// Drop tokens less probable than `min_p` times the most probable one; 0 keeps all.
    /// Nguyen et al. 2024.
    pub min_p: f32,
    /// Keep the tokens whose surprise is nearest to the entropy, up to probability p; 1 keeps all.
    /// Meister et al. 2022.
    pub typical_p: f32,
    /// Divides positive and multiplies negative logits of tokens seen; 1 is none. Keskar et al. 2019.
    pub repetition_penalty: f32,
    /// Subtracted once from the logit of a token already generated.
    pub presence_penalty: f32,
    /// Subtracted from a token's logit once per time it was generated.
    pub frequency_penalty: f32,
    /// How many of the last tokens (prompt included) `repetition_penalty` looks at; 0: all.
    pub penalty_window: usize,
    /// Added to logits by token; negative infinity bans a token.
    pub logit_bias: HashMap<TokenId, f32>,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for SamplingParams {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            typical_p: 1.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            penalty_window: 0,
            logit_bias: HashMap::new(),
            seed: 0,
        }
    }
}

/// A sampling parameter outside its range.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingError {
    /// The parameter's name.
    pub name: &'static str,
    /// What was given.
    pub value: String,
    /// What is allowed.
    pub allowed: &'static str,
}

impl fmt::Display for SamplingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, allowed } = self;
        write!(f, "{name} is {value}, but must be {allowed}")
    }
}

impl std::error::Error for SamplingError {}

impl SamplingParams {
    /// Greedy decoding.
    pub fn greedy() -> Self {
        Self { temperature: 0.0, ..Self::default() }
    }

    /// Checks every parameter's range.
    ///
    /// # Errors
    /// [`SamplingError`] naming the first parameter that is out of range (NaN always is).
    pub fn validate(&self, vocab_size: usize) -> Result<(), SamplingError> {
        let check = |name, value: f32, allowed, ok: bool| match ok {
            true => Ok(()),
            false => Err(SamplingError { name, value: value.to_string(), allowed }),
        };
        let t = self.temperature;
        check("temperature", t, "between 0 and 100", (0.0..=100.0).contains(&t))?;
        let p = self.top_p;
        check("top_p", p, "above 0 and at most 1", p > 0.0 && p <= 1.0)?;
        let p = self.typical_p;
        check("typical_p", p, "above 0 and at most 1", p > 0.0 && p <= 1.0)?;
        let p = self.min_p;
        check("min_p", p, "between 0 and 1", (0.0..=1.0).contains(&p))?;
        let r = self.repetition_penalty;
        check("repetition_penalty", r, "above 0 and at most 100", r > 0.0 && r <= 100.0)?;
        let p = self.presence_penalty;
        check("presence_penalty", p, "between -100 and 100", p.abs() <= 100.0)?;
        let p = self.frequency_penalty;
        check("frequency_penalty", p, "between -100 and 100", p.abs() <= 100.0)?;
        for (&token, &bias) in &self.logit_bias {
            check("logit_bias", bias, "a number below infinity", bias < f32::INFINITY)?;
            if token as usize >= vocab_size {
                let value = format!("set for token {token}");
                let allowed = "set for tokens of the vocabulary only";
                return Err(SamplingError { name: "logit_bias", value, allowed });
            }
        }
        Ok(())
    }

    fn penalises(&self) -> bool {
        self.repetition_penalty != 1.0
            || self.presence_penalty != 0.0
            || self.frequency_penalty != 0.0
    }
}

/// Chooses the next token from `logits` (length V), which it may change.
///
/// `history` is the prompt and what was generated, `n_prompt` the length of the prompt. The draw
/// depends only on the seed and the length of the history.
///
/// Returns `None` when no token is allowed (every logit is negative infinity or NaN).
pub fn sample(
    params: &SamplingParams,
    logits: &mut [f32],
    history: &[TokenId],
    n_prompt: usize,
) -> Option<TokenId> {
    for (&token, &bias) in &params.logit_bias {
        logits[token as usize] += bias;
    }
    if params.penalises() {
        penalise(params, logits, history, n_prompt);
    }
    if params.temperature == 0.0 {
        return argmax(logits);
    }
    let mut candidates = Candidates::new(logits, params.temperature, params.top_k)?;
    candidates.typical(params.typical_p);
    candidates.top_p(params.top_p);
    candidates.min_p(params.min_p);
    candidates.draw(rng::uniform(params.seed, history.len() as u64))
}

/// The index of the largest number, the lowest among equals; NaN is never chosen.
pub fn argmax(logits: &[f32]) -> Option<TokenId> {
    const LANES: usize = 16;
    // NaN is larger than nothing, so it stays out.
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut tops = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = logits.as_chunks::<LANES>();
    for chunk in chunks {
        tops = std::array::from_fn(|i| larger(tops[i], chunk[i]));
    }
    let top = tops.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| larger(a, b));
    if top == f32::NEG_INFINITY {
        return None;
    }
    logits.iter().position(|&x| x == top).map(|i| i as TokenId)
}

fn penalise(params: &SamplingParams, logits: &mut [f32], history: &[TokenId], n_prompt: usize) {
    let window = match params.penalty_window {
        0 => history,
        n => &history[history.len().saturating_sub(n)..],
    };
    let mut seen = window.to_vec();
    seen.sort_unstable();
    seen.dedup();
    for &token in &seen {
        let x = &mut logits[token as usize];
        let r = params.repetition_penalty;
        *x = if *x > 0.0 { *x / r } else { *x * r };
    }
    let mut generated = history[n_prompt..].to_vec();
    generated.sort_unstable();
    for run in generated.chunk_by(|a, b| a == b) {
        logits[run[0] as usize] -=
            params.presence_penalty + params.frequency_penalty * run.len() as f32;
    }
}

/// A token with its log-probability under the model (before bias, penalties and temperature).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenLogprob {
    /// The token.
    pub token: TokenId,
    /// Its natural-log probability.
    pub logprob: f32,
}

/// The `n` most probable tokens of one row, most probable first (the lower id first among equals).
///
/// `log_sum_exp` is the row's normaliser from [`psi_kernels::softmax::log_sum_exp`].
pub fn top_logprobs(logits: &[f32], log_sum_exp: f32, n: usize) -> Vec<TokenLogprob> {
    let mut order: Vec<TokenId> = (0..logits.len() as TokenId).collect();
    let by_logit = |&a: &TokenId, &b: &TokenId| -> Ordering {
        logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b))
    };
    let n = n.min(order.len());
    if n < order.len() {
        order.select_nth_unstable_by(n, by_logit);
        order.truncate(n);
    }
    order.sort_unstable_by(by_logit);
    let logprob = |token: TokenId| logits[token as usize] - log_sum_exp;
    order.into_iter().map(|token| TokenLogprob { token, logprob: logprob(token) }).collect()
}

#[cfg(test)]
mod tests;
