//! `/v1/messages/batches`: many messages that nobody waits for, answered a few at a time beside other requests.
//!
//! A batch is kept in the store, first with its requests, at its end with their results. One that the process did not
//! end is done again, whole, by the next: no result has been seen of it.

use std::{collections::HashSet, sync::Arc, time::Duration};

use axum::{Json, http::header, response::IntoResponse};
use futures_util::StreamExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::request::MessageBody;
use crate::api::{
    Shared,
    access_log::Record,
    body,
    error::{ApiError, Dialect},
    gate::{Call, Reply},
    keys::Key,
    model_list::date,
    store::Kept,
};

/// The `object` of a kept batch.
const OBJECT: &str = "message_batch";
/// Requests of one batch.
const MAX_REQUESTS: usize = 10_000;
/// Batches of one key that have not ended.
const MAX_OPEN: usize = 16;
/// Batches of one key with those that have: their results are kept until they are forgotten.
const MAX_KEPT: usize = 64;
/// Requests of one batch that are answered at the same time, so that those somebody waits for find room.
const WIDTH: usize = 8;
/// After this long what has not begun is given up.
const LIFETIME_S: u64 = 24 * 60 * 60;
/// Longest `custom_id`.
const MAX_CUSTOM_ID: usize = 64;

/// Body of `POST /v1/messages/batches`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchBody {
    #[schemars(length(min = 1, max = 10_000))]
    requests: Vec<BatchRequest>,
    /// Accepted: a server is one workspace.
    #[serde(default, rename = "workspace_id")]
    _workspace_id: Option<String>,
    /// Likewise.
    #[serde(default, rename = "user_profile_id")]
    _user_profile_id: Option<String>,
}

/// One request of a batch.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct BatchRequest {
    /// What its result is called.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_-]+$"))]
    custom_id: String,
    /// The body of `POST /v1/messages`. It is checked when its turn comes: a bad one fails alone.
    #[schemars(extend("type" = "object"))]
    params: Value,
}

/// Which of many are wanted, the newest first.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchQuery {
    /// Start after this one.
    after_id: Option<String>,
    /// End before this one.
    before_id: Option<String>,
    /// Most of them.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<usize>,
    /// Anthropic's client says so of its beta routes; there is one kind of batch.
    #[serde(rename = "beta")]
    _beta: Option<bool>,
}

/// A batch.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct MessageBatch {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    processing_status: Status,
    request_counts: Counts,
    created_at: String,
    expires_at: String,
    ended_at: Option<String>,
    cancel_initiated_at: Option<String>,
    archived_at: Option<String>,
    /// Where its results are, once it has ended.
    results_url: Option<String>,
}

/// How far a batch is.
#[derive(Clone, Copy, Debug, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    InProgress,
    Canceling,
    Ended,
}

/// What became of its requests; known when it has ended.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
struct Counts {
    processing: usize,
    succeeded: usize,
    errored: usize,
    canceled: usize,
    expired: usize,
}

/// Batches.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct BatchPage {
    data: Vec<MessageBatch>,
    has_more: bool,
    first_id: Option<String>,
    last_id: Option<String>,
}

/// A batch that has been forgotten.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Deleted {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// The state of a batch as the store keeps it, in seconds since 1970.
#[derive(Debug, Deserialize, Serialize)]
struct State {
    object: String,
    created_at: u64,
    ended_at: Option<u64>,
    cancel_initiated_at: Option<u64>,
    counts: Counts,
}

impl State {
    fn of(kept: &Kept) -> Result<Self, ApiError> {
        // Written by this file only; another shape is damage.
        Self::deserialize(&kept.object).map_err(|_| ApiError::Internal)
    }

    fn expires_at(&self) -> u64 {
        self.created_at + LIFETIME_S
    }
}

impl MessageBatch {
    fn new(kept: &Kept) -> Result<Self, ApiError> {
        let state = State::of(kept)?;
        let processing_status = match (state.ended_at, state.cancel_initiated_at) {
            (Some(_), _) => Status::Ended,
            (None, Some(_)) => Status::Canceling,
            (None, None) => Status::InProgress,
        };
        let results_url = || format!("/v1/messages/batches/{}/results", kept.id);
        Ok(Self {
            id: kept.id.clone(),
            kind: OBJECT,
            processing_status,
            request_counts: state.counts,
            created_at: date(state.created_at),
            expires_at: date(state.expires_at()),
            ended_at: state.ended_at.map(date),
            cancel_initiated_at: state.cancel_initiated_at.map(date),
            archived_at: None,
            results_url: state.ended_at.map(|_| results_url()),
        })
    }
}

pub(crate) async fn create(call: Call) -> Reply {
    let body: BatchBody = call.json()?;
    check(&body.requests)?;
    let owner = call.key.name.clone();
    let ended = call.api.store.ended(&owner, OBJECT);
    if ended.iter().filter(|&&has_ended| !has_ended).count() >= MAX_OPEN {
        return Err(ApiError::Busy);
    }
    if ended.len() >= MAX_KEPT {
        let why = format!("{MAX_KEPT} batches are kept: forget some of them first (DELETE)");
        return Err(ApiError::Invalid { param: None, why });
    }
    let counts = Counts { processing: body.requests.len(), ..Counts::default() };
    let created_at = call.api.unix_s();
    let object = OBJECT.to_owned();
    let state = State { object, created_at, ended_at: None, cancel_initiated_at: None, counts };
    let kept = Kept {
        id: format!("msgbatch_{}", call.record.id()),
        owner,
        object: json!(state),
        messages: Vec::new(),
        input: body.requests.iter().map(|r| json!(r)).collect(),
    };
    let batch = MessageBatch::new(&kept)?;
    let id = kept.id.clone();
    keep(&call.api, call.api.store.put(kept))?;
    tokio::spawn(work(Arc::clone(&call.api), Arc::clone(&call.key), id));
    Ok(Json(batch).into_response())
}

/// Refuses what no single request could be blamed for.
fn check(requests: &[BatchRequest]) -> Result<(), ApiError> {
    if !(1..=MAX_REQUESTS).contains(&requests.len()) {
        let why = format!("must hold 1 to {MAX_REQUESTS} requests");
        return Err(ApiError::invalid("requests", why));
    }
    let mut names = HashSet::new();
    for (i, request) in requests.iter().enumerate() {
        let name = request.custom_id.as_str();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let is_good = (1..=MAX_CUSTOM_ID).contains(&name.len()) && name.chars().all(is_plain);
        let why = match (is_good, names.insert(name)) {
            (false, _) => format!("must be 1 to {MAX_CUSTOM_ID} letters, digits, '-' or '_'"),
            (true, false) => format!("`{name}` is there twice"),
            (true, true) if !request.params.is_object() => {
                let param = format!("requests[{i}].params");
                return Err(ApiError::invalid(param, "must be the body of a message"));
            }
            (true, true) => continue,
        };
        return Err(ApiError::invalid(format!("requests[{i}].custom_id"), why));
    }
    Ok(())
}

pub(crate) async fn get(call: Call) -> Reply {
    Ok(Json(MessageBatch::new(&find(&call)?)?).into_response())
}

pub(crate) async fn list(call: Call) -> Reply {
    let query: BatchQuery = call.query()?;
    let limit = query.limit.unwrap_or(20);
    if !(1..=1000).contains(&limit) {
        return Err(ApiError::invalid("limit", "must be between 1 and 1000"));
    }
    let mut all = call.api.store.all(&call.key.name, OBJECT);
    all.reverse();
    let place = |id: &str, param: &str| {
        let at = all.iter().position(|kept| kept.id == id);
        at.ok_or_else(|| ApiError::invalid(param, "is not the id of a batch"))
    };
    let start = query.after_id.as_deref().map(|id| place(id, "after_id")).transpose()?;
    let end = query.before_id.as_deref().map(|id| place(id, "before_id")).transpose()?;
    let wanted = start.map_or(0, |at| at + 1)..end.unwrap_or(all.len());
    let wanted = all.get(wanted).unwrap_or_default();
    // Before an id: those that come just before it.
    let first = if query.before_id.is_some() { wanted.len().saturating_sub(limit) } else { 0 };
    let shown = &wanted[first..wanted.len().min(first + limit)];
    let data = shown.iter().map(MessageBatch::new).collect::<Result<Vec<_>, _>>()?;
    let id = |batch: Option<&MessageBatch>| batch.map(|b| b.id.clone());
    let (first_id, last_id) = (id(data.first()), id(data.last()));
    let has_more = wanted.len() > limit;
    Ok(Json(BatchPage { data, has_more, first_id, last_id }).into_response())
}

pub(crate) async fn cancel(call: Call) -> Reply {
    let id = find(&call)?.id;
    let now = call.api.unix_s();
    let changed = call.api.store.change(&id, &call.key.name, |kept| {
        let state = &mut kept.object;
        let is_open = state["ended_at"].is_null() && state["cancel_initiated_at"].is_null();
        if is_open {
            state["cancel_initiated_at"] = json!(now);
        }
        is_open
    });
    let kept = keep(&call.api, changed)?.ok_or_else(|| missing(&id))?;
    Ok(Json(MessageBatch::new(&kept)?).into_response())
}

pub(crate) async fn delete(call: Call) -> Reply {
    let kept = find(&call)?;
    let state = State::of(&kept)?;
    // Nothing is begun any more of one that has expired, whoever was to end it.
    if state.ended_at.is_none() && call.api.unix_s() < state.expires_at() {
        let why = "this batch has not ended: cancel it first";
        return Err(ApiError::Invalid { param: None, why: why.to_owned() });
    }
    call.api.store.remove(&kept.id, &call.key.name);
    Ok(Json(Deleted { id: kept.id, kind: "message_batch_deleted" }).into_response())
}

pub(crate) async fn results(call: Call) -> Reply {
    let kept = find(&call)?;
    if State::of(&kept)?.ended_at.is_none() {
        let why = "this batch has not ended: its results are not there yet";
        return Err(ApiError::Invalid { param: None, why: why.to_owned() });
    }
    let lines: String = kept.messages.iter().map(|line| format!("{line}\n")).collect();
    Ok(([(header::CONTENT_TYPE, "application/x-jsonl")], lines).into_response())
}

fn find(call: &Call) -> Result<Kept, ApiError> {
    let id = call.param("id");
    let kept = call.api.store.get(id, &call.key.name);
    kept.filter(|kept| kept.object["object"] == OBJECT).ok_or_else(|| missing(id))
}

fn missing(id: &str) -> ApiError {
    ApiError::NotFound { what: "batch", name: id.to_owned() }
}

fn keep<T>(api: &Shared, kept: Result<T, String>) -> Result<T, ApiError> {
    kept.map_err(|why| {
        api.report(&format!("a batch cannot be kept: {why}"));
        ApiError::Internal
    })
}

/// Goes on with the batches that the last process left.
pub(crate) fn resume(api: &Arc<Shared>) {
    for kept in api.store.of_kind(OBJECT) {
        if kept.object["ended_at"].is_null()
            && let Some(key) = api.keys.named(&kept.owner)
        {
            tokio::spawn(work(Arc::clone(api), key, kept.id));
        }
    }
}

/// Answers the requests of a batch, and ends it.
async fn work(api: Arc<Shared>, key: Arc<Key>, id: String) {
    let Some(kept) = api.store.get(&id, &key.name) else { return };
    let Ok(state) = State::of(&kept) else { return };
    let batch = Batch { api: &api, key: &key, id: &id, expires_at: state.expires_at() };
    let results: Vec<Option<Value>> = futures_util::stream::iter(kept.input)
        .map(|request| batch.answer(request))
        .buffered(WIDTH)
        .collect()
        .await;
    // The server is being stopped: the next one does it.
    let Some(results) = results.into_iter().collect::<Option<Vec<Value>>>() else { return };
    let mut counts = Counts::default();
    for line in &results {
        *match line["result"]["type"].as_str() {
            Some("succeeded") => &mut counts.succeeded,
            Some("canceled") => &mut counts.canceled,
            Some("expired") => &mut counts.expired,
            _ => &mut counts.errored,
        } += 1;
    }
    let ended = api.store.change(&id, &key.name, |kept| {
        kept.object["ended_at"] = json!(api.unix_s());
        kept.object["counts"] = json!(counts);
        (kept.messages, kept.input) = (results, Vec::new());
        true
    });
    // What cannot be written has been reported; the next process does the batch again.
    let _ = keep(&api, ended);
}

/// A batch that is being answered.
#[derive(Clone, Copy)]
struct Batch<'a> {
    api: &'a Arc<Shared>,
    key: &'a Arc<Key>,
    id: &'a str,
    expires_at: u64,
}

impl Batch<'_> {
    /// The result of one request; `None` when the server stops before there is one.
    async fn answer(self, request: Value) -> Option<Value> {
        let result = loop {
            if let Some(result) = self.given_up() {
                break result;
            }
            let id = self.api.new_id();
            let record = Record::new(self.api, id, "POST", "/v1/messages/batches");
            let call = Call::of(self.api, self.key, Arc::new(record));
            let answered = message(&call, &request["params"]).await;
            let status = answered.as_ref().map_or_else(|e| e.status().as_u16(), |_| 200);
            call.record.note(|facts| facts.status = status);
            match answered {
                Ok(message) => break json!({ "type": "succeeded", "message": message }),
                Err(ApiError::Draining) => return None,
                // Others have filled the queue.
                Err(ApiError::Busy) => tokio::time::sleep(Duration::from_millis(200)).await,
                Err(error) => {
                    let error = error.body(Dialect::Anthropic, call.record.id());
                    break json!({ "type": "errored", "error": error });
                }
            }
        };
        Some(json!({ "custom_id": request["custom_id"], "result": result }))
    }

    /// Why a request is not begun any more.
    fn given_up(&self) -> Option<Value> {
        let is_wanted = |kept: &Kept| kept.object["cancel_initiated_at"].is_null();
        let is_wanted = self.api.store.look(self.id, &self.key.name, is_wanted).unwrap_or(false);
        match (is_wanted, self.api.unix_s() >= self.expires_at) {
            (false, _) => Some(json!({ "type": "canceled" })),
            (true, true) => Some(json!({ "type": "expired" })),
            (true, false) => None,
        }
    }
}

/// One message, waited for.
async fn message(call: &Call, params: &Value) -> Result<Value, ApiError> {
    if call.api.is_draining() {
        return Err(ApiError::Draining);
    }
    let body: MessageBody = body::parse(params.to_string().as_bytes())?;
    if body.stream == Some(true) {
        return Err(ApiError::invalid("stream", "the answers of a batch come at its end"));
    }
    Ok(json!(super::whole(call, &body, Some("batch")).await?))
}
