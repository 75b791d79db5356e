//! The random choices of one generated item: a counter-based stream that knows its split.

use psi_infer::rng;

use crate::split::Split;

/// Choices drawn for item `index` of the stream (`split`, `seed`).
///
/// The split is part of the address: the same seed gives unrelated streams for training and evaluation,
/// and everything that is drawn from a pool comes from the split's own part of it.
#[derive(Clone, Debug)]
pub struct Draws {
    split: Split,
    seed: u64,
    index: u64,
    position: u64,
}

impl Draws {
    /// The choices of item `index`.
    pub fn new(split: Split, seed: u64, index: u64) -> Self {
        let side = match split {
            Split::Train => 0x7472_6169_6e00_0000,
            Split::Validation => 0x7661_6c69_6400_0000,
            Split::Eval => 0x6576_616c_0000_0000,
        };
        let mixed = (rng::uniform(seed ^ side, index) * (1_u64 << 53) as f64) as u64;
        Self { split, seed: mixed ^ side, index, position: 0 }
    }

    /// The split that it draws for.
    pub fn split(&self) -> Split {
        self.split
    }

    /// Number of the item.
    pub fn index(&self) -> u64 {
        self.index
    }

    fn uniform(&mut self) -> f64 {
        self.position += 1;
        rng::uniform(self.seed, self.position)
    }

    /// A number in 0..n.
    ///
    /// # Panics
    /// When `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        assert!(n > 0, "nothing to draw from");
        ((self.uniform() * n as f64) as usize).min(n - 1)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as usize) as i64
    }

    /// A number from `low` to `high` that belongs to the split.
    pub fn number(&mut self, low: i64, high: i64) -> i64 {
        self.until(|draws| {
            let n = draws.between(low, high);
            draws.split.owns_number(n).then_some(n)
        })
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// A word of the pool's part that belongs to the split.
    pub fn word(&mut self, pool: &[&'static str]) -> &'static str {
        self.until(|draws| {
            let word = draws.pick(pool);
            draws.split.owns(word).then_some(word)
        })
    }

    /// `n` different words of the pool.
    pub fn words(&mut self, pool: &[&'static str], n: usize) -> Vec<&'static str> {
        let mut words = Vec::with_capacity(n);
        while words.len() < n {
            let next = self.until(|draws| Some(draws.word(pool)).filter(|w| !words.contains(w)));
            words.push(next);
        }
        words
    }

    /// `n` different numbers.
    pub fn numbers(&mut self, low: i64, high: i64, n: usize) -> Vec<i64> {
        let mut numbers = Vec::with_capacity(n);
        while numbers.len() < n {
            let next =
                self.until(|draws| Some(draws.number(low, high)).filter(|x| !numbers.contains(x)));
            numbers.push(next);
        }
        numbers
    }

    /// One of the items, whatever the split: for things that both splits share.
    ///
    /// # Panics
    /// When there are none.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// An index, drawn with these weights.
    pub(crate) fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.uniform() * weights.iter().sum::<f64>();
        for (i, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return i;
            }
        }
        weights.iter().rposition(|&w| w > 0.0).expect("some weight is positive")
    }

    /// Puts the items in a random order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    /// Draws until something comes that is wanted.
    ///
    /// # Panics
    /// After a million tries: the pool has nothing for this split, which is a mistake in the pool.
    #[track_caller]
    pub(crate) fn until<T>(&mut self, mut attempt: impl FnMut(&mut Self) -> Option<T>) -> T {
        for _ in 0..1_000_000 {
            if let Some(found) = attempt(self) {
                return found;
            }
        }
        panic!("nothing in the pool belongs to the {} split", self.split);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_address_gives_the_same_choices_and_another_split_others() {
        let run = |split, seed, index| {
            let mut draws = Draws::new(split, seed, index);
            (0..20).map(|_| draws.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(run(Split::Train, 7, 3), run(Split::Train, 7, 3));
        assert_ne!(run(Split::Train, 7, 3), run(Split::Eval, 7, 3));
        assert_ne!(run(Split::Train, 7, 3), run(Split::Train, 7, 4));
        assert_ne!(run(Split::Train, 7, 3), run(Split::Train, 8, 3));
    }

    #[test]
    fn weights_are_respected() {
        let mut draws = Draws::new(Split::Train, 1, 0);
        let mut seen = [0; 3];
        for _ in 0..3000 {
            seen[draws.weighted(&[1.0, 0.0, 2.0])] += 1;
        }
        assert!(seen[1] == 0 && seen[2] > seen[0], "{seen:?}");
    }
}
