//! What happens while the assistant answers, as the page and the terminal show it.

use serde::Serialize;
use serde_json::Value;

use super::{Approval, Ending};
use crate::{
    conversation::{MemoryUse, Message, MessageId, ToolCall, Votes},
    tool::Effect,
};

/// Something that happened. Serialised, `type` says what.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AgentEvent {
    /// A message was written: the user's, a tool's, or an assistant's that is now streaming.
    Message {
        /// The message so far.
        message: Message,
    },
    /// These memories stand in the prompt of a message.
    MemoryUsed {
        /// The assistant's message.
        message: MessageId,
        /// The memories, best first.
        memories: Vec<MemoryUse>,
    },
    /// How full the context is.
    Context {
        /// The meter.
        meter: ContextMeter,
    },
    /// Older messages now stand in the prompt as a summary.
    Summarised {
        /// The last message that the summary stands for.
        upto: MessageId,
        /// How many messages it stands for.
        n_messages: usize,
        /// The summary.
        text: String,
    },
    /// A piece of reasoning.
    Reasoning {
        /// The assistant's message.
        message: MessageId,
        /// The piece.
        text: String,
    },
    /// A piece of the answer.
    Content {
        /// The assistant's message.
        message: MessageId,
        /// The piece.
        text: String,
    },
    /// The model writes several answers, of which the most frequent is taken.
    Voted {
        /// The assistant's message.
        message: MessageId,
        /// How it stands.
        votes: Votes,
    },
    /// The model calls a tool.
    ToolCall {
        /// The assistant's message.
        message: MessageId,
        /// The call.
        call: ToolCall,
        /// What it would do; none for a tool that does not exist.
        effect: Option<Effect>,
    },
    /// Calls wait for the user.
    AwaitApproval {
        /// The assistant's message.
        message: MessageId,
        /// The calls.
        approvals: Vec<Approval>,
    },
    /// The user decided on a call.
    Decided {
        /// The call.
        call: String,
        /// Whether it may run.
        approved: bool,
        /// The arguments it will run with, where the user changed them.
        arguments: Option<Value>,
    },
    /// A call runs.
    ToolStarted {
        /// The call.
        call: String,
    },
    /// A call has run, or was not allowed to: the tool's message.
    ToolResult {
        /// The message, with [`crate::ToolRun`] in its details.
        message: Message,
    },
    /// An assistant's message has come to its end, whatever that is.
    MessageDone {
        /// The message.
        message: Message,
    },
    /// Facts were drawn from what the user said.
    Remembered {
        /// Their texts with their numbers.
        facts: Vec<MemoryUse>,
    },
    /// The conversation has a title.
    Titled {
        /// The title.
        title: String,
    },
    /// The run is over. The last event, unless it is `Failed`.
    Finished {
        /// How it ended.
        ending: Ending,
    },
    /// The run is over because something went wrong. The last event.
    Failed {
        /// What.
        error: String,
        /// A way out.
        hint: Option<String>,
    },
}

/// How full the context is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ContextMeter {
    /// Tokens of the prompt.
    pub n_used: usize,
    /// Tokens that the model can hold.
    pub n_limit: usize,
    /// Of the limit, kept free for the answer.
    pub n_reserved: usize,
    /// Messages that a summary stands for.
    pub n_summarised: usize,
}
