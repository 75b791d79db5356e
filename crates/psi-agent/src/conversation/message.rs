//! A message, and everything that is kept about how it came to be.

use std::fmt;

use rusqlite::Row;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::ConversationId;
use crate::{
    error::{AgentError, Result},
    time::Timestamp,
    tool::Effect,
};

/// The number of a message, unique over all conversations and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub i64);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool, answering a call.
    Tool,
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// It is being written.
    Streaming,
    /// It is whole.
    Complete,
    /// The user stopped it.
    Stopped,
    /// psi ended while it was being written; what had been written is there.
    Interrupted,
    /// An error ended it; [`Details::error`] says which.
    Failed,
}

/// A model's call of a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Its name within the conversation, which the answer refers to.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments: what the model wrote, or what the user made of it before approving.
    pub arguments: Value,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    /// Its number.
    pub id: MessageId,
    /// The conversation it is in.
    pub conversation: ConversationId,
    /// The message it answers; none for the first.
    pub parent: Option<MessageId>,
    /// Who speaks.
    pub role: Role,
    /// The text.
    pub content: String,
    /// What the model thought before.
    pub reasoning: String,
    /// The tools an assistant's message calls.
    pub tool_calls: Vec<ToolCall>,
    /// The call that a tool's message answers.
    pub tool_call_id: Option<String>,
    /// How far it has come.
    pub state: MessageState,
    /// How it came to be.
    pub details: Details,
    /// When it was begun.
    pub created_at: Timestamp,
}

/// A message before it has a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Who speaks.
    pub role: Role,
    /// The text.
    pub content: String,
    /// What the model thought before.
    pub reasoning: String,
    /// The tools an assistant's message calls.
    pub tool_calls: Vec<ToolCall>,
    /// The call that a tool's message answers.
    pub tool_call_id: Option<String>,
    /// How far it has come.
    pub state: MessageState,
    /// How it came to be.
    pub details: Details,
}

impl Draft {
    fn new(role: Role, content: &str) -> Self {
        Self {
            role,
            content: content.to_owned(),
            reasoning: String::new(),
            tool_calls: Vec::new(),
            tool_call_id: None,
            state: MessageState::Complete,
            details: Details::default(),
        }
    }

    /// What the user says.
    pub fn user(content: &str) -> Self {
        Self::new(Role::User, content)
    }

    /// What the assistant says.
    pub fn assistant(content: &str) -> Self {
        Self::new(Role::Assistant, content)
    }

    /// What a tool answers to a call.
    pub fn tool(call: &str, content: &str) -> Self {
        Self { tool_call_id: Some(call.to_owned()), ..Self::new(Role::Tool, content) }
    }
}

/// How a message came to be. Every field may be missing: older messages know less.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    /// The model that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The adapter on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// Tokens read and written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What the model was asked several times for, and how many of its answers agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub votes: Option<Votes>,
    /// Why it ends: `stop`, `length`, `tool_calls`, `cancelled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish: Option<String>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The memories that stood in its prompt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub memories: Vec<MemoryUse>,
    /// The instructions that began its prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// The last message that a summary stood for in its prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summarised_upto: Option<MessageId>,
    /// The names of the tools that were offered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// The hash under which their definitions are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toolset: Option<String>,
    /// How the tool ran that this message answers for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<ToolRun>,
    /// Files that the user gave with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Whether a schedule said it, with nobody at the keyboard.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unattended: bool,
    /// The message of which this is a corrected version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_from: Option<MessageId>,
    /// Milliseconds from the request to the first piece and to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<u64>,
    /// Milliseconds from the request to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_ms: Option<u64>,
}

/// Tokens of one generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub n_prompt: usize,
    /// Of those, taken from the cache.
    pub n_cached: usize,
    /// Tokens written.
    pub n_generated: usize,
}

/// The answers that a model wrote to one prompt, of which the most frequent was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Votes {
    /// How many it writes.
    pub of: usize,
    /// How many it has written.
    pub done: usize,
    /// How many of them say the same as the one taken.
    pub agreed: usize,
    /// Tokens of all of them.
    pub n_generated: usize,
}

/// A memory that stood in a prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryUse {
    /// Its number.
    pub fact: i64,
    /// Its text. It is not kept with the message but read from memory: empty when it is forgotten.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// How well it fitted, from 0 to 1.
    pub score: f32,
    /// The message it was drawn from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<MessageId>,
}

/// How a tool ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolRun {
    /// The tool.
    pub name: String,
    /// What the call does to the world.
    pub effect: Effect,
    /// Whether it succeeded.
    pub ok: bool,
    /// How it was allowed: `none_needed`, `once`, `chat`, `always`, `denied`.
    pub approval: String,
    /// Milliseconds it took.
    pub duration_ms: u64,
    /// The arguments it ran with: the model's, or what the user made of them.
    #[serde(default)]
    pub arguments: Value,
    /// Whether the answer holds text of others, which may try to give orders.
    pub untrusted: bool,
    /// What the tool returned beside the text, for the page.
    #[serde(skip_serializing_if = "Value::is_null", default)]
    pub data: Value,
}

/// A file given with a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// What it is called.
    pub name: String,
    /// Its number among the files that were given; 0 when the file itself is not here.
    pub document: i64,
    /// Whether the excerpts are all of it.
    #[serde(default)]
    pub whole: bool,
    /// What the model is shown of it.
    #[serde(default)]
    pub excerpts: Vec<Excerpt>,
}

/// A part of a file that was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    /// First and last line, from 1.
    pub lines: (usize, usize),
    /// First byte and the byte after the last.
    pub bytes: (usize, usize),
    /// The text.
    pub text: String,
}

impl Attachment {
    /// How the model reads it, below the message.
    fn shown(&self) -> String {
        let of = if self.whole { "The attached file" } else { "From the attached file" };
        let texts: Vec<&str> = self.excerpts.iter().map(|e| e.text.trim()).collect();
        format!("{of} {}:\n\"\"\"\n{}\n\"\"\"", self.name, texts.join("\n...\n"))
    }
}

impl Message {
    /// Whether nobody writes it any more.
    pub fn is_done(&self) -> bool {
        self.state != MessageState::Streaming
    }

    /// The message as chat templates and APIs take it.
    pub fn to_openai(&self) -> Value {
        let mut message = Map::new();
        let mut put = |key: &str, value: Value| message.insert(key.to_owned(), value);
        put("role", enum_value(self.role));
        let files = self.details.attachments.iter().map(Attachment::shown);
        let content: Vec<String> = std::iter::once(self.content.clone()).chain(files).collect();
        put("content", json!(content.join("\n\n")));
        if !self.reasoning.is_empty() {
            put("reasoning_content", json!(self.reasoning));
        }
        if !self.tool_calls.is_empty() {
            let call = |c: &ToolCall| {
                let function = json!({"name": c.name, "arguments": c.arguments});
                json!({"id": c.id, "type": "function", "function": function})
            };
            put("tool_calls", self.tool_calls.iter().map(call).collect());
        }
        if let Some(call) = &self.tool_call_id {
            put("tool_call_id", json!(call));
            if let Some(run) = &self.details.run {
                put("name", json!(run.name));
            }
        }
        Value::Object(message)
    }

    /// The columns that [`Message::from_row`] reads, in its order.
    pub(super) const COLUMNS: &'static str = "id, conversation, parent, role, content, reasoning, \
        tool_calls, tool_call_id, state, details, created_at";

    pub(super) fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: MessageId(row.get(0)?),
            conversation: ConversationId(row.get(1)?),
            parent: row.get::<_, Option<i64>>(2)?.map(MessageId),
            role: enum_from("message.role", &row.get::<_, String>(3)?)?,
            content: row.get(4)?,
            reasoning: row.get(5)?,
            tool_calls: json_from("message.tool_calls", &row.get::<_, String>(6)?)?,
            tool_call_id: row.get(7)?,
            state: enum_from("message.state", &row.get::<_, String>(8)?)?,
            details: json_from("message.details", &row.get::<_, String>(9)?)?,
            created_at: Timestamp(row.get(10)?),
        })
    }
}

/// The name under which an enum without fields is stored and sent.
pub(crate) fn enum_value<T: Serialize>(value: T) -> Value {
    serde_json::to_value(value).expect("an enum without fields has a JSON form")
}

/// [`enum_value`] as text.
pub(crate) fn enum_name<T: Serialize>(value: T) -> String {
    enum_value(value).as_str().expect("an enum without fields is a string").to_owned()
}

/// The reverse of [`enum_name`].
pub(crate) fn enum_from<T: DeserializeOwned>(what: &'static str, name: &str) -> Result<T> {
    serde_json::from_value(json!(name)).map_err(|e| AgentError::corrupt(what, e))
}

/// What is kept of how a message came to be: memories by number only, so that what is forgotten is
/// forgotten here too.
pub(super) fn details_column(details: &Details) -> String {
    let mut kept = details.clone();
    kept.memories.iter_mut().for_each(|m| m.text.clear());
    to_json(&kept)
}

/// A column that holds JSON.
pub(crate) fn json_from<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| AgentError::corrupt(what, e))
}

/// A value for a column that holds JSON.
pub(crate) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("psi's own values have a JSON form")
}
