//! One line per request: who asked what, what came of it, how long it took - never what was said.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::json;

use super::Shared;

/// The status of a request whose client left before the answer began, as nginx numbers it.
const GONE: u16 = 499;

/// A request's line; it is written when the answer has been sent or given up.
pub(crate) struct Record {
    api: Arc<Shared>,
    id: String,
    method: String,
    route: &'static str,
    started: Instant,
    facts: Mutex<Facts>,
}

/// What becomes known on the way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) key: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) status: u16,
    pub(crate) streamed: bool,
    pub(crate) prompt_tokens: u64,
    pub(crate) cached_tokens: u64,
    pub(crate) completion_tokens: u64,
    pub(crate) finish: Option<&'static str>,
}

impl Record {
    pub(crate) fn new(api: &Arc<Shared>, id: String, method: &str, route: &'static str) -> Self {
        Self {
            api: Arc::clone(api),
            id,
            method: method.to_owned(),
            route,
            started: Instant::now(),
            facts: Mutex::default(),
        }
    }

    /// The request's name, also sent to the client.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Since the request came.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Notes something.
    pub(crate) fn note(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.facts.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let mut facts = Facts::default();
        self.note(|f| facts = f.clone());
        if facts.status == 0 {
            facts.status = GONE;
        }
        let elapsed = self.started.elapsed();
        self.api.metrics.request_ended(self.route, facts.status, elapsed);
        let Some(log) = &self.api.access_log else { return };
        let mut line = json!({
            "time": self.api.unix_s(),
            "request": self.id,
            "key": facts.key,
            "method": self.method,
            "route": self.route,
            "status": facts.status,
            "duration_ms": elapsed.as_millis() as u64,
        });
        if let Some(model) = facts.model {
            line["model"] = json!(model);
            line["stream"] = json!(facts.streamed);
            line["prompt_tokens"] = json!(facts.prompt_tokens);
            line["cached_tokens"] = json!(facts.cached_tokens);
            line["completion_tokens"] = json!(facts.completion_tokens);
            line["finish"] = json!(facts.finish);
        }
        log.put(&line);
    }
}
