//! One request on its way: what it has so far, and what a row of logits adds to it.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use psi_kernels::{Cpu, softmax::log_sum_exp};
use psi_model::{Adapter, Config};
use psi_tokenizer::TokenId;

use super::{Event, EventSink, Finish, Request, SubmitError, TokenScore, Usage, constraint};
use crate::{
    Sequence,
    sampling::{sample, top_logprobs},
    speculation::{Confidence, Draftee},
};

/// A request that waits or runs.
pub(super) struct Stream {
    request: Request,
    sink: EventSink,
    cancelled: Arc<AtomicBool>,
    /// The prompt and the answer so far.
    pub(super) history: Vec<TokenId>,
    n_prompt: usize,
    /// Its place in the cache: the first tokens of `history`, up to all but the last.
    pub(super) sequence: Sequence,
    /// Its place in the draft model's cache.
    pub(super) draft_sequence: Sequence,
    pub(super) confidence: Confidence,
    n_cached: usize,
    /// As many of the prompt's log-probabilities as are computed; `None`: not wanted, or sent.
    prompt_scores: Option<Vec<Option<TokenScore>>>,
    is_started: bool,
    /// The last event, once it is known.
    end: Option<End>,
}

/// How a request ends.
enum End {
    Finished(Finish),
    Failed(String),
}

impl Stream {
    /// Checks a request against the model and the longest that one may be.
    pub(super) fn new(
        mut request: Request,
        sink: EventSink,
        cancelled: &Arc<AtomicBool>,
        adapter: Option<Arc<Adapter>>,
        (config, limit): (&Config, usize),
    ) -> Result<Self, SubmitError> {
        check(&request, config, limit)?;
        if request.stop_tokens.is_empty() {
            request.stop_tokens.clone_from(&config.special.eos);
        }
        let history = std::mem::take(&mut request.tokens);
        let n_prompt = history.len();
        let sequence = Sequence::with_adapter(n_prompt + request.max_tokens, adapter);
        let prompt_scores = request.prompt_logprobs.map(|_| vec![None]);
        Ok(Self {
            request,
            sink,
            cancelled: Arc::clone(cancelled),
            history,
            n_prompt,
            sequence,
            draft_sequence: Sequence::new(limit),
            confidence: Confidence::new(),
            n_cached: 0,
            prompt_scores,
            is_started: false,
            end: None,
        })
    }

    pub(super) fn client(&self) -> &str {
        &self.request.client
    }

    #[cfg(test)]
    pub(super) fn seed(&self) -> u64 {
        self.request.sampling.seed
    }

    /// Tokens that it asks for.
    pub(super) fn cost(&self) -> usize {
        self.n_prompt + self.request.max_tokens
    }

    pub(super) fn n_prompt(&self) -> usize {
        self.n_prompt
    }

    /// Tokens that may be guessed: after them there must be room for one more.
    pub(super) fn n_to_guess(&self) -> usize {
        let left = self.request.max_tokens.saturating_sub(self.n_generated() + 1);
        left.min(self.confidence.n())
    }

    /// How many of `tokens`, computed from position `start` on, the history goes by.
    pub(super) fn n_right(&self, start: usize, tokens: &[TokenId]) -> usize {
        let same = self.history[start..].iter().zip(tokens).take_while(|(a, b)| a == b);
        same.count()
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Whether all but the newest token are in the cache: it decodes.
    pub(super) fn is_decoding(&self) -> bool {
        self.sequence.len() + 1 == self.history.len()
    }

    /// Whether every row of its next tokens is needed, not only the last.
    pub(super) fn scores_prompt(&self) -> bool {
        self.prompt_scores.is_some()
    }

    /// Says that it runs, the first time.
    pub(super) fn start(&mut self) -> bool {
        let is_first = !std::mem::replace(&mut self.is_started, true);
        if is_first {
            self.emit(Event::Started { n_cached: self.n_cached });
        }
        is_first
    }

    /// Counts tokens of the prompt that were not to be computed.
    pub(super) fn found_in_cache(&mut self, n_tokens: usize) {
        if self.n_generated() == 0 {
            self.n_cached += n_tokens;
        }
    }

    /// What a draft model needs to guess up to `n` tokens.
    pub(super) fn draftee(&mut self, n: usize) -> Draftee<'_> {
        Draftee {
            n: n.min(self.n_to_guess()),
            sequence: &mut self.draft_sequence,
            history: &self.history,
            n_prompt: self.n_prompt,
            sampling: &self.request.sampling,
            draft: Vec::new(),
        }
    }

    /// Gives its place in the cache up; its tokens will be computed again.
    pub(super) fn pause(&mut self) -> Sequence {
        let again = Sequence::with_adapter(self.sequence.limit(), self.sequence.adapter().cloned());
        std::mem::replace(&mut self.sequence, again)
    }

    /// Has no place in any cache: the caches are gone.
    pub(super) fn forget(&mut self) {
        drop(self.pause());
        self.draft_sequence = Sequence::new(self.draft_sequence.limit());
    }

    /// Takes the logits after the token at `position`: a log-probability of the prompt, or the answer's
    /// next token. Returns the tokens that the answer gained.
    pub(super) fn take_row(&mut self, cpu: &Cpu, position: usize, logits: &mut [f32]) -> usize {
        let next = position + 1;
        if next < self.history.len() {
            if let (Some(n), Some(scores)) = (self.request.prompt_logprobs, &mut self.prompt_scores)
                && next == scores.len()
            {
                scores.push(Some(scored(cpu, logits, self.history[next], n)));
            }
            return 0;
        }
        if let Some(scores) = self.prompt_scores.take() {
            self.emit(Event::Prompt(scores));
        }
        let before = self.history.len();
        // A constraint is foreign code, and its grammar was written by whoever asks.
        let chosen = catch_unwind(AssertUnwindSafe(|| self.extend(cpu, logits)));
        let chosen = chosen.unwrap_or_else(|_| Err("the constraint stopped working".to_owned()));
        match chosen {
            Ok(None) => {}
            Ok(Some(reason)) => self.finish(reason),
            Err(why) => self.fail(why),
        }
        self.history.len() - before
    }

    /// Chooses the next token, and those that are forced after it; returns why the answer ends.
    fn extend(&mut self, cpu: &Cpu, logits: &mut [f32]) -> Result<Option<Finish>, String> {
        if let Some(reason) = self.is_full() {
            return Ok(Some(reason));
        }
        let raw = self.request.logprobs.map(|n| (n, logits.to_vec()));
        let token = self.choose(logits)?;
        if self.stops_at(token) {
            return Ok(Some(Finish::EndOfText));
        }
        let score = match raw {
            Some((n, raw)) => scored(cpu, &raw, token, n),
            None => unscored(token),
        };
        self.accept(score)?;
        while self.is_full().is_none()
            && let Some(token) = self.forced()?
        {
            self.accept(unscored(token))?;
        }
        Ok(self.is_full())
    }

    fn n_generated(&self) -> usize {
        self.history.len() - self.n_prompt
    }

    fn is_full(&self) -> Option<Finish> {
        if self.request.constraint.as_ref().is_some_and(|c| c.is_complete()) {
            return Some(Finish::Constraint);
        }
        (self.n_generated() >= self.request.max_tokens).then_some(Finish::Length)
    }

    fn stops_at(&self, token: TokenId) -> bool {
        !self.request.ignore_eos && self.request.stop_tokens.contains(&token)
    }

    fn choose(&mut self, logits: &mut [f32]) -> Result<TokenId, String> {
        if let Some(constraint) = &mut self.request.constraint
            && let Some(mask) = constraint.mask().map_err(|e| e.to_string())?
        {
            constraint::apply(mask, logits);
        }
        let n_generated = self.n_generated();
        let Request { sampling, min_tokens, stop_tokens, ignore_eos, .. } = &self.request;
        if n_generated < *min_tokens && !ignore_eos {
            stop_tokens.iter().for_each(|&t| logits[t as usize] = f32::NEG_INFINITY);
        }
        sample(sampling, logits, &self.history, self.n_prompt)
            .ok_or_else(|| "no token can be chosen: all are banned or not a number".to_owned())
    }

    /// The token that must come next whatever the model says, when nobody wants to know what it says.
    fn forced(&mut self) -> Result<Option<TokenId>, String> {
        if self.request.logprobs.is_some() {
            return Ok(None);
        }
        let Some(constraint) = &mut self.request.constraint else { return Ok(None) };
        let mask = constraint.mask().map_err(|e| e.to_string())?;
        let token = mask.and_then(constraint::forced);
        let is_plain = |t: &TokenId| {
            let bias = self.request.sampling.logit_bias.get(t);
            !self.request.stop_tokens.contains(t) && bias.is_none_or(|b| b.is_finite())
        };
        Ok(token.filter(is_plain))
    }

    fn accept(&mut self, score: TokenScore) -> Result<(), String> {
        if let Some(constraint) = &mut self.request.constraint {
            constraint.accept(score.id).map_err(|e| e.to_string())?;
        }
        self.history.push(score.id);
        self.emit(Event::Token(score));
        Ok(())
    }

    /// Decides the end, unless it is already decided.
    pub(super) fn finish(&mut self, reason: Finish) {
        self.end.get_or_insert(End::Finished(reason));
    }

    /// Decides that it fails, unless its end is already decided.
    pub(super) fn fail(&mut self, why: String) {
        self.end.get_or_insert(End::Failed(why));
    }

    /// Its places in the caches, to be given back; afterwards it can only be closed.
    pub(super) fn take_places(&mut self) -> (Sequence, Sequence) {
        let take = |sequence| std::mem::replace(sequence, Sequence::new(0));
        (take(&mut self.sequence), take(&mut self.draft_sequence))
    }

    /// Says how it ended.
    pub(super) fn close(mut self) {
        let usage = Usage {
            n_prompt: self.n_prompt,
            n_cached: self.n_cached,
            n_generated: self.n_generated(),
        };
        let event = match self.end.take() {
            Some(End::Finished(reason)) => Event::Finished { reason, usage },
            Some(End::Failed(why)) => Event::Failed(why),
            None => Event::Finished { reason: Finish::Cancelled, usage },
        };
        self.emit(event);
    }

    /// Calls the sink; one that panics gets nothing more and its request is cancelled.
    fn emit(&mut self, event: Event) {
        let sink = &mut self.sink;
        if catch_unwind(AssertUnwindSafe(|| sink(event))).is_err() {
            self.sink = Box::new(|_| {});
            self.finish(Finish::Cancelled);
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({:?}, {} of {})", self.request, self.sequence.len(), self.history.len())
    }
}

fn check(request: &Request, config: &Config, limit: usize) -> Result<(), SubmitError> {
    let Request { tokens, max_tokens, sampling, stop_tokens, min_tokens, .. } = request;
    let vocab_size = config.vocab_size;
    check_tokens("prompt", tokens, vocab_size)?;
    if tokens.is_empty() {
        return Err(SubmitError::bad("prompt", "is empty"));
    }
    check_tokens("stop_tokens", stop_tokens, vocab_size)?;
    sampling.validate(vocab_size).map_err(|e| {
        SubmitError::bad(e.name, format!("is {}, but must be {}", e.value, e.allowed))
    })?;
    if min_tokens > max_tokens {
        let why = format!("is {min_tokens}, more than max_tokens {max_tokens}");
        return Err(SubmitError::bad("min_tokens", why));
    }
    let (n_prompt, max_tokens) = (tokens.len(), *max_tokens);
    if n_prompt.saturating_add(max_tokens) > limit {
        return Err(SubmitError::ContextOverflow { n_prompt, max_tokens, limit });
    }
    Ok(())
}

/// Checks that tokens are in the vocabulary.
pub(super) fn check_tokens(
    field: &'static str,
    tokens: &[TokenId],
    vocab_size: usize,
) -> Result<(), SubmitError> {
    match tokens.iter().find(|&&t| t as usize >= vocab_size) {
        None => Ok(()),
        Some(token) => {
            let why = format!("holds token {token}, outside the vocabulary of {vocab_size}");
            Err(SubmitError::bad(field, why))
        }
    }
}

/// `token` with its log-probability and the `n` most probable ones.
fn scored(cpu: &Cpu, logits: &[f32], token: TokenId, n: usize) -> TokenScore {
    let mut lse = [0.0];
    log_sum_exp(cpu, logits, logits.len(), &mut lse);
    let top = if n == 0 { Vec::new() } else { top_logprobs(logits, lse[0], n) };
    TokenScore { id: token, logprob: logits[token as usize] - lse[0], top }
}

fn unscored(token: TokenId) -> TokenScore {
    TokenScore { id: token, logprob: f32::NAN, top: Vec::new() }
}
