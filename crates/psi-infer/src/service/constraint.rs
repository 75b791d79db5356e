//! What restricts which token may come next: a grammar, a reasoning budget, or several of them.

use std::fmt;

use psi_tokenizer::TokenId;

/// A restriction on an answer's tokens. It is told every token of the answer, in order.
pub trait Constraint: Send {
    /// The tokens that may come next, one bit per token id from the lowest bit of the first word;
    /// ids beyond the last word may not. `None` allows everything; a single bit forces its token.
    ///
    /// # Errors
    /// When the restriction cannot go on; the answer fails.
    fn mask(&mut self) -> Result<Option<&[u32]>, ConstraintError>;

    /// Takes the token that came.
    ///
    /// # Errors
    /// When it may not come here.
    fn accept(&mut self, token: TokenId) -> Result<(), ConstraintError>;

    /// Whether nothing more may follow: the answer ends.
    fn is_complete(&self) -> bool;
}

/// Why a constraint cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConstraintError(pub String);

impl fmt::Display for ConstraintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConstraintError {}

/// The token of a mask with a single bit.
pub(super) fn forced(mask: &[u32]) -> Option<TokenId> {
    let mut set = mask.iter().enumerate().filter(|(_, word)| **word != 0);
    let (i, word) = set.next()?;
    let alone = word.is_power_of_two() && set.next().is_none();
    alone.then(|| i as TokenId * u32::BITS + word.trailing_zeros())
}

/// Takes away what the mask does not allow.
pub(crate) fn apply(mask: &[u32], logits: &mut [f32]) {
    let words = mask.iter().copied().chain(std::iter::repeat(0));
    for (logits, word) in logits.chunks_mut(u32::BITS as usize).zip(words) {
        if word == u32::MAX {
            continue;
        }
        for (bit, logit) in logits.iter_mut().enumerate() {
            if word >> bit & 1 == 0 {
                *logit = f32::NEG_INFINITY;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_allows_its_bits_and_nothing_beyond_its_words() {
        let mut logits = [1.0; 70];
        apply(&[1 << 3, u32::MAX], &mut logits);
        let allowed: Vec<usize> = (0..70).filter(|&i| logits[i] == 1.0).collect();
        let expected: Vec<usize> = [3].into_iter().chain(32..64).collect();
        assert_eq!(allowed, expected);
    }

    #[test]
    fn a_token_is_forced_by_a_single_bit() {
        assert_eq!(forced(&[0, 1 << 5]), Some(37));
        assert_eq!(forced(&[0, 3]), None);
        assert_eq!(forced(&[1, 1]), None);
        assert_eq!(forced(&[0, 0]), None);
    }
}
