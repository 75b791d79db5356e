//! One sequence from prompt to stop: prefill, sample, decode, detokenise, watch for stop strings.

use std::{error::Error, fmt};

use psi_kernels::softmax::log_sum_exp;
use psi_tokenizer::{Detokenizer, TokenId, Tokenizer};

use crate::{
    Engine, EngineError, SamplingParams, Sequence, StopMatcher, TokenLogprob, Want, Work,
    sampling::{SamplingError, sample, top_logprobs},
    service::{Constraint, ConstraintError, apply},
};

/// What to generate and when to stop.
#[derive(Clone, Debug)]
pub struct GenerateParams {
    /// Most tokens to generate.
    pub max_tokens: usize,
    /// How tokens are chosen.
    pub sampling: SamplingParams,
    /// Texts that end the answer; they are not part of it.
    pub stop: Vec<String>,
    /// Tokens that end the answer; none of them is part of it.
    pub stop_tokens: Vec<TokenId>,
    /// Report this many most probable tokens per step; `None` computes no log-probabilities.
    pub logprobs: Option<usize>,
}

impl Default for GenerateParams {
    fn default() -> Self {
        Self {
            max_tokens: 256,
            sampling: SamplingParams::default(),
            stop: Vec::new(),
            stop_tokens: Vec::new(),
            logprobs: None,
        }
    }
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// One of the stop tokens was chosen.
    StopToken(TokenId),
    /// One of the stop strings appeared.
    StopString(String),
    /// `max_tokens` were generated.
    MaxTokens,
    /// The context is full.
    ContextFull,
    /// The constraint allows nothing more.
    Complete,
    /// The receiver asked to stop.
    Cancelled,
}

/// What one step of generation gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The token that was chosen.
    pub token: TokenId,
    /// Text that became certain with it (may be empty: half a character, a possible stop string).
    pub text: String,
    /// Its log-probability under the model and the most probable alternatives, when asked for.
    pub logprobs: Option<(f32, Vec<TokenLogprob>)>,
}

/// A finished answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// The tokens, without a stop token.
    pub tokens: Vec<TokenId>,
    /// The text, without a stop string.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
}

/// Why nothing (more) could be generated.
#[derive(Clone, Debug, PartialEq)]
pub enum GenerateError {
    /// The prompt holds no token at all, so there is nothing to predict from.
    EmptyPrompt,
    /// A sampling parameter is out of range.
    Sampling(SamplingError),
    /// The engine refused the batch.
    Engine(EngineError),
    /// Every token is banned, or the model's numbers are not numbers.
    NoToken,
    /// The constraint cannot be held.
    Constraint(ConstraintError),
}

impl fmt::Display for GenerateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyPrompt => {
                f.write_str("the prompt is empty and the model has no start token")
            }
            Self::Sampling(e) => e.fmt(f),
            Self::Engine(e) => e.fmt(f),
            Self::Constraint(e) => e.fmt(f),
            Self::NoToken => f.write_str("no token can be chosen: all are banned or not a number"),
        }
    }
}

impl Error for GenerateError {}

impl From<ConstraintError> for GenerateError {
    fn from(e: ConstraintError) -> Self {
        Self::Constraint(e)
    }
}

impl From<EngineError> for GenerateError {
    fn from(e: EngineError) -> Self {
        Self::Engine(e)
    }
}

/// Generates from `prompt`, calling `on_step` after each token; it returns whether to go on.
///
/// # Errors
/// [`GenerateError`]; what `on_step` has been given stays given.
pub fn generate(
    engine: &mut Engine,
    tokenizer: &Tokenizer,
    prompt: &[TokenId],
    params: &GenerateParams,
    on_step: &mut dyn FnMut(&Step) -> bool,
) -> Result<Generated, GenerateError> {
    generate_held(engine, tokenizer, prompt, params, None, on_step)
}

/// [`generate`] within a constraint, as of a [`Grammar`](crate::grammar::Grammar).
///
/// # Errors
/// [`GenerateError`]; what `on_step` has been given stays given.
pub fn generate_held(
    engine: &mut Engine,
    tokenizer: &Tokenizer,
    prompt: &[TokenId],
    params: &GenerateParams,
    constraint: Option<&mut dyn Constraint>,
    on_step: &mut dyn FnMut(&Step) -> bool,
) -> Result<Generated, GenerateError> {
    if prompt.is_empty() {
        return Err(GenerateError::EmptyPrompt);
    }
    let vocab_size = engine.model().config().vocab_size;
    params.sampling.validate(vocab_size).map_err(GenerateError::Sampling)?;
    let wanted = prompt.len().saturating_add(params.max_tokens);
    let limit = wanted.min(engine.model().config().max_seq_len);
    let mut sequence = Sequence::new(limit);
    let result = run(engine, &mut sequence, tokenizer, prompt, params, constraint, on_step);
    engine.release(sequence);
    result
}

fn run(
    engine: &mut Engine,
    sequence: &mut Sequence,
    tokenizer: &Tokenizer,
    prompt: &[TokenId],
    params: &GenerateParams,
    mut constraint: Option<&mut dyn Constraint>,
    on_step: &mut dyn FnMut(&Step) -> bool,
) -> Result<Generated, GenerateError> {
    let mut history = prompt.to_vec();
    let mut detokenizer = Detokenizer::new(true);
    let mut stops = StopMatcher::new(params.stop.iter().cloned());
    let mut text = String::new();
    let mut finish = Finish::MaxTokens;
    let mut from = 0;
    while history.len() - prompt.len() < params.max_tokens {
        let work = Work { sequence, tokens: &history[from..], want: Want::Last };
        let mut logits = match engine.forward(&mut [work]) {
            Ok(logits) => logits,
            Err(EngineError::ContextOverflow { .. }) if from > 0 => {
                finish = Finish::ContextFull;
                break;
            }
            Err(e) => return Err(e.into()),
        };
        from = history.len();
        let logprobs = params.logprobs.map(|n| raw_logprobs(engine, logits.row(0), n));
        if let Some(constraint) = &mut constraint
            && let Some(mask) = constraint.mask()?
        {
            apply(mask, logits.row_mut(0));
        }
        let token = sample(&params.sampling, logits.row_mut(0), &history, prompt.len())
            .ok_or(GenerateError::NoToken)?;
        engine.recycle(logits);
        if params.stop_tokens.contains(&token) {
            finish = Finish::StopToken(token);
            break;
        }
        if let Some(constraint) = &mut constraint {
            constraint.accept(token)?;
        }
        history.push(token);
        let piece = detokenizer.push(tokenizer, token);
        let shown = stops.push(&piece);
        text.push_str(&shown.text);
        let logprobs = logprobs.map(|(all, top)| (all[token as usize], top));
        let go_on = on_step(&Step { token, text: shown.text, logprobs });
        if let Some(stop) = shown.stopped_by {
            finish = Finish::StopString(stop);
            break;
        }
        if !go_on {
            finish = Finish::Cancelled;
            break;
        }
        if constraint.as_ref().is_some_and(|c| c.is_complete()) {
            finish = Finish::Complete;
            break;
        }
    }
    if !matches!(finish, Finish::StopString(_)) {
        let mut rest = stops.push(&detokenizer.finish()).text;
        rest.push_str(&stops.finish());
        if !rest.is_empty() {
            text.push_str(&rest);
            let token = history[history.len() - 1];
            on_step(&Step { token, text: rest, logprobs: None });
        }
    }
    Ok(Generated { tokens: history.split_off(prompt.len()), text, finish })
}

/// All log-probabilities of a row, and the `n` largest.
fn raw_logprobs(engine: &Engine, logits: &[f32], n: usize) -> (Vec<f32>, Vec<TokenLogprob>) {
    let mut lse = [0.0];
    log_sum_exp(engine.cpu(), logits, logits.len(), &mut lse);
    let top = top_logprobs(logits, lse[0], n);
    (logits.iter().map(|x| x - lse[0]).collect(), top)
}
