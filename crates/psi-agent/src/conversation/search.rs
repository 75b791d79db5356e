//! Full-text search over everything that was said.

use serde::Serialize;

use super::{ConversationId, Conversations, MessageId, Role, message::enum_from};
use crate::{error::Result, time::Timestamp};

/// A message that a search found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hit {
    /// The conversation.
    pub conversation: ConversationId,
    /// Its title.
    pub title: String,
    /// The message.
    pub message: MessageId,
    /// Who said it.
    pub role: Role,
    /// When.
    pub said_at: Timestamp,
    /// The passage, with the words found between [`Hit::OPEN`] and [`Hit::CLOSE`].
    pub snippet: String,
}

impl Hit {
    /// Stands before a word found: a character that no text contains.
    pub const OPEN: char = '\u{e000}';
    /// Stands after a word found.
    pub const CLOSE: char = '\u{e001}';
}

/// Of very many messages that match, the newest so many are ranked: what a common word finds in half a
/// million messages is not read to the end.
const MAX_RANKED: usize = 2000;

impl Conversations {
    /// The messages that hold all the words of `query` (the last one as a beginning; a phrase in double
    /// quotes as it stands), the best first. Temporary conversations are not searched.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn search(&self, query: &str, limit: usize) -> Result<Vec<Hit>> {
        let Some(terms) = fts_query(query) else { return Ok(Vec::new()) };
        self.db.read(|c| {
            let mut ranked = c.prepare_cached(
                "WITH newest AS (
                   SELECT rowid AS id, bm25(message_text) AS score
                   FROM message_text WHERE message_text MATCH ?1 ORDER BY rowid DESC LIMIT ?2)
                 SELECT m.conversation, c.title, m.id, m.role, m.created_at
                 FROM newest JOIN message m ON m.id = newest.id
                   JOIN conversation c ON c.id = m.conversation
                 WHERE c.temporary = 0 ORDER BY newest.score, m.id DESC LIMIT ?3",
            )?;
            let mut snippet = c.prepare_cached(
                "SELECT snippet(message_text, 0, ?3, ?4, '…', 16) FROM message_text
                 WHERE message_text MATCH ?1 AND rowid = ?2",
            )?;
            let marks = (Hit::OPEN.to_string(), Hit::CLOSE.to_string());
            let mut rows = ranked.query((&terms, MAX_RANKED as i64, limit as i64))?;
            let mut hits = Vec::new();
            while let Some(row) = rows.next()? {
                let id: i64 = row.get(2)?;
                hits.push(Hit {
                    conversation: ConversationId(row.get(0)?),
                    title: row.get(1)?,
                    message: MessageId(id),
                    role: enum_from("message.role", &row.get::<_, String>(3)?)?,
                    said_at: Timestamp(row.get(4)?),
                    snippet: snippet
                        .query_row((&terms, id, &marks.0, &marks.1), |row| row.get(0))?,
                });
            }
            Ok(hits)
        })
    }
}

/// A query in FTS5's language that means the words of `text` and nothing else: its operators lose their
/// meaning between quotes. The last word may be the beginning of one. `None` when there is no word.
pub(crate) fn fts_query(text: &str) -> Option<String> {
    let mut terms: Vec<String> = Vec::new();
    for (i, part) in text.split('"').enumerate() {
        let is_phrase = i % 2 == 1;
        if is_phrase && has_word(part) {
            terms.push(format!("\"{part}\""));
        } else if !is_phrase {
            let words = part.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
            terms.extend(words.map(|w| format!("\"{w}\"")));
        }
    }
    let ends_in_word = text.chars().last().is_some_and(char::is_alphanumeric);
    if let Some(last) = terms.last_mut().filter(|_| ends_in_word) {
        last.push('*');
    }
    (!terms.is_empty()).then(|| terms.join(" "))
}

fn has_word(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_means_its_words_only() {
        let check = |text: &str, want: Option<&str>| {
            assert_eq!(fts_query(text).as_deref(), want, "{text}");
        };
        check("red apple", Some(r#""red" "apple"*"#));
        check("red apple ", Some(r#""red" "apple""#));
        check("NOT a-b OR c*", Some(r#""NOT" "a" "b" "OR" "c""#));
        check(r#"say "well done" now"#, Some(r#""say" "well done" "now"*"#));
        check(r#"half "open"#, Some(r#""half" "open"*"#));
        check("?! -", None);
        check("", None);
    }
}
