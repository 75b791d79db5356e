//! The kept tokens of one distribution, most probable first, and what narrows them.

use std::cmp::Ordering;

use psi_tokenizer::TokenId;

/// Tokens with unnormalised probabilities, by falling probability, then by id. Only as many as are looked
/// at are sorted: a vocabulary has 100,000 tokens, and a draw usually ends among the first few.
pub(super) struct Candidates {
    kept: Vec<(TokenId, f64)>,
    /// So many are the most probable ones, in order; the others come after them in any order.
    n_sorted: usize,
}

fn by_probability(a: &(TokenId, f64), b: &(TokenId, f64)) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

impl Candidates {
    /// exp((logit - max) / temperature) of the `top_k` (0: all) most probable tokens.
    /// `None` when no logit is above negative infinity.
    pub(super) fn new(logits: &[f32], temperature: f32, top_k: usize) -> Option<Self> {
        let max = logits.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        if max == f32::NEG_INFINITY {
            return None;
        }
        let known = (0..).zip(logits).filter(|(_, x)| !x.is_nan());
        let mut kept: Vec<(TokenId, f64)> = known.map(|(t, &x)| (t, f64::from(x))).collect();
        if top_k > 0 && top_k < kept.len() {
            kept.select_nth_unstable_by(top_k, by_probability);
            kept.truncate(top_k);
        }
        let (max, temperature) = (f64::from(max), f64::from(temperature));
        for (_, x) in &mut kept {
            *x = match *x == max {
                true => 1.0, // also infinity, where the difference is not a number
                false => ((*x - max) / temperature).exp(),
            };
        }
        kept.retain(|&(_, w)| w > 0.0);
        Some(Self { kept, n_sorted: 0 })
    }

    /// Sorts at least the `n` most probable ones.
    fn sort(&mut self, n: usize) {
        /// The least that is sorted at a time.
        const STEP: usize = 128;
        if n <= self.n_sorted {
            return;
        }
        let n = n.max(STEP).max(4 * self.n_sorted).min(self.kept.len());
        let rest = &mut self.kept[self.n_sorted..];
        let n_new = n - self.n_sorted;
        if n_new < rest.len() {
            rest.select_nth_unstable_by(n_new, by_probability);
        }
        rest[..n_new].sort_unstable_by(by_probability);
        self.n_sorted = n;
    }

    /// The `i`-th most probable one.
    fn get(&mut self, i: usize) -> Option<(TokenId, f64)> {
        self.sort(i + 1);
        self.kept.get(i).copied()
    }

    fn total(&self) -> f64 {
        self.kept.iter().map(|c| c.1).sum()
    }

    /// Length of the shortest prefix that holds the share `p` of the probability.
    fn prefix(&mut self, p: f32) -> usize {
        let target = self.total() * f64::from(p);
        let (mut sum, mut n) = (0.0, 0);
        while sum < target
            && let Some((_, w)) = self.get(n)
        {
            sum += w;
            n += 1;
        }
        n.max(1)
    }

    pub(super) fn top_p(&mut self, p: f32) {
        if p < 1.0 {
            let n = self.prefix(p);
            self.kept.truncate(n);
            self.n_sorted = self.n_sorted.min(n);
        }
    }

    pub(super) fn min_p(&mut self, p: f32) {
        let Some((_, most)) = self.get(0) else { return };
        let least = most * f64::from(p);
        self.kept.retain(|c| c.1 >= least);
        self.n_sorted = self.n_sorted.min(self.kept.len());
    }

    pub(super) fn typical(&mut self, p: f32) {
        if p >= 1.0 {
            return;
        }
        let total = self.total();
        let surprise = |w: f64| -(w / total).ln();
        let entropy: f64 = self.kept.iter().map(|c| c.1 / total * surprise(c.1)).sum();
        let distance = |c: &(TokenId, f64)| (surprise(c.1) - entropy).abs();
        self.kept.sort_by(|a, b| distance(a).total_cmp(&distance(b)).then(by_probability(a, b)));
        // The order of the moment is that of typicality.
        self.n_sorted = self.kept.len();
        let n = self.prefix(p);
        self.kept.truncate(n);
        self.kept.sort_unstable_by(by_probability);
        self.n_sorted = n;
    }

    /// The token at quantile `u` of the kept distribution.
    pub(super) fn draw(&mut self, u: f64) -> Option<TokenId> {
        let mut rest = u * self.total();
        let mut last = None;
        for i in 0..self.kept.len() {
            let (token, w) = self.get(i)?;
            rest -= w;
            last = Some(token);
            if rest < 0.0 {
                break;
            }
        }
        last
    }
}
