//! The events of a streamed chat completion.

use psi_infer::chat::{ChatEvent, TokenText};
use serde_json::{Value, json};

use super::answer::{ChatCompletion, Head, Logprobs, Usage};
use crate::api::{
    conversation::Turn,
    error::{ApiError, Dialect},
    jobs::Jobs,
    padding::pad,
    sampling::Extras,
    sse::{Frame, Script, error_frame},
    stored_chat::Keeper,
};

/// Chunks in OpenAI's shape; the whole answer is put together beside them, so that a stream and a
/// document tell the same.
pub(crate) struct Stream {
    head: Head,
    turns: Vec<Turn>,
    /// Whether the chunk with the role has been sent, per answer.
    opened: Vec<bool>,
    /// Log-probabilities of tokens that no chunk has shown yet, per answer, where they are asked for: they go with the text
    /// that the tokens become.
    scores: Option<Vec<Vec<TokenText>>>,
    extras: Extras,
    keep: Option<Keeper>,
}

impl Stream {
    pub(crate) fn new(head: Head, n: usize, extras: Extras, keep: Option<Keeper>) -> Self {
        let turns = (0..n).map(|_| Turn::default()).collect();
        Self { head, turns, opened: vec![false; n], scores: None, extras, keep }
    }

    /// The same with log-probabilities.
    pub(crate) fn with_logprobs(self) -> Self {
        let scores = Some(vec![Vec::new(); self.turns.len()]);
        Self { scores, ..self }
    }

    /// What the next chunk of an answer says of its tokens.
    fn logprobs(&mut self, index: usize) -> Value {
        match &mut self.scores {
            None => Value::Null,
            Some(scores) => json!(Logprobs::new(&std::mem::take(&mut scores[index]))),
        }
    }

    fn chunk(&self, index: usize, delta: &Value, logprobs: &Value, finish: Option<&str>) -> Frame {
        let choice = json!({ "index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish });
        let mut chunk = self.head.chunk(&json!([choice]));
        if self.extras.usage {
            chunk["usage"] = Value::Null;
        }
        if self.extras.padding {
            pad(&mut chunk, delta);
        }
        Frame::data(&chunk)
    }
}

/// What a chunk says about an event, if anything.
fn delta(event: &ChatEvent) -> Option<Value> {
    Some(match event {
        ChatEvent::Reasoning(text) => json!({ "reasoning_content": text }),
        ChatEvent::Content(text) => json!({ "content": text }),
        ChatEvent::ToolCall { index, id, name } => json!({ "tool_calls": [{
            "index": index,
            "id": id,
            "type": "function",
            "function": { "name": name, "arguments": "" },
        }] }),
        ChatEvent::ToolArguments { index, fragment } => {
            json!({ "tool_calls": [{ "index": index, "function": { "arguments": fragment } }] })
        }
        ChatEvent::Finished { .. } => json!({}),
        ChatEvent::Started { .. }
        | ChatEvent::Logprobs(_)
        | ChatEvent::Malformed(_)
        | ChatEvent::Failed(_) => return None,
    })
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
        let mut frames = Vec::new();
        if !std::mem::replace(&mut self.opened[index], true) {
            let role = json!({ "role": "assistant", "content": null });
            frames.push(self.chunk(index, &role, &Value::Null, None));
        }
        let delta = delta(&event);
        if let (ChatEvent::Logprobs(tokens), Some(scores)) = (&event, &mut self.scores) {
            scores[index].extend(tokens.iter().cloned());
        }
        let is_over = self.turns[index].event(event)?;
        let finish = is_over.then(|| self.turns[index].finish_name());
        if is_over {
            jobs.end(index);
        }
        if let Some(delta) = delta {
            let logprobs = self.logprobs(index);
            frames.push(self.chunk(index, &delta, &logprobs, finish));
        }
        Ok(frames)
    }

    fn end(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        let turns = std::mem::take(&mut self.turns);
        if self.extras.usage {
            let counts: Vec<_> = turns.iter().map(|t| t.usage).collect();
            let mut chunk = self.head.chunk(&json!([]));
            chunk["usage"] = json!(Usage::of(&counts));
            frames.push(Frame::data(&chunk));
        }
        if let Some(keep) = self.keep.take() {
            keep.keep(&ChatCompletion::new(self.head.clone(), &turns));
        }
        frames.push(Frame { name: None, data: "[DONE]".to_owned() });
        frames
    }

    fn fail(&mut self, error: &ApiError, request_id: &str) -> Vec<Frame> {
        error_frame(error, Dialect::OpenAi, request_id)
    }
}
