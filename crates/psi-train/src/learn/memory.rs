//! What a round takes of the machine's memory.

use std::path::Path;

use psi_model::Config;

use super::recipe::{Budget, SEQ_LEN};
use crate::{Result, trainer::activation_bytes};

/// The program itself, its tokenizers and data.
const BASE: u64 = 150_000_000;
/// Conversations that are answered at a time, at the gate by each of two models.
const ANSWERED: u64 = 32;

/// The most bytes that a round on the model in `model` has resident: weights three times (as their file lies
/// mapped, as products read them, and twice at the gate), the adapters with their moments, the activations of
/// a row, the merged weights in f32, and the caches of the answers at the gate. What one part has freed is not
/// counted as free for the next: allocators keep it.
///
/// # Errors
/// The model's configuration cannot be read.
pub fn memory(model: &Path) -> Result<u64> {
    let (c, _) = Config::read(model)?;
    let n = c.n_params();
    let rank = Budget::default().rank;
    let adapters: usize = c.tensors().iter().map(|t| rank * (t.n + t.k)).sum();
    // Master, gradient and two moments in f32.
    let training = 4 * n + 16 * adapters as u64 + activation_bytes(&c, SEQ_LEN as u64);
    let merged = 6 * n;
    let cache = ANSWERED * SEQ_LEN as u64 * (2 * 2 * c.n_layers * c.d_kv()) as u64;
    Ok(BASE + training + merged + 2 * (4 * n) + cache)
}
