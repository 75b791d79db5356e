//! The tools by which psi is asked to do something later. Each call waits for its owner.

use std::sync::Arc;

use psi_tools::arguments::{self, Argument, Arguments, Kind::Text, required};
use serde_json::Value;

use super::{NewTask, Task, TaskKind, Tasks, When};
use crate::{CallContext, Effect, Tool, ToolError, ToolOutput, tools::NOTHING_FOUND};

/// `set_reminder`, `schedule_task` and `list_tasks`.
pub fn task_tools(tasks: &Tasks) -> Vec<Arc<dyn Tool>> {
    let tool = |which| Arc::new(TaskTool { which, tasks: tasks.clone() }) as Arc<dyn Tool>;
    [Which::Remind, Which::Schedule, Which::List].map(tool).to_vec()
}

#[derive(Clone, Copy)]
enum Which {
    Remind,
    Schedule,
    List,
}

struct TaskTool {
    which: Which,
    tasks: Tasks,
}

impl TaskTool {
    fn describe(&self) -> (&'static str, &'static str, &'static [Argument]) {
        match self.which {
            Which::Remind => (
                "set_reminder",
                "Show the user a text at a time: `at` is YYYY-MM-DD HH:MM, or a number of minutes from now.",
                const { &[required("text", Text), required("at", Text)] },
            ),
            Which::Schedule => (
                "schedule_task",
                "Do something later without the user: `repeat` is once, daily, weekly or every; `at` is YYYY-MM-DD HH:MM, HH:MM, Monday HH:MM or minutes.",
                const { &[required("task", Text), required("repeat", Text), required("at", Text)] },
            ),
            Which::List => ("list_tasks", "The user's scheduled tasks and reminders.", &[]),
        }
    }

    fn add(&self, kind: TaskKind, text: &str, when: When) -> Result<ToolOutput, ToolError> {
        let new =
            NewTask { name: String::new(), kind, text: text.to_owned(), when, zone: String::new() };
        let made = self.tasks.add(&new).map_err(|e| ToolError::Failed(e.to_string()))?;
        Ok(ToolOutput::text(format!("scheduled: {}", line(&made))))
    }

    /// So many minutes from now, or a date and a time.
    fn moment(at: &str, context: &CallContext) -> Result<When, ToolError> {
        let minutes = at.trim().trim_end_matches("minutes").trim_end_matches("minute").trim();
        let Ok(minutes) = minutes.parse::<i64>() else {
            return When::parse("once", at).map_err(ToolError::BadArguments);
        };
        let zone = jiff::tz::TimeZone::system();
        let then = context.now.to_jiff().checked_add(jiff::SignedDuration::from_mins(minutes));
        let then = then.map_err(|_| ToolError::BadArguments(format!("{at} is too far away")))?;
        Ok(When::Once(then.to_zoned(zone).datetime()))
    }
}

impl Tool for TaskTool {
    fn name(&self) -> &str {
        self.describe().0
    }

    fn definition(&self) -> Value {
        let (name, description, arguments) = self.describe();
        arguments::definition(name, description, arguments)
    }

    fn effect(&self, _: &Value) -> Effect {
        match self.which {
            Which::List => Effect::None,
            Which::Remind | Which::Schedule => Effect::Writes,
        }
    }

    fn call(&self, value: &Value, context: &CallContext) -> Result<ToolOutput, ToolError> {
        context.check()?;
        let (name, _, wanted) = self.describe();
        let given = Arguments::check(name, wanted, value).map_err(ToolError::BadArguments)?;
        match self.which {
            Which::Remind => {
                let when = Self::moment(given.text("at"), context)?;
                self.add(TaskKind::Remind, given.text("text"), when)
            }
            Which::Schedule => {
                let when = When::parse(given.text("repeat"), given.text("at"));
                self.add(TaskKind::Ask, given.text("task"), when.map_err(ToolError::BadArguments)?)
            }
            Which::List => {
                let all = self.tasks.list().map_err(|e| ToolError::Failed(e.to_string()))?;
                let lines: Vec<String> = all.iter().map(line).collect();
                let text =
                    if lines.is_empty() { NOTHING_FOUND.to_owned() } else { lines.join("\n") };
                Ok(ToolOutput::text(text))
            }
        }
    }
}

fn line(task: &Task) -> String {
    let state = match (task.paused, task.next_at) {
        (true, _) => " (paused)",
        (false, None) => " (over)",
        (false, Some(_)) => "",
    };
    format!("{}: {}{state}", task.when.words(), task.name)
}
