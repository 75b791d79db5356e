//! From one answer's events to its text and log-probabilities, at once or in pieces.

use std::{collections::BTreeMap, sync::Arc};

use psi_infer::{
    service::{Event, Finish, TokenScore, Usage},
    text::TextStream,
};
use psi_tokenizer::{Detokenizer, TokenId, Tokenizer};
use serde_json::json;

use super::{
    answer::{self, Choice, Head, Logprobs},
    request::PromptTokens,
};
use crate::api::{
    error::{ApiError, Dialect},
    jobs::Jobs,
    padding::pad,
    sampling::Extras,
    sse::{Frame, Script, error_frame},
};

/// Puts one answer together.
pub(crate) struct Writer {
    tokenizer: Arc<Tokenizer>,
    prompt: Vec<TokenId>,
    stream: TextStream,
    text: String,
    /// Text that a stream has been given already, in bytes.
    n_sent: usize,
    logprobs: Option<(usize, Logprobs)>,
    /// Finds where tokens begin in the text.
    offsets: Detokenizer,
    n_chars: usize,
    sum_logprob: f64,
    usage: Usage,
    finish: Option<&'static str>,
}

impl Writer {
    pub(crate) fn new(
        tokenizer: &Arc<Tokenizer>,
        prompt: &PromptTokens,
        stop: &[String],
        echo: bool,
        logprobs: Option<usize>,
    ) -> Self {
        let echoed = match &prompt.text {
            Some(text) => text.clone(),
            None => tokenizer.decode(&prompt.ids, false),
        };
        Self {
            tokenizer: Arc::clone(tokenizer),
            prompt: prompt.ids.clone(),
            stream: TextStream::new(Arc::clone(tokenizer), stop),
            text: if echo { echoed } else { String::new() },
            n_sent: 0,
            logprobs: logprobs.map(|n| (n, Logprobs::default())),
            offsets: Detokenizer::new(false),
            n_chars: 0,
            sum_logprob: 0.0,
            usage: Usage { n_prompt: prompt.ids.len(), ..Usage::default() },
            finish: None,
        }
    }

    /// Takes an event; whether the answer is over.
    pub(crate) fn event(&mut self, event: Event) -> Result<bool, ApiError> {
        match event {
            Event::Started { n_cached } => self.usage.n_cached = n_cached,
            Event::Prompt(scores) => {
                let ids = std::mem::take(&mut self.prompt);
                for (&id, score) in ids.iter().zip(&scores) {
                    self.score(id, score.as_ref());
                }
            }
            Event::Token(score) => {
                self.usage.n_generated += 1;
                self.sum_logprob += f64::from(score.logprob);
                let piece = self.stream.push(score.id);
                self.text.push_str(&piece);
                self.score(score.id, Some(&score));
                if self.stream.stopped_by().is_some() {
                    self.finish = Some("stop");
                }
            }
            Event::Finished { reason, .. } => {
                let rest = self.stream.finish();
                self.text.push_str(&rest);
                self.finish = Some(match reason {
                    Finish::EndOfText | Finish::Constraint => "stop",
                    Finish::Length => "length",
                    Finish::Cancelled => return Err(ApiError::Draining),
                });
            }
            Event::Failed(why) => return Err(ApiError::Failed(why)),
        }
        Ok(self.finish.is_some())
    }

    fn score(&mut self, id: TokenId, score: Option<&TokenScore>) {
        let Some((n, logprobs)) = &mut self.logprobs else { return };
        let name = |id: TokenId| name(&self.tokenizer, id);
        logprobs.tokens.push(name(id));
        logprobs.text_offset.push(self.n_chars);
        self.n_chars += self.offsets.push(&self.tokenizer, id).chars().count();
        logprobs.token_logprobs.push(score.map(|s| s.logprob));
        let top = score.filter(|_| *n > 0).map(|score| {
            // Tokens that are not whole characters may share a name: the most probable one counts.
            let mut top: BTreeMap<String, f32> = BTreeMap::new();
            let entries = score.top.iter().map(|t| (t.token, t.logprob));
            for (id, logprob) in entries.chain([(score.id, score.logprob)]) {
                let entry = top.entry(name(id)).or_insert(logprob);
                *entry = entry.max(logprob);
            }
            top
        });
        logprobs.top_logprobs.push(top);
    }

    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    /// The mean log-probability of the answer's tokens.
    pub(crate) fn mean_logprob(&self) -> f64 {
        match self.usage.n_generated {
            0 => f64::NEG_INFINITY,
            n => self.sum_logprob / n as f64,
        }
    }

    pub(crate) fn into_choice(self, index: u32) -> Choice {
        let logprobs = self.logprobs.map(|(_, logprobs)| logprobs);
        Choice { index, text: self.text, logprobs, finish_reason: self.finish.unwrap_or("stop") }
    }

    /// What a stream has not been given yet.
    fn piece(&mut self, index: usize) -> Option<serde_json::Value> {
        let text = &self.text[self.n_sent..];
        let logprobs = self.logprobs.as_mut().map(|(_, logprobs)| logprobs.take());
        let has_scores = logprobs.as_ref().is_some_and(|l| !l.tokens.is_empty());
        if text.is_empty() && !has_scores && self.finish.is_none() {
            return None;
        }
        let piece = json!({
            "index": index,
            "text": text,
            "logprobs": logprobs,
            "finish_reason": self.finish,
        });
        self.n_sent = self.text.len();
        Some(piece)
    }
}

/// A token's own text; bytes that are no whole character are spelt out.
fn name(tokenizer: &Tokenizer, id: TokenId) -> String {
    let bytes = tokenizer.token_bytes(id);
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            let hex: String = bytes.iter().map(|b| format!("\\x{b:02x}")).collect();
            format!("bytes:{hex}")
        }
    }
}

/// The events of a streamed completion.
pub(crate) struct Stream {
    head: Head,
    writers: Vec<Writer>,
    n_per_prompt: usize,
    extras: Extras,
}

impl Stream {
    pub(crate) fn new(
        head: Head,
        writers: Vec<Writer>,
        n_per_prompt: usize,
        extras: Extras,
    ) -> Self {
        Self { head, writers, n_per_prompt, extras }
    }
}

impl Script<Event> for Stream {
    fn start(&mut self) -> Vec<Frame> {
        Vec::new()
    }

    fn event(
        &mut self,
        index: usize,
        event: Event,
        jobs: &mut Jobs<Event>,
    ) -> Result<Vec<Frame>, ApiError> {
        let writer = &mut self.writers[index];
        if writer.event(event)? {
            jobs.end(index);
        }
        let piece = writer.piece(index);
        let frame = |piece: serde_json::Value| {
            let mut chunk = self.head.chunk(&json!([&piece]));
            if self.extras.padding {
                pad(&mut chunk, &piece);
            }
            Frame::data(&chunk)
        };
        Ok(piece.map(frame).into_iter().collect())
    }

    fn end(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        if self.extras.usage {
            let usage = answer::Usage::of(&self.writers, self.n_per_prompt);
            let mut chunk = self.head.chunk(&json!([]));
            chunk["usage"] = json!(usage);
            frames.push(Frame::data(&chunk));
        }
        frames.push(Frame { name: None, data: "[DONE]".to_owned() });
        frames
    }

    fn fail(&mut self, error: &ApiError, request_id: &str) -> Vec<Frame> {
        error_frame(error, Dialect::OpenAi, request_id)
    }
}
