//! Why a request is not served, and how OpenAI's and Anthropic's clients are told.

use std::fmt;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// Whose error shape a route speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `{"error": {"message", "type", "param", "code"}}`.
    OpenAi,
    /// `{"type": "error", "error": {"type", "message"}, "request_id"}`.
    Anthropic,
}

/// Why a request is refused or has failed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ApiError {
    /// The body is not JSON, or a parameter has a wrong type, a wrong value or an unknown name.
    Invalid { param: Option<String>, why: String },
    /// Something that this server, or this model, does not do.
    Unsupported { param: String, why: String },
    /// Prompt and answer do not fit.
    ContextOverflow { n_prompt: usize, max_tokens: usize, limit: usize },
    /// The body is longer than the server takes.
    TooLarge { limit: usize },
    /// The body is not declared as JSON.
    NotJson,
    /// The body did not arrive in time.
    TooSlow,
    /// No key, or one that is not in the keys file.
    NoKey,
    /// The key may not do this; or another site's page asks; or the Host is foreign.
    Forbidden(String),
    /// No model of this name is served.
    NoModel(String),
    /// No stored object, adapter or route of this name.
    NotFound { what: &'static str, name: String },
    /// The route exists for other methods.
    Method { allowed: String },
    /// Too many requests wait already.
    Busy,
    /// The key asks more often than it may.
    TooOften { retry_after_s: u64 },
    /// The key's tokens of the day are used up, or this request could need more than are left.
    Quota { left: u64, needed: u64, retry_after_s: u64 },
    /// The server is being ended.
    Draining,
    /// The model's files cannot be loaded; the reason is in the server's own log.
    NotLoaded(String),
    /// The model failed while it wrote.
    Failed(String),
    /// A bug; the reason is in the server's own log.
    Internal,
}

impl ApiError {
    /// A parameter that cannot be used as given.
    pub(crate) fn invalid(param: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Invalid { param: Some(param.into()), why: why.into() }
    }

    /// A parameter that asks for something psi does not do.
    pub(crate) fn unsupported(param: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Unsupported { param: param.into(), why: why.into() }
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Invalid { .. } | Self::Unsupported { .. } | Self::ContextOverflow { .. } => {
                StatusCode::BAD_REQUEST
            }
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NoKey => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NoModel(_) | Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Busy | Self::TooOften { .. } | Self::Quota { .. } => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::Draining | Self::NotLoaded(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(_) | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// OpenAI's `type` and `code`.
    fn openai_kind(&self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Invalid { .. } | Self::TooSlow => ("invalid_request_error", None),
            Self::Unsupported { .. } => ("invalid_request_error", Some("unsupported_parameter")),
            Self::ContextOverflow { .. } => {
                ("exceed_context_size_error", Some("context_length_exceeded"))
            }
            Self::TooLarge { .. } => ("invalid_request_error", Some("request_too_large")),
            Self::NotJson => ("invalid_request_error", Some("unsupported_media_type")),
            Self::NoKey => ("authentication_error", Some("invalid_api_key")),
            Self::Forbidden(_) => ("permission_error", None),
            Self::NoModel(_) => ("invalid_request_error", Some("model_not_found")),
            Self::NotFound { .. } => ("invalid_request_error", Some("not_found")),
            Self::Method { .. } => ("invalid_request_error", Some("method_not_allowed")),
            Self::Busy => ("rate_limit_error", Some("queue_full")),
            Self::TooOften { .. } => ("rate_limit_error", Some("rate_limit_exceeded")),
            Self::Quota { .. } => ("insufficient_quota", Some("insufficient_quota")),
            Self::Draining => ("service_unavailable_error", Some("shutting_down")),
            Self::NotLoaded(_) => ("service_unavailable_error", Some("model_not_loaded")),
            Self::Failed(_) | Self::Internal => ("server_error", None),
        }
    }

    fn anthropic_kind(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "request_too_large",
            Self::Draining | Self::NotLoaded(_) => "overloaded_error",
            _ => match self.status() {
                StatusCode::UNAUTHORIZED => "authentication_error",
                StatusCode::FORBIDDEN => "permission_error",
                StatusCode::NOT_FOUND => "not_found_error",
                StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
                StatusCode::INTERNAL_SERVER_ERROR => "api_error",
                _ => "invalid_request_error",
            },
        }
    }

    fn param(&self) -> Option<&str> {
        match self {
            Self::Invalid { param, .. } => param.as_deref(),
            Self::Unsupported { param, .. } => Some(param),
            Self::NoModel(_) | Self::NotLoaded(_) => Some("model"),
            _ => None,
        }
    }

    fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::Busy | Self::NotLoaded(_) => Some(1),
            Self::Draining => Some(5),
            Self::TooOften { retry_after_s } | Self::Quota { retry_after_s, .. } => {
                Some(*retry_after_s)
            }
            _ => None,
        }
    }

    /// The body of the answer, also sent as the last event of a stream that fails.
    pub(crate) fn body(&self, dialect: Dialect, request_id: &str) -> Value {
        let message = self.to_string();
        if dialect == Dialect::Anthropic {
            let error = json!({ "type": self.anthropic_kind(), "message": message });
            return json!({ "type": "error", "error": error, "request_id": request_id });
        }
        let (kind, code) = self.openai_kind();
        let mut error =
            json!({ "message": message, "type": kind, "param": self.param(), "code": code });
        if let Self::ContextOverflow { n_prompt, limit, .. } = self {
            error["n_prompt_tokens"] = json!(n_prompt);
            error["n_ctx"] = json!(limit);
        }
        json!({ "error": error })
    }

    /// The answer.
    pub(crate) fn into_response(self, dialect: Dialect, request_id: &str) -> Response {
        let mut response = (self.status(), Json(self.body(dialect, request_id))).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        match &self {
            Self::NoKey => {
                let scheme = HeaderValue::from_static("Bearer");
                headers.insert(header::WWW_AUTHENTICATE, scheme);
            }
            Self::Method { allowed } => {
                if let Ok(allowed) = HeaderValue::from_str(allowed) {
                    headers.insert(header::ALLOW, allowed);
                }
            }
            _ => {}
        }
        response
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { param: Some(param), why } | Self::Unsupported { param, why } => {
                write!(f, "{param}: {why}")
            }
            Self::Invalid { param: None, why } | Self::Forbidden(why) => f.write_str(why),
            Self::ContextOverflow { n_prompt, max_tokens, limit } => write!(
                f,
                "the prompt's {n_prompt} tokens and {max_tokens} tokens of answer do not fit this model's \
                 context of {limit}: shorten the prompt or ask for fewer tokens"
            ),
            Self::TooLarge { limit } => write!(f, "the body is longer than {limit} bytes"),
            Self::NotJson => {
                f.write_str("the body must be sent with Content-Type: application/json")
            }
            Self::TooSlow => f.write_str("the body did not arrive in time"),
            Self::NoKey => f.write_str(
                "no valid key: send one as `Authorization: Bearer KEY` or `x-api-key: KEY`",
            ),
            Self::NoModel(name) => {
                write!(
                    f,
                    "the model `{name}` is not served here; GET /v1/models lists those that are"
                )
            }
            Self::NotFound { what, name } => write!(f, "there is no {what} `{name}`"),
            Self::Method { allowed } => write!(f, "this path takes {allowed}"),
            Self::Busy => f.write_str("too many requests are waiting: try again shortly"),
            Self::TooOften { retry_after_s } => {
                write!(f, "this key asks too often: try again in {retry_after_s} s")
            }
            Self::Quota { left, needed, .. } => write!(
                f,
                "this key has {left} tokens left today and the request may need {needed}: lower the most \
                 tokens of the answer, or wait until tomorrow (UTC)"
            ),
            Self::Draining => f.write_str("the server is shutting down"),
            Self::NotLoaded(name) => {
                write!(f, "the model `{name}` cannot be loaded; the server's log says why")
            }
            Self::Failed(why) => write!(f, "the model failed: {why}"),
            Self::Internal => f.write_str("an internal error; the server's log says more"),
        }
    }
}

impl std::error::Error for ApiError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dialects_name_what_is_wrong() {
        let error = ApiError::invalid("temperature", "must be at most 2");
        let body = error.body(Dialect::OpenAi, "req_1");
        assert_eq!(body["error"]["param"], "temperature");
        assert_eq!(body["error"]["type"], "invalid_request_error");
        let body = error.body(Dialect::Anthropic, "req_1");
        assert_eq!(body["type"], "error");
        assert_eq!(body["error"]["message"], "temperature: must be at most 2");
        assert_eq!(body["request_id"], "req_1");
    }

    #[test]
    fn an_overflow_says_how_long_prompt_and_context_are() {
        let error = ApiError::ContextOverflow { n_prompt: 600, max_tokens: 16, limit: 512 };
        let body = error.body(Dialect::OpenAi, "");
        assert_eq!(body["error"]["n_prompt_tokens"], 600);
        assert_eq!(body["error"]["n_ctx"], 512);
        assert_eq!(body["error"]["code"], "context_length_exceeded");
    }

    #[test]
    fn a_full_queue_says_when_to_come_back() {
        let response = ApiError::Busy.into_response(Dialect::Anthropic, "");
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }
}
