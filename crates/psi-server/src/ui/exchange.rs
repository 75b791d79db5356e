//! Conversations as files: out as JSON or Markdown, and in again.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use psi_agent::ConversationId;

use super::{
    Ui,
    actions::Outcome,
    blocking,
    i18n::{tf, tn},
    reply::{Failure, Reply},
};

/// A file to be kept by the browser. Nothing in it is shown or run by the page.
pub(crate) fn download(name: &str, kind: &'static str, text: String) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], text)
        .into_response()
}

/// `GET /api/conversations/{id}/export.json`.
pub(crate) async fn as_json(
    State(ui): State<Arc<Ui>>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let document = ui.assistant.conversations().export(&[ConversationId(id)])?;
        Ok(download(
            &format!("psi-conversation-{id}.json"),
            "application/json",
            format!("{document:#}\n"),
        ))
    })
    .await
}

/// `GET /api/conversations/{id}/export.md`.
pub(crate) async fn as_markdown(
    State(ui): State<Arc<Ui>>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let text = ui.assistant.conversations().to_markdown(ConversationId(id))?;
        Ok(download(&format!("psi-conversation-{id}.md"), "text/markdown; charset=utf-8", text))
    })
    .await
}

/// `GET /api/export`: every conversation.
pub(crate) async fn all(State(ui): State<Arc<Ui>>) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let conversations = ui.assistant.conversations();
        let ids: Vec<_> =
            conversations.list(conversations.count()?, 0)?.into_iter().map(|c| c.id).collect();
        let document = conversations.export(&ids)?;
        Ok(download("psi-conversations.json", "application/json", format!("{document:#}\n")))
    })
    .await
}

/// `POST /api/import`: a file that was exported.
pub(crate) async fn import(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let document = serde_json::from_slice(&bytes)
            .map_err(|e| Failure::bad(tf!("the file is not JSON: {why}", why = e)))?;
        let ids = ui.assistant.conversations().import(&document)?;
        let told =
            tn!("One conversation was imported.|{n} conversations were imported.", ids.len());
        Ok(Reply::done().with("conversations", ids).toast(told).chats())
    })
    .await
}
