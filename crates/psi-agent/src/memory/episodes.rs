//! Finding what was said: full text and vectors over the messages, each strengthened by its neighbours.
//!
//! A question often shares its words with the message before the one that answers it. So a message's score
//! in each arm is carried over, in part, to what was said next to it; the two rankings are then fused.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde::Serialize;

use super::{
    Memory,
    question::Of,
    rank::{self, Scores},
    when,
};
use crate::{
    conversation::{ConversationId, MessageId},
    error::{AgentError, Result},
    time::Timestamp,
};

/// What a search of messages goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// Words (BM25).
    FullText,
    /// Vectors.
    Vector,
    /// Both, fused by rank.
    Fused,
    /// Both, carried over to neighbours and fused.
    Hybrid,
    /// The same, and the time: of saying, when the question names one; in the text, when it asks for one.
    Temporal,
}

impl Arm {
    /// Every arm, from the simplest to what psi uses.
    pub const ALL: [Self; 5] =
        [Self::FullText, Self::Vector, Self::Fused, Self::Hybrid, Self::Temporal];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::FullText => "full text",
            Self::Vector => "vector",
            Self::Fused => "fused",
            Self::Hybrid => "hybrid",
            Self::Temporal => "hybrid + time",
        }
    }
}

/// A message that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EpisodeHit {
    /// The message.
    pub message: MessageId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// What it says.
    pub text: String,
    /// When it was said.
    pub said_at: Timestamp,
    /// How well it fits, from 0 to 1.
    pub score: f32,
}

/// Messages that an arm puts forward.
const MAX_CANDIDATES: usize = 200;
/// The newest so many messages have a place in the vectors' ranking.
const MAX_VECTORS: usize = 20_000;
/// How much the vectors' ranking weighs beside the full-text one.
const VECTOR_WEIGHT: f32 = 0.3;
/// What a message gives to the next one, the one after that, and the one before.
const TO_NEXT: f32 = 0.3;
const TO_SECOND: f32 = 0.12;
const TO_PREVIOUS: f32 = 0.15;
/// How much being said in the time asked for weighs, or saying a time when one is asked for.
const TIME_WEIGHT: f32 = 0.5;
/// Of the messages found, so many are looked at for a time.
const MAX_TIMED: usize = 40;

/// Vectors of the newest messages, without their zeros: made in microseconds each, so never kept on disk.
#[derive(Debug, Default)]
pub(super) struct EpisodeVectors {
    last: i64,
    vectors: BTreeMap<i64, Vec<(u16, f32)>>,
}

impl Memory {
    /// The messages that fit a question, best first. Temporary conversations are not searched.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn episodes(&self, query: &str, arm: Arm, limit: usize) -> Result<Vec<EpisodeHit>> {
        let full_text = match arm {
            Arm::Vector => Scores::new(),
            _ => self.by_words(Of::Messages, query, MAX_CANDIDATES)?,
        };
        let near = match arm {
            Arm::FullText => Scores::new(),
            _ => self.said_nearby(query)?,
        };
        let carries = matches!(arm, Arm::Hybrid | Arm::Temporal);
        let lists = [full_text, near].map(|scores| {
            let scores = rank::scaled(scores);
            if carries { self.carried(&scores) } else { Ok(scores) }
        });
        let [full_text, near] = lists;
        let (full_text, near) = (rank::ranked(&full_text?), rank::ranked(&near?));
        let mut lists = vec![(&full_text[..], 1.0), (&near[..], VECTOR_WEIGHT)];
        lists.retain(|(list, _)| !list.is_empty());
        let timely = match arm {
            Arm::Temporal => self.timely(query, &rank::ranked(&rank::fuse(&lists)))?,
            _ => None,
        };
        if let Some(timely) = &timely {
            lists.push((timely, TIME_WEIGHT));
        }
        let scores = rank::fuse(&lists);
        self.db.read(|c| {
            let mut hits = Vec::new();
            for id in rank::ranked(&scores) {
                if hits.len() == limit {
                    break;
                }
                hits.extend(hit(c, id, scores[&id])?);
            }
            Ok(hits)
        })
    }

    fn said_nearby(&self, query: &str) -> Result<Scores> {
        if !self.embedder.is_cheap() {
            return Ok(Scores::new());
        }
        let question = self.question(Of::Messages, query)?;
        let mut cache = self.lock_episodes();
        self.db.read(|c| {
            let sql = "SELECT m.id, m.content FROM message m WHERE m.id > ?1
                       AND m.role IN ('user', 'assistant') AND m.state <> 'streaming'
                       ORDER BY m.id DESC LIMIT ?2";
            let mut statement = c.prepare_cached(sql)?;
            let mut rows = statement.query((cache.last, MAX_VECTORS as i64))?;
            let mut last = cache.last;
            while let Some(row) = rows.next()? {
                let (id, text): (i64, String) = (row.get(0)?, row.get(1)?);
                let vector = self.embedder.embed(&text);
                let vector = vector.map_err(|why| AgentError::invalid("message", why))?;
                let places = vector.iter().enumerate().filter(|(_, x)| **x != 0.0);
                cache.vectors.insert(id, places.map(|(i, &x)| (i as u16, x)).collect());
                last = last.max(id);
            }
            cache.last = last;
            Ok(())
        })?;
        while cache.vectors.len() > MAX_VECTORS {
            cache.vectors.pop_first();
        }
        let score =
            |v: &Vec<(u16, f32)>| v.iter().map(|&(i, x)| x * question[usize::from(i)]).sum();
        let scores: Scores = cache.vectors.iter().map(|(&id, v)| (id, score(v))).collect();
        let best = rank::ranked(&scores).into_iter().take(MAX_CANDIDATES);
        Ok(best.map(|id| (id, scores[&id])).filter(|(_, s)| *s > 0.0).collect())
    }

    /// Scores with a part of each given to its neighbours in the conversation.
    fn carried(&self, scores: &Scores) -> Result<Scores> {
        self.db.read(|c| {
            let mut parent =
                c.prepare_cached("SELECT parent, conversation FROM message WHERE id = ?1")?;
            let mut children =
                c.prepare_cached("SELECT id FROM message WHERE conversation = ?1 AND parent = ?2")?;
            let mut out = Scores::new();
            for (&id, &score) in scores {
                *out.entry(id).or_default() += score;
                let mut rows = parent.query([id])?;
                let Some(row) = rows.next()? else { continue };
                let (previous, conversation): (Option<i64>, i64) = (row.get(0)?, row.get(1)?);
                drop(rows);
                if let Some(previous) = previous {
                    *out.entry(previous).or_default() += TO_PREVIOUS * score;
                }
                let mut next = |of: i64| -> Result<Vec<i64>> {
                    let ids = children.query_map((conversation, of), |row| row.get(0))?;
                    Ok(ids.collect::<rusqlite::Result<_>>()?)
                };
                for first in next(id)? {
                    *out.entry(first).or_default() += TO_NEXT * score;
                    for second in next(first)? {
                        *out.entry(second).or_default() += TO_SECOND * score;
                    }
                }
            }
            Ok(out)
        })
    }

    /// Of the best, those said in the time that the question names, or those that say a time when it asks
    /// for one; `None` when it does neither.
    fn timely(&self, query: &str, best: &[i64]) -> Result<Option<Vec<i64>>> {
        let period = when::period(query, self.db.now());
        if period.is_none() && !when::asks_when(query) {
            return Ok(None);
        }
        self.db.read(|c| {
            let mut timely = Vec::new();
            for &id in best.iter().take(MAX_TIMED) {
                let Some(hit) = hit(c, id, 0.0)? else { continue };
                let fits = match period {
                    Some(p) => (p.start..p.end).contains(&hit.said_at.date()),
                    None => when::mentions_time(&hit.text),
                };
                if fits {
                    timely.push(id);
                }
            }
            Ok(Some(timely))
        })
    }
}

/// A message as a hit; `None` when it is gone, or no one's words, or temporary.
fn hit(c: &Connection, id: i64, score: f32) -> Result<Option<EpisodeHit>> {
    let sql = "SELECT m.conversation, m.content, m.created_at FROM message m
               JOIN conversation c ON c.id = m.conversation
               WHERE m.id = ?1 AND c.temporary = 0 AND m.role IN ('user', 'assistant')";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(EpisodeHit {
        message: MessageId(id),
        conversation: ConversationId(row.get(0)?),
        text: row.get(1)?,
        said_at: Timestamp(row.get(2)?),
        score,
    }))
}
