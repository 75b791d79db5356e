//! What pages see of answers that are being written.
//!
//! The answer is written by the server, whoever looks: a [`Room`] per conversation keeps what has happened as
//! parts of the page, each with the version at which it last changed. A page says which version it has and
//! gets what changed since, so a reload, a second tab and a broken connection are one case. A page of an
//! earlier run or of an earlier server is told that it is stale, and asks for the conversation again.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use maud::Markup;
use psi_agent::{
    ConversationId, Message, MessageId, MessageState, Role,
    agent::{AgentEvent, Approval, ContextMeter, Ending},
    assistant::Run,
};
use serde::Serialize;
use tokio::sync::watch;

use super::{
    i18n::{Lang, tf},
    keys::Keys,
    thread::{self, Answer},
};

/// An element of the page: what it is now, and where it goes if it is not there yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Part {
    pub(crate) id: String,
    /// Empty: the element goes.
    pub(crate) html: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<String>,
}

impl Part {
    /// An element that is in the page.
    pub(crate) fn new(id: impl Into<String>, html: Markup) -> Self {
        Self { id: id.into(), html: html.into_string(), parent: None }
    }

    /// An element that is added to another if it is not there yet.
    pub(crate) fn of(parent: impl Into<String>, id: impl Into<String>, html: Markup) -> Self {
        Self { parent: Some(parent.into()), ..Self::new(id, html) }
    }
}

/// How far a page has followed a conversation: which server, which change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) epoch: u64,
    pub(crate) version: u64,
}

impl Cursor {
    /// Reads what [`Cursor`] prints.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (epoch, version) = text.split_once('.')?;
        Some(Self { epoch: epoch.parse().ok()?, version: version.parse().ok()? })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.epoch, self.version)
    }
}

/// What changed since a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Update {
    pub(crate) cursor: Cursor,
    pub(crate) running: bool,
    /// The page must ask for the conversation again: parts do not say what changed.
    pub(crate) stale: bool,
    pub(crate) parts: Vec<Part>,
}

/// All rooms of a server.
pub(crate) struct Rooms {
    epoch: u64,
    rooms: Mutex<HashMap<ConversationId, Arc<Room>>>,
}

impl Rooms {
    /// `epoch`: a number that no earlier server had.
    pub(crate) fn new(epoch: u64) -> Self {
        Self { epoch, rooms: Mutex::default() }
    }

    /// The room of a conversation.
    pub(crate) fn of(&self, id: ConversationId) -> Arc<Room> {
        let mut rooms = lock(&self.rooms);
        Arc::clone(rooms.entry(id).or_insert_with(|| Arc::new(Room::new(self.epoch))))
    }

    /// Conversations that are being answered.
    pub(crate) fn busy(&self) -> Vec<ConversationId> {
        let rooms = lock(&self.rooms);
        rooms.iter().filter(|(_, room)| room.is_running()).map(|(id, _)| *id).collect()
    }

    /// Forgets a conversation that is gone; its pages are told that they are stale.
    pub(crate) fn remove(&self, id: ConversationId) {
        if let Some(room) = lock(&self.rooms).remove(&id) {
            room.touch();
        }
    }
}

/// What is happening in one conversation.
pub(crate) struct Room {
    epoch: u64,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// Grows with every change that a page can see.
    version: u64,
    /// Pages with an earlier version are stale.
    fresh_since: u64,
    running: bool,
    /// What the run has written so far, in order.
    messages: Vec<Message>,
    approvals: Vec<Approval>,
    meter: Option<ContextMeter>,
    trouble: Option<String>,
    /// Messages whose parts are older than they are.
    dirty: BTreeMap<MessageId, ()>,
    /// Parts in the order in which they came to be, with the version of their last change.
    parts: Vec<(Part, u64)>,
}

impl Room {
    fn new(epoch: u64) -> Self {
        Self { epoch, state: Mutex::default(), changed: watch::Sender::new(0) }
    }

    /// Whether an answer is being written.
    pub(crate) fn is_running(&self) -> bool {
        lock(&self.state).running
    }

    /// Shows a run from its first event to its last.
    pub(crate) fn follow(self: &Arc<Self>, run: &Run) {
        let mut state = lock(&self.state);
        state.running = true;
        state.trouble = None;
        state.version += 1;
        drop(state);
        self.wake();
        let (room, lang) = (Arc::clone(self), Lang::now());
        run.subscribe(
            0,
            Box::new(move |number, event| {
                room.take(event);
                match event {
                    AgentEvent::Finished { ending } => room.end(lang.within(|| said_of(ending))),
                    AgentEvent::Failed { error, hint } => {
                        let hint = hint.as_ref().map_or_else(String::new, |h| format!(" ({h})"));
                        room.end(Some(format!("{error}{hint}")));
                    }
                    // From its first message on another branch is shown, if the question was asked before.
                    _ if number == 1 => room.touch(),
                    _ => {}
                }
                true
            }),
        );
    }

    /// Something changed that parts do not tell.
    pub(crate) fn touch(&self) {
        let mut state = lock(&self.state);
        state.version += 1;
        state.fresh_since = state.version;
        drop(state);
        self.wake();
    }

    /// Ends a run: what it wrote is in the database, and pages fetch it from there.
    /// `trouble`: what no message tells.
    pub(crate) fn end(&self, trouble: Option<String>) {
        let mut state = lock(&self.state);
        let meter = state.meter;
        let version = state.version + 1;
        *state = State { version, fresh_since: version, meter, trouble, ..State::default() };
        drop(state);
        self.wake();
    }

    /// The calls that wait for the user.
    pub(crate) fn approvals(&self) -> Vec<Approval> {
        lock(&self.state).approvals.clone()
    }

    /// What the run has written so far of messages that the database may know less of.
    pub(crate) fn messages(&self) -> Vec<Message> {
        lock(&self.state).messages.clone()
    }

    /// What went wrong with the last run and is told by no message.
    pub(crate) fn trouble(&self) -> Option<String> {
        lock(&self.state).trouble.clone()
    }

    /// How full the context is, as last counted.
    pub(crate) fn meter(&self) -> Option<ContextMeter> {
        lock(&self.state).meter
    }

    /// Where a page stands that is rendered now.
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor { epoch: self.epoch, version: lock(&self.state).version }
    }

    /// Waits here for changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn wake(&self) {
        self.changed.send_modify(|n| *n += 1);
    }

    /// Takes note of what happened.
    pub(crate) fn take(&self, event: &AgentEvent) {
        let mut state = lock(&self.state);
        state.take(event);
        drop(state);
        self.wake();
    }

    /// What changed since a page last heard.
    pub(crate) fn since(&self, cursor: Cursor, keys: &Keys) -> Update {
        let mut state = lock(&self.state);
        state.render(keys);
        let stale = cursor.epoch != self.epoch || cursor.version < state.fresh_since;
        let changed = state.parts.iter().filter(|(_, version)| stale || *version > cursor.version);
        Update {
            cursor: Cursor { epoch: self.epoch, version: state.version },
            running: state.running,
            stale,
            parts: changed.map(|(part, _)| part.clone()).collect(),
        }
    }
}

impl State {
    fn take(&mut self, event: &AgentEvent) {
        match event {
            AgentEvent::Message { message } | AgentEvent::ToolResult { message } => {
                self.put(message.clone());
            }
            AgentEvent::MessageDone { message } => self.put(message.clone()),
            AgentEvent::MemoryUsed { message, memories } => {
                self.change(*message, |m| m.details.memories.clone_from(memories));
            }
            AgentEvent::Context { meter } => {
                self.meter = Some(*meter);
                self.set(Part::new("context", thread::meter(Some(*meter))));
            }
            AgentEvent::Reasoning { message, text } => {
                self.change(*message, |m| m.reasoning.push_str(text));
            }
            AgentEvent::Content { message, text } => {
                self.change(*message, |m| m.content.push_str(text));
            }
            AgentEvent::Voted { message, votes } => {
                self.change(*message, |m| m.details.votes = Some(*votes));
            }
            AgentEvent::ToolCall { message, call, .. } => {
                self.change(*message, |m| {
                    match m.tool_calls.iter_mut().find(|c| c.id == call.id) {
                        Some(known) => *known = call.clone(),
                        None => m.tool_calls.push(call.clone()),
                    }
                });
            }
            AgentEvent::AwaitApproval { message, approvals } => {
                self.approvals.extend(approvals.iter().cloned());
                self.dirty.insert(*message, ());
            }
            AgentEvent::Decided { call, arguments, .. } => {
                self.approvals.retain(|a| a.call.id != *call);
                self.change_call(call, arguments.as_ref());
            }
            AgentEvent::ToolStarted { call } => self.change_call(call, None),
            // The page asks for the conversation again at the end of the run, which shows these.
            AgentEvent::Summarised { .. }
            | AgentEvent::Remembered { .. }
            | AgentEvent::Titled { .. }
            | AgentEvent::Finished { .. }
            | AgentEvent::Failed { .. } => {}
        }
    }

    /// A message as it is now: a new one, or the end of one that grew.
    fn put(&mut self, message: Message) {
        let owner = match &message.tool_call_id {
            Some(call) => self.owner(call),
            None => Some(message.id),
        };
        self.dirty.extend(owner.map(|id| (id, ())));
        match self.messages.iter_mut().find(|m| m.id == message.id) {
            Some(known) => *known = message,
            None => self.messages.push(message),
        }
    }

    fn change(&mut self, id: MessageId, change: impl FnOnce(&mut Message)) {
        if let Some(message) = self.messages.iter_mut().find(|m| m.id == id) {
            change(message);
            self.dirty.insert(id, ());
        }
    }

    /// The message that makes a call.
    fn owner(&self, call: &str) -> Option<MessageId> {
        let makes = |m: &&Message| m.tool_calls.iter().any(|c| c.id == call);
        self.messages.iter().rev().find(makes).map(|m| m.id)
    }

    fn change_call(&mut self, id: &str, arguments: Option<&serde_json::Value>) {
        let Some(owner) = self.owner(id) else { return };
        self.change(owner, |m| {
            let call = m.tool_calls.iter_mut().find(|c| c.id == id);
            if let (Some(call), Some(arguments)) = (call, arguments) {
                call.arguments = arguments.clone();
            }
        });
    }

    /// Brings the parts of what changed up to date.
    fn render(&mut self, keys: &Keys) {
        for (id, ()) in std::mem::take(&mut self.dirty) {
            let Some(message) = self.messages.iter().find(|m| m.id == id) else { continue };
            let parts = parts(message, &self.messages, &self.approvals, self.running, keys);
            let prefix = format!("m{id}-");
            if message.state == MessageState::Streaming {
                self.drop_blocks_beyond(&prefix, &parts);
            } else {
                // The whole article says it all.
                self.parts.retain(|(part, _)| !part.id.starts_with(&prefix));
            }
            parts.into_iter().for_each(|part| self.set(part));
        }
    }

    /// Empties the blocks of a text that became fewer: a definition at its end made some of them nothing.
    fn drop_blocks_beyond(&mut self, prefix: &str, parts: &[Part]) {
        let block = format!("{prefix}b");
        let gone: Vec<Part> = self
            .parts
            .iter()
            .filter(|(old, _)| old.id.starts_with(&block) && !parts.iter().any(|p| p.id == old.id))
            .map(|(old, _)| Part { html: String::new(), ..old.clone() })
            .collect();
        gone.into_iter().for_each(|part| self.set(part));
    }

    /// Replaces a part if it is another now.
    fn set(&mut self, part: Part) {
        let known = self.parts.iter_mut().find(|(p, _)| p.id == part.id);
        match known {
            Some((old, _)) if *old == part => return,
            Some(slot) => {
                self.version += 1;
                *slot = (part, self.version);
                return;
            }
            None => {}
        }
        self.version += 1;
        self.parts.push((part, self.version));
    }
}

/// What an ending means where no message tells it.
fn said_of(ending: &Ending) -> Option<String> {
    match ending {
        Ending::TooLong { n_prompt, limit } => Some(tf!(
            "This conversation needs {n} tokens, and the model can hold {limit}. Begin a new one, or choose a model that holds more.",
            n = n_prompt,
            limit = limit
        )),
        Ending::Failed { error } => Some(error.clone()),
        _ => None,
    }
}

/// A message's parts: all of it once it is written, else what there is of it piece by piece.
fn parts(
    message: &Message,
    messages: &[Message],
    approvals: &[Approval],
    running: bool,
    keys: &Keys,
) -> Vec<Part> {
    let id = format!("m{}", message.id);
    if message.role == Role::User {
        return vec![Part::of("thread", id, thread::user(message, &[message.id]))];
    }
    let results = messages.iter().filter(|m| m.role == Role::Tool).collect();
    let answer = Answer { message, results, approvals, running, turn: None, keys };
    let mut parts = Vec::new();
    if message.state == MessageState::Streaming {
        // The article is there once, without its text; the text comes block by block.
        let bare = Message {
            content: String::new(),
            reasoning: String::new(),
            tool_calls: Vec::new(),
            ..message.clone()
        };
        let frame = Answer {
            message: &bare,
            results: Vec::new(),
            approvals: &[],
            running,
            turn: None,
            keys,
        };
        parts.push(Part::of("thread", id.clone(), frame.render()));
        parts.push(Part::new(format!("{id}-before"), answer.before()));
        for (block, html) in answer.blocks() {
            let markup = maud::html! { div.block id=(block) { (html) } };
            parts.push(Part::of(format!("{id}-a"), block, markup));
        }
        parts.push(Part::new(format!("{id}-calls"), answer.calls()));
    } else {
        parts.push(Part::of("thread", id, answer.render()));
    }
    parts
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use psi_agent::{Details, Timestamp};

    use super::*;

    fn message(id: i64, role: Role, state: MessageState) -> Message {
        Message {
            id: MessageId(id),
            conversation: ConversationId(1),
            parent: None,
            role,
            content: String::new(),
            reasoning: String::new(),
            tool_calls: Vec::new(),
            tool_call_id: None,
            state,
            details: Details::default(),
            created_at: Timestamp(0),
        }
    }

    fn content(id: i64, text: &str) -> AgentEvent {
        AgentEvent::Content { message: MessageId(id), text: text.to_owned() }
    }

    fn ids(update: &Update) -> Vec<&str> {
        update.parts.iter().map(|p| p.id.as_str()).collect()
    }

    #[test]
    fn a_page_gets_what_changed_since_its_version_and_nothing_twice() {
        let rooms = Rooms::new(7);
        let room = rooms.of(ConversationId(1));
        let keys = Keys::default();
        room.take(&AgentEvent::Message {
            message: message(5, Role::Assistant, MessageState::Streaming),
        });
        let first = room.since(room.cursor(), &keys);
        assert!(!first.stale && ids(&first).contains(&"m5"), "{first:?}");
        room.take(&content(5, "One.\n\nTw"));
        let second = room.since(first.cursor, &keys);
        assert_eq!(ids(&second), ["m5-b0", "m5-b1"]);
        assert_eq!(second.parts[0].parent.as_deref(), Some("m5-a"));
        room.take(&content(5, "o."));
        let third = room.since(second.cursor, &keys);
        assert_eq!(ids(&third), ["m5-b1"]);
        assert!(room.since(third.cursor, &keys).parts.is_empty());
        // A page that comes late gets it all.
        let late = room.since(Cursor { epoch: 7, version: 0 }, &keys);
        assert!(ids(&late).ends_with(&["m5-b0", "m5-b1"]), "{late:?}");
        // The whole article takes the place of its pieces once it is written.
        let mut done = message(5, Role::Assistant, MessageState::Complete);
        done.content = "One.\n\nTwo.".to_owned();
        room.take(&AgentEvent::MessageDone { message: done });
        let last = room.since(third.cursor, &keys);
        assert_eq!(ids(&last), ["m5"]);
        assert!(last.parts[0].html.contains("Two."), "{last:?}");
    }

    #[test]
    fn pages_of_an_earlier_run_or_server_are_stale() {
        let room = Room::new(7);
        let keys = Keys::default();
        let before = room.cursor();
        room.end(None);
        assert!(room.since(before, &keys).stale);
        assert!(!room.since(room.cursor(), &keys).stale);
        assert!(room.since(Cursor { epoch: 6, ..room.cursor() }, &keys).stale);
        assert_eq!(Cursor::parse(&room.cursor().to_string()), Some(room.cursor()));
        assert_eq!(Cursor::parse("x.1"), None);
    }
}
