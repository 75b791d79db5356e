//! Conversations in and out: JSON that can be read back whole, Markdown for people.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Conversation, ConversationId, Conversations, Details, Draft, Message, MessageId, MessageState,
    Role, ToolCall, foreign, message::enum_name, store::insert_message,
};
use crate::{
    error::{AgentError, Result},
    time::Timestamp,
};

/// What the files call themselves.
const FORMAT: &str = "psi-conversations";
/// The version written, and the only one read.
const VERSION: u64 = 1;

/// A conversation in a file. Numbers of messages count within it only.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Exported {
    #[serde(default)]
    pub(super) title: String,
    #[serde(default)]
    pub(super) system_prompt: Option<String>,
    pub(super) created_at: Timestamp,
    #[serde(default)]
    pub(super) leaf: Option<i64>,
    pub(super) messages: Vec<ExportedMessage>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ExportedMessage {
    pub(super) id: i64,
    #[serde(default)]
    pub(super) parent: Option<i64>,
    pub(super) role: Role,
    pub(super) content: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) reasoning: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_calls: Vec<ToolCall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tool_call_id: Option<String>,
    pub(super) state: MessageState,
    #[serde(default)]
    pub(super) details: Details,
    pub(super) created_at: Timestamp,
}

impl Conversations {
    /// Conversations as one JSON document, with all their branches.
    ///
    /// # Errors
    /// When one is not there.
    pub fn export(&self, ids: &[ConversationId]) -> Result<Value> {
        let mut conversations = Vec::new();
        for &id in ids {
            let Conversation { title, system_prompt, created_at, leaf, .. } = self.get(id)?;
            let messages = self.all(id)?.into_iter().map(ExportedMessage::from).collect();
            let leaf = leaf.map(|l| l.0);
            conversations.push(Exported { title, system_prompt, created_at, leaf, messages });
        }
        Ok(json!({"format": FORMAT, "version": VERSION, "conversations": conversations}))
    }

    /// The branch that is shown, as Markdown: a heading per speaker, calls and their results as code.
    ///
    /// # Errors
    /// When there is no such conversation.
    pub fn to_markdown(&self, id: ConversationId) -> Result<String> {
        let conversation = self.get(id)?;
        let mut text = format!("# {}\n", conversation.title);
        for message in self.branch(id)? {
            let who = match message.role {
                Role::User => "You".to_owned(),
                Role::Assistant => {
                    message.details.model.clone().unwrap_or_else(|| "Assistant".to_owned())
                }
                Role::Tool => {
                    message.details.run.as_ref().map_or("Tool".to_owned(), |r| r.name.clone())
                }
            };
            text.push_str(&format!("\n## {who} · {}\n", message.created_at));
            match message.role {
                Role::Tool => text.push_str(&fenced(&message.content)),
                _ if !message.content.is_empty() => {
                    text.push_str(&format!("\n{}\n", message.content));
                }
                _ => {}
            }
            for call in &message.tool_calls {
                text.push_str(&fenced(&format!("{} {}", call.name, call.arguments)));
            }
            if message.state != MessageState::Complete {
                text.push_str(&format!("\n*({})*\n", enum_name(message.state)));
            }
        }
        Ok(text)
    }

    /// Writes the conversations of a document that [`Conversations::export`] or another assistant (ChatGPT, Claude,
    /// Open WebUI) made, as new ones. What tools had returned in them counts as text of others.
    ///
    /// # Errors
    /// When the document is not one, or a message names a parent that does not come before it.
    pub fn import(&self, document: &Value) -> Result<Vec<ConversationId>> {
        if let Some(list) = document.as_array() {
            let read = foreign::read(list)?;
            return self.db.write(|t| read.iter().map(|c| insert(t, c)).collect());
        }
        let (format, version) = (document["format"].as_str(), document["version"].as_u64());
        if (format, version) != (Some(FORMAT), Some(VERSION)) {
            let why = format!(
                "it must say \"format\": \"{FORMAT}\", \"version\": {VERSION}, or be the list that ChatGPT, Claude or Open WebUI exports"
            );
            return Err(AgentError::invalid("import", why));
        }
        let read: Vec<Exported> = serde_json::from_value(document["conversations"].clone())
            .map_err(|e| AgentError::invalid("import", e.to_string()))?;
        self.db.write(|t| read.iter().map(|c| insert(t, c)).collect())
    }
}

impl From<Message> for ExportedMessage {
    fn from(m: Message) -> Self {
        Self {
            id: m.id.0,
            parent: m.parent.map(|p| p.0),
            role: m.role,
            content: m.content,
            reasoning: m.reasoning,
            tool_calls: m.tool_calls,
            tool_call_id: m.tool_call_id,
            state: m.state,
            details: m.details,
            created_at: m.created_at,
        }
    }
}

fn insert(t: &Connection, conversation: &Exported) -> Result<ConversationId> {
    let last = conversation.messages.iter().map(|m| m.created_at).max();
    t.execute(
        "INSERT INTO conversation (title, title_origin, system_prompt, created_at, updated_at)
         VALUES (?1, 'user', ?2, ?3, ?4)",
        (
            &conversation.title,
            &conversation.system_prompt,
            conversation.created_at.0,
            last.unwrap_or(conversation.created_at).0,
        ),
    )?;
    let id = ConversationId(t.last_insert_rowid());
    let mut numbers: BTreeMap<i64, MessageId> = BTreeMap::new();
    for message in &conversation.messages {
        let place = |number: i64| {
            numbers.get(&number).copied().ok_or_else(|| {
                let why = format!("message {} names {number}, which is not before it", message.id);
                AgentError::invalid("import", why)
            })
        };
        let parent = message.parent.map(place).transpose()?;
        let written = insert_message(t, id, parent, &draft(message), message.created_at)?;
        numbers.insert(message.id, written);
    }
    let leaf = conversation.leaf.and_then(|l| numbers.get(&l)).or_else(|| numbers.values().last());
    t.execute("UPDATE conversation SET leaf = ?2 WHERE id = ?1", (id.0, leaf.map(|l| l.0)))?;
    Ok(id)
}

/// A message of a document as it is kept here.
fn draft(message: &ExportedMessage) -> Draft {
    let mut details = message.details.clone();
    // Numbers of the other database mean other things here.
    details.memories.clear();
    (details.edited_from, details.summarised_upto) = (None, None);
    details.attachments.iter_mut().for_each(|file| file.document = 0);
    if let Some(run) = &mut details.run {
        run.untrusted = true;
    }
    let state = match message.state {
        MessageState::Streaming => MessageState::Interrupted,
        other => other,
    };
    Draft {
        role: message.role,
        content: message.content.clone(),
        reasoning: message.reasoning.clone(),
        tool_calls: message.tool_calls.clone(),
        tool_call_id: message.tool_call_id.clone(),
        state,
        details,
    }
}

/// A text as a code block whose fence is longer than any in it.
pub(super) fn fenced(text: &str) -> String {
    let longest = text.lines().map(|l| l.chars().take_while(|c| *c == '`').count()).max();
    let fence = "`".repeat(longest.unwrap_or(0).max(2) + 1);
    format!("\n{fence}\n{text}\n{fence}\n")
}
