//! Two answers to the same question side by side, to choose the better one.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use maud::{Markup, html};
use psi_agent::{Message, MessageId, Role};
use serde::Deserialize;
use serde_json::json;

use super::{
    Ui,
    actions::{Outcome, body},
    blocking,
    i18n::t,
    icon::icon,
    keys::Keys,
    reply::{Failure, Reply, html as page_of},
    shell::{self, Place},
    thread::Answer,
};

/// Who gives the other answer; empty: who gave the first.
#[derive(Deserialize)]
struct By {
    #[serde(default)]
    model: String,
}

/// `POST /api/messages/{id}/compare`: another answer beside this one.
pub(crate) async fn begin(State(ui): State<Arc<Ui>>, Path(id): Path<i64>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let By { model } = body(&bytes)?;
        let run = ui.assistant.retry(MessageId(id), ui.known_model(&model)?)?;
        ui.rooms.of(run.conversation()).follow(&run);
        Ok(Reply::done().go(format!("/compare/{id}/new")))
    })
    .await
}

/// `GET /compare/{a}/{b}`: `b` may be `new`, for the newest other answer.
pub(crate) async fn page(
    State(ui): State<Arc<Ui>>,
    Path((a, b)): Path<(i64, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let content = pair(ui, MessageId(a), &b)?;
        let lead = t("Which answer is better? psi learns from your choice, and the conversation goes on from there; both answers stay in it.");
        let main = shell::place(t("Compare two answers"), lead, &html! {}, &content);
        ui.page(&headers, (Place::Chat, t("Compare two answers")), None, &main)
    })
    .await
}

/// `GET /compare/{a}/{b}/part`.
pub(crate) async fn part(
    State(ui): State<Arc<Ui>>,
    Path((a, b)): Path<(i64, String)>,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| Ok(page_of(pair(ui, MessageId(a), &b)?))).await
}

fn pair(ui: &Ui, a: MessageId, b: &str) -> Result<Markup, Failure> {
    let first = ui.assistant.conversations().message(a)?;
    let conversation = first.conversation;
    let room = ui.rooms.of(conversation);
    let after = room.cursor();
    let running = room.is_running();
    let mut messages = ui.assistant.conversations().all(conversation)?;
    for newer in room.messages() {
        if let Some(old) = messages.iter_mut().find(|m| m.id == newer.id) {
            *old = newer;
        }
    }
    let question = messages.iter().find(|m| Some(m.id) == first.parent);
    let question =
        question.ok_or_else(|| Failure::bad(t("there is no question to this answer")))?;
    let others = messages.iter().filter(|m| m.parent == first.parent && m.id != a);
    let other = match b.parse() {
        Ok(id) => others.into_iter().find(|m| m.id == MessageId(id)),
        Err(_) => others.max_by_key(|m| m.id).filter(|m| m.id > a || !running),
    };
    // Which side the older answer is on says nothing about it.
    let turned = a.0 % 2 == 1;
    let mut sides = [Some(&first), other];
    if turned {
        sides.reverse();
    }
    let keys = ui.keys();
    Ok(html! {
        div.thread-like id="thread" data-events={ "/api/conversations/" (conversation) "/events" } data-refresh={ "/compare/" (a) "/" (b) "/part" } data-after=(after.to_string()) data-csrf=(ui.gate.csrf()) data-running=(running) {
            div.review { div.question { (question.content) } }
            div.two {
                @for (side, (name, label)) in sides.into_iter().zip([(t("Left"), t("Left answer")), (t("Right"), t("Right answer"))]) {
                    section.panel aria-label=(label) {
                        h2 { (name) }
                        @match side {
                            Some(first) => (turn(first, &messages, running, &keys)),
                            None => p.soft { span.spin {} " " (t("is being written\u{2026}")) },
                        }
                    }
                }
            }
            @if let [Some(left), Some(right)] = sides { @if !running { (verdicts(left, right, &keys)) } }
        }
    })
}

/// Everything from an answer's first message to the end of its turn.
fn turn(first: &Message, messages: &[Message], running: bool, keys: &Keys) -> Markup {
    let mut turn = vec![first];
    while let Some(next) = messages.iter().rev().find(|m| m.parent == turn.last().map(|l| l.id)) {
        if next.role == Role::User {
            break;
        }
        turn.push(next);
    }
    let results: Vec<&Message> = turn.iter().copied().filter(|m| m.role == Role::Tool).collect();
    html! {
        @for message in turn.iter().filter(|m| m.role == Role::Assistant) {
            (Answer { message, results: results.clone(), approvals: &[], running, turn: None, keys }.render())
        }
    }
}

fn verdicts(left: &Message, right: &Message, keys: &Keys) -> Markup {
    let choices = [
        ("left", "left", t("Left is better"), (left, right), false),
        ("right", "right", t("Right is better"), (right, left), false),
        ("tie", "check", t("Both are as good"), (left, right), true),
    ];
    html! {
        div.row {
            @for (key, sign, text, (chosen, over), tie) in choices {
                button.btn type="button" data-post="/api/compare" data-key=(keys.of(key))
                    data-body=(json!({ "better": chosen.id, "over": over.id, "tie": tie })) { (icon(sign)) (text) }
            }
            span.grow {}
            a.btn href={ "/c/" (left.conversation) } { (t("Back to the conversation")) }
        }
    }
}

/// Which of two.
#[derive(Deserialize)]
struct Choice {
    better: MessageId,
    over: MessageId,
    tie: bool,
}

/// `POST /api/compare`: keeps the choice; the conversation goes on from the better one.
pub(crate) async fn choose(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let Choice { better, over, tie } = body(&bytes)?;
        ui.feedback.choose(better, over, tie)?;
        let conversations = ui.assistant.conversations();
        let conversation = conversations.message(better)?.conversation;
        conversations.show(better)?;
        Ok(Reply::done().go(format!("/c/{conversation}?m={better}#m{better}")))
    })
    .await
}
