//! Files as knowledge: folders and files whose text can be searched, by words and by meaning, with passages that say
//! where they stand.
//!
//! A source is indexed in the background and again whenever it is asked for: a file is read anew when its size or time
//! has changed and its content differs; one that is gone leaves the index.

mod attached;
mod extract;
mod index;
mod passages;
mod pdf;
mod search;
mod tool;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::OptionalExtension;
use serde::Serialize;

pub use self::{
    index::{Background, Progress},
    search::Passage,
    tool::knowledge_tool,
};
use crate::{Db, Result, Timestamp, error::AgentError, memory::Embedder, settings::grantable};

/// A folder or file that is searched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Its number.
    pub id: i64,
    /// Where it is.
    pub path: PathBuf,
    /// When it was added.
    pub added_at: Timestamp,
    /// Files that are indexed.
    pub n_documents: usize,
    /// Files that hold no text or could not be read.
    pub n_failed: usize,
}

/// A file of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Document {
    /// Its number.
    pub id: i64,
    /// The source.
    pub source: i64,
    /// Path inside the source; empty where the source is the file.
    pub path: String,
    /// "text", "html" or "pdf".
    pub kind: String,
    /// "indexed", "no_text" or "failed".
    pub state: String,
    /// Why it is not indexed.
    pub why: Option<String>,
    /// When it was read.
    pub indexed_at: Timestamp,
}

/// All sources, in the assistant's database.
#[derive(Clone)]
pub struct Knowledge {
    db: Db,
    embedder: Option<Arc<dyn Embedder>>,
}

impl std::fmt::Debug for Knowledge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Knowledge").field("db", &self.db).finish_non_exhaustive()
    }
}

impl Knowledge {
    /// The sources of a database. Without an embedder, search is by words only.
    pub fn new(db: Db, embedder: Option<Arc<dyn Embedder>>) -> Self {
        Self { db, embedder }
    }

    /// Adds a folder or file; it is empty until it is indexed.
    ///
    /// # Errors
    /// When there is no such file, it belongs to the system or to psi itself, or the database cannot be written.
    pub fn add(&self, path: &Path) -> Result<i64> {
        let missing = |source| AgentError::Io { path: path.to_owned(), doing: "opening", source };
        let path = path.canonicalize().map_err(missing)?;
        grantable(&self.db, if path.is_file() { path.parent().unwrap_or(&path) } else { &path })?;
        let text = path.to_str().ok_or_else(|| {
            AgentError::invalid("path", format!("{} is not in UTF-8", path.display()))
        })?;
        let now = self.db.now();
        self.db.write(|t| {
            t.execute(
                "INSERT INTO knowledge_source (path, added_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                (text, now.0),
            )?;
            let find = "SELECT id FROM knowledge_source WHERE path = ?1";
            Ok(t.query_row(find, [text], |row| row.get(0))?)
        })
    }

    /// Drops a source with all that was read of it, also from the indexes and the log of the database.
    ///
    /// # Errors
    /// When there is no such source, or the database cannot be written.
    pub fn remove(&self, source: i64) -> Result<()> {
        let n = self
            .db
            .write(|t| Ok(t.execute("DELETE FROM knowledge_source WHERE id = ?1", [source])?))?;
        if n == 0 {
            return Err(AgentError::NotFound { what: "source", id: source });
        }
        self.db.scrub()
    }

    /// Every source, by path.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn sources(&self) -> Result<Vec<Source>> {
        self.db.read(|c| {
            let mut rows = c.prepare_cached(
                "SELECT s.id, s.path, s.added_at, coalesce(sum(d.state = 'indexed'), 0),
                   coalesce(sum(d.state <> 'indexed'), 0)
                 FROM knowledge_source s LEFT JOIN document d ON d.source = s.id
                 GROUP BY s.id ORDER BY s.path",
            )?;
            let sources = rows.query_map([], |row| {
                Ok(Source {
                    id: row.get(0)?,
                    path: PathBuf::from(row.get::<_, String>(1)?),
                    added_at: Timestamp(row.get(2)?),
                    n_documents: row.get::<_, i64>(3)? as usize,
                    n_failed: row.get::<_, i64>(4)? as usize,
                })
            })?;
            Ok(sources.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The files of a source, by path: those that are indexed, and why others are not.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn documents(&self, source: i64) -> Result<Vec<Document>> {
        self.db.read(|c| {
            let mut rows = c.prepare_cached(
                "SELECT id, source, path, kind, state, why, indexed_at FROM document
                 WHERE source = ?1 ORDER BY path",
            )?;
            let documents = rows.query_map([source], document)?;
            Ok(documents.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// A file and its whole text as it was read, where the offsets of its passages count.
    ///
    /// # Errors
    /// When there is no such file, or the database cannot be read.
    pub fn open(&self, id: i64) -> Result<(Document, String)> {
        self.db.read(|c| {
            let find =
                "SELECT id, source, path, kind, state, why, indexed_at FROM document WHERE id = ?1";
            let found = c.query_row(find, [id], document).optional()?;
            let found = found.ok_or(AgentError::NotFound { what: "document", id })?;
            let mut rows = c.prepare_cached(
                "SELECT content FROM passage WHERE document = ?1 ORDER BY first_byte",
            )?;
            let parts = rows.query_map([id], |row| row.get::<_, String>(0))?;
            Ok((found, parts.collect::<rusqlite::Result<String>>()?))
        })
    }
}

fn document(row: &rusqlite::Row<'_>) -> rusqlite::Result<Document> {
    Ok(Document {
        id: row.get(0)?,
        source: row.get(1)?,
        path: row.get(2)?,
        kind: row.get(3)?,
        state: row.get(4)?,
        why: row.get(5)?,
        indexed_at: Timestamp(row.get(6)?),
    })
}

#[cfg(test)]
pub(crate) mod tests;
