//! `GET /v1/models`, in a shape that OpenAI's and Anthropic's clients both read.

use axum::{Json, response::IntoResponse};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    error::ApiError,
    gate::{Call, Reply},
};

/// Which of many are wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelQuery {
    /// Start after this one.
    after_id: Option<String>,
    /// End before this one.
    before_id: Option<String>,
    /// Most of them.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<usize>,
    /// Of these stages of life (default: all).
    #[serde(default, rename = "lifecycle")]
    lifecycles: Option<Vec<Lifecycle>>,
    /// Anthropic's client says so of its beta routes; psi has one set of models.
    #[serde(rename = "beta")]
    _beta: Option<bool>,
}

/// A stage of a model's life.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Lifecycle {
    Active,
    Deprecated,
    Retired,
}

/// Models.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct ModelPage {
    object: &'static str,
    data: Vec<Model>,
    first_id: Option<String>,
    last_id: Option<String>,
    has_more: bool,
}

/// One model.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct Model {
    id: String,
    object: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    /// When this server was started, in seconds since 1970.
    created: u64,
    /// The same as a date.
    created_at: String,
    display_name: String,
    lifecycle: Lifecycle,
    owned_by: &'static str,
    /// Whether it is in memory.
    loaded: bool,
    /// Most tokens of prompt and answer; known when it is loaded.
    context_length: Option<usize>,
    /// The same under Anthropic's names.
    max_input_tokens: Option<usize>,
    max_tokens: Option<usize>,
    capabilities: Option<()>,
}

/// Every model that the key may use, and the adapters of those that are loaded.
fn all(call: &Call) -> Vec<Model> {
    let created = call.api.unix_s().saturating_sub(call.api.uptime().as_secs());
    let mut models = Vec::new();
    for name in call.api.models.names().into_iter().filter(|name| call.key.may_use(name)) {
        let loaded = call.api.models.peek(&name);
        let context = loaded.as_ref().map(|m| m.service.max_context());
        let model = |id: String| Model {
            display_name: id.clone(),
            id,
            object: "model",
            kind: "model",
            created,
            created_at: date(created),
            lifecycle: Lifecycle::Active,
            owned_by: "psi",
            loaded: loaded.is_some(),
            context_length: context,
            max_input_tokens: context,
            max_tokens: context,
            capabilities: None,
        };
        models.push(model(name.clone()));
        let adapters = loaded.iter().flat_map(|m| m.service.adapters());
        models.extend(adapters.map(|adapter| model(format!("{name}:{adapter}"))));
    }
    models
}

pub(crate) async fn list(call: Call) -> Reply {
    let query: ModelQuery = call.query()?;
    let limit = query.limit.unwrap_or(1000);
    if !(1..=1000).contains(&limit) {
        return Err(ApiError::invalid("limit", "must be between 1 and 1000"));
    }
    let mut data = all(&call);
    let place = |id: &str, param: &str| {
        let at = data.iter().position(|m| m.id == id);
        at.ok_or_else(|| ApiError::invalid(param, "is not the id of a model"))
    };
    let start = query.after_id.as_deref().map(|id| place(id, "after_id")).transpose()?;
    let end = query.before_id.as_deref().map(|id| place(id, "before_id")).transpose()?;
    data.truncate(end.unwrap_or(data.len()));
    data.drain(..start.map_or(0, |at| at + 1).min(data.len()));
    data.retain(|m| query.lifecycles.as_ref().is_none_or(|l| l.contains(&m.lifecycle)));
    let has_more = data.len() > limit;
    data.truncate(limit);
    let id = |model: Option<&Model>| model.map(|m| m.id.clone());
    let (first_id, last_id) = (id(data.first()), id(data.last()));
    Ok(Json(ModelPage { object: "list", data, first_id, last_id, has_more }).into_response())
}

pub(crate) async fn get(call: Call) -> Reply {
    let name = call.param("model");
    let model = all(&call).into_iter().find(|m| m.id == name);
    let model = model.ok_or_else(|| ApiError::NoModel(name.to_owned()))?;
    Ok(Json(model).into_response())
}

/// What became of a model that was to be deleted.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Deleted {
    id: String,
    object: &'static str,
    deleted: bool,
}

/// Drops an adapter, which clients see as the model `MODEL:ADAPTER`. Models themselves belong to who started the server.
pub(crate) async fn delete(call: Call) -> Reply {
    let id = call.param("model").to_owned();
    let served = call.model(Some(&id)).await?;
    let Some(adapter) = served.adapter else {
        let why = "a served model is not a client's to delete; an adapter (MODEL:ADAPTER) is";
        return Err(ApiError::Forbidden(why.to_owned()));
    };
    if !served.model.service.unload_adapter(&adapter) {
        return Err(ApiError::NoModel(id));
    }
    Ok(Json(Deleted { id, object: "model", deleted: true }).into_response())
}

/// Seconds since 1970 as `YYYY-MM-DDTHH:MM:SSZ`.
pub(crate) fn date(unix_s: u64) -> String {
    let second = i64::try_from(unix_s).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(second).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar() {
        assert_eq!(date(0), "1970-01-01T00:00:00Z");
        assert_eq!(date(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(date(1_795_348_799), "2026-11-22T11:59:59Z");
    }
}
