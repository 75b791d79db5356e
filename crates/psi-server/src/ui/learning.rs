//! The learning log: what psi has learned from its owner's verdicts, what the gate measured, what answers now,
//! and what would be next.

use std::sync::Arc;

use axum::{body::Bytes, extract::State, http::HeaderMap, response::Response};
use maud::{Markup, html};
use psi_agent::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{
    Ui,
    actions::{Outcome, body},
    blocking,
    host::{Fate, LearningNow, LearningRound, LearningState, Lesson, LessonPlace, SuiteChange},
    i18n::{decimal, signed, t, tf},
    icon::{icon, turning},
    memory::when,
    reply::{Failure, Reply, html as page_of},
    shell::{self, Place},
};

/// Lessons of a list that are shown unasked.
const SHOWN: usize = 8;

/// `GET /learning`.
pub(crate) async fn page(
    State(ui): State<Arc<Ui>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let state = state(ui)?;
        let schedule = ui.assistant.settings().text("learning.schedule")?;
        let content = html! {
            (now(&state))
            (next(&state, &schedule))
            (log(&state))
        };
        let lead = t("Your verdicts become training on this machine. What comes out answers you only if a gate finds it better at what you asked for, and no worse at the rest.");
        let main = shell::place(t("Learning"), lead, &html! {}, &content);
        ui.page(&headers, (Place::Learning, t("Learning")), None, &main)
    })
    .await
}

/// `GET /learning/now`: the part that changes by itself.
pub(crate) async fn live(State(ui): State<Arc<Ui>>) -> Result<Response, Failure> {
    blocking(&ui, move |ui| Ok(page_of(now(&state(ui)?)))).await
}

fn state(ui: &Ui) -> Result<LearningState, Failure> {
    ui.host.learning().state().map_err(Failure::bad)
}

/// What answers, the round that goes on, and what can be done about both.
fn now(state: &LearningState) -> Markup {
    let going = state.now.as_ref().filter(|now| now.ended.is_none());
    let n = state.next.iter().filter(|l| l.place == LessonPlace::Learned).count();
    let can_start = going.is_none() && n > 0 && state.is_new;
    html! {
        section id="learning-now" aria-labelledby="now-title" data-poll=[going.map(|_| "/learning/now")] {
            h2 id="now-title" { (t("Now")) }
            div.panel {
                p { span.chip { (icon("check")) (t("answers")) } " " b { (state.serves) } }
                @if let Some(now) = &state.now { (round_of_now(now)) }
                div.row {
                    @if going.is_some() {
                        button.btn type="button" data-post="/api/learning/stop" { (icon("stop")) (t("Stop")) }
                    } @else {
                        @for (idle, class, text) in [(false, "btn primary", t("Learn now")), (true, "btn", t("Learn when the machine is idle"))] {
                            button class=(class) type="button" disabled[!can_start] data-post="/api/learning/start" data-body=(json!({ "when_idle": idle })) { (text) }
                        }
                        @if !can_start { span class="soft small" { (why_not(n, state.is_new)) } }
                    }
                }
            }
        }
    }
}

fn why_not(n: usize, is_new: bool) -> &'static str {
    match (n, is_new) {
        (0, _) => t("There is nothing to learn from yet: rate answers, and write better ones."),
        (_, false) => t("What answers has learned from all of this already."),
        _ => "",
    }
}

fn round_of_now(now: &LearningNow) -> Markup {
    match &now.ended {
        None => html! { p.notice role="status" { span.spin {} span { (now.said) } } },
        Some(Ok(what)) => html! { p.notice { (icon("check")) span { (what) } } },
        Some(Err(why)) => html! { p class="notice bad" { (icon("alert")) span { (why) } } },
    }
}

/// What the next round would learn from.
fn next(state: &LearningState, schedule: &str) -> Markup {
    let of = |place: fn(&LessonPlace) -> bool| -> Vec<&Lesson> {
        state.next.iter().filter(|lesson| place(&lesson.place)).collect()
    };
    let learned = of(|p| *p == LessonPlace::Learned);
    let kept_out = of(|p| *p == LessonPlace::KeptOut);
    let left_out = of(|p| matches!(p, LessonPlace::Struck | LessonPlace::LeftOut(_)));
    let tile = |n: usize, what: &str| html! { div.tile { b { (n) } span.soft { (what) } } };
    html! {
        section aria-labelledby="next-title" {
            h2 id="next-title" { (t("What comes next")) }
            div.tiles {
                (tile(learned.len(), t("to learn from")))
                (tile(kept_out.len(), t("kept out, to test the result")))
                (tile(left_out.len(), t("left out")))
            }
            p.soft {
                @if schedule == "when_idle" { (t("psi learns once a day, while nobody needs the machine.")) }
                @else { (t("psi learns when you ask it to.")) }
                " " a href="/settings#set-learning-schedule" { (t("Change that")) } " \u{b7} "
                a href="/review" { (t("Review answers")) }
            }
            (lessons("to-learn", t("To learn from"), &learned))
            (lessons("kept-out", t("Kept out, to test the result"), &kept_out))
            (lessons("left-out", t("Left out"), &left_out))
        }
    }
}

/// Lessons under a heading that unfolds.
fn lessons(id: &str, title: &str, lessons: &[&Lesson]) -> Markup {
    html! {
        @if !lessons.is_empty() {
            details.fold id=(id) open[lessons.len() <= SHOWN] {
                summary { (turning()) (title) " (" (lessons.len()) ")" }
                ul.things.inside { @for lesson in lessons { (one(lesson)) } }
            }
        }
    }
}

fn one(lesson: &Lesson) -> Markup {
    let strike = |is_out: bool| json!({ "judgement": lesson.id, "is_out": is_out });
    html! {
        li.thing {
            div.row {
                (said(lesson))
                @if lesson.conversation.parse::<i64>().is_ok() {
                    a.small href={ "/c/" (lesson.conversation) } { (t("In its conversation")) }
                }
                @match &lesson.place {
                    LessonPlace::Struck => button class="btn small" type="button" data-post="/api/learning/strike" data-body=(strike(false)) { (t("Learn from it again")) },
                    LessonPlace::LeftOut(why) => span.chip { (t(why)) },
                    _ => button class="btn small" type="button" data-post="/api/learning/strike" data-body=(strike(true)) { (t("Strike out")) },
                }
            }
        }
    }
}

/// What was asked and what is, or is not, the answer to it.
fn said(lesson: &Lesson) -> Markup {
    html! {
        div class="grow said" {
            div.soft { (lesson.question) }
            div.learned {
                @if lesson.is_disliked { span.chip { (t("Rather not")) } " " s { (lesson.answer) } } @else { (lesson.answer) }
            }
        }
    }
}

/// Every round, newest first.
fn log(state: &LearningState) -> Markup {
    html! {
        section aria-labelledby="log-title" {
            h2 id="log-title" { (t("What was learned")) }
            @if state.rounds.is_empty() { p.empty { (t("Nothing yet. Each round stays here: what it learned from, what was measured, and what was decided.")) } }
            ul.things { @for round in &state.rounds { (round_of_log(round)) } }
        }
    }
}

fn round_of_log(round: &LearningRound) -> Markup {
    let learned = round.lessons.iter().filter(|l| l.place == LessonPlace::Learned).count();
    let kept_out = round.lessons.len() - learned;
    let (class, sign, what) = fate(round.fate);
    html! {
        li.thing id=(round.name) {
            div.row {
                h3.grow { @match round.at { Some(at) => (when(Timestamp(at.saturating_mul(1000).cast_signed()))), None => (t("Not finished")) } }
                span class=(class) { @if let Some(sign) = sign { (icon(sign)) } (what) }
                @if round.fate == Fate::Serves {
                    button class="btn small" type="button" data-post="/api/learning/rollback"
                        data-confirm=(t("Take this round back? psi answers again as it did before.")) { (icon("left")) (t("Roll back")) }
                }
            }
            p.about { span { (tf!("{n} learned", n = learned)) } span { (tf!("{n} kept out", n = kept_out)) } code { (round.name) } }
            @if !round.suites.is_empty() { (suites(&round.suites)) }
            details.fold id={ "from-" (round.name) } {
                summary { (turning()) (t("What it learned from")) }
                ul.things.inside { @for source in sources(&round.lessons) { (source) } }
            }
        }
    }
}

/// A round's lessons by conversation, each of which can be forgotten.
fn sources(lessons: &[Lesson]) -> Vec<Markup> {
    let mut names: Vec<&str> = Vec::new();
    for lesson in lessons {
        if !names.contains(&lesson.conversation.as_str()) {
            names.push(&lesson.conversation);
        }
    }
    let source = |name: &&str| {
        let of: Vec<&Lesson> = lessons.iter().filter(|l| l.conversation == *name).collect();
        html! {
            li.thing {
                div.row {
                    div.grow { @for lesson in &of { (said(lesson)) } }
                    button class="btn small danger" type="button" data-post="/api/learning/forget" data-body=(json!({ "conversation": name }))
                        data-confirm=(t("Forget this? Every round that has learned from this conversation is removed with its weights, and psi answers as it did before them. It is not learned from again.")) { (icon("trash")) (t("Forget")) }
                }
            }
        }
    };
    names.iter().map(source).collect()
}

fn fate(fate: Fate) -> (&'static str, Option<&'static str>, &'static str) {
    match fate {
        Fate::Unfinished => {
            ("chip warm", None, t("goes on with the next \u{201c}Learn now\u{201d}"))
        }
        Fate::Rejected => ("chip bad", None, t("rejected: something got worse")),
        Fate::Held => ("chip warm", None, t("not promoted: too few items to be sure")),
        Fate::Waiting => ("chip", None, t("passed the gate, not promoted")),
        Fate::Serves => ("chip", Some("check"), t("answers")),
        Fate::Replaced => ("chip", None, t("replaced by a later one")),
        Fate::TakenBack => ("chip", None, t("taken back")),
    }
}

/// What the gate measured, as numbers and as a picture.
fn suites(suites: &[SuiteChange]) -> Markup {
    html! {
        div.scores {
            table {
                thead { tr {
                    th scope="col" { (t("Suite")) } th scope="col" { (t("Before")) } th scope="col" { (t("After")) }
                    th scope="col" { (t("Change")) } th scope="col" { (t("95 % interval")) } th scope="col" { (t("Items")) } th scope="col" { (t("Verdict")) }
                } }
                tbody { @for suite in suites { (change(suite)) } }
            }
        }
    }
}

fn change(suite: &SuiteChange) -> Markup {
    let (before, after) = suite.means;
    let percent = |share: f64| format!("{} %", decimal(100.0 * share, 1));
    let points = |share: f64| signed(100.0 * share, 1);
    html! {
        tr {
            td { (suite.suite.replace('-', " ")) }
            td { (percent(before)) }
            td { (percent(after)) }
            td { (dumbbell(before, after)) }
            td { (tf!("{from} to {to}", from = points(suite.interval.0), to = points(suite.interval.1))) }
            td { (suite.n) }
            td { (t(&suite.verdict)) }
        }
    }
}

/// Two scores on a line from 0 to 1: hollow before, filled after.
fn dumbbell(before: f64, after: f64) -> Markup {
    let x = |share: f64| format!("{:.1}", 6.0 + 108.0 * share.clamp(0.0, 1.0));
    let label = tf!("{n} points", n = signed(100.0 * (after - before), 1));
    html! {
        svg.dumbbell viewBox="0 0 120 14" role="img" aria-label=(label) {
            line.grid x1="6" x2="114" y1="7" y2="7" {}
            line.series x1=(x(before)) x2=(x(after)) y1="7" y2="7" {}
            circle.hollow cx=(x(before)) cy="7" r="3.5" {}
            circle.full cx=(x(after)) cy="7" r="4" {}
        }
    }
}

/// When to compute.
#[derive(Deserialize)]
struct Start {
    when_idle: bool,
}

/// `POST /api/learning/start`.
pub(crate) async fn start(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let Start { when_idle } = body(&bytes)?;
        ui.host.learning().start(when_idle).map_err(Failure::bad)?;
        shown(ui, Reply::done())
    })
    .await
}

/// `POST /api/learning/stop`.
pub(crate) async fn stop(State(ui): State<Arc<Ui>>) -> Outcome {
    blocking(&ui, move |ui| {
        ui.host.learning().stop();
        shown(ui, Reply::done().toast(t("Stopped. What was trained is kept.")))
    })
    .await
}

fn shown(ui: &Ui, reply: Reply) -> Outcome {
    Ok(reply.part(super::live::Part::new("learning-now", now(&state(ui)?))))
}

/// `POST /api/learning/rollback`.
pub(crate) async fn roll_back(State(ui): State<Arc<Ui>>) -> Outcome {
    blocking(&ui, move |ui| {
        ui.host.learning().roll_back().map_err(Failure::bad)?;
        Ok(Reply::done().refresh())
    })
    .await
}

/// A judgement, and whether it is out from now on.
#[derive(Deserialize)]
struct Strike {
    judgement: String,
    is_out: bool,
}

/// `POST /api/learning/strike`.
pub(crate) async fn strike(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let Strike { judgement, is_out } = body(&bytes)?;
        ui.host.learning().strike(&judgement, is_out).map_err(Failure::bad)?;
        Ok(Reply::done().refresh())
    })
    .await
}

/// A conversation.
#[derive(Deserialize)]
struct Source {
    conversation: String,
}

/// `POST /api/learning/forget`.
pub(crate) async fn forget(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let Source { conversation } = body(&bytes)?;
        ui.host.learning().forget(&conversation).map_err(Failure::bad)?;
        Ok(Reply::done().refresh())
    })
    .await
}
