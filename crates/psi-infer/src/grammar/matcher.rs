//! A compiled grammar as a constraint on one answer.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use llguidance::{Matcher, toktrie::SimpleVob};
use psi_tokenizer::TokenId;

use crate::service::{Constraint, ConstraintError};

/// Follows one answer through a grammar.
pub(crate) struct GrammarConstraint {
    matcher: Matcher,
    /// the mask of the present state, once it was asked for
    mask: Option<SimpleVob>,
    /// set when the automaton that all answers share has met a limit
    is_spent: Arc<AtomicBool>,
}

impl GrammarConstraint {
    pub(super) fn new(matcher: Matcher, is_spent: Arc<AtomicBool>) -> Self {
        Self { matcher, mask: None, is_spent }
    }

    fn failed(&self, why: &str) -> ConstraintError {
        self.is_spent.store(true, Ordering::Relaxed);
        let why = why.lines().next().unwrap_or_default();
        ConstraintError(format!("the grammar cannot be held any longer: {why}"))
    }
}

impl Constraint for GrammarConstraint {
    fn mask(&mut self) -> Result<Option<&[u32]>, ConstraintError> {
        if self.mask.is_none() {
            let mask = self.matcher.compute_mask_or_eos();
            self.mask = Some(mask.map_err(|e| self.failed(&e.to_string()))?);
        }
        Ok(self.mask.as_ref().map(SimpleVob::as_slice))
    }

    fn accept(&mut self, token: TokenId) -> Result<(), ConstraintError> {
        self.mask = None;
        let taken = self.matcher.consume_token(token);
        taken.map_err(|e| self.failed(&e.to_string()))
    }

    fn is_complete(&self) -> bool {
        self.matcher.is_stopped() && self.matcher.stop_reason().is_ok()
    }
}
