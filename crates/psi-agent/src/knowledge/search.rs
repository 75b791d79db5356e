//! Finding passages: by words (BM25), by meaning (cosine), both fused by rank.

use std::collections::HashMap;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::Knowledge;
use crate::{Result, error::AgentError};

/// Best passages of each way that are fused.
const CANDIDATES: usize = 50;

/// Constant of reciprocal rank fusion (Cormack et al. 2009): how fast a rank loses weight.
const RANK_OFFSET: f64 = 60.0;

/// A vector less alike than this to the query's says nothing.
const LEAST_COSINE: f32 = 0.1;

/// A passage that a search found, and where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Passage {
    /// Its number.
    pub id: i64,
    /// The document; [`Knowledge::open`] shows it.
    pub document: i64,
    /// The file.
    pub file: String,
    /// Page of a PDF, from 1.
    pub page: Option<usize>,
    /// First and last line in the document's text, from 1; in a PDF of its page.
    pub lines: (usize, usize),
    /// First byte and the byte after the last in the document's text.
    pub bytes: (usize, usize),
    /// The passage.
    pub text: String,
    /// What it is ordered by: the sum of `1 / (60 + rank)`.
    pub score: f64,
    /// Rank among those found by words, from 1.
    pub word_rank: Option<usize>,
    /// Rank among those found by meaning, from 1.
    pub vector_rank: Option<usize>,
}

impl Passage {
    /// File and place, as an answer cites it: `plan.md:12-20`, `report.pdf page 3`.
    pub fn citation(&self) -> String {
        let (first, last) = self.lines;
        match self.page {
            Some(page) => format!("{} page {page}", self.file),
            None if first == last => format!("{}:{first}", self.file),
            None => format!("{}:{first}-{last}", self.file),
        }
    }
}

impl Knowledge {
    /// The passages that fit best, the best first.
    ///
    /// # Errors
    /// When the database cannot be read, or the embedder fails.
    pub fn search(&self, query: &str, limit: usize) -> Result<Vec<Passage>> {
        let vector = match &self.embedder {
            Some(embedder) if !query.trim().is_empty() => {
                let fail = |why| AgentError::invalid("embedder", why);
                Some((
                    embedder.name().to_owned(),
                    embedder.embed_query(query, &|_| 1.0).map_err(fail)?,
                ))
            }
            _ => None,
        };
        self.db.read(|c| {
            let by_words = by_words(c, query)?;
            let by_vector = match &vector {
                Some((model, vector)) => by_vector(c, model, vector)?,
                None => Vec::new(),
            };
            let fused = fuse(&by_words, &by_vector);
            fused.into_iter().take(limit).map(|f| passage(c, &f)).collect()
        })
    }
}

/// A passage's ranks.
struct Fused {
    id: i64,
    score: f64,
    word_rank: Option<usize>,
    vector_rank: Option<usize>,
}

/// Reciprocal rank fusion; of equal scores the earlier passage first.
fn fuse(by_words: &[i64], by_vector: &[i64]) -> Vec<Fused> {
    let ranks = |ids: &[i64]| -> HashMap<i64, usize> {
        ids.iter().enumerate().map(|(i, &id)| (id, i + 1)).collect()
    };
    let (words, vectors) = (ranks(by_words), ranks(by_vector));
    let mut ids: Vec<i64> = by_words.iter().chain(by_vector).copied().collect();
    ids.sort_unstable();
    ids.dedup();
    let share = |rank: Option<usize>| rank.map_or(0.0, |r| 1.0 / (RANK_OFFSET + r as f64));
    let fused = ids.into_iter().map(|id| {
        let (word_rank, vector_rank) = (words.get(&id).copied(), vectors.get(&id).copied());
        Fused { id, score: share(word_rank) + share(vector_rank), word_rank, vector_rank }
    });
    let mut fused: Vec<Fused> = fused.collect();
    fused.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
    fused
}

/// Passages with any of the words, by BM25: rare words weigh more, so a question may be asked in full.
fn by_words(c: &Connection, query: &str) -> Result<Vec<i64>> {
    let words = query.split(|ch: char| !ch.is_alphanumeric()).filter(|w| !w.is_empty());
    let terms: Vec<String> = words.take(64).map(|w| format!("\"{w}\"")).collect();
    if terms.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows = c.prepare_cached(
        "SELECT rowid FROM passage_text WHERE passage_text MATCH ?1
         ORDER BY bm25(passage_text), rowid LIMIT ?2",
    )?;
    let ids = rows.query_map((terms.join(" OR "), CANDIDATES as i64), |row| row.get(0))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

/// Passages by the product of their vector with the query's. Every vector is looked at: ten thousand of them are a few megabytes.
fn by_vector(c: &Connection, model: &str, query: &[f32]) -> Result<Vec<i64>> {
    let mut rows =
        c.prepare_cached("SELECT passage, vector FROM passage_vector WHERE model = ?1")?;
    let mut rows = rows.query([model])?;
    let mut best: Vec<(f32, i64)> = Vec::new();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let bytes =
            row.get_ref(1)?.as_blob().map_err(|e| AgentError::corrupt("passage_vector", e))?;
        if bytes.len() != 4 * query.len() {
            let why = format!("{} bytes where {} are due", bytes.len(), 4 * query.len());
            return Err(AgentError::corrupt("passage_vector", why));
        }
        let values =
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("four bytes")));
        let cosine: f32 = values.zip(query).map(|(a, b)| a * b).sum();
        if cosine >= LEAST_COSINE {
            best.push((cosine, id));
        }
        if best.len() >= 4 * CANDIDATES {
            keep_best(&mut best);
        }
    }
    keep_best(&mut best);
    Ok(best.into_iter().map(|(_, id)| id).collect())
}

fn keep_best(found: &mut Vec<(f32, i64)>) {
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    found.truncate(CANDIDATES);
}

fn passage(c: &Connection, found: &Fused) -> Result<Passage> {
    let mut find = c.prepare_cached(
        "SELECT p.document, s.path, d.path, p.page, p.first_line, p.last_line, p.first_byte, p.end_byte,
           p.content
         FROM passage p JOIN document d ON d.id = p.document
           JOIN knowledge_source s ON s.id = d.source
         WHERE p.id = ?1",
    )?;
    let whole = |row: &rusqlite::Row<'_>, i: usize| row.get::<_, i64>(i).map(|n| n as usize);
    Ok(find.query_row([found.id], |row| {
        let (source, inside): (String, String) = (row.get(1)?, row.get(2)?);
        let name = source.rsplit(['/', '\\']).next().unwrap_or(&source);
        let file = if inside.is_empty() { name.to_owned() } else { format!("{name}/{inside}") };
        Ok(Passage {
            id: found.id,
            document: row.get(0)?,
            file,
            page: row.get::<_, Option<i64>>(3)?.map(|n| n as usize),
            lines: (whole(row, 4)?, whole(row, 5)?),
            bytes: (whole(row, 6)?, whole(row, 7)?),
            text: row.get(8)?,
            score: found.score,
            word_rank: found.word_rank,
            vector_rank: found.vector_rank,
        })
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passage_that_both_ways_find_comes_first() {
        let fused = fuse(&[1, 2, 3], &[4, 2]);
        let ids: Vec<i64> = fused.iter().map(|f| f.id).collect();
        assert_eq!(ids, [2, 1, 4, 3]);
        assert_eq!((fused[0].word_rank, fused[0].vector_rank), (Some(2), Some(2)));
        assert!((fused[0].score - 2.0 / 62.0).abs() < 1e-12);
        assert!(fuse(&[], &[]).is_empty());
    }
}
