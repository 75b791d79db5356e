//! What a tool is: a name, a definition for the model, what a call would do to the world, and the call.

use std::{
    error::Error,
    fmt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    conversation::{ConversationId, MessageId},
    time::Timestamp,
};

/// What a call does to the world, from nothing to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing: the answer depends on the arguments, the clock and psi's own memory.
    None,
    /// It reads what the user has granted.
    Reads,
    /// It changes something that lasts: files, notes, memory.
    Writes,
    /// It runs code.
    Runs,
    /// It uses the network.
    Network,
}

impl Effect {
    /// Whether a call waits for approval unless there is a grant.
    pub fn needs_approval(self) -> bool {
        self >= Self::Writes
    }
}

/// Something that the model may call.
pub trait Tool: Send + Sync {
    /// Its name, as the model writes it.
    fn name(&self) -> &str;

    /// Its definition in the form of OpenAI's API: `{"type": "function", "function": {...}}`.
    fn definition(&self) -> Value;

    /// What a call with these arguments would do.
    fn effect(&self, arguments: &Value) -> Effect;

    /// What a standing grant is for. A tool whose definition others may change adds a hash of it, so
    /// that a grant does not outlive the definition it was given for.
    fn grant_key(&self) -> String {
        self.name().to_owned()
    }

    /// Whether it may run without approval as long as nothing untrusted stands in the context:
    /// for tools of psi's own whose effect the user can see and undo.
    fn is_granted_by_default(&self) -> bool {
        false
    }

    /// Runs a call.
    ///
    /// # Errors
    /// [`ToolError`]; the model reads it and may try again.
    fn call(&self, arguments: &Value, context: &CallContext) -> Result<ToolOutput, ToolError>;
}

/// The definitions of several tools, as chat templates and APIs take them.
pub fn definitions(tools: &[Arc<dyn Tool>]) -> Vec<Value> {
    tools.iter().map(|t| t.definition()).collect()
}

/// What a call may know and use.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// Set when the user stops the answer: return soon.
    pub cancel: Cancel,
    /// When the call must have returned.
    pub deadline: Option<Instant>,
    /// The folders the user granted.
    pub folders: Vec<GrantedFolder>,
    /// The conversation the call belongs to.
    pub conversation: ConversationId,
    /// The user's message that led to it: the source of what a memory tool keeps.
    pub source: Option<MessageId>,
    /// The time.
    pub now: Timestamp,
}

impl CallContext {
    /// An error when the call should end: the user stopped it, or its time is over.
    ///
    /// # Errors
    /// [`ToolError::Cancelled`] or [`ToolError::TimedOut`].
    pub fn check(&self) -> Result<(), ToolError> {
        if self.cancel.is_cancelled() {
            return Err(ToolError::Cancelled);
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(ToolError::TimedOut),
            _ => Ok(()),
        }
    }
}

/// A folder that tools may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedFolder {
    /// The folder.
    pub path: PathBuf,
    /// Whether files in it may be written (each time with approval).
    pub write: bool,
}

/// A flag that one side sets and the other looks at.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Sets it, for good.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// The flag itself, for what looks at one.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.0
    }

    /// Whether it is set.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a call returns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolOutput {
    /// What the model reads.
    pub text: String,
    /// Whether the text is of others (a file, a web page, another program): with it in the context,
    /// standing grants do not count.
    pub untrusted: bool,
    /// What the page may show beside the text: passages, tables. `Null` for nothing.
    pub data: Value,
}

impl ToolOutput {
    /// A text of psi's own.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A text of others.
    pub fn untrusted(text: impl Into<String>) -> Self {
        Self { text: text.into(), untrusted: true, data: Value::Null }
    }
}

/// Why a call failed. Its text is what the model reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolError {
    /// The arguments are not what the definition asks for.
    BadArguments(String),
    /// The user's grants do not cover it.
    NotAllowed(String),
    /// It was tried and did not work.
    Failed(String),
    /// It took too long.
    TimedOut,
    /// The user stopped it.
    Cancelled,
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadArguments(why) | Self::NotAllowed(why) | Self::Failed(why) => f.write_str(why),
            Self::TimedOut => f.write_str("it took too long"),
            Self::Cancelled => f.write_str("the user stopped it"),
        }
    }
}

impl Error for ToolError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_ends_when_it_is_stopped_or_late() {
        let mut context = CallContext {
            cancel: Cancel::default(),
            deadline: None,
            folders: Vec::new(),
            conversation: ConversationId(1),
            source: None,
            now: Timestamp(0),
        };
        assert_eq!(context.check(), Ok(()));
        context.deadline = Some(Instant::now());
        assert_eq!(context.check(), Err(ToolError::TimedOut));
        context.cancel.clone().cancel();
        assert_eq!(context.check(), Err(ToolError::Cancelled));
    }
}
