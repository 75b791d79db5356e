//! Facts: keeping, closing, changing and forgetting them.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    Fact, Memory, NewFact, Origin,
    embed::to_bytes,
    extract::{self, Found},
    words,
};
use crate::{
    conversation::{Message, MessageId, Role, enum_from, enum_name, found},
    error::{AgentError, Result},
    time::Timestamp,
};

/// Longer messages are not read for facts: they are mostly pasted, and what is pasted is somebody else's.
const MAX_READ: usize = 1000;

pub(super) const COLUMNS: &str = "fact.id, text, slot, value, kind, origin, said_at, valid_from, \
    valid_to, closed_at, closed_by, pinned, \
    (SELECT group_concat(message) FROM fact_source WHERE fact_source.fact = fact.id)";

impl Memory {
    /// Draws facts from what the user said, by rule, and keeps them. Only the user's own words are read.
    /// Returns the new ones.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn learn(&self, message: &Message) -> Result<Vec<Fact>> {
        if message.role != Role::User || message.content.len() > MAX_READ {
            return Ok(Vec::new());
        }
        let mut learned = Vec::new();
        for found in extract::from_text(&message.content, message.created_at) {
            match found {
                Found::Fact(mut fact) => {
                    fact.source = Some(message.id);
                    learned.extend(self.keep(&fact)?);
                }
                Found::Over { slot, value } => self.close(&slot, &value, message.created_at)?,
                Found::Forget(words) => self.forget_words(&words)?,
            }
        }
        Ok(learned)
    }

    /// Keeps a fact. One that is there already gets one more source; then, and when it says nothing,
    /// `None`. One that contradicts others closes them, or is closed itself where they are newer.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn keep(&self, new: &NewFact) -> Result<Option<Fact>> {
        if words::words(&new.text).is_empty() {
            return Ok(None);
        }
        let now = self.db.now();
        let vector = self.embedder.embed(&new.text);
        let vector = vector.map_err(|why| AgentError::invalid("fact", why))?;
        self.db.write(|t| {
            if let Some(old) = same_as(t, new)? {
                add_source(t, old, new.source)?;
                return Ok(None);
            }
            let id = insert(t, new, now)?;
            add_source(t, id, new.source)?;
            let sql = "INSERT INTO fact_vector (fact, embedder, vector) VALUES (?1, ?2, ?3)";
            t.prepare_cached(sql)?.execute((id, self.embedder.name(), to_bytes(&vector)))?;
            settle(t, id, now)?;
            Ok(Some(get(t, id)?))
        })
    }

    /// Forgets the facts that hold all of these words that say something.
    fn forget_words(&self, text: &str) -> Result<()> {
        let wanted = words::content_words(text);
        let holds = |f: &&Fact| {
            let there = words::words(&f.text);
            wanted.iter().all(|w| there.contains(w))
        };
        let all = self.list(true, usize::MAX >> 1, 0)?;
        all.iter().filter(holds).try_for_each(|f| match self.forget(f.id) {
            // It went with a newer version of itself.
            Err(AgentError::NotFound { .. }) => Ok(()),
            other => other,
        })
    }

    /// Closes what is known of a slot: it was so until `until`. An empty value means whatever it is.
    fn close(&self, slot: &str, value: &str, until: Timestamp) -> Result<()> {
        let now = self.db.now();
        self.db.write(|t| {
            t.execute(
                "UPDATE fact SET closed_at = ?3, valid_to = coalesce(valid_to, ?4)
                 WHERE slot = ?1 AND (?2 = '' OR value = ?2) AND closed_at IS NULL",
                (slot, value, now.0, until.0),
            )?;
            Ok(())
        })
    }

    /// One fact.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn get(&self, id: i64) -> Result<Fact> {
        self.db.read(|c| get(c, id))
    }

    /// Facts: pinned ones first, then the newest. `with_closed`: also those that hold no longer.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list(&self, with_closed: bool, limit: usize, offset: usize) -> Result<Vec<Fact>> {
        self.db.read(|c| {
            let sql = format!(
                "SELECT {COLUMNS} FROM fact WHERE ?1 OR closed_at IS NULL
                 ORDER BY pinned DESC, said_at DESC, id DESC LIMIT ?2 OFFSET ?3"
            );
            let mut statement = c.prepare_cached(&sql)?;
            let mut rows = statement.query((with_closed, limit as i64, offset as i64))?;
            let mut facts = Vec::new();
            while let Some(row) = rows.next()? {
                facts.push(from_row(row)?);
            }
            Ok(facts)
        })
    }

    /// Changes what a fact says: the old one is closed, a new one with its sources takes its place.
    ///
    /// # Errors
    /// When there is no such fact or the new text says nothing.
    pub fn edit(&self, id: i64, text: &str) -> Result<Fact> {
        self.replace(&[id], text)
    }

    /// Makes one fact of several; they are closed.
    ///
    /// # Errors
    /// When one is not there or the text says nothing.
    pub fn merge(&self, ids: &[i64], text: &str) -> Result<Fact> {
        if ids.len() < 2 {
            return Err(AgentError::invalid("facts", "merging takes two or more"));
        }
        self.replace(ids, text)
    }

    fn replace(&self, ids: &[i64], text: &str) -> Result<Fact> {
        if words::words(text).is_empty() {
            return Err(AgentError::invalid("text", "it says nothing"));
        }
        let vector = self.embedder.embed(text).map_err(|why| AgentError::invalid("text", why))?;
        let now = self.db.now();
        self.db.write(|t| {
            let old: Vec<Fact> = ids.iter().map(|&id| get(t, id)).collect::<Result<_>>()?;
            let first = &old[0];
            let mut new = NewFact::new(text, Origin::User, first.said_at);
            if new.slot.is_empty() {
                new.kind = first.kind;
            }
            new.valid_from = new.valid_from.or(first.valid_from);
            let id = insert(t, &new, now)?;
            for source in old.iter().flat_map(|f| &f.sources) {
                add_source(t, id, Some(*source))?;
            }
            let sql = "INSERT INTO fact_vector (fact, embedder, vector) VALUES (?1, ?2, ?3)";
            t.execute(sql, (id, self.embedder.name(), to_bytes(&vector)))?;
            let sql = "UPDATE fact SET pinned = ?2 WHERE id = ?1";
            t.execute(sql, (id, old.iter().any(|f| f.pinned)))?;
            for fact in &old {
                let sql =
                    "UPDATE fact SET closed_at = ?2, closed_by = ?3, pinned = 0 WHERE id = ?1";
                t.execute(sql, (fact.id, now.0, id))?;
            }
            get(t, id)
        })
    }

    pub(super) fn add_source(&self, fact: i64, source: MessageId) -> Result<()> {
        self.db.write(|t| add_source(t, fact, Some(source)))
    }

    /// Has a fact always put before the model, or no longer.
    ///
    /// # Errors
    /// When there is no such fact.
    pub fn pin(&self, id: i64, pinned: bool) -> Result<()> {
        let sql = "UPDATE fact SET pinned = ?2 WHERE id = ?1";
        self.db.write(|t| found(t.execute(sql, (id, pinned))?, "fact", id))
    }

    /// Forgets a fact and the older versions it took the place of: the rows, their vectors and their
    /// entries in the index are overwritten. The messages it was said in stay; [`Memory::traces`]
    /// finds them.
    ///
    /// # Errors
    /// When there is no such fact.
    pub fn forget(&self, id: i64) -> Result<()> {
        self.db.write(|t| {
            get(t, id)?;
            let older: Vec<i64> = t
                .prepare(
                    "WITH RECURSIVE older (id) AS (
                       VALUES (?1) UNION
                       SELECT f.id FROM fact f JOIN older o ON f.closed_by = o.id
                         WHERE f.value = (SELECT value FROM fact WHERE id = ?1)
                            OR (SELECT origin FROM fact WHERE id = o.id) = 'user')
                     SELECT id FROM older",
                )?
                .query_map([id], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            for id in older {
                t.execute("DELETE FROM fact WHERE id = ?1", [id])?;
            }
            Ok(())
        })?;
        self.db.scrub()
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn forget_all(&self) -> Result<usize> {
        let n = self.db.write(|t| Ok(t.execute("DELETE FROM fact", [])?))?;
        self.db.scrub()?;
        Ok(n)
    }

    /// The messages that hold all the words of a text that say something: where else a fact can be read.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn traces(&self, text: &str) -> Result<Vec<MessageId>> {
        let words = words::content_words(text);
        let Some(any) = words::any_of(&words) else { return Ok(Vec::new()) };
        let all = any.replace(" OR ", " AND ");
        self.db.read(|c| {
            let sql = "SELECT rowid FROM message_text WHERE message_text MATCH ?1 ORDER BY rowid";
            let mut statement = c.prepare_cached(sql)?;
            let found = statement.query_map([all], |row| row.get(0))?;
            Ok(found.map(|id| id.map(MessageId)).collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// An open fact that says the same.
fn same_as(t: &Connection, new: &NewFact) -> Result<Option<i64>> {
    let sql = "SELECT id, text, value, valid_to FROM fact WHERE closed_at IS NULL
               AND ((slot <> '' AND slot = ?1) OR (text = ?2 COLLATE NOCASE))";
    let mut statement = t.prepare_cached(sql)?;
    let mut rows = statement.query((&new.slot, &new.text))?;
    while let Some(row) = rows.next()? {
        let (id, text, value): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let same_text = words::words(&text) == words::words(&new.text);
        if same_text || (!new.slot.is_empty() && value == new.value) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

fn insert(t: &Connection, new: &NewFact, now: Timestamp) -> Result<i64> {
    t.prepare_cached(
        "INSERT INTO fact (text, slot, value, kind, origin, said_at, valid_from, valid_to)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        new.text,
        new.slot,
        new.value,
        enum_name(new.kind),
        enum_name(new.origin),
        new.said_at.unwrap_or(now).0,
        new.valid_from.map(|t| t.0),
        new.valid_to.map(|t| t.0)
    ])?;
    Ok(t.last_insert_rowid())
}

fn add_source(t: &Connection, fact: i64, source: Option<MessageId>) -> Result<()> {
    if let Some(source) = source {
        let sql = "INSERT OR IGNORE INTO fact_source (fact, message) VALUES (?1, ?2)";
        t.prepare_cached(sql)?.execute((fact, source.0))?;
    }
    Ok(())
}

/// Of two facts about the same slot that would hold at the same time, the one that began earlier ends
/// where the other begins. A fact holds from when it was said unless it says since when.
fn settle(t: &Connection, id: i64, now: Timestamp) -> Result<()> {
    let new = get(t, id)?;
    if new.slot.is_empty() || extract::is_shared(&new.slot) {
        return Ok(());
    }
    let ids: Vec<i64> = t
        .prepare_cached("SELECT id FROM fact WHERE slot = ?1 AND id <> ?2 AND closed_at IS NULL")?
        .query_map((&new.slot, id), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let begin = |f: &Fact| f.valid_from.unwrap_or(f.said_at);
    for other in ids {
        let other = get(t, other)?;
        let apart = |a: &Fact, b: &Fact| a.valid_to.is_some_and(|end| end <= begin(b));
        if apart(&new, &other) || apart(&other, &new) {
            continue;
        }
        let (earlier, later) =
            if begin(&other) <= begin(&new) { (&other, &new) } else { (&new, &other) };
        let sql = "UPDATE fact SET valid_to = ?2, closed_at = ?3, closed_by = ?4 WHERE id = ?1";
        t.prepare_cached(sql)?.execute((earlier.id, begin(later).0, now.0, later.id))?;
    }
    Ok(())
}

pub(super) fn get(c: &Connection, id: i64) -> Result<Fact> {
    let sql = format!("SELECT {COLUMNS} FROM fact WHERE id = ?1");
    let mut statement = c.prepare_cached(&sql)?;
    let fact = statement.query_row([id], |row| Ok(from_row(row))).optional()?;
    fact.unwrap_or(Err(AgentError::NotFound { what: "fact", id }))
}

pub(super) fn from_row(row: &Row<'_>) -> Result<Fact> {
    let time = |i: usize| row.get::<_, Option<i64>>(i).map(|t| t.map(Timestamp));
    let sources: Option<String> = row.get(12)?;
    let sources = sources.unwrap_or_default();
    let source =
        |s: &str| s.parse().map(MessageId).map_err(|e| AgentError::corrupt("fact_source", e));
    let mut sources: Vec<MessageId> =
        sources.split(',').filter(|s| !s.is_empty()).map(source).collect::<Result<_>>()?;
    sources.sort();
    Ok(Fact {
        id: row.get(0)?,
        text: row.get(1)?,
        slot: row.get(2)?,
        value: row.get(3)?,
        kind: enum_from("fact.kind", &row.get::<_, String>(4)?)?,
        origin: enum_from("fact.origin", &row.get::<_, String>(5)?)?,
        sources,
        said_at: Timestamp(row.get(6)?),
        valid_from: time(7)?,
        valid_to: time(8)?,
        closed_at: time(9)?,
        closed_by: row.get(10)?,
        pinned: row.get(11)?,
    })
}
