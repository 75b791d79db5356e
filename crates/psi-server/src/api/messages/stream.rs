//! The events of a streamed message.

use psi_infer::chat::ChatEvent;
use serde_json::{Value, json};

use super::{
    answer::{Head, Message, SIGNATURE, Usage},
    stop_reason,
};
use crate::api::{
    conversation::Turn,
    error::{ApiError, Dialect},
    jobs::Jobs,
    sse::{Frame, Script, error_frame},
};

/// Blocks in Anthropic's order: each is started, grows, and is stopped before the next.
pub(crate) struct Stream {
    head: Head,
    turn: Turn,
    has_started: bool,
    open: Option<Kind>,
    n_blocks: usize,
}

/// What the open block is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Thinking,
    Text,
    ToolUse,
}

impl Stream {
    pub(crate) fn new(head: Head) -> Self {
        Self { head, turn: Turn::default(), has_started: false, open: None, n_blocks: 0 }
    }

    /// Stops the open block.
    fn close(&mut self, frames: &mut Vec<Frame>) {
        let Some(kind) = self.open.take() else { return };
        if kind == Kind::Thinking {
            frames.push(self.delta(&json!({ "type": "signature_delta", "signature": SIGNATURE })));
        }
        let index = self.n_blocks - 1;
        let stop = json!({ "type": "content_block_stop", "index": index });
        frames.push(Frame::named("content_block_stop", &stop));
    }

    /// Makes sure that a block of this kind is open.
    fn open(&mut self, kind: Kind, block: &Value, frames: &mut Vec<Frame>) {
        if self.open == Some(kind) && kind != Kind::ToolUse {
            return;
        }
        self.close(frames);
        let index = self.n_blocks;
        let start =
            json!({ "type": "content_block_start", "index": index, "content_block": block });
        frames.push(Frame::named("content_block_start", &start));
        self.n_blocks += 1;
        self.open = Some(kind);
    }

    fn delta(&self, delta: &Value) -> Frame {
        let index = self.n_blocks - 1;
        let event = json!({ "type": "content_block_delta", "index": index, "delta": delta });
        Frame::named("content_block_delta", &event)
    }

    fn start_message(&mut self, frames: &mut Vec<Frame>) {
        if !std::mem::replace(&mut self.has_started, true) {
            let message = Message::empty(&self.head).with_usage(self.turn.usage);
            let event = json!({ "type": "message_start", "message": message });
            frames.push(Frame::named("message_start", &event));
        }
    }
}

impl Script<ChatEvent> for Stream {
    fn start(&mut self) -> Vec<Frame> {
        Vec::new()
    }

    fn event(
        &mut self,
        index: usize,
        event: ChatEvent,
        jobs: &mut Jobs<ChatEvent>,
    ) -> Result<Vec<Frame>, ApiError> {
        let is_over = self.turn.event(event.clone())?;
        let mut frames = Vec::new();
        self.start_message(&mut frames);
        match event {
            ChatEvent::Reasoning(_) if !self.head.shows_thoughts => {}
            ChatEvent::Reasoning(text) => {
                let block = json!({ "type": "thinking", "thinking": "", "signature": "" });
                self.open(Kind::Thinking, &block, &mut frames);
                frames.push(self.delta(&json!({ "type": "thinking_delta", "thinking": text })));
            }
            ChatEvent::Content(text) => {
                let block = json!({ "type": "text", "text": "", "citations": null });
                self.open(Kind::Text, &block, &mut frames);
                frames.push(self.delta(&json!({ "type": "text_delta", "text": text })));
            }
            ChatEvent::ToolCall { id, name, .. } => {
                let block = json!({ "type": "tool_use", "id": id, "name": name, "input": {} });
                self.open(Kind::ToolUse, &block, &mut frames);
            }
            ChatEvent::ToolArguments { fragment, .. } => {
                let delta = json!({ "type": "input_json_delta", "partial_json": fragment });
                frames.push(self.delta(&delta));
            }
            _ => {}
        }
        if is_over {
            jobs.end(index);
            self.close(&mut frames);
        }
        Ok(frames)
    }

    fn end(&mut self) -> Vec<Frame> {
        let delta =
            json!({ "stop_reason": stop_reason(&self.turn), "stop_sequence": self.turn.stop });
        let usage = Usage::new(self.turn.usage);
        let event = json!({ "type": "message_delta", "delta": delta, "usage": usage });
        let stop = json!({ "type": "message_stop" });
        vec![Frame::named("message_delta", &event), Frame::named("message_stop", &stop)]
    }

    fn fail(&mut self, error: &ApiError, request_id: &str) -> Vec<Frame> {
        error_frame(error, Dialect::Anthropic, request_id)
    }
}
