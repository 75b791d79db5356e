//! Files given in a conversation: read when they are chosen, sent with a message, opened at what the model saw.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, Query, State},
    http::HeaderMap,
    response::Response,
};
use maud::{Markup, html};
use psi_agent::Attachment;
use serde::Deserialize;

use super::{
    Ui,
    actions::Outcome,
    blocking,
    files::{Range, text_of_file},
    i18n::{t, tf},
    icon::icon,
    live::Part,
    reply::{Failure, Reply},
    shell::{self, Place},
};

/// Longest name of a file.
const MAX_NAME: usize = 200;

/// What the file is called.
#[derive(Deserialize)]
pub(crate) struct Named {
    name: String,
}

/// `POST /api/attachments`: a file that is about to be sent.
pub(crate) async fn add(
    State(ui): State<Arc<Ui>>,
    Query(Named { name }): Query<Named>,
    bytes: Bytes,
) -> Outcome {
    blocking(&ui, move |ui| {
        let name: String = name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
        let id = ui.toolbox.knowledge().attach(&name, &bytes)?;
        let part = Part::of("given", format!("given-{id}"), chip(id, &name));
        Ok(Reply::done().with("attachment", id).part(part))
    })
    .await
}

/// `POST /api/attachments/{id}/remove`.
pub(crate) async fn remove(State(ui): State<Arc<Ui>>, Path(id): Path<i64>) -> Outcome {
    blocking(&ui, move |ui| {
        ui.toolbox.knowledge().detach(id)?;
        Ok(Reply::done().remove(format!("given-{id}")))
    })
    .await
}

/// A file over the field, until the message is sent.
fn chip(id: i64, name: &str) -> Markup {
    html! {
        span.chip id={ "given-" (id) } {
            (icon("file"))
            a href={ "/attached/" (id) } target="_blank" { (name) }
            input type="hidden" name={ "given-" (id) } value="on";
            button.bare type="button" data-post={ "/api/attachments/" (id) "/remove" } aria-label=(tf!("Do not send {name}", name = name)) { (icon("cross")) }
        }
    }
}

/// A file below the message that it was sent with, and what of it the model was shown.
pub(crate) fn shown(file: &Attachment) -> Markup {
    let address = format!("/attached/{}", file.document);
    html! {
        div class="row end small soft attached" {
            @if file.document == 0 { span.chip title=(t("It came with an import; only what the model saw is here")) { (icon("file")) (file.name) } }
            @else { a.chip href=(address) { (icon("file")) (file.name) } }
            @if !file.whole && file.document != 0 {
                span { (t("shown to psi: lines")) }
                @for excerpt in &file.excerpts {
                    a.num href={ (address) "?from=" (excerpt.bytes.0) "&to=" (excerpt.bytes.1) "#here" } { (excerpt.lines.0) "\u{2013}" (excerpt.lines.1) }
                }
            }
        }
    }
}

/// `GET /attached/{id}`: the file as it was read, with an excerpt marked.
pub(crate) async fn open(
    State(ui): State<Arc<Ui>>,
    Path(id): Path<i64>,
    Query(range): Query<Range>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let (name, text) = ui.toolbox.knowledge().attached(id)?;
        let content = text_of_file(&text, &range);
        let main = shell::place(
            &name,
            t("Given in a conversation; it goes with it."),
            &html! {},
            &content,
        );
        ui.page(&headers, (Place::Chat, &name), None, &main)
    })
    .await
}
