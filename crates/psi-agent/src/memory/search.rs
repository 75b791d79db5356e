//! Finding facts: by their words, by their vectors, by the time asked for.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Fact, Memory,
    embed::{dot, from_bytes, to_bytes},
    facts::{COLUMNS, from_row, get},
    question::Of,
    rank::{self, Scores},
    when,
};
use crate::{
    conversation::{MemoryUse, Message},
    error::{AgentError, Result},
    time::Timestamp,
};

/// How much the vectors' ranking weighs beside the full-text one.
const VECTOR_WEIGHT: f32 = 0.3;
/// How much standing in the time asked for weighs.
const TIME_WEIGHT: f32 = 0.5;
/// A fact that no word leads to must be as near as this to count as found.
const MIN_COSINE: f32 = 0.3;
/// Facts that an arm puts forward.
const MAX_CANDIDATES: usize = 100;

/// A fact that a search found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FactHit {
    /// The fact.
    pub fact: Fact,
    /// How well it fits, from 0 to 1.
    pub score: f32,
    /// Its place in the full-text ranking, from 1.
    pub full_text: Option<usize>,
    /// How near its vector is to the question's.
    pub cosine: Option<f32>,
    /// Whether it lies in the time asked for.
    pub in_time: bool,
}

impl Memory {
    /// The facts that fit a question, best first. `with_closed`: also those that hold no longer; a
    /// question that names a time finds those that held then in any case.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn search(&self, query: &str, with_closed: bool, limit: usize) -> Result<Vec<FactHit>> {
        let now = self.db.now();
        let period = when::period(query, now);
        let full_text = self.by_words(Of::Facts, query, MAX_CANDIDATES)?;
        let cosines = self.cosines(query)?;
        let full_text = rank::ranked(&full_text);
        let near: Scores =
            cosines.iter().filter(|c| *c.1 >= MIN_COSINE).map(|(&i, &c)| (i, c)).collect();
        let mut near = rank::ranked(&near);
        near.truncate(MAX_CANDIDATES);
        let mut facts = BTreeMap::new();
        for &id in full_text.iter().chain(&near) {
            let fact = self.db.read(|c| get(c, id))?;
            let in_time = period.is_some_and(|p| held_in(&fact, p));
            if with_closed || in_time || fact.holds_at(now) {
                facts.insert(id, (fact, in_time));
            }
        }
        let there = |list: &[i64]| -> Vec<i64> {
            list.iter().copied().filter(|id| facts.contains_key(id)).collect()
        };
        let (full_text, near) = (there(&full_text), there(&near));
        let mut lists = vec![(&full_text[..], 1.0), (&near[..], VECTOR_WEIGHT)];
        let fused = rank::ranked(&rank::fuse(&lists));
        let timely: Vec<i64> = fused.into_iter().filter(|id| facts[id].1).collect();
        if period.is_some() {
            lists.push((&timely, TIME_WEIGHT));
        }
        let scores = rank::fuse(&lists);
        let hit = |id: i64| {
            let (fact, in_time) = facts[&id].clone();
            FactHit {
                fact,
                score: scores[&id],
                full_text: full_text.iter().position(|&i| i == id).map(|at| at + 1),
                cosine: cosines.get(&id).copied(),
                in_time,
            }
        };
        Ok(rank::ranked(&scores).into_iter().take(limit).map(hit).collect())
    }

    /// What is put before the model with a message: pinned facts, then those that fit it, without what
    /// the message itself says.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn for_prompt(&self, message: &Message, limit: usize) -> Result<Vec<MemoryUse>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut uses: Vec<MemoryUse> = self.pinned()?.iter().map(|f| f.to_use(1.0)).collect();
        for hit in self.search(&message.content, false, limit * 2)? {
            let only_here = hit.fact.sources[..] == [message.id];
            if !only_here && !uses.iter().any(|u| u.fact == hit.fact.id) {
                uses.push(hit.fact.to_use(hit.score));
            }
        }
        uses.truncate(limit);
        Ok(uses)
    }

    fn pinned(&self) -> Result<Vec<Fact>> {
        self.db.read(|c| {
            let sql = format!(
                "SELECT {COLUMNS} FROM fact WHERE pinned = 1 AND closed_at IS NULL ORDER BY id"
            );
            let mut statement = c.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            let mut facts = Vec::new();
            while let Some(row) = rows.next()? {
                facts.push(from_row(row)?);
            }
            Ok(facts)
        })
    }

    /// How near each fact's vector is to a question's.
    fn cosines(&self, query: &str) -> Result<Scores> {
        self.fill_vectors()?;
        let question = self.question(Of::Facts, query)?;
        self.db.read(|c| {
            let sql = "SELECT fact, vector FROM fact_vector WHERE embedder = ?1";
            let mut statement = c.prepare_cached(sql)?;
            let rows = statement.query_map([self.embedder.name()], |row| {
                let vector = from_bytes(row.get_ref(1)?.as_blob()?);
                Ok((row.get(0)?, dot(&question, &vector)))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Makes the vectors that this embedder has not made yet.
    fn fill_vectors(&self) -> Result<()> {
        let missing: Vec<(i64, String)> = self.db.read(|c| {
            let sql = "SELECT id, text FROM fact WHERE NOT EXISTS
                       (SELECT 1 FROM fact_vector v WHERE v.fact = fact.id AND v.embedder = ?1)";
            let mut statement = c.prepare_cached(sql)?;
            let rows = statement
                .query_map([self.embedder.name()], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })?;
        for (id, text) in missing {
            let vector =
                self.embedder.embed(&text).map_err(|why| AgentError::invalid("fact", why))?;
            self.db.write(|t| {
                // It may have been forgotten meanwhile.
                let sql = "INSERT OR REPLACE INTO fact_vector (fact, embedder, vector)
                           SELECT id, ?2, ?3 FROM fact WHERE id = ?1";
                t.execute(sql, (id, self.embedder.name(), to_bytes(&vector)))?;
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// Whether a fact held, or was said, at some time of a period.
fn held_in(fact: &Fact, period: when::Period) -> bool {
    let (start, end) = (Timestamp::at_start_of(period.start), Timestamp::at_start_of(period.end));
    fact.valid_from.unwrap_or(fact.said_at) < end && fact.valid_to.is_none_or(|t| t > start)
}
