//! `POST /v1/responses/compact`: a long conversation becomes what the user said and a summary of it all.
//!
//! The model writes the summary, in at most [`SUMMARY_TOKENS`] tokens and a quarter of its context. It goes to the client as the `encrypted_content` of a
//! compaction item and comes back in the input of a later response. It is encoded, not secret: whoever holds it holds the
//! conversation that it was made of.

use axum::{Json, response::IntoResponse};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use psi_infer::chat::{Reasoning, ResponseFormat, ToolChoice};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    answer::Usage,
    find,
    request::{Item, TypedItem},
    translate,
};
use crate::api::{
    chat::request::ServiceTier,
    conversation::{Ask, Block, Turn},
    error::ApiError,
    gate::{Call, Reply, blocking},
    models::Served,
    sampling::Wishes,
    text_or::TextOr,
};

/// Most tokens of a summary.
const SUMMARY_TOKENS: usize = 512;
/// What a compaction of psi's begins with.
const SEAL: &str = "psi1.";
/// What the model is asked.
const REQUEST: &str = "Summarize the conversation above for whoever goes on with it: what is wanted, what was found, \
                       done and decided, and what is still open. Keep names, numbers and paths exactly.";

/// Body of `POST /v1/responses/compact`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompactBody {
    /// The model that writes the summary; the server's first one where it is not said.
    model: Option<String>,
    /// What is compacted.
    input: Option<TextOr<Item>>,
    /// What the model is and should do.
    instructions: Option<String>,
    /// What is compacted before the input: this kept response and what led to it.
    previous_response_id: Option<String>,
    /// There are no images.
    #[expect(dead_code, reason = "nothing follows from it")]
    image: Option<Image>,
    /// Not needed: shared beginnings of prompts are found by their content.
    #[expect(dead_code, reason = "nothing follows from it")]
    prompt_cache_key: Option<String>,
    /// Likewise.
    #[expect(dead_code, reason = "nothing follows from it")]
    prompt_cache_options: Option<CacheOptions>,
    /// Likewise.
    #[expect(dead_code, reason = "nothing follows from it")]
    prompt_cache_retention: Option<String>,
    /// There is one tier.
    #[expect(dead_code, reason = "nothing follows from it")]
    service_tier: Option<ServiceTier>,
}

/// What becomes of images, of which there are none.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Image {
    #[expect(dead_code, reason = "nothing follows from it")]
    context_compression: Option<Compression>,
}

/// Whether images are made smaller.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Compression {
    Auto,
    Disabled,
}

/// Hints for a cache that needs none.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CacheOptions {
    #[expect(dead_code, reason = "nothing follows from it")]
    mode: Option<String>,
    #[expect(dead_code, reason = "nothing follows from it")]
    ttl: Option<String>,
}

/// A compacted conversation.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Compaction {
    id: String,
    object: &'static str,
    created_at: u64,
    /// The user's messages, then one item of type `compaction`: together the input of a later response.
    output: Vec<Value>,
    usage: Usage,
}

/// Serves the route.
pub(crate) async fn create(call: Call) -> Reply {
    let body: CompactBody = call.json()?;
    let served = call.model(body.model.as_deref()).await?;
    let mut conversation = match &body.previous_response_id {
        None => Vec::new(),
        Some(id) => find(&call, id)?.messages,
    };
    if body.input.is_some() {
        conversation.extend(translate::input(body.input.as_ref(), call.record.id())?.0);
    }
    let limit = call.api.limits.n_messages;
    if conversation.len() > limit {
        return Err(ApiError::invalid("input", format!("has more than {limit} messages")));
    }
    let turn = match conversation.is_empty() {
        true => Turn::default(),
        false => summarize(&call, served, &conversation, body.instructions.as_deref()).await?,
    };
    let id = call.record.id();
    let mut output = kept(&conversation, id);
    output.push(json!({ "id": format!("cmp_{id}"), "type": "compaction", "encrypted_content": seal(&text(&turn)) }));
    let compaction = Compaction {
        id: format!("resp_{id}"),
        object: "response.compaction",
        created_at: call.api.unix_s(),
        output,
        usage: Usage::new(turn.usage),
    };
    Ok(Json(compaction).into_response())
}

/// The user's messages, as items.
fn kept(conversation: &[Value], id: &str) -> Vec<Value> {
    let of_user = conversation.iter().filter(|m| m["role"] == "user");
    let item = |(i, message): (usize, &Value)| {
        json!({
            "id": format!("msg_{id}_{i}"),
            "type": "message",
            "role": "user",
            "status": "completed",
            "content": [{ "type": "input_text", "text": message["content"] }],
        })
    };
    of_user.enumerate().map(item).collect()
}

/// Lets the model write the summary. The conversation is told in one message, so that no chat template minds its order.
async fn summarize(
    call: &Call,
    served: Served,
    conversation: &[Value],
    instructions: Option<&str>,
) -> Result<Turn, ApiError> {
    let mut messages = Vec::new();
    if let Some(instructions) = instructions {
        messages.push(json!({ "role": "system", "content": instructions }));
    }
    let told = format!("{}\n\n{REQUEST}", transcript(conversation));
    messages.push(json!({ "role": "user", "content": told }));
    let vocab_size = served.model.service.model().config().vocab_size;
    let mut ask = Ask {
        messages,
        tools: Vec::new(),
        tool_choice: ToolChoice::None,
        parallel_tool_calls: true,
        response_format: ResponseFormat::Text,
        reasoning: Reasoning { enabled: Some(false), budget: None },
        template_kwargs: Map::new(),
        continue_last: false,
        stop: Vec::new(),
        max_tokens: None,
        ignore_eos: false,
        min_tokens: 0,
        sampling: Wishes { temperature: Some(0.0), ..Wishes::default() }.params(vocab_size, 0)?,
        logprobs: None,
        n: 1,
        client: call.client(None),
        messages_param: "input",
    };
    let (work, owner) = (ask.clone(), served.clone());
    let n_prompt = blocking(&call.api, move || Ok(work.prompt(&owner)?.len())).await?;
    let context = served.model.service.max_context();
    // What is compacted has to leave room for what follows.
    let most = context.saturating_sub(n_prompt).min(context / 4);
    ask.max_tokens = Some(most.clamp(1, SUMMARY_TOKENS));
    let jobs = ask.start(call, &served).await?;
    Ok(Turn::collect(jobs, 1).await?.swap_remove(0))
}

/// A conversation as a text.
fn transcript(conversation: &[Value]) -> String {
    let mut lines = Vec::new();
    for message in conversation {
        let role = message["role"].as_str().unwrap_or("");
        if let Some(content) = message["content"].as_str().filter(|c| !c.is_empty()) {
            lines.push(format!("{role}: {content}"));
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let function = &call["function"];
            let (name, arguments) = (function["name"].as_str(), function["arguments"].as_str());
            lines.push(format!("{role} calls {} {}", name.unwrap_or(""), arguments.unwrap_or("")));
        }
    }
    lines.join("\n")
}

fn text(turn: &Turn) -> String {
    let content = |block: &Block| match block {
        Block::Content(text) => Some(text.clone()),
        Block::Reasoning(_) | Block::Call(_) => None,
    };
    turn.blocks.iter().filter_map(content).collect::<String>().trim().to_owned()
}

fn seal(summary: &str) -> String {
    format!("{SEAL}{}", URL_SAFE_NO_PAD.encode(summary))
}

/// The summary that a compaction item holds.
pub(super) fn open(sealed: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(sealed.strip_prefix(SEAL)?).ok()?).ok()
}

/// What the model reads in place of a compaction item.
pub(super) fn message(item: &TypedItem, param: &str) -> Result<Option<Value>, ApiError> {
    let TypedItem::Compaction { encrypted_content, .. } = item else { return Ok(None) };
    let Some(summary) = open(encrypted_content) else {
        let why = "is no compaction of psi's";
        return Err(ApiError::invalid(format!("{param}.encrypted_content"), why));
    };
    let content = format!("Summary of the conversation so far:\n{summary}");
    Ok((!summary.is_empty()).then(|| json!({ "role": "assistant", "content": content })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_opened_and_anything_else_is_not() {
        assert_eq!(open(&seal("three apples, für Ada")).as_deref(), Some("three apples, für Ada"));
        for bad in ["", "psi1", "psi1.*", "psi1./w", "gAAAAABo", "psi1._w"] {
            assert_eq!(open(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_conversation_is_told_with_its_calls() {
        let call = json!({ "id": "c", "function": { "name": "warmth", "arguments": "{}" } });
        let conversation = [
            json!({ "role": "user", "content": "how warm?" }),
            json!({ "role": "assistant", "content": "", "tool_calls": [call] }),
            json!({ "role": "tool", "content": "21" }),
        ];
        assert_eq!(
            transcript(&conversation),
            "user: how warm?\nassistant calls warmth {}\ntool: 21"
        );
        assert_eq!(kept(&conversation, "7").len(), 1);
    }
}
