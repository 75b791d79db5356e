//! What a response is.

use std::collections::BTreeMap;

use psi_infer::chat::ChatFinish;
use psi_infer::service::Usage as Counted;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::request::{self, ResponseBody, Tool};
use crate::api::{
    chat::answer::Logprobs,
    conversation::{Block, Turn},
    stored_chat::Page,
};

/// Items of a kept response's input.
pub(crate) type ItemPage = Page;

/// A response.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct Response {
    id: String,
    object: &'static str,
    created_at: u64,
    /// `in_progress`, `completed` or `incomplete`.
    pub(crate) status: &'static str,
    error: Option<Value>,
    pub(crate) incomplete_details: Option<Incomplete>,
    instructions: Option<String>,
    max_output_tokens: Option<u32>,
    metadata: BTreeMap<String, String>,
    model: String,
    pub(crate) output: Vec<Value>,
    parallel_tool_calls: bool,
    previous_response_id: Option<String>,
    conversation: Option<Value>,
    reasoning: Value,
    store: bool,
    background: bool,
    service_tier: &'static str,
    temperature: f64,
    text: Value,
    tool_choice: Value,
    tools: Vec<Value>,
    top_logprobs: u32,
    top_p: f64,
    truncation: &'static str,
    pub(crate) usage: Option<Usage>,
    user: Option<String>,
}

/// Why a response ended early.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct Incomplete {
    reason: &'static str,
}

/// Token counts.
#[derive(Clone, Copy, Debug, Default, JsonSchema, Serialize)]
pub(crate) struct Usage {
    input_tokens: usize,
    input_tokens_details: InputDetails,
    output_tokens: usize,
    output_tokens_details: OutputDetails,
    total_tokens: usize,
}

/// Where the input's tokens came from.
#[derive(Clone, Copy, Debug, Default, JsonSchema, Serialize)]
struct InputDetails {
    cached_tokens: usize,
    cache_write_tokens: usize,
}

/// What the output's tokens were.
#[derive(Clone, Copy, Debug, Default, JsonSchema, Serialize)]
struct OutputDetails {
    reasoning_tokens: usize,
}

/// How many tokens an input has.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct InputTokens {
    pub(crate) object: &'static str,
    pub(crate) input_tokens: usize,
}

/// What became of a response that was to be forgotten.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Deleted {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    pub(crate) deleted: bool,
}

/// What is known of a response before its first token.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    response: Response,
}

impl Head {
    pub(crate) fn new(id: String, created_at: u64, model: &str, body: &ResponseBody) -> Self {
        let tool = |Tool::Function { name, description, parameters, strict }: &Tool| {
            json!({
                "type": "function",
                "name": name,
                "description": description,
                "parameters": parameters,
                "strict": strict,
            })
        };
        let format = body.text.as_ref().and_then(|t| t.format.as_ref());
        let text = match format {
            Some(format) => json!({ "format": format }),
            None => json!({ "format": { "type": "text" } }),
        };
        let choice = |choice: &request::ToolChoice| json!(choice);
        let response = Response {
            id,
            object: "response",
            created_at,
            status: "in_progress",
            error: None,
            incomplete_details: None,
            instructions: body.instructions.clone(),
            max_output_tokens: body.max_output_tokens,
            metadata: body.metadata.clone().unwrap_or_default(),
            model: model.to_owned(),
            output: Vec::new(),
            parallel_tool_calls: body.parallel_tool_calls.unwrap_or(true),
            previous_response_id: body.previous_response_id.clone(),
            conversation: body.conversation.as_ref().map(|c| json!({ "id": c.id() })),
            reasoning: body.reasoning.map_or_else(|| json!({}), |r| json!(r)),
            store: body.store.unwrap_or(true),
            background: false,
            service_tier: "default",
            temperature: body.temperature.unwrap_or(1.0),
            text,
            tool_choice: body.tool_choice.as_ref().map_or_else(|| json!("auto"), choice),
            tools: body.tools.iter().flatten().map(tool).collect(),
            top_logprobs: body.top_logprobs.unwrap_or(0),
            top_p: body.top_p.unwrap_or(1.0),
            truncation: "disabled",
            usage: None,
            user: body.user.clone(),
        };
        Self { response }
    }

    /// The response before its first token.
    pub(crate) fn response(&self) -> &Response {
        &self.response
    }
}

impl Usage {
    pub(super) fn new(counted: Counted) -> Self {
        let details = InputDetails { cached_tokens: counted.n_cached, cache_write_tokens: 0 };
        Self {
            input_tokens: counted.n_prompt,
            input_tokens_details: details,
            output_tokens: counted.n_generated,
            output_tokens_details: OutputDetails::default(),
            total_tokens: counted.n_prompt + counted.n_generated,
        }
    }
}

impl Response {
    pub(crate) fn new(head: &Head, turn: &Turn) -> Self {
        let is_cut = turn.finish == Some(ChatFinish::Length);
        let last = turn.blocks.len().saturating_sub(1);
        let mut output: Vec<Value> = Vec::new();
        for (i, block) in turn.blocks.iter().enumerate() {
            let status = if is_cut && i == last { "incomplete" } else { "completed" };
            output.push(item(&head.response.id, i, block, status));
        }
        if let Some(logprobs) = &turn.logprobs {
            // They belong to the answer's text, which is one item unless the model called in between.
            let text = output.iter_mut().find(|item| item["type"] == "message");
            if let Some(message) = text {
                message["content"][0]["logprobs"] =
                    json!(Logprobs::new(logprobs))["content"].take();
            }
        }
        Self {
            status: if is_cut { "incomplete" } else { "completed" },
            incomplete_details: is_cut.then_some(Incomplete { reason: "max_output_tokens" }),
            output,
            usage: Some(Usage::new(turn.usage)),
            ..head.response.clone()
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

/// The i-th item of a response.
pub(crate) fn item(response: &str, i: usize, block: &Block, status: &str) -> Value {
    let name = response.trim_start_matches("resp_");
    match block {
        Block::Reasoning(text) => json!({
            "id": format!("rs_{name}_{i}"),
            "type": "reasoning",
            "summary": [],
            "content": [{ "type": "reasoning_text", "text": text }],
            "status": status,
        }),
        Block::Content(text) => json!({
            "id": format!("msg_{name}_{i}"),
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": [{ "type": "output_text", "text": text, "annotations": [], "logprobs": [] }],
        }),
        Block::Call(call) => json!({
            "id": format!("fc_{name}_{i}"),
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
            "status": status,
        }),
    }
}
