//! What a template may use up.

use std::sync::atomic::{AtomicU64, Ordering};

use minijinja::{Error, ErrorKind};

/// Limits of one rendering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateLimits {
    /// Instructions. A message takes some hundred.
    pub fuel: u64,
    /// Bytes of text and lists made, in all.
    pub bytes: u64,
    /// Nested macros, loops and blocks.
    pub depth: usize,
}

impl Default for TemplateLimits {
    fn default() -> Self {
        Self { fuel: 20_000_000, bytes: 512 << 20, depth: 200 }
    }
}

/// What is left of [`TemplateLimits::bytes`].
#[derive(Debug)]
pub(crate) struct Budget(AtomicU64);

impl Budget {
    pub(crate) fn new(limits: &TemplateLimits) -> Self {
        Self(AtomicU64::new(limits.bytes))
    }

    /// Starts anew.
    pub(crate) fn refill(&self, limits: &TemplateLimits) {
        self.0.store(limits.bytes, Ordering::Relaxed);
    }

    /// Takes `bytes`, before they are allocated.
    pub(crate) fn charge(&self, bytes: usize) -> Result<(), Error> {
        let take = |left: u64| left.checked_sub(bytes as u64);
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::new(ErrorKind::OutOfFuel, "the template makes too much text")),
        }
    }

    /// Takes the room of a list of `n` values.
    pub(crate) fn charge_list(&self, n: usize) -> Result<(), Error> {
        self.charge(n.saturating_mul(32))
    }
}
