//! Reads a model's configuration from GGUF metadata, and from which tensors the file has.

use std::path::Path;

use psi_kernels::activation::Activation;
use psi_store::{DType, Gguf};

use super::{
    Biases, Config, Family, LayerKind, Moe, Norm, NormKind, QkNorm, SpecialTokens,
    check::MAX_LAYERS,
    fields::MAX_COUNT,
    hf::{Read, placement, qk_norm},
};
use crate::{
    ModelError, Result, Rope,
    names::gguf_interleaves,
    rope::{RopeScaling, Yarn},
};

const FAMILIES: &[(&str, Family)] = &[
    ("llama", Family::Llama),
    ("qwen2", Family::Qwen2),
    ("qwen3", Family::Qwen3),
    ("qwen3moe", Family::Qwen3Moe),
    ("gemma2", Family::Gemma2),
    ("gemma3", Family::Gemma3),
    ("phi3", Family::Phi3),
    ("smollm3", Family::SmolLm3),
    ("olmo2", Family::Olmo2),
    ("gpt2", Family::Gpt2),
];

/// `general.architecture` of a family.
pub(crate) fn architecture(family: Family) -> &'static str {
    match family {
        // Mistral and Mixtral are stored as what they are shaped like.
        Family::Mistral | Family::Mixtral => "llama",
        _ => FAMILIES.iter().find(|(_, f)| *f == family).map_or("", |&(name, _)| name),
    }
}

/// Keys below `<architecture>.` that psi reads or that have no effect on results.
const KNOWN: &[&str] = &[
    "vocab_size",
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "expert_feed_forward_length",
    "expert_count",
    "expert_used_count",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.key_length_swa",
    "attention.value_length_swa",
    "attention.layer_norm_epsilon",
    "attention.layer_norm_rms_epsilon",
    "attention.sliding_window",
    "attention.sliding_window_pattern",
    "attention.scale",
    "attention.causal",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "rope.dimension_count",
    "rope.dimension_count_swa",
    "rope.freq_base",
    "rope.freq_base_swa",
    "rope.scale_linear",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.attn_factor",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
    "rope.scaling.yarn_attn_factor",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    "tensor_data_layout",
    "leading_dense_block_count",
];

/// Keys whose value, when it is not this neutral one, changes results in a way psi does not compute.
const REFUSED: &[&str] = &[
    "expert_shared_count",
    "expert_group_count",
    "nextn_predict_layers",
    "logit_scale",
    "residual_scale",
    "embedding_scale",
    "use_parallel_residual",
    "pooling_type",
];

struct Meta<'a> {
    gguf: &'a Gguf,
    arch: &'a str,
}

impl Meta<'_> {
    fn path(&self) -> &Path {
        self.gguf.path()
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.arch)
    }

    fn error(
        &self,
        name: &str,
        value: impl std::fmt::Display,
        why: impl Into<String>,
    ) -> ModelError {
        ModelError::key(self.path(), self.key(name), value, why)
    }

    fn count(&self, name: &str) -> Result<Option<usize>> {
        let all = self.gguf.opt_u64_or_array(&self.key(name))?;
        let Some(all) = all else { return Ok(None) };
        let Some((&first, rest)) = all.split_first() else {
            return Err(self.error(name, "an empty array", "needs a value"));
        };
        if rest.iter().any(|&n| n != first) {
            let why = "differs between layers, which psi does not compute";
            return Err(self.error(name, format!("{first}, ..."), why));
        }
        match usize::try_from(first) {
            Ok(n) if n as u64 <= MAX_COUNT => Ok(Some(n)),
            _ => Err(self.error(name, first, format!("larger than any model's ({MAX_COUNT})"))),
        }
    }

    fn need_count(&self, name: &str) -> Result<usize> {
        let missing =
            || ModelError::MissingKey { path: self.path().to_owned(), key: self.key(name) };
        match self.count(name)? {
            Some(0) => Err(self.error(name, 0, "must be at least 1")),
            n => n.ok_or_else(missing),
        }
    }

    fn float(&self, name: &str) -> Result<Option<f64>> {
        let x = self.gguf.opt_f32(&self.key(name))?;
        match x {
            Some(x) if !x.is_finite() || x < 0.0 => {
                Err(self.error(name, x, "must be a number of at least 0"))
            }
            x => Ok(x.map(f64::from)),
        }
    }

    fn has(&self, tensor: &str) -> bool {
        self.gguf.tensor(tensor).is_some()
    }

    /// A small f32 tensor, such as RoPE factors.
    fn values(&self, name: &str, len: usize) -> Result<Option<Vec<f64>>> {
        let Some(view) = self.gguf.tensor(name) else { return Ok(None) };
        if view.dtype != DType::F32 || view.shape != [len] {
            let why = format!("{} of shape {:?}, not F32 of [{len}]", view.dtype, view.shape);
            return Err(ModelError::tensor(self.path(), name, why));
        }
        let values = view.data.as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b)));
        let values: Vec<f64> = values.collect();
        match values.iter().all(|x| x.is_finite() && *x > 0.0) {
            true => Ok(Some(values)),
            false => {
                Err(ModelError::tensor(self.path(), name, "holds a factor that is not above 0"))
            }
        }
    }
}

/// Reads the configuration of an open file.
pub(crate) fn read(gguf: &Gguf) -> Result<Read> {
    let arch = gguf.get_str("general.architecture")?;
    let Some(&(_, family)) = FAMILIES.iter().find(|(name, _)| *name == arch) else {
        let known: Vec<&str> = FAMILIES.iter().map(|(name, _)| *name).collect();
        let key = "general.architecture";
        let e =
            ModelError::key(gguf.path(), key, format!("'{arch}'"), "psi has no such architecture");
        return Err(e.with_hint(format!("psi reads {}", known.join(", "))));
    };
    let m = Meta { gguf, arch };
    let notes = notes(&m)?;
    let family = match m.count("expert_count")? {
        Some(n) if n > 0 && family == Family::Llama => Family::Mixtral,
        _ => family,
    };
    let mut config = model(&m, family)?;
    if family == Family::Llama && config.layers.iter().all(|l| l.window.is_some()) {
        // Stored as a Llama; in Hugging Face's keys only Mistral has the window.
        config.family = Family::Mistral;
    }
    config.check(gguf.path())?;
    Ok(Read { config, notes })
}

/// Remarks on keys psi does not know, and errors for those that would change results.
fn notes(m: &Meta<'_>) -> Result<Vec<String>> {
    let prefix = format!("{}.", m.arch);
    let mut notes = Vec::new();
    for (key, value) in m.gguf.metadata() {
        let Some(name) = key.strip_prefix(&prefix) else { continue };
        if REFUSED.contains(&name) {
            let neutral = value.as_u64() == Some(0)
                || value.as_bool() == Some(false)
                || value.as_f64().is_some_and(|x| x == 0.0 || x == 1.0);
            if !neutral {
                return Err(m.error(name, value, "psi does not compute this"));
            }
        } else if !KNOWN.contains(&name) {
            notes.push(format!("{}: key '{key}' has no effect in psi", m.path().display()));
        }
    }
    Ok(notes)
}

fn model(m: &Meta<'_>, family: Family) -> Result<Config> {
    let d_model = m.need_count("embedding_length")?;
    let n_heads = m.need_count("attention.head_count")?;
    let n_layers = m.need_count("block_count")?;
    let d_head = m.count("attention.key_length")?.unwrap_or(d_model / n_heads);
    for name in ["attention.value_length", "attention.key_length_swa", "attention.value_length_swa"]
    {
        if let Some(d) = m.count(name)?.filter(|&d| d != d_head) {
            return Err(m.error(name, d, format!("psi needs all heads as wide as keys, {d_head}")));
        }
    }
    let layer_norm = family == Family::Gpt2;
    let eps_key = match layer_norm {
        true => "attention.layer_norm_epsilon",
        false => "attention.layer_norm_rms_epsilon",
    };
    let eps = m.gguf.get_f32(&m.key(eps_key))?;
    let mut config = Config {
        family,
        d_ff: feed_forward(m, family)?,
        n_kv_heads: m.count("attention.head_count_kv")?.unwrap_or(n_heads),
        d_head,
        max_seq_len: m.need_count("context_length")?,
        norm: Norm {
            kind: if layer_norm { NormKind::Layer } else { NormKind::Rms },
            eps,
            // Gemma's offset is added to the stored weights.
            offset: 0.0,
        },
        placement: placement(family),
        qk_norm: qk_norm(family),
        biases: Biases {
            qkv: m.has("blk.0.attn_q.bias") || m.has("blk.0.attn_qkv.bias"),
            o: m.has("blk.0.attn_output.bias"),
            mlp: m.has("blk.0.ffn_up.bias"),
        },
        gated: !layer_norm,
        learned_positions: layer_norm,
        tied_embeddings: !m.has("output.weight"),
        special: special(m.gguf)?,
        ..Config::llama(d_model, 0, n_heads, vocab_size(m)?)
    };
    config.n_layers = n_layers;
    config.moe = moe(m, family)?;
    (config.rope, config.local_rope) = rope(m, family, &config)?;
    config.layers = layers(m, family, &config)?;
    config.attn_scale = attn_scale(m, family, &config)?;
    finish(m, family, config)
}

/// What follows from the family, and what the file's tensors say about q and k norms.
fn finish(m: &Meta<'_>, family: Family, mut config: Config) -> Result<Config> {
    let gemma = matches!(family, Family::Gemma2 | Family::Gemma3);
    if gemma {
        config.embed_scale = (config.d_model as f32).sqrt();
    }
    config.activation = activation(family);
    let cap = |x: Option<f64>| x.filter(|&c| c > 0.0).map(|c| c as f32);
    let (attention, final_) =
        (m.float("attn_logit_softcapping")?, m.float("final_logit_softcapping")?);
    if family == Family::Gemma2 {
        config.attn_softcap = cap(attention.or(Some(50.0)));
        config.final_softcap = cap(final_.or(Some(30.0)));
    } else if family == Family::Gemma3 {
        config.final_softcap = cap(final_);
    }
    if config.qk_norm == QkNorm::None && m.has("blk.0.attn_q_norm.weight") {
        let why = "this architecture has no norm on queries in psi";
        return Err(ModelError::tensor(m.path(), "blk.0.attn_q_norm.weight", why));
    }
    Ok(config)
}

/// The non-linearity that GGUF's readers take for granted.
pub(super) fn activation(family: Family) -> Activation {
    match family {
        Family::Gemma2 | Family::Gemma3 | Family::Gpt2 => Activation::GeluTanh,
        _ => Activation::Silu,
    }
}

/// Whether a layer of this architecture has the window when the file does not say.
pub(super) fn is_local(family: Family, layer: usize) -> bool {
    match family {
        Family::Gemma2 => !(layer + 1).is_multiple_of(2),
        Family::Gemma3 => !(layer + 1).is_multiple_of(6),
        _ => true,
    }
}

fn vocab_size(m: &Meta<'_>) -> Result<usize> {
    let view = m.gguf.require("token_embd.weight")?;
    match view.shape {
        [n, _] => Ok(*n),
        shape => {
            let why = format!("shape {shape:?}, not a matrix");
            Err(ModelError::tensor(m.path(), "token_embd.weight", why))
        }
    }
}

fn feed_forward(m: &Meta<'_>, family: Family) -> Result<usize> {
    match family {
        // A model of experts alone need not have the key.
        Family::Qwen3Moe => Ok(m.count("feed_forward_length")?.unwrap_or(1).max(1)),
        _ => m.need_count("feed_forward_length"),
    }
}

fn moe(m: &Meta<'_>, family: Family) -> Result<Option<Moe>> {
    let d_ff = match family {
        Family::Mixtral => m.need_count("feed_forward_length")?,
        Family::Qwen3Moe => m.need_count("expert_feed_forward_length")?,
        _ => return Ok(None),
    };
    Ok(Some(Moe {
        n_experts: m.need_count("expert_count")?,
        top_k: m.need_count("expert_used_count")?,
        // GGUF has no key for it; both architectures' readers assume so.
        norm_topk_prob: true,
        d_ff,
    }))
}

fn special(gguf: &Gguf) -> Result<SpecialTokens> {
    let token = |name: &str| gguf.opt_u32(&format!("tokenizer.ggml.{name}_token_id"));
    let mut eos: Vec<u32> = Vec::new();
    for name in ["eos", "eot", "eom"] {
        eos.extend(token(name)?.filter(|t| !eos.contains(t)));
    }
    Ok(SpecialTokens { bos: token("bos")?, eos, pad: token("padding")? })
}

fn layers(m: &Meta<'_>, family: Family, config: &Config) -> Result<Vec<LayerKind>> {
    if config.n_layers > MAX_LAYERS {
        let why = format!("more layers than any model has ({MAX_LAYERS})");
        return Err(m.error("block_count", config.n_layers, why));
    }
    let window = m.count("attention.sliding_window")?.filter(|&w| w > 0);
    let pattern = m.gguf.get(&m.key("attention.sliding_window_pattern"));
    let period = pattern.and_then(|v| v.as_u64()).filter(|&p| p > 0).map(|p| p as usize);
    let flags = pattern.and_then(|v| v.as_array()).and_then(|a| a.to_bools());
    if flags.as_ref().is_some_and(|f| f.len() != config.n_layers) {
        let why = format!("not one entry per layer of {}", config.n_layers);
        return Err(m.error("attention.sliding_window_pattern", "an array", why));
    }
    let (window, period) = match family {
        Family::Gemma2 => (window.or(Some(4096)), period.unwrap_or(2)),
        Family::Gemma3 => (window, period.unwrap_or(6)),
        Family::Phi3 | Family::Llama | Family::Mixtral => (window, 0),
        _ if window.is_none() || flags.is_some() => (window, 0),
        _ => {
            let why = "psi does not know which layers of this architecture have a window";
            return Err(m.error("attention.sliding_window", window.unwrap_or(0), why));
        }
    };
    let kind = |i: usize| {
        let local = match &flags {
            Some(flags) => flags[i],
            None => window.is_some() && (period == 0 || !(i + 1).is_multiple_of(period)),
        };
        LayerKind {
            window: window.filter(|_| local),
            // SmolLM3's readers assume every fourth layer to be without.
            rope: match family {
                Family::SmolLm3 => !(i + 1).is_multiple_of(4),
                Family::Gpt2 => false,
                _ => true,
            },
            local_rope: family == Family::Gemma3 && local,
            sparse: m.has(&format!("blk.{i}.ffn_gate_inp.weight")),
        }
    };
    Ok((0..config.n_layers).map(kind).collect())
}

fn attn_scale(m: &Meta<'_>, family: Family, config: &Config) -> Result<f32> {
    if let Some(scale) = m.float("attention.scale")?.filter(|&s| s > 0.0) {
        return Ok(scale as f32);
    }
    // GGUF has no key for Gemma's `query_pre_attn_scalar`: the 27B models are known by their depth.
    let wide = matches!((family, config.n_layers), (Family::Gemma2, 46) | (Family::Gemma3, 62));
    let width = if wide { config.d_model / config.n_heads } else { config.d_head };
    Ok((width as f32).powf(-0.5))
}

fn rope(m: &Meta<'_>, family: Family, config: &Config) -> Result<(Rope, Option<Rope>)> {
    if family == Family::Gpt2 {
        return Ok((Rope::plain(1e4, 0), None));
    }
    let theta = m.float("rope.freq_base")?.unwrap_or(10_000.0);
    let d_rotary = m.count("rope.dimension_count")?.unwrap_or(config.d_head);
    if theta <= 0.0 || !d_rotary.is_multiple_of(2) || d_rotary > config.d_head {
        return Err(m.error("rope.dimension_count", d_rotary, "must be even and within a head"));
    }
    if gguf_interleaves(family) && d_rotary != config.d_head {
        let why = format!("this architecture turns whole heads, of {}", config.d_head);
        return Err(m.error("rope.dimension_count", d_rotary, why));
    }
    let scaling = scaling(m, config, d_rotary)?;
    let local = m.float("rope.freq_base_swa")?.unwrap_or(10_000.0);
    let local = (family == Family::Gemma3).then(|| Rope::plain(local, d_rotary));
    Ok((Rope { theta, d_rotary, scaling }, local))
}

fn scaling(m: &Meta<'_>, config: &Config, d_rotary: usize) -> Result<RopeScaling> {
    let max = config.max_seq_len as f64;
    let original = m.count("rope.scaling.original_context_length")?.map_or(max, |n| n as f64);
    let short = m.values("rope_factors_short.weight", d_rotary / 2)?;
    let long = m.values("rope_factors_long.weight", d_rotary / 2)?;
    if let (Some(short), Some(long)) = (short, long) {
        let attention_factor = m.float("rope.scaling.attn_factor")?.unwrap_or(1.0);
        return Ok(RopeScaling::LongRope { short, long, original, attention_factor });
    }
    if let Some(divisors) = m.values("rope_freqs.weight", d_rotary / 2)? {
        return Ok(RopeScaling::Divisors(divisors));
    }
    let old = m.float("rope.scale_linear")?;
    let factor = m.float("rope.scaling.factor")?.or(old).filter(|&f| f > 0.0);
    // A factor without a type means linear.
    let kind = m.gguf.opt_str(&m.key("rope.scaling.type"))?;
    match (kind, factor) {
        (Some("none"), _)
        | (None | Some("linear" | "yarn"), None)
        | (None | Some("linear"), Some(1.0)) => Ok(RopeScaling::None),
        (None | Some("linear"), Some(factor)) => Ok(RopeScaling::Linear { factor }),
        (Some("yarn"), Some(factor)) => Ok(RopeScaling::Yarn(Yarn {
            factor,
            original,
            beta_fast: m.float("rope.scaling.yarn_beta_fast")?.unwrap_or(32.0),
            beta_slow: m.float("rope.scaling.yarn_beta_slow")?.unwrap_or(1.0),
            truncate: true,
            attention_factor: m
                .float("rope.scaling.yarn_attn_factor")?
                .or(m.float("rope.scaling.attn_factor")?)
                .unwrap_or_else(|| Yarn::mscale(factor, 1.0)),
        })),
        (Some(kind), _) => {
            let why = "psi knows none, linear and yarn (longrope by its tensors)";
            Err(m.error("rope.scaling.type", format!("'{kind}'"), why))
        }
    }
}
