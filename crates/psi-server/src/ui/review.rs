//! Feedback: thumbs and better answers in a conversation, and a queue to go through quickly.

use std::{collections::HashMap, sync::Arc};

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use maud::{Markup, html};
use psi_agent::{
    Message, MessageId,
    feedback::{QueueItem, Rating, TAGS, Tally},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Ui,
    actions::{Outcome, body},
    blocking,
    i18n::{t, tf},
    icon::icon,
    keys::{self, Keys},
    live::Part,
    reply::{Failure, Reply},
    shell::{self, Place},
};
use crate::markdown;

/// Answers that the queue looks ahead.
const AHEAD: usize = 50;

impl Ui {
    /// The thumbs of a conversation's answers: good is positive, bad negative.
    pub(crate) fn ratings(&self, messages: &[Message]) -> Result<HashMap<MessageId, i8>, Failure> {
        let mut ratings = HashMap::new();
        for message in messages.iter().filter(|m| !m.content.is_empty()) {
            let judgement = self.feedback.of(message.id)?;
            if let Some(rating) = judgement.and_then(|j| j.rating) {
                ratings.insert(message.id, if rating == Rating::Up { 1 } else { -1 });
            }
        }
        Ok(ratings)
    }
}

/// A thumb: 1, -1, or 0 for neither.
#[derive(Deserialize)]
struct Thumb {
    rating: i8,
}

/// `POST /api/messages/{id}/rate`.
pub(crate) async fn rate(State(ui): State<Arc<Ui>>, Path(id): Path<i64>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let Thumb { rating } = body(&bytes)?;
        let rating = match rating {
            1.. => Some(Rating::Up),
            0 => None,
            _ => Some(Rating::Down),
        };
        let judgement = ui.feedback.rate(MessageId(id), rating)?;
        Ok(Reply::done().with("judgement", judgement).thread())
    })
    .await
}

/// What would have been better, and why.
#[derive(Deserialize)]
struct Better {
    text: String,
    #[serde(default)]
    tags: String,
}

/// `POST /api/messages/{id}/correct`.
pub(crate) async fn correct(
    State(ui): State<Arc<Ui>>,
    Path(id): Path<i64>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Outcome {
    blocking(&ui, move |ui| {
        let better: Better = body(&bytes)?;
        let judgement = ui.feedback.improve(MessageId(id), Some(better.text.trim()))?;
        let tags: Vec<String> = better
            .tags
            .split(',')
            .map(|tag| tag.trim().to_owned())
            .filter(|tag| !tag.is_empty())
            .collect();
        if !tags.is_empty() {
            ui.feedback.tag(MessageId(id), &tags)?;
        }
        let reply =
            Reply::done().with("judgement", judgement).toast(t("Kept. psi learns from it."));
        let in_queue = headers.get("x-psi-page").is_some_and(|page| page == "/review");
        if in_queue { shown(ui, reply) } else { Ok(reply.thread()) }
    })
    .await
}

/// `GET /review`.
pub(crate) async fn page(
    State(ui): State<Arc<Ui>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let content = html! { (queue(ui)?) (learning(ui.feedback.tally()?)) (better_dialog()) };
        let lead = t("Answers to look at, those that went badly first. Your verdicts stay on this machine; psi learns from them.");
        let main = shell::place(t("Review"), lead, &html! {}, &content);
        ui.page(&headers, (Place::Review, t("Review")), None, &main)
    })
    .await
}

/// What the verdicts are for, and how many there are.
fn learning(tally: Tally) -> Markup {
    let tile = |n: usize, what: &str| html! { div.tile { b { (n) } span.soft { (what) } } };
    html! {
        section aria-labelledby="learn-title" {
            h2 id="learn-title" { (t("What psi can learn from")) }
            div.tiles {
                (tile(tally.n_rated, t("answers rated")))
                (tile(tally.n_better, t("better answers written")))
                (tile(tally.n_chosen, t("choices between two")))
            }
            p.soft { (t("What becomes of them is shown under")) " " a href="/learning" { (t("Learning")) } ". " (t("Nothing is served that did not pass a gate. Forgetting a message takes it out of what is learned.")) }
        }
    }
}

fn queue(ui: &Ui) -> Result<Markup, Failure> {
    let items = ui.feedback.queue(AHEAD)?;
    let keys = ui.keys();
    Ok(html! {
        section.review id="review" aria-label=(t("The next answer")) aria-live="polite" {
            @match items.first() {
                None => p.empty { (t("Nothing to look at. Answers come here once there are some.")) },
                Some(item) => (one(item, items.len(), &keys)),
            }
        }
    })
}

fn one(item: &QueueItem, n: usize, keys: &Keys) -> Markup {
    let answer = &item.answer;
    let address = format!("/api/review/{}", answer.id);
    let better = json!({ "text": answer.content, "tags": "" }).to_string();
    let choices = [
        ("good", "good", "thumb-up", t("Good")),
        ("bad", "bad", "thumb-down", t("Bad")),
        ("skip", "skip", "right", t("Skip")),
    ];
    html! {
        p class="soft small num" { @if n == AHEAD { (tf!("{n} or more to go", n = n)) } @else { (tf!("{n} to go", n = n)) } }
        @if let Some(question) = &item.question { div.question { (question.content) } }
        div.panel { div.answer { @for block in markdown::blocks(&answer.content) { div.block { (block) } } } }
        div.row {
            @for (key, verdict, sign, text) in choices {
                button.btn type="button" data-post=(address) data-body=(json!({ "verdict": verdict })) data-key=(keys.of(key)) {
                    (icon(sign)) (text) " " (keys::shown(keys.of(key)))
                }
            }
            button.btn type="button" data-dialog="better" data-target={ "/api/messages/" (answer.id) "/correct" } data-set=(better) data-key=(keys.of("edit")) {
                (icon("pen")) (t("A better answer would be\u{2026}")) " " (keys::shown(keys.of("edit")))
            }
            span.grow {}
            a.btn href={ "/m/" (answer.id) } { (t("In its conversation")) }
        }
    }
}

/// A verdict of the queue.
#[derive(Deserialize)]
struct Verdict {
    verdict: String,
}

/// `POST /api/review/{id}`.
pub(crate) async fn judge(State(ui): State<Arc<Ui>>, Path(id): Path<i64>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let Verdict { verdict } = body(&bytes)?;
        let id = MessageId(id);
        match verdict.as_str() {
            "good" => drop(ui.feedback.rate(id, Some(Rating::Up))?),
            "bad" => {
                ui.feedback.rate(id, Some(Rating::Down))?;
                // It would come again until there is a better answer.
                ui.feedback.skip(id)?;
            }
            "skip" => ui.feedback.skip(id)?,
            other => return Err(Failure::bad(format!("\u{201c}{other}\u{201d} is no verdict"))),
        }
        shown(ui, Reply::done())
    })
    .await
}

fn shown(ui: &Ui, reply: Reply) -> Outcome {
    Ok(reply.part(Part::new("review", queue(ui)?)))
}

/// The dialog in which a better answer is written.
pub(crate) fn better_dialog() -> Markup {
    html! {
        dialog id="better" aria-labelledby="better-title" {
            form data-send="" {
                h2 id="better-title" { (t("A better answer would be\u{2026}")) }
                p.soft { (t("psi learns from what you write here. The answer in the conversation stays as it is.")) }
                label.field { span.sr { (t("The better answer")) } textarea name="text" rows="10" required {} }
                label.field {
                    span { (t("What was wrong")) " " span.soft { (t("(optional, with commas)")) } }
                    input type="text" name="tags" list="tags" autocomplete="off" placeholder=(t("wrong, too long"));
                }
                datalist id="tags" { @for tag in TAGS { option value=(tag) {} } }
                (shell::dialog_end(&html! { (icon("check")) (t("Keep")) }))
            }
        }
    }
}
