//! Guessing the next tokens, so that one forward pass can check several: prompt lookup and draft models.
//!
//! A guess is only a guess: the token at a position is the one that the model samples there with that
//! position's own random number, and a guess is kept as long as it is that token. So answers are the
//! same tokens with and without speculation, and not only alike in distribution.

use std::sync::Arc;

use psi_kernels::kv::KV_BLOCK;
use psi_model::Decoder;
use psi_tokenizer::TokenId;

use crate::{Engine, SamplingParams, Sequence, Want, Work, sampling::sample};

/// How tokens are guessed ahead.
#[derive(Clone, Debug, Default)]
pub enum Speculation {
    /// Not at all.
    #[default]
    Off,
    /// What followed the last tokens where they occurred before, in the prompt or the answer. Saxena 2023.
    Lookup {
        /// Most tokens guessed at once.
        max_draft: usize,
    },
    /// What a smaller model with the same vocabulary says. Leviathan et al. 2023.
    Draft {
        /// The smaller model.
        model: Arc<Decoder>,
        /// Most tokens guessed at once.
        max_draft: usize,
    },
}

impl Speculation {
    /// Most tokens guessed at once.
    pub fn max_draft(&self) -> usize {
        match self {
            Self::Off => 0,
            Self::Lookup { max_draft } | Self::Draft { max_draft, .. } => *max_draft,
        }
    }
}

/// Longest run of last tokens that is looked for, and the shortest that counts.
const NGRAMS: std::ops::RangeInclusive<usize> = 2..=5;

/// Up to `n` tokens that followed the latest earlier occurrence of the longest run of last tokens.
pub(crate) fn lookup(history: &[TokenId], n: usize) -> &[TokenId] {
    for len in NGRAMS.rev().filter(|&len| len < history.len()) {
        let (before, last) = history.split_at(history.len() - len);
        // Where the run ends one token or more before the end of the text.
        let occurrence = |&at: &usize| history[at..at + len] == *last;
        if let Some(at) = (0..before.len()).rev().find(occurrence) {
            let from = at + len;
            return &history[from..history.len().min(from + n)];
        }
    }
    &[]
}

/// How many tokens to guess for one request: more after guesses that were right, fewer after wrong ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Confidence {
    n: usize,
}

impl Confidence {
    pub(crate) fn new() -> Self {
        Self { n: 4 }
    }

    pub(crate) fn n(self) -> usize {
        self.n
    }

    pub(crate) fn learn(&mut self, n_drafted: usize, n_accepted: usize) {
        if n_drafted == 0 {
            return;
        }
        self.n = match n_accepted == n_drafted {
            true => (self.n + 2).min(16),
            false => n_accepted.max(1),
        };
    }
}

/// A request as a draft model sees it.
pub(crate) struct Draftee<'a> {
    /// Its place in the draft model's cache.
    pub(crate) sequence: &'a mut Sequence,
    pub(crate) history: &'a [TokenId],
    pub(crate) n_prompt: usize,
    pub(crate) sampling: &'a SamplingParams,
    /// Tokens to guess.
    pub(crate) n: usize,
    /// The guesses.
    pub(crate) draft: Vec<TokenId>,
}

/// A draft model at work.
pub(crate) struct Drafter {
    engine: Engine,
    /// Most prompt tokens of one round.
    chunk: usize,
}

impl Drafter {
    pub(crate) fn new(engine: Engine, chunk: usize) -> Self {
        Self { engine, chunk }
    }

    /// Guesses for all requests at once, a token of each per forward pass. One whose prompt is long is
    /// read bit by bit and gets no guess until it is read; nor does one for which there is no room.
    pub(crate) fn draft(&mut self, requests: &mut [Draftee<'_>]) {
        let longest = self.engine.model().config().max_seq_len;
        let mut budget = self.chunk;
        let mut texts: Vec<Vec<TokenId>> = requests.iter().map(|r| r.history.to_vec()).collect();
        loop {
            let mut n_free = self.engine.n_free();
            let mut work = Vec::new();
            let mut asked = Vec::new();
            for (i, (request, text)) in requests.iter_mut().zip(&texts).enumerate() {
                let from = request.sequence.len();
                let n_new = text.len() - from;
                let n_tokens = if n_new == 1 { 1 } else { n_new.min(budget) };
                let has_room = n_tokens + KV_BLOCK <= n_free && text.len() <= longest;
                if request.draft.len() >= request.n || n_tokens == 0 || !has_room {
                    continue;
                }
                n_free -= n_tokens.next_multiple_of(KV_BLOCK);
                budget -= if n_new == 1 { 0 } else { n_tokens };
                let is_last = n_tokens == n_new;
                let want = if is_last { Want::Last } else { Want::Nothing };
                let tokens = &text[from..from + n_tokens];
                work.push(Work { sequence: &mut *request.sequence, tokens, want });
                asked.push((i, is_last));
            }
            if work.is_empty() {
                return;
            }
            let Ok(mut logits) = self.engine.forward(&mut work) else { return };
            let rows = asked.into_iter().filter(|(_, is_last)| *is_last).enumerate();
            for (row, (i, _)) in rows {
                let Draftee { sampling, n_prompt, n, draft, .. } = &mut requests[i];
                let guess = sample(sampling, logits.row_mut(row), &texts[i], *n_prompt);
                match guess {
                    Some(token) => {
                        draft.push(token);
                        texts[i].push(token);
                    }
                    None => *n = 0,
                }
            }
        }
    }

    /// Forgets the positions from `len` on: guesses that were wrong.
    pub(crate) fn truncate(&mut self, sequence: &mut Sequence, len: usize) {
        self.engine.truncate(sequence, len);
    }

    /// Gives a request's place back.
    pub(crate) fn release(&mut self, sequence: Sequence) {
        self.engine.release(sequence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_run_that_occurred_before_is_continued() {
        let history = [1, 2, 3, 9, 7, 2, 3, 8, 1, 2, 3];
        assert_eq!(lookup(&history, 4), [9, 7, 2, 3]);
        assert_eq!(lookup(&history, 2), [9, 7]);
        assert_eq!(lookup(&[4, 2, 3, 5, 2, 3, 6, 2, 3], 1), [6], "the latest of equals");
        assert_eq!(lookup(&[5, 5, 5, 5], 9), [5], "a run may overlap its occurrence");
        assert!(lookup(&[1, 2, 3], 4).is_empty() && lookup(&[], 4).is_empty());
    }
}
