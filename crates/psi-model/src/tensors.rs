//! Which tensors a configuration has: the one list that loading, saving, training and tests walk.

use std::fmt;

use crate::{
    Config,
    config::{NormKind, Placement, QkNorm},
    names,
};

/// What a tensor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the field's; names.rs gives each its name on disk")]
pub enum Role {
    Embed,
    Positions,
    AttnNorm,
    AttnNormBias,
    Q,
    K,
    V,
    O,
    QBias,
    KBias,
    VBias,
    OBias,
    QNorm,
    KNorm,
    PostAttnNorm,
    MlpNorm,
    MlpNormBias,
    Gate,
    Up,
    Down,
    GateBias,
    UpBias,
    DownBias,
    Router,
    ExpertGate,
    ExpertUp,
    ExpertDown,
    PostMlpNorm,
    FinalNorm,
    FinalNormBias,
    Head,
}

impl Role {
    /// Whether it is a vector (a norm's weights or a bias) rather than a matrix.
    pub fn is_vector(self) -> bool {
        self.is_norm() || self.is_bias()
    }

    /// Whether it is a norm's weight vector.
    pub fn is_norm(self) -> bool {
        use Role::{AttnNorm, FinalNorm, KNorm, MlpNorm, PostAttnNorm, PostMlpNorm, QNorm};
        matches!(self, AttnNorm | PostAttnNorm | MlpNorm | PostMlpNorm | FinalNorm | QNorm | KNorm)
    }

    /// Whether it is a bias vector.
    pub fn is_bias(self) -> bool {
        use Role::{
            AttnNormBias, DownBias, FinalNormBias, GateBias, KBias, MlpNormBias, OBias, QBias,
            UpBias, VBias,
        };
        matches!(
            self,
            AttnNormBias
                | MlpNormBias
                | FinalNormBias
                | QBias
                | KBias
                | VBias
                | OBias
                | GateBias
                | UpBias
                | DownBias
        )
    }
}

/// A tensor's place in the model. `Display` is psi's own name for it: `layers.3.w_q`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId {
    /// The layer, for tensors of layers.
    pub layer: Option<u32>,
    /// The expert, for tensors of experts.
    pub expert: Option<u32>,
    /// What it is for.
    pub role: Role,
}

impl fmt::Display for TensorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&names::psi_name(*self))
    }
}

/// A tensor and its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Which.
    pub id: TensorId,
    /// Output features, or the length of a vector.
    pub n: usize,
    /// Input features; 1 for a vector.
    pub k: usize,
}

impl Config {
    /// Every tensor of the model, in the order of the computation. Ids of trainable parameters follow
    /// this order.
    pub fn tensors(&self) -> Vec<TensorInfo> {
        let mut list = List { config: self, layer: None, all: Vec::new() };
        list.add(Role::Embed, self.vocab_size, self.d_model);
        if self.learned_positions {
            list.add(Role::Positions, self.max_seq_len, self.d_model);
        }
        for (i, kind) in self.layers.iter().enumerate() {
            list.layer = Some(i as u32);
            list.attention();
            list.feed_forward(kind.sparse);
        }
        list.layer = None;
        list.norm(Role::FinalNorm, Some(Role::FinalNormBias));
        if !self.tied_embeddings {
            list.add(Role::Head, self.vocab_size, self.d_model);
        }
        list.all
    }
}

struct List<'a> {
    config: &'a Config,
    layer: Option<u32>,
    all: Vec<TensorInfo>,
}

impl List<'_> {
    fn add(&mut self, role: Role, n: usize, k: usize) {
        let id = TensorId { layer: self.layer, expert: None, role };
        self.all.push(TensorInfo { id, n, k });
    }

    fn norm(&mut self, weight: Role, bias: Option<Role>) {
        self.add(weight, self.config.d_model, 1);
        if let (NormKind::Layer, Some(bias)) = (self.config.norm.kind, bias) {
            self.add(bias, self.config.d_model, 1);
        }
    }

    fn attention(&mut self) {
        let c = self.config;
        let (d, d_q, d_kv) = (c.d_model, c.d_q(), c.d_kv());
        if c.placement != Placement::Post {
            self.norm(Role::AttnNorm, Some(Role::AttnNormBias));
        }
        let parts = [
            (Role::Q, Role::QBias, d_q),
            (Role::K, Role::KBias, d_kv),
            (Role::V, Role::VBias, d_kv),
        ];
        for (weight, bias, n) in parts {
            self.add(weight, n, d);
            if c.biases.qkv {
                self.add(bias, n, 1);
            }
        }
        match c.qk_norm {
            QkNorm::None => {}
            QkNorm::PerHead => {
                self.add(Role::QNorm, c.d_head, 1);
                self.add(Role::KNorm, c.d_head, 1);
            }
            QkNorm::FullWidth => {
                self.add(Role::QNorm, d_q, 1);
                self.add(Role::KNorm, d_kv, 1);
            }
        }
        self.add(Role::O, d, d_q);
        if c.biases.o {
            self.add(Role::OBias, d, 1);
        }
        if c.placement != Placement::Pre {
            self.norm(Role::PostAttnNorm, None);
        }
    }

    fn feed_forward(&mut self, sparse: bool) {
        let c = self.config;
        let d = c.d_model;
        if c.placement != Placement::Post {
            self.norm(Role::MlpNorm, Some(Role::MlpNormBias));
        }
        match (sparse, &c.moe) {
            (true, Some(moe)) => {
                self.add(Role::Router, moe.n_experts, d);
                for e in 0..moe.n_experts as u32 {
                    self.add_expert(Role::ExpertGate, e, moe.d_ff, d);
                    self.add_expert(Role::ExpertUp, e, moe.d_ff, d);
                    self.add_expert(Role::ExpertDown, e, d, moe.d_ff);
                }
            }
            _ => self.dense(),
        }
        if c.placement != Placement::Pre {
            self.norm(Role::PostMlpNorm, None);
        }
    }

    fn dense(&mut self) {
        let c = self.config;
        let parts = [
            (Role::Gate, Role::GateBias, c.d_ff, c.d_model),
            (Role::Up, Role::UpBias, c.d_ff, c.d_model),
            (Role::Down, Role::DownBias, c.d_model, c.d_ff),
        ];
        for (weight, bias, n, k) in parts {
            if weight == Role::Gate && !c.gated {
                continue;
            }
            self.add(weight, n, k);
            if c.biases.mlp {
                self.add(bias, n, 1);
            }
        }
    }

    fn add_expert(&mut self, role: Role, expert: u32, n: usize, k: usize) {
        let id = TensorId { layer: self.layer, expert: Some(expert), role };
        self.all.push(TensorInfo { id, n, k });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_llama_has_nine_tensors_per_layer_and_two_outside() {
        let config = Config::llama(64, 3, 4, 100);
        let tensors = config.tensors();
        assert_eq!(tensors.len(), 3 * 9 + 2);
        assert_eq!(tensors[2].id.to_string(), "layers.0.w_q");
        assert_eq!(config.n_params(), 6400 + 64 + 3 * (2 * 64 + 4 * 64 * 64 + 3 * 64 * 192));
    }
}
