//! What carries out tasks while psi runs.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{RunState, Task, TaskKind, TaskRun, Tasks};
use crate::{
    agent::{AgentEvent, Ending},
    assistant::{Ask, Assistant, Run},
    conversation::NewConversation,
    error::{AgentError, Result},
    schedule,
    time::Timestamp,
};

/// How often the clock is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Milliseconds after which a run counts as missed.
const MISSED: i64 = 120_000;

/// Is told of every answer that a task begins.
pub type OnRun = Box<dyn Fn(&Run) + Send + Sync>;

/// Carries out tasks until it is dropped.
pub struct Runner(Arc<Inner>);

struct Inner {
    assistant: Assistant,
    tasks: Tasks,
    on_run: OnRun,
    /// Answers that tasks began and that are not over, by the number of the run.
    going: Mutex<HashMap<i64, Going>>,
    /// Held while a task is begun: its schedule and its owner may want it at once.
    beginning: Mutex<()>,
}

struct Going {
    task: i64,
    run: Run,
    state: RunState,
}

impl Runner {
    /// Begins to look at the clock, and does what was missed.
    ///
    /// # Errors
    /// When the database cannot be written or the system has no thread to give.
    pub fn start(assistant: &Assistant, on_run: OnRun) -> Result<Self> {
        let runner = Self::new(assistant, on_run)?;
        let inner = Arc::downgrade(&runner.0);
        let look = move || {
            let Some(inner) = inner.upgrade() else { return false };
            // The database may be busy for a while; the next look tries again.
            let _ = inner.look();
            true
        };
        schedule::repeat("psi-tasks", LOOK, Box::new(look)).map_err(|source| AgentError::Io {
            path: assistant.db().path().to_owned(),
            doing: "starting a thread",
            source,
        })?;
        Ok(runner)
    }

    /// One that looks when it is told to.
    pub(super) fn new(assistant: &Assistant, on_run: OnRun) -> Result<Self> {
        let tasks = Tasks::new(assistant.db());
        if assistant.db().was_alone() {
            tasks.interrupt()?;
        }
        let assistant = assistant.clone();
        Ok(Self(Arc::new(Inner {
            assistant,
            tasks,
            on_run,
            going: Mutex::default(),
            beginning: Mutex::default(),
        })))
    }

    /// Carries out a task now, whatever its schedule says.
    ///
    /// # Errors
    /// When there is no such task, or it is being carried out.
    pub fn run_now(&self, task: i64) -> Result<TaskRun> {
        let task = self.0.tasks.get(task)?;
        if self.0.is_going(task.id) {
            return Err(AgentError::invalid("task", "it is being carried out already"));
        }
        self.0.carry_out(&task, None, self.0.tasks.now())?;
        let latest = self.0.tasks.runs(task.id, 1)?.pop();
        latest.ok_or(AgentError::NotFound { what: "task", id: task.id })
    }

    /// Looks at the clock once.
    #[cfg(test)]
    pub(super) fn look(&self) -> Result<()> {
        self.0.look()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Going>> {
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_going(&self, task: i64) -> bool {
        self.lock().values().any(|going| going.task == task)
    }

    /// Takes note of how runs stand, and carries out what is due.
    fn look(&self) -> Result<()> {
        self.follow()?;
        let now = self.tasks.now();
        for task in self.tasks.due(now)? {
            if self.tasks.claim(&task, now)? {
                self.carry_out(&task, task.next_at, now)?;
            }
        }
        Ok(())
    }

    fn carry_out(&self, task: &Task, due_at: Option<Timestamp>, now: Timestamp) -> Result<()> {
        let mut run = TaskRun {
            id: 0,
            task: task.id,
            name: task.name.clone(),
            conversation: None,
            due_at,
            began_at: now,
            missed: due_at.is_some_and(|due| now.0 - due.0 > MISSED),
            state: RunState::Done,
            told: String::new(),
            seen: false,
        };
        let _begins = self.beginning.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_going(task.id) {
            run.state = RunState::Skipped;
            run.told = "the run before it was not over".to_owned();
        } else if task.kind == TaskKind::Remind {
            run.told.clone_from(&task.text);
        } else {
            return self.ask(task, run);
        }
        self.tasks.begin(&run).map(drop)
    }

    /// Says a task's text in a conversation of its own, which psi begins to answer.
    fn ask(&self, task: &Task, mut run: TaskRun) -> Result<()> {
        let new = NewConversation { title: Some(task.name.clone()), ..NewConversation::default() };
        let conversation = self.assistant.conversations().create(&new)?.id;
        run.conversation = Some(conversation);
        run.state = RunState::Running;
        let id = self.tasks.begin(&run)?;
        let ask = Ask { text: task.text.clone(), unattended: true, ..Ask::default() };
        match self.assistant.send(conversation, ask) {
            Ok(run) => {
                (self.on_run)(&run);
                let going = Going { task: task.id, run, state: RunState::Running };
                self.lock().insert(id, going);
                Ok(())
            }
            Err(error) => self.tasks.stand(id, RunState::Failed, &error.to_string()),
        }
    }

    /// Keeps how the runs stand that are not over.
    fn follow(&self) -> Result<()> {
        let mut changed = Vec::new();
        for (id, going) in &mut *self.lock() {
            let (state, told) = standing(&going.run);
            if state != going.state {
                going.state = state;
                changed.push((*id, state, told));
            }
        }
        for (id, state, told) in changed {
            if self.tasks.has_run(id)? {
                self.tasks.stand(id, state, &told)?;
            }
        }
        self.lock().retain(|_, g| matches!(g.state, RunState::Running | RunState::Waiting));
        Ok(())
    }
}

/// How an answer stands, and why if it failed.
fn standing(run: &Run) -> (RunState, String) {
    if !run.is_over() {
        let waits = !run.pending().is_empty();
        return (if waits { RunState::Waiting } else { RunState::Running }, String::new());
    }
    match run.events().last() {
        Some(AgentEvent::Failed { error, .. }) => (RunState::Failed, error.clone()),
        Some(AgentEvent::Finished { ending: Ending::Cancelled }) => {
            (RunState::Failed, "it was stopped".to_owned())
        }
        _ => (RunState::Done, String::new()),
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").field("going", &self.0.lock().len()).finish_non_exhaustive()
    }
}
