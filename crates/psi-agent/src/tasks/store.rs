//! Tasks and their runs in the database.

use jiff::tz::TimeZone;
use rusqlite::{OptionalExtension, Row};

use super::{NewTask, RunState, Task, TaskRun, Tasks, When, system_zone};
use crate::{
    conversation::{ConversationId, enum_from, enum_name, found},
    db::Db,
    error::{AgentError, Result},
    time::Timestamp,
};

/// Most tasks.
const MAX_TASKS: i64 = 200;
/// Most characters of a name, and most bytes of a text.
const MAX_NAME: usize = 80;
const MAX_TEXT: usize = 8 << 10;
/// Runs of a task that are kept.
const KEPT_RUNS: i64 = 50;

const TASK: &str =
    "SELECT id, name, kind, content, schedule, zone, paused, next_at, created_at FROM task";
const RUN: &str = "SELECT r.id, r.task, t.name, r.conversation, r.due_at, r.began_at, r.missed,
    r.state, r.told, r.seen FROM task_run r JOIN task t ON t.id = r.task";

impl Tasks {
    /// Those of `db`.
    pub fn new(db: &Db) -> Self {
        Self { db: db.clone() }
    }

    /// Makes a task.
    ///
    /// # Errors
    /// When it says nothing, is never due, or its zone is unknown.
    pub fn add(&self, new: &NewTask) -> Result<Task> {
        let text = new.text.trim();
        if text.is_empty() || text.len() > MAX_TEXT {
            return Err(AgentError::invalid("text", format!("it has 1 to {MAX_TEXT} bytes")));
        }
        let name = Some(new.name.trim()).filter(|n| !n.is_empty());
        let name = name.unwrap_or_else(|| text.lines().next().unwrap_or(text));
        let name: String = name.chars().take(MAX_NAME).collect();
        let zone = match new.zone.trim() {
            "" => system_zone(),
            zone => zone.to_owned(),
        };
        let clock = TimeZone::get(&zone)
            .map_err(|_| AgentError::invalid("zone", format!("there is no time zone {zone}")))?;
        let now = self.db.now();
        let next = new
            .when
            .next(now, now, &clock)
            .ok_or_else(|| AgentError::invalid("when", format!("{} is over", new.when.words())))?;
        let id = self.db.write(|t| {
            let n: i64 = t.query_row("SELECT count(*) FROM task", [], |row| row.get(0))?;
            if n >= MAX_TASKS {
                let why = format!("there are {MAX_TASKS} already; delete some first");
                return Err(AgentError::invalid("task", why));
            }
            let sql = "INSERT INTO task (name, kind, content, schedule, zone, next_at, created_at)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let when = new.when.to_string();
            t.execute(sql, (&name, enum_name(new.kind), text, when, &zone, next.0, now.0))?;
            Ok(t.last_insert_rowid())
        })?;
        self.get(id)
    }

    /// All of them: the one that is due next first, those that are over last.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list(&self) -> Result<Vec<Task>> {
        self.tasks("ORDER BY next_at IS NULL, paused, next_at, id", [])
    }

    /// One of them.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn get(&self, id: i64) -> Result<Task> {
        self.tasks("WHERE id = ?1", [id])?.pop().ok_or(AgentError::NotFound { what: "task", id })
    }

    /// Leaves one out until further notice, or takes it in again from now on.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn pause(&self, id: i64, paused: bool) -> Result<()> {
        let task = self.get(id)?;
        let next = task.when.next(self.db.now(), task.created_at, &task.time_zone());
        self.db.write(|t| {
            let sql = "UPDATE task SET paused = ?2, next_at = ?3 WHERE id = ?1";
            found(t.execute(sql, (id, paused, next.map(|n| n.0)))?, "task", id)
        })
    }

    /// Deletes one with what is kept of its runs; the conversations they wrote stay.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn delete(&self, id: i64) -> Result<()> {
        self.db.write(|t| found(t.execute("DELETE FROM task WHERE id = ?1", [id])?, "task", id))
    }

    /// What is due.
    pub(super) fn due(&self, now: Timestamp) -> Result<Vec<Task>> {
        self.tasks("WHERE paused = 0 AND next_at <= ?1 ORDER BY next_at", [now.0])
    }

    /// Takes what is due for oneself, and says when it is due again. `false`: another psi has taken it.
    pub(super) fn claim(&self, task: &Task, now: Timestamp) -> Result<bool> {
        let next = task.when.next(now, task.created_at, &task.time_zone());
        let sql = "UPDATE task SET next_at = ?3 WHERE id = ?1 AND next_at = ?2 AND paused = 0";
        let row = (task.id, task.next_at.map(|n| n.0), next.map(|n| n.0));
        self.db.write(|t| Ok(t.execute(sql, row)? == 1))
    }

    /// Keeps that a task was carried out, and forgets the oldest times.
    pub(super) fn begin(&self, run: &TaskRun) -> Result<i64> {
        self.db.write(|t| {
            let sql =
                "INSERT INTO task_run (task, conversation, due_at, began_at, missed, state, told)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let conversation = run.conversation.map(|c| c.0);
            let due = run.due_at.map(|d| d.0);
            let state = enum_name(run.state);
            t.execute(
                sql,
                (run.task, conversation, due, run.began_at.0, run.missed, state, &run.told),
            )?;
            let id = t.last_insert_rowid();
            let old = "DELETE FROM task_run WHERE task = ?1 AND id <=
                (SELECT id FROM task_run WHERE task = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
            t.execute(old, (run.task, KEPT_RUNS))?;
            Ok(id)
        })
    }

    /// Says how a run stands: its owner has not seen that yet.
    pub(super) fn stand(&self, run: i64, state: RunState, told: &str) -> Result<()> {
        let sql = "UPDATE task_run SET state = ?2, told = ?3, seen = 0 WHERE id = ?1";
        self.db.write(|t| Ok(t.execute(sql, (run, enum_name(state), told)).map(drop)?))
    }

    /// Marks the runs of a psi that ended before they were over.
    pub(super) fn interrupt(&self) -> Result<()> {
        let sql = "UPDATE task_run SET state = 'interrupted', seen = 0
                   WHERE state IN ('running', 'waiting')";
        self.db.write(|t| Ok(t.execute(sql, []).map(drop)?))
    }

    /// The latest runs of a task.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn runs(&self, task: i64, limit: usize) -> Result<Vec<TaskRun>> {
        self.read_runs("WHERE r.task = ?1 ORDER BY r.id DESC LIMIT ?2", (task, limit as i64))
    }

    /// What its owner has not seen: what waits, what is done, what went wrong. The latest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn notices(&self) -> Result<Vec<TaskRun>> {
        self.read_runs("WHERE r.seen = 0 AND r.state <> 'running' ORDER BY r.id DESC LIMIT 100", [])
    }

    /// Its owner has seen a notice; without one, all of them.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn seen(&self, run: Option<i64>) -> Result<()> {
        let sql = "UPDATE task_run SET seen = 1 WHERE seen = 0 AND state <> 'running'
                   AND (?1 IS NULL OR id = ?1)";
        self.db.write(|t| Ok(t.execute(sql, [run]).map(drop)?))
    }

    /// Its owner has opened the conversation of a run.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn seen_in(&self, conversation: ConversationId) -> Result<()> {
        let of = "WHERE r.conversation = ?1 AND r.seen = 0 AND r.state <> 'running'";
        for run in self.read_runs(of, [conversation.0])? {
            self.seen(Some(run.id))?;
        }
        Ok(())
    }

    fn tasks(&self, rest: &str, values: impl rusqlite::Params) -> Result<Vec<Task>> {
        self.db.read(|c| {
            let mut statement = c.prepare_cached(&format!("{TASK} {rest}"))?;
            let rows = statement.query_map(values, |row| Ok(read_task(row)))?;
            rows.map(|row| row?).collect()
        })
    }

    fn read_runs(&self, rest: &str, values: impl rusqlite::Params) -> Result<Vec<TaskRun>> {
        self.db.read(|c| {
            let mut statement = c.prepare_cached(&format!("{RUN} {rest}"))?;
            let rows = statement.query_map(values, |row| Ok(read_run(row)))?;
            rows.map(|row| row?).collect()
        })
    }

    /// Whether a run is still the task's own: the task was not deleted meanwhile.
    pub(super) fn has_run(&self, run: i64) -> Result<bool> {
        let sql = "SELECT 1 FROM task_run WHERE id = ?1";
        self.db.read(|c| Ok(c.query_row(sql, [run], |_| Ok(())).optional()?.is_some()))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.db.now()
    }
}

fn read_task(row: &Row<'_>) -> Result<Task> {
    let when: String = row.get(4)?;
    Ok(Task {
        id: row.get(0)?,
        name: row.get(1)?,
        kind: enum_from("task.kind", &row.get::<_, String>(2)?)?,
        text: row.get(3)?,
        when: When::read(&when).map_err(|why| AgentError::corrupt("task.schedule", why))?,
        zone: row.get(5)?,
        paused: row.get(6)?,
        next_at: row.get::<_, Option<i64>>(7)?.map(Timestamp),
        created_at: Timestamp(row.get(8)?),
    })
}

fn read_run(row: &Row<'_>) -> Result<TaskRun> {
    Ok(TaskRun {
        id: row.get(0)?,
        task: row.get(1)?,
        name: row.get(2)?,
        conversation: row.get::<_, Option<i64>>(3)?.map(ConversationId),
        due_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
        began_at: Timestamp(row.get(5)?),
        missed: row.get(6)?,
        state: enum_from("task_run.state", &row.get::<_, String>(7)?)?,
        told: row.get(8)?,
        seen: row.get(9)?,
    })
}
