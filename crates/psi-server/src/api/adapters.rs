//! LoRA adapters beside a loaded model: load, list, drop.

use std::path::PathBuf;

use axum::{Json, response::IntoResponse};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    error::ApiError,
    gate::{Call, Reply, blocking},
    text::ModelQuery,
};

/// Body of `POST /v1/adapters/load`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoadBody {
    model: Option<String>,
    /// What requests call it: `MODEL:NAME`.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_.-]+$"))]
    name: String,
    /// The adapter's folder, inside the server's folder of adapters.
    path: String,
}

/// Body of `POST /v1/adapters/unload`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnloadBody {
    model: Option<String>,
    name: String,
}

/// An adapter.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Adapter {
    model: String,
    name: String,
    loaded: bool,
}

/// Adapters.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct AdapterList {
    object: &'static str,
    data: Vec<Adapter>,
}

pub(crate) async fn list(call: Call) -> Reply {
    let query: ModelQuery = call.query()?;
    let served = call.model(query.model.as_deref()).await?;
    let adapter = |name| Adapter { model: served.name.clone(), name, loaded: true };
    let data = served.model.service.adapters().into_iter().map(adapter).collect();
    Ok(Json(AdapterList { object: "list", data }).into_response())
}

pub(crate) async fn load(call: Call) -> Reply {
    let body: LoadBody = call.json()?;
    let is_good = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if body.name.is_empty() || body.name.len() > 64 || !body.name.chars().all(is_good) {
        let why = "must be 1 to 64 letters, digits, `_`, `-` or `.`";
        return Err(ApiError::invalid("name", why));
    }
    let folder = folder(&call, &body.path)?;
    let served = call.model(body.model.as_deref()).await?;
    let (name, model, worker) = (body.name.clone(), served.model, call.api.clone());
    blocking(&call.api, move || {
        let loaded = model.service.load_adapter(&name, &folder);
        // The reason names files of this machine: it is for the server's owner.
        loaded.map_err(|e| {
            worker.report(&format!("the adapter `{name}` cannot be loaded: {e}"));
            let why = "holds no adapter of this model; the server's log says more";
            ApiError::invalid("path", why)
        })
    })
    .await?;
    Ok(Json(Adapter { model: served.name, name: body.name, loaded: true }).into_response())
}

/// The folder that a request names: inside the server's folder of adapters, wherever links lead.
fn folder(call: &Call, path: &str) -> Result<PathBuf, ApiError> {
    let Some(root) = &call.api.adapters else {
        let why = "this server has no folder of adapters (psi serve --adapters DIR)";
        return Err(ApiError::unsupported("path", why));
    };
    // The same words for what is absent and what is outside, so that nothing is learnt about the machine.
    let outside =
        || ApiError::invalid("path", "is not a folder inside the server's folder of adapters");
    let root = root.canonicalize().map_err(|_| outside())?;
    let folder = root.join(path).canonicalize().map_err(|_| outside())?;
    match folder.starts_with(&root) && folder.is_dir() {
        true => Ok(folder),
        false => Err(outside()),
    }
}

pub(crate) async fn unload(call: Call) -> Reply {
    let body: UnloadBody = call.json()?;
    let served = call.model(body.model.as_deref()).await?;
    let name = body.name;
    if !served.model.service.unload_adapter(&name) {
        return Err(ApiError::NotFound { what: "adapter", name });
    }
    Ok(Json(Adapter { model: served.name, name, loaded: false }).into_response())
}
