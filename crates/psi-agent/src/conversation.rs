//! Conversations: trees of messages, of which one branch is shown.
//!
//! Editing a message or asking again does not overwrite: it adds a sibling, and the conversation's
//! `leaf` moves to the new branch.

mod exchange;
mod foreign;
mod message;
mod search;
mod store;
mod summary;
mod title;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use message::{
    Attachment, Details, Draft, Excerpt, MemoryUse, Message, MessageId, MessageState, Role,
    ToolCall, ToolRun, Usage, Votes,
};
pub(crate) use message::{enum_from, enum_name, json_from, to_json};
pub use search::Hit;
pub(crate) use store::found;
pub use summary::Summary;

use crate::{db::Db, time::Timestamp};

/// The number of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConversationId(pub i64);

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a title comes from: a better origin is not overwritten by a lesser one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TitleOrigin {
    /// There is none yet.
    None,
    /// The first message, shortened.
    Rule,
    /// A model wrote it.
    Model,
    /// The user typed it.
    User,
}

/// A conversation, without its messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conversation {
    /// Its number.
    pub id: ConversationId,
    /// What it is called; empty before the first message.
    pub title: String,
    /// Who called it that.
    pub title_origin: TitleOrigin,
    /// Instructions that come before everything.
    pub system_prompt: Option<String>,
    /// The model that was chosen for it.
    pub model: Option<String>,
    /// The project that it is in.
    pub project: Option<i64>,
    /// Not listed, not searched, without memory, and gone when psi next starts.
    pub temporary: bool,
    /// Kept at the top of the list.
    pub pinned: bool,
    /// The end of the branch that is shown.
    pub leaf: Option<MessageId>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When something was last written in it.
    pub updated_at: Timestamp,
}

/// What a conversation begins with.
#[derive(Clone, Debug, Default)]
pub struct NewConversation {
    /// Its title, if the user gave one.
    pub title: Option<String>,
    /// Instructions that come before everything.
    pub system_prompt: Option<String>,
    /// The model that is to answer.
    pub model: Option<String>,
    /// The project that it is in.
    pub project: Option<i64>,
    /// Not listed, not searched, without memory.
    pub temporary: bool,
}

/// All conversations of a database.
#[derive(Clone, Debug)]
pub struct Conversations {
    db: Db,
}

impl Conversations {
    /// Those of `db`.
    pub fn new(db: &Db) -> Self {
        Self { db: db.clone() }
    }
}
