//! A run as others see it: its events from the first on, and what they may tell it.

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, PoisonError, mpsc::Sender},
};

use super::lock;
use crate::{
    agent::{AgentEvent, Approval, Decision, Input},
    conversation::ConversationId,
    error::{AgentError, Result},
    model::SourceEvent,
    tool::Cancel,
};

/// Gets a run's events with their numbers, from 1; returns whether it wants more. It is called on the
/// run's thread and must not block.
pub type EventSink = Box<dyn FnMut(u64, &AgentEvent) -> bool + Send>;

/// What reaches the thread of a run.
pub(super) enum Happening {
    /// Something for the loop.
    Input(Input),
    /// A piece of the model's answer.
    Model(SourceEvent),
}

/// A run: from a user's message to its answer. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Run(Arc<Shared>);

struct Shared {
    conversation: ConversationId,
    sender: Mutex<Sender<Happening>>,
    cancel: Cancel,
    log: Mutex<Log>,
    over: Condvar,
}

#[derive(Default)]
struct Log {
    events: Vec<AgentEvent>,
    sinks: Vec<EventSink>,
    pending: Vec<Approval>,
    is_over: bool,
}

impl Run {
    pub(super) fn new(conversation: ConversationId, sender: Sender<Happening>) -> Self {
        Self(Arc::new(Shared {
            conversation,
            sender: Mutex::new(sender),
            cancel: Cancel::default(),
            log: Mutex::default(),
            over: Condvar::new(),
        }))
    }

    /// The conversation it is in.
    pub fn conversation(&self) -> ConversationId {
        self.0.conversation
    }

    /// Sends the events after number `after` to `sink`: those there are at once, the others as they come.
    /// None is missed, and none comes twice.
    pub fn subscribe(&self, after: u64, mut sink: EventSink) {
        let mut log = lock(&self.0.log);
        for (event, number) in log.events.iter().zip(1..).skip(after as usize) {
            if !sink(number, event) {
                return;
            }
        }
        if !log.is_over {
            log.sinks.push(sink);
        }
    }

    /// Every event so far.
    pub fn events(&self) -> Vec<AgentEvent> {
        lock(&self.0.log).events.clone()
    }

    /// The calls that wait for the user.
    pub fn pending(&self) -> Vec<Approval> {
        lock(&self.0.log).pending.clone()
    }

    /// Decides on a call that waits.
    ///
    /// # Errors
    /// When no call of that name waits.
    pub fn decide(&self, call: &str, decision: Decision) -> Result<()> {
        let mut log = lock(&self.0.log);
        let at = log.pending.iter().position(|a| a.call.id == call);
        let at = at.ok_or_else(|| {
            AgentError::invalid("call", format!("no call {call} waits for a decision"))
        })?;
        if let Decision::Approve { arguments: Some(arguments), .. } = &decision
            && !arguments.is_object()
        {
            return Err(AgentError::invalid("arguments", "they must be a JSON object"));
        }
        let approval = log.pending.remove(at);
        let (approved, arguments) = match &decision {
            Decision::Approve { arguments, .. } => (true, arguments.clone()),
            Decision::Deny { .. } => (false, None),
        };
        log.emit(AgentEvent::Decided { call: approval.call.id, approved, arguments });
        drop(log);
        self.tell(Happening::Input(Input::Decided { call: call.to_owned(), decision }));
        Ok(())
    }

    /// Ends it soon: the model stops, calls that run are told to.
    pub fn cancel(&self) {
        self.0.cancel.cancel();
        self.tell(Happening::Input(Input::Cancel));
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        lock(&self.0.log).is_over
    }

    /// Waits until it is over.
    pub fn wait(&self) {
        let log = lock(&self.0.log);
        drop(
            self.0.over.wait_while(log, |log| !log.is_over).unwrap_or_else(PoisonError::into_inner),
        );
    }

    pub(super) fn cancel_flag(&self) -> &Cancel {
        &self.0.cancel
    }

    /// A run that is over hears nothing any more.
    pub(super) fn tell(&self, happening: Happening) {
        let _ = lock(&self.0.sender).send(happening);
    }

    pub(super) fn emit(&self, event: AgentEvent) {
        lock(&self.0.log).emit(event);
    }

    pub(super) fn set_pending(&self, pending: Vec<Approval>) {
        lock(&self.0.log).pending = pending;
    }

    /// The last event, after which the run is over.
    pub(super) fn close(&self, last: AgentEvent) {
        let mut log = lock(&self.0.log);
        log.emit(last);
        log.is_over = true;
        log.sinks.clear();
        log.pending.clear();
        self.0.over.notify_all();
    }
}

impl Log {
    fn emit(&mut self, event: AgentEvent) {
        let number = self.events.len() as u64 + 1;
        self.sinks.retain_mut(|sink| sink(number, &event));
        self.events.push(event);
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let log = lock(&self.0.log);
        write!(
            f,
            "Run({}, {} events, over: {})",
            self.0.conversation,
            log.events.len(),
            log.is_over
        )
    }
}
