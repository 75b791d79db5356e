//! An answer while it is written: its pieces put together, and when to keep what there is.

use std::time::Instant;

use serde_json::Value;

use super::SAVE_EVERY;
use crate::{
    agent::{AgentEvent, Input, ProposedCall},
    conversation::{Draft, MessageId, MessageState, ToolCall},
    model::{FinishReason, SourceEvent},
};

pub(super) struct Writing {
    id: MessageId,
    draft: Draft,
    calls: Vec<ProposedCall>,
    started: Instant,
    saved: Instant,
    is_dirty: bool,
}

impl Writing {
    pub(super) fn new(id: MessageId, draft: Draft) -> Self {
        let now = Instant::now();
        Self { id, draft, calls: Vec::new(), started: now, saved: now, is_dirty: false }
    }

    pub(super) fn id(&self) -> MessageId {
        self.id
    }

    /// When what there is must be kept; `None`: it is.
    pub(super) fn due(&self) -> Option<Instant> {
        self.is_dirty.then(|| self.saved + SAVE_EVERY)
    }

    pub(super) fn is_due(&self) -> bool {
        self.due().is_some_and(|at| Instant::now() >= at)
    }

    /// What there is, which then counts as kept.
    pub(super) fn take_saved(&mut self) -> (MessageId, &Draft) {
        self.is_dirty = false;
        self.saved = Instant::now();
        (self.id, &self.draft)
    }

    /// The event that a piece of the answer is for those who watch.
    pub(super) fn shown(&self, event: &SourceEvent) -> Option<AgentEvent> {
        let message = self.id;
        match event {
            SourceEvent::Reasoning(text) => {
                Some(AgentEvent::Reasoning { message, text: text.clone() })
            }
            SourceEvent::Content(text) => Some(AgentEvent::Content { message, text: text.clone() }),
            SourceEvent::Voted(votes) => Some(AgentEvent::Voted { message, votes: *votes }),
            _ => None,
        }
    }

    /// Adds a piece. The last one returns what the loop is told.
    pub(super) fn take(&mut self, event: SourceEvent) -> Option<Input> {
        match event {
            SourceEvent::Started { n_prompt, n_cached } => {
                let usage = self.draft.details.usage.get_or_insert_default();
                (usage.n_prompt, usage.n_cached) = (n_prompt, n_cached);
            }
            SourceEvent::Reasoning(text) => {
                self.piece();
                self.draft.reasoning.push_str(&text);
            }
            SourceEvent::Content(text) => {
                self.piece();
                self.draft.content.push_str(&text);
            }
            // Models count their calls from 0 in every answer: the message's number makes the name unique.
            SourceEvent::Call { index, name, .. } => {
                self.piece();
                let id = format!("call_{}_{index}", self.id);
                self.calls.push(ProposedCall { id, name, arguments: String::new() });
            }
            SourceEvent::Arguments { index, fragment } => {
                let call = self.calls.get_mut(index)?;
                call.arguments.push_str(&fragment);
            }
            SourceEvent::Voted(votes) => {
                self.is_dirty = true;
                self.draft.details.votes = Some(votes);
            }
            SourceEvent::Finished { reason, usage } => {
                self.draft.state = match reason {
                    FinishReason::Cancelled => MessageState::Stopped,
                    _ => MessageState::Complete,
                };
                self.draft.details.usage = Some(usage);
                self.draft.details.finish = Some(reason.name().to_owned());
                self.close();
                return Some(Input::Generated {
                    calls: self.calls.clone(),
                    is_cut: reason == FinishReason::Length,
                    n_generated: usage.n_generated,
                });
            }
            SourceEvent::Failed(why) => {
                self.draft.state = MessageState::Failed;
                self.draft.details.error = Some(why.clone());
                self.close();
                return Some(Input::GenerationFailed(why));
            }
        }
        None
    }

    pub(super) fn into_draft(self) -> Draft {
        self.draft
    }

    fn piece(&mut self) {
        self.is_dirty = true;
        let since = self.started;
        self.draft.details.first_ms.get_or_insert_with(|| since.elapsed().as_millis() as u64);
    }

    fn close(&mut self) {
        self.draft.details.total_ms = Some(self.started.elapsed().as_millis() as u64);
        self.draft.tool_calls = self.calls.iter().map(kept).collect();
    }
}

/// A call as it is kept: arguments that are not JSON as the text they are.
fn kept(call: &ProposedCall) -> ToolCall {
    let text = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
    let arguments =
        serde_json::from_str(text).unwrap_or_else(|_| Value::String(call.arguments.clone()));
    ToolCall { id: call.id.clone(), name: call.name.clone(), arguments }
}
