//! What the page's requests return: data for a program, parts for the page, or an error that says what and why.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use maud::Markup;
use psi_agent::AgentError;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{i18n::t, live::Part};

/// An answer to a request of the page's script. Programs read the data, the script reads `page`.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    data: Map<String, Value>,
    page: Page,
}

#[derive(Debug, Default, Serialize)]
struct Page {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Part>,
    #[serde(skip_serializing_if = "Option::is_none")]
    go: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    toast: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    insert: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    find: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    clear: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    thread: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    chats: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    refresh: bool,
}

impl Reply {
    /// Nothing to say but that it is done.
    pub(crate) fn done() -> Self {
        Self::default()
    }

    /// Adds data.
    pub(crate) fn with(mut self, key: &str, value: impl Serialize) -> Self {
        self.data.insert(key.to_owned(), serde_json::to_value(value).unwrap_or_default());
        self
    }

    /// Changes a part of the page.
    pub(crate) fn part(mut self, part: Part) -> Self {
        self.page.parts.push(part);
        self
    }

    /// Takes an element out of the page.
    pub(crate) fn remove(self, id: impl Into<String>) -> Self {
        self.part(Part { id: id.into(), html: String::new(), parent: None })
    }

    /// Opens another page.
    pub(crate) fn go(mut self, address: impl Into<String>) -> Self {
        self.page.go = Some(address.into());
        self
    }

    /// Says a sentence.
    pub(crate) fn toast(mut self, text: impl Into<String>) -> Self {
        self.page.toast = Some(text.into());
        self
    }

    /// Puts a text into the message field.
    pub(crate) fn insert(mut self, text: impl Into<String>) -> Self {
        self.page.insert = Some(text.into());
        self
    }

    /// Opens a dialog of the page.
    pub(crate) fn open(mut self, dialog: &'static str) -> Self {
        self.page.open = Some(dialog);
        self
    }

    /// Searches the conversations.
    pub(crate) fn find(mut self, words: impl Into<String>) -> Self {
        self.page.find = Some(words.into());
        self
    }

    /// Empties the form that was sent.
    pub(crate) fn clear(mut self) -> Self {
        self.page.clear = true;
        self
    }

    /// Renders the conversation anew.
    pub(crate) fn thread(mut self) -> Self {
        self.page.thread = true;
        self
    }

    /// Renders the list of conversations anew.
    pub(crate) fn chats(mut self) -> Self {
        self.page.chats = true;
        self
    }

    /// Renders the page anew.
    pub(crate) fn refresh(mut self) -> Self {
        self.page.refresh = true;
        self
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut body = self.data;
        body.insert("page".to_owned(), serde_json::to_value(self.page).unwrap_or_default());
        json_response(StatusCode::OK, &Value::Object(body))
    }
}

/// A JSON document.
pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
    (status, kind, body.to_string()).into_response()
}

/// A rendered page or a part of one.
pub(crate) fn html(markup: Markup) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], markup.into_string()).into_response()
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl Failure {
    /// What was asked for cannot be done as it stands.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    /// There is no such thing.
    pub(crate) fn gone(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: message.into() }
    }

    /// Not now.
    pub(crate) fn busy(message: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, message: message.into() }
    }

    /// Nobody has shown who asks.
    pub(crate) fn sign_in_first() -> Self {
        Self { status: StatusCode::UNAUTHORIZED, message: t("sign in first").to_owned() }
    }

    /// A fault of psi's own.
    pub(crate) fn broken() -> Self {
        let message = t("psi made a mistake; its terminal says more").to_owned();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, message }
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        let status = match &error {
            AgentError::NotFound { .. } => StatusCode::NOT_FOUND,
            AgentError::Invalid { .. } => StatusCode::BAD_REQUEST,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let hint = error.hint().map_or_else(String::new, |hint| format!(" ({hint})"));
        Self { status, message: format!("{error}{hint}") }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "message": self.message } });
        let mut response = json_response(self.status, &body);
        // The gate makes a page of it for whoever asked for one.
        response.extensions_mut().insert(self);
        response
    }
}
