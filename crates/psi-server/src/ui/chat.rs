//! The pages of conversations: the first one, one conversation, the list beside them.

use std::sync::Arc;

use axum::{
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use jiff::Zoned;
use maud::{Markup, html};
use psi_agent::{
    Conversation, ConversationId, Message, MessageId, Project, Role, agent::ContextMeter,
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Ui, blocking,
    composer::{Composer, model_line},
    gate::cookie,
    hello,
    host::{ListedModel, ModelState},
    i18n::t,
    icon::icon,
    models, projects,
    reply::{Failure, html},
    review,
    shell::{self, Frame, Place},
    slash,
    thread::{self, Thread},
};

/// Conversations in the side bar.
const LISTED: usize = 100;
/// Messages that a search shows.
const FOUND: usize = 40;

/// The theme that the browser says its user has chosen.
pub(crate) fn theme(headers: &HeaderMap) -> Option<&'static str> {
    match cookie(headers, "psi_theme") {
        Some("light") => Some("light"),
        Some("dark") => Some("dark"),
        _ => None,
    }
}

impl Ui {
    /// A whole page around its content.
    pub(crate) fn page(
        &self,
        headers: &HeaderMap,
        (place, title): (Place, &str),
        here: Option<ConversationId>,
        main: &Markup,
    ) -> Result<Response, Failure> {
        let keys = self.keys();
        let frame = Frame {
            title,
            place,
            chats: self.chats(here)?,
            csrf: self.gate.csrf(),
            theme: theme(headers),
            keys: &keys,
            is_guest: self.is_guest,
            notices: self.notices()?,
        };
        Ok(html(frame.page(main)))
    }

    /// The list in the side bar.
    pub(crate) fn chats(&self, here: Option<ConversationId>) -> Result<Markup, Failure> {
        let list = self.assistant.conversations().list(LISTED, 0)?;
        let is_cut = list.len() == LISTED;
        Ok(shell::chats(&list, here, &self.rooms.busy(), is_cut, &Zoned::now()))
    }

    /// The conversation's element as it is now.
    pub(crate) fn thread(&self, conversation: &Conversation) -> Result<Markup, Failure> {
        let room = self.rooms.of(conversation.id);
        // Before the messages: what is written in between then arrives as a change.
        let after = room.cursor();
        let running = room.is_running();
        let approvals = room.approvals();
        let mut messages = self.assistant.conversations().all(conversation.id)?;
        for newer in room.messages() {
            if let Some(old) = messages.iter_mut().find(|m| m.id == newer.id) {
                *old = newer;
            }
        }
        let thread = Thread {
            conversation,
            messages: &messages,
            approvals: &approvals,
            running,
            trouble: room.trouble(),
            after: after.to_string(),
            csrf: self.gate.csrf(),
            ratings: &self.ratings(&messages)?,
            summaries: &self.assistant.conversations().summaries(conversation.id)?,
            keys: &self.keys(),
        };
        Ok(thread.render())
    }

    /// How full the context is, as last counted or as the last answer left it.
    fn meter(&self, id: ConversationId, messages: &[Message]) -> Option<ContextMeter> {
        let room = self.rooms.of(id);
        room.meter().or_else(|| {
            let usage = messages.iter().rev().find_map(|m| m.details.usage)?;
            let ModelState::Ready { context, .. } = self.host.model() else { return None };
            let n_used = usage.n_prompt + usage.n_generated;
            Some(ContextMeter { n_used, n_limit: context, ..ContextMeter::default() })
        })
    }
}

/// Where a conversation begins.
#[derive(Deserialize)]
pub(crate) struct Within {
    project: Option<i64>,
}

/// `GET /`.
pub(crate) async fn first(
    State(ui): State<Arc<Ui>>,
    Query(within): Query<Within>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let project = within.project.map(|id| ui.projects.get(id)).transpose()?;
        let model = ui.host.model();
        let is_bundled = ui.host.models().iter().any(|m| m.is_bundled && m.name == model.name());
        let keys = ui.keys();
        let prompts = ui.prompts.list()?;
        let composer = Composer {
            conversation: None,
            temporary: false,
            project: project.as_ref(),
            running: false,
            meter: None,
            model: &model,
            keys: &keys,
            prompts: &prompts,
        };
        let main = html! {
            (shell::bar(&html! { h1 { (t("New conversation")) } }, &projects::chip(project.as_ref())))
            div.scroll { (hello::hello(&model, is_bundled)) }
            (composer.render())
            (dialogs(&ui.host.models(), &[]))
            (slash::dialogs(&prompts))
        };
        ui.page(&headers, (Place::Chat, t("New conversation")), None, &main)
    })
    .await
}

/// Which message the reader wants to see.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    m: Option<i64>,
}

/// `GET /c/{id}`.
pub(crate) async fn conversation(
    State(ui): State<Arc<Ui>>,
    Path(id): Path<i64>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let mut conversation = ui.assistant.conversations().get(ConversationId(id))?;
        ui.tasks.seen_in(conversation.id)?;
        let messages = ui.assistant.conversations().all(conversation.id)?;
        if let Some(m) = wanted.m.map(MessageId) {
            let branch = thread::branch(&messages, conversation.leaf);
            let is_elsewhere = !branch.iter().any(|b| b.id == m);
            if is_elsewhere && messages.iter().any(|known| known.id == m) {
                conversation.leaf = Some(ui.assistant.conversations().show(m)?);
            }
        }
        let running = ui.rooms.of(conversation.id).is_running();
        let keys = ui.keys();
        let model = ui.host.model();
        let prompts = ui.prompts.list()?;
        let composer = Composer {
            conversation: Some(conversation.id),
            temporary: conversation.temporary,
            project: None,
            running,
            meter: ui.meter(conversation.id, &messages),
            model: &model,
            keys: &keys,
            prompts: &prompts,
        };
        let title = match conversation.title.as_str() {
            "" => t("New conversation"),
            title => title,
        };
        let all = ui.projects.list()?;
        let project = all.iter().find(|p| Some(p.id) == conversation.project);
        let main = html! {
            (shell::bar(&html! { h1 id="title" { (title) } }, &configuring(&conversation, project)))
            div.scroll { (ui.thread(&conversation)?) }
            (composer.render())
            (dialogs(&ui.host.models(), &all))
            (slash::dialogs(&prompts))
        };
        ui.page(&headers, (Place::Chat, title), Some(conversation.id), &main)
    })
    .await
}

/// `GET /c/{id}/thread`: the conversation's element alone.
pub(crate) async fn thread_part(
    State(ui): State<Arc<Ui>>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let conversation = ui.assistant.conversations().get(ConversationId(id))?;
        Ok(html(ui.thread(&conversation)?))
    })
    .await
}

/// `GET /m/{id}`: where a message was said.
pub(crate) async fn message(
    State(ui): State<Arc<Ui>>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let message = ui.assistant.conversations().message(MessageId(id))?;
        let shown = match message.role {
            Role::Tool => message.parent.unwrap_or(message.id),
            _ => message.id,
        };
        let address = format!("/c/{}?m={shown}#m{shown}", message.conversation);
        Ok(Redirect::to(&address).into_response())
    })
    .await
}

/// The page in place of one that cannot be shown.
pub(crate) async fn failed(ui: &Arc<Ui>, headers: HeaderMap, failure: Failure) -> Response {
    let (status, bare) = (failure.status, failure.clone());
    let page = blocking(ui, move |ui| {
        let title = match failure.status {
            StatusCode::NOT_FOUND => t("This is not here"),
            _ => t("That did not work"),
        };
        let content = html! {
            div.empty {
                p { (failure.message) }
                a.btn href="/" { (icon("plus")) (t("New conversation")) }
            }
        };
        let main = shell::place(title, "", &html! {}, &content);
        ui.page(&headers, (Place::Chat, title), None, &main)
    });
    match page.await {
        Ok(page) => (status, page).into_response(),
        // The database is what does not work: then there is no frame either.
        Err(_) => (status, bare.message).into_response(),
    }
}

/// What is searched for, and the conversation that is open.
#[derive(Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    q: String,
    here: Option<i64>,
}

/// `GET /chats`: the list, or what a search found.
pub(crate) async fn chats(
    State(ui): State<Arc<Ui>>,
    Query(search): Query<Search>,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        if search.q.trim().is_empty() {
            return Ok(html(ui.chats(search.here.map(ConversationId))?));
        }
        let hits = ui.assistant.conversations().search(&search.q, FOUND)?;
        Ok(html(shell::hits(&search.q, &hits)))
    })
    .await
}

/// `GET /model-line`.
pub(crate) async fn model_state(State(ui): State<Arc<Ui>>) -> Response {
    html(model_line(&ui.host.model()))
}

/// The dialogs of a conversation's page.
fn dialogs(models: &[ListedModel], all: &[Project]) -> Markup {
    html! {
        (shell::rename_dialog())
        (thread::edit_form())
        (review::better_dialog())
        (configuration(models, all))
        (other_model(models))
    }
}

/// Who answers this conversation, where it says so itself, and the way to change that.
fn configuring(conversation: &Conversation, project: Option<&Project>) -> Markup {
    let Conversation { id, model, system_prompt, .. } = conversation;
    let now = json!({
        "project": project.map(|p| p.id.to_string()).unwrap_or_default(),
        "model": model.as_deref().unwrap_or_default(),
        "instructions": system_prompt.as_deref().unwrap_or_default(),
    });
    html! {
        (projects::chip(project))
        @if let Some(model) = model { span.chip title=(t("Answers this conversation")) { (icon("chip")) (model) } }
        @if system_prompt.is_some() { span.chip title=(t("This conversation has instructions of its own")) { (icon("pen")) (t("instructions")) } }
        button.bare type="button" data-dialog="configuration" data-target={ "/api/conversations/" (id) "/configure" } data-set=(now) aria-label=(t("Model and instructions of this conversation")) title=(t("Model and instructions")) { (icon("gear")) }
    }
}

fn configuration(models: &[ListedModel], all: &[Project]) -> Markup {
    html! {
        dialog id="configuration" aria-labelledby="configuration-title" {
            form data-send="" {
                h2 id="configuration-title" { (t("This conversation")) }
                @if !all.is_empty() {
                    label.field {
                        span { (t("Project")) }
                        select name="project" {
                            option value="" { (t("In no project")) }
                            @for project in all { option value=(project.id) { (project.name) } }
                        }
                    }
                }
                (models::choice(models))
                label.field {
                    span { (t("Instructions")) " " span.soft { (t("(empty: those of the settings)")) } }
                    textarea name="instructions" rows="5" maxlength="8000" {}
                }
                (shell::dialog_end(&html! { (t("Keep")) }))
            }
        }
    }
}

fn other_model(models: &[ListedModel]) -> Markup {
    html! {
        dialog id="other-model" aria-labelledby="other-model-title" {
            form data-send="" {
                h2 id="other-model-title" { (t("Compare with another model")) }
                p.soft { (t("The same question goes to it, and both answers stand side by side without their names: choose the better one, and psi learns from your choice.")) }
                label.field {
                    span { (t("Model")) }
                    select name="model" { @for model in models { option value=(model.name) { (model.name) } } }
                }
                @if models.len() < 2 { p { (t("There is only one model here.")) " " a href="/models" { (t("Get another")) } } }
                (shell::dialog_end(&html! { (t("Ask it")) }))
            }
        }
    }
}
