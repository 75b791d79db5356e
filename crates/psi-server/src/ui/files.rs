//! Files as knowledge: what psi reads beside conversations, how far it is, what a search finds, and the file itself.

use std::{path::PathBuf, sync::Arc};

use axum::{
    body::Bytes,
    extract::{Path, Query, State},
    http::HeaderMap,
    response::Response,
};
use maud::{Markup, html};
use psi_agent::knowledge::Passage;
use serde::Deserialize;

use super::{
    Ui,
    actions::{Outcome, body},
    blocking, citation,
    i18n::{t, tf, tn},
    icon::icon,
    live::Part,
    reply::{Failure, Reply, html as page_of},
    shell::{self, Place},
};

/// Passages that a search shows.
const FOUND: usize = 20;
/// Files of one source that are listed.
const LISTED: usize = 500;

/// What is looked for.
#[derive(Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    q: String,
}

/// `GET /files`.
pub(crate) async fn page(
    State(ui): State<Arc<Ui>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let content = html! {
            form role="search" data-filter="/files/found" data-into="found" {
                label { span.sr { (t("Search the files")) } input type="search" name="q" placeholder=(t("Search in the files")) autocomplete="off"; }
            }
            (found(ui, "")?)
            (sources(ui)?)
            section aria-labelledby="add-title" {
                h2 id="add-title" { (t("Add a folder or file")) }
                form class="panel row" data-send="/api/files" {
                    label.grow { span.sr { (t("Its whole path")) } input type="text" name="path" required placeholder=(t("The whole path of a folder or file")); }
                    button.btn { (icon("plus")) (t("Add")) }
                }
            }
        };
        let lead = t("Folders and files that psi may answer from: text, Markdown, HTML, PDF, source code, tables. They are read here, and stay here.");
        let main = shell::place(t("Files"), lead, &html! {}, &content);
        ui.page(&headers, (Place::Files, t("Files")), None, &main)
    })
    .await
}

/// `GET /files/list`: the part that changes by itself.
pub(crate) async fn live(State(ui): State<Arc<Ui>>) -> Result<Response, Failure> {
    blocking(&ui, move |ui| Ok(page_of(sources(ui)?))).await
}

/// `GET /files/found`.
pub(crate) async fn search(
    State(ui): State<Arc<Ui>>,
    Query(search): Query<Search>,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| Ok(page_of(found(ui, search.q.trim())?))).await
}

fn found(ui: &Ui, query: &str) -> Result<Markup, Failure> {
    let passages =
        if query.is_empty() { Vec::new() } else { ui.toolbox.knowledge().search(query, FOUND)? };
    Ok(html! {
        section id="found" aria-live="polite" aria-label=(t("Passages found")) {
            @if !query.is_empty() && passages.is_empty() { p.soft { (t("No file says that.")) } }
            ul.things { @for passage in &passages { (hit(passage)) } }
        }
    })
}

fn hit(passage: &Passage) -> Markup {
    let address = citation::address(passage.document, passage.bytes);
    html! {
        li.thing {
            div.said { (excerpt(&passage.text)) }
            div.about { a href=(address) { (passage.citation()) } }
        }
    }
}

/// The beginning of a passage.
fn excerpt(text: &str) -> String {
    match text.char_indices().nth(320) {
        Some((at, _)) => format!("{}\u{2026}", &text[..at]),
        None => text.to_owned(),
    }
}

fn sources(ui: &Ui) -> Result<Markup, Failure> {
    let sources = ui.toolbox.knowledge().sources()?;
    let progress = ui.toolbox.index().progress();
    Ok(html! {
        section id="sources" aria-labelledby="sources-title" data-poll=[progress.running.then_some("/files/list")] {
            div.row {
                h2.grow id="sources-title" { (t("What psi reads")) }
                @if !sources.is_empty() { button class="btn small" type="button" data-post="/api/files/refresh" { (icon("redo")) (t("Look for changes")) } }
            }
            @if progress.running {
                div.fit {
                    progress max=(progress.n_files.max(1)) value=(progress.n_files_done) aria-label=(t("Reading files")) {}
                    span.num { (tf!("{n} of {all} files", n = progress.n_files_done, all = progress.n_files)) }
                }
                p class="soft small" { (progress.current) }
            }
            @for told in [&progress.error, &progress.notice].into_iter().flatten() { p.notice { (icon("alert")) span { (told) } } }
            @if sources.is_empty() { p.empty { (t("No files yet. Add a folder with your notes, and ask about them.")) } }
            ul.things {
                @for source in &sources {
                    li.thing {
                        div.row {
                            (icon("folder"))
                            h3.grow { (source.path.display()) }
                            button.bare type="button" data-post={ "/api/files/" (source.id) "/remove" } data-confirm=(tf!("Drop {path}? What was read of it is erased; the files stay.", path = source.path.display())) aria-label=(tf!("Drop {path}", path = source.path.display())) { (icon("trash")) }
                        }
                        p.about {
                            span { (tn!("{n} file read|{n} files read", source.n_documents)) }
                            @if source.n_failed > 0 { span.bad { (tn!("{n} could not be read|{n} could not be read", source.n_failed)) } }
                        }
                        (documents(ui, source.id)?)
                    }
                }
            }
        }
    })
}

fn documents(ui: &Ui, source: i64) -> Result<Markup, Failure> {
    let documents = ui.toolbox.knowledge().documents(source)?;
    Ok(html! {
        @if !documents.is_empty() {
            details.fold id={ "source-" (source) } {
                summary { (super::icon::turning()) (t("Files")) }
                ul class="inside used" {
                    @for document in documents.iter().take(LISTED) {
                        li {
                            @if document.state == "indexed" { a.grow href={ "/files/" (document.id) } { (document.path) } }
                            @else { span.grow { (document.path) } span.bad { (document.why.as_deref().unwrap_or(t("holds no text"))) } }
                            span.soft { (document.kind) }
                        }
                    }
                    @if documents.len() > LISTED { li.soft { (tf!("and {n} more", n = documents.len() - LISTED)) } }
                }
            }
        }
    })
}

/// A passage's bytes in its file.
#[derive(Deserialize)]
pub(crate) struct Range {
    from: Option<usize>,
    to: Option<usize>,
}

/// A file's text with the passage marked.
pub(crate) fn text_of_file(text: &str, range: &Range) -> Markup {
    let from = text.floor_char_boundary(range.from.unwrap_or(0));
    let to = text.floor_char_boundary(range.to.unwrap_or(0)).max(from);
    html! {
        div.panel { pre.whole tabindex="0" { (text[..from]) @if to > from { mark id="here" { (text[from..to]) } } (text[to..]) } }
    }
}

/// `GET /files/{id}`: a file as it was read, with the passage marked.
pub(crate) async fn open(
    State(ui): State<Arc<Ui>>,
    Path(id): Path<i64>,
    Query(range): Query<Range>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let (document, text) = ui.toolbox.knowledge().open(id)?;
        let content = text_of_file(&text, &range);
        let title = document.path.rsplit('/').next().unwrap_or_default().to_owned();
        let lead = tf!(
            "{path}, as it was read {when}.",
            path = document.path,
            when = super::memory::when(document.indexed_at)
        );
        let main = shell::place(
            &title,
            &lead,
            &html! { a class="btn small" href="/files" { (t("All files")) } },
            &content,
        );
        ui.page(&headers, (Place::Files, &title), None, &main)
    })
    .await
}

/// What to add.
#[derive(Deserialize)]
struct Add {
    path: String,
}

/// `POST /api/files`.
pub(crate) async fn add(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let Add { path } = body(&bytes)?;
        let path = PathBuf::from(path.trim());
        ui.toolbox.knowledge().add(&path)?;
        ui.toolbox.index().refresh();
        shown(ui)
    })
    .await
}

/// `POST /api/files/refresh`.
pub(crate) async fn refresh(State(ui): State<Arc<Ui>>) -> Outcome {
    blocking(&ui, move |ui| {
        ui.toolbox.index().refresh();
        shown(ui)
    })
    .await
}

/// `POST /api/files/{id}/remove`.
pub(crate) async fn remove(State(ui): State<Arc<Ui>>, Path(id): Path<i64>) -> Outcome {
    blocking(&ui, move |ui| {
        ui.toolbox.knowledge().remove(id)?;
        shown(ui)
    })
    .await
}

fn shown(ui: &Ui) -> Outcome {
    Ok(Reply::done().part(Part::new("sources", sources(ui)?)))
}
