//! `/v1/conversations`: items that a client keeps here, and that responses go on from and add to.

use std::collections::BTreeMap;

use axum::{Json, response::IntoResponse};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Shared,
    error::ApiError,
    gate::{Call, Reply},
    responses::{
        request::{Include, Item, ItemQuery},
        translate,
    },
    store::Kept,
    stored_chat::{self, Order},
    text_or::TextOr,
};

/// The `object` of a kept conversation.
const OBJECT: &str = "conversation";
/// Most items of one request.
const MAX_ADDED: usize = 20;

/// Body of `POST /v1/conversations`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConversationBody {
    /// What it begins with.
    #[schemars(length(max = 20))]
    items: Option<Vec<Item>>,
    /// Notes kept with it.
    metadata: Option<BTreeMap<String, String>>,
}

/// Body of `POST /v1/conversations/{id}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Update {
    /// In place of the notes so far.
    metadata: Option<BTreeMap<String, String>>,
}

/// Body of `POST /v1/conversations/{id}/items`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ItemsBody {
    #[schemars(length(max = 20))]
    items: Vec<Item>,
}

/// What else an item shows; of that there is nothing here.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IncludeQuery {
    #[serde(rename = "include")]
    _include: Option<Vec<Include>>,
}

/// A conversation, without its items.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Conversation {
    id: String,
    object: &'static str,
    created_at: u64,
    metadata: BTreeMap<String, String>,
}

/// What became of a conversation that was to be forgotten.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Deleted {
    id: String,
    object: &'static str,
    deleted: bool,
}

/// The conversation that a response goes on from and adds to: its id, or an object that has it.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(untagged, expecting = "must be the id of a conversation, or an object with its `id`")]
pub(crate) enum Reference {
    Id(String),
    Object(Named),
}

/// An id in an object.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    id: String,
}

impl Reference {
    /// The conversation's id.
    pub(crate) fn id(&self) -> &str {
        let (Self::Id(id) | Self::Object(Named { id })) = self;
        id
    }
}

pub(crate) async fn create(call: Call) -> Reply {
    let body: ConversationBody = call.json()?;
    let metadata = body.metadata.unwrap_or_default();
    stored_chat::check_metadata(&metadata)?;
    let input = items(body.items.unwrap_or_default(), call.record.id())?;
    let id = format!("conv_{}", call.record.id());
    let created_at = call.api.unix_s();
    let conversation = Conversation { id: id.clone(), object: OBJECT, created_at, metadata };
    let object = json!(conversation);
    let owner = call.key.name.clone();
    let kept = Kept { id, owner, object, messages: Vec::new(), input };
    keep(&call.api, call.api.store.put(kept))?;
    Ok(Json(conversation).into_response())
}

pub(crate) async fn get(call: Call) -> Reply {
    Ok(Json(find(&call.api, &call.key.name, call.param("id"))?.object).into_response())
}

pub(crate) async fn update(call: Call) -> Reply {
    let update: Update = call.json()?;
    let metadata = update.metadata.unwrap_or_default();
    stored_chat::check_metadata(&metadata)?;
    let kept = change(&call.api, &call.key.name, call.param("id"), |kept| {
        kept.object["metadata"] = json!(metadata);
        Ok(())
    })?;
    Ok(Json(kept.object).into_response())
}

pub(crate) async fn delete(call: Call) -> Reply {
    let id = find(&call.api, &call.key.name, call.param("id"))?.id;
    call.api.store.remove(&id, &call.key.name);
    Ok(Json(Deleted { id, object: "conversation.deleted", deleted: true }).into_response())
}

pub(crate) async fn add_items(call: Call) -> Reply {
    let _query: IncludeQuery = call.query()?;
    let body: ItemsBody = call.json()?;
    let added = items(body.items, call.record.id())?;
    append(&call.api, &call.key.name, call.param("id"), &added)?;
    let limit = Some(added.len());
    let page = stored_chat::page(added, None, limit, Order::Asc, &|_| true)?;
    Ok(Json(page).into_response())
}

pub(crate) async fn list_items(call: Call) -> Reply {
    let query: ItemQuery = call.query()?;
    let kept = find(&call.api, &call.key.name, call.param("id"))?;
    let order = query.order.unwrap_or(Order::Desc);
    let after = query.after.as_deref();
    let page = stored_chat::page(kept.input, after, query.limit, order, &|_| true)?;
    Ok(Json(page).into_response())
}

pub(crate) async fn get_item(call: Call) -> Reply {
    let _query: IncludeQuery = call.query()?;
    let item = call.param("item");
    let found = find(&call.api, &call.key.name, call.param("id"))?
        .input
        .into_iter()
        .find(|i| i["id"] == *item);
    Ok(Json(found.ok_or_else(|| no_item(item))?).into_response())
}

pub(crate) async fn delete_item(call: Call) -> Reply {
    let item = call.param("item");
    let kept = change(&call.api, &call.key.name, call.param("id"), |kept| {
        let at = kept.input.iter().position(|i| i["id"] == *item);
        kept.input.remove(at.ok_or_else(|| no_item(item))?);
        Ok(())
    })?;
    Ok(Json(kept.object).into_response())
}

/// The messages of a conversation, for what follows it.
pub(crate) fn messages(call: &Call, id: &str) -> Result<Vec<Value>, ApiError> {
    let items = find(&call.api, &call.key.name, id)?.input;
    let items = serde_json::from_value(Value::Array(items));
    let items: Vec<Item> = items.map_err(|e| {
        call.api.report(&format!("a kept conversation is broken: {e}"));
        ApiError::Internal
    })?;
    if items.is_empty() {
        return Ok(Vec::new());
    }
    Ok(translate::input(Some(&TextOr::List(items)), call.record.id())?.0)
}

/// Adds items at the end of a conversation.
pub(crate) fn append(api: &Shared, owner: &str, id: &str, added: &[Value]) -> Result<(), ApiError> {
    let limit = api.limits.n_messages;
    change(api, owner, id, |kept| {
        if kept.input.len() + added.len() > limit {
            let why = format!("would make more than {limit} items of the conversation");
            return Err(ApiError::invalid("items", why));
        }
        kept.input.extend_from_slice(added);
        Ok(())
    })?;
    Ok(())
}

/// Items as a conversation keeps them.
fn items(given: Vec<Item>, id: &str) -> Result<Vec<Value>, ApiError> {
    if given.len() > MAX_ADDED {
        return Err(ApiError::invalid("items", format!("has more than {MAX_ADDED} items")));
    }
    if given.is_empty() {
        return Ok(Vec::new());
    }
    // Nothing is kept that a response could not go on from.
    let (_, mut items) = translate::input(Some(&TextOr::List(given)), id)?;
    items.iter_mut().for_each(whole);
    Ok(items)
}

/// A message says its status, and its content in parts.
pub(crate) fn whole(item: &mut Value) {
    if item["type"] != "message" {
        return;
    }
    if item["status"].is_null() {
        item["status"] = json!("completed");
    }
    if let Some(text) = item["content"].as_str() {
        let part = match item["role"] == "assistant" {
            true => {
                json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
            }
            false => json!({ "type": "input_text", "text": text }),
        };
        item["content"] = json!([part]);
    }
}

fn find(api: &Shared, owner: &str, id: &str) -> Result<Kept, ApiError> {
    let kept = api.store.get(id, owner).filter(|k| k.object["object"] == OBJECT);
    kept.ok_or_else(|| no_conversation(id))
}

fn change(
    api: &Shared,
    owner: &str,
    id: &str,
    change: impl FnOnce(&mut Kept) -> Result<(), ApiError>,
) -> Result<Kept, ApiError> {
    find(api, owner, id)?;
    let mut refused = None;
    let changed = api.store.change(id, owner, |kept| {
        refused = change(kept).err();
        refused.is_none()
    });
    match refused {
        Some(error) => Err(error),
        None => keep(api, changed)?.ok_or_else(|| no_conversation(id)),
    }
}

fn keep<T>(api: &Shared, kept: Result<T, String>) -> Result<T, ApiError> {
    kept.map_err(|why| {
        api.report(&format!("a conversation cannot be kept: {why}"));
        ApiError::Internal
    })
}

fn no_conversation(id: &str) -> ApiError {
    ApiError::NotFound { what: "conversation", name: id.to_owned() }
}

fn no_item(id: &str) -> ApiError {
    ApiError::NotFound { what: "item of the conversation", name: id.to_owned() }
}
