//! What the memory tools of the model do: keep, find, correct and forget facts in the user's words.

use super::{Fact, FactHit, Memory, NewFact, Origin};
use crate::{error::Result, tool::CallContext};

/// Facts that one search of the model returns.
const MAX_FOUND: usize = 3;
/// What asks for every fact.
const EVERYTHING: &str = "everything";

impl Memory {
    /// Keeps a fact that the model was told to keep.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn remember(&self, fact: &str, context: &CallContext) -> Result<Option<Fact>> {
        let mut new = NewFact::new(fact, Origin::Tool, context.now);
        new.source = context.source;
        self.keep(&new)
    }

    /// The facts that fit a query best; all that hold for `everything`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn recall(&self, query: &str) -> Result<Vec<FactHit>> {
        if !query.trim().eq_ignore_ascii_case(EVERYTHING) {
            return self.search(query, false, MAX_FOUND);
        }
        let all = self.list(false, usize::MAX >> 1, 0)?;
        let hit =
            |fact| FactHit { fact, score: 1.0, full_text: None, cosine: None, in_time: false };
        Ok(all.into_iter().rev().map(hit).collect())
    }

    /// Puts a fact in the place of the one that fits a query best; returns the old one, which is closed.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn correct(&self, query: &str, fact: &str, context: &CallContext) -> Result<Option<Fact>> {
        let Some(old) = self.search(query, false, 1)?.into_iter().next() else {
            self.remember(fact, context)?;
            return Ok(None);
        };
        let new = self.edit(old.fact.id, fact)?;
        if let Some(source) = context.source {
            self.add_source(new.id, source)?;
        }
        Ok(Some(old.fact))
    }

    /// Forgets the fact that fits a query best and returns it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn forget_best(&self, query: &str) -> Result<Option<Fact>> {
        let Some(hit) = self.search(query, false, 1)?.into_iter().next() else { return Ok(None) };
        self.forget(hit.fact.id)?;
        Ok(Some(hit.fact))
    }
}
