//! Reads Hugging Face's `config.json`, as transformers 4 and 5 write it.

use std::path::Path;

use psi_kernels::activation::Activation;
use serde_json::Value;

use super::{
    Biases, Config, Family, LayerKind, Moe, Norm, NormKind, Placement, QkNorm, SpecialTokens,
    check::MAX_LAYERS,
    fields::Fields,
    hf_rope::{self, Defaults},
};
use crate::{ModelError, Result, Rope};

/// Keys that say nothing about inference: bookkeeping, training-time dropout, other heads' tasks.
const WITHOUT_EFFECT: &[&str] = &[
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_name_or_path",
    "_sliding_window_pattern",
    "add_cross_attention",
    "architectures",
    "attention_dropout",
    "attn_implementation",
    "attn_pdrop",
    "auto_map",
    "boi_token_index",
    "cache_implementation",
    "chunk_size_feed_forward",
    "dtype",
    "embd_pdrop",
    "eoi_token_index",
    "finetuning_task",
    "id2label",
    "image_token_index",
    "initializer_range",
    "is_decoder",
    "is_llama_config",
    "label2id",
    "layer_norm_eps",
    "max_window_layers",
    "mm_tokens_per_image",
    "model_type",
    "n_ctx",
    "output_router_logits",
    "pretraining_tp",
    "reorder_and_upcast_attn",
    "resid_pdrop",
    "rope_interleaved",
    "router_aux_loss_coef",
    "router_jitter_noise",
    "summary_activation",
    "summary_first_dropout",
    "summary_proj_to_labels",
    "summary_type",
    "summary_use_proj",
    "task_specific_params",
    "torch_dtype",
    "transformers_version",
    "transformers.js_config",
    "unsloth_fixed",
    "unsloth_version",
    "use_cache",
    "vision_config",
];

/// What a reader found: the configuration, and remarks for the user on what has no effect.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) config: Config,
    pub(crate) notes: Vec<String>,
}

/// Reads the text of a `config.json`; `path` is for messages.
pub(crate) fn read(path: &Path, text: &str) -> Result<Read> {
    let json = |why: String| ModelError::Json { path: path.to_owned(), why };
    let value: Value = serde_json::from_str(text).map_err(|e| json(format!("not JSON: {e}")))?;
    let map = value.as_object().ok_or_else(|| json("not a JSON object".into()))?;
    let top = Fields::new(path, "", map);
    let Some(kind) = top.text("model_type")? else {
        return Err(top.missing("model_type"));
    };
    if let (Some(text), true) = (top.object("text_config")?, kind == "gemma3") {
        let mut read = read_model(&text, "gemma3_text", Some(&top))?;
        read.notes.insert(0, "only the text part of this multimodal model is loaded".into());
        return Ok(read);
    }
    read_model(&top, kind, None)
}

fn read_model<'a>(f: &Fields<'a>, kind: &str, outer: Option<&Fields<'a>>) -> Result<Read> {
    let Some(family) = family_of(kind) else {
        let known: Vec<&str> = FAMILIES.iter().map(|(name, _)| *name).collect();
        let why = "psi has no such architecture";
        let e = ModelError::key(f.path, "model_type", format!("'{kind}'"), why);
        return Err(e.with_hint(format!("psi reads {}", known.join(", "))));
    };
    refuse(f)?;
    let mut config = match family {
        Family::Gpt2 => gpt2(f)?,
        _ => llama_like(f, family)?,
    };
    let special = outer.unwrap_or(f);
    config.special = SpecialTokens {
        bos: special.tokens("bos_token_id")?.first().copied(),
        eos: special.tokens("eos_token_id")?,
        pad: special.tokens("pad_token_id")?.first().copied(),
    };
    if let Some(tied) = outer.map(|o| o.flag("tie_word_embeddings")).transpose()?.flatten() {
        config.tied_embeddings = tied;
    }
    config.check(f.path)?;
    let note = |key: String| format!("{}: key '{key}' has no effect in psi", f.path.display());
    let unread = f.unread().into_iter();
    let known = |k: &String| WITHOUT_EFFECT.contains(&k.rsplit('.').next().unwrap_or(k));
    Ok(Read { config, notes: unread.filter(|k| !known(k)).map(note).collect() })
}

const FAMILIES: &[(&str, Family)] = &[
    ("llama", Family::Llama),
    ("mistral", Family::Mistral),
    ("mixtral", Family::Mixtral),
    ("qwen2", Family::Qwen2),
    ("qwen3", Family::Qwen3),
    ("qwen3_moe", Family::Qwen3Moe),
    ("gemma2", Family::Gemma2),
    ("gemma3_text", Family::Gemma3),
    ("phi3", Family::Phi3),
    ("smollm3", Family::SmolLm3),
    ("olmo2", Family::Olmo2),
    ("gpt2", Family::Gpt2),
];

fn family_of(kind: &str) -> Option<Family> {
    FAMILIES.iter().find(|(name, _)| *name == kind).map(|&(_, family)| family)
}

/// The `model_type` of a family.
pub(crate) fn model_type(family: Family) -> &'static str {
    FAMILIES.iter().find(|(_, f)| *f == family).map_or("", |&(name, _)| name)
}

/// Refuses what would change results and psi does not compute.
fn refuse(f: &Fields<'_>) -> Result<()> {
    if f.get("quantization_config").is_some() {
        let e = f.error("quantization_config", "psi does not read quantised Hugging Face weights");
        return Err(e.with_hint("use the original weights, or a GGUF file of this model"));
    }
    for key in ["use_bidirectional_attention", "add_cross_attention", "is_encoder_decoder"] {
        if f.flag(key)? == Some(true) {
            return Err(f.error(key, "psi runs causal decoders only"));
        }
    }
    for (key, value) in [("position_embedding_type", "absolute"), ("norm_type", "rms_norm")] {
        if f.text(key)?.is_some_and(|v| v != value) {
            return Err(f.error(key, format!("psi computes '{value}' only")));
        }
    }
    Ok(())
}

/// Numbers that an architecture's class has for absent keys.
struct ClassDefaults {
    n_kv_heads: Option<usize>,
    d_head: Option<usize>,
    eps: f64,
    theta: f64,
    tied: bool,
    activation: &'static str,
}

fn class_defaults(family: Family) -> ClassDefaults {
    let base = ClassDefaults {
        n_kv_heads: None,
        d_head: None,
        eps: 1e-6,
        theta: 1e4,
        tied: false,
        activation: "silu",
    };
    match family {
        Family::Llama | Family::Gpt2 => base,
        Family::Mistral => ClassDefaults { n_kv_heads: Some(8), ..base },
        Family::Mixtral => ClassDefaults { n_kv_heads: Some(8), eps: 1e-5, theta: 1e6, ..base },
        Family::Qwen2 => ClassDefaults { n_kv_heads: Some(32), ..base },
        Family::Qwen3 => ClassDefaults { n_kv_heads: Some(32), d_head: Some(128), ..base },
        Family::Qwen3Moe => ClassDefaults { n_kv_heads: Some(4), ..base },
        Family::Gemma2 | Family::Gemma3 => ClassDefaults {
            n_kv_heads: Some(4),
            d_head: Some(256),
            theta: if family == Family::Gemma3 { 1e6 } else { 1e4 },
            tied: true,
            activation: "gelu_pytorch_tanh",
            ..base
        },
        Family::Phi3 | Family::Olmo2 => ClassDefaults { eps: 1e-5, ..base },
        Family::SmolLm3 => ClassDefaults { n_kv_heads: Some(4), theta: 2e6, tied: true, ..base },
    }
}

#[expect(clippy::too_many_lines, reason = "one field after the other")]
fn llama_like(f: &Fields<'_>, family: Family) -> Result<Config> {
    let class = class_defaults(family);
    let gemma = matches!(family, Family::Gemma2 | Family::Gemma3);
    let size = |key: &str, default: usize| match family {
        // Published Gemma 3 files leave out what equals their class.
        Family::Gemma3 => Ok(f.count(key)?.unwrap_or(default)),
        _ => f.need_count(key),
    };
    let d_model = size("hidden_size", 2304)?;
    let n_layers = size("num_hidden_layers", 26)?;
    check_layers(f, "num_hidden_layers", n_layers)?;
    let n_heads = size("num_attention_heads", 8)?;
    let max_seq_len = match family {
        Family::Gemma3 => f.count("max_position_embeddings")?.unwrap_or(131_072),
        Family::Phi3 => f.count("max_position_embeddings")?.unwrap_or(4096),
        _ => f.need_count("max_position_embeddings")?,
    };
    let n_kv_heads = match f.count("num_key_value_heads")? {
        Some(n) => n,
        // Absent means the class's number, null means as many as query heads.
        None if f.has("num_key_value_heads") => n_heads,
        None => class.n_kv_heads.unwrap_or(n_heads),
    };
    let d_head = match f.count("head_dim")? {
        Some(d) => d,
        None if f.has("head_dim") => d_model / n_heads,
        None => class.d_head.unwrap_or(d_model / n_heads),
    };
    let original = match family {
        Family::Phi3 => Some(f.count("original_max_position_embeddings")?.unwrap_or(4096)),
        _ => None,
    };
    let defaults = Defaults { theta: class.theta, d_head, max_seq_len, original };
    let (rope, local_rope) = hf_rope::read(f, &defaults)?;
    // Gemma 3 has the second base by class, whether the file says so or not.
    let local_rope = match family {
        Family::Gemma3 => Some(local_rope.unwrap_or_else(|| Rope::plain(1e4, d_head))),
        _ => None,
    };
    let attention_bias = f.flag("attention_bias")?.unwrap_or(false);
    let mlp_bias = f.flag("mlp_bias")?.unwrap_or(false);
    let scalar = if gemma { f.positive("query_pre_attn_scalar")?.or(Some(256.0)) } else { None };
    let moe = moe(f, family)?;
    Ok(Config {
        family,
        d_model,
        d_ff: size("intermediate_size", 9216)?,
        n_layers,
        n_heads,
        n_kv_heads,
        d_head,
        vocab_size: size("vocab_size", 262_208)?,
        max_seq_len,
        norm: Norm {
            kind: NormKind::Rms,
            eps: f.positive("rms_norm_eps")?.unwrap_or(class.eps) as f32,
            offset: if gemma { 1.0 } else { 0.0 },
        },
        placement: placement(family),
        qk_norm: qk_norm(family),
        biases: match family {
            Family::Qwen2 => Biases { qkv: true, o: false, mlp: false },
            Family::Mistral | Family::Mixtral | Family::Phi3 => Biases::default(),
            _ => Biases { qkv: attention_bias, o: attention_bias, mlp: mlp_bias },
        },
        activation: activation(f, if gemma { "hidden_activation" } else { "hidden_act" }, &class)?,
        gated: true,
        rope,
        local_rope,
        layers: layers(f, family, n_layers)?,
        attn_scale: scalar.unwrap_or(d_head as f64).powf(-0.5) as f32,
        attn_softcap: softcap(f, "attn_logit_softcapping", family, 50.0)?,
        final_softcap: softcap(f, "final_logit_softcapping", family, 30.0)?,
        embed_scale: if gemma { gemma_embed_scale(f, d_model)? } else { 1.0 },
        moe,
        learned_positions: false,
        tied_embeddings: f.flag("tie_word_embeddings")?.unwrap_or(class.tied),
        special: SpecialTokens::default(),
    })
}

/// Refuses a damaged count before a list of layers is made.
fn check_layers(f: &Fields<'_>, key: &str, n_layers: usize) -> Result<()> {
    match n_layers <= MAX_LAYERS {
        true => Ok(()),
        false => Err(f.error(key, format!("more layers than any model has ({MAX_LAYERS})"))),
    }
}

/// Where the family's blocks normalise.
pub(crate) fn placement(family: Family) -> Placement {
    match family {
        Family::Olmo2 => Placement::Post,
        Family::Gemma2 | Family::Gemma3 => Placement::Sandwich,
        _ => Placement::Pre,
    }
}

/// How the family normalises queries and keys.
pub(crate) fn qk_norm(family: Family) -> QkNorm {
    match family {
        Family::Qwen3 | Family::Qwen3Moe | Family::Gemma3 => QkNorm::PerHead,
        Family::Olmo2 => QkNorm::FullWidth,
        _ => QkNorm::None,
    }
}

fn activation(f: &Fields<'_>, key: &str, class: &ClassDefaults) -> Result<Activation> {
    // Early Gemma 2 files have `hidden_act` too, which never had an effect there.
    let old = if key == "hidden_activation" { f.text("hidden_act")? } else { None };
    let name = f.text(key)?.or(old.filter(|_| !f.has(key))).unwrap_or(class.activation);
    activation_by_name(name)
        .ok_or_else(|| f.error(key, "psi knows silu, gelu, gelu_new, gelu_pytorch_tanh and relu2"))
}

fn activation_by_name(name: &str) -> Option<Activation> {
    match name {
        "silu" | "swish" => Some(Activation::Silu),
        "gelu_new" | "gelu_pytorch_tanh" => Some(Activation::GeluTanh),
        "gelu" => Some(Activation::GeluErf),
        "relu2" => Some(Activation::ReluSquared),
        _ => None,
    }
}

fn softcap(f: &Fields<'_>, key: &str, family: Family, gemma2: f64) -> Result<Option<f32>> {
    let default = (family == Family::Gemma2 && !f.has(key)).then_some(gemma2);
    if !matches!(family, Family::Gemma2 | Family::Gemma3) {
        return Ok(None);
    }
    Ok(f.positive(key)?.or(default).map(|c| c as f32))
}

/// sqrt(d_model), rounded to the dtype the weights are stored in: Gemma was trained that way.
fn gemma_embed_scale(f: &Fields<'_>, d_model: usize) -> Result<f32> {
    let old = f.text("torch_dtype")?;
    let exact = (d_model as f32).sqrt();
    Ok(match f.text("dtype")?.or(old) {
        Some("bfloat16") => round_to_bf16(exact),
        _ => exact,
    })
}

fn round_to_bf16(x: f32) -> f32 {
    let mut one = [x];
    psi_kernels::elementwise::round_to_bf16(&mut one);
    one[0]
}

/// The layers' windows, RoPE and sparsity.
fn layers(f: &Fields<'_>, family: Family, n_layers: usize) -> Result<Vec<LayerKind>> {
    let local = local_layers(f, family, n_layers)?;
    let window = match family {
        Family::Mistral => match f.has("sliding_window") {
            true => f.count("sliding_window")?,
            false => Some(4096),
        },
        Family::Gemma2 | Family::Gemma3 | Family::Qwen2 | Family::Qwen3 => {
            Some(f.count("sliding_window")?.unwrap_or(4096))
        }
        _ => f.count("sliding_window")?,
    };
    let rope = rope_layers(f, family, n_layers)?;
    let sparse = sparse_layers(f, family, n_layers)?;
    let kinds = (0..n_layers).map(|i| LayerKind {
        // SmolLM3's windows are for layers without RoPE.
        window: window.filter(|_| local[i] && (family != Family::SmolLm3 || !rope[i])),
        rope: rope[i],
        local_rope: family == Family::Gemma3 && local[i],
        sparse: sparse[i],
    });
    Ok(kinds.collect())
}

/// Which layers have the sliding window.
fn local_layers(f: &Fields<'_>, family: Family, n_layers: usize) -> Result<Vec<bool>> {
    let pattern = f.count("sliding_window_pattern")?;
    let old_pattern = f.count("_sliding_window_pattern")?;
    let from_layer = f.number("max_window_layers")?.unwrap_or(28);
    let uses = f.flag("use_sliding_window")?;
    if let Some(types) = f.list("layer_types")? {
        let known = |t: &Value| match t.as_str() {
            Some("full_attention") => Some(false),
            Some("sliding_attention") => Some(true),
            _ => None,
        };
        let types: Option<Vec<bool>> = types.iter().map(known).collect();
        return match types {
            Some(types) if types.len() == n_layers => Ok(types),
            Some(types) => {
                let why = format!("{} entries for {n_layers} layers", types.len());
                Err(f.error("layer_types", why))
            }
            None => {
                let why = "psi knows full_attention and sliding_attention";
                Err(f.error("layer_types", why))
            }
        };
    }
    let local = |i: usize| match family {
        Family::Gemma2 => i.is_multiple_of(2),
        Family::Gemma3 => !(i + 1).is_multiple_of(pattern.or(old_pattern).unwrap_or(6)),
        Family::Qwen2 | Family::Qwen3 => uses == Some(true) && i >= from_layer,
        Family::Qwen3Moe | Family::SmolLm3 => uses == Some(true),
        Family::Mistral | Family::Mixtral | Family::Phi3 => true,
        Family::Llama | Family::Olmo2 | Family::Gpt2 => false,
    };
    Ok((0..n_layers).map(local).collect())
}

/// Which layers have RoPE (SmolLM3 leaves it out of some).
fn rope_layers(f: &Fields<'_>, family: Family, n_layers: usize) -> Result<Vec<bool>> {
    if family != Family::SmolLm3 {
        return Ok(vec![true; n_layers]);
    }
    let interval = f.count("no_rope_layer_interval")?.unwrap_or(4);
    let Some(list) = f.list("no_rope_layers")? else {
        return Ok((0..n_layers).map(|i| !(i + 1).is_multiple_of(interval)).collect());
    };
    // In spite of the key's name, 1 means "with".
    let flags: Option<Vec<bool>> = list.iter().map(|v| v.as_u64().map(|n| n != 0)).collect();
    match flags {
        Some(flags) if flags.len() == n_layers => Ok(flags),
        _ => Err(f.error("no_rope_layers", format!("must be {n_layers} numbers, 0 or 1"))),
    }
}

/// Which layers are mixtures of experts.
fn sparse_layers(f: &Fields<'_>, family: Family, n_layers: usize) -> Result<Vec<bool>> {
    if family != Family::Qwen3Moe {
        return Ok(vec![family == Family::Mixtral; n_layers]);
    }
    let step = f.count("decoder_sparse_step")?.unwrap_or(1);
    let dense = f.list("mlp_only_layers")?.unwrap_or(&[]);
    let dense: Option<Vec<u64>> = dense.iter().map(Value::as_u64).collect();
    let Some(dense) = dense else {
        return Err(f.error("mlp_only_layers", "must be a list of layer numbers"));
    };
    let sparse = |i: usize| !dense.contains(&(i as u64)) && (i + 1).is_multiple_of(step);
    Ok((0..n_layers).map(sparse).collect())
}

fn moe(f: &Fields<'_>, family: Family) -> Result<Option<Moe>> {
    // transformers 5 renames Qwen3-MoE's `num_experts` when it saves.
    let renamed = f.count("num_local_experts")?;
    Ok(match family {
        Family::Mixtral => Some(Moe {
            n_experts: renamed.unwrap_or(8),
            top_k: f.count("num_experts_per_tok")?.unwrap_or(2),
            norm_topk_prob: true,
            d_ff: f.need_count("intermediate_size")?,
        }),
        Family::Qwen3Moe => Some(Moe {
            n_experts: f.count("num_experts")?.or(renamed).unwrap_or(128),
            top_k: f.count("num_experts_per_tok")?.unwrap_or(8),
            norm_topk_prob: f.flag("norm_topk_prob")?.unwrap_or(false),
            d_ff: f.count("moe_intermediate_size")?.unwrap_or(768),
        }),
        _ => None,
    })
}

fn gpt2(f: &Fields<'_>) -> Result<Config> {
    let d_model = f.need_count("n_embd")?;
    let n_heads = f.need_count("n_head")?;
    let n_layers = f.need_count("n_layer")?;
    check_layers(f, "n_layer", n_layers)?;
    let d_head = d_model / n_heads;
    for (key, only) in [("scale_attn_weights", true), ("scale_attn_by_inverse_layer_idx", false)] {
        if f.flag(key)?.is_some_and(|v| v != only) {
            return Err(f.error(key, format!("psi computes GPT-2 with {only} only")));
        }
    }
    if d_model % n_heads != 0 {
        return Err(f.error("n_head", format!("does not divide n_embd, {d_model}")));
    }
    let name = f.text("activation_function")?.unwrap_or("gelu_new");
    let Some(activation) = activation_by_name(name) else {
        return Err(f.error("activation_function", "psi knows silu, gelu, gelu_new and relu2"));
    };
    Ok(Config {
        family: Family::Gpt2,
        d_ff: f.count("n_inner")?.unwrap_or(4 * d_model),
        max_seq_len: f.need_count("n_positions")?,
        norm: Norm {
            kind: NormKind::Layer,
            eps: f.positive("layer_norm_epsilon")?.unwrap_or(1e-5) as f32,
            offset: 0.0,
        },
        biases: Biases { qkv: true, o: true, mlp: true },
        activation,
        gated: false,
        layers: vec![LayerKind { rope: false, ..LayerKind::FULL }; n_layers],
        learned_positions: true,
        tied_embeddings: f.flag("tie_word_embeddings")?.unwrap_or(true),
        ..Config::llama(d_model, n_layers, n_heads, f.need_count("vocab_size")?)
    })
    .map(|c| Config { rope: Rope::plain(1e4, 0), d_head, ..c })
}
