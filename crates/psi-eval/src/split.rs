//! Training and evaluation: two splits that share no name, number, wording or item. Validation shares the pools of training and has
//! wordings and unheard words of its own, so that nothing has to be chosen by the evaluation split.
//!
//! What may occur in a split is decided by the thing itself, through its hash, so no list has to be kept
//! and no generator can take the wrong half.

use std::fmt;

use psi_infer::rng;

/// Share of words, numbers and items that belongs to the evaluation split.
const EVAL_SHARE: f64 = 0.17;

/// Numbers below this are everybody's words ("two dogs"); from here on a number belongs to one split.
pub const FIRST_OWNED_NUMBER: i64 = 20;

/// The part of everything that an item is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// What models learn from.
    Train,
    /// What choices are made by: the words of training in wordings that are not trained on.
    Validation,
    /// What they are judged by.
    Eval,
}

impl Split {
    /// Whether a word, or the text of a whole item, belongs to this split. Letter case does not matter.
    pub fn owns(self, text: &str) -> bool {
        (rng::uniform(fnv1a(text), 0) < EVAL_SHARE) == (self == Self::Eval)
    }

    /// Whether a number may occur in this split.
    pub fn owns_number(self, n: i64) -> bool {
        n.abs() < FIRST_OWNED_NUMBER || self.owns(&n.abs().to_string())
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Eval => "eval",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// FNV-1a over the lower-case text.
pub(crate) fn fnv1a(text: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_belongs_to_exactly_one_split_whatever_its_case() {
        for text in ["Rex", "rex", "harbour", "4711"] {
            assert_ne!(Split::Train.owns(text), Split::Eval.owns(text), "{text}");
            assert_eq!(Split::Eval.owns(text), Split::Eval.owns(&text.to_uppercase()));
        }
    }

    #[test]
    fn about_one_number_in_six_is_held_out_and_small_ones_are_shared() {
        let held_out = (20..20_000).filter(|&n| Split::Eval.owns_number(n)).count();
        assert!((3_000..3_700).contains(&held_out), "{held_out}");
        assert!((0..20).all(|n| Split::Eval.owns_number(n) && Split::Train.owns_number(n)));
    }
}
