//! Which type each tensor of a GGUF file gets: the mixes llama.cpp's quantiser is known for.

use psi_store::DType;

use super::StoredTensor;
use crate::{Config, Role};

/// `general.file_type`: what most matrices of a GGUF file are.
///
/// The K mixes give more bits to the tensors whose error costs most. A row that is no whole number of
/// blocks of 256 gets Q8_0 (llama.cpp uses Q5_0 or Q5_1 there, which psi reads but does not write), one that
/// is no whole number of blocks of 32 gets F16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(non_camel_case_types, reason = "the field's names")]
#[expect(missing_docs, reason = "the names are GGML's")]
pub enum FileType {
    F32,
    F16,
    BF16,
    Q4_0,
    Q8_0,
    Q4_K_S,
    Q4_K_M,
    Q5_K_M,
    Q6_K,
}

impl FileType {
    /// Every file type psi writes.
    pub const ALL: [Self; 9] = [
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::Q4_0,
        Self::Q8_0,
        Self::Q4_K_S,
        Self::Q4_K_M,
        Self::Q5_K_M,
        Self::Q6_K,
    ];

    /// The usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Q4_0 => "Q4_0",
            Self::Q8_0 => "Q8_0",
            Self::Q4_K_S => "Q4_K_S",
            Self::Q4_K_M => "Q4_K_M",
            Self::Q5_K_M => "Q5_K_M",
            Self::Q6_K => "Q6_K",
        }
    }

    /// GGML's number.
    pub fn number(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q8_0 => 7,
            Self::Q4_K_S => 14,
            Self::Q4_K_M => 15,
            Self::Q5_K_M => 17,
            Self::Q6_K => 18,
            Self::BF16 => 32,
        }
    }

    /// The type of one tensor.
    pub fn dtype(self, config: &Config, tensor: &StoredTensor) -> DType {
        let Some(info) = tensor.parts().next() else { return DType::F32 };
        let role = info.id.role;
        if role.is_vector() || matches!(role, Role::Router | Role::Positions) {
            return DType::F32;
        }
        let layer = info.id.layer.unwrap_or(0) as usize;
        let fused = role == Role::Q && tensor.parts().count() > 1;
        let wanted = self.wanted(config, role, layer, fused);
        let row = tensor.shape.last().copied().unwrap_or(1);
        match wanted {
            _ if row.is_multiple_of(wanted.block_len()) => wanted,
            _ if row.is_multiple_of(DType::Q8_0.block_len()) => DType::Q8_0,
            _ => DType::F16,
        }
    }

    fn base(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 => DType::F16,
            Self::BF16 => DType::BF16,
            Self::Q4_0 => DType::Q4_0,
            Self::Q8_0 => DType::Q8_0,
            Self::Q4_K_S | Self::Q4_K_M => DType::Q4K,
            Self::Q5_K_M => DType::Q5K,
            Self::Q6_K => DType::Q6K,
        }
    }

    fn wanted(self, config: &Config, role: Role, layer: usize, fused: bool) -> DType {
        let base = self.base();
        if !base.is_quantized() {
            return base;
        }
        let n = config.n_layers;
        // The first and last eighth of the layers, and every third between.
        let more_bits = layer < n / 8 || layer >= 7 * n / 8 || (layer - n / 8) % 3 == 2;
        let medium = matches!(self, Self::Q4_K_M | Self::Q5_K_M);
        let eight_experts = config.moe.is_some_and(|moe| moe.n_experts == 8);
        let is_head = role == Role::Head || role == Role::Embed && config.tied_embeddings;
        match role {
            _ if is_head && self != Self::Q8_0 => DType::Q6K,
            Role::K | Role::V if eight_experts => DType::Q8_0,
            Role::O if eight_experts && base == DType::Q4K => DType::Q5K,
            Role::Q if fused && self == Self::Q4_K_M => DType::Q5K,
            Role::Q if fused && self == Self::Q5_K_M => DType::Q6K,
            Role::V | Role::Down | Role::ExpertDown if medium && more_bits => DType::Q6K,
            Role::V if self == Self::Q4_K_S && layer < 4 => DType::Q5K,
            Role::Down | Role::ExpertDown if self == Self::Q4_K_S && layer < n / 8 => DType::Q5K,
            _ => base,
        }
    }
}
