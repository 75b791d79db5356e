//! A compiled grammar as a constraint on one answer.

use llguidance::{Matcher, toktrie::SimpleVob};
use psi_tokenizer::TokenId;

use crate::service::{Constraint, ConstraintError};

/// Follows one answer through a grammar.
pub(crate) struct GrammarConstraint {
    matcher: Matcher,
    /// the mask of the present state, once it was asked for
    mask: Option<SimpleVob>,
}

impl GrammarConstraint {
    pub(super) fn new(matcher: Matcher) -> Self {
        Self { matcher, mask: None }
    }
}

impl Constraint for GrammarConstraint {
    fn mask(&mut self) -> Result<Option<&[u32]>, ConstraintError> {
        if self.mask.is_none() {
            let mask = self.matcher.compute_mask_or_eos().map_err(|e| failed(&e.to_string()))?;
            self.mask = Some(mask);
        }
        Ok(self.mask.as_ref().map(SimpleVob::as_slice))
    }

    fn accept(&mut self, token: TokenId) -> Result<(), ConstraintError> {
        self.mask = None;
        self.matcher.consume_token(token).map_err(|e| failed(&e.to_string()))
    }

    fn is_complete(&self) -> bool {
        self.matcher.is_stopped() && self.matcher.stop_reason().is_ok()
    }
}

fn failed(why: &str) -> ConstraintError {
    let why = why.lines().next().unwrap_or_default();
    ConstraintError(format!("the grammar cannot be held any longer: {why}"))
}
