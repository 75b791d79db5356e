//! Tasks with a clock that a test moves and a model that follows a script.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use serde_json::json;

use super::*;
use crate::{
    Assistant, Clock, Memory, Role, Tool, Usage,
    agent::{Decision, Reason, Scope},
    assistant::OneModel,
    memory::HashedNgrams,
    model::{ChatSource, FinishReason, Generation, Ongoing, Prompt, SourceEvent, SourceSink},
    tool::{CallContext, Effect, ToolError, ToolOutput},
};

/// Answers; told `use NAME`, it calls that tool first.
struct Model;

struct Done;

impl Ongoing for Done {
    fn cancel(&self) {}
}

impl ChatSource for Model {
    fn name(&self) -> String {
        "model".into()
    }
    fn max_context(&self) -> usize {
        1000
    }
    fn count(&self, prompt: &Prompt) -> Result<usize, String> {
        Ok(prompt.messages.len())
    }
    fn start(
        &self,
        generation: Generation,
        mut sink: SourceSink,
    ) -> Result<Box<dyn Ongoing>, String> {
        let last = generation.prompt.messages.last().unwrap();
        let said = last["content"].as_str().unwrap().to_owned();
        let mut reason = FinishReason::Stop;
        match said.strip_prefix("use ").filter(|_| last["role"] == "user") {
            Some(name) => {
                sink(SourceEvent::Call { index: 0, id: "0".into(), name: name.into() });
                sink(SourceEvent::Arguments { index: 0, fragment: "{}".into() });
                reason = FinishReason::ToolCalls;
            }
            None => sink(SourceEvent::Content(format!("Done: {said}"))),
        }
        sink(SourceEvent::Finished { reason, usage: Usage::default() });
        Ok(Box::new(Done))
    }
}

/// A tool that writes, and that its owner would let write without asking.
struct Write;

impl Tool for Write {
    fn name(&self) -> &str {
        "write"
    }
    fn definition(&self) -> serde_json::Value {
        json!({"type": "function", "function": {"name": "write", "parameters": {}}})
    }
    fn effect(&self, _: &serde_json::Value) -> Effect {
        Effect::Writes
    }
    fn is_granted_by_default(&self) -> bool {
        true
    }
    fn call(&self, _: &serde_json::Value, _: &CallContext) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text("written"))
    }
}

struct House {
    dir: tempfile::TempDir,
    now: Arc<AtomicI64>,
}

/// 2026-11-23 12:00 UTC.
const NOON: i64 = 1_795_435_200_000;
const MINUTE: i64 = 60_000;

impl House {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), now: Arc::new(AtomicI64::new(NOON)) }
    }

    /// psi as it starts.
    fn start(&self) -> (Assistant, Tasks, Runner) {
        let now = Arc::clone(&self.now);
        let clock = Clock::new(Box::new(move || Timestamp(now.load(Ordering::Relaxed))));
        let db = Db::open(&self.dir.path().join("psi.db"), clock).unwrap();
        let memory = Memory::new(&db, Arc::new(HashedNgrams));
        let assistant = Assistant::new(&db, memory, Box::new(OneModel(Arc::new(Model)))).unwrap();
        assistant.set_tools(vec![Arc::new(Write)]);
        let runner = Runner::new(&assistant, Box::new(|_| {})).unwrap();
        (assistant, Tasks::new(&db), runner)
    }

    /// Whether nobody has the database open: what ran may hold it for a moment after it was told to end.
    fn is_left(&self) -> bool {
        let clock = Clock::fixed(Timestamp(NOON));
        Db::open(&self.dir.path().join("psi.db"), clock).unwrap().was_alone()
    }

    fn pass(&self, minutes: i64) {
        self.now.fetch_add(minutes * MINUTE, Ordering::Relaxed);
    }
}

fn new(text: &str, when: &str) -> NewTask {
    let when = When::read(when).unwrap();
    NewTask {
        name: String::new(),
        kind: TaskKind::Ask,
        text: text.into(),
        when,
        zone: "UTC".into(),
    }
}

/// Looks until no run is being answered.
fn settle(runner: &Runner, tasks: &Tasks, task: i64) -> TaskRun {
    loop {
        runner.look().unwrap();
        let latest = tasks.runs(task, 1).unwrap().remove(0);
        if latest.state != RunState::Running {
            return latest;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_task_is_carried_out_when_it_is_due_and_its_answer_is_a_conversation() {
    let house = House::new();
    let (assistant, tasks, runner) = house.start();
    let task = tasks.add(&new("Remember that I like tea. News?", "daily 12:30")).unwrap();
    assert_eq!(task.next_at, Some(Timestamp(NOON + 30 * MINUTE)));
    house.pass(29);
    runner.look().unwrap();
    assert!(tasks.runs(task.id, 9).unwrap().is_empty());
    house.pass(1);
    runner.look().unwrap();
    let run = settle(&runner, &tasks, task.id);
    assert_eq!((run.state, run.missed, run.seen), (RunState::Done, false, false));
    let conversation = assistant.conversations().get(run.conversation.unwrap()).unwrap();
    assert_eq!(conversation.title, task.name);
    let said = assistant.conversations().branch(conversation.id).unwrap();
    assert!(said[0].details.unattended && said[1].content.starts_with("Done: Remember"));
    // A schedule is not the user: it teaches nothing.
    assert!(assistant.memory().list(true, 9, 0).unwrap().is_empty());
    assert_eq!(
        tasks.get(task.id).unwrap().next_at,
        Some(Timestamp(NOON + (30 + 24 * 60) * MINUTE))
    );
    runner.look().unwrap();
    assert_eq!(tasks.runs(task.id, 9).unwrap().len(), 1, "once is once");
    assert_eq!(tasks.notices().unwrap().len(), 1);
    tasks.seen_in(conversation.id).unwrap();
    assert!(tasks.notices().unwrap().is_empty());
}

#[test]
fn what_was_missed_is_done_once_and_marked() {
    let house = House::new();
    let (assistant, tasks, runner) = house.start();
    let often = tasks.add(&new("often", "every 10")).unwrap();
    let once = tasks.add(&new("once", "once 2026-11-23 13:00")).unwrap();
    drop((assistant, runner));
    drop(tasks);
    house.pass(3 * 24 * 60 + 5);
    let (_assistant, tasks, runner) = house.start();
    runner.look().unwrap();
    for task in [&often, &once] {
        settle(&runner, &tasks, task.id);
        let runs = tasks.runs(task.id, 9).unwrap();
        assert!(runs.len() == 1 && runs[0].missed, "{runs:?}");
        assert_eq!(runs[0].due_at, task.next_at);
    }
    assert_eq!(tasks.get(once.id).unwrap().next_at, None);
    let next = tasks.get(often.id).unwrap().next_at.unwrap();
    assert!(
        next.0 > house.now.load(Ordering::Relaxed)
            && next.0 % (10 * MINUTE) == NOON % (10 * MINUTE)
    );
}

/// T40: a run that nobody watches has fewer rights than its owner.
#[test]
fn t40_a_tool_waits_in_a_scheduled_run_whatever_was_allowed() {
    let house = House::new();
    let (assistant, tasks, runner) = house.start();
    assistant.grants().give("write", Scope::Always, crate::ConversationId(0)).unwrap();
    let task = tasks.add(&new("use write", "every 1")).unwrap();
    house.pass(1);
    runner.look().unwrap();
    let run = settle(&runner, &tasks, task.id);
    assert_eq!(run.state, RunState::Waiting);
    let answer = assistant.run(run.conversation.unwrap()).unwrap();
    let asked = answer.pending();
    assert_eq!(asked[0].reason, Reason::Unattended);
    // The next time it is due, it does not pile up.
    house.pass(1);
    runner.look().unwrap();
    assert_eq!(tasks.runs(task.id, 1).unwrap()[0].state, RunState::Skipped);
    assert!(runner.run_now(task.id).is_err());
    answer
        .decide(&asked[0].call.id, Decision::Approve { scope: Scope::Once, arguments: None })
        .unwrap();
    answer.wait();
    runner.look().unwrap();
    assert_eq!(tasks.runs(task.id, 2).unwrap()[1].state, RunState::Done);
    // Asked again by its owner, the same question has the owner's rights.
    let branch = assistant.conversations().branch(run.conversation.unwrap()).unwrap();
    let again = assistant.retry(branch[0].id, None).unwrap();
    again.wait();
    let branch = assistant.conversations().branch(run.conversation.unwrap()).unwrap();
    let tool = branch.iter().find(|m| m.role == Role::Tool).unwrap();
    assert_eq!(tool.details.run.as_ref().unwrap().approval, "always");
}

#[test]
fn reminders_are_shown_tasks_are_paused_run_by_hand_and_deleted() {
    let house = House::new();
    let (_assistant, tasks, runner) = house.start();
    let tea =
        NewTask { kind: TaskKind::Remind, ..new("The tea is ready", "once 2026-11-23 12:03") };
    let tea = tasks.add(&tea).unwrap();
    house.pass(3);
    runner.look().unwrap();
    let notice = tasks.notices().unwrap().remove(0);
    assert_eq!((notice.told.as_str(), notice.conversation), ("The tea is ready", None));
    tasks.seen(Some(notice.id)).unwrap();
    assert!(tasks.notices().unwrap().is_empty());

    let daily = tasks.add(&new("daily", "daily 12:10")).unwrap();
    tasks.pause(daily.id, true).unwrap();
    house.pass(60);
    runner.look().unwrap();
    assert!(tasks.runs(daily.id, 9).unwrap().is_empty());
    tasks.pause(daily.id, false).unwrap();
    runner.look().unwrap();
    assert!(tasks.runs(daily.id, 9).unwrap().is_empty(), "what was paused is not made up for");
    assert_eq!(runner.run_now(daily.id).unwrap().due_at, None);
    settle(&runner, &tasks, daily.id);
    tasks.delete(daily.id).unwrap();
    tasks.delete(tea.id).unwrap();
    assert!(tasks.list().unwrap().is_empty() && tasks.notices().unwrap().is_empty());
}

#[test]
fn a_run_that_psi_did_not_live_to_end_is_marked() {
    let house = House::new();
    let (assistant, tasks, runner) = house.start();
    let task = tasks.add(&new("use write", "every 5")).unwrap();
    runner.run_now(task.id).unwrap();
    assert_eq!(settle(&runner, &tasks, task.id).state, RunState::Waiting);
    assistant.shut_down();
    drop((assistant, runner, tasks));
    while !house.is_left() {
        std::thread::yield_now();
    }
    let (_assistant, tasks, _runner) = house.start();
    assert_eq!(tasks.runs(task.id, 1).unwrap()[0].state, RunState::Interrupted);
}

#[test]
fn what_is_never_due_or_says_nothing_is_refused() {
    let house = House::new();
    let (_assistant, tasks, _runner) = house.start();
    assert!(
        tasks.add(&new("x", "once 2026-11-23 11:59")).unwrap_err().to_string().contains("is over")
    );
    assert!(tasks.add(&new("  ", "daily 12:00")).is_err());
    let nowhere = NewTask { zone: "Mars/Olympus".into(), ..new("x", "daily 12:00") };
    assert!(tasks.add(&nowhere).unwrap_err().to_string().contains("Mars/Olympus"));
}

#[test]
fn the_tools_write_with_approval_and_say_what_was_made() {
    let house = House::new();
    let (_assistant, tasks, _runner) = house.start();
    let context = CallContext {
        cancel: crate::Cancel::default(),
        deadline: None,
        folders: Vec::new(),
        conversation: ConversationId(1),
        source: None,
        now: Timestamp(NOON),
    };
    let tools = task_tools(&tasks);
    let call = |at: usize, arguments| tools[at].call(&arguments, &context).map(|o| o.text);
    assert!(tools.iter().map(|t| t.effect(&json!({}))).eq([
        Effect::Writes,
        Effect::Writes,
        Effect::None
    ]));
    assert!(tools.iter().all(|t| !t.is_granted_by_default()));
    assert_eq!(call(2, json!({})).unwrap(), "nothing found");
    let made = call(0, json!({"text": "tea", "at": "3 minutes"})).unwrap();
    assert!(made.starts_with("scheduled: once, Monday 23 November 2026 at "), "{made}");
    let made =
        call(1, json!({"task": "sum up the news", "repeat": "weekly", "at": "monday 07:00"}));
    assert_eq!(made.unwrap(), "scheduled: every Monday at 07:00: sum up the news");
    assert!(call(1, json!({"task": "x", "repeat": "hourly", "at": "1"})).is_err());
    assert!(call(0, json!({"text": "x", "at": "tomorrow"})).is_err());
    assert_eq!(call(2, json!({})).unwrap().lines().count(), 2);
}
