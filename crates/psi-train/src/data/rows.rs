//! Rows: tokens as inputs and targets, and how documents share them.

use super::NO_TARGET;
use super::encode::TRAINED;

/// A micro-batch: up to `batch_rows * seq_len` positions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The model's input.
    pub tokens: Vec<u32>,
    /// What each position should predict; [`NO_TARGET`] where no loss falls.
    pub targets: Vec<u32>,
    /// Lengths of independent sequences, in order; they add up to `tokens.len()`.
    pub segments: Vec<usize>,
    /// Bytes of text behind the targets, for bits per byte. Special tokens have none.
    pub bytes: u64,
}

impl Rows {
    /// Number of positions that a loss falls on.
    pub fn n_targets(&self) -> usize {
        self.targets.iter().filter(|&&t| t != NO_TARGET).count()
    }

    /// Appends a row that runs across documents; `ends` are the lengths after which one ends.
    pub(crate) fn push_stream(&mut self, tokens: &[u32], ends: &[usize], across: bool) {
        let n = tokens.len() - 1;
        let first = self.targets.len();
        self.push_sequence(tokens);
        if across {
            self.segments.push(n);
            return;
        }
        let mut start = 0;
        for &end in ends.iter().filter(|&&end| end <= n) {
            // The first token of a document does not follow from the one before it.
            self.targets[first + end - 1] = NO_TARGET;
            self.segments.push(end - start);
            start = end;
        }
        if start < n {
            self.segments.push(n - start);
        }
    }

    /// Appends a document as a segment of its own.
    pub(crate) fn push_whole(&mut self, tokens: &[u32]) {
        self.push_sequence(tokens);
        self.segments.push(tokens.len() - 1);
    }

    /// Appends tokens as inputs, each with the one after it as its target if that is trained on.
    fn push_sequence(&mut self, tokens: &[u32]) {
        let (inputs, targets) = (&tokens[..tokens.len() - 1], &tokens[1..]);
        self.tokens.extend(inputs.iter().map(|t| t & !TRAINED));
        let target = |&t: &u32| if t & TRAINED != 0 { t & !TRAINED } else { NO_TARGET };
        self.targets.extend(targets.iter().map(target));
    }
}

/// Which of the sequences of these lengths share a row of `capacity`: the first, then, as long as one
/// fits, the longest that does (the first of equals). In the order of choice.
pub(crate) fn best_fit(lens: &[usize], capacity: usize) -> Vec<usize> {
    let mut chosen = vec![0];
    let mut free = capacity - lens[0];
    loop {
        let fits = |i: &usize| lens[*i] <= free && !chosen.contains(i);
        let Some(best) = (0..lens.len()).filter(fits).min_by_key(|&i| free - lens[i]) else {
            return chosen;
        };
        chosen.push(best);
        free -= lens[best];
    }
}
