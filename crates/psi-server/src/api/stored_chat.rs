//! Chat completions that were made with `store: true`.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, response::IntoResponse};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Shared,
    chat::answer::ChatCompletion,
    error::ApiError,
    gate::{Call, Reply},
    store::Kept,
};

/// The `object` of a kept completion.
const OBJECT: &str = "chat.completion";

/// Keeps one completion when it is complete.
pub(crate) struct Keeper {
    api: Arc<Shared>,
    owner: String,
    metadata: BTreeMap<String, String>,
    messages: Vec<Value>,
}

impl Keeper {
    pub(crate) fn new(call: &Call, kept: (BTreeMap<String, String>, Vec<Value>)) -> Self {
        let (metadata, messages) = kept;
        let (api, owner) = (Arc::clone(&call.api), call.key.name.clone());
        Self { api, owner, metadata, messages }
    }

    pub(crate) fn keep(self, completion: &ChatCompletion) {
        let mut object = json!(completion);
        object["metadata"] = json!(self.metadata);
        let id = completion.id().to_owned();
        let kept =
            Kept { id, owner: self.owner, object, messages: self.messages, input: Vec::new() };
        if let Err(why) = self.api.store.put(kept) {
            self.api.report(&format!("a completion cannot be kept: {why}"));
        }
    }
}

/// OpenAI's limits: 16 notes of 64 characters' name and 512 characters' text.
pub(crate) fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<(), ApiError> {
    let is_good = |(name, text): (&String, &String)| {
        name.chars().count() <= 64 && text.chars().count() <= 512
    };
    match metadata.len() <= 16 && metadata.iter().all(is_good) {
        true => Ok(()),
        false => {
            let why = "may have 16 entries, with names of 64 and texts of 512 characters";
            Err(ApiError::invalid("metadata", why))
        }
    }
}

/// Which of many are wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// Start after this one.
    pub(crate) after: Option<String>,
    /// Most of them (default 20); 0 asks only whether there are any.
    #[schemars(range(min = 0, max = 100))]
    pub(crate) limit: Option<usize>,
    /// Oldest (`asc`) or newest first.
    pub(crate) order: Option<Order>,
    /// Of this model.
    model: Option<String>,
    /// With these notes.
    metadata: Option<BTreeMap<String, String>>,
}

/// Which messages are wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageQuery {
    /// Start after this one; after one that is not among them there is nothing.
    after: Option<String>,
    /// Most of them (default 20); 0 asks only whether there are any.
    #[schemars(range(min = 0, max = 100))]
    limit: Option<usize>,
    /// Oldest (`asc`) or newest first.
    order: Option<Order>,
}

/// In which order.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    Desc,
}

/// Some of many.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Page {
    object: &'static str,
    data: Vec<Value>,
    first_id: Option<String>,
    last_id: Option<String>,
    has_more: bool,
}

/// The messages of a kept completion.
pub(crate) type MessagePage = Page;

/// What became of something that was to be forgotten.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Deleted {
    id: String,
    object: &'static str,
    deleted: bool,
}

/// New notes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Update {
    metadata: Option<BTreeMap<String, String>>,
}

/// Cuts a page out of everything that is wanted.
pub(crate) fn page(
    mut all: Vec<Value>,
    after: Option<&str>,
    limit: Option<usize>,
    order: Order,
    is_wanted: &dyn Fn(&Value) -> bool,
) -> Result<Page, ApiError> {
    let limit = limit.unwrap_or(20);
    if limit > 100 {
        return Err(ApiError::invalid("limit", "must be at most 100"));
    }
    if order == Order::Desc {
        all.reverse();
    }
    let id = |value: &Value| value["id"].as_str().unwrap_or("").to_owned();
    if let Some(after) = after {
        let Some(at) = all.iter().position(|v| id(v) == after) else {
            return Err(ApiError::invalid("after", "is not the id of anything listed"));
        };
        all.drain(..=at);
    }
    all.retain(is_wanted);
    let has_more = all.len() > limit;
    all.truncate(limit);
    let (first_id, last_id) = (all.first().map(id), all.last().map(id));
    Ok(Page { object: "list", data: all, first_id, last_id, has_more })
}

fn find(call: &Call) -> Result<Kept, ApiError> {
    let id = call.param("id");
    let kept = call.api.store.get(id, &call.key.name).filter(|k| k.object["object"] == OBJECT);
    kept.ok_or_else(|| ApiError::NotFound { what: "stored chat completion", name: id.to_owned() })
}

pub(crate) async fn list(call: Call) -> Reply {
    let query: PageQuery = call.query()?;
    let all = call.api.store.all(&call.key.name, OBJECT).into_iter().map(|k| k.object);
    let notes = query.metadata.unwrap_or_default();
    let is_wanted = |object: &Value| {
        query.model.as_ref().is_none_or(|m| object["model"] == **m)
            && notes.iter().all(|(name, text)| object["metadata"][name] == **text)
    };
    let order = query.order.unwrap_or(Order::Asc);
    let page = page(all.collect(), query.after.as_deref(), query.limit, order, &is_wanted)?;
    Ok(Json(page).into_response())
}

pub(crate) async fn get(call: Call) -> Reply {
    Ok(Json(find(&call)?.object).into_response())
}

pub(crate) async fn update(call: Call) -> Reply {
    let update: Update = call.json()?;
    let metadata = update.metadata.unwrap_or_default();
    check_metadata(&metadata)?;
    let mut kept = find(&call)?;
    kept.object["metadata"] = json!(metadata);
    let object = kept.object.clone();
    if let Err(why) = call.api.store.put(kept) {
        call.api.report(&format!("a completion cannot be kept: {why}"));
        return Err(ApiError::Internal);
    }
    Ok(Json(object).into_response())
}

pub(crate) async fn delete(call: Call) -> Reply {
    let id = find(&call)?.id;
    call.api.store.remove(&id, &call.key.name);
    let object = "chat.completion.deleted";
    Ok(Json(Deleted { id, object, deleted: true }).into_response())
}

pub(crate) async fn messages(call: Call) -> Reply {
    let mut query: MessageQuery = call.query()?;
    let kept = find(&call)?;
    let message = |(i, mut message): (usize, Value)| {
        message["id"] = json!(format!("{}-{i}", kept.id));
        message
    };
    let mut all: Vec<Value> = kept.messages.iter().cloned().enumerate().map(message).collect();
    // Nothing comes after a message that is not among them.
    if query.after.as_ref().is_some_and(|after| all.iter().all(|m| m["id"] != **after)) {
        all.clear();
        query.after = None;
    }
    let order = query.order.unwrap_or(Order::Asc);
    let page = page(all, query.after.as_deref(), query.limit, order, &|_| true)?;
    Ok(Json(page).into_response())
}
