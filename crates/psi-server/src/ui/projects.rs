//! Projects: conversations that belong together, with instructions and a model of their own.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use maud::{Markup, html};
use psi_agent::{
    NewProject, Project,
    projects::{MAX_INSTRUCTIONS, MAX_NAME},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Ui,
    actions::{Outcome, body},
    blocking,
    host::ListedModel,
    i18n::{t, tf, tn},
    icon::icon,
    live::Part,
    models,
    reply::{Failure, Reply},
    shell::{self, Place},
};

/// Conversations that the page shows of each.
const SHOWN: usize = 12;

/// `GET /projects`.
pub(crate) async fn page(
    State(ui): State<Arc<Ui>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let models = ui.host.models();
        let content = html! {
            (list(ui)?)
            section aria-labelledby="add-title" {
                h2 id="add-title" { (t("A new project")) }
                form.panel data-send="/api/projects" {
                    (fields("add", &models))
                    div class="row end" { button class="btn primary" { (icon("plus")) (t("Make it")) } }
                }
            }
            dialog id="edit-project" aria-labelledby="edit-project-title" {
                form data-send="" {
                    h2 id="edit-project-title" { (t("Change a project")) }
                    (fields("edit", &models))
                    (shell::dialog_end(&html! { (t("Keep")) }))
                }
            }
        };
        let lead = t("Conversations that belong together. What stands here is said to the model before each of them, and the model chosen here answers in them.");
        let main = shell::place(t("Projects"), lead, &html! {}, &content);
        ui.page(&headers, (Place::Projects, t("Projects")), None, &main)
    })
    .await
}

/// What is said of a project; `of` tells two forms of one page apart.
fn fields(of: &str, models: &[ListedModel]) -> Markup {
    html! {
        label.field {
            span { (t("Name")) }
            input type="text" name="name" required maxlength=(MAX_NAME) autocomplete="off" placeholder=(t("The house"));
        }
        div.field {
            label for={ (of) "-instructions" } { (t("Instructions")) " " span.soft { (t("(empty: those of the settings)")) } }
            textarea id={ (of) "-instructions" } name="instructions" rows="4" maxlength=(MAX_INSTRUCTIONS) placeholder=(t("You help me build a house. Sizes are in metres.")) {}
        }
        (models::choice(models))
    }
}

fn list(ui: &Ui) -> Result<Markup, Failure> {
    let mut all = Vec::new();
    for project in ui.projects.list()? {
        let shown = ui.projects.conversations(project.id, SHOWN)?;
        all.push(html! {
            (one(&project))
            @if !shown.is_empty() {
                ul.used {
                    @for (id, title) in &shown { li { a href={ "/c/" (id) } { @if title.is_empty() { (t("New conversation")) } @else { (title) } } } }
                    @if project.n_conversations > shown.len() { li.soft { (tf!("and {n} more", n = project.n_conversations - shown.len())) } }
                }
            }
        });
    }
    Ok(html! {
        section id="projects" aria-label=(t("Your projects")) {
            @if all.is_empty() { p.empty { (t("None yet. A project keeps what belongs together: a house, a course, a piece of work.")) } }
            ul.things { @for project in &all { li.thing { (project) } } }
        }
    })
}

fn one(project: &Project) -> Markup {
    let address = format!("/api/projects/{}", project.id);
    let edit = json!({
        "name": project.name,
        "instructions": project.instructions,
        "model": project.model.as_deref().unwrap_or_default(),
    });
    html! {
        div.row id={ "project-" (project.id) } {
            strong.grow { (project.name) }
            div.acts {
                a class="btn small" href={ "/?project=" (project.id) } { (icon("plus")) (t("New conversation")) }
                button.bare type="button" data-dialog="edit-project" data-target={ (address) "/edit" } data-set=(edit) aria-label=(tf!("Change {what}", what = project.name)) title=(t("Change")) { (icon("pen")) }
                button.bare type="button" data-post={ (address) "/delete" } data-confirm=(tf!("Delete the project \u{201c}{name}\u{201d}? Its conversations stay.", name = project.name)) aria-label=(tf!("Delete {what}", what = project.name)) title=(t("Delete")) { (icon("trash")) }
            }
        }
        @if !project.instructions.is_empty() { div class="said whole" { (project.instructions) } }
        div.about {
            span { (tn!("{n} conversation|{n} conversations", project.n_conversations)) }
            @if let Some(model) = &project.model { span.chip { (icon("chip")) (model) } }
        }
    }
}

/// The project that a conversation is in, in its bar.
pub(crate) fn chip(project: Option<&Project>) -> Markup {
    html! {
        @if let Some(project) = project {
            a.chip href={ "/projects#project-" (project.id) } title=(t("The project of this conversation")) { (icon("stack")) (project.name) }
        }
    }
}

/// The project that a form or a program names by its number; nothing: none.
pub(crate) fn chosen(ui: &Ui, value: &Value) -> Result<Option<i64>, Failure> {
    let id = match value {
        Value::Null => return Ok(None),
        Value::String(text) if text.is_empty() => return Ok(None),
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    };
    let id = id.ok_or_else(|| Failure::bad(t("a project is named by its number")))?;
    Ok(Some(ui.projects.get(id)?.id))
}

/// A project as a form sends it.
#[derive(Deserialize)]
struct Given {
    name: String,
    #[serde(default)]
    instructions: String,
    #[serde(default)]
    model: String,
}

impl Given {
    fn project(self, ui: &Ui) -> Result<NewProject, Failure> {
        let model = ui.known_model(&self.model)?.map(str::to_owned);
        Ok(NewProject { name: self.name, instructions: self.instructions, model })
    }
}

/// `GET /api/projects`.
pub(crate) async fn json(State(ui): State<Arc<Ui>>) -> Outcome {
    blocking(&ui, move |ui| Ok(Reply::done().with("projects", ui.projects.list()?))).await
}

/// `POST /api/projects`.
pub(crate) async fn add(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let given: Given = body(&bytes)?;
        let project = ui.projects.add(&given.project(ui)?)?;
        Ok(shown(ui, Reply::done().with("project", project))?.clear())
    })
    .await
}

/// `POST /api/projects/{id}/edit`.
pub(crate) async fn edit(State(ui): State<Arc<Ui>>, Path(id): Path<i64>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let given: Given = body(&bytes)?;
        let project = ui.projects.edit(id, &given.project(ui)?)?;
        shown(ui, Reply::done().with("project", project))
    })
    .await
}

/// `POST /api/projects/{id}/delete`.
pub(crate) async fn delete(State(ui): State<Arc<Ui>>, Path(id): Path<i64>) -> Outcome {
    blocking(&ui, move |ui| {
        ui.projects.delete(id)?;
        shown(ui, Reply::done())
    })
    .await
}

/// The list as it is now.
fn shown(ui: &Ui, reply: Reply) -> Outcome {
    Ok(reply.part(Part::new("projects", list(ui)?)))
}
