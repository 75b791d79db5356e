//! What a decoder is: every published architecture psi runs is a value of [`Config`].

mod check;
mod fields;
mod gguf;
mod hf;
mod hf_rope;
mod write_gguf;
mod write_hf;

use psi_kernels::{activation::Activation, kv::KvShape};

use crate::{Role, Rope, TensorInfo};

/// The architecture a checkpoint names, for its names on disk. What is computed follows from the other
/// fields of [`Config`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Llama 2, 3, 3.x and everything shaped like them. Touvron et al. 2023; Grattafiori et al. 2024.
    Llama,
    /// Mistral. Jiang et al. 2023.
    Mistral,
    /// Mixtral. Jiang et al. 2024.
    Mixtral,
    /// Qwen2 and 2.5. Yang et al. 2024.
    Qwen2,
    /// Qwen3. Yang et al. 2025.
    Qwen3,
    /// Qwen3 with mixtures of experts.
    Qwen3Moe,
    /// Gemma 2. Gemma team 2024.
    Gemma2,
    /// Gemma 3, its text part. Gemma team 2025.
    Gemma3,
    /// Phi-3, Phi-3.5 and Phi-4. Abdin et al. 2024.
    Phi3,
    /// SmolLM3.
    SmolLm3,
    /// OLMo-2. Walsh et al. 2025.
    Olmo2,
    /// GPT-2. Radford et al. 2019.
    Gpt2,
}

/// Which normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormKind {
    /// RMSNorm.
    Rms,
    /// LayerNorm with bias.
    Layer,
}

/// How hidden states are normalised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norm {
    /// Which formula.
    pub kind: NormKind,
    /// Added to the mean square or the variance.
    pub eps: f32,
    /// Added to the weights: 1 for weights stored around zero (Gemma), else 0.
    pub offset: f32,
}

/// Where a block normalises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// x + f(norm(x)). Xiong et al. 2020, figure 1b.
    Pre,
    /// x + norm(f(x)). OLMo-2, section 3.
    Post,
    /// x + norm(f(norm(x))). Gemma 2 report, section 2.
    Sandwich,
}

/// Normalisation of queries and keys before RoPE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QkNorm {
    /// None.
    None,
    /// Each head on its own, all with the same weights.
    PerHead,
    /// All heads together.
    FullWidth,
}

/// Which linear layers have a bias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Biases {
    /// Query, key and value.
    pub qkv: bool,
    /// Attention output.
    pub o: bool,
    /// Feed-forward layers.
    pub mlp: bool,
}

/// What differs between the layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerKind {
    /// Sliding window: position p sees p - window + 1 ..= p. `None`: all positions before it.
    pub window: Option<usize>,
    /// Whether positions are encoded by RoPE.
    pub rope: bool,
    /// Whether the RoPE is [`Config::local_rope`] (Gemma 3's sliding layers).
    pub local_rope: bool,
    /// Whether the feed-forward part is a mixture of experts.
    pub sparse: bool,
}

/// A mixture of experts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moe {
    /// Experts per layer.
    pub n_experts: usize,
    /// Experts per token.
    pub top_k: usize,
    /// Whether the weights of the chosen experts are divided by their sum.
    pub norm_topk_prob: bool,
    /// Width of an expert.
    pub d_ff: usize,
}

/// Token ids with a meaning, as far as the model's configuration names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Begins a text.
    pub bos: Option<u32>,
    /// Any of these ends one.
    pub eos: Vec<u32>,
    /// Fills up batches.
    pub pad: Option<u32>,
}

/// Everything that determines a decoder's shape and arithmetic.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The architecture's name.
    pub family: Family,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width of the dense feed-forward layers.
    pub d_ff: usize,
    /// Number of blocks.
    pub n_layers: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key/value heads.
    pub n_kv_heads: usize,
    /// Width of a head.
    pub d_head: usize,
    /// Rows of the embedding.
    pub vocab_size: usize,
    /// Longest sequence the model is made for.
    pub max_seq_len: usize,
    /// Normalisation of hidden states.
    pub norm: Norm,
    /// Where blocks normalise.
    pub placement: Placement,
    /// Normalisation of queries and keys.
    pub qk_norm: QkNorm,
    /// Biases.
    pub biases: Biases,
    /// Non-linearity of the feed-forward part.
    pub activation: Activation,
    /// act(gate) * up rather than act(up).
    pub gated: bool,
    /// Rotary embedding.
    pub rope: Rope,
    /// Rotary embedding of layers with [`LayerKind::local_rope`].
    pub local_rope: Option<Rope>,
    /// One entry per layer.
    pub layers: Vec<LayerKind>,
    /// Factor on q·k.
    pub attn_scale: f32,
    /// Soft cap of attention scores.
    pub attn_softcap: Option<f32>,
    /// Soft cap of logits.
    pub final_softcap: Option<f32>,
    /// Factor on embeddings.
    pub embed_scale: f32,
    /// Mixture of experts, for layers with [`LayerKind::sparse`].
    pub moe: Option<Moe>,
    /// Positions are embedded by a learned table of `max_seq_len` rows.
    pub learned_positions: bool,
    /// The output head is the embedding.
    pub tied_embeddings: bool,
    /// Special tokens.
    pub special: SpecialTokens,
}

impl Config {
    /// Width of all query heads.
    pub fn d_q(&self) -> usize {
        self.n_heads * self.d_head
    }

    /// Width of all key heads (and of all value heads).
    pub fn d_kv(&self) -> usize {
        self.n_kv_heads * self.d_head
    }

    /// What the key/value cache stores per position.
    pub fn kv_shape(&self) -> KvShape {
        KvShape { n_layers: self.n_layers, n_kv_heads: self.n_kv_heads, d_head: self.d_head }
    }

    /// Number of weights.
    pub fn n_params(&self) -> u64 {
        self.tensors().iter().map(|t| t.n as u64 * t.k as u64).sum()
    }

    /// Number of matrix weights a token is multiplied with: all layers and the head, of a mixture only the
    /// chosen experts, no embedding look-up.
    pub fn n_matrix_params(&self) -> u64 {
        let chosen = |t: &TensorInfo| match (t.id.expert, &self.moe) {
            (Some(e), Some(moe)) => (e as usize) < moe.top_k,
            _ => true,
        };
        let counts = |t: &TensorInfo| match t.id.role {
            Role::Positions => false,
            Role::Embed => self.tied_embeddings,
            role => !role.is_vector() && chosen(t),
        };
        self.tensors().iter().filter(|t| counts(t)).map(|t| t.n as u64 * t.k as u64).sum()
    }

    /// Whether keys that were cached while the sequence was `before` tokens long are still right when it
    /// is `after` long. False only for RoPE scalings that depend on the length: then the sequence must
    /// be prefilled again.
    pub fn cache_survives(&self, before: usize, after: usize) -> bool {
        let same = |r: &Rope| r.frequencies(before) == r.frequencies(after);
        before == after || (same(&self.rope) && self.local_rope.as_ref().is_none_or(same))
    }

    /// A Llama-shaped model (RMSNorm, RoPE, SwiGLU, tied embeddings) of the given size, the starting
    /// point of presets and of models trained from nothing.
    pub fn llama(d_model: usize, n_layers: usize, n_heads: usize, vocab_size: usize) -> Self {
        let d_head = d_model / n_heads.max(1);
        Self {
            family: Family::Llama,
            d_model,
            // 8/3 d_model keeps the parameters of an ungated layer four times as wide.
            d_ff: (d_model * 8 / 3).next_multiple_of(32),
            n_layers,
            n_heads,
            n_kv_heads: n_heads,
            d_head,
            vocab_size,
            max_seq_len: 2048,
            norm: Norm { kind: NormKind::Rms, eps: 1e-5, offset: 0.0 },
            placement: Placement::Pre,
            qk_norm: QkNorm::None,
            biases: Biases::default(),
            activation: Activation::Silu,
            gated: true,
            rope: Rope::plain(10_000.0, d_head),
            local_rope: None,
            layers: vec![LayerKind::FULL; n_layers],
            attn_scale: (d_head as f32).powf(-0.5),
            attn_softcap: None,
            final_softcap: None,
            embed_scale: 1.0,
            moe: None,
            learned_positions: false,
            tied_embeddings: true,
            special: SpecialTokens::default(),
        }
    }
}

impl LayerKind {
    /// Full attention with RoPE and a dense feed-forward part.
    pub const FULL: Self = Self { window: None, rope: true, local_rope: false, sparse: false };
}

pub(crate) use gguf::read as read_gguf;
pub(crate) use hf::{Read, read as read_hf};
pub(crate) use write_gguf::{Extra as GgufExtra, metadata as gguf_metadata};
pub(crate) use write_hf::text as hf_text;
