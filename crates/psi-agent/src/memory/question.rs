//! What a question looks for, in facts and in what was said alike: its words, and its vector.

use std::collections::BTreeMap;

use super::{Memory, rank::Scores, words};
use crate::error::{AgentError, Result};

/// What is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Facts,
    Messages,
}

impl Of {
    /// The table; `TABLE_text` is its full-text index, `TABLE_words` that index's words.
    fn table(self) -> &'static str {
        match self {
            Self::Facts => "fact",
            Self::Messages => "message",
        }
    }
}

impl Memory {
    /// Scores by the words of a question (BM25), the best `limit`.
    pub(super) fn by_words(&self, of: Of, query: &str, limit: usize) -> Result<Scores> {
        let Some(terms) = words::any_of(&words::content_words(query)) else {
            return Ok(Scores::new());
        };
        let index = format!("{}_text", of.table());
        self.db.read(|c| {
            let mut statement = c.prepare_cached(&format!(
                "SELECT rowid, -bm25({index}) FROM {index} WHERE {index} MATCH ?1
                 ORDER BY bm25({index}) LIMIT ?2"
            ))?;
            let rows =
                statement.query_map((terms, limit as i64), |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The vector of a question.
    pub(super) fn question(&self, of: Of, query: &str) -> Result<Vec<f32>> {
        let rarity = self.rarity(of, &words::words(query))?;
        let rarity = |word: &str| rarity.get(word).copied().unwrap_or(1.0);
        let question = self.embedder.embed_query(query, &rarity);
        question.map_err(|why| AgentError::invalid("query", why))
    }

    /// How much each word says: `ln(1 + (n - df + 1/2) / (df + 1/2))`, as in BM25, over the texts searched.
    fn rarity(&self, of: Of, words: &[String]) -> Result<BTreeMap<String, f32>> {
        let of = of.table();
        self.db.read(|c| {
            let n: i64 = c.query_row(&format!("SELECT count(*) FROM {of}"), [], |r| r.get(0))?;
            // The index holds stems; a stem is a beginning of its word for most words.
            let sql = format!("SELECT doc FROM {of}_words WHERE term = ?1");
            let mut statement = c.prepare_cached(&sql)?;
            let mut rarity = BTreeMap::new();
            for word in words {
                let mut df = 0;
                for term in [word.as_str(), words::stem(word)] {
                    let mut rows = statement.query([term])?;
                    if let Some(row) = rows.next()? {
                        df = df.max(row.get::<_, i64>(0)?);
                    }
                }
                let (n, df) = (n as f32, df as f32);
                rarity.insert(word.clone(), (1.0 + (n - df + 0.5).max(0.0) / (df + 0.5)).ln());
            }
            Ok(rarity)
        })
    }
}
