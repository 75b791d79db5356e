//! Tasks and reminders: their page, and the notices that every page shows.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use jiff::{
    civil::{DateTime, Time},
    tz::TimeZone,
};
use maud::{Markup, html};
use psi_agent::{
    NewTask, RunState, Task, TaskKind, TaskRun, Timestamp,
    tasks::{When, system_zone},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Ui,
    actions::{Outcome, body},
    blocking,
    i18n::{self, t, tf, tn},
    icon::icon,
    live::Part,
    memory::when,
    reply::{Failure, Reply, html as page_of},
    shell::{self, Place},
};

/// Runs of a task on the page.
const SHOWN_RUNS: usize = 5;
/// Notices that a page shows; the others are counted.
const SHOWN_NOTICES: usize = 4;

/// How often something is done: what the form sends, and what the page calls it.
const REPEATS: [(&str, &str); 4] = [
    ("once", "Once"),
    ("daily", "Every day"),
    ("weekly", "Every week"),
    ("every", "Every so many minutes"),
];
const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// `GET /tasks`.
pub(crate) async fn page(
    State(ui): State<Arc<Ui>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let notify = ui.assistant.settings().flag("tasks.notify")?;
        let content = html! {
            (list(ui)?)
            (form(ui.assistant.db().now()))
            section aria-labelledby="notify-title" {
                h2 id="notify-title" { (t("Notices")) }
                form.panel data-live="/api/settings" {
                    label.check {
                        input type="checkbox" name="tasks.notify" checked[notify];
                        span { (t("Show them outside the page too")) span class="soft small" { (t("The browser asks whether it may; psi must be open in a tab.")) } }
                    }
                }
            }
        };
        let lead = t("What psi does by itself while it runs. What it writes is a conversation; a tool that needs your leave waits for it, whatever you allowed before.");
        let main = shell::place(t("Tasks"), lead, &html! {}, &content);
        ui.page(&headers, (Place::Tasks, t("Tasks")), None, &main)
    })
    .await
}

/// `GET /tasks/list`: the list alone, which keeps itself current.
pub(crate) async fn live(State(ui): State<Arc<Ui>>) -> Result<Response, Failure> {
    blocking(&ui, move |ui| Ok(page_of(list(ui)?))).await
}

/// `GET /tasks/notices`: what its owner has not seen.
pub(crate) async fn notices_part(State(ui): State<Arc<Ui>>) -> Result<Response, Failure> {
    blocking(&ui, move |ui| Ok(page_of(ui.notices()?))).await
}

fn list(ui: &Ui) -> Result<Markup, Failure> {
    let mut tasks = Vec::new();
    for task in ui.tasks.list()? {
        let runs = ui.tasks.runs(task.id, SHOWN_RUNS)?;
        tasks.push(one(&task, &runs));
    }
    Ok(html! {
        section id="tasks" aria-label=(t("Your tasks")) data-poll="/tasks/list" {
            @if tasks.is_empty() { p.empty { (t("None yet. A question every morning, a reminder in ten minutes: make one below.")) } }
            ul.things { @for task in &tasks { (task) } }
        }
    })
}

fn one(task: &Task, runs: &[TaskRun]) -> Markup {
    let address = format!("/api/tasks/{}", task.id);
    let over = task.next_at.is_none();
    html! {
        li class={ "thing" @if task.paused || over { " off" } } id={ "task-" (task.id) } {
            div.row {
                strong.grow { (task.name) }
                div.acts {
                    button.bare type="button" data-post={ (address) "/run" } aria-label=(tf!("Run \u{201c}{name}\u{201d} now", name = task.name)) title=(t("Run now")) { (icon("right")) }
                    @if !over {
                        button.bare type="button" data-post={ (address) "/pause" } data-body=(json!({ "paused": !task.paused })) aria-pressed=(task.paused) aria-label=(tf!("Pause \u{201c}{name}\u{201d}", name = task.name)) title=(t("Pause")) { (icon("pause")) }
                    }
                    button.bare type="button" data-post={ (address) "/delete" } data-confirm=(tf!("Delete \u{201c}{name}\u{201d}? The conversations it wrote stay.", name = task.name)) aria-label=(tf!("Delete {what}", what = task.name)) title=(t("Delete")) { (icon("trash")) }
                }
            }
            @if task.text != task.name { div class="said whole" { (task.text) } }
            div.about {
                @if task.kind == TaskKind::Remind { span.chip { (t("reminder")) } }
                span { (words(&task.when)) @if task.zone != system_zone() { " (" (task.zone) ")" } }
                @if task.paused { span class="chip warm" { (t("paused")) } }
                @else if let Some(next) = task.next_at { span { (tf!("next: {when}", when = moment(next, &task.zone))) } }
                @else { span.chip { (t("over")) } }
            }
            @if !runs.is_empty() { ul.used { @for run in runs { (line(run)) } } }
        }
    }
}

fn line(run: &TaskRun) -> Markup {
    html! {
        li {
            span class="soft num" { (when(run.began_at)) }
            @match run.conversation {
                Some(id) => a href={ "/c/" (id) } { (state(run.state)) },
                None => span { (state(run.state)) },
            }
            @if let Some(due) = run.due_at.filter(|_| run.missed) { span class="chip warm" { (tf!("was due {when}", when = when(due))) } }
            @if run.state != RunState::Done && !run.told.is_empty() { span class="soft small" { (run.told) } }
        }
    }
}

fn state(state: RunState) -> &'static str {
    match state {
        RunState::Running => t("is being answered"),
        RunState::Waiting => t("waits for your leave"),
        RunState::Done => t("done"),
        RunState::Failed => t("failed"),
        RunState::Skipped => t("left out"),
        RunState::Interrupted => t("interrupted: psi ended"),
    }
}

/// A moment by the clock of a task.
fn moment(at: Timestamp, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    day_and_time(at.to_jiff().to_zoned(zone).datetime())
}

fn day_and_time(at: DateTime) -> String {
    format!("{}, {}, {}", i18n::weekday(at.date()), i18n::date(at.date()), at.strftime("%H:%M"))
}

/// How often and when, as people say it.
fn words(when: &When) -> String {
    let clock = |at: Time| at.strftime("%H:%M").to_string();
    match *when {
        When::Once(at) => tf!("once: {when}", when = day_and_time(at)),
        When::Daily(at) => tf!("every day at {time}", time = clock(at)),
        When::Weekly(day, at) => {
            let named = t(DAYS[day.to_monday_zero_offset() as usize]);
            tf!("every week: {day} at {time}", day = named, time = clock(at))
        }
        When::Every(minutes) => tn!("every minute|every {n} minutes", minutes as usize),
    }
}

/// Names that are looked up in the page's language.
#[cfg(test)]
pub(crate) fn texts() -> impl Iterator<Item = &'static str> {
    REPEATS.iter().map(|(_, name)| *name).chain(DAYS)
}

fn form(now: Timestamp) -> Markup {
    let soon = now.to_jiff().to_zoned(TimeZone::system());
    let (today, clock) =
        (soon.strftime("%Y-%m-%d").to_string(), soon.strftime("%H:%M").to_string());
    html! {
        section aria-labelledby="new-title" {
            h2 id="new-title" { (t("A new task")) }
            form class="panel task" data-send="/api/tasks" {
                div.row role="radiogroup" aria-label=(t("What psi does")) {
                    label.row { input type="radio" name="kind" value="ask" checked; (t("Ask psi, and keep its answer")) }
                    label.row { input type="radio" name="kind" value="remind"; (t("Remind me")) }
                }
                label.field { span { (t("What")) } textarea name="text" rows="3" required maxlength="8000" placeholder=(t("What is in my notes for today?")) {} }
                label.field { span { (t("Name")) " " span.soft { (t("(may be left out)")) } } input type="text" name="name" maxlength="80" autocomplete="off"; }
                div.row {
                    label.field {
                        span { (t("How often")) }
                        select name="repeat" { @for (value, name) in REPEATS { option value=(value) { (t(name)) } } }
                    }
                    label class="field for-once" { span { (t("Day")) } input type="date" name="date" value=(today); }
                    label class="field for-weekly" { span { (t("Weekday")) } select name="day" { @for day in DAYS { option value=(day) { (t(day)) } } } }
                    label class="field for-clock" { span { (t("Time")) } input type="time" name="time" value=(clock); }
                    label class="field for-every" { span { (t("Minutes")) } input type="number" name="minutes" min="1" max="527040" value="60"; }
                    label.field { span { (t("Time zone")) } input type="text" name="zone" value=(system_zone()) autocomplete="off" spellcheck="false"; }
                }
                div class="row end" { button class="btn primary" { (icon("plus")) (t("Make it")) } }
            }
        }
    }
}

impl Ui {
    /// What its owner has not seen of tasks, as every page shows it.
    pub(crate) fn notices(&self) -> Result<Markup, Failure> {
        let notices = self.tasks.notices()?;
        let notify = self.assistant.settings().flag("tasks.notify")?;
        Ok(html! {
            div.notices id="notices" role="status" aria-label=(t("Notices")) data-count=(notices.len()) data-notify[notify] {
                @for notice in notices.iter().take(SHOWN_NOTICES) { (shown(notice)) }
                @if notices.len() > SHOWN_NOTICES {
                    div.row {
                        a href="/tasks" { (tf!("and {n} more", n = notices.len() - SHOWN_NOTICES)) }
                        button class="btn small" type="button" data-post="/api/tasks/seen" { (t("Dismiss all")) }
                    }
                }
            }
        })
    }
}

fn shown(run: &TaskRun) -> Markup {
    // How it stands is part of the name: what waits is told, and told again once it is done.
    let id = format!("notice-{}-{:?}", run.id, run.state).to_lowercase();
    let body = match run.told.as_str() {
        "" => state(run.state).to_owned(),
        told if run.state == RunState::Done => told.to_owned(),
        told => format!("{}: {told}", state(run.state)),
    };
    html! {
        div.told id=(id) data-title=(run.name) data-text=(body) {
            div.grow {
                strong { (run.name) }
                p { (body) @if run.missed { span.soft { " " (t("(psi was not there when it was due)")) } } }
            }
            @if let Some(id) = run.conversation { a class="btn small" href={ "/c/" (id) } { (t("Open")) } }
            button.bare type="button" data-post="/api/tasks/seen" data-body=(json!({ "run": run.id })) aria-label=(tf!("Dismiss the notice of \u{201c}{name}\u{201d}", name = run.name)) { (icon("cross")) }
        }
    }
}

/// A task as the form or a program sends it: `at` as [`When::parse`] reads it, or in its parts.
#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    name: String,
    text: String,
    kind: TaskKind,
    repeat: String,
    at: Option<String>,
    #[serde(default)]
    date: String,
    #[serde(default)]
    day: String,
    #[serde(default)]
    time: String,
    #[serde(default)]
    minutes: Value,
    #[serde(default)]
    zone: String,
}

impl Given {
    fn at(&self) -> String {
        let Self { date, day, time, minutes, .. } = self;
        match (&self.at, self.repeat.as_str()) {
            (Some(at), _) => at.clone(),
            (None, "once") => format!("{date} {time}"),
            (None, "weekly") => format!("{day} {time}"),
            (None, "every") => minutes.to_string(),
            (None, _) => time.clone(),
        }
    }
}

/// `GET /api/tasks`.
pub(crate) async fn json(State(ui): State<Arc<Ui>>) -> Outcome {
    blocking(&ui, move |ui| {
        let notices = ui.tasks.notices()?;
        Ok(Reply::done().with("tasks", ui.tasks.list()?).with("notices", notices))
    })
    .await
}

/// `POST /api/tasks`.
pub(crate) async fn add(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let given: Given = body(&bytes)?;
        let when = When::parse(&given.repeat, &given.at()).map_err(Failure::bad)?;
        let Given { name, text, kind, zone, .. } = given;
        let task = ui.tasks.add(&NewTask { name, kind, text, when, zone })?;
        let next = task.next_at.map_or_else(String::new, |n| moment(n, &task.zone));
        let said = tf!("next: {when}", when = next);
        changed(ui, Reply::done().with("task", task).toast(said).clear())
    })
    .await
}

/// `POST /api/tasks/{id}/run`.
pub(crate) async fn run(State(ui): State<Arc<Ui>>, Path(id): Path<i64>) -> Outcome {
    blocking(&ui, move |ui| {
        let run = ui.runner()?.run_now(id)?;
        changed(ui, Reply::done().with("run", run))
    })
    .await
}

/// Whether a task is left out.
#[derive(Deserialize)]
struct Pause {
    paused: bool,
}

/// `POST /api/tasks/{id}/pause`.
pub(crate) async fn pause(State(ui): State<Arc<Ui>>, Path(id): Path<i64>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let Pause { paused } = body(&bytes)?;
        ui.tasks.pause(id, paused)?;
        changed(ui, Reply::done())
    })
    .await
}

/// `POST /api/tasks/{id}/delete`.
pub(crate) async fn delete(State(ui): State<Arc<Ui>>, Path(id): Path<i64>) -> Outcome {
    blocking(&ui, move |ui| {
        ui.tasks.delete(id)?;
        changed(ui, Reply::done())
    })
    .await
}

/// Which notice.
#[derive(Deserialize)]
struct Seen {
    run: Option<i64>,
}

/// `POST /api/tasks/seen`: one notice, or all of them.
pub(crate) async fn seen(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let Seen { run } = body(&bytes)?;
        ui.tasks.seen(run)?;
        Ok(Reply::done().part(Part::new("notices", ui.notices()?)))
    })
    .await
}

/// The list and the notices as they are now.
fn changed(ui: &Ui, reply: Reply) -> Outcome {
    Ok(reply.part(Part::new("tasks", list(ui)?)).part(Part::new("notices", ui.notices()?)).chats())
}
