//! The CPU as a value: which instructions may run, and on how many threads.

use std::sync::Arc;

use crate::{Hold, Isa, Pool};

/// What every kernel takes first: an instruction-set tier and a thread pool.
#[derive(Debug)]
pub struct Cpu {
    isa: Isa,
    pool: Pool,
}

impl Cpu {
    /// A CPU of `n_threads` threads (the caller's included; at least one) on tier `isa`.
    pub fn new(isa: Isa, n_threads: usize) -> Self {
        Self { isa, pool: Pool::new(n_threads) }
    }

    /// [`Cpu::new`], with a switch that holds its work back.
    pub fn held_by(isa: Isa, n_threads: usize, hold: Arc<Hold>) -> Self {
        Self { isa, pool: Pool::held_by(n_threads, hold) }
    }

    /// One thread on the highest tier.
    pub fn single() -> Self {
        Self::new(Isa::best(), 1)
    }

    /// The tier kernels dispatch on.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The threads kernels run on.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Number of threads, the caller's included.
    pub fn n_threads(&self) -> usize {
        self.pool.n_threads()
    }
}
