//! What a message is answered with.

use psi_infer::service::Usage as Counted;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::stop_reason;
use crate::api::conversation::{Block, Turn};

/// A whole answer.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Message {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: String,
    content: Vec<Value>,
    /// `end_turn`, `max_tokens`, `stop_sequence` or `tool_use`.
    stop_reason: Option<&'static str>,
    /// The text at which the answer ended.
    stop_sequence: Option<String>,
    usage: Usage,
}

/// Token counts. The prompt's tokens are the first three together.
#[derive(Clone, Copy, Debug, Default, JsonSchema, Serialize)]
pub(crate) struct Usage {
    input_tokens: usize,
    cache_creation_input_tokens: usize,
    cache_read_input_tokens: usize,
    output_tokens: usize,
}

/// How many tokens a conversation has.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct TokenCount {
    pub(crate) input_tokens: usize,
}

/// What all pieces of an answer share.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) model: String,
    pub(crate) shows_thoughts: bool,
}

/// Thoughts are signed so that they can be sent back; psi trusts what is sent back anyway.
pub(crate) const SIGNATURE: &str = "psi";

impl Usage {
    pub(crate) fn new(counted: Counted) -> Self {
        Self {
            input_tokens: counted.n_prompt.saturating_sub(counted.n_cached),
            cache_creation_input_tokens: 0,
            cache_read_input_tokens: counted.n_cached,
            output_tokens: counted.n_generated,
        }
    }
}

impl Message {
    pub(crate) fn new(head: &Head, turn: &Turn) -> Self {
        let is_shown = |b: &&Block| head.shows_thoughts || !matches!(b, Block::Reasoning(_));
        Self {
            content: turn.blocks.iter().filter(is_shown).map(block).collect(),
            stop_reason: Some(stop_reason(turn)),
            stop_sequence: turn.stop.clone(),
            usage: Usage::new(turn.usage),
            ..Self::empty(head)
        }
    }

    /// The message before its first block.
    pub(crate) fn empty(head: &Head) -> Self {
        Self {
            id: head.id.clone(),
            kind: "message",
            role: "assistant",
            model: head.model.clone(),
            content: Vec::new(),
            stop_reason: None,
            stop_sequence: None,
            usage: Usage::default(),
        }
    }

    /// With the token counts that are known when the answer begins.
    pub(crate) fn with_usage(self, counted: Counted) -> Self {
        Self { usage: Usage::new(counted), ..self }
    }
}

fn block(block: &Block) -> Value {
    match block {
        Block::Reasoning(text) => {
            json!({ "type": "thinking", "thinking": text, "signature": SIGNATURE })
        }
        Block::Content(text) => json!({ "type": "text", "text": text, "citations": null }),
        Block::Call(call) => {
            // The parser of calls has read the arguments as an object already.
            let input: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
            json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": input })
        }
    }
}
