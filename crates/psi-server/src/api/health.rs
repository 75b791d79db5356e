//! Whether the server lives, whether its model answers, and its counters.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use psi_infer::{SamplingParams, service::Request};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Shared,
    error::ApiError,
    gate::{Call, Reply, blocking},
    metrics, models,
};

/// How long one answer of the model stands for its health, so that asking costs little.
const FRESH: Duration = Duration::from_secs(5);

/// How the server does.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Health {
    status: &'static str,
}

/// When the model last answered.
pub(crate) type LastAnswer = tokio::sync::Mutex<Option<Instant>>;

pub(crate) async fn health(_call: Call) -> Reply {
    Ok(Json(Health { status: "ok" }).into_response())
}

pub(crate) async fn ready(call: Call) -> Reply {
    if call.api.is_draining() {
        return Ok(not_ready("draining"));
    }
    // One at a time: the others wait for its result.
    let mut last = call.api.last_answer.lock().await;
    if last.is_some_and(|at| at.elapsed() < FRESH) {
        return Ok(Json(Health { status: "ready" }).into_response());
    }
    match write_one_token(&call.api).await {
        Ok(()) => {
            *last = Some(Instant::now());
            Ok(Json(Health { status: "ready" }).into_response())
        }
        Err(_) => Ok(not_ready("the model does not answer")),
    }
}

fn not_ready(status: &'static str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status })).into_response()
}

async fn write_one_token(api: &Arc<Shared>) -> Result<(), ApiError> {
    let model = models::load_first(api).await?;
    blocking(api, move || {
        let request = Request {
            tokens: vec![model.tokenizer.bos().unwrap_or(0)],
            max_tokens: 1,
            sampling: SamplingParams::greedy(),
            ignore_eos: true,
            client: "ready".to_owned(),
            ..Request::default()
        };
        let done = model.service.complete(request);
        done.map(drop).map_err(|e| ApiError::Failed(e.to_string()))
    })
    .await
}

pub(crate) async fn metrics(call: Call) -> Reply {
    let mut text = call.api.metrics.text();
    let gauge = |text: &mut String, name: &str, help: &str, of: &dyn Fn(&Status) -> f64| {
        metrics::head(text, name, "gauge", help);
        for (model, loaded) in call.api.models.loaded() {
            metrics::sample(text, name, &[("model", &model)], of(&loaded.service.status()));
        }
    };
    type Status = psi_infer::service::Status;
    gauge(&mut text, "psi_requests_running", "Requests that run.", &|s| s.n_running as f64);
    gauge(&mut text, "psi_requests_queued", "Requests that wait.", &|s| s.n_queued as f64);
    let help = "Cache blocks that running requests hold.";
    gauge(&mut text, "psi_cache_blocks_used", help, &|s| s.n_blocks_used as f64);
    gauge(&mut text, "psi_cache_blocks", "Cache blocks there are.", &|s| s.n_blocks as f64);
    let help = "Cache blocks that hold prefixes for later requests.";
    gauge(&mut text, "psi_cache_blocks_kept", help, &|s| s.n_blocks_kept as f64);
    let help = "Tokens whose keys and values were found in the cache.";
    gauge(&mut text, "psi_cached_tokens", help, &|s| s.n_cached_tokens as f64);
    let help = "Tokens guessed ahead.";
    gauge(&mut text, "psi_drafted_tokens", help, &|s| s.n_drafted_tokens as f64);
    let help = "Those of them that were right.";
    gauge(&mut text, "psi_accepted_tokens", help, &|s| s.n_accepted_tokens as f64);
    gauge(&mut text, "psi_steps", "Forward passes.", &|s| s.n_steps as f64);
    metrics::head(&mut text, "psi_uptime_seconds", "gauge", "Since the server was started.");
    metrics::sample(&mut text, "psi_uptime_seconds", &[], call.api.uptime().as_secs_f64());
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
