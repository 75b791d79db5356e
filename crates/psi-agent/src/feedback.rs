//! Feedback: thumbs, better answers, choices between two, tags, and the queue of answers to look at.
//!
//! Each judgement can be written out with the exact prompt that led to the answer, the model, the adapter, the
//! memories and the tools in use: that is what the learning loop trains on.

mod export;

pub use export::Exported;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    conversation::{Conversations, Message, MessageId, Role, json_from, to_json},
    db::Db,
    error::{AgentError, Result},
    settings::Settings,
    time::Timestamp,
};

/// Tags that the page offers; others may be given too.
pub const TAGS: &[&str] = &[
    "correct",
    "helpful",
    "clear",
    "wrong",
    "made up",
    "incomplete",
    "too long",
    "too short",
    "tone",
    "ignored instructions",
    "wrong tool",
    "unsafe",
];
/// Of the answers that were not judged, so many of the newest are sorted by how they went.
const MAX_FRESH: i64 = 500;
/// Longest tag, in characters.
const MAX_TAG: usize = 40;

/// Thumb up or down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rating {
    /// Good.
    Up,
    /// Bad.
    Down,
}

/// What the user thinks of an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// Its number.
    pub id: i64,
    /// The answer.
    pub message: MessageId,
    /// Thumb up or down.
    pub rating: Option<Rating>,
    /// What would have been a better answer.
    pub better: Option<String>,
    /// The answer to the same question that it was preferred to.
    pub chosen_over: Option<MessageId>,
    /// Neither of the two is better.
    pub is_tie: bool,
    /// What is good or bad about it.
    pub tags: Vec<String>,
    /// Whether it may be used for training.
    pub consent: bool,
    /// When it was given.
    pub created_at: Timestamp,
}

/// How much there is to learn from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Answers with a thumb.
    pub n_rated: usize,
    /// Answers that the user wrote better ones for.
    pub n_better: usize,
    /// Choices between two answers.
    pub n_chosen: usize,
}

/// An answer to look at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueueItem {
    /// The question.
    pub question: Option<Message>,
    /// The answer.
    pub answer: Message,
    /// What the user has said of it so far.
    pub judgement: Option<Judgement>,
}

/// The feedback of a database.
#[derive(Clone, Debug)]
pub struct Feedback {
    db: Db,
    conversations: Conversations,
}

impl Feedback {
    /// That of `db`.
    pub fn new(db: &Db) -> Self {
        Self { db: db.clone(), conversations: Conversations::new(db) }
    }

    /// Thumb up, down, or (`None`) neither.
    ///
    /// # Errors
    /// When the message is not there or is no answer.
    pub fn rate(&self, message: MessageId, rating: Option<Rating>) -> Result<Judgement> {
        let value = rating.map(|r| if r == Rating::Up { 1 } else { -1 });
        self.change(message, "rating = ?2", &[&value])
    }

    /// Says what would have been a better answer; `None` takes it back.
    ///
    /// # Errors
    /// When the message is not there or is no answer, or the text is empty or the answer itself.
    pub fn improve(&self, message: MessageId, better: Option<&str>) -> Result<Judgement> {
        if let Some(text) = better {
            if text.trim().is_empty() {
                return Err(AgentError::invalid("better", "it is empty"));
            }
            if text.trim() == self.conversations.message(message)?.content.trim() {
                return Err(AgentError::invalid("better", "it is the answer as it stands"));
            }
        }
        self.change(message, "better = ?2", &[&better])
    }

    /// Prefers one answer to another to the same question, or (`is_tie`) neither.
    ///
    /// # Errors
    /// When they do not answer the same message.
    pub fn choose(&self, chosen: MessageId, over: MessageId, is_tie: bool) -> Result<Judgement> {
        let (a, b) = (self.question_of(chosen)?, self.question_of(over)?);
        if chosen == over || a.map(|m| m.id) != b.map(|m| m.id) {
            let why = format!("{chosen} and {over} are not two answers to one question");
            return Err(AgentError::invalid("choice", why));
        }
        self.change(chosen, "chosen_over = ?2, is_tie = ?3", &[&over.0, &is_tie])
    }

    /// Sets what is good or bad about an answer.
    ///
    /// # Errors
    /// When the message is not there or is no answer, or a tag is empty or long.
    pub fn tag(&self, message: MessageId, tags: &[String]) -> Result<Judgement> {
        let mut clean: Vec<String> = tags.iter().map(|t| t.trim().to_lowercase()).collect();
        clean.sort();
        clean.dedup();
        if let Some(tag) = clean.iter().find(|t| t.is_empty() || t.chars().count() > MAX_TAG) {
            let why = format!("'{tag}' must have 1 to {MAX_TAG} characters");
            return Err(AgentError::invalid("tag", why));
        }
        self.change(message, "tags = ?2", &[&to_json(&clean)])
    }

    /// What the user said of an answer.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn of(&self, message: MessageId) -> Result<Option<Judgement>> {
        self.db.read(|c| get(c, message))
    }

    /// Every judgement, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list(&self) -> Result<Vec<Judgement>> {
        self.db.read(|c| {
            let mut statement = c.prepare_cached(&format!("{SELECT} ORDER BY id"))?;
            let mut rows = statement.query([])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push(from_row(row)?);
            }
            Ok(all)
        })
    }

    /// Takes everything back that was said of an answer.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn clear(&self, message: MessageId) -> Result<()> {
        let sql = "DELETE FROM feedback WHERE message = ?1";
        self.db.write(|t| {
            t.execute(sql, [message.0])?;
            Ok(())
        })
    }

    /// Passes over an answer in the queue.
    ///
    /// # Errors
    /// When the message is not there or is no answer.
    pub fn skip(&self, message: MessageId) -> Result<()> {
        self.answer(message)?;
        let sql = "INSERT OR IGNORE INTO review_skip (message) VALUES (?1)";
        self.db.write(|t| {
            t.execute(sql, [message.0])?;
            Ok(())
        })
    }

    /// Answers to look at: first those that went badly (thumb down without a better answer, denied calls,
    /// errors of tools), then the newest not judged yet.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn queue(&self, limit: usize) -> Result<Vec<QueueItem>> {
        let ids: Vec<i64> = self.db.read(|c| {
            // CROSS JOIN keeps to this order: the newest messages first, until there are enough; not all of every conversation.
            let mut statement = c.prepare_cached(
                "WITH answer AS NOT MATERIALIZED (
                   SELECT m.id, m.parent FROM message m
                   CROSS JOIN conversation c ON c.id = m.conversation AND c.temporary = 0
                   WHERE m.role = 'assistant' AND m.content <> '' AND m.tool_calls = '[]'
                     AND m.state IN ('complete', 'stopped')
                     AND NOT EXISTS (SELECT 1 FROM review_skip s WHERE s.message = m.id)),
                 fresh AS (
                   SELECT a.id, a.parent FROM answer a
                   WHERE NOT EXISTS (SELECT 1 FROM feedback f WHERE f.message = a.id)
                   ORDER BY a.id DESC LIMIT ?2)
                 SELECT a.id AS id, 0 AS place FROM feedback f CROSS JOIN answer a ON a.id = f.message
                   WHERE f.rating = -1 AND f.better IS NULL
                 UNION ALL
                 SELECT n.id, 2 - coalesce(p.role = 'tool' AND p.details LIKE '%\"ok\":false%', 0)
                   FROM fresh n LEFT JOIN message p ON p.id = n.parent
                 ORDER BY place, id DESC LIMIT ?1",
            )?;
            let ids = statement.query_map([limit as i64, MAX_FRESH], |row| row.get(0))?;
            Ok(ids.collect::<rusqlite::Result<_>>()?)
        })?;
        let item = |id: i64| {
            let id = MessageId(id);
            Ok(QueueItem {
                question: self.question_of(id)?,
                answer: self.conversations.message(id)?,
                judgement: self.of(id)?,
            })
        };
        ids.into_iter().map(item).collect()
    }

    /// How much has been judged that may be learned from.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn tally(&self) -> Result<Tally> {
        self.db.read(|c| {
            let sql = "SELECT count(rating), count(better), count(chosen_over) FROM feedback
                       WHERE consent = 1";
            Ok(c.query_row(sql, [], |row| {
                let count = |i: usize| row.get::<_, i64>(i).map(|n| n as usize);
                Ok(Tally { n_rated: count(0)?, n_better: count(1)?, n_chosen: count(2)? })
            })?)
        })
    }

    /// Keeps the definitions of the tools that an answer was offered; the driver calls it once per set.
    pub(crate) fn keep_toolset(&self, hash: &str, definitions: &[Value]) -> Result<()> {
        let known: bool = self.db.read(|c| {
            let sql = "SELECT EXISTS (SELECT 1 FROM toolset WHERE hash = ?1)";
            Ok(c.prepare_cached(sql)?.query_row([hash], |row| row.get(0))?)
        })?;
        if known {
            return Ok(());
        }
        let sql = "INSERT OR IGNORE INTO toolset (hash, definitions) VALUES (?1, ?2)";
        self.db.write(|t| {
            t.execute(sql, (hash, to_json(&definitions)))?;
            Ok(())
        })
    }

    fn answer(&self, id: MessageId) -> Result<Message> {
        let message = self.conversations.message(id)?;
        if message.role == Role::Assistant && message.is_done() {
            return Ok(message);
        }
        Err(AgentError::invalid("message", format!("{id} is no finished answer")))
    }

    /// The user's message that an answer belongs to.
    fn question_of(&self, answer: MessageId) -> Result<Option<Message>> {
        self.answer(answer)?;
        let path = self.conversations.path(answer)?;
        Ok(path.into_iter().rev().find(|m| m.role == Role::User))
    }

    fn change(
        &self,
        message: MessageId,
        set: &str,
        values: &[&dyn rusqlite::ToSql],
    ) -> Result<Judgement> {
        self.answer(message)?;
        let consent = Settings::new(&self.db).flag("learning.consent")?;
        let now = self.db.now().0;
        self.db.write(|t| {
            t.execute(
                "INSERT INTO feedback (message, consent, created_at, updated_at)
                 VALUES (?1, ?2, ?3, ?3)
                 ON CONFLICT (message) DO UPDATE SET consent = ?2, updated_at = ?3",
                (message.0, consent, now),
            )?;
            let mut arguments: Vec<&dyn rusqlite::ToSql> = vec![&message.0];
            arguments.extend(values);
            let sql = format!("UPDATE feedback SET {set} WHERE message = ?1");
            t.execute(&sql, &arguments[..])?;
            let kept = get(t, message)?;
            kept.ok_or(AgentError::NotFound { what: "feedback", id: message.0 })
        })
    }
}

const SELECT: &str = "SELECT id, message, rating, better, chosen_over, is_tie, tags, consent, \
    created_at FROM feedback";

fn get(c: &Connection, message: MessageId) -> Result<Option<Judgement>> {
    let mut statement = c.prepare_cached(&format!("{SELECT} WHERE message = ?1"))?;
    statement.query_row([message.0], |row| Ok(from_row(row))).optional()?.transpose()
}

fn from_row(row: &Row<'_>) -> Result<Judgement> {
    let rating: Option<i64> = row.get(2)?;
    Ok(Judgement {
        id: row.get(0)?,
        message: MessageId(row.get(1)?),
        rating: rating.map(|r| if r > 0 { Rating::Up } else { Rating::Down }),
        better: row.get(3)?,
        chosen_over: row.get::<_, Option<i64>>(4)?.map(MessageId),
        is_tie: row.get(5)?,
        tags: json_from("feedback.tags", &row.get::<_, String>(6)?)?,
        consent: row.get(7)?,
        created_at: Timestamp(row.get(8)?),
    })
}
