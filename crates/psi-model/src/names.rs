//! One table from psi's tensor names to those of Hugging Face and of GGUF.

use crate::{Config, Family, Role, TensorId, TensorInfo};

/// A row: role, psi's name, Hugging Face's for most models, GGUF's. `{i}` is the layer, `{e}` the expert.
type Row = (Role, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    (Role::Embed,         "embed",                   "model.embed_tokens.weight",                               "token_embd.weight"),
    (Role::Positions,     "positions",               "transformer.wpe.weight",                                  "position_embd.weight"),
    (Role::AttnNorm,      "layers.{i}.attn_norm",    "model.layers.{i}.input_layernorm.weight",                 "blk.{i}.attn_norm.weight"),
    (Role::AttnNormBias,  "layers.{i}.attn_norm_b",  "transformer.h.{i}.ln_1.bias",                             "blk.{i}.attn_norm.bias"),
    (Role::Q,             "layers.{i}.w_q",          "model.layers.{i}.self_attn.q_proj.weight",                "blk.{i}.attn_q.weight"),
    (Role::K,             "layers.{i}.w_k",          "model.layers.{i}.self_attn.k_proj.weight",                "blk.{i}.attn_k.weight"),
    (Role::V,             "layers.{i}.w_v",          "model.layers.{i}.self_attn.v_proj.weight",                "blk.{i}.attn_v.weight"),
    (Role::O,             "layers.{i}.w_o",          "model.layers.{i}.self_attn.o_proj.weight",                "blk.{i}.attn_output.weight"),
    (Role::QBias,         "layers.{i}.b_q",          "model.layers.{i}.self_attn.q_proj.bias",                  "blk.{i}.attn_q.bias"),
    (Role::KBias,         "layers.{i}.b_k",          "model.layers.{i}.self_attn.k_proj.bias",                  "blk.{i}.attn_k.bias"),
    (Role::VBias,         "layers.{i}.b_v",          "model.layers.{i}.self_attn.v_proj.bias",                  "blk.{i}.attn_v.bias"),
    (Role::OBias,         "layers.{i}.b_o",          "model.layers.{i}.self_attn.o_proj.bias",                  "blk.{i}.attn_output.bias"),
    (Role::QNorm,         "layers.{i}.q_norm",       "model.layers.{i}.self_attn.q_norm.weight",                "blk.{i}.attn_q_norm.weight"),
    (Role::KNorm,         "layers.{i}.k_norm",       "model.layers.{i}.self_attn.k_norm.weight",                "blk.{i}.attn_k_norm.weight"),
    (Role::PostAttnNorm,  "layers.{i}.post_attn_norm", "model.layers.{i}.post_attention_layernorm.weight",      "blk.{i}.post_attention_norm.weight"),
    (Role::MlpNorm,       "layers.{i}.mlp_norm",     "model.layers.{i}.post_attention_layernorm.weight",        "blk.{i}.ffn_norm.weight"),
    (Role::MlpNormBias,   "layers.{i}.mlp_norm_b",   "transformer.h.{i}.ln_2.bias",                             "blk.{i}.ffn_norm.bias"),
    (Role::Gate,          "layers.{i}.w_gate",       "model.layers.{i}.mlp.gate_proj.weight",                   "blk.{i}.ffn_gate.weight"),
    (Role::Up,            "layers.{i}.w_up",         "model.layers.{i}.mlp.up_proj.weight",                     "blk.{i}.ffn_up.weight"),
    (Role::Down,          "layers.{i}.w_down",       "model.layers.{i}.mlp.down_proj.weight",                   "blk.{i}.ffn_down.weight"),
    (Role::GateBias,      "layers.{i}.b_gate",       "model.layers.{i}.mlp.gate_proj.bias",                     "blk.{i}.ffn_gate.bias"),
    (Role::UpBias,        "layers.{i}.b_up",         "model.layers.{i}.mlp.up_proj.bias",                       "blk.{i}.ffn_up.bias"),
    (Role::DownBias,      "layers.{i}.b_down",       "model.layers.{i}.mlp.down_proj.bias",                     "blk.{i}.ffn_down.bias"),
    (Role::Router,        "layers.{i}.router",       "model.layers.{i}.mlp.gate.weight",                        "blk.{i}.ffn_gate_inp.weight"),
    (Role::ExpertGate,    "layers.{i}.experts.{e}.w_gate", "model.layers.{i}.mlp.experts.{e}.gate_proj.weight", "blk.{i}.ffn_gate_exps.weight"),
    (Role::ExpertUp,      "layers.{i}.experts.{e}.w_up",   "model.layers.{i}.mlp.experts.{e}.up_proj.weight",   "blk.{i}.ffn_up_exps.weight"),
    (Role::ExpertDown,    "layers.{i}.experts.{e}.w_down", "model.layers.{i}.mlp.experts.{e}.down_proj.weight", "blk.{i}.ffn_down_exps.weight"),
    (Role::PostMlpNorm,   "layers.{i}.post_mlp_norm", "model.layers.{i}.post_feedforward_layernorm.weight",     "blk.{i}.post_ffw_norm.weight"),
    (Role::FinalNorm,     "final_norm",              "model.norm.weight",                                       "output_norm.weight"),
    (Role::FinalNormBias, "final_norm_b",            "transformer.ln_f.bias",                                   "output_norm.bias"),
    (Role::Head,          "lm_head",                 "lm_head.weight",                                          "output.weight"),
];

/// Hugging Face names that differ by family.
#[rustfmt::skip]
const HF_BY_FAMILY: &[(&[Family], Role, &str)] = &[
    (&[Family::Gemma2, Family::Gemma3], Role::MlpNorm, "model.layers.{i}.pre_feedforward_layernorm.weight"),
    (&[Family::Mixtral], Role::Router,     "model.layers.{i}.block_sparse_moe.gate.weight"),
    (&[Family::Mixtral], Role::ExpertGate, "model.layers.{i}.block_sparse_moe.experts.{e}.w1.weight"),
    (&[Family::Mixtral], Role::ExpertDown, "model.layers.{i}.block_sparse_moe.experts.{e}.w2.weight"),
    (&[Family::Mixtral], Role::ExpertUp,   "model.layers.{i}.block_sparse_moe.experts.{e}.w3.weight"),
    (&[Family::Phi3], Role::Q,    "model.layers.{i}.self_attn.qkv_proj.weight"),
    (&[Family::Phi3], Role::K,    "model.layers.{i}.self_attn.qkv_proj.weight"),
    (&[Family::Phi3], Role::V,    "model.layers.{i}.self_attn.qkv_proj.weight"),
    (&[Family::Phi3], Role::Gate, "model.layers.{i}.mlp.gate_up_proj.weight"),
    (&[Family::Phi3], Role::Up,   "model.layers.{i}.mlp.gate_up_proj.weight"),
    (&[Family::Gpt2], Role::Embed,     "transformer.wte.weight"),
    (&[Family::Gpt2], Role::AttnNorm,  "transformer.h.{i}.ln_1.weight"),
    (&[Family::Gpt2], Role::Q,         "transformer.h.{i}.attn.c_attn.weight"),
    (&[Family::Gpt2], Role::K,         "transformer.h.{i}.attn.c_attn.weight"),
    (&[Family::Gpt2], Role::V,         "transformer.h.{i}.attn.c_attn.weight"),
    (&[Family::Gpt2], Role::QBias,     "transformer.h.{i}.attn.c_attn.bias"),
    (&[Family::Gpt2], Role::KBias,     "transformer.h.{i}.attn.c_attn.bias"),
    (&[Family::Gpt2], Role::VBias,     "transformer.h.{i}.attn.c_attn.bias"),
    (&[Family::Gpt2], Role::O,         "transformer.h.{i}.attn.c_proj.weight"),
    (&[Family::Gpt2], Role::OBias,     "transformer.h.{i}.attn.c_proj.bias"),
    (&[Family::Gpt2], Role::MlpNorm,   "transformer.h.{i}.ln_2.weight"),
    (&[Family::Gpt2], Role::Up,        "transformer.h.{i}.mlp.c_fc.weight"),
    (&[Family::Gpt2], Role::UpBias,    "transformer.h.{i}.mlp.c_fc.bias"),
    (&[Family::Gpt2], Role::Down,      "transformer.h.{i}.mlp.c_proj.weight"),
    (&[Family::Gpt2], Role::DownBias,  "transformer.h.{i}.mlp.c_proj.bias"),
    (&[Family::Gpt2], Role::FinalNorm, "transformer.ln_f.weight"),
];

/// GGUF names that differ by family: fused projections.
#[rustfmt::skip]
const GGUF_BY_FAMILY: &[(&[Family], Role, &str)] = &[
    (&[Family::Phi3, Family::Gpt2], Role::Q, "blk.{i}.attn_qkv.weight"),
    (&[Family::Phi3, Family::Gpt2], Role::K, "blk.{i}.attn_qkv.weight"),
    (&[Family::Phi3, Family::Gpt2], Role::V, "blk.{i}.attn_qkv.weight"),
    (&[Family::Gpt2], Role::QBias, "blk.{i}.attn_qkv.bias"),
    (&[Family::Gpt2], Role::KBias, "blk.{i}.attn_qkv.bias"),
    (&[Family::Gpt2], Role::VBias, "blk.{i}.attn_qkv.bias"),
    (&[Family::Phi3], Role::Gate, "blk.{i}.ffn_up.weight"),
    (&[Family::Phi3], Role::Up,   "blk.{i}.ffn_up.weight"),
];

/// Where other spellings of Hugging Face's names begin: published GPT-2 files have no prefix, and a
/// multimodal model's text part is a model inside it.
pub(crate) const HF_PREFIXES: &[(&str, &str)] = &[
    ("transformer.", ""),
    ("model.", "language_model.model."),
    ("model.", "model.language_model."),
    ("lm_head.", "language_model.lm_head."),
];

/// Tensors left in the file on purpose, by how their names end.
pub(crate) const IGNORED_SUFFIXES: &[&str] = &[
    // Recomputed from the configuration.
    ".rotary_emb.inv_freq",
    // GPT-2's causal masks, constants that old files carry.
    ".attn.bias",
    ".attn.masked_bias",
];

/// Parts of multimodal checkpoints that the text model does not need, by how their names begin.
pub(crate) const IGNORED_PREFIXES: &[&str] = &[
    "vision_tower.",
    "multi_modal_projector.",
    "model.vision_tower.",
    "model.multi_modal_projector.",
];

/// RoPE factors in GGUF files: read by the configuration.
pub(crate) const GGUF_ROPE_TENSORS: &[&str] =
    &["rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"];

/// Which part of a stored tensor a psi tensor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// Consecutive output features from `first`, of `of` in all (fused projections).
    Rows { first: usize, of: usize },
    /// Number `index` of `of` stacked matrices (experts).
    Slab { index: usize, of: usize },
}

/// A tensor's place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The stored tensor.
    pub(crate) name: String,
    /// Which part.
    pub(crate) part: Part,
    /// Stored as (in, out): GPT-2's Conv1D.
    pub(crate) transposed: bool,
    /// The output features of each of this many heads are stored with the two halves interleaved
    /// (GGUF's q and k for architectures whose RoPE turns neighbours).
    pub(crate) interleaved_heads: Option<usize>,
}

impl Place {
    /// The stored tensor's shape, row-major.
    pub(crate) fn shape(&self, info: &TensorInfo) -> Vec<usize> {
        let n = match self.part {
            Part::Rows { of, .. } => of,
            Part::Whole | Part::Slab { .. } => info.n,
        };
        match (info.id.role.is_vector(), self.part) {
            (true, _) => vec![n],
            (false, Part::Slab { of, .. }) => vec![of, n, info.k],
            (false, _) if self.transposed => vec![info.k, n],
            (false, _) => vec![n, info.k],
        }
    }
}

/// psi's name: `layers.3.experts.7.w_up`.
pub(crate) fn psi_name(id: TensorId) -> String {
    fill(row(id.role).1, id)
}

/// The place in a Hugging Face checkpoint.
pub(crate) fn hf_place(config: &Config, info: &TensorInfo) -> Place {
    let (family, role) = (config.family, info.id.role);
    let special = by_family(HF_BY_FAMILY, family, role);
    let fused = matches!(family, Family::Phi3 | Family::Gpt2);
    Place {
        name: fill(special.unwrap_or(row(role).2), info.id),
        part: if fused { fused_part(config, role) } else { Part::Whole },
        transposed: family == Family::Gpt2
            && matches!(role, Role::Q | Role::K | Role::V | Role::O | Role::Up | Role::Down),
        interleaved_heads: None,
    }
}

/// The place in a GGUF file.
pub(crate) fn gguf_place(config: &Config, info: &TensorInfo) -> Place {
    let (family, role) = (config.family, info.id.role);
    let special = by_family(GGUF_BY_FAMILY, family, role);
    let part = match (info.id.expert, &config.moe) {
        (Some(e), Some(moe)) => Part::Slab { index: e as usize, of: moe.n_experts },
        _ if matches!(family, Family::Phi3 | Family::Gpt2) => fused_part(config, role),
        _ => Part::Whole,
    };
    let heads = match role {
        Role::Q | Role::QBias => Some(config.n_heads),
        Role::K | Role::KBias => Some(config.n_kv_heads),
        _ => None,
    };
    Place {
        name: fill(special.unwrap_or(row(role).3), info.id),
        part,
        transposed: false,
        interleaved_heads: heads.filter(|_| gguf_interleaves(family)),
    }
}

/// Whether GGUF stores this family's q and k for a RoPE that turns neighbours.
pub(crate) fn gguf_interleaves(family: Family) -> bool {
    matches!(family, Family::Llama | Family::Mistral | Family::Mixtral | Family::SmolLm3)
}

/// The rows of fused projections: q, k, v one after another; gate, then up.
fn fused_part(config: &Config, role: Role) -> Part {
    let (d_q, d_kv, d_ff) = (config.d_q(), config.d_kv(), config.d_ff);
    let qkv = d_q + 2 * d_kv;
    match role {
        Role::Q | Role::QBias => Part::Rows { first: 0, of: qkv },
        Role::K | Role::KBias => Part::Rows { first: d_q, of: qkv },
        Role::V | Role::VBias => Part::Rows { first: d_q + d_kv, of: qkv },
        Role::Gate => Part::Rows { first: 0, of: 2 * d_ff },
        Role::Up if config.gated => Part::Rows { first: d_ff, of: 2 * d_ff },
        _ => Part::Whole,
    }
}

fn row(role: Role) -> &'static Row {
    TABLE.iter().find(|r| r.0 == role).unwrap_or_else(|| unreachable!("{role:?} has a row"))
}

fn by_family(
    table: &[(&[Family], Role, &'static str)],
    family: Family,
    role: Role,
) -> Option<&'static str> {
    let found = table.iter().find(|(families, r, _)| *r == role && families.contains(&family));
    found.map(|&(_, _, name)| name)
}

fn fill(pattern: &str, id: TensorId) -> String {
    let number = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
    pattern.replace("{i}", &number(id.layer)).replace("{e}", &number(id.expert))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tensor_of_a_model_has_its_own_place() {
        let config = Config { tied_embeddings: false, ..Config::llama(64, 2, 4, 100) };
        let tensors = config.tensors();
        for place in [hf_place, gguf_place] {
            let mut names: Vec<String> = tensors.iter().map(|t| place(&config, t).name).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), tensors.len());
        }
    }

    #[test]
    fn a_fused_projection_is_split_by_rows() {
        let config = Config { family: Family::Phi3, ..Config::llama(64, 1, 4, 100) };
        let tensors = config.tensors();
        let k = tensors.iter().find(|t| t.id.role == Role::K).unwrap();
        let place = hf_place(&config, k);
        assert_eq!(place.name, "model.layers.0.self_attn.qkv_proj.weight");
        assert_eq!(place.part, Part::Rows { first: 64, of: 192 });
        assert_eq!(place.shape(k), [192, 64]);
    }
}
