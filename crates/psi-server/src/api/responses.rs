//! `/v1/responses`: items in, items out, and the conversation kept for the next response.

pub(crate) mod answer;
pub(crate) mod compact;
pub(crate) mod request;
mod stream;
pub(crate) mod translate;

use std::sync::Arc;

use axum::{Json, response::IntoResponse};
use futures_util::stream::iter;
use serde_json::{Value, json};

use super::{
    Shared,
    conversation::{Ask, Turn},
    conversations,
    error::ApiError,
    gate::{Call, Reply, blocking},
    models::Served,
    sampling, sse,
    store::Kept,
    stored_chat,
};
use answer::{Deleted, Head, InputTokens, Response};
use request::{CountBody, GetQuery, ItemQuery, ResponseBody};

/// The `object` of a kept response.
const OBJECT: &str = "response";

/// Serves the route.
pub(crate) async fn create(call: Call) -> Reply {
    let body: ResponseBody = call.json()?;
    let served = call.model(body.model.as_deref()).await?;
    let asked = Asked::new(&body, &served, &call)?;
    let id = format!("resp_{}", call.record.id());
    let is_stored = body.store.unwrap_or(true);
    let grows = body.conversation.as_ref().map(|reference| reference.id().to_owned());
    let keeper = (is_stored || grows.is_some()).then(|| Keeper {
        api: Arc::clone(&call.api),
        owner: call.key.name.clone(),
        messages: asked.conversation.clone(),
        input: asked.input.clone(),
        is_stored,
        grows,
    });
    let head = Head::new(id, call.api.unix_s(), &served.name, &body);
    let jobs = asked.ask.start(&call, &served).await?;
    if body.stream == Some(true) {
        let pads = body.stream_options.is_some_and(|o| o.include_obfuscation == Some(true));
        let script = stream::Stream::new(head, keeper, pads);
        return Ok(sse::respond(&call.api, &call.record, jobs, script));
    }
    let turns = Turn::collect(jobs, 1).await?;
    let response = Response::new(&head, &turns[0]);
    if let Some(keeper) = keeper {
        keeper.keep(&response, &turns[0]);
    }
    Ok(Json(response).into_response())
}

/// A request that has been checked.
struct Asked {
    ask: Ask,
    /// What the next response goes on from, before the answer: without the instructions.
    conversation: Vec<Value>,
    /// The request's own items.
    input: Vec<Value>,
}

impl Asked {
    fn new(body: &ResponseBody, served: &Served, call: &Call) -> Result<Self, ApiError> {
        body.check()?;
        let mut conversation = match (&body.conversation, &body.previous_response_id) {
            (None, None) => Vec::new(),
            (Some(reference), _) => conversations::messages(call, reference.id())?,
            (None, Some(id)) => {
                find(call, id)
                    .map_err(|_| ApiError::NotFound { what: "stored response", name: id.clone() })?
                    .messages
            }
        };
        let (messages, input) = match (&body.input, &body.conversation) {
            // The conversation may end with what is to be answered.
            (None, Some(_)) => (Vec::new(), Vec::new()),
            (input, _) => translate::input(input.as_ref(), call.record.id())?,
        };
        conversation.extend(messages);
        let limit = call.api.limits.n_messages;
        if conversation.len() > limit {
            return Err(ApiError::invalid("input", format!("has more than {limit} messages")));
        }
        let mut messages = conversation.clone();
        if let Some(instructions) = &body.instructions {
            messages.insert(0, json!({ "role": "system", "content": instructions }));
        }
        let (tools, tool_choice) = translate::tools(body, call.api.limits.n_tools)?;
        let vocab_size = served.model.service.model().config().vocab_size;
        let ask = Ask {
            messages,
            tools,
            tool_choice,
            parallel_tool_calls: body.parallel_tool_calls.unwrap_or(true),
            response_format: translate::format(body.text.as_ref()),
            reasoning: translate::reasoning(body.reasoning.as_ref()),
            template_kwargs: serde_json::Map::new(),
            continue_last: false,
            stop: Vec::new(),
            max_tokens: body.max_output_tokens.map(|n| n as usize),
            ignore_eos: false,
            min_tokens: 0,
            sampling: body.wishes().params(vocab_size, call.api.draw_seed())?,
            logprobs: body.logprobs(),
            n: 1,
            client: call.client(body.user.as_deref().or(body.safety_identifier.as_deref())),
            messages_param: "input",
        };
        Ok(Self { ask, conversation, input })
    }
}

/// Keeps a response with what led to it, and adds it to its conversation.
pub(crate) struct Keeper {
    api: Arc<Shared>,
    owner: String,
    messages: Vec<Value>,
    input: Vec<Value>,
    is_stored: bool,
    /// The conversation that input and answer are added to.
    grows: Option<String>,
}

impl Keeper {
    pub(crate) fn keep(mut self, response: &Response, turn: &Turn) {
        if let Some(id) = &self.grows {
            let mut added = self.input.clone();
            added.extend_from_slice(&response.output);
            added.iter_mut().for_each(conversations::whole);
            if let Err(error) = conversations::append(&self.api, &self.owner, id, &added) {
                self.api
                    .report(&format!("a response cannot be added to its conversation: {error:?}"));
            }
        }
        if !self.is_stored {
            return;
        }
        self.messages.push(turn.message());
        let kept = Kept {
            id: response.id().to_owned(),
            owner: self.owner,
            object: json!(response),
            messages: self.messages,
            input: self.input,
        };
        if let Err(why) = self.api.store.put(kept) {
            self.api.report(&format!("a response cannot be kept: {why}"));
        }
    }
}

/// Counts the input's tokens.
pub(crate) async fn input_tokens(call: Call) -> Reply {
    let body: CountBody = call.json()?;
    let body = ResponseBody::from(body);
    let served = call.model(body.model.as_deref()).await?;
    let asked = Asked::new(&body, &served, &call)?;
    let input_tokens = blocking(&call.api, move || Ok(asked.ask.prompt(&served)?.len())).await?;
    Ok(Json(InputTokens { object: "response.input_tokens", input_tokens }).into_response())
}

fn find(call: &Call, id: &str) -> Result<Kept, ApiError> {
    let kept = call.api.store.get(id, &call.key.name).filter(|k| k.object["object"] == OBJECT);
    kept.ok_or_else(|| ApiError::NotFound { what: "stored response", name: id.to_owned() })
}

pub(crate) async fn get(call: Call) -> Reply {
    let query: GetQuery = call.query()?;
    let object = find(&call, call.param("id"))?.object;
    if query.stream != Some(true) {
        return Ok(Json(object).into_response());
    }
    let frames =
        stream::replay(&object, query.starting_after, query.include_obfuscation == Some(true));
    Ok(sse::of_frames(iter(frames)))
}

/// Psi makes no response in the background: what is kept has ended, and is given back as it is.
pub(crate) async fn cancel(call: Call) -> Reply {
    Ok(Json(find(&call, call.param("id"))?.object).into_response())
}

pub(crate) async fn delete(call: Call) -> Reply {
    let id = find(&call, call.param("id"))?.id;
    call.api.store.remove(&id, &call.key.name);
    Ok(Json(Deleted { id, object: OBJECT, deleted: true }).into_response())
}

pub(crate) async fn input_items(call: Call) -> Reply {
    let query: ItemQuery = call.query()?;
    let kept = find(&call, call.param("id"))?;
    let order = query.order.unwrap_or(stored_chat::Order::Desc);
    let after = query.after.as_deref();
    let page = stored_chat::page(kept.input, after, query.limit, order, &|_| true)?;
    Ok(Json(page).into_response())
}

/// The seed is psi's own parameter here; everything else is OpenAI's.
impl ResponseBody {
    fn wishes(&self) -> sampling::Wishes {
        sampling::Wishes {
            temperature: self.temperature,
            top_p: self.top_p,
            seed: self.seed,
            ..sampling::Wishes::default()
        }
    }
}
