//! The assistant: what was said, what it knows, what it may do, and the loop that answers.
//!
//! Everything lasting lies in one SQLite file ([`Db`]): conversations as trees of messages
//! ([`Conversations`]), memory, feedback, grants and settings. The loop ([`agent::Agent`]) does no
//! input or output of its own: it is told what happened and says what to do next, so that it is tested
//! with scripts. Time is read through a [`Clock`] that the program passes in.

mod access;
pub mod agent;
pub mod assistant;
pub mod commands;
mod conversation;
mod db;
mod error;
pub mod feedback;
mod grants;
mod html;
pub mod knowledge;
pub mod mcp;
pub mod memory;
pub mod model;
pub mod projects;
pub mod prompts;
pub mod schedule;
pub mod settings;
pub mod tasks;
mod time;
mod tool;
pub mod toolbox;
pub mod tools;

pub use access::{Access, MIN_PASSWORD, Token};
pub use assistant::Assistant;
pub use conversation::{
    Attachment, Conversation, ConversationId, Conversations, Details, Draft, Excerpt, Hit,
    MemoryUse, Message, MessageId, MessageState, NewConversation, Role, Summary, TitleOrigin,
    ToolCall, ToolRun, Usage, Votes,
};
pub use db::{Db, decrypt, encrypt};
pub use error::{AgentError, Result};
pub use feedback::Feedback;
pub use grants::{Grant, GrantBook};
pub use memory::Memory;
pub use projects::{NewProject, Project, Projects};
pub use prompts::{Prompts, SavedPrompt};
pub use psi_vault::{Cost, Passphrase, Vault, VaultError};
pub use settings::Settings;
pub use tasks::{NewTask, RunState, Task, TaskKind, TaskRun, Tasks};
pub use time::{Clock, Timestamp};
pub use tool::{
    CallContext, Cancel, Effect, GrantedFolder, Tool, ToolError, ToolOutput, definitions,
};
