//! Summaries that stand in the prompt for the older messages of a branch. The messages stay.

use super::{ConversationId, Conversations, MessageId};
use crate::error::Result;

/// A summary.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Its number.
    pub id: i64,
    /// The last message that it stands for.
    pub upto: MessageId,
    /// The text.
    pub content: String,
    /// How many messages it stands for.
    pub n_messages: usize,
}

impl Conversations {
    /// Keeps a summary of the messages up to `upto`. `model`: who wrote it; none: a rule did.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn summarise(
        &self,
        upto: MessageId,
        content: &str,
        n_messages: usize,
        model: Option<&str>,
    ) -> Result<Summary> {
        let conversation = self.message(upto)?.conversation;
        let now = self.db.now();
        let id = self.db.write(|t| {
            let row = (conversation.0, upto.0, content, n_messages as i64, model, now.0);
            let sql =
                "INSERT INTO summary (conversation, upto, content, n_messages, model, created_at)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            t.execute(sql, row)?;
            Ok(t.last_insert_rowid())
        })?;
        Ok(Summary { id, upto, content: content.to_owned(), n_messages })
    }

    /// The summaries of a conversation, of all its branches.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn summaries(&self, conversation: ConversationId) -> Result<Vec<Summary>> {
        self.db.read(|c| {
            let sql = "SELECT id, upto, content, n_messages FROM summary
                       WHERE conversation = ?1 ORDER BY id";
            let mut statement = c.prepare_cached(sql)?;
            let found = statement.query_map([conversation.0], |row| {
                Ok(Summary {
                    id: row.get(0)?,
                    upto: MessageId(row.get(1)?),
                    content: row.get(2)?,
                    n_messages: row.get::<_, i64>(3)? as usize,
                })
            })?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
    }
}
