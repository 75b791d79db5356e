//! What must hold in every configuration before memory is reserved for it.

use std::path::Path;

use super::{Config, fields::MAX_COUNT};
use crate::{ModelError, Result};

/// More layers than any model has; a damaged count must not reserve memory.
pub(super) const MAX_LAYERS: usize = 4096;
/// More experts, over all layers, than any model has.
const MAX_EXPERTS: usize = 1 << 18;
/// Elements of the largest tensor psi agrees to address.
const MAX_ELEMENTS: usize = 1 << 40;

impl Config {
    /// Refuses configurations that no file can fill: zero or enormous sizes, heads that do not divide.
    /// `path` is the file to blame.
    ///
    /// # Errors
    /// [`ModelError::Key`] with psi's name of the field.
    pub fn check(&self, path: &Path) -> Result<()> {
        let refuse =
            |key: &str, value: usize, why: String| Err(ModelError::key(path, key, value, why));
        let sizes = [
            ("d_model (hidden_size)", self.d_model),
            ("d_ff (intermediate_size)", self.d_ff),
            ("n_layers (num_hidden_layers)", self.n_layers),
            ("n_heads (num_attention_heads)", self.n_heads),
            ("n_kv_heads (num_key_value_heads)", self.n_kv_heads),
            ("d_head (head_dim)", self.d_head),
            ("vocab_size", self.vocab_size),
            ("max_seq_len (max_position_embeddings)", self.max_seq_len),
        ];
        for (key, n) in sizes {
            if n == 0 || n as u64 > MAX_COUNT {
                return refuse(key, n, format!("must be from 1 to {MAX_COUNT}"));
            }
        }
        if self.n_layers > MAX_LAYERS {
            return refuse("n_layers", self.n_layers, format!("more than {MAX_LAYERS}"));
        }
        if !self.n_heads.is_multiple_of(self.n_kv_heads) {
            let why = format!("does not divide n_heads, {}", self.n_heads);
            return refuse("n_kv_heads", self.n_kv_heads, why);
        }
        let widest = self.d_ff.max(self.vocab_size).max(self.d_q());
        if self.d_q() > MAX_COUNT as usize || self.d_model.saturating_mul(widest) > MAX_ELEMENTS {
            return refuse("d_model", self.d_model, format!("too large beside {widest}"));
        }
        if self.layers.len() != self.n_layers {
            return refuse("layers", self.layers.len(), format!("for {} layers", self.n_layers));
        }
        for rope in [Some(&self.rope), self.local_rope.as_ref()].into_iter().flatten() {
            if !rope.d_rotary.is_multiple_of(2) || rope.d_rotary > self.d_head {
                return refuse("d_rotary", rope.d_rotary, format!("in heads of {}", self.d_head));
            }
        }
        self.check_experts(path)
    }

    fn check_experts(&self, path: &Path) -> Result<()> {
        let refuse =
            |key: &str, value: usize, why: String| Err(ModelError::key(path, key, value, why));
        let sparse = self.layers.iter().any(|l| l.sparse);
        match &self.moe {
            None if sparse => refuse("n_experts", 0, "but layers are mixtures of experts".into()),
            Some(moe) if moe.n_experts == 0 || moe.n_experts > MAX_EXPERTS / self.n_layers => {
                let most = MAX_EXPERTS / self.n_layers;
                refuse("n_experts", moe.n_experts, format!("must be from 1 to {most} per layer"))
            }
            Some(moe) if moe.top_k == 0 || moe.top_k > moe.n_experts => {
                refuse("top_k", moe.top_k, format!("of {} experts", moe.n_experts))
            }
            Some(moe) if moe.d_ff == 0 || moe.d_ff as u64 > MAX_COUNT => {
                refuse("d_ff of an expert", moe.d_ff, format!("must be from 1 to {MAX_COUNT}"))
            }
            _ => Ok(()),
        }
    }
}
