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

/// The last word of a query may be the beginning of one from so many letters on: what a shorter one begins is half
/// of everything, which takes a second to put together in half a million messages.
const MIN_BEGINNING: usize = 4;

impl Conversations {
    /// The messages that hold all the words of `query` (the last one as a beginning; a phrase in double
    /// quotes as it stands), the newest first. Temporary conversations are not searched.
    ///
    /// Not by BM25: how rare a word is takes a pass over everything that holds it, and since all words must
    /// be there it would say little.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn search(&self, query: &str, limit: usize) -> Result<Vec<Hit>> {
        let Some(terms) = fts_query(query) else { return Ok(Vec::new()) };
        self.db.read(|c| {
            // CROSS JOIN: in this order, so that the index is read from its end and no further than needed.
            let mut newest = c.prepare_cached(
                "SELECT m.conversation, c.title, m.id, m.role, m.created_at,
                   snippet(message_text, 0, ?2, ?3, '…', 16)
                 FROM message_text
                   CROSS JOIN message m ON m.id = message_text.rowid
                   CROSS JOIN conversation c ON c.id = m.conversation
                 WHERE message_text MATCH ?1 AND c.temporary = 0
                 ORDER BY message_text.rowid DESC LIMIT ?4",
            )?;
            let marks = (Hit::OPEN.to_string(), Hit::CLOSE.to_string());
            let mut rows = newest.query((&terms, &marks.0, &marks.1, limit as i64))?;
            let mut hits = Vec::new();
            while let Some(row) = rows.next()? {
                hits.push(Hit {
                    conversation: ConversationId(row.get(0)?),
                    title: row.get(1)?,
                    message: MessageId(row.get(2)?),
                    role: enum_from("message.role", &row.get::<_, String>(3)?)?,
                    said_at: Timestamp(row.get(4)?),
                    snippet: row.get(5)?,
                });
            }
            Ok(hits)
        })
    }
}

/// A query in FTS5's language that means the words of `text` and nothing else: its operators lose their
/// meaning between quotes. The last word may be the beginning of one, if it is long enough. `None` when there is no word.
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
    let last = text.chars().rev().take_while(|c| c.is_alphanumeric()).count();
    if let Some(last) = terms.last_mut().filter(|_| last >= MIN_BEGINNING) {
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
        check(r#"say "well done" now"#, Some(r#""say" "well done" "now""#));
        check(r#"half "open"#, Some(r#""half" "open"*"#));
        check("?! -", None);
        check("", None);
    }
}
