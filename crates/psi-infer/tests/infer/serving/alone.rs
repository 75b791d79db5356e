//! What a request gets when it is alone: a loop over the engine, without the service.

use std::{collections::HashMap, sync::Arc};

use psi_infer::{
    Engine, EngineOptions, SamplingParams, Sequence, Want, Work,
    sampling::{sample, top_logprobs},
    service::{Completion, Constraint, ConstraintError, Finish, Request},
};
use psi_kernels::{kv::KvDtype, softmax::log_sum_exp};
use psi_model::Adapter;

use super::{cpu, decoder};

/// A request that can be asked for again and again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    pub(crate) tokens: Vec<u32>,
    pub(crate) max_tokens: usize,
    pub(crate) sampling: SamplingParams,
    pub(crate) stop_tokens: Vec<u32>,
    pub(crate) ignore_eos: bool,
    pub(crate) min_tokens: usize,
    pub(crate) logprobs: Option<usize>,
    pub(crate) prompt_logprobs: Option<usize>,
    pub(crate) staircase: Option<usize>,
    pub(crate) adapter: Option<String>,
    pub(crate) client: String,
}

impl Ask {
    pub(crate) fn request(&self) -> Request {
        let constraint = |n_steps| Box::new(Staircase::new(n_steps)) as Box<dyn Constraint>;
        Request {
            tokens: self.tokens.clone(),
            max_tokens: self.max_tokens,
            sampling: self.sampling.clone(),
            stop_tokens: self.stop_tokens.clone(),
            ignore_eos: self.ignore_eos,
            min_tokens: self.min_tokens,
            logprobs: self.logprobs,
            prompt_logprobs: self.prompt_logprobs,
            constraint: self.staircase.map(constraint),
            adapter: self.adapter.clone(),
            client: self.client.clone(),
        }
    }
}

/// A grammar: a number k of 1 to 8, then k + 10 as often as k says, and so on, so that most tokens are
/// forced.
#[derive(Clone, Debug)]
pub(crate) struct Staircase {
    n_left: usize,
    repeat: (u32, u32),
    mask: [u32; 3],
}

impl Staircase {
    pub(crate) fn new(n_left: usize) -> Self {
        Self { n_left, repeat: (0, 0), mask: [0; 3] }
    }
}

impl Constraint for Staircase {
    fn mask(&mut self) -> Result<Option<&[u32]>, ConstraintError> {
        self.mask[0] = match self.repeat {
            (0, _) => 0b1_1111_1110,
            (_, token) => 1 << token,
        };
        Ok(Some(&self.mask))
    }

    fn accept(&mut self, token: u32) -> Result<(), ConstraintError> {
        self.mask()?;
        if token >= 32 || self.mask[0] >> token & 1 == 0 {
            return Err(ConstraintError(format!("{token} in {self:?}")));
        }
        self.repeat = match self.repeat {
            (0, _) => (token, token + 10),
            (n, token) => (n - 1, token),
        };
        self.n_left -= 1;
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.n_left == 0
    }
}

/// A token, the bits of its log-probability and the most probable tokens.
pub(crate) type Scored = (u32, Option<u32>, Vec<u32>);

/// An answer in a form that can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) prompt: Option<Vec<Option<Scored>>>,
    pub(crate) tokens: Vec<Scored>,
    pub(crate) finish: Finish,
}

impl Answer {
    pub(crate) fn of(completion: &Completion) -> Self {
        let scored = |t: &psi_infer::service::TokenScore| -> Scored {
            let bits = (!t.logprob.is_nan()).then(|| t.logprob.to_bits());
            (t.id, bits, t.top.iter().map(|t| t.token).collect())
        };
        let prompt = completion.prompt.as_ref();
        let (finish, usage) = completion.end.clone().expect("an answer");
        assert_eq!(usage.n_generated, completion.tokens.len());
        Self {
            prompt: prompt.map(|p| p.iter().map(|t| t.as_ref().map(scored)).collect()),
            tokens: completion.tokens.iter().map(scored).collect(),
            finish,
        }
    }
}

/// Answers asks one at a time.
pub(crate) struct Alone {
    engine: Engine,
    pub(crate) adapters: HashMap<String, Arc<Adapter>>,
}

impl Alone {
    pub(crate) fn new(model: &str, kv: KvDtype) -> Self {
        let cpu = cpu(1);
        let options = EngineOptions { kv, n_positions: 4096, chunk: 512 };
        let engine = Engine::new(&cpu, decoder(&cpu, model), options);
        Self { engine, adapters: HashMap::new() }
    }

    pub(crate) fn answer(&mut self, ask: &Ask) -> Answer {
        let limit = ask.tokens.len() + ask.max_tokens;
        let adapter = ask.adapter.as_ref().map(|name| Arc::clone(&self.adapters[name]));
        let mut sequence = Sequence::with_adapter(limit, adapter);
        let answer = self.run(ask, &mut sequence);
        self.engine.release(sequence);
        answer
    }

    fn score(&self, row: &[f32], token: u32, n: Option<usize>) -> Scored {
        let Some(n) = n else { return (token, None, Vec::new()) };
        let mut lse = [0.0];
        log_sum_exp(self.engine.cpu(), row, row.len(), &mut lse);
        let logprob = (row[token as usize] - lse[0]).to_bits();
        let top = top_logprobs(row, lse[0], n);
        (token, Some(logprob), top.iter().map(|t| t.token).collect())
    }

    fn run(&mut self, ask: &Ask, sequence: &mut Sequence) -> Answer {
        let n_prompt = ask.tokens.len();
        let mut history = ask.tokens.clone();
        let work = Work { sequence, tokens: &history, want: Want::All };
        let logits = self.engine.forward(&mut [work]).expect("logits");
        let prompt = ask.prompt_logprobs.map(|n| {
            let score = |i: usize| self.score(logits.row(i - 1), history[i], Some(n));
            std::iter::once(None).chain((1..n_prompt).map(|i| Some(score(i)))).collect()
        });
        let mut row = logits.row(n_prompt - 1).to_vec();
        let special = self.engine.model().config().special.clone();
        let stop = if ask.stop_tokens.is_empty() { &special.eos } else { &ask.stop_tokens };
        let mut constraint = ask.staircase.map(Staircase::new);
        let mut tokens = Vec::new();
        let finish = loop {
            if constraint.as_ref().is_some_and(|c| c.is_complete()) {
                break Finish::Constraint;
            }
            if tokens.len() == ask.max_tokens {
                break Finish::Length;
            }
            let raw = row.clone();
            if let Some(c) = &mut constraint {
                let mask = c.mask().expect("a mask").expect("a mask");
                let is_allowed = |t: usize| mask[t / 32] >> (t % 32) & 1 == 1;
                (0..row.len()).filter(|&t| !is_allowed(t)).for_each(|t| row[t] = f32::NEG_INFINITY);
            }
            if tokens.len() < ask.min_tokens && !ask.ignore_eos {
                stop.iter().for_each(|&t| row[t as usize] = f32::NEG_INFINITY);
            }
            let token = sample(&ask.sampling, &mut row, &history, n_prompt).expect("a token");
            if stop.contains(&token) && !ask.ignore_eos {
                break Finish::EndOfText;
            }
            if let Some(c) = &mut constraint {
                c.accept(token).expect("an allowed token");
            }
            tokens.push(self.score(&raw, token, ask.logprobs));
            history.push(token);
            if tokens.len() < ask.max_tokens {
                let work = Work { sequence, tokens: &[token], want: Want::Last };
                row = self.engine.forward(&mut [work]).expect("logits").row(0).to_vec();
            }
        };
        Answer { prompt, tokens, finish }
    }
}
