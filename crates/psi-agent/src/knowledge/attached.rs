//! Files given in a conversation: read once, kept with it, and shown to the model as far as there is room.

use std::collections::BTreeSet;

use rusqlite::OptionalExtension;

use super::{
    Knowledge,
    extract::{Extracted, extract},
    passages,
};
use crate::{
    Result,
    conversation::{Attachment, ConversationId, Excerpt},
    error::AgentError,
    memory::{Embedder, HashedNgrams},
};

/// Milliseconds for which a file is kept that was never sent.
const UNSENT_MS: i64 = 24 * 3_600_000;

impl Knowledge {
    /// Reads a file that is about to be given in a conversation; its number.
    ///
    /// # Errors
    /// When it holds no text, or the database cannot be written.
    pub fn attach(&self, name: &str, bytes: &[u8]) -> Result<i64> {
        let refuse = |why: String| AgentError::invalid("file", format!("{name}: {why}"));
        let text = match extract(name, bytes) {
            Extracted::Pages(pages) => pages.join("\n"),
            Extracted::NoText(why) | Extracted::Failed(why) => return Err(refuse(why)),
            Extracted::NotText => return Err(refuse("it is not a file of text".to_owned())),
        };
        if text.trim().is_empty() {
            return Err(refuse("it is empty".to_owned()));
        }
        let now = self.db.now().0;
        let old = "DELETE FROM attachment WHERE conversation IS NULL AND added_at < ?1";
        let add = "INSERT INTO attachment (name, content, added_at) VALUES (?1, ?2, ?3)";
        self.db.write(|t| {
            t.execute(old, [now - UNSENT_MS])?;
            t.execute(add, (name, &text, now))?;
            Ok(t.last_insert_rowid())
        })
    }

    /// Name and text of a file that was given.
    ///
    /// # Errors
    /// When there is none of this number, or the database cannot be read.
    pub fn attached(&self, id: i64) -> Result<(String, String)> {
        self.db.read(|c| {
            let find = "SELECT name, content FROM attachment WHERE id = ?1";
            let found = c.query_row(find, [id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            found.ok_or(AgentError::NotFound { what: "attachment", id })
        })
    }

    /// Drops a file that is not to be given after all.
    ///
    /// # Errors
    /// When there is none of this number that has not been sent, or the database cannot be written.
    pub fn detach(&self, id: i64) -> Result<()> {
        let drop = "DELETE FROM attachment WHERE id = ?1 AND conversation IS NULL";
        if self.db.write(|t| Ok(t.execute(drop, [id])?))? == 0 {
            return Err(AgentError::NotFound { what: "attachment", id });
        }
        self.db.scrub()
    }

    /// Gives a file in a conversation: what the model is shown of it beside a message, at most `room` characters
    /// of the passages that fit the message best.
    ///
    /// # Errors
    /// When there is none of this number, it was given elsewhere, or the database cannot be written.
    pub fn give(
        &self,
        id: i64,
        conversation: ConversationId,
        message: &str,
        room: usize,
    ) -> Result<Attachment> {
        let (name, text) = self.attached(id)?;
        let give = "UPDATE attachment SET conversation = ?2
            WHERE id = ?1 AND (conversation IS NULL OR conversation = ?2)";
        if self.db.write(|t| Ok(t.execute(give, (id, conversation.0))?))? == 0 {
            return Err(AgentError::NotFound { what: "attachment", id });
        }
        let excerpts = choose(&text, message, room)?;
        Ok(Attachment { name, document: id, whole: text.len() == total(&excerpts), excerpts })
    }
}

fn total(excerpts: &[Excerpt]) -> usize {
    excerpts.iter().map(|e| e.bytes.1 - e.bytes.0).sum()
}

/// The passages that fit a message best and together have room, in the order of the text. Of a passage that is too
/// long by itself, the beginning.
fn choose(text: &str, message: &str, room: usize) -> Result<Vec<Excerpt>> {
    let parts = passages::cut(text);
    let embed =
        |text: &str| HashedNgrams.embed(text).map_err(|why| AgentError::invalid("embedder", why));
    let wanted = embed(message)?;
    let mut ranked = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let fit: f32 = embed(part.text)?.iter().zip(&wanted).map(|(a, b)| a * b).sum();
        ranked.push((fit, at));
    }
    // Of equals the earlier one: a message that says nothing of the file gets its beginning.
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let (mut left, mut chosen) = (room, BTreeSet::new());
    for (_, at) in &ranked {
        if parts[*at].text.len() <= left {
            left -= parts[*at].text.len();
            chosen.insert(*at);
        }
    }
    let first = ranked.first().filter(|_| chosen.is_empty()).map(|(_, at)| *at);
    let excerpt = |at: usize| {
        let part = &parts[at];
        let shown = &part.text[..part.text.floor_char_boundary(room.max(1))];
        let bytes = (part.first_byte, part.first_byte + shown.len());
        Excerpt { lines: part.lines, bytes, text: shown.to_owned() }
    };
    Ok(chosen.into_iter().chain(first).map(excerpt).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_file_is_shown_whole_and_of_a_long_one_what_fits_the_question() {
        let short = choose("One.\n\nTwo.\n", "what?", 1000).unwrap();
        assert_eq!((short.len(), short[0].bytes), (1, (0, 11)));
        let filler = "The heron stands and waits.\n".repeat(60);
        let long = format!("{filler}\nThe harbour opens at nine.\n\n{filler}");
        let chosen = choose(&long, "When does the harbour open?", 1200).unwrap();
        assert!(total(&chosen) <= 1200);
        assert!(chosen.iter().any(|e| e.text.contains("harbour opens at nine")), "{chosen:?}");
        for excerpt in &chosen {
            assert_eq!(&long[excerpt.bytes.0..excerpt.bytes.1], excerpt.text);
        }
        let tight = choose(&long, "harbour", 10).unwrap();
        assert_eq!((tight.len(), total(&tight)), (1, 10));
    }
}
