//! The assistant: what was said, what it knows, what it may do, and the loop that answers.
//!
//! Everything lasting lies in one SQLite file ([`Db`]): conversations as trees of messages
//! ([`Conversations`]), memory, feedback, grants and settings. The loop ([`agent::Agent`]) does no
//! input or output of its own: it is told what happened and says what to do next, so that it is tested
//! with scripts. Time is read through a [`Clock`] that the program passes in.

pub mod agent;
mod conversation;
mod db;
mod error;
mod html;
pub mod knowledge;
pub mod mcp;
mod time;
mod tool;
pub mod tools;

pub use conversation::{
    Attachment, Conversation, ConversationId, Conversations, Details, Draft, Hit, MemoryUse,
    Message, MessageId, MessageState, NewConversation, Role, TitleOrigin, ToolCall, ToolRun, Usage,
};
pub use db::Db;
pub use error::{AgentError, Result};
pub use time::{Clock, Timestamp};
pub use tool::{
    CallContext, Cancel, Effect, GrantedFolder, Tool, ToolError, ToolOutput, definitions,
};
