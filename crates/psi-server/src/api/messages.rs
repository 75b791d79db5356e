//! `POST /v1/messages` and its token count: conversations in Anthropic's shape.

pub(crate) mod answer;
pub(crate) mod batches;
pub(crate) mod request;
mod stream;
mod translate;

use axum::{Json, response::IntoResponse};
use psi_infer::chat::{ChatEvent, ChatFinish, Reasoning, ResponseFormat};

use super::{
    conversation::{Ask, Turn},
    error::ApiError,
    gate::{Call, Reply, blocking},
    jobs::Jobs,
    models::Served,
    sampling::{Wishes, within},
    sse,
};
use answer::{Head, Message, TokenCount};
use request::{CountBody, Display, Effort, MessageBody, OutputConfig, OutputFormat, Thinking};

/// Serves the route.
pub(crate) async fn create(call: Call) -> Reply {
    let body: MessageBody = call.json()?;
    if body.stream == Some(true) {
        let (head, jobs) = start(&call, &body, None).await?;
        return Ok(sse::respond(&call.api, &call.record, jobs, stream::Stream::new(head)));
    }
    Ok(Json(whole(&call, &body, None).await?).into_response())
}

/// The whole answer to a request of `user`'s, or of whom it names.
async fn whole(call: &Call, body: &MessageBody, user: Option<&str>) -> Result<Message, ApiError> {
    let (head, jobs) = start(call, body, user).await?;
    let turns = Turn::collect(jobs, 1).await?;
    Ok(Message::new(&head, &turns[0]))
}

async fn start(
    call: &Call,
    body: &MessageBody,
    user: Option<&str>,
) -> Result<(Head, Jobs<ChatEvent>), ApiError> {
    let served = call.model(body.model.as_deref()).await?;
    let mut ask = ask(body, &served, call)?;
    if user.is_some() {
        ask.client = call.client(user);
    }
    let shows_thoughts = !matches!(
        body.thinking,
        Some(Thinking::Enabled { display: Some(Display::Omitted), .. })
            | Some(Thinking::Adaptive { display: Some(Display::Omitted) })
    );
    let head = Head {
        id: format!("msg_{}", call.record.id()),
        model: served.name.clone(),
        shows_thoughts,
    };
    let jobs = ask.start(call, &served).await?;
    Ok((head, jobs))
}

/// Counts the prompt's tokens.
pub(crate) async fn count_tokens(call: Call) -> Reply {
    let body: CountBody = call.json()?;
    let served = call.model(body.model.as_deref()).await?;
    let ask = ask(&MessageBody::from(body), &served, &call)?;
    let input_tokens = blocking(&call.api, move || Ok(ask.prompt(&served)?.len())).await?;
    Ok(Json(TokenCount { input_tokens }).into_response())
}

/// The request in no dialect, checked.
fn ask(body: &MessageBody, served: &Served, call: &Call) -> Result<Ask, ApiError> {
    let limits = &call.api.limits;
    if body.max_tokens == 0 {
        return Err(ApiError::invalid("max_tokens", "must be at least 1"));
    }
    within("temperature", body.temperature, 0.0, 1.0)?;
    let wishes = Wishes {
        temperature: body.temperature,
        top_p: body.top_p,
        top_k: body.top_k,
        seed: body.seed,
        ..Wishes::default()
    };
    let vocab_size = served.model.service.model().config().vocab_size;
    let (messages, continue_last) = translate::messages(body, limits.n_messages)?;
    let tools = body.tools.as_deref().unwrap_or_default();
    let (tools, tool_choice, parallel_tool_calls) =
        translate::tools(tools, body.tool_choice.as_ref(), limits.n_tools)?;
    let stop = super::sampling::Stop::List(body.stop_sequences.clone().unwrap_or_default());
    let user = body.metadata.as_ref().and_then(|m| m.user_id.as_deref());
    Ok(Ask {
        messages,
        tools,
        tool_choice,
        parallel_tool_calls,
        response_format: response_format(body.output_config.as_ref()),
        reasoning: reasoning(body)?,
        template_kwargs: serde_json::Map::new(),
        continue_last,
        stop: super::sampling::stops("stop_sequences", Some(&stop))?,
        max_tokens: Some(body.max_tokens as usize),
        ignore_eos: false,
        min_tokens: 0,
        sampling: wishes.params(vocab_size, call.api.draw_seed())?,
        logprobs: None,
        n: 1,
        client: call.client(body.user_profile_id.as_deref().or(user)),
        messages_param: "messages",
    })
}

fn response_format(config: Option<&OutputConfig>) -> ResponseFormat {
    match config.and_then(|c| c.format.as_ref()) {
        Some(OutputFormat::JsonSchema { schema }) => ResponseFormat::JsonSchema(schema.clone()),
        None => ResponseFormat::Text,
    }
}

fn reasoning(body: &MessageBody) -> Result<Reasoning, ApiError> {
    let effort = body.output_config.as_ref().and_then(|c| c.effort);
    let by_effort = match effort {
        Some(Effort::Low) => Some(1024),
        Some(Effort::Medium) => Some(4096),
        Some(Effort::High | Effort::Xhigh | Effort::Max) | None => None,
    };
    let (enabled, budget) = match &body.thinking {
        None => (None, by_effort),
        Some(Thinking::Disabled {}) => (Some(false), None),
        Some(Thinking::Adaptive { .. }) => (Some(true), by_effort),
        Some(Thinking::Enabled { budget_tokens, .. }) => {
            if *budget_tokens == 0 || *budget_tokens >= body.max_tokens {
                let why = "must be at least 1 and less than `max_tokens`";
                return Err(ApiError::invalid("thinking.budget_tokens", why));
            }
            (Some(true), Some(*budget_tokens as usize))
        }
    };
    Ok(Reasoning { enabled, budget })
}

/// Anthropic's word for how an answer ended.
fn stop_reason(turn: &Turn) -> &'static str {
    match turn.finish {
        Some(ChatFinish::Length) => "max_tokens",
        Some(ChatFinish::ToolCalls) => "tool_use",
        _ if turn.stop.is_some() => "stop_sequence",
        _ => "end_turn",
    }
}
