//! The requests of a load: prompts of random tokens, the same ones for the same seed.

use psi_infer::rng;

/// How requests are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jobs {
    pub(super) vocab_size: u32,
    /// Tokens that all prompts begin with.
    pub(super) n_shared: usize,
    /// Tokens that each prompt has for itself.
    pub(super) n_own: usize,
    pub(super) max_tokens: usize,
    pub(super) seed: u64,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) tokens: Vec<u32>,
    pub(super) max_tokens: usize,
    pub(super) temperature: f32,
    pub(super) seed: u64,
    /// The client goes after so many pieces of the answer.
    pub(super) leaves_after: Option<usize>,
}

impl Jobs {
    /// Request number `i`: greedy, to its last token.
    pub(super) fn job(&self, i: usize) -> Job {
        let shared = self.tokens(0, self.n_shared);
        let own = self.tokens(1 + i as u64, self.n_own);
        Job {
            tokens: shared.chain(own).collect(),
            max_tokens: self.max_tokens,
            temperature: 0.0,
            seed: 0,
            leaves_after: None,
        }
    }

    fn tokens(&self, stream: u64, n: usize) -> impl Iterator<Item = u32> + use<> {
        let (vocab_size, seed) = (f64::from(self.vocab_size), rng::mix(self.seed) ^ stream);
        (0..n as u64).map(move |i| (rng::uniform(seed, i) * vocab_size) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_begin_alike_and_go_on_differently() {
        let jobs = Jobs { vocab_size: 50, n_shared: 10, n_own: 20, max_tokens: 5, seed: 1 };
        let [a, b] = [0, 1].map(|i| jobs.job(i).tokens);
        assert_eq!((a.len(), &a[..10]), (30, &b[..10]));
        assert_ne!(a[10..], b[10..]);
        assert_eq!(a, jobs.job(0).tokens);
        assert!(a.iter().all(|&t| t < 50));
    }
}
