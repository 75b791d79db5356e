//! What the memory tools need of the assistant's memory.

use crate::{CallContext, memory::Memory};

/// Facts that the user wants kept. Errors are sentences that the model reads.
pub trait Facts: Send + Sync {
    /// Keeps a fact, said in `context.source`.
    ///
    /// # Errors
    /// A sentence.
    fn remember(&self, fact: &str, context: &CallContext) -> Result<(), String>;

    /// Facts that fit, best first; `everything` lists them all.
    ///
    /// # Errors
    /// A sentence.
    fn recall(&self, query: &str, context: &CallContext) -> Result<Vec<String>, String>;

    /// Puts a new fact in the place of the one that fits best; returns the old one.
    ///
    /// # Errors
    /// A sentence.
    fn correct(
        &self,
        query: &str,
        fact: &str,
        context: &CallContext,
    ) -> Result<Option<String>, String>;

    /// Drops the fact that fits best and returns it.
    ///
    /// # Errors
    /// A sentence.
    fn forget(&self, query: &str, context: &CallContext) -> Result<Option<String>, String>;
}

impl Facts for Memory {
    fn remember(&self, fact: &str, context: &CallContext) -> Result<(), String> {
        Self::remember(self, fact, context).map(|_| ()).map_err(|e| e.to_string())
    }

    fn recall(&self, query: &str, _: &CallContext) -> Result<Vec<String>, String> {
        let found = Self::recall(self, query).map_err(|e| e.to_string())?;
        Ok(found.into_iter().map(|hit| hit.fact.text).collect())
    }

    fn correct(
        &self,
        query: &str,
        fact: &str,
        context: &CallContext,
    ) -> Result<Option<String>, String> {
        let old = Self::correct(self, query, fact, context).map_err(|e| e.to_string())?;
        Ok(old.map(|old| old.text))
    }

    fn forget(&self, query: &str, _: &CallContext) -> Result<Option<String>, String> {
        let old = self.forget_best(query).map_err(|e| e.to_string())?;
        Ok(old.map(|old| old.text))
    }
}
