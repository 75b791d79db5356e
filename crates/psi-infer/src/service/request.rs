//! What is asked of a service and what it answers.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use psi_tokenizer::TokenId;

use super::Constraint;
use crate::{SamplingParams, TokenLogprob};

/// A prompt and how it is to be continued.
pub struct Request {
    /// The prompt; at least one token.
    pub tokens: Vec<TokenId>,
    /// Most tokens of the answer; 0 only computes the prompt.
    pub max_tokens: usize,
    /// How tokens are chosen.
    pub sampling: SamplingParams,
    /// Tokens that end the answer and are not part of it; empty: the model's own.
    pub stop_tokens: Vec<TokenId>,
    /// Treat those tokens like any other.
    pub ignore_eos: bool,
    /// Tokens of the answer before which it cannot end.
    pub min_tokens: usize,
    /// Report log-probabilities, and those of this many most probable tokens, for the answer.
    pub logprobs: Option<usize>,
    /// The same for the prompt. Its tokens are then all computed, whatever the cache holds.
    pub prompt_logprobs: Option<usize>,
    /// The adapter to run with.
    pub adapter: Option<String>,
    /// What restricts the answer.
    pub constraint: Option<Box<dyn Constraint>>,
    /// Whose request it is: clients get equal shares when requests wait.
    pub client: String,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            tokens: Vec::new(),
            max_tokens: 256,
            sampling: SamplingParams::default(),
            stop_tokens: Vec::new(),
            ignore_eos: false,
            min_tokens: 0,
            logprobs: None,
            prompt_logprobs: None,
            adapter: None,
            constraint: None,
            client: String::new(),
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, max) = (self.tokens.len(), self.max_tokens);
        write!(f, "Request({n} tokens, at most {max} more, client '{}')", self.client)
    }
}

/// Where a request's events go. Called on the service's thread: it must not block.
pub type EventSink = Box<dyn FnMut(Event) + Send>;

/// What happens to a request, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It runs.
    Started {
        /// Prompt tokens whose keys and values were in the cache.
        n_cached: usize,
    },
    /// The prompt's log-probabilities; the first token has none.
    Prompt(Vec<Option<TokenScore>>),
    /// The answer's next token.
    Token(TokenScore),
    /// The answer is complete.
    Finished {
        /// Why it ended.
        reason: Finish,
        /// What it took.
        usage: Usage,
    },
    /// The answer cannot be continued.
    Failed(String),
}

/// A token and how probable the model thought it.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenScore {
    /// The token.
    pub id: TokenId,
    /// Its natural-log probability under the model, before bias, penalties, temperature and
    /// constraint; NaN when log-probabilities were not asked for.
    pub logprob: f32,
    /// The most probable tokens, as many as were asked for.
    pub top: Vec<TokenLogprob>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// A stop token was chosen.
    EndOfText,
    /// It has as many tokens as it may have.
    Length,
    /// Its constraint allows nothing more.
    Constraint,
    /// Nobody wants the rest.
    Cancelled,
}

/// Tokens of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the prompt.
    pub n_prompt: usize,
    /// Those of them that were in the cache.
    pub n_cached: usize,
    /// Of the answer, as many as there were [`Event::Token`]s.
    pub n_generated: usize,
}

/// The right to a request's answer: dropping it cancels the request.
#[derive(Debug)]
pub struct Ticket {
    cancelled: Arc<AtomicBool>,
}

impl Ticket {
    pub(super) fn new(cancelled: Arc<AtomicBool>) -> Self {
        Self { cancelled }
    }

    /// Ends the request at the next step; it finishes as [`Finish::Cancelled`] unless it has already.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// All events of a request, gathered.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The prompt's log-probabilities, when asked for.
    pub prompt: Option<Vec<Option<TokenScore>>>,
    /// The answer.
    pub tokens: Vec<TokenScore>,
    /// How it ended: finished, or failed with a reason.
    pub end: Result<(Finish, Usage), String>,
}

impl Completion {
    /// Gathers events up to the last.
    pub(super) fn collect(events: impl IntoIterator<Item = Event>) -> Self {
        let lost = Err("the service ended".to_owned());
        let mut all = Self { prompt: None, tokens: Vec::new(), end: lost };
        for event in events {
            match event {
                Event::Started { .. } => {}
                Event::Prompt(scores) => all.prompt = Some(scores),
                Event::Token(score) => all.tokens.push(score),
                Event::Finished { reason, usage } => {
                    all.end = Ok((reason, usage));
                    break;
                }
                Event::Failed(why) => {
                    all.end = Err(why);
                    break;
                }
            }
        }
        all
    }

    /// The answer's token ids.
    pub fn ids(&self) -> Vec<TokenId> {
        self.tokens.iter().map(|t| t.id).collect()
    }
}
