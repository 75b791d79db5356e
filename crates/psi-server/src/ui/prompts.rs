//! Saved prompts: their page, and their files.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, Query, State},
    http::HeaderMap,
    response::Response,
};
use maud::{Markup, html};
use psi_agent::{
    SavedPrompt,
    prompts::{Imported, MAX_NAME, MAX_TEXT},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Ui,
    actions::{Outcome, body},
    blocking,
    exchange::download,
    i18n::{t, tf},
    icon::icon,
    live::Part,
    memory::when,
    reply::{Failure, Reply, html as page_of},
    shell::{self, Place},
};

/// What is looked for.
#[derive(Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    q: String,
}

/// `GET /prompts`.
pub(crate) async fn page(
    State(ui): State<Arc<Ui>>,
    Query(search): Query<Search>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let content = html! {
            form class="row" role="search" data-filter="/prompts/list" data-into="prompts" {
                label.grow { span.sr { (t("Search the prompts")) } input type="search" name="q" value=(search.q) placeholder=(t("Search")) autocomplete="off"; }
            }
            (list(ui, &search.q)?)
            section aria-labelledby="add-title" {
                h2 id="add-title" { (t("A new prompt")) }
                form.panel data-send="/api/prompts" {
                    (fields("add"))
                    div class="row end" { button class="btn primary" { (icon("plus")) (t("Save")) } }
                }
            }
            (files())
            dialog id="edit-prompt" aria-labelledby="edit-prompt-title" {
                form data-send="" {
                    h2 id="edit-prompt-title" { (t("Change a prompt")) }
                    (fields("edit"))
                    (shell::dialog_end(&html! { (t("Keep")) }))
                }
            }
        };
        let lead = t("What you ask often, under a name. Type / in the message field to use one; psi chat knows them too.");
        let main = shell::place(t("Prompts"), lead, &html! {}, &content);
        ui.page(&headers, (Place::Prompts, t("Prompts")), None, &main)
    })
    .await
}

/// Name and text; `of` tells two forms of one page apart.
fn fields(of: &str) -> Markup {
    html! {
        label.field {
            span { (t("Name")) " " span.soft { (t("(letters, digits and hyphens)")) } }
            input type="text" name="name" required maxlength=(MAX_NAME + 1) autocomplete="off" spellcheck="false" placeholder=(t("translate"));
        }
        div.field {
            label for={ (of) "-text" } { (t("Text")) }
            p class="soft small" id={ (of) "-text-help" } { (t("What stands in double braces is asked for each time:")) " " code { "{{" (t("language")) "}}" } }
            textarea id={ (of) "-text" } name="text" rows="5" required maxlength=(MAX_TEXT) aria-describedby={ (of) "-text-help" } placeholder=(t("Translate into {{language}}: {{text}}")) {}
        }
    }
}

fn files() -> Markup {
    html! {
        section aria-labelledby="files-title" {
            h2 id="files-title" { (t("As a file")) }
            div.panel {
                p.soft { (t("Imported are psi's own exports and those of Open WebUI. No prompt is overwritten.")) }
                div.row {
                    a.btn href="/api/prompts/export" download { (icon("down")) (t("Export")) }
                    button.btn type="button" data-pick="import-prompts" { (icon("plus")) (t("Import")) }
                    input id="import-prompts" type="file" accept="application/json,.json" data-upload="/api/prompts/import" hidden aria-label=(t("Import prompts"));
                }
            }
        }
    }
}

/// `GET /prompts/list`.
pub(crate) async fn found(
    State(ui): State<Arc<Ui>>,
    Query(search): Query<Search>,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| Ok(page_of(list(ui, &search.q)?))).await
}

fn list(ui: &Ui, query: &str) -> Result<Markup, Failure> {
    let words = query.trim().to_lowercase();
    let fits = |p: &SavedPrompt| {
        words.split_whitespace().all(|w| p.name.contains(w) || p.text.to_lowercase().contains(w))
    };
    let all: Vec<SavedPrompt> = ui.prompts.list()?.into_iter().filter(fits).collect();
    Ok(html! {
        section id="prompts" aria-label=(t("Your prompts")) aria-live="polite" {
            @if all.is_empty() {
                p.empty {
                    @if words.is_empty() { (t("None yet. Save what you ask again and again, and leave out what changes.")) }
                    @else { (tf!("No prompt fits \u{201c}{words}\u{201d}.", words = query.trim())) }
                }
            }
            ul.things { @for prompt in &all { (one(prompt)) } }
        }
    })
}

fn one(prompt: &SavedPrompt) -> Markup {
    let address = format!("/api/prompts/{}", prompt.id);
    let edit = json!({ "name": prompt.name, "text": prompt.text }).to_string();
    let name = format!("/{}", prompt.name);
    html! {
        li.thing id={ "prompt-" (prompt.id) } {
            div.row {
                strong.grow { (name) }
                div.acts {
                    button.bare type="button" data-dialog="edit-prompt" data-target={ (address) "/edit" } data-set=(edit) aria-label=(tf!("Change {what}", what = name)) title=(t("Change")) { (icon("pen")) }
                    button.bare type="button" data-post={ (address) "/delete" } data-confirm=(tf!("Delete the prompt {what}?", what = name)) aria-label=(tf!("Delete {what}", what = name)) title=(t("Delete")) { (icon("trash")) }
                }
            }
            div class="said whole" { (prompt.text) }
            div.about {
                @for name in &prompt.placeholders { span.chip { (name) } }
                span { (tf!("changed {when}", when = when(prompt.updated_at))) }
            }
        }
    }
}

/// A prompt as a form sends it.
#[derive(Deserialize)]
struct Given {
    name: String,
    text: String,
}

/// `GET /api/prompts`.
pub(crate) async fn json(State(ui): State<Arc<Ui>>) -> Outcome {
    blocking(&ui, move |ui| Ok(Reply::done().with("prompts", ui.prompts.list()?))).await
}

/// `POST /api/prompts`.
pub(crate) async fn add(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let Given { name, text } = body(&bytes)?;
        let prompt = ui.prompts.add(&name, &text)?;
        let said = tf!("Saved: type /{name} in the message field.", name = prompt.name);
        Ok(shown(ui, Reply::done().with("prompt", prompt).toast(said))?.clear())
    })
    .await
}

/// `POST /api/prompts/{id}/edit`.
pub(crate) async fn edit(State(ui): State<Arc<Ui>>, Path(id): Path<i64>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let Given { name, text } = body(&bytes)?;
        let prompt = ui.prompts.edit(id, &name, &text)?;
        shown(ui, Reply::done().with("prompt", prompt))
    })
    .await
}

/// `POST /api/prompts/{id}/delete`.
pub(crate) async fn delete(State(ui): State<Arc<Ui>>, Path(id): Path<i64>) -> Outcome {
    blocking(&ui, move |ui| {
        ui.prompts.delete(id)?;
        shown(ui, Reply::done())
    })
    .await
}

/// `GET /api/prompts/export`.
pub(crate) async fn export(State(ui): State<Arc<Ui>>) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let document = ui.prompts.export()?;
        Ok(download("psi-prompts.json", "application/json", format!("{document:#}\n")))
    })
    .await
}

/// `POST /api/prompts/import`: a file that was exported.
pub(crate) async fn import(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let document = serde_json::from_slice(&bytes)
            .map_err(|e| Failure::bad(tf!("the file is not JSON: {why}", why = e)))?;
        let done = ui.prompts.import(&document)?;
        shown(ui, Reply::done().with("imported", done).toast(told(done)))
    })
    .await
}

fn told(done: Imported) -> String {
    let Imported { n_new, n_renamed, n_known } = done;
    let mut told = tf!("Imported: {n}.", n = n_new + n_renamed);
    if n_renamed > 0 {
        told.push(' ');
        told += &tf!("{n} got a number behind a name that was taken.", n = n_renamed);
    }
    if n_known > 0 {
        told.push(' ');
        told += &tf!("{n} were here already.", n = n_known);
    }
    told
}

/// The list as it is now.
fn shown(ui: &Ui, reply: Reply) -> Outcome {
    Ok(reply.part(Part::new("prompts", list(ui, "")?)))
}
