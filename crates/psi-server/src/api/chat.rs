//! `POST /v1/chat/completions`: the next message of a conversation.

pub(crate) mod answer;
pub(crate) mod request;
mod stream;

use axum::{Json, response::IntoResponse};
use psi_infer::chat::{Reasoning, ResponseFormat, ToolChoice};
use serde_json::{Value, json};

use super::{
    conversation::{Ask, Turn},
    error::ApiError,
    gate::{Call, Reply},
    models::Served,
    sampling, sse, stored_chat,
};
use answer::{ChatCompletion, Head};
use request::{AllowedList, ChatBody, Message, Tool, ToolMode};

/// Most log-probabilities per token.
const MAX_TOP_LOGPROBS: u32 = 20;

/// Serves the route.
pub(crate) async fn create(call: Call) -> Reply {
    let body: ChatBody = call.json()?;
    let served = call.model(body.model.as_deref()).await?;
    let ask = ask(&body, &served, &call)?;
    let extras = sampling::extras(body.stream, body.stream_options)?;
    let metadata = body.metadata.clone().unwrap_or_default();
    stored_chat::check_metadata(&metadata)?;
    let keep = (body.store == Some(true)).then(|| (metadata, ask.messages.clone()));
    let (n, id) = (ask.n, format!("chatcmpl-{}", call.record.id()));
    let head = Head { id, created: call.api.unix_s(), model: served.name.clone() };
    let jobs = ask.start(&call, &served).await?;
    if body.stream == Some(true) {
        let keep = keep.map(|kept| stored_chat::Keeper::new(&call, kept));
        let mut script = stream::Stream::new(head, n, extras, keep);
        if body.logprobs == Some(true) {
            script = script.with_logprobs();
        }
        return Ok(sse::respond(&call.api, &call.record, jobs, script));
    }
    let turns = Turn::collect(jobs, n).await?;
    let completion = ChatCompletion::new(head, &turns);
    if let Some(kept) = keep {
        stored_chat::Keeper::new(&call, kept).keep(&completion);
    }
    Ok(Json(completion).into_response())
}

/// The request in no dialect, checked.
pub(crate) fn ask(body: &ChatBody, served: &Served, call: &Call) -> Result<Ask, ApiError> {
    let vocab_size = served.model.service.model().config().vocab_size;
    let sampling = body.wishes().params(vocab_size, call.api.draw_seed())?;
    let (tools, tool_choice) = tools(body, call)?;
    if body.max_tokens.is_some() && body.max_completion_tokens.is_some() {
        let why = "is the older name of `max_completion_tokens`: give one of them";
        return Err(ApiError::invalid("max_tokens", why));
    }
    let max_tokens = body.max_completion_tokens.or(body.max_tokens);
    if max_tokens == Some(0) {
        let param = if body.max_tokens.is_some() { "max_tokens" } else { "max_completion_tokens" };
        return Err(ApiError::invalid(param, "must be at least 1"));
    }
    Ok(Ask {
        messages: messages(&body.messages, call.api.limits.n_messages)?,
        tools,
        tool_choice,
        parallel_tool_calls: body.parallel_tool_calls.unwrap_or(true),
        response_format: response_format(body.response_format.as_ref())?,
        reasoning: reasoning(body),
        template_kwargs: body.chat_template_kwargs.clone().unwrap_or_default(),
        continue_last: continues(body)?,
        stop: sampling::stops("stop", body.stop.as_ref())?,
        max_tokens: max_tokens.map(|n| n as usize),
        ignore_eos: body.ignore_eos == Some(true),
        min_tokens: body.min_tokens.unwrap_or(0) as usize,
        sampling,
        logprobs: logprobs(body)?,
        n: sampling::n_answers(body.n)?,
        client: call.client(body.user.as_deref().or(body.safety_identifier.as_deref())),
        messages_param: "messages",
    })
}

/// Messages in the shape that chat templates read.
pub(crate) fn messages(messages: &[Message], limit: usize) -> Result<Vec<Value>, ApiError> {
    if messages.is_empty() {
        return Err(ApiError::invalid("messages", "must have at least one message"));
    }
    if messages.len() > limit {
        return Err(ApiError::invalid("messages", format!("has more than {limit} messages")));
    }
    messages.iter().enumerate().map(|(i, m)| message(m, &format!("messages[{i}]"))).collect()
}

fn message(message: &Message, param: &str) -> Result<Value, ApiError> {
    let mut value = match message {
        Message::System { content, .. } | Message::Developer { content, .. } => {
            json!({ "role": "system", "content": content.text() })
        }
        Message::User { content, .. } => json!({ "role": "user", "content": content.text() }),
        Message::Tool { content, tool_call_id, .. } => {
            json!({ "role": "tool", "content": content.text(), "tool_call_id": tool_call_id })
        }
        Message::Assistant { content, refusal, reasoning_content, tool_calls, .. } => {
            let content = content.as_ref().map(request::Content::text);
            let content = content.or_else(|| refusal.clone()).unwrap_or_default();
            let mut value = json!({ "role": "assistant", "content": content });
            if let Some(reasoning) = reasoning_content {
                value["reasoning_content"] = json!(reasoning);
            }
            if let Some(calls) = tool_calls.as_ref().filter(|calls| !calls.is_empty()) {
                check_calls(calls, param)?;
                value["tool_calls"] = json!(calls);
            }
            value
        }
    };
    let (Message::System { name, .. }
    | Message::Developer { name, .. }
    | Message::User { name, .. }
    | Message::Assistant { name, .. }
    | Message::Tool { name, .. }) = message;
    if let Some(name) = name {
        value["name"] = json!(name);
    }
    Ok(value)
}

/// Arguments that are not a JSON object would make the template fail later, and less clearly.
fn check_calls(calls: &[request::ToolCall], param: &str) -> Result<(), ApiError> {
    for (i, call) in calls.iter().enumerate() {
        let arguments: Result<Value, _> = serde_json::from_str(&call.function.arguments);
        if !arguments.is_ok_and(|a| a.is_object()) {
            let param = format!("{param}.tool_calls[{i}].function.arguments");
            return Err(ApiError::invalid(param, "must be the text of a JSON object"));
        }
    }
    Ok(())
}

fn tools(body: &ChatBody, call: &Call) -> Result<(Vec<Value>, ToolChoice), ApiError> {
    let tools = body.tools.as_deref().unwrap_or_default();
    let limit = call.api.limits.n_tools;
    if tools.len() > limit {
        return Err(ApiError::invalid("tools", format!("has more than {limit} tools")));
    }
    for (i, tool) in tools.iter().enumerate() {
        tool.function.check(&format!("tools[{i}].function"))?;
        if tools[..i].iter().any(|t| t.function.name == tool.function.name) {
            let why = format!("`{}` is the name of an earlier tool", tool.function.name);
            return Err(ApiError::invalid(format!("tools[{i}].function.name"), why));
        }
    }
    choose(tools, body.tool_choice.as_ref())
}

/// The tools that may be called, and whether one must be.
fn choose(
    tools: &[Tool],
    choice: Option<&request::ToolChoice>,
) -> Result<(Vec<Value>, ToolChoice), ApiError> {
    let all = || tools.iter().map(|t| t.function.definition()).collect::<Vec<_>>();
    let known = |name: &str| match tools.iter().any(|t| t.function.name == name) {
        true => Ok(()),
        false => Err(ApiError::invalid("tool_choice", format!("there is no tool `{name}`"))),
    };
    let of_mode = |mode| match mode {
        ToolMode::None => Ok(ToolChoice::None),
        ToolMode::Auto => Ok(ToolChoice::Auto),
        ToolMode::Required if tools.is_empty() => {
            Err(ApiError::invalid("tool_choice", "a call is required, but there are no tools"))
        }
        ToolMode::Required => Ok(ToolChoice::Required),
    };
    match choice {
        None => Ok((all(), ToolChoice::Auto)),
        Some(request::ToolChoice::Mode(mode)) => Ok((all(), of_mode(*mode)?)),
        Some(request::ToolChoice::Named(named)) => {
            known(&named.function.name)?;
            Ok((all(), ToolChoice::Named(named.function.name.clone())))
        }
        Some(request::ToolChoice::Allowed(allowed)) => {
            let AllowedList { mode, tools: names } = &allowed.allowed_tools;
            names.iter().try_for_each(|n| known(&n.function.name))?;
            let is_allowed = |t: &&Tool| names.iter().any(|n| n.function.name == t.function.name);
            let some = tools.iter().filter(is_allowed).map(|t| t.function.definition());
            Ok((some.collect(), of_mode(*mode)?))
        }
    }
}

/// The form of the answer, in the engine's words.
pub(crate) fn response_format(
    format: Option<&request::ResponseFormat>,
) -> Result<ResponseFormat, ApiError> {
    use request::ResponseFormat as Asked;
    Ok(match format {
        None | Some(Asked::Text {}) => ResponseFormat::Text,
        Some(Asked::JsonObject {}) => ResponseFormat::JsonObject,
        Some(Asked::JsonSchema { json_schema }) => {
            let Some(schema) = &json_schema.schema else {
                return Err(ApiError::invalid("response_format.json_schema.schema", "is needed"));
            };
            ResponseFormat::JsonSchema(schema.clone())
        }
        Some(Asked::Regex { regex }) => ResponseFormat::Regex(regex.clone()),
        Some(Asked::Grammar { grammar }) => ResponseFormat::Grammar(grammar.clone()),
    })
}

fn reasoning(body: &ChatBody) -> Reasoning {
    let (enabled, budget) = match body.reasoning_effort {
        Some(effort) => {
            let (enabled, budget) = effort.budget();
            (Some(enabled), budget)
        }
        None => {
            let kwargs = body.chat_template_kwargs.as_ref();
            (kwargs.and_then(|k| k.get("enable_thinking")?.as_bool()), None)
        }
    };
    let budget = body.reasoning_budget.map(|n| n as usize).or(budget);
    Reasoning { enabled, budget }
}

fn continues(body: &ChatBody) -> Result<bool, ApiError> {
    let continues = body.continue_final_message == Some(true);
    if continues && !matches!(body.messages.last(), Some(Message::Assistant { .. })) {
        let why = "the last message is not the assistant's";
        return Err(ApiError::invalid("continue_final_message", why));
    }
    Ok(continues)
}

fn logprobs(body: &ChatBody) -> Result<Option<usize>, ApiError> {
    match (body.logprobs, body.top_logprobs) {
        (Some(true), top) if top.unwrap_or(0) > MAX_TOP_LOGPROBS => {
            Err(ApiError::invalid("top_logprobs", format!("must be at most {MAX_TOP_LOGPROBS}")))
        }
        (Some(true), top) => Ok(Some(top.unwrap_or(0) as usize)),
        (_, Some(n)) if n > 0 => Err(ApiError::invalid("top_logprobs", "needs `logprobs: true`")),
        _ => Ok(None),
    }
}
