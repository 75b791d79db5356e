//! The field at the foot of a conversation, and what stands around it.

use maud::{Markup, html};
use psi_agent::{ConversationId, Project, SavedPrompt, agent::ContextMeter};

use super::{
    host::ModelState,
    i18n::{t, tf},
    icon::icon,
    keys::Keys,
    slash, thread,
};

/// Everything under the messages.
pub(crate) struct Composer<'a> {
    /// The conversation; none on the first page, where the first message begins one.
    pub(crate) conversation: Option<ConversationId>,
    pub(crate) temporary: bool,
    /// The project in which a first message begins a conversation.
    pub(crate) project: Option<&'a Project>,
    pub(crate) running: bool,
    pub(crate) meter: Option<ContextMeter>,
    pub(crate) model: &'a ModelState,
    pub(crate) keys: &'a Keys,
    /// What `/` offers beside the commands.
    pub(crate) prompts: &'a [SavedPrompt],
}

impl Composer<'_> {
    pub(crate) fn render(&self) -> Markup {
        let post = match self.conversation {
            Some(id) => format!("/api/conversations/{id}/messages"),
            None => "/api/conversations".to_owned(),
        };
        html! {
            div.composer {
                form id="composer" data-post=(post) {
                    @if let Some(project) = self.project { input type="hidden" name="project" value=(project.id); }
                    (slash::list(self.prompts))
                    label.sr for="say" { (t("Message")) }
                    div.given id="given" {}
                    textarea id="say" name="content" rows="1" placeholder=(t("Ask, or type / for commands and prompts")) autocomplete="off" data-key=(self.keys.of("compose")) {}
                    div.under {
                        button.bare type="button" data-pick="attach" aria-label=(t("Attach a file")) title=(t("Attach a file: text, Markdown, HTML, PDF, source code")) { (icon("clip")) }
                        input id="attach" type="file" multiple data-upload="/api/attachments" hidden aria-label=(t("Attach a file"));
                        @if self.conversation.is_none() {
                            label class="row small soft" title=(t("Not listed, not searched, not remembered")) { input type="checkbox" name="temporary"; (t("Temporary")) }
                        } @else if self.temporary {
                            span class="chip warm" { (t("Temporary: gone when psi next starts")) }
                        }
                        span.grow {}
                        (thread::meter(self.meter))
                        button class="btn primary go" aria-label=(t("Send")) title=(t("Send")) data-when="idle" hidden[self.running] { (icon("send")) }
                        @if let Some(id) = self.conversation {
                            button class="btn go" type="button" aria-label=(t("Stop")) title=(t("Stop")) data-when="running" hidden[!self.running] data-post={ "/api/conversations/" (id) "/stop" } data-key=(self.keys.of("stop")) { (icon("stop")) }
                        }
                    }
                }
                p.hint id="model-line" data-poll=[self.is_loading().then_some("/model-line")] { (line(self.model)) }
            }
        }
    }

    fn is_loading(&self) -> bool {
        matches!(self.model, ModelState::Loading { .. })
    }
}

/// The line under the field, by itself.
pub(crate) fn model_line(model: &ModelState) -> Markup {
    let loading = matches!(model, ModelState::Loading { .. });
    html! { p.hint id="model-line" data-poll=[loading.then_some("/model-line")] { (line(model)) } }
}

fn line(model: &ModelState) -> Markup {
    html! {
        @match model {
            ModelState::Loading { name } => { (tf!("{name} is being loaded\u{2026}", name = name)) },
            ModelState::Ready { name, .. } => { a href="/models" { (name) } " " (t("answers. It can be wrong: look at what it used and check what matters.")) },
            ModelState::Failed { name, why } => span.bad { (tf!("{name} cannot be loaded: {why}", name = name, why = why)) },
        }
    }
}
