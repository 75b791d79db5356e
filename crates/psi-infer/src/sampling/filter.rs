//! The kept tokens of one distribution, most probable first, and what narrows them.

use std::cmp::Ordering;

use psi_tokenizer::TokenId;

/// Tokens with unnormalised probabilities; sorted by falling probability, then by id.
pub(super) struct Candidates {
    kept: Vec<(TokenId, f64)>,
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
        let weight = |x: f32| match x == max {
            true => 1.0, // also infinity, where the difference is not a number
            false => (f64::from(x - max) / f64::from(temperature)).exp(),
        };
        let mut kept: Vec<(TokenId, f64)> = (0..)
            .zip(logits)
            .map(|(token, &x)| (token, weight(x)))
            .filter(|&(_, w)| w > 0.0)
            .collect();
        if top_k > 0 && top_k < kept.len() {
            kept.select_nth_unstable_by(top_k, by_probability);
            kept.truncate(top_k);
        }
        kept.sort_unstable_by(by_probability);
        Some(Self { kept })
    }

    fn total(&self) -> f64 {
        self.kept.iter().map(|c| c.1).sum()
    }

    /// Length of the shortest prefix that holds the share `p` of the probability.
    fn prefix(&self, p: f32) -> usize {
        let target = self.total() * f64::from(p);
        let mut sum = 0.0;
        let reached = self.kept.iter().position(|c| {
            sum += c.1;
            sum >= target
        });
        reached.map_or(self.kept.len(), |i| i + 1)
    }

    pub(super) fn top_p(&mut self, p: f32) {
        if p < 1.0 {
            self.kept.truncate(self.prefix(p));
        }
    }

    pub(super) fn min_p(&mut self, p: f32) {
        let least = self.kept[0].1 * f64::from(p);
        self.kept.retain(|c| c.1 >= least);
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
        self.kept.truncate(self.prefix(p));
        self.kept.sort_unstable_by(by_probability);
    }

    /// The token at quantile `u` of the kept distribution.
    pub(super) fn draw(&self, u: f64) -> TokenId {
        let mut rest = u * self.total();
        for &(token, w) in &self.kept {
            rest -= w;
            if rest < 0.0 {
                return token;
            }
        }
        self.kept[self.kept.len() - 1].0
    }
}
