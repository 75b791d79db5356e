//! What psi remembers: every fact with where it has it from, to be searched, corrected, kept and forgotten.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    body::Bytes,
    extract::{Path, Query, State},
    http::HeaderMap,
    response::Response,
};
use jiff::tz::TimeZone;
use maud::{Markup, html};
use psi_agent::{
    Timestamp,
    memory::{Fact, FactKind, NewFact, Origin},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Ui,
    actions::{Outcome, body},
    blocking,
    i18n::{self, decimal, t, tf, tn},
    icon::icon,
    live::Part,
    reply::{Failure, Reply, html as page_of},
    shell::{self, Place},
};

/// Facts on the page.
const SHOWN: usize = 300;

/// What is looked for.
#[derive(Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    q: String,
    /// With facts that hold no longer: present when the box is checked.
    old: Option<String>,
}

/// `GET /memory`.
pub(crate) async fn page(
    State(ui): State<Arc<Ui>>,
    Query(search): Query<Search>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let content = html! {
            form class="row" role="search" data-filter="/memory/list" data-into="facts" {
                label.grow { span.sr { (t("Search the memory")) } input type="search" name="q" value=(search.q) placeholder=(t("Search")) autocomplete="off"; }
                label.row { input type="checkbox" name="old" checked[search.old.is_some()]; (t("also what holds no longer")) }
            }
            (list(ui, &search)?)
            section aria-labelledby="add-title" {
                h2 id="add-title" { (t("Tell psi something")) }
                form class="panel row" data-send="/api/memory" {
                    label.grow { span.sr { (t("A fact")) } input type="text" name="text" required maxlength="1000" placeholder=(t("My sister Ana lives in Lisbon.")); }
                    button.btn { (icon("plus")) (t("Remember")) }
                }
            }
            dialog id="edit-fact" aria-labelledby="edit-fact-title" {
                form data-send="" {
                    h2 id="edit-fact-title" { (t("Correct a fact")) }
                    label.field { span.sr { (t("The fact")) } textarea name="text" rows="3" required {} }
                    (shell::dialog_end(&html! { (t("Keep")) }))
                }
            }
        };
        let lead = t("What psi knows of what you said, with the message it was said in. Answers list what they used.");
        let main = shell::place(t("Memory"), lead, &html! {}, &content);
        ui.page(&headers, (Place::Memory, t("Memory")), None, &main)
    })
    .await
}

/// `GET /memory/list`.
pub(crate) async fn found(
    State(ui): State<Arc<Ui>>,
    Query(search): Query<Search>,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| Ok(page_of(list(ui, &search)?))).await
}

fn list(ui: &Ui, search: &Search) -> Result<Markup, Failure> {
    let memory = ui.assistant.memory();
    let old = search.old.is_some();
    let facts: Vec<(Fact, Option<f32>)> = if search.q.trim().is_empty() {
        memory.list(old, SHOWN, 0)?.into_iter().map(|fact| (fact, None)).collect()
    } else {
        let hits = memory.search(&search.q, old, SHOWN)?;
        hits.into_iter().map(|hit| (hit.fact, Some(hit.score))).collect()
    };
    let now = ui.assistant.db().now();
    Ok(html! {
        section id="facts" aria-label=(t("Facts")) aria-live="polite" {
            @if facts.is_empty() {
                p.empty {
                    @if search.q.trim().is_empty() { (t("Nothing yet. Tell psi something, here or in a conversation: \u{201c}Remember that my sister Ana lives in Lisbon.\u{201d}")) }
                    @else { (tf!("Nothing is known about \u{201c}{query}\u{201d}.", query = search.q)) }
                }
            }
            form data-send="/api/memory/merge" {
                ul.things { @for (fact, score) in &facts { (one(fact, *score, now)) } }
                @if facts.len() > 1 {
                    details.fold {
                        summary { (icon("merge")) (t("Merge facts that say the same")) }
                        div class="inside row" {
                            label.grow { span.sr { (t("One fact that says it all")) } input type="text" name="text" placeholder=(t("Check the facts above, and say it here in one sentence")); }
                            button.btn { (t("Merge")) }
                        }
                    }
                }
            }
        }
    })
}

fn one(fact: &Fact, score: Option<f32>, now: Timestamp) -> Markup {
    let id = format!("f{}", fact.id);
    let address = format!("/api/memory/{}", fact.id);
    let holds = fact.holds_at(now);
    let edit = json!({ "text": fact.text }).to_string();
    html! {
        li class={ "thing" @if !holds { " off" } } id=(id) {
            div.row {
                input type="checkbox" name=(id) aria-label=(tf!("Choose \u{201c}{fact}\u{201d} for merging", fact = fact.text));
                div class="said grow" { (fact.text) }
                div.acts {
                    button.bare type="button" data-post={ (address) "/pin" } data-body=(json!({ "pinned": !fact.pinned })) aria-pressed=(fact.pinned) aria-label=(t("Always put before the model")) title=(t("Always put before the model")) { (icon("pin")) }
                    button.bare type="button" data-dialog="edit-fact" data-target={ (address) "/edit" } data-set=(edit) aria-label=(t("Correct")) title=(t("Correct")) { (icon("pen")) }
                    button.bare type="button" data-post={ (address) "/forget" } data-confirm=(tf!("Forget \u{201c}{fact}\u{201d}? It is erased from the memory and its indexes. Messages that say it stay until you delete their conversations.", fact = fact.text)) aria-label=(t("Forget")) title=(t("Forget")) { (icon("trash")) }
                }
            }
            div.about {
                @if let Some(score) = score { span.num title=(t("How well it fits, from 0 to 1")) { (decimal(f64::from(score), 2)) } }
                span { (kind(fact.kind)) }
                span { (origin(fact.origin)) ", " (when(fact.said_at)) }
                @for source in &fact.sources { a href={ "/m/" (source) } { (t("where it was said")) } }
                @match (fact.valid_from, fact.valid_to) {
                    (None, None) => {},
                    (Some(from), None) => span { (tf!("from {day}", day = day(from))) },
                    (None, Some(to)) => span { (tf!("until {day}", day = day(to))) },
                    (Some(from), Some(to)) => span { (tf!("{from} to {to}", from = day(from), to = day(to))) },
                }
                @if let Some(closed) = fact.closed_at {
                    span.chip {
                        (tf!("holds no longer since {day}", day = day(closed)))
                        @if let Some(by) = fact.closed_by { ": " a href={ "/memory?old=on#f" (by) } { (t("what came after")) } }
                    }
                }
            }
        }
    }
}

fn kind(kind: FactKind) -> &'static str {
    match kind {
        FactKind::Profile => t("about you"),
        FactKind::Preference => t("what you like"),
        FactKind::Event => t("an event"),
        FactKind::Other => t("a fact"),
    }
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Rule => t("you said so"),
        Origin::Model => t("a model understood so"),
        Origin::Tool => t("kept by a tool"),
        Origin::User => t("you wrote it here"),
        Origin::Imported => t("imported"),
    }
}

/// A moment as people write it, in this machine's time zone.
pub(crate) fn when(moment: Timestamp) -> String {
    let moment = moment.to_jiff().to_zoned(TimeZone::system());
    format!("{}, {}", i18n::date(moment.date()), moment.strftime("%H:%M"))
}

fn day(moment: Timestamp) -> String {
    i18n::date(moment.to_jiff().to_zoned(TimeZone::system()).date())
}

/// What a fact says.
#[derive(Deserialize)]
struct Text {
    text: String,
}

/// `POST /api/memory`.
pub(crate) async fn add(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let Text { text } = body(&bytes)?;
        if text.trim().is_empty() {
            return Err(Failure::bad(t("a fact says something")));
        }
        let now = ui.assistant.db().now();
        let fact = ui.assistant.memory().keep(&NewFact::new(&text, Origin::User, now))?;
        match fact {
            Some(fact) => shown(ui, Reply::done().with("fact", fact)),
            None => Ok(Reply::done().toast(t("psi knew that already."))),
        }
    })
    .await
}

/// `POST /api/memory/{id}/edit`.
pub(crate) async fn edit(State(ui): State<Arc<Ui>>, Path(id): Path<i64>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let Text { text } = body(&bytes)?;
        let fact = ui.assistant.memory().edit(id, text.trim())?;
        shown(ui, Reply::done().with("fact", fact))
    })
    .await
}

/// Whether it is always put before the model.
#[derive(Deserialize)]
struct Pin {
    pinned: bool,
}

/// `POST /api/memory/{id}/pin`.
pub(crate) async fn pin(State(ui): State<Arc<Ui>>, Path(id): Path<i64>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let Pin { pinned } = body(&bytes)?;
        ui.assistant.memory().pin(id, pinned)?;
        shown(ui, Reply::done())
    })
    .await
}

/// `POST /api/memory/{id}/forget`.
pub(crate) async fn forget(State(ui): State<Arc<Ui>>, Path(id): Path<i64>) -> Outcome {
    blocking(&ui, move |ui| {
        let memory = ui.assistant.memory();
        let fact = memory.get(id)?;
        memory.forget(id)?;
        let traces = memory.traces(&fact.text)?.len();
        let told = match traces {
            0 => t("Forgotten.").to_owned(),
            n => tn!(
                "Forgotten. One message still says it.|Forgotten. {n} messages still say it.",
                n
            ),
        };
        Ok(Reply::done().remove(format!("f{id}")).toast(told))
    })
    .await
}

/// `POST /api/memory/merge`: the facts whose boxes are checked.
pub(crate) async fn merge(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let given: BTreeMap<String, Value> = body(&bytes)?;
        let text = given.get("text").and_then(Value::as_str).unwrap_or_default().trim();
        let checked = |(name, on): (&String, &Value)| {
            (*on == json!(true)).then(|| name.strip_prefix('f')?.parse::<i64>().ok()).flatten()
        };
        let ids: Vec<i64> = given.iter().filter_map(checked).collect();
        if ids.len() < 2 || text.is_empty() {
            return Err(Failure::bad(t(
                "check two or more facts, and say in one sentence what they say",
            )));
        }
        let fact = ui.assistant.memory().merge(&ids, text)?;
        shown(ui, Reply::done().with("fact", fact))
    })
    .await
}

/// `GET /api/memory`.
pub(crate) async fn json(State(ui): State<Arc<Ui>>) -> Outcome {
    blocking(&ui, move |ui| {
        Ok(Reply::done().with("facts", ui.assistant.memory().list(true, 10_000, 0)?))
    })
    .await
}

/// The list as it is now.
fn shown(ui: &Ui, reply: Reply) -> Outcome {
    let all = Search { q: String::new(), old: None };
    Ok(reply.part(Part::new("facts", list(ui, &all)?)))
}
