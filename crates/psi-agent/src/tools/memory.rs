//! What the memory tools need of the assistant's memory.

use crate::CallContext;

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
