//! Answers written by the inference engine, on the weights that are being trained.

use std::sync::Arc;

use psi_infer::{
    Engine, EngineError, EngineOptions, SamplingParams, Sequence, Want, Work, sampling,
};
use psi_kernels::{
    Cpu,
    kv::{KV_BLOCK, KvDtype},
    softmax::log_sum_exp,
};
use psi_model::Decoder;
use psi_tokenizer::{ChatTemplate, TokenId};
use serde_json::{Map, Value};

use super::task::{Attempt, Prompt, Verdict};
use crate::{Result, TrainError, trainer::Text};

/// How answers are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RolloutConfig {
    pub(crate) max_tokens: usize,
    pub(crate) max_turns: usize,
    pub(crate) batch: usize,
    /// 1: from the policy itself; 0: the most probable tokens.
    pub(crate) temperature: f32,
}

/// An attempt that is over: its tokens and their log-probabilities when they were written.
#[derive(Clone, Debug)]
pub(crate) struct Rollout {
    /// Prompt, answer, results of tools, further turns.
    pub(crate) tokens: Vec<TokenId>,
    /// Positions of `tokens` that the model wrote, in order; the first token of a text is never one.
    pub(crate) written: Vec<usize>,
    /// Of the written ones, in nats, under the policy that wrote them.
    pub(crate) log_probs: Vec<f32>,
    pub(crate) verdict: Verdict,
    /// Cut off by the number of tokens, of turns, or by the context.
    pub(crate) is_cut: bool,
}

/// The text around a turn of the assistant.
#[derive(Debug)]
pub(crate) struct Dialogue<'a> {
    text: &'a Text,
    template: &'a ChatTemplate,
    stop: Vec<TokenId>,
}

impl<'a> Dialogue<'a> {
    pub(crate) fn new(text: &'a Text) -> Result<Self> {
        let stop = text.eos();
        let missing = |what: &str| {
            let error = TrainError::key("model.from", "model.from", format!("has no {what}"));
            error.with_hint("answers are written in turns: a chat model is needed")
        };
        let template = text.template.as_ref().ok_or_else(|| missing("chat template"))?;
        if stop.is_empty() {
            return Err(missing("token that ends a turn"));
        }
        Ok(Self { text, template, stop })
    }

    fn render(&self, attempt: &Attempt, messages: &Value, opens: bool) -> Result<String> {
        let tools = attempt.tools();
        let rendered = self.template.render(messages, tools.as_ref(), opens, &Map::new());
        rendered.map_err(|e| TrainError::key("model.from", "chat template", e.to_string()))
    }

    fn prompt(&self, attempt: &Attempt) -> Result<Vec<TokenId>> {
        let text = self.render(attempt, &attempt.messages(), true)?;
        Ok(self.text.tokenizer.encode(&text, false, true))
    }

    /// What follows the end-of-turn token of the assistant's last turn: the results of its tools and the
    /// opening of the next turn. The model's own tokens stay as it wrote them.
    fn after_turn(&self, attempt: &Attempt, end: TokenId) -> Result<Vec<TokenId>> {
        let messages = attempt.messages();
        let all = messages.as_array().map_or(&[][..], Vec::as_slice);
        let is_turn = |m: &Value| m.get("role").and_then(Value::as_str) == Some("assistant");
        let n = all.iter().rposition(is_turn).map_or(0, |i| i + 1);
        let before = self.render(attempt, &Value::Array(all[..n].to_vec()), false)?;
        let whole = self.render(attempt, &messages, true)?;
        let end = self.text.tokenizer.token(end).unwrap_or_default();
        let cut = before.rfind(end).map_or(before.len(), |at| at + end.len());
        let after = whole.get(cut..).filter(|_| whole.starts_with(&before));
        let Some(after) = after else {
            let why = "writes earlier turns differently once a tool has answered";
            let error = TrainError::key("model.from", "chat template", why);
            return Err(error.with_hint("practise tasks without tools, or use another template"));
        };
        Ok(self.text.tokenizer.encode(after, false, true))
    }
}

/// An attempt being written.
struct Running {
    index: usize,
    attempt: Attempt,
    sequence: Sequence,
    limit: usize,
    /// Part of `tokens` that the cache already holds.
    done: usize,
    tokens: Vec<TokenId>,
    n_prompt: usize,
    turn_start: usize,
    turns: usize,
    written: Vec<usize>,
    log_probs: Vec<f32>,
}

/// Writes one attempt per prompt; `seed_of(i)` addresses the random numbers of attempt i.
///
/// An attempt does not depend on the others, nor on how many are written at a time.
pub(crate) fn run(
    cpu: &Arc<Cpu>,
    model: &Decoder,
    dialogue: &Dialogue<'_>,
    prompts: &[&Prompt],
    config: RolloutConfig,
    seed_of: &dyn Fn(usize) -> u64,
) -> Result<Vec<Rollout>> {
    let mut starts = Vec::new();
    for prompt in prompts {
        let attempt = Attempt::new(prompt);
        let tokens = dialogue.prompt(&attempt)?;
        starts.push((attempt, tokens));
    }
    let n_context = model.config().max_seq_len;
    // Results of tools are short; an attempt that still outgrows its place is cut.
    let room = config.max_tokens + 128 * config.max_turns.saturating_sub(1);
    let limit_of = |tokens: &[TokenId]| (tokens.len() + room).min(n_context);
    let longest = starts.iter().map(|(_, t)| limit_of(t)).max().unwrap_or(0);
    let n_positions = longest.next_multiple_of(KV_BLOCK) * config.batch.min(prompts.len());
    // The trainer's attention reads keys and values in f32, and so must this one for the same bits.
    let options = EngineOptions { kv: KvDtype::F32, n_positions, ..EngineOptions::default() };
    let mut engine = Engine::new(cpu, Arc::new(model.clone()), options);
    let mut waiting = starts.into_iter().enumerate();
    let mut done: Vec<Option<Rollout>> = prompts.iter().map(|_| None).collect();
    let mut running: Vec<Running> = Vec::new();
    loop {
        while running.len() < config.batch
            && let Some((index, (attempt, tokens))) = waiting.next()
        {
            let limit = limit_of(&tokens);
            running.push(Running::new(index, attempt, tokens, limit));
        }
        if running.is_empty() {
            break;
        }
        let chosen = step(&mut engine, &mut running, config, seed_of)?;
        let mut kept = Vec::new();
        for (mut item, chosen) in running.into_iter().zip(chosen) {
            match item.take(dialogue, chosen, config)? {
                Next::Write => kept.push(item),
                Next::End { is_cut } => {
                    let (index, sequence, rollout) = item.finish(is_cut);
                    engine.release(sequence);
                    done[index] = Some(rollout);
                }
            }
        }
        running = kept;
    }
    Ok(done.into_iter().flatten().collect())
}

/// What follows a token.
enum Next {
    Write,
    End { is_cut: bool },
}

impl Running {
    fn new(index: usize, attempt: Attempt, tokens: Vec<TokenId>, limit: usize) -> Self {
        let n_prompt = tokens.len();
        Self {
            index,
            attempt,
            sequence: Sequence::new(limit),
            limit,
            done: 0,
            tokens,
            n_prompt,
            turn_start: n_prompt,
            turns: 0,
            written: Vec::new(),
            log_probs: Vec::new(),
        }
    }

    fn take(
        &mut self,
        dialogue: &Dialogue<'_>,
        (token, log_prob): (TokenId, f32),
        config: RolloutConfig,
    ) -> Result<Next> {
        self.done = self.tokens.len();
        self.written.push(self.tokens.len());
        self.log_probs.push(log_prob);
        self.tokens.push(token);
        if dialogue.stop.contains(&token) {
            self.turns += 1;
            let turn = &self.tokens[self.turn_start..self.tokens.len() - 1];
            let goes_on = self.attempt.take(dialogue.text.tokenizer.decode(turn, false));
            if !goes_on {
                return Ok(Next::End { is_cut: false });
            }
            if self.turns < config.max_turns {
                self.tokens.extend(dialogue.after_turn(&self.attempt, token)?);
                self.turn_start = self.tokens.len();
            } else {
                return Ok(Next::End { is_cut: true });
            }
        }
        let is_full = self.written.len() >= config.max_tokens || self.tokens.len() >= self.limit;
        Ok(if is_full { Next::End { is_cut: true } } else { Next::Write })
    }

    fn finish(self, is_cut: bool) -> (usize, Sequence, Rollout) {
        let last = self.written.last().map_or(self.n_prompt, |i| i + 1);
        let mut tokens = self.tokens;
        // What came after the last written token has no use.
        tokens.truncate(last);
        let verdict = match is_cut {
            true => Verdict { is_correct: false, is_formed: false },
            false => self.attempt.judge(),
        };
        let (written, log_probs) = (self.written, self.log_probs);
        (self.index, self.sequence, Rollout { tokens, written, log_probs, verdict, is_cut })
    }
}

/// The next token of every running attempt, with its log-probability.
fn step(
    engine: &mut Engine,
    running: &mut [Running],
    config: RolloutConfig,
    seed_of: &dyn Fn(usize) -> u64,
) -> Result<Vec<(TokenId, f32)>> {
    let mut work: Vec<Work<'_>> = Vec::new();
    for item in running.iter_mut() {
        let tokens = &item.tokens[item.done..];
        work.push(Work { sequence: &mut item.sequence, tokens, want: Want::Last });
    }
    let mut logits = engine.forward(&mut work).map_err(|e| unfit(&e))?;
    let vocab_size = engine.model().config().vocab_size;
    let mut lse = vec![0.0; logits.n_rows()];
    log_sum_exp(engine.cpu(), logits.values(), vocab_size, &mut lse);
    let mut chosen = Vec::with_capacity(running.len());
    for (i, item) in running.iter().enumerate() {
        let params = SamplingParams {
            temperature: config.temperature,
            top_p: 1.0,
            top_k: 0,
            seed: seed_of(item.index),
            ..SamplingParams::default()
        };
        let before = logits.row(i).to_vec();
        let token = sampling::sample(&params, logits.row_mut(i), &item.tokens, item.n_prompt);
        // Weights that are not numbers show as a log-probability that is none.
        let token = token.unwrap_or(0);
        chosen.push((token, before[token as usize] - lse[i]));
    }
    engine.recycle(logits);
    Ok(chosen)
}

fn unfit(error: &EngineError) -> TrainError {
    let error = TrainError::key("rl", "rl.max_tokens", error.to_string());
    error.with_hint("the longest prompt leaves no room: lower rl.max_tokens or drop a task")
}
