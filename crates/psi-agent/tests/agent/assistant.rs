//! The assistant at work with a model that follows a script: what is kept, shown, and survives.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use psi_agent::{
    Assistant, CallContext, Conversations, Db, Effect, Memory, MessageState, NewConversation,
    NewProject, Projects, Role, Settings, Tool, ToolError, ToolOutput, Usage,
    agent::{AgentEvent, Decision, Ending, Scope},
    assistant::{Ask, OneModel, Run},
    memory::{HashedNgrams, Origin},
    model::{ChatSource, FinishReason, Generation, Ongoing, Prompt, SourceEvent, SourceSink},
};
use serde_json::{Value, json};

use crate::database;

/// What the model does with a prompt.
#[derive(Clone)]
enum Turn {
    Says(&'static str),
    Calls(&'static str, Value),
    /// Says something and goes on until it is cancelled.
    Hangs(&'static str),
    Fails(&'static str),
}

struct Script {
    turns: Mutex<VecDeque<Turn>>,
    prompts: Mutex<Vec<Prompt>>,
    max_context: usize,
}

struct Cancelling(std::sync::mpsc::Sender<()>);

impl Ongoing for Cancelling {
    fn cancel(&self) {
        let _ = self.0.send(());
    }
}

impl ChatSource for Script {
    fn name(&self) -> String {
        "script".into()
    }
    fn max_context(&self) -> usize {
        self.max_context
    }
    /// A word is a token.
    fn count(&self, prompt: &Prompt) -> Result<usize, String> {
        let text: Vec<&str> =
            prompt.messages.iter().filter_map(|m| m["content"].as_str()).collect();
        Ok(text.join(" ").split_whitespace().count())
    }
    fn start(
        &self,
        generation: Generation,
        mut sink: SourceSink,
    ) -> Result<Box<dyn Ongoing>, String> {
        let n_prompt = self.count(&generation.prompt)?;
        self.prompts.lock().expect("prompts").push(generation.prompt);
        let turn = self.turns.lock().expect("turns").pop_front().ok_or("the script is over")?;
        let (sender, cancelled) = std::sync::mpsc::channel();
        let finish = move |reason| SourceEvent::Finished {
            reason,
            usage: Usage { n_prompt, n_cached: 0, n_generated: 3 },
        };
        let work = move || {
            sink(SourceEvent::Started { n_prompt, n_cached: 0 });
            match turn {
                Turn::Says(text) => {
                    sink(SourceEvent::Reasoning("hm".into()));
                    text.split_inclusive(' ').for_each(|p| sink(SourceEvent::Content(p.into())));
                    sink(finish(FinishReason::Stop));
                }
                Turn::Calls(name, arguments) => {
                    sink(SourceEvent::Call { index: 0, id: "0".into(), name: name.into() });
                    let fragment = arguments.to_string();
                    sink(SourceEvent::Arguments { index: 0, fragment });
                    sink(finish(FinishReason::ToolCalls));
                }
                Turn::Hangs(text) => {
                    sink(SourceEvent::Content(text.into()));
                    let _ = cancelled.recv();
                    sink(finish(FinishReason::Cancelled));
                }
                Turn::Fails(why) => sink(SourceEvent::Failed(why.into())),
            }
        };
        std::thread::Builder::new().spawn(work).map_err(|e| e.to_string())?;
        Ok(Box::new(Cancelling(sender)))
    }
}

/// Returns its arguments; `slow` takes its time, `crash` does not return.
struct Echo(&'static str, Effect);

impl Tool for Echo {
    fn name(&self) -> &str {
        self.0
    }
    fn definition(&self) -> Value {
        json!({"type": "function", "function": {"name": self.0, "parameters": {}}})
    }
    fn effect(&self, _: &Value) -> Effect {
        self.1
    }
    fn call(&self, arguments: &Value, context: &CallContext) -> Result<ToolOutput, ToolError> {
        match self.0 {
            "crash" => panic!("as the test wants"),
            "slow" => {
                while context.check().is_ok() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(ToolError::Cancelled)
            }
            "page" => Ok(ToolOutput::untrusted(arguments.to_string())),
            _ => Ok(ToolOutput::text(arguments.to_string())),
        }
    }
}

struct Scene {
    _dir: tempfile::TempDir,
    db: Db,
    assistant: Assistant,
    model: Arc<Script>,
    all: Conversations,
}

fn scene(turns: &[Turn]) -> Scene {
    with_context(turns, 4000)
}

fn with_context(turns: &[Turn], max_context: usize) -> Scene {
    let (dir, db) = database();
    let turns = Mutex::new(turns.iter().cloned().collect());
    let model = Arc::new(Script { turns, prompts: Mutex::default(), max_context });
    let memory = Memory::new(&db, Arc::new(HashedNgrams));
    let models = Box::new(OneModel(Arc::clone(&model) as Arc<dyn ChatSource>));
    let assistant = Assistant::new(&db, memory, models).expect("an assistant");
    assistant.set_tools(vec![
        Arc::new(Echo("echo", Effect::None)),
        Arc::new(Echo("write", Effect::Writes)),
        Arc::new(Echo("page", Effect::None)),
        Arc::new(Echo("slow", Effect::None)),
        Arc::new(Echo("crash", Effect::None)),
    ]);
    let all = Conversations::new(&db);
    Scene { _dir: dir, db, assistant, model, all }
}

impl Scene {
    fn conversation(&self) -> psi_agent::ConversationId {
        self.all.create(&NewConversation::default()).expect("a conversation").id
    }

    fn ask(&self, id: psi_agent::ConversationId, text: &str) -> Run {
        let ask = Ask { text: text.into(), ..Ask::default() };
        self.assistant.send(id, ask).expect("a run")
    }

    /// The branch shown, as `role: content`.
    fn branch(&self, id: psi_agent::ConversationId) -> Vec<String> {
        let branch = self.all.branch(id).expect("a branch");
        branch.iter().map(|m| format!("{:?}: {}", m.role, m.content)).collect()
    }

    fn prompt(&self, i: usize) -> Prompt {
        self.model.prompts.lock().expect("prompts")[i].clone()
    }
}

fn ending(run: &Run) -> AgentEvent {
    run.wait();
    run.events().pop().expect("a run has events")
}

fn answered() -> AgentEvent {
    AgentEvent::Finished { ending: Ending::Answered }
}

/// Waits until an event fits.
fn until(run: &Run, fits: fn(&AgentEvent) -> bool) {
    let (sender, seen) = std::sync::mpsc::channel();
    let sink = Box::new(move |_, event: &AgentEvent| {
        if fits(event) {
            let _ = sender.send(());
        }
        true
    });
    run.subscribe(0, sink);
    seen.recv().expect("the run does it before it ends");
}

#[test]
fn an_answer_is_streamed_kept_and_seen_by_who_comes_late() {
    let scene = scene(&[Turn::Says("It is four.")]);
    let id = scene.conversation();
    let run = scene.ask(id, "2 + 2?");
    assert_eq!(ending(&run), answered());
    assert_eq!(scene.branch(id), ["User: 2 + 2?", "Assistant: It is four."]);
    let answer = scene.all.branch(id).unwrap().pop().unwrap();
    assert_eq!((answer.state, answer.reasoning.as_str()), (MessageState::Complete, "hm"));
    assert_eq!(answer.details.model.as_deref(), Some("script"));
    assert_eq!(answer.details.usage.unwrap().n_generated, 3);

    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    run.subscribe(
        3,
        Box::new(move |n, _| {
            kept.lock().unwrap().push(n);
            true
        }),
    );
    let all = run.events();
    let want: Vec<u64> = (4..=all.len() as u64).collect();
    assert_eq!(*seen.lock().unwrap(), want, "from where it left off, none twice");
    let text: String = all
        .iter()
        .filter_map(|e| match e {
            AgentEvent::Content { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(text, "It is four.");
}

#[test]
fn a_project_speaks_before_its_conversations_unless_they_have_their_own() {
    let scene = scene(&[Turn::Says("one"), Turn::Says("two"), Turn::Says("three")]);
    let projects = Projects::new(&scene.db);
    let house = NewProject {
        name: "house".into(),
        instructions: "Sizes are in metres.".into(),
        ..NewProject::default()
    };
    let house = projects.add(&house).unwrap();
    let new = NewConversation { project: Some(house.id), ..NewConversation::default() };
    let id = scene.all.create(&new).unwrap().id;
    let first_of = |i: usize| scene.prompt(i).messages[0]["content"].to_string();
    assert_eq!(ending(&scene.ask(id, "how wide?")), answered());
    assert!(first_of(0).contains("Sizes are in metres."), "{}", first_of(0));
    scene.all.configure(id, None, Some("Sizes are in feet.")).unwrap();
    assert_eq!(ending(&scene.ask(id, "and now?")), answered());
    assert!(first_of(1).contains("feet") && !first_of(1).contains("metres"), "{}", first_of(1));
    let other = scene.conversation();
    assert_eq!(ending(&scene.ask(other, "elsewhere?")), answered());
    assert!(!first_of(2).contains("metres"), "{}", first_of(2));
}

#[test]
fn a_tool_runs_and_its_result_goes_back_to_the_model() {
    let scene = scene(&[Turn::Calls("echo", json!({"x": 1})), Turn::Says("done")]);
    let id = scene.conversation();
    assert_eq!(ending(&scene.ask(id, "go")), answered());
    assert_eq!(scene.branch(id), ["User: go", "Assistant: ", "Tool: {\"x\":1}", "Assistant: done"]);
    let second = scene.prompt(1);
    assert_eq!(second.messages.len(), 3);
    assert_eq!(second.messages[1]["tool_calls"][0]["function"]["arguments"], json!({"x": 1}));
    assert_eq!(second.tools.len(), 5);
}

#[test]
fn an_approval_edits_the_arguments_and_grants_for_good() {
    let turns = [
        Turn::Calls("write", json!({"text": "a"})),
        Turn::Says("written"),
        Turn::Calls("write", json!({"text": "b"})),
        Turn::Says("written again"),
    ];
    let scene = scene(&turns);
    let id = scene.conversation();
    let run = scene.ask(id, "write");
    until(&run, |e| matches!(e, AgentEvent::AwaitApproval { .. }));
    let pending = run.pending();
    assert_eq!(pending[0].call.arguments, json!({"text": "a"}));
    assert!(scene.assistant.send(id, Ask { text: "x".into(), ..Ask::default() }).is_err());
    let call = pending[0].call.id.clone();
    let wrong = Decision::Approve { scope: Scope::Once, arguments: Some(json!(1)) };
    assert!(run.decide(&call, wrong).is_err());
    let arguments = Some(json!({"text": "A"}));
    run.decide(&call, Decision::Approve { scope: Scope::Always, arguments }).unwrap();
    assert!(run.decide(&call, Decision::Deny { reason: None }).is_err(), "once only");
    assert_eq!(ending(&run), answered());
    assert_eq!(scene.branch(id)[2], "Tool: {\"text\":\"A\"}");
    let shown = &scene.prompt(1).messages[1]["tool_calls"][0]["function"]["arguments"];
    assert_eq!(*shown, json!({"text": "A"}), "the model sees what was run");

    assert_eq!(ending(&scene.ask(id, "again")), answered());
    assert_eq!(scene.branch(id)[6], "Tool: {\"text\":\"b\"}");
    assert_eq!(scene.assistant.grants().list().unwrap().len(), 1);
}

#[test]
fn after_a_page_was_read_the_grant_does_not_count_in_later_turns_either() {
    let turns = [
        Turn::Calls("page", json!({})),
        Turn::Says("read"),
        Turn::Calls("write", json!({})),
        Turn::Says("no"),
    ];
    let scene = scene(&turns);
    let id = scene.conversation();
    scene.assistant.grants().give("write", Scope::Always, id).unwrap();
    assert_eq!(ending(&scene.ask(id, "read it")), answered());
    let run = scene.ask(id, "and now");
    until(&run, |e| matches!(e, AgentEvent::AwaitApproval { .. }));
    let call = run.pending()[0].call.id.clone();
    run.decide(&call, Decision::Deny { reason: None }).unwrap();
    assert_eq!(ending(&run), answered());
    assert_eq!(scene.branch(id)[6], "Tool: error: the user did not allow it");
}

#[test]
fn stopping_keeps_what_was_written_and_ends_tools() {
    let scene = scene(&[Turn::Hangs("Once upon"), Turn::Calls("slow", json!({}))]);
    let id = scene.conversation();
    let run = scene.ask(id, "a story");
    until(&run, |e| matches!(e, AgentEvent::Content { .. }));
    run.cancel();
    assert_eq!(ending(&run), AgentEvent::Finished { ending: Ending::Cancelled });
    let answer = scene.all.branch(id).unwrap().pop().unwrap();
    assert_eq!((answer.state, answer.content.as_str()), (MessageState::Stopped, "Once upon"));

    let run = scene.ask(id, "the tool");
    until(&run, |e| matches!(e, AgentEvent::ToolStarted { .. }));
    run.cancel();
    assert_eq!(ending(&run), AgentEvent::Finished { ending: Ending::Cancelled });
    assert_eq!(scene.branch(id).last().unwrap(), "Tool: error: the user stopped it");
}

#[test]
fn a_crashing_tool_and_a_failing_model_are_said_not_lost() {
    let scene = scene(&[
        Turn::Calls("crash", json!({})),
        Turn::Says("it crashed"),
        Turn::Fails("no memory"),
    ]);
    let id = scene.conversation();
    assert_eq!(ending(&scene.ask(id, "go")), answered());
    assert_eq!(scene.branch(id)[2], "Tool: error: the tool crashed");
    let run = scene.ask(id, "more");
    assert!(matches!(ending(&run), AgentEvent::Failed { error, .. } if error == "no memory"));
    let answer = scene.all.branch(id).unwrap().pop().unwrap();
    assert_eq!(answer.state, MessageState::Failed);
    assert_eq!(answer.details.error.as_deref(), Some("no memory"));
    let run = scene.ask(id, "and after the script");
    assert!(matches!(ending(&run), AgentEvent::Failed { .. }));
}

#[test]
fn retry_and_edit_make_siblings() {
    let scene = scene(&[Turn::Says("one"), Turn::Says("two"), Turn::Says("three")]);
    let id = scene.conversation();
    scene.ask(id, "hello").wait();
    let first = scene.all.branch(id).unwrap();
    scene.assistant.retry(first[1].id, None).unwrap().wait();
    assert_eq!(scene.branch(id), ["User: hello", "Assistant: two"]);
    scene.assistant.edit(first[0].id, "bonjour").unwrap().wait();
    assert_eq!(scene.branch(id), ["User: bonjour", "Assistant: three"]);
    assert_eq!(scene.all.siblings(first[0].id).unwrap().len(), 2);
    assert!(scene.assistant.edit(first[1].id, "x").is_err(), "not the user's");
}

#[test]
fn what_is_told_in_one_chat_is_used_in_another_and_its_source_is_known() {
    let scene = scene(&[Turn::Says("Noted."), Turn::Says("Rex.")]);
    let one = scene.conversation();
    let run = scene.ask(one, "My dog is called Rex.");
    assert_eq!(ending(&run), answered());
    assert!(run.events().iter().any(|e| matches!(e, AgentEvent::Remembered { .. })));
    let two = scene.conversation();
    scene.ask(two, "What is my dog called?").wait();
    let system = scene.prompt(1).messages[0]["content"].as_str().unwrap().to_owned();
    assert!(system.ends_with("- My dog is called Rex"), "{system}");
    let answer = scene.all.branch(two).unwrap().pop().unwrap();
    let used = &answer.details.memories[0];
    assert_eq!(used.text, "My dog is called Rex");
    assert_eq!(used.source, Some(scene.all.branch(one).unwrap()[0].id));

    scene.assistant.memory().forget(used.fact).unwrap();
    let answer = scene.all.message(answer.id).unwrap();
    assert_eq!(answer.details.memories[0].text, "", "what is forgotten is not kept in the answer");
}

#[test]
fn a_temporary_chat_neither_learns_nor_uses_memory() {
    let scene = scene(&[Turn::Says("Noted."), Turn::Says("I do not know.")]);
    let new = NewConversation { temporary: true, ..NewConversation::default() };
    let id = scene.all.create(&new).unwrap().id;
    scene.ask(id, "My dog is called Rex.").wait();
    assert!(scene.assistant.memory().list(true, 9, 0).unwrap().is_empty());
    assert_eq!(scene.prompt(0).messages.len(), 1);
    assert!(scene.all.list(9, 0).unwrap().is_empty());
}

#[test]
fn older_turns_are_summed_up_in_view_when_they_no_longer_fit() {
    let long: &'static str = "word ".repeat(200).leak();
    let scene = with_context(&[Turn::Says(long), Turn::Says(long), Turn::Says("ok")], 500);
    let id = scene.conversation();
    for text in ["first question of all", "second question", "third question"] {
        scene.ask(id, text).wait();
    }
    let run = scene.assistant.run(id).unwrap();
    let events = run.events();
    let summed = events.iter().find_map(|e| match e {
        AgentEvent::Summarised { n_messages, text, .. } => Some((*n_messages, text.clone())),
        _ => None,
    });
    let (n, text) = summed.expect("the third turn does not fit beside the others");
    assert!(n == 2 && text.contains("first question of all"), "{n} {text}");
    assert_eq!(ending(&run), answered());
    let prompt = scene.prompt(2);
    assert!(prompt.messages[0]["content"].as_str().unwrap().starts_with("Earlier in this"));
    assert_eq!(scene.branch(id).len(), 6, "and every message is still there");

    let run = scene.ask(id, &"word ".repeat(600));
    let AgentEvent::Failed { error, hint } = ending(&run) else { panic!("{:?}", run.events()) };
    assert!(error.contains("tokens") && hint.is_some(), "{error}");
    assert_eq!(scene.all.branch(id).unwrap().pop().unwrap().state, MessageState::Failed);
}

#[test]
fn a_run_that_is_shut_down_ends_and_keeps_its_part() {
    let scene = scene(&[Turn::Hangs("half an ans")]);
    let id = scene.conversation();
    let run = scene.ask(id, "go");
    until(&run, |e| matches!(e, AgentEvent::Content { .. }));
    scene.assistant.shut_down();
    assert!(run.is_over());
    let last = scene.all.branch(id).unwrap().pop().unwrap();
    assert_eq!((last.role, last.content.as_str()), (Role::Assistant, "half an ans"));
    assert!(scene.db.scrub().is_ok());
}

#[test]
fn of_several_answers_the_most_frequent_is_kept_with_how_many_agreed() {
    let turns = ["the answer is 4", "the answer is 5", "so the answer is 5."].map(Turn::Says);
    let s = scene(&turns);
    Settings::new(&s.db).set("answer.votes", &json!(3)).expect("set");
    let id = s.conversation();
    let run = s.ask(id, "2 + 3?");
    assert_eq!(ending(&run), answered());
    let branch = s.all.branch(id).expect("a branch");
    let answer = branch.last().expect("an answer");
    assert!(answer.content.ends_with('5') || answer.content.ends_with("5."), "{answer:?}");
    let votes = answer.details.votes.expect("a vote");
    assert_eq!((votes.of, votes.done, votes.agreed, votes.n_generated), (3, 3, 2, 9));
    let stands = run.events().iter().filter(|e| matches!(e, AgentEvent::Voted { .. })).count();
    assert_eq!(stands, 3);
}

#[test]
fn a_call_that_most_answers_make_runs_once() {
    let call = |n: i32| Turn::Calls("echo", json!({ "n": n }));
    let s = scene(&[
        call(1),
        call(2),
        call(2),
        Turn::Says("done"),
        Turn::Says("done"),
        Turn::Says("no"),
    ]);
    Settings::new(&s.db).set("answer.votes", &json!(3)).expect("set");
    let id = s.conversation();
    let run = s.ask(id, "echo 2");
    assert_eq!(ending(&run), answered());
    assert_eq!(s.branch(id), ["User: echo 2", "Assistant: ", "Tool: {\"n\":2}", "Assistant: done"]);
}

#[test]
fn a_vote_that_is_stopped_ends() {
    let s = scene(&[Turn::Hangs("the answer"), Turn::Hangs("the answer"), Turn::Says("5")]);
    Settings::new(&s.db).set("answer.votes", &json!(3)).expect("set");
    let id = s.conversation();
    let run = s.ask(id, "2 + 3?");
    until(&run, |e| matches!(e, AgentEvent::Voted { .. }));
    run.cancel();
    assert_eq!(ending(&run), AgentEvent::Finished { ending: Ending::Cancelled });
}

#[test]
fn a_model_finds_facts_that_no_rule_finds_and_only_those_that_were_said() {
    let found = "- The user's name is Ana.\n- The user moves to Lisbon in 2027.\n\
                 - The user works for Google.\nThe user knows Tomas.\nWhat a nice plan!";
    let turns = [Turn::Says("Good luck"), Turn::Says(found)];
    let s = with_context(&turns, 5000);
    Settings::new(&s.db).set("memory.extract", &json!("rules_and_model")).expect("set");
    let id = s.conversation();
    let run = s.ask(id, "My name is Ana. In 2027 we go to Lisbon, Tomas starts there");
    assert_eq!(ending(&run), answered());
    let memory = Memory::new(&s.db, Arc::new(HashedNgrams));
    let mut facts: Vec<(String, Origin)> =
        memory.list(true, 10, 0).expect("facts").into_iter().map(|f| (f.text, f.origin)).collect();
    facts.sort_by(|a, b| a.0.cmp(&b.0));
    let by_model: Vec<&str> =
        facts.iter().filter(|f| f.1 == Origin::Model).map(|f| f.0.as_str()).collect();
    assert_eq!(by_model, ["The user knows Tomas.", "The user moves to Lisbon in 2027."]);
    assert!(facts.iter().any(|f| f.1 == Origin::Rule), "{facts:?}");
    assert_eq!(
        s.branch(id).len(),
        2,
        "what was asked for psi itself is no part of the conversation"
    );
}
