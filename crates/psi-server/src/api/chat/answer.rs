//! What a chat completion is answered with.

use psi_infer::chat::TokenText;
use psi_infer::service::Usage as Counted;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::conversation::{Turn, TurnCall};

/// A whole answer.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct ChatCompletion {
    id: String,
    object: &'static str,
    created: u64,
    model: String,
    choices: Vec<Choice>,
    usage: Usage,
    system_fingerprint: &'static str,
}

/// One answer.
#[derive(Debug, JsonSchema, Serialize)]
struct Choice {
    index: usize,
    message: Message,
    logprobs: Option<Logprobs>,
    /// `stop`, `length` or `tool_calls`.
    finish_reason: &'static str,
}

/// What the model said.
#[derive(Debug, JsonSchema, Serialize)]
struct Message {
    role: &'static str,
    /// `null` beside tool calls without text.
    content: Option<String>,
    refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    tool_calls: Vec<ToolCall>,
}

/// A call that the client should make.
#[derive(Debug, JsonSchema, Serialize)]
struct ToolCall {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    function: FunctionCall,
}

/// Which function, with what.
#[derive(Debug, JsonSchema, Serialize)]
struct FunctionCall {
    name: String,
    /// The text of a JSON object.
    arguments: String,
}

/// Log-probabilities of the answer's tokens.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Logprobs {
    content: Vec<TokenLogprob>,
    refusal: Option<Vec<TokenLogprob>>,
}

/// One token's.
#[derive(Debug, JsonSchema, Serialize)]
struct TokenLogprob {
    token: String,
    logprob: f32,
    bytes: Vec<u8>,
    top_logprobs: Vec<TopLogprob>,
}

/// One of the most probable tokens.
#[derive(Debug, JsonSchema, Serialize)]
struct TopLogprob {
    token: String,
    logprob: f32,
    bytes: Vec<u8>,
}

/// Token counts.
#[derive(Clone, Copy, Debug, Default, JsonSchema, Serialize)]
pub(crate) struct Usage {
    prompt_tokens: usize,
    completion_tokens: usize,
    total_tokens: usize,
    prompt_tokens_details: PromptDetails,
}

/// Where the prompt's tokens came from.
#[derive(Clone, Copy, Debug, Default, JsonSchema, Serialize)]
struct PromptDetails {
    cached_tokens: usize,
}

impl Usage {
    /// Every answer's tokens, and the prompt's once.
    pub(crate) fn of(counts: &[Counted]) -> Self {
        let first = counts.first().copied().unwrap_or_default();
        let completion_tokens = counts.iter().map(|c| c.n_generated).sum();
        Self {
            prompt_tokens: first.n_prompt,
            completion_tokens,
            total_tokens: first.n_prompt + completion_tokens,
            prompt_tokens_details: PromptDetails { cached_tokens: first.n_cached },
        }
    }
}

impl Logprobs {
    pub(crate) fn new(tokens: &[TokenText]) -> Self {
        let one = |t: &TokenText| TokenLogprob {
            token: t.text(),
            logprob: t.logprob,
            bytes: t.bytes.clone(),
            top_logprobs: t
                .top
                .iter()
                .map(|t| TopLogprob { token: t.text(), logprob: t.logprob, bytes: t.bytes.clone() })
                .collect(),
        };
        Self { content: tokens.iter().map(one).collect(), refusal: None }
    }
}

/// Psi's own version: the answers of two versions may differ.
pub(crate) const FINGERPRINT: &str = concat!("psi-", env!("CARGO_PKG_VERSION"));

/// What all pieces of an answer share.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) created: u64,
    pub(crate) model: String,
}

impl Head {
    /// An event of the stream.
    pub(crate) fn chunk(&self, choices: &Value) -> Value {
        let Self { id, created, model } = self;
        json!({
            "id": id,
            "object": "chat.completion.chunk",
            "created": created,
            "model": model,
            "choices": choices,
            "system_fingerprint": FINGERPRINT,
        })
    }
}

impl ChatCompletion {
    pub(crate) fn new(head: Head, turns: &[Turn]) -> Self {
        let counts: Vec<Counted> = turns.iter().map(|t| t.usage).collect();
        let choices = turns.iter().enumerate().map(|(i, turn)| Choice::new(i, turn)).collect();
        let Head { id, created, model } = head;
        let (object, usage) = ("chat.completion", Usage::of(&counts));
        Self { id, object, created, model, choices, usage, system_fingerprint: FINGERPRINT }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

impl Choice {
    fn new(index: usize, turn: &Turn) -> Self {
        let finish_reason = turn.finish_name();
        let logprobs = turn.logprobs.as_deref().map(Logprobs::new);
        Self { index, logprobs, finish_reason, message: Message::new(turn) }
    }
}

impl Message {
    fn new(turn: &Turn) -> Self {
        let (content, reasoning) = (turn.content(), turn.reasoning());
        let tool_calls: Vec<ToolCall> = turn.calls().map(ToolCall::new).collect();
        let is_silent = content.is_empty() && !tool_calls.is_empty();
        Self {
            role: "assistant",
            content: (!is_silent).then_some(content),
            refusal: None,
            reasoning_content: (!reasoning.is_empty()).then_some(reasoning),
            tool_calls,
        }
    }
}

impl ToolCall {
    fn new(call: &TurnCall) -> Self {
        let TurnCall { id, name, arguments } = call.clone();
        Self { id, kind: "function", function: FunctionCall { name, arguments } }
    }
}
