//! What stands before every route: names, keys, limits, panics, the log.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture};
use serde::de::DeserializeOwned;

use super::{
    Shared,
    access_log::Record,
    body,
    error::{ApiError, Dialect},
    keys::Key,
    routes::{Access, Route},
};

/// A request that has passed the gate.
pub(crate) struct Call {
    pub(crate) api: Arc<Shared>,
    pub(crate) key: Arc<Key>,
    pub(crate) record: Arc<Record>,
    pub(crate) body: Bytes,
    uri: Uri,
    params: Vec<(String, String)>,
}

/// What a handler gives back.
pub(crate) type Reply = Result<Response, ApiError>;
/// A route's function.
pub(crate) type Handler = fn(Call) -> BoxFuture<'static, Reply>;

impl Call {
    /// A request that came in another one's body.
    pub(crate) fn of(api: &Arc<Shared>, key: &Arc<Key>, record: Arc<Record>) -> Self {
        let (api, key) = (Arc::clone(api), Arc::clone(key));
        record.note(|facts| facts.key = Some(key.name.clone()));
        Self { api, key, record, body: Bytes::new(), uri: Uri::default(), params: Vec::new() }
    }

    /// The body.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        body::parse(&self.body)
    }

    /// The part of the address after `?`.
    pub(crate) fn query<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        body::query(&self.uri)
    }

    /// A part of the path.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// Who asks, for fair queueing: the key, and the user if the request names one.
    pub(crate) fn client(&self, user: Option<&str>) -> String {
        match user {
            Some(user) => format!("{}/{user}", self.key.name),
            None => self.key.name.clone(),
        }
    }
}

/// Runs work that computes on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    api: &Arc<Shared>,
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            api.report(&format!("a request panicked: {error}"));
            Err(ApiError::Internal)
        }
    }
}

/// Answers a request to `route`, whatever happens.
pub(crate) async fn answer(
    api: Arc<Shared>,
    route: &'static Route,
    params: Vec<(String, String)>,
    request: Request,
) -> Response {
    let record = Record::new(&api, api.new_id(), request.method().as_str(), route.path);
    let record = Arc::new(record);
    let cors = api.hosts.cors(request.headers());
    let work = pass(Arc::clone(&api), route, Arc::clone(&record), params, request);
    let reply = match AssertUnwindSafe(work).catch_unwind().await {
        Ok(reply) => reply,
        Err(panic) => {
            let why = panic.downcast_ref::<String>().map(String::as_str);
            let why = why.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("");
            api.report(&format!("request {} to {} panicked: {why}", record.id(), route.path));
            Err(ApiError::Internal)
        }
    };
    let mut response = reply.unwrap_or_else(|e| e.into_response(route.dialect, record.id()));
    record.note(|facts| facts.status = response.status().as_u16());
    decorate(response.headers_mut(), record.id(), cors);
    response
}

/// A request to a path that no route has, or with a method that its routes have not. It needs a key like
/// any other, so that strangers learn nothing.
pub(crate) async fn refuse(
    api: Arc<Shared>,
    error: ApiError,
    dialect: Dialect,
    request: Request,
) -> Response {
    let record = Record::new(&api, api.new_id(), request.method().as_str(), "none");
    let cors = api.hosts.cors(request.headers());
    let is_preflight = request.method() == Method::OPTIONS && !cors.is_empty();
    let headers = request.headers();
    let checked = match api.hosts.check(headers) {
        Ok(()) if is_preflight => None,
        Ok(()) if presented_key(&api, headers).is_none() => Some(ApiError::NoKey),
        Ok(()) => Some(error),
        Err(foreign) => Some(foreign),
    };
    let mut response = match checked {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(error) => error.into_response(dialect, record.id()),
    };
    record.note(|facts| facts.status = response.status().as_u16());
    decorate(response.headers_mut(), record.id(), cors);
    response
}

/// Headers of every answer.
fn decorate(headers: &mut HeaderMap, id: &str, cors: Vec<(HeaderName, HeaderValue)>) {
    if let Ok(id) = HeaderValue::from_str(&format!("req_{id}")) {
        headers.insert("x-request-id", id.clone());
        headers.insert("request-id", id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.extend(cors);
}

async fn pass(
    api: Arc<Shared>,
    route: &'static Route,
    record: Arc<Record>,
    params: Vec<(String, String)>,
    request: Request,
) -> Reply {
    let (Parts { method, uri, headers, .. }, body) = request.into_parts();
    api.hosts.check(&headers)?;
    let key = admit(&api, route, &headers)?;
    record.note(|facts| facts.key = Some(key.name.clone()));
    let body = match route.body {
        Some(_) => read(&api, &headers, body).await?,
        None if method == Method::POST && !is_empty(&headers) => read(&api, &headers, body).await?,
        None => Bytes::new(),
    };
    (route.run)(Call { api, key, record, body, uri, params }).await
}

/// Whose request it is, if they may make it.
fn admit(
    api: &Arc<Shared>,
    route: &'static Route,
    headers: &HeaderMap,
) -> Result<Arc<Key>, ApiError> {
    let key = match (presented_key(api, headers), route.access) {
        (Some(key), _) => key,
        (None, Access::Public) => return Ok(Arc::new(Key::nobody())),
        (None, _) => return Err(ApiError::NoKey),
    };
    if route.access == Access::Admin && !key.admin {
        return Err(ApiError::Forbidden("this key may not administrate the server".to_owned()));
    }
    if route.access == Access::Key {
        if api.is_draining() {
            return Err(ApiError::Draining);
        }
        key.admit(Instant::now())?;
    }
    Ok(key)
}

/// The key that `Authorization: Bearer` or `x-api-key` presents.
fn presented_key(api: &Arc<Shared>, headers: &HeaderMap) -> Option<Arc<Key>> {
    let bearer = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes).and_then(|value| {
        let (scheme, key) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
    });
    let presented = bearer.or_else(|| headers.get("x-api-key").map(HeaderValue::as_bytes));
    api.keys.find(presented)
}

fn is_empty(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    !headers.contains_key(header::TRANSFER_ENCODING) && length.is_none_or(|l| l == "0")
}

async fn read(api: &Arc<Shared>, headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    // A page of another site may send text/plain or a form without asking first.
    if !kind.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/json") {
        return Err(ApiError::NotJson);
    }
    let limit = api.limits.body_bytes;
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    if declared.is_some_and(|n: u64| n > limit as u64) {
        return Err(ApiError::TooLarge { limit });
    }
    let collect = async {
        let mut bytes = Vec::new();
        let mut pieces = body.into_data_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|_| ApiError::Invalid {
                param: None,
                why: "the body ended before its declared length".to_owned(),
            })?;
            if bytes.len() + piece.len() > limit {
                return Err(ApiError::TooLarge { limit });
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Bytes::from(bytes))
    };
    tokio::time::timeout(api.limits.body_time, collect).await.unwrap_or(Err(ApiError::TooSlow))
}
