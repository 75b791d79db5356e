//! What restricts an answer: the end of its thoughts, its grammar, its tool calls, and its end.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use psi_tokenizer::{TokenId, Tokenizer};

use crate::{
    grammar::{Compiled, GrammarConstraint},
    service::{Constraint, ConstraintError},
};

/// The constraint of every answer.
pub(super) struct Steering {
    thoughts: Option<Thoughts>,
    answer: Answer,
    /// set when nothing more is wanted
    is_over: Arc<AtomicBool>,
    tokenizer: Arc<Tokenizer>,
    mask: Mask,
}

/// Thoughts between two tokens.
#[derive(Clone, Debug)]
pub(super) struct Thoughts {
    pub(super) open: TokenId,
    pub(super) close: TokenId,
    /// most tokens of them
    pub(super) budget: Option<usize>,
    /// the tokens around a tool call, inside which nothing is cut
    pub(super) call: Option<(TokenId, TokenId)>,
    pub(super) state: ThoughtState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThoughtState {
    /// They may begin.
    Before,
    Inside {
        n: usize,
        in_call: bool,
    },
    After,
}

/// What follows the thoughts.
pub(super) enum Answer {
    /// Anything.
    Free,
    /// A text of a grammar, calls included.
    Grammar(GrammarConstraint),
    /// Text, and calls after a mark.
    Marked(Box<Marked>),
}

/// Text that turns into a call at a mark.
pub(super) struct Marked {
    pub(super) mark: TokenId,
    /// one call after its mark
    pub(super) body: Compiled,
    /// the text's own grammar
    pub(super) text: Option<GrammarConstraint>,
    /// the answer ends with its first call
    pub(super) single: bool,
    pub(super) inside: Option<GrammarConstraint>,
    pub(super) n_calls: usize,
    /// nothing was written yet
    pub(super) is_fresh: bool,
}

/// A mask that is put together here.
struct Mask {
    words: Vec<u32>,
    vocab_size: usize,
    /// tokens that end an answer
    ends: Vec<TokenId>,
}

impl Mask {
    fn clear(&mut self) -> &mut Self {
        self.words.clear();
        self.words.resize(self.vocab_size.div_ceil(32), 0);
        self
    }

    fn copy(&mut self, mask: &[u32]) -> &mut Self {
        self.clear();
        let n = self.words.len().min(mask.len());
        self.words[..n].copy_from_slice(&mask[..n]);
        self
    }

    fn add(&mut self, token: TokenId) -> &mut Self {
        if let Some(word) = self.words.get_mut(token as usize / 32) {
            *word |= 1 << (token % 32);
        }
        self
    }

    fn ends(&mut self) -> &mut Self {
        for i in 0..self.ends.len() {
            self.add(self.ends[i]);
        }
        self
    }

    fn all_but_ends(&mut self) -> &[u32] {
        self.words.clear();
        self.words.resize(self.vocab_size.div_ceil(32), u32::MAX);
        for &end in &self.ends {
            self.words[end as usize / 32] &= !(1 << (end % 32));
        }
        &self.words
    }
}

impl Steering {
    pub(super) fn new(
        thoughts: Option<Thoughts>,
        answer: Answer,
        is_over: Arc<AtomicBool>,
        tokenizer: Arc<Tokenizer>,
        vocab_size: usize,
    ) -> Self {
        let ends = tokenizer.end_of_generation().iter().copied();
        let ends = ends.filter(|&end| (end as usize) < vocab_size).collect();
        let mask = Mask { words: Vec::new(), vocab_size, ends };
        Self { thoughts, answer, is_over, tokenizer, mask }
    }
}

impl Constraint for Steering {
    fn mask(&mut self) -> Result<Option<&[u32]>, ConstraintError> {
        let Some(thoughts) = &self.thoughts else { return self.answer.mask(&mut self.mask) };
        match thoughts.state {
            ThoughtState::After => self.answer.mask(&mut self.mask),
            ThoughtState::Before => {
                let open = thoughts.open;
                let Some(mask) = self.answer.own_mask()? else {
                    return self.answer.mask(&mut self.mask);
                };
                let mask = self.mask.copy(mask);
                if let Answer::Marked(marked) = &self.answer {
                    mask.add(marked.mark);
                }
                Ok(Some(&mask.add(open).words))
            }
            ThoughtState::Inside { in_call: true, .. } => Ok(None),
            ThoughtState::Inside { .. } if thoughts.is_spent() => {
                Ok(Some(&self.mask.clear().add(thoughts.close).words))
            }
            // What was promised about the answer holds only if there is one.
            ThoughtState::Inside { .. } => Ok(match self.answer {
                Answer::Free => None,
                Answer::Grammar(_) | Answer::Marked(_) => Some(self.mask.all_but_ends()),
            }),
        }
    }

    fn accept(&mut self, token: TokenId) -> Result<(), ConstraintError> {
        if let Some(thoughts) = &mut self.thoughts {
            let bytes = self.tokenizer.token_bytes(token);
            let is_gap =
                matches!(self.answer, Answer::Free) && bytes.iter().all(u8::is_ascii_whitespace);
            if thoughts.take(token, is_gap) {
                return Ok(());
            }
        }
        self.answer.accept(token)
    }

    fn is_complete(&self) -> bool {
        if self.is_over.load(Ordering::Relaxed) {
            return true;
        }
        let is_thinking =
            self.thoughts.as_ref().is_some_and(|t| matches!(t.state, ThoughtState::Inside { .. }));
        !is_thinking && self.answer.is_complete()
    }
}

impl Thoughts {
    /// Whether they have to end now.
    fn is_spent(&self) -> bool {
        match self.state {
            ThoughtState::Inside { n, in_call } => {
                !in_call && self.budget.is_some_and(|most| n >= most)
            }
            ThoughtState::Before | ThoughtState::After => false,
        }
    }

    /// Takes a token; whether it belongs to the thoughts. White space before them changes nothing.
    fn take(&mut self, token: TokenId, is_gap: bool) -> bool {
        match &mut self.state {
            ThoughtState::Before if token == self.open => {
                self.state = ThoughtState::Inside { n: 0, in_call: false };
                true
            }
            ThoughtState::Before => {
                if !is_gap {
                    self.state = ThoughtState::After;
                }
                false
            }
            ThoughtState::Inside { .. } if token == self.close => {
                self.state = ThoughtState::After;
                true
            }
            ThoughtState::Inside { n, in_call } => {
                match self.call {
                    Some((open, _)) if token == open => *in_call = true,
                    Some((_, close)) if token == close => *in_call = false,
                    _ => {}
                }
                *n += usize::from(!*in_call);
                true
            }
            ThoughtState::After => false,
        }
    }
}

impl Answer {
    /// The mask of the grammar that is followed now, without what may interrupt it.
    fn own_mask(&mut self) -> Result<Option<&[u32]>, ConstraintError> {
        match self {
            Self::Free => Ok(None),
            Self::Grammar(grammar) => grammar.mask(),
            Self::Marked(marked) => match (&mut marked.inside, &mut marked.text) {
                (Some(grammar), _) | (None, Some(grammar)) => grammar.mask(),
                (None, None) => Ok(None),
            },
        }
    }

    fn mask<'m>(&'m mut self, own: &'m mut Mask) -> Result<Option<&'m [u32]>, ConstraintError> {
        match self {
            Self::Marked(marked) if marked.inside.is_none() && marked.text.is_some() => {
                if marked.n_calls > 0 {
                    // After a call only another one.
                    return Ok(Some(&own.clear().add(marked.mark).ends().words));
                }
                let (mark, is_fresh) = (marked.mark, marked.is_fresh);
                let Some(mask) = self.own_mask()? else { return Ok(None) };
                if !is_fresh {
                    return Ok(Some(&own.copy(mask).words));
                }
                Ok(Some(&own.copy(mask).add(mark).words))
            }
            _ => self.own_mask(),
        }
    }

    fn accept(&mut self, token: TokenId) -> Result<(), ConstraintError> {
        match self {
            Self::Free => Ok(()),
            Self::Grammar(grammar) => grammar.accept(token),
            Self::Marked(marked) => marked.accept(token),
        }
    }

    fn is_complete(&self) -> bool {
        match self {
            Self::Free => false,
            Self::Grammar(grammar) => grammar.is_complete(),
            Self::Marked(marked) => {
                let is_called = marked.single && marked.n_calls > 0;
                let text = marked.text.as_ref();
                let is_written = marked.n_calls == 0 && text.is_some_and(Constraint::is_complete);
                is_called || (marked.inside.is_none() && is_written)
            }
        }
    }
}

impl Marked {
    fn accept(&mut self, token: TokenId) -> Result<(), ConstraintError> {
        self.is_fresh = false;
        if let Some(grammar) = &mut self.inside {
            grammar.accept(token)?;
            if grammar.is_complete() {
                self.inside = None;
                self.n_calls += 1;
            }
        } else if token == self.mark {
            self.inside = Some(self.body.begin());
        } else if let Some(text) = &mut self.text {
            text.accept(token)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: TokenId = 1;
    const CLOSE: TokenId = 2;
    const CALL: (TokenId, TokenId) = (3, 4);

    fn thoughts() -> Thoughts {
        let state = ThoughtState::Before;
        Thoughts { open: OPEN, close: CLOSE, budget: Some(2), call: Some(CALL), state }
    }

    /// Whether the end of the thoughts is forced after these tokens.
    fn is_forced(tokens: &[TokenId]) -> bool {
        let mut thoughts = thoughts();
        for &token in tokens {
            thoughts.take(token, false);
        }
        thoughts.is_spent()
    }

    #[test]
    fn a_budget_never_cuts_a_call() {
        assert!(!is_forced(&[OPEN, 7]));
        assert!(is_forced(&[OPEN, 7, 7]));
        assert!(!is_forced(&[OPEN, 7, CALL.0, 7, 7, 7, 7]));
        assert!(is_forced(&[OPEN, 7, CALL.0, 7, 7, CALL.1]));
        assert!(!is_forced(&[OPEN, 7, 7, CLOSE]));
        assert!(!is_forced(&[7, OPEN, 7, 7, 7]));
    }

    #[test]
    fn white_space_before_thoughts_changes_nothing() {
        let mut thoughts = thoughts();
        assert!(!thoughts.take(9, true));
        assert!(thoughts.take(OPEN, false));
    }
}
