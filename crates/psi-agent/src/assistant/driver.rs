//! The thread of a run: does what the loop says, and keeps what comes of it.

mod writing;

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::writing::Writing;
use super::{
    Assistant, Inner,
    prompt::{self, Preamble},
    run::{Happening, Run},
    summary,
};
use crate::{
    agent::{Agent, AgentEvent, Approval, CallResult, Command, ContextMeter, Ending, Input},
    conversation::{
        Details, Draft, MemoryUse, Message, MessageId, MessageState, ToolCall, ToolRun,
    },
    error::{AgentError, Result},
    feedback::Feedback,
    memory::{Fact, by_model},
    model::{ChatSource, Generation, Ongoing, Prompt, SourceEvent, vote},
    projects::Projects,
    tool::{CallContext, Tool, ToolError, ToolOutput, definitions},
};

/// How often the part of an answer that is there so far is kept.
const SAVE_EVERY: Duration = Duration::from_millis(500);
/// How long after its deadline a call that does not return is given up.
const GRACE: Duration = Duration::from_secs(2);
/// Most tokens of what a model writes for psi itself: a summary, facts.
const WRITING_TOKENS: usize = 320;
/// A model with a smaller context sums up by rule unless told otherwise, and is not asked for facts.
const MIN_WRITING_CONTEXT: usize = 4096;

pub(super) struct Driver {
    assistant: Assistant,
    run: Run,
    agent: Agent,
    tools: Vec<Arc<dyn Tool>>,
    inbox: Receiver<Happening>,
    /// The user's message.
    asked: Message,
    /// The model that this answer was asked of; else the conversation's.
    by: Option<String>,
    /// The end of what has been said.
    leaf: MessageId,
    model: Option<Arc<dyn ChatSource>>,
    preamble: Preamble,
    writing: Option<Writing>,
    ongoing: Option<Box<dyn Ongoing>>,
    /// Calls that run, with the moment at which they are given up.
    deadlines: Vec<(String, Instant)>,
    approvals: Vec<Approval>,
    /// Facts drawn from the user's message by rule, if it is to be read for facts.
    learned: Option<Vec<Fact>>,
    is_closed: bool,
}

/// Starts the thread that answers `asked`, by the model of that name if one is named; `added` is that message where
/// it is new.
pub(super) fn spawn(
    assistant: &Assistant,
    agent: Agent,
    tools: Vec<Arc<dyn Tool>>,
    (asked, by): (Message, Option<&str>),
    added: Option<Message>,
) -> Result<Run> {
    let (sender, inbox) = mpsc::channel();
    let run = Run::new(asked.conversation, sender);
    let driver = Driver {
        assistant: assistant.clone(),
        run: run.clone(),
        agent,
        tools,
        inbox,
        leaf: asked.id,
        asked,
        by: by.map(str::to_owned),
        model: None,
        preamble: Preamble::default(),
        writing: None,
        ongoing: None,
        deadlines: Vec::new(),
        approvals: Vec::new(),
        learned: None,
        is_closed: false,
    };
    std::thread::Builder::new()
        .name("psi-run".to_owned())
        .spawn(move || driver.go(added))
        .map_err(|source| AgentError::Io {
            path: assistant.0.db.path().to_owned(),
            doing: "starting a thread",
            source,
        })?;
    Ok(run)
}

impl Driver {
    fn go(mut self, added: Option<Message>) {
        if let Err(error) = self.begin(added).and_then(|()| self.turn()) {
            self.fail(&error.to_string(), error.hint());
        }
    }

    /// Does what the loop says until it is over.
    fn turn(&mut self) -> Result<()> {
        let mut todo = VecDeque::from(self.agent.handle(Input::Start));
        loop {
            while let Some(command) = todo.pop_front() {
                if let Some(input) = self.execute(command)? {
                    todo.extend(self.agent.handle(input));
                }
            }
            if self.agent.is_over() {
                return Ok(());
            }
            if let Some(input) = self.listen()? {
                todo.extend(self.agent.handle(input));
            }
        }
    }

    fn inner(&self) -> &Inner {
        &self.assistant.0
    }

    fn model(&self) -> &Arc<dyn ChatSource> {
        self.model.as_ref().expect("the model is found before anything is counted or generated")
    }

    /// Finds the model and what is to stand before the messages.
    fn begin(&mut self, added: Option<Message>) -> Result<()> {
        let is_new = added.is_some();
        if let Some(message) = added {
            self.run.emit(AgentEvent::Message { message });
        }
        let conversation = self.inner().conversations.get(self.asked.conversation)?;
        if is_new && self.asked.parent.is_none() {
            self.run.emit(AgentEvent::Titled { title: conversation.title.clone() });
        }
        let project = match conversation.project {
            Some(id) => Some(Projects::new(&self.inner().db).get(id)?),
            None => None,
        };
        let of_project = project.as_ref().map(|p| p.instructions.clone());
        let own = conversation.system_prompt.or(of_project.filter(|text| !text.is_empty()));
        let instructions = match own {
            Some(own) => own,
            None => self.inner().settings.text("answer.system_prompt")?,
        };
        let memories = if conversation.temporary { Vec::new() } else { self.remember(is_new)? };
        let chosen = self.by.take().or(conversation.model).or(project.and_then(|p| p.model));
        let name = chosen.filter(|name| !name.is_empty());
        let model = self.inner().models.find(name.as_deref());
        self.model = Some(model.map_err(|why| AgentError::invalid("model", why))?);
        self.preamble = Preamble { instructions, memories, summary: None };
        Ok(())
    }

    /// Draws facts from what the user said and returns those that fit it.
    fn remember(&mut self, is_new: bool) -> Result<Vec<MemoryUse>> {
        let says_something = is_new && !self.asked.details.unattended;
        if says_something && self.inner().settings.text("memory.extract")? != "off" {
            let learned = self.inner().memory.learn(&self.asked)?;
            self.say_learned(&learned);
            self.learned = Some(learned);
        }
        let Inner { settings, memory, .. } = self.inner();
        let limit = settings.number("memory.in_prompt")?;
        memory.for_prompt(&self.asked, limit)
    }

    /// Lets the model read the user's message for facts that no rule found, where the user wants that.
    fn remember_by_model(&self) -> Result<()> {
        let Some(known) = &self.learned else { return Ok(()) };
        let Inner { settings, memory, .. } = self.inner();
        let is_able = self.model().max_context() >= MIN_WRITING_CONTEXT;
        if !is_able || settings.text("memory.extract")? != "rules_and_model" {
            return Ok(());
        }
        let Some(reply) = self.write(&by_model::request(&self.asked)) else { return Ok(()) };
        let mut learned = Vec::new();
        for fact in by_model::read(&reply, &self.asked, known) {
            learned.extend(memory.keep(&fact)?);
        }
        self.say_learned(&learned);
        Ok(())
    }

    fn say_learned(&self, learned: &[Fact]) {
        if !learned.is_empty() {
            let facts = learned.iter().map(|fact| fact.to_use(1.0)).collect();
            self.run.emit(AgentEvent::Remembered { facts });
        }
    }

    fn execute(&mut self, command: Command) -> Result<Option<Input>> {
        match command {
            Command::Count => return self.count().map(Some),
            Command::Summarise => {
                return self.summarise().map(|done| Some(Input::Summarised(done)));
            }
            Command::Generate { max_tokens, with_tools } => {
                return self.generate(max_tokens, with_tools);
            }
            Command::Ask(approvals) => {
                self.approvals.clone_from(&approvals);
                self.run.set_pending(approvals.clone());
                self.run.emit(AgentEvent::AwaitApproval { message: self.leaf, approvals });
            }
            Command::Grant { key, scope } => {
                self.inner().grants.give(&key, scope, self.asked.conversation)?;
            }
            Command::Run(call) => return self.run_tool(call),
            Command::Record(results) => self.record(results)?,
            Command::Stop => {
                self.run.cancel_flag().cancel();
                if let Some(ongoing) = &self.ongoing {
                    ongoing.cancel();
                }
            }
            Command::Finish(ending) => self.finish(ending)?,
        }
        Ok(None)
    }

    /// The prompt as it stands now.
    fn prompt(&mut self, with_tools: bool) -> Result<Prompt> {
        let path = self.inner().conversations.path(self.leaf)?;
        let summaries = self.inner().conversations.summaries(self.asked.conversation)?;
        self.preamble.summary = prompt::summary_of(&summaries, &path).cloned();
        let after = self.preamble.summary.as_ref().map(|s| s.upto);
        let system = self.preamble.text();
        let settings = &self.inner().settings;
        Ok(Prompt {
            messages: prompt::render(system.as_deref(), &path, after),
            tools: if with_tools { definitions(&self.tools) } else { Vec::new() },
            thinking: settings.flag("answer.thinking")?,
            budget: Some(settings.number("answer.thinking_budget")?).filter(|n| *n > 0),
        })
    }

    fn count(&mut self) -> Result<Input> {
        let prompt = self.prompt(true)?;
        let limit = self.model().max_context();
        let n_prompt = match self.model().count(&prompt) {
            Ok(n) => n,
            Err(why) => return Ok(Input::GenerationFailed(why)),
        };
        let meter = ContextMeter {
            n_used: n_prompt,
            n_limit: limit,
            n_reserved: self.agent.limits().min_answer.min(limit / 4),
            n_summarised: self.preamble.summary.as_ref().map_or(0, |s| s.n_messages),
        };
        self.run.emit(AgentEvent::Context { meter });
        Ok(Input::Counted { n_prompt, limit })
    }

    /// Sums up older turns; `false` when there are none.
    fn summarise(&mut self) -> Result<bool> {
        let path = self.inner().conversations.path(self.leaf)?;
        let old = self.preamble.summary.clone();
        let Some(end) = summary::span(&path, old.as_ref()) else { return Ok(false) };
        let covered = old.as_ref().and_then(|s| path.iter().position(|m| m.id == s.upto));
        let messages = &path[covered.map_or(0, |at| at + 1)..end];
        let by = self.inner().settings.text("context.summary")?;
        let limit = self.model().max_context();
        let asks_model = by == "model" || (by == "auto" && limit >= MIN_WRITING_CONTEXT);
        let written =
            if asks_model { self.write(&summary::request(old.as_ref(), messages)) } else { None };
        let model = written.as_ref().map(|_| self.model().name());
        // About three characters per token: a quarter of the context at most.
        let text = written
            .unwrap_or_else(|| summary::by_rule(old.as_ref(), messages, (limit * 3 / 4).max(200)));
        let upto = path[end - 1].id;
        let kept = &self.inner().conversations;
        kept.summarise(upto, &text, end, model.as_deref())?;
        self.run.emit(AgentEvent::Summarised { upto, n_messages: end, text });
        Ok(true)
    }

    /// Lets the model write a short text; `None` when it cannot or the user stops it.
    fn write(&self, request: &str) -> Option<String> {
        let message = json!({"role": "user", "content": request});
        let prompt = Prompt { messages: vec![message], ..Prompt::default() };
        let n_prompt = self.model().count(&prompt).ok()?;
        if n_prompt + WRITING_TOKENS > self.model().max_context() {
            return None;
        }
        let generation =
            Generation { prompt, max_tokens: WRITING_TOKENS, temperature: 0.0, client: client() };
        let (sender, events) = mpsc::channel();
        // A receiver that is gone has had all it wants.
        let sink = Box::new(move |event| drop(sender.send(event)));
        let ongoing = self.model().start(generation, sink).ok()?;
        let mut text = String::new();
        loop {
            match events.recv_timeout(Duration::from_millis(50)) {
                Ok(SourceEvent::Content(piece)) => text.push_str(&piece),
                Ok(SourceEvent::Finished { .. }) => break,
                Ok(SourceEvent::Failed(_)) | Err(RecvTimeoutError::Disconnected) => return None,
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            }
            if self.run.cancel_flag().is_cancelled() {
                ongoing.cancel();
                return None;
            }
        }
        let text = text.trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    fn generate(&mut self, max_tokens: usize, with_tools: bool) -> Result<Option<Input>> {
        let prompt = self.prompt(with_tools)?;
        let model = Arc::clone(self.model());
        let tools = if with_tools {
            self.tools.iter().map(|t| t.name().to_owned()).collect()
        } else {
            vec![]
        };
        let toolset = self.keep_toolset(&prompt.tools)?;
        let details = Details {
            toolset,
            model: Some(model.name()),
            adapter: model.adapter(),
            memories: self.preamble.memories.clone(),
            instructions: Some(self.preamble.instructions.clone()).filter(|i| !i.is_empty()),
            summarised_upto: self.preamble.summary.as_ref().map(|s| s.upto),
            tools,
            ..Details::default()
        };
        let draft = Draft { state: MessageState::Streaming, details, ..Draft::assistant("") };
        let conversations = &self.inner().conversations;
        let message = conversations.append(self.asked.conversation, Some(self.leaf), &draft)?;
        let id = message.id;
        self.leaf = id;
        self.run.emit(AgentEvent::Message { message });
        if !self.preamble.memories.is_empty() {
            let memories = self.preamble.memories.clone();
            self.run.emit(AgentEvent::MemoryUsed { message: id, memories });
        }
        self.writing = Some(Writing::new(id, draft));
        let temperature = self.inner().settings.number("answer.temperature")? as f32 / 100.0;
        let generation = Generation { prompt, max_tokens, temperature, client: client() };
        let run = self.run.clone();
        let sink = Box::new(move |event| run.tell(Happening::Model(event)));
        let started = match self.inner().settings.number("answer.votes")? {
            0 | 1 => model.start(generation, sink),
            n => vote(model.as_ref(), n, &generation, sink),
        };
        match started {
            Ok(ongoing) => {
                self.ongoing = Some(ongoing);
                Ok(None)
            }
            Err(why) => self.hear(SourceEvent::Failed(why)),
        }
    }

    /// Keeps the definitions that a prompt holds, so that feedback can be written out with them.
    fn keep_toolset(&self, definitions: &[Value]) -> Result<Option<String>> {
        if definitions.is_empty() {
            return Ok(None);
        }
        let text = serde_json::to_string(definitions).expect("definitions are JSON");
        let hash = hash_of(&text);
        Feedback::new(&self.inner().db).keep_toolset(&hash, definitions)?;
        Ok(Some(hash))
    }

    /// Waits for something to happen. Meanwhile the answer so far is kept, and calls that do not
    /// return are given up.
    fn listen(&mut self) -> Result<Option<Input>> {
        let save = self.writing.as_ref().and_then(Writing::due);
        let late = self.deadlines.iter().map(|(_, at)| *at).min();
        let wake = save.into_iter().chain(late).min();
        let happening = match wake {
            None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => self.inbox.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        if let Some(writing) = self.writing.as_mut().filter(|w| w.is_due()) {
            let (id, draft) = writing.take_saved();
            self.assistant.0.conversations.update(id, draft)?;
        }
        match happening {
            Ok(Happening::Model(event)) => self.hear(event),
            Ok(Happening::Input(input)) => {
                if let Input::Ran { call, .. } = &input {
                    self.deadlines.retain(|(id, _)| id != call);
                }
                Ok(Some(input))
            }
            Err(_) => {
                let now = Instant::now();
                let Some(at) = self.deadlines.iter().position(|(_, late)| *late <= now) else {
                    return Ok(None);
                };
                let (call, _) = self.deadlines.remove(at);
                let duration_ms = (self.agent.limits().call_timeout + GRACE).as_millis() as u64;
                Ok(Some(Input::Ran { call, outcome: Err(ToolError::TimedOut), duration_ms }))
            }
        }
    }

    /// Takes a piece of the model's answer.
    fn hear(&mut self, event: SourceEvent) -> Result<Option<Input>> {
        let Some(writing) = &mut self.writing else { return Ok(None) };
        let message = writing.id();
        if let Some(event) = writing.shown(&event) {
            self.run.emit(event);
        }
        let Some(input) = writing.take(event) else { return Ok(None) };
        let done = self.writing.take().expect("it was there").into_draft();
        self.ongoing = None;
        self.inner().conversations.update(message, &done)?;
        for call in &done.tool_calls {
            let tool = self.tools.iter().find(|t| t.name() == call.name);
            let effect = tool.map(|t| t.effect(&call.arguments));
            self.run.emit(AgentEvent::ToolCall { message, call: call.clone(), effect });
        }
        let message = self.inner().conversations.message(message)?;
        self.run.emit(AgentEvent::MessageDone { message });
        Ok(Some(input))
    }

    fn run_tool(&mut self, call: ToolCall) -> Result<Option<Input>> {
        let tool = self.tools.iter().find(|t| t.name() == call.name);
        let tool = Arc::clone(tool.expect("the loop runs tools that it was given"));
        let deadline = Instant::now() + self.agent.limits().call_timeout;
        let context = CallContext {
            cancel: self.run.cancel_flag().clone(),
            deadline: Some(deadline),
            folders: self.inner().settings.folders()?,
            conversation: self.asked.conversation,
            source: Some(self.asked.id),
            now: self.inner().db.now(),
        };
        self.run.emit(AgentEvent::ToolStarted { call: call.id.clone() });
        self.deadlines.push((call.id.clone(), deadline + GRACE));
        let run = self.run.clone();
        let ToolCall { id, arguments, .. } = call;
        let name = id.clone();
        let work = move || {
            let started = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| tool.call(&arguments, &context)));
            let outcome =
                outcome.unwrap_or_else(|_| Err(ToolError::Failed("the tool crashed".into())));
            let duration_ms = started.elapsed().as_millis() as u64;
            run.tell(Happening::Input(Input::Ran { call: id, outcome, duration_ms }));
        };
        match std::thread::Builder::new().name("psi-tool".to_owned()).spawn(work) {
            Ok(_) => Ok(None),
            Err(error) => {
                let outcome = Err(ToolError::Failed(format!("no thread for it: {error}")));
                Ok(Some(Input::Ran { call: name, outcome, duration_ms: 0 }))
            }
        }
    }

    /// Keeps what calls returned, in the order of the calls.
    fn record(&mut self, results: Vec<CallResult>) -> Result<()> {
        self.deadlines.clear();
        self.run.set_pending(Vec::new());
        for result in results {
            let text = result.text();
            let ok = result.outcome.is_ok();
            let output = result.outcome.unwrap_or_else(|_| ToolOutput::default());
            let run = ToolRun {
                name: result.call.name,
                effect: result.effect,
                ok,
                approval: result.approval.to_owned(),
                duration_ms: result.duration_ms,
                arguments: result.call.arguments,
                untrusted: output.untrusted,
                data: output.data,
            };
            let details = Details { run: Some(run), ..Details::default() };
            let draft = Draft { details, ..Draft::tool(&result.call.id, &text) };
            let conversations = &self.inner().conversations;
            let message = conversations.append(self.asked.conversation, Some(self.leaf), &draft)?;
            self.leaf = message.id;
            self.run.emit(AgentEvent::ToolResult { message });
        }
        Ok(())
    }

    fn finish(&mut self, ending: Ending) -> Result<()> {
        match &ending {
            Ending::TooLong { n_prompt, limit } => {
                let error = format!(
                    "the prompt has {n_prompt} tokens and the model holds {limit}; \
                     there is nothing left to sum up"
                );
                let hint = "say it shorter, or choose a model with a larger context";
                self.keep_failure(&error)?;
                self.close(AgentEvent::Failed { error, hint: Some(hint.to_owned()) });
            }
            Ending::Failed { error } => {
                self.keep_failure(error)?;
                self.close(AgentEvent::Failed { error: error.clone(), hint: None });
            }
            _ => {
                if ending == Ending::Answered {
                    self.remember_by_model()?;
                }
                self.close(AgentEvent::Finished { ending });
            }
        }
        Ok(())
    }

    /// Where no answer was begun, one that says why not: a reload shows it too.
    fn keep_failure(&mut self, error: &str) -> Result<()> {
        let conversations = &self.inner().conversations;
        if conversations.message(self.leaf)?.state == MessageState::Failed {
            return Ok(());
        }
        let details = Details { error: Some(error.to_owned()), ..Details::default() };
        let draft = Draft { state: MessageState::Failed, details, ..Draft::assistant("") };
        let message = conversations.append(self.asked.conversation, Some(self.leaf), &draft)?;
        self.run.emit(AgentEvent::MessageDone { message });
        Ok(())
    }

    /// Ends the run for a reason outside the loop: the database, the model that cannot be found.
    fn fail(&mut self, error: &str, hint: Option<String>) {
        if let Some(writing) = self.writing.take() {
            let id = writing.id();
            let mut draft = writing.into_draft();
            draft.state = MessageState::Failed;
            draft.details.error = Some(error.to_owned());
            // The failure that led here may be the database's own.
            let _ = self.inner().conversations.update(id, &draft);
        } else {
            let _ = self.keep_failure(error);
        }
        self.close(AgentEvent::Failed { error: error.to_owned(), hint });
    }

    fn close(&mut self, last: AgentEvent) {
        self.is_closed = true;
        self.run.close(last);
    }
}

impl Drop for Driver {
    /// Whoever waits for a run is told its end, even when this thread panics.
    fn drop(&mut self) {
        if !self.is_closed {
            self.fail("psi made an error of its own; the answer could not be completed", None);
        }
    }
}

/// The first 16 bytes of a text's SHA-256, as hexadecimal digits.
fn hash_of(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(16).map(|b| format!("{b:02x}")).collect()
}

/// Whose requests these are, for the model's queue.
fn client() -> String {
    "assistant".to_owned()
}
