//! A conversation as the page shows it: the branch from the first message to the last, turn by turn.

use std::collections::HashMap;

use maud::{Markup, html};
use psi_agent::{
    Conversation, MemoryUse, Message, MessageId, MessageState, Role, Summary,
    agent::{Approval, ContextMeter},
};

use super::{
    attached,
    card::{Stand, card, duration},
    citation::{self, Citation},
    i18n::{decimal, t, tf, tn},
    icon::{icon, turning},
    keys::Keys,
};
use crate::markdown;

/// A conversation with everything that its page shows.
pub(crate) struct Thread<'a> {
    pub(crate) conversation: &'a Conversation,
    /// Every message, in the order in which they were written.
    pub(crate) messages: &'a [Message],
    /// Calls that wait for the user.
    pub(crate) approvals: &'a [Approval],
    /// Whether it is being answered.
    pub(crate) running: bool,
    /// What went wrong and is told by no message.
    pub(crate) trouble: Option<String>,
    /// Where the page stands that is rendered now.
    pub(crate) after: String,
    pub(crate) csrf: &'a str,
    /// The user's thumbs: good is positive, bad negative.
    pub(crate) ratings: &'a HashMap<MessageId, i8>,
    /// What stands in the prompt for older messages.
    pub(crate) summaries: &'a [Summary],
    pub(crate) keys: &'a Keys,
}

/// An assistant's message with what belongs to it.
pub(crate) struct Answer<'a> {
    pub(crate) message: &'a Message,
    /// What the tools it calls returned.
    pub(crate) results: Vec<&'a Message>,
    pub(crate) approvals: &'a [Approval],
    /// Whether its conversation is being answered.
    pub(crate) running: bool,
    /// Its turn, where it is the last of one.
    pub(crate) turn: Option<Turn>,
    pub(crate) keys: &'a Keys,
}

/// From a user's message to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turn {
    /// The first message of each answer to the same question, and which of them is shown.
    pub(crate) versions: Vec<MessageId>,
    pub(crate) shown: usize,
    pub(crate) rating: i8,
    /// Whether nothing follows it.
    pub(crate) is_last: bool,
    /// What its tools read in files.
    pub(crate) read: Vec<Citation>,
}

impl Thread<'_> {
    /// The element that holds the conversation and listens to its events.
    pub(crate) fn render(&self) -> Markup {
        let id = self.conversation.id;
        let branch = branch(self.messages, self.conversation.leaf);
        html! {
            div.thread id="thread" data-events={ "/api/conversations/" (id) "/events" } data-refresh={ "/c/" (id) "/thread" } data-after=(self.after) data-csrf=(self.csrf) data-running=(self.running) {
                @for (at, message) in branch.iter().enumerate() {
                    @match message.role {
                        Role::User => (user(message, &self.versions(message))),
                        Role::Assistant => (self.answer(&branch, at).render()),
                        Role::Tool => {},
                    }
                    @for summary in self.summaries.iter().filter(|s| s.upto == message.id) { (summarised(summary)) }
                }
                @let told = branch.last().is_some_and(|m| m.state == MessageState::Failed);
                @if let Some(trouble) = self.trouble.as_ref().filter(|_| !told) {
                    div.notice.bad role="alert" { (icon("alert")) span { (trouble) } }
                }
            }
        }
    }

    /// The answer at a place of the branch.
    pub(crate) fn answer<'a>(&'a self, branch: &[&'a Message], at: usize) -> Answer<'a> {
        let message = branch[at];
        let next = branch[at + 1..].iter().position(|m| m.role != Role::Tool).map(|n| at + 1 + n);
        let results = branch[at + 1..next.unwrap_or(branch.len())].to_vec();
        let ends = next.is_none_or(|n| branch[n].role == Role::User);
        let turn = ends.then(|| {
            let user = branch[..at].iter().rposition(|m| m.role == Role::User);
            let first = branch[user.map_or(0, |u| u + 1)];
            let versions = self.versions(first);
            let shown = versions.iter().position(|v| *v == first.id).unwrap_or(0);
            let rating = self.ratings.get(&message.id).copied().unwrap_or(0);
            let turn = &branch[user.map_or(0, |u| u + 1)..next.unwrap_or(branch.len())];
            let read = turn.iter().flat_map(|m| citation::of(m)).collect();
            Turn { versions, shown, rating, is_last: next.is_none(), read }
        });
        let running = self.running && next.is_none();
        Answer { message, results, approvals: self.approvals, running, turn, keys: self.keys }
    }

    /// The messages between which the user may choose in a message's place.
    fn versions(&self, message: &Message) -> Vec<MessageId> {
        let same = |m: &&Message| m.parent == message.parent && m.role == message.role;
        self.messages.iter().filter(same).map(|m| m.id).collect()
    }
}

/// The messages from the first to `leaf`.
pub(crate) fn branch(messages: &[Message], leaf: Option<MessageId>) -> Vec<&Message> {
    let by_id: HashMap<MessageId, &Message> = messages.iter().map(|m| (m.id, m)).collect();
    let mut at = leaf.and_then(|id| by_id.get(&id).copied());
    let mut branch = Vec::new();
    while let Some(message) = at {
        branch.push(message);
        at = message.parent.and_then(|id| by_id.get(&id).copied());
    }
    branch.reverse();
    branch
}

/// What the user said.
pub(crate) fn user(message: &Message, versions: &[MessageId]) -> Markup {
    let id = format!("m{}", message.id);
    let shown = versions.iter().position(|v| *v == message.id).unwrap_or(0);
    html! {
        article class="msg user" id=(id) data-id=(message.id) aria-label=(t("You")) {
            div.said id={ (id) "-said" } { (message.content) }
            @if message.details.unattended { p class="soft small" { (icon("clock")) " A task asked this." } }
            @for file in &message.details.attachments { (attached::shown(file)) }
            div.tools {
                (switch(versions, shown))
                button.bare type="button" data-edit=(id) aria-label=(t("Edit and ask again")) title=(t("Edit")) { (icon("pen")) }
                button.bare type="button" data-copy={ "#" (id) "-said" } aria-label=(t("Copy")) title=(t("Copy")) { (icon("copy")) }
            }
        }
    }
}

/// The form that takes the place of a message while it is edited; the script fills it in.
pub(crate) fn edit_form() -> Markup {
    html! {
        template id="edit-form" {
            form data-send="" {
                textarea name="content" rows="3" aria-label=(t("Your message")) required {}
                div class="row end" {
                    button class="btn small" type="button" data-cancel-edit { (t("Cancel")) }
                    button class="btn small primary" { (t("Ask again")) }
                }
            }
        }
    }
}

/// Which of several versions is shown, and the way to the others.
fn switch(versions: &[MessageId], shown: usize) -> Markup {
    let to = |at: usize| format!("/api/messages/{}/show", versions[at]);
    html! {
        @if versions.len() > 1 {
            span.versions role="group" aria-label=(tf!("Version {n} of {all}", n = shown + 1, all = versions.len())) {
                @if shown > 0 { button.bare type="button" data-post=(to(shown - 1)) aria-label=(t("The version before")) { (icon("left")) } }
                span aria-hidden="true" { (shown + 1) "/" (versions.len()) }
                @if shown + 1 < versions.len() { button.bare type="button" data-post=(to(shown + 1)) aria-label=(t("The next version")) { (icon("right")) } }
            }
        }
    }
}

impl Answer<'_> {
    fn id(&self) -> String {
        format!("m{}", self.message.id)
    }

    fn is_growing(&self) -> bool {
        self.message.state == MessageState::Streaming
    }

    /// The whole article.
    pub(crate) fn render(&self) -> Markup {
        let id = self.id();
        html! {
            article class="msg assistant" id=(id) data-id=(self.message.id) aria-label="psi" aria-busy=(self.is_growing()) {
                (self.before())
                div class={ "answer" @if self.is_growing() { " growing" } } id={ (id) "-a" } {
                    @for (block, html) in self.blocks() { div.block id=(block) { (html) } }
                }
                (self.calls())
                (self.after())
            }
        }
    }

    /// What was known and thought before the first word.
    pub(crate) fn before(&self) -> Markup {
        let thinking = self.is_growing() && self.message.content.is_empty();
        let votes = self.message.details.votes.filter(|_| thinking);
        html! {
            div id={ (self.id()) "-before" } {
                @if let Some(votes) = votes { p.soft { (tf!("{n} of {all} answers are written; what most of them say is taken.", n = votes.done, all = votes.of)) } }
                @if !self.message.reasoning.is_empty() {
                    details.fold id={ (self.id()) "-thoughts" } {
                        summary { (turning()) @if thinking { (t("Thinking\u{2026}")) } @else { (t("Thought about it")) } }
                        div class="inside thoughts" { (self.message.reasoning.trim()) }
                    }
                }
            }
        }
    }

    /// The blocks of the text with the ids of their elements.
    pub(crate) fn blocks(&self) -> Vec<(String, markdown::SafeHtml)> {
        let blocks = markdown::blocks(&self.message.content).into_iter().enumerate();
        blocks.map(|(i, html)| (format!("{}-b{i}", self.id()), html)).collect()
    }

    /// The cards of the tools it calls.
    pub(crate) fn calls(&self) -> Markup {
        let stand = |call: &psi_agent::ToolCall| {
            let result =
                self.results.iter().find(|m| m.tool_call_id.as_deref() == Some(call.id.as_str()));
            let approval = self.approvals.iter().find(|a| a.call.id == call.id);
            match (result, approval) {
                (Some(message), _) => Stand::Done(Box::new((*message).clone())),
                (None, Some(approval)) => Stand::Asking(Box::new(approval.clone())),
                (None, None) if self.running => Stand::Running,
                (None, None) => Stand::Never,
            }
        };
        html! {
            div id={ (self.id()) "-calls" } {
                @for call in &self.message.tool_calls {
                    (card(self.message.conversation.0, call, &stand(call), self.keys))
                }
            }
        }
    }

    /// How it ended, what it used, and what can be done with it.
    pub(crate) fn after(&self) -> Markup {
        html! {
            div id={ (self.id()) "-after" } {
                (ending(self.message))
                (memories(&self.id(), &self.message.details.memories))
                @if let Some(turn) = &self.turn { (citation::list(&self.id(), &turn.read, &self.message.content)) }
                @if let (Some(turn), false) = (&self.turn, self.is_growing() || self.running) {
                    (self.tools(turn))
                }
            }
        }
    }

    fn tools(&self, turn: &Turn) -> Markup {
        let message = self.message;
        let first = turn.versions.get(turn.shown).copied().unwrap_or(message.id);
        let key = |name| turn.is_last.then(|| self.keys.of(name));
        let rate = |verdict: i8| serde_json::json!({ "rating": if turn.rating == verdict { 0 } else { verdict } });
        let address = format!("/api/messages/{}", message.id);
        let better = serde_json::json!({ "text": message.content, "tags": "" }).to_string();
        let first_address = format!("/api/messages/{first}");
        html! {
            div.tools {
                (switch(&turn.versions, turn.shown))
                button.bare type="button" data-copy={ "#" (self.id()) "-a" } data-key=[key("copy")] aria-label=(t("Copy the answer")) title=(t("Copy")) { (icon("copy")) }
                button.bare type="button" data-post={ (address) "/rate" } data-body=(rate(1)) data-key=[key("up")] aria-pressed=(turn.rating > 0) aria-label=(t("A good answer")) title=(t("Good answer")) { (icon("thumb-up")) }
                button.bare type="button" data-post={ (address) "/rate" } data-body=(rate(-1)) data-key=[key("down")] aria-pressed=(turn.rating < 0) aria-label=(t("A bad answer")) title=(t("Bad answer")) { (icon("thumb-down")) }
                button.bare type="button" data-dialog="better" data-target={ (address) "/correct" } data-set=(better) data-key=[key("better")] aria-label=(t("Write a better answer")) title=(t("A better answer would be\u{2026}")) { (icon("pen")) }
                button.bare type="button" data-post={ (first_address) "/regenerate" } data-key=[key("regenerate")] aria-label=(t("Answer again")) title=(t("Answer again")) { (icon("redo")) }
                details.menu {
                    summary.bare role="button" aria-label=(t("More about this answer")) { (icon("more")) }
                    div.items {
                        button type="button" data-post={ (first_address) "/compare" } { (icon("columns")) (t("Compare with another answer")) }
                        button type="button" data-dialog="other-model" data-target={ (first_address) "/compare" } { (icon("chip")) (t("Compare with another model\u{2026}")) }
                        @if turn.versions.len() > 1 {
                            @let other = turn.versions[(turn.shown + turn.versions.len() - 1) % turn.versions.len()];
                            a href={ "/compare/" (other) "/" (first) } { (icon("columns")) (t("Compare with the version before")) }
                        }
                    }
                }
                span.timing { (timing(message)) }
            }
        }
    }
}

/// What ended an answer before its time.
fn ending(message: &Message) -> Markup {
    let told = message.details.error.as_deref();
    html! {
        @match message.state {
            MessageState::Streaming => {},
            MessageState::Complete => @if message.details.finish.as_deref() == Some("length") {
                p class="ending soft" { (icon("alert")) " " (t("The answer was cut off at its token limit.")) }
            },
            MessageState::Stopped => p class="ending soft" { (t("You stopped this answer.")) },
            MessageState::Interrupted => div class="notice ending" { (icon("alert")) span { (t("psi ended while this answer was being written. What had been written is here.")) } },
            MessageState::Failed => div class="notice bad ending" { (icon("alert")) span { (t("This answer failed")) @if let Some(error) = told { ": " (error) } "." } },
        }
    }
}

/// The memories that stood in an answer's prompt.
fn memories(id: &str, memories: &[MemoryUse]) -> Markup {
    html! {
        @if !memories.is_empty() {
            details.fold id={ (id) "-used" } {
                summary { (turning()) (icon("memory")) (tn!("Used {n} memory|Used {n} memories", memories.len())) }
                ul class="inside used" {
                    @for memory in memories {
                        li {
                            span.score title=(t("How well it fitted, from 0 to 1")) { (decimal(f64::from(memory.score), 2)) }
                            span.grow { (memory.text) }
                            @if let Some(source) = memory.source { a href={ "/m/" (source) } { (t("source")) } }
                            a href={ "/memory#f" (memory.fact) } { (t("edit")) }
                        }
                    }
                }
            }
        }
    }
}

/// Who wrote it, how long it took and how fast.
fn timing(message: &Message) -> String {
    let details = &message.details;
    let mut parts: Vec<String> = details.model.iter().cloned().collect();
    if let Some(adapter) = &details.adapter {
        parts.push(adapter.clone());
    }
    let votes = details.votes.filter(|votes| votes.done == votes.of);
    if let Some(votes) = votes {
        parts.push(tf!("{n} of {all} answers agree", n = votes.agreed, all = votes.of));
        parts.push(tf!("{n} tokens", n = votes.n_generated));
    }
    if let Some(total) = details.total_ms {
        parts.push(duration(total));
        // The first piece of a vote comes when all its answers are there.
        let (n_written, first) = match votes {
            Some(votes) => (votes.n_generated, 0),
            None => (details.usage.map_or(0, |u| u.n_generated), details.first_ms.unwrap_or(0)),
        };
        if n_written > 1 && total > first {
            let speed = n_written as f64 * 1000.0 / (total - first) as f64;
            parts.push(tf!("{n} tokens/s", n = decimal(speed, 0)));
        }
    }
    parts.join(" \u{b7} ")
}

/// The line under the messages that a summary stands for.
fn summarised(summary: &Summary) -> Markup {
    html! {
        div.mark {
            details {
                summary { (tf!("psi reads a summary of the {n} messages above", n = summary.n_messages)) }
                p { (summary.content) }
            }
        }
    }
}

/// How full the context is.
pub(crate) fn meter(meter: Option<ContextMeter>) -> Markup {
    html! {
        div.context id="context" {
            @if let Some(meter) = meter.filter(|m| m.n_limit > 0) {
                @let used = meter.n_used.min(meter.n_limit);
                @let percent = used * 100 / meter.n_limit;
                progress class=[(percent >= 80).then_some("full")] max=(meter.n_limit) value=(used) aria-label=(t("How full the context is")) {}
                span.num title=(tf!("{n} of {all} tokens", n = meter.n_used, all = meter.n_limit)) {
                    (tf!("{n} % of the context", n = percent))
                    @if meter.n_summarised > 0 { ", " (tn!("{n} message summarised|{n} messages summarised", meter.n_summarised)) }
                }
            }
        }
    }
}
