//! One answer on its way: tokens from the service become the events of a conversation.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use psi_tokenizer::Tokenizer;

use super::{ChatEvent, ChatFinish, ChatSink, Delta, OutputParser, ToolCall, request::TokenText};
use crate::{
    StopMatcher,
    service::{Event, Finish, TokenScore, Usage},
    text::TextStream,
};

/// Turns service events into chat events.
pub(super) struct Session {
    pub(super) sink: ChatSink,
    pub(super) tokenizer: Arc<Tokenizer>,
    pub(super) text: TextStream,
    pub(super) parser: OutputParser,
    /// stop strings of the content
    pub(super) stops: StopMatcher,
    pub(super) usage: Usage,
    pub(super) wants_logprobs: bool,
    /// tells the request's constraint that the answer is over
    pub(super) is_over: Arc<AtomicBool>,
    /// the last event was sent
    pub(super) has_ended: bool,
}

impl Session {
    /// Takes the service's next event.
    pub(super) fn take(&mut self, event: Event) {
        if self.has_ended {
            return;
        }
        match event {
            Event::Started { n_cached } => {
                self.usage.n_cached = n_cached;
                let n_prompt = self.usage.n_prompt;
                self.send(ChatEvent::Started { n_prompt, n_cached });
            }
            Event::Prompt(_) => {}
            Event::Token(score) => self.token(&score),
            Event::Finished { reason, .. } => self.finish(reason),
            Event::Failed(why) => {
                self.send(ChatEvent::Failed(why));
                self.has_ended = true;
            }
        }
    }

    fn token(&mut self, score: &TokenScore) {
        self.usage.n_generated += 1;
        if self.wants_logprobs {
            self.send(ChatEvent::Logprobs(vec![TokenText::of(&self.tokenizer, score)]));
        }
        let piece = self.text.push(score.id);
        if piece.is_empty() {
            return;
        }
        for delta in self.parser.push(&piece) {
            self.delta(delta);
        }
        if self.parser.is_done() {
            self.end(ChatFinish::ToolCalls, None);
        }
    }

    fn delta(&mut self, delta: Delta) {
        if self.has_ended {
            return;
        }
        match delta {
            Delta::Reasoning(text) => self.send(ChatEvent::Reasoning(text)),
            Delta::Content(text) => {
                let step = self.stops.push(&text);
                self.content(step.text);
                if step.stopped_by.is_some() {
                    self.end(ChatFinish::Stop, step.stopped_by);
                }
            }
            Delta::Malformed(why) => self.send(ChatEvent::Malformed(why)),
            Delta::Call(ToolCall { index, id, name, arguments }) => {
                let held = self.stops.finish();
                self.content(held);
                self.send(ChatEvent::ToolCall { index, id, name });
                self.send(ChatEvent::ToolArguments { index, fragment: arguments });
            }
        }
    }

    fn content(&mut self, text: String) {
        if !text.is_empty() {
            self.send(ChatEvent::Content(text));
        }
    }

    fn finish(&mut self, reason: Finish) {
        let rest = self.text.finish();
        let mut deltas = self.parser.push(&rest);
        deltas.extend(self.parser.finish());
        for delta in deltas {
            self.delta(delta);
        }
        if self.has_ended {
            return;
        }
        let held = self.stops.finish();
        self.content(held);
        let reason = match reason {
            Finish::Length => ChatFinish::Length,
            Finish::Cancelled => ChatFinish::Cancelled,
            Finish::EndOfText | Finish::Constraint if self.parser.n_calls() > 0 => {
                ChatFinish::ToolCalls
            }
            Finish::EndOfText | Finish::Constraint => ChatFinish::Stop,
        };
        self.end(reason, None);
    }

    fn end(&mut self, reason: ChatFinish, stop: Option<String>) {
        self.is_over.store(true, Ordering::Relaxed);
        self.has_ended = true;
        let usage = self.usage;
        self.send(ChatEvent::Finished { reason, usage, stop });
    }

    fn send(&mut self, event: ChatEvent) {
        (self.sink)(event);
    }
}
