//! What psi does at a time: questions it puts to itself, reminders, and what came of them.
//!
//! The owner makes a task, on the page or by approving a tool's call. [`Runner`] carries out what is due while psi
//! runs; what fell due while it did not is done once when it next starts, and marked. A run has fewer rights than the
//! owner at the keyboard: standing permissions do not count in it.

mod runner;
mod store;
mod tool;
mod when;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub use self::{
    runner::{OnRun, Runner},
    tool::task_tools,
    when::When,
};
use crate::{conversation::ConversationId, db::Db, time::Timestamp};

/// What a task does when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Its text is said in a new conversation, and psi answers.
    Ask,
    /// Its text is shown.
    Remind,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It is being answered.
    Running,
    /// A call in it waits for its owner.
    Waiting,
    /// It is done.
    Done,
    /// It could not be done.
    Failed,
    /// It was left out: the run before it was not over.
    Skipped,
    /// psi ended before it was over.
    Interrupted,
}

/// What psi is to do at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Task {
    /// Its number.
    pub id: i64,
    /// What it is called.
    pub name: String,
    /// What it does.
    pub kind: TaskKind,
    /// What is said or shown.
    pub text: String,
    /// When.
    pub when: When,
    /// The time zone of that, by its IANA name.
    pub zone: String,
    /// Whether it is left out until its owner says otherwise.
    pub paused: bool,
    /// When it is next due; none: never again.
    pub next_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One time that a task was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskRun {
    /// Its number.
    pub id: i64,
    /// Its task.
    pub task: i64,
    /// The task's name.
    pub name: String,
    /// The conversation it wrote; none for a reminder, and once that was deleted.
    pub conversation: Option<ConversationId>,
    /// When it was due; none: its owner ran it by hand.
    pub due_at: Option<Timestamp>,
    /// When it began.
    pub began_at: Timestamp,
    /// Whether psi was not there when it was due.
    pub missed: bool,
    /// How it stands.
    pub state: RunState,
    /// A reminder's text, or why it was not done.
    pub told: String,
    /// Whether its owner has seen how it stands.
    pub seen: bool,
}

/// What makes a task.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// What it is called; empty: the beginning of its text.
    pub name: String,
    /// What it does.
    pub kind: TaskKind,
    /// What is said or shown.
    pub text: String,
    /// When.
    pub when: When,
    /// The time zone of that, by its IANA name; empty: this machine's.
    pub zone: String,
}

/// The tasks of a database.
#[derive(Clone, Debug)]
pub struct Tasks {
    db: Db,
}

impl Task {
    /// The time zone that its times are of.
    pub fn time_zone(&self) -> TimeZone {
        TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC)
    }
}

/// The IANA name of this machine's time zone.
pub fn system_zone() -> String {
    TimeZone::system().iana_name().unwrap_or("UTC").to_owned()
}

#[cfg(test)]
mod tests;
