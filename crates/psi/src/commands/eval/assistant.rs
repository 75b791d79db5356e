//! The player of the assistant's own suite: each item is a conversation with the whole assistant, on a database
//! of its own. Everything else is answered by the model alone.

use std::sync::{Arc, mpsc};

use jiff::{civil::DateTime, tz::TimeZone};
use psi_agent::{
    Assistant, Clock, ConversationId, Db, Draft, Memory, MessageState, NewConversation, Timestamp,
    ToolCall,
    agent::Decision,
    assistant::{Ask, OneModel, Run},
    memory::{HashedNgrams, NewFact, Origin},
    model::{ChatSource, LocalModel},
    tools::{Group, Toolkit, Web, built_in},
};
use psi_eval::{
    run::{Identity, Local, Overlong, PlayError, Played, Player, Result, RunError, Settings, Sink},
    task::{Item, Output, OutputKind, Request},
};
use psi_infer::{chat::ChatModel, grammar::GrammarLimits};
use serde_json::Value;

/// A model of this machine, alone and as the assistant's.
#[derive(Debug)]
pub(crate) struct Assisted {
    local: Local,
    source: Option<Arc<LocalModel>>,
}

impl Assisted {
    pub(crate) fn new(local: Local) -> Self {
        Self { local, source: None }
    }

    /// The model as the assistant uses it.
    fn source(&mut self) -> std::result::Result<Arc<dyn ChatSource>, PlayError> {
        if self.source.is_none() {
            let (service, adapter) = self.local.service().map_err(|e| cannot(&e))?;
            let parts = self.local.parts();
            let (name, tokenizer) = (parts.identity.model.clone(), Arc::clone(&parts.tokenizer));
            let (template, limits) = (parts.template.clone(), GrammarLimits::default());
            let model = ChatModel::new(name, service, tokenizer, template, limits)
                .map_err(|e| cannot(&e))?;
            let adapter = adapter.map(str::to_owned);
            self.source = Some(Arc::new(LocalModel::new(Arc::new(model), adapter)));
        }
        Ok(self.source.clone().expect("made above"))
    }
}

fn cannot(why: &dyn ToString) -> PlayError {
    PlayError::Cannot { what: why.to_string() }
}

fn failed(item: &Item, source: PlayError) -> RunError {
    RunError::Play { item: item.id.clone(), source }
}

impl Player for Assisted {
    fn identity(&self) -> &Identity {
        self.local.identity()
    }

    fn appetite(&self) -> usize {
        self.local.appetite()
    }

    fn overlong(
        &self,
        item: &Item,
        settings: &Settings,
    ) -> std::result::Result<Option<Overlong>, PlayError> {
        // The assistant sums up what does not fit.
        if item.request.kind() == OutputKind::MultiTurn {
            return Ok(None);
        }
        self.local.overlong(item, settings)
    }

    fn play(&mut self, items: &[&Item], settings: &Settings, sink: &mut Sink<'_>) -> Result<()> {
        let is_talk = |i: &usize| items[*i].request.kind() == OutputKind::MultiTurn;
        let (talks, others): (Vec<usize>, Vec<usize>) = (0..items.len()).partition(is_talk);
        if !others.is_empty() {
            let alone: Vec<&Item> = others.iter().map(|&i| items[i]).collect();
            self.local.play(&alone, settings, &mut |i, played| sink(others[i], played))?;
        }
        let batch = self.local.parts().batch;
        for piece in talks.chunks(batch) {
            let mut going = Vec::with_capacity(piece.len());
            for &i in piece {
                let source = self.source().map_err(|e| failed(items[i], e))?;
                let talk = Talk::begin(items[i], settings, source);
                going.push((i, talk.map_err(|e| failed(items[i], e))?));
            }
            for (i, talk) in going {
                sink(i, talk.end().map_err(|e| failed(items[i], e))?)?;
            }
        }
        Ok(())
    }
}

/// A conversation that is going on.
struct Talk {
    assistant: Assistant,
    conversation: ConversationId,
    /// Messages before the answer.
    n_before: usize,
    question: String,
    run: Run,
    started: std::time::Instant,
    /// Holds the database and the notes.
    _folder: tempfile::TempDir,
}

impl Talk {
    /// Makes the item's world and asks its question.
    fn begin(
        item: &Item,
        settings: &Settings,
        source: Arc<dyn ChatSource>,
    ) -> std::result::Result<Self, PlayError> {
        let Request::MultiTurn { turns, limits } = &item.request else {
            return Err(cannot(&"not a conversation"));
        };
        let [question] = turns.as_slice() else { return Err(cannot(&"one question at a time")) };
        let now = item.reference["now"].as_str().and_then(|text| text.parse::<DateTime>().ok());
        let now = now.and_then(|now| now.to_zoned(TimeZone::UTC).ok());
        let now = now.ok_or_else(|| cannot(&"the item does not say what time it is"))?;
        let now = Timestamp(now.timestamp().as_millisecond());
        let folder = tempfile::tempdir().map_err(|e| cannot(&e))?;
        let path = folder.path().join("assistant.sqlite");
        let db = Db::open(&path, Clock::fixed(now)).map_err(|e| cannot(&e))?;
        let memory = Memory::new(&db, Arc::new(HashedNgrams));
        for fact in item.reference["facts"].as_array().into_iter().flatten() {
            let fact = fact.as_str().unwrap_or_default();
            memory.keep(&NewFact::new(fact, Origin::Tool, now)).map_err(|e| cannot(&e))?;
        }
        let kit = Toolkit {
            zone: TimeZone::UTC,
            facts: Arc::new(memory.clone()),
            notes: folder.path().join("notes"),
            web: Web::default(),
            search: None,
            programs: None,
        };
        let assistant =
            Assistant::new(&db, memory, Box::new(OneModel(source))).map_err(|e| cannot(&e))?;
        assistant.set_tools(built_in(&kit, &Group::default_set()));
        let hundredths = (settings.sampling.temperature * 100.0).round() as i64;
        let n_tokens = settings.max_tokens.unwrap_or(limits.max_tokens);
        for (name, value) in
            [("answer.temperature", hundredths.into()), ("answer.max_tokens", n_tokens.into())]
        {
            assistant.settings().set(name, &value).map_err(|e| cannot(&e))?;
        }
        let system_prompt = Some(item.prompt.system.clone()).filter(|s| !s.is_empty());
        let new = NewConversation { system_prompt, ..NewConversation::default() };
        let conversation = assistant.conversations().create(&new).map_err(|e| cannot(&e))?.id;
        let mut parent = None;
        for (i, said) in item.prompt.history.iter().enumerate() {
            let message = assistant.conversations().append(conversation, parent, &draft(i, said));
            parent = Some(message.map_err(|e| cannot(&e))?.id);
        }
        let started = std::time::Instant::now();
        let ask = Ask { text: question.clone(), ..Ask::default() };
        let run = assistant.send(conversation, ask).map_err(|e| cannot(&e))?;
        let (question, n_before) = (question.clone(), item.prompt.history.len() + 1);
        Ok(Self { assistant, conversation, n_before, question, run, started, _folder: folder })
    }

    /// Waits for the answer. Nobody is there to approve of anything, so what asks is denied.
    fn end(self) -> std::result::Result<Played, PlayError> {
        let (sender, events) = mpsc::channel();
        self.run.subscribe(0, Box::new(move |_, _| sender.send(()).is_ok()));
        while !self.run.is_over() && events.recv().is_ok() {
            for waiting in self.run.pending() {
                let denied = Decision::Deny { reason: None };
                self.run.decide(&waiting.call.id, denied).map_err(|e| cannot(&e))?;
            }
        }
        self.run.wait();
        let branch =
            self.assistant.conversations().branch(self.conversation).map_err(|e| cannot(&e))?;
        let answer = branch.get(self.n_before..).unwrap_or_default();
        if let Some(broken) = answer.iter().find(|m| m.state == MessageState::Failed) {
            let why = broken.details.error.as_deref().unwrap_or("the answer failed");
            return Err(cannot(&why));
        }
        let usage = || answer.iter().filter_map(|m| m.details.usage);
        Ok(Played {
            prompt: self.question,
            n_prompt: usage().map(|u| u.n_prompt).sum(),
            n_answer: usage().map(|u| u.n_generated).sum(),
            output: Output::Messages(answer.iter().map(|m| m.to_openai()).collect()),
            seconds: self.started.elapsed().as_secs_f64(),
        })
    }
}

/// A message of the history as the assistant keeps it; a message calls one tool at most, whose answer comes
/// next.
fn draft(i: usize, said: &Value) -> Draft {
    let content = said["content"].as_str().unwrap_or_default();
    match said["role"].as_str() {
        Some("user") => Draft::user(content),
        Some("tool") => Draft::tool(&format!("call_{}", i - 1), content),
        _ => {
            let calls = said["tool_calls"].as_array().into_iter().flatten();
            let call = |call: &Value| ToolCall {
                id: format!("call_{i}"),
                name: call["function"]["name"].as_str().unwrap_or_default().to_owned(),
                arguments: call["function"]["arguments"].clone(),
            };
            let reasoning = said["reasoning_content"].as_str().unwrap_or_default().to_owned();
            Draft { reasoning, tool_calls: calls.map(call).collect(), ..Draft::assistant(content) }
        }
    }
}
