//! Writes `config.json`, in transformers 4's keys: versions 4 and 5 and llama.cpp's converter read them.

use std::path::Path;

use psi_kernels::activation::Activation;
use psi_store::DType;
use serde_json::{Map, Value, json};

use super::{Config, Family, LayerKind, hf};
use crate::{ModelError, Result, Rope, RopeScaling, rope::Yarn};

/// The text of `config.json` for weights of `dtype`; `path` is for messages.
///
/// What is written is read back and compared, so that a configuration the architecture has no keys for
/// is refused.
pub(crate) fn text(path: &Path, config: &Config, dtype: DType) -> Result<String> {
    let mut keys = match config.family {
        Family::Gpt2 => gpt2(config),
        _ => llama_like(path, config)?,
    };
    let mut put = |key: &str, value: Value| keys.insert(key.to_owned(), value);
    put("architectures", json!([architecture(config.family)]));
    put("model_type", json!(hf::model_type(config.family)));
    put("vocab_size", json!(config.vocab_size));
    put("tie_word_embeddings", json!(config.tied_embeddings));
    put(
        "torch_dtype",
        json!(match dtype {
            DType::BF16 => "bfloat16",
            DType::F16 => "float16",
            _ => "float32",
        }),
    );
    put("bos_token_id", json!(config.special.bos));
    put(
        "eos_token_id",
        match &config.special.eos[..] {
            [] => Value::Null,
            [one] => json!(one),
            several => json!(several),
        },
    );
    put("pad_token_id", json!(config.special.pad));
    put("use_cache", json!(true));
    let mut text = serde_json::to_string_pretty(&Value::Object(keys)).unwrap_or_default();
    text.push('\n');
    let again = hf::read(path, &text)?.config;
    match difference(config, &again) {
        None => Ok(text),
        Some(what) => Err(ModelError::unwritable(
            path,
            format!("a config.json of type '{}' cannot say {what}", hf::model_type(config.family)),
        )),
    }
}

/// The name of the first field in which two configurations differ, apart from what formats round.
pub(crate) fn difference(a: &Config, b: &Config) -> Option<String> {
    let rope = |r: &Rope| (r.theta, r.d_rotary, r.frequencies(1), r.frequencies(a.max_seq_len));
    let close = |x: &Rope, y: &Rope| {
        let ((t, d, (f, m), (g, n)), (u, e, (h, o), (i, p))) = (rope(x), rope(y));
        let same = |x: f64, y: f64| (x - y).abs() <= 1e-5 * y.abs();
        let all = |x: &[f64], y: &[f64]| x.iter().zip(y).all(|(&x, &y)| same(x, y));
        same(t, u) && d == e && all(&f, &h) && all(&g, &i) && same(m, o) && same(n, p)
    };
    let ropes = match (&a.local_rope, &b.local_rope) {
        (Some(x), Some(y)) => close(&a.rope, &b.rope) && close(x, y),
        (x, y) => x == y && (close(&a.rope, &b.rope) || a.learned_positions),
    };
    let pairs = [
        ("d_model", a.d_model == b.d_model),
        ("d_ff", a.d_ff == b.d_ff),
        ("n_layers", a.n_layers == b.n_layers),
        ("n_heads", (a.n_heads, a.n_kv_heads) == (b.n_heads, b.n_kv_heads)),
        ("d_head", a.d_head == b.d_head),
        ("vocab_size", a.vocab_size == b.vocab_size),
        ("max_seq_len", a.max_seq_len == b.max_seq_len),
        ("norm", (a.norm.kind, a.norm.eps) == (b.norm.kind, b.norm.eps)),
        ("the norms' placement", a.placement == b.placement),
        ("the norm of queries and keys", a.qk_norm == b.qk_norm),
        ("which layers have biases", a.biases == b.biases),
        ("the activation", (a.activation, a.gated) == (b.activation, b.gated)),
        ("the rotary embedding", ropes),
        ("the layers' windows, RoPE or experts", a.layers == b.layers),
        ("the scale of attention", (a.attn_scale - b.attn_scale).abs() <= 1e-6 * a.attn_scale),
        ("the soft caps", (a.attn_softcap, a.final_softcap) == (b.attn_softcap, b.final_softcap)),
        // Rounded to the stored dtype.
        ("the scale of embeddings", (a.embed_scale - b.embed_scale).abs() <= 0.01 * a.embed_scale),
        ("the mixture of experts", a.moe == b.moe),
        ("learned positions", a.learned_positions == b.learned_positions),
        ("tied embeddings", a.tied_embeddings == b.tied_embeddings),
    ];
    pairs.iter().find(|(_, same)| !same).map(|(what, _)| (*what).to_owned())
}

fn architecture(family: Family) -> &'static str {
    match family {
        Family::Llama => "LlamaForCausalLM",
        Family::Mistral => "MistralForCausalLM",
        Family::Mixtral => "MixtralForCausalLM",
        Family::Qwen2 => "Qwen2ForCausalLM",
        Family::Qwen3 => "Qwen3ForCausalLM",
        Family::Qwen3Moe => "Qwen3MoeForCausalLM",
        Family::Gemma2 => "Gemma2ForCausalLM",
        Family::Gemma3 => "Gemma3ForCausalLM",
        Family::Phi3 => "Phi3ForCausalLM",
        Family::SmolLm3 => "SmolLM3ForCausalLM",
        Family::Olmo2 => "Olmo2ForCausalLM",
        Family::Gpt2 => "GPT2LMHeadModel",
    }
}

/// An f32 with the fewest digits that give it back.
fn shortest(x: f32) -> Value {
    x.to_string().parse::<f64>().map_or(Value::Null, |x| json!(x))
}

fn activation(act: Activation) -> &'static str {
    match act {
        Activation::Silu => "silu",
        Activation::GeluTanh => "gelu_pytorch_tanh",
        Activation::GeluErf => "gelu",
        Activation::ReluSquared => "relu2",
    }
}

fn llama_like(path: &Path, c: &Config) -> Result<Map<String, Value>> {
    let gemma = matches!(c.family, Family::Gemma2 | Family::Gemma3);
    let mut keys = Map::new();
    let mut put = |key: &str, value: Value| keys.insert(key.to_owned(), value);
    put("hidden_size", json!(c.d_model));
    put("intermediate_size", json!(c.d_ff));
    put("num_hidden_layers", json!(c.n_layers));
    put("num_attention_heads", json!(c.n_heads));
    put("num_key_value_heads", json!(c.n_kv_heads));
    put("head_dim", json!(c.d_head));
    put("max_position_embeddings", json!(c.max_seq_len));
    put("rms_norm_eps", shortest(c.norm.eps));
    let key = if gemma { "hidden_activation" } else { "hidden_act" };
    put(key, json!(activation(c.activation)));
    if !matches!(c.family, Family::Mistral | Family::Mixtral | Family::Phi3 | Family::Qwen2) {
        put("attention_bias", json!(c.biases.qkv));
    }
    if c.family == Family::Llama {
        put("mlp_bias", json!(c.biases.mlp));
    }
    if gemma {
        put("query_pre_attn_scalar", inverse_square(c.attn_scale));
        put("attn_logit_softcapping", c.attn_softcap.map_or(Value::Null, shortest));
        put("final_logit_softcapping", c.final_softcap.map_or(Value::Null, shortest));
    }
    put("rope_theta", json!(c.rope.theta));
    put("rope_scaling", rope_scaling(path, c, &c.rope)?);
    if let Some(local) = &c.local_rope {
        put("rope_local_base_freq", json!(local.theta));
    }
    if let RopeScaling::LongRope { original, .. } = &c.rope.scaling {
        put("original_max_position_embeddings", json!(*original as u64));
    } else if c.family == Family::Phi3 {
        put("original_max_position_embeddings", json!(c.max_seq_len));
    }
    if c.rope.d_rotary != c.d_head {
        put("partial_rotary_factor", json!(c.rope.d_rotary as f64 / c.d_head as f64));
    }
    windows(c, &mut put);
    experts(c, &mut put);
    Ok(keys)
}

/// 1 / x², as the integer it most likely came from.
fn inverse_square(x: f32) -> Value {
    let exact = f64::from(x).powi(-2);
    let whole = exact.round();
    if (whole.powf(-0.5) as f32) == x { json!(whole as u64) } else { json!(exact) }
}

fn windows(c: &Config, put: &mut dyn FnMut(&str, Value) -> Option<Value>) {
    let window = c.layers.iter().find_map(|l| l.window);
    put("sliding_window", json!(window));
    let types = |l: &LayerKind| match l.window {
        Some(_) => "sliding_attention",
        None => "full_attention",
    };
    let types: Vec<&str> = c.layers.iter().map(types).collect();
    match c.family {
        Family::Qwen2 | Family::Qwen3 => {
            put("use_sliding_window", json!(window.is_some()));
            let first = c.layers.iter().position(|l| l.window.is_some());
            put("max_window_layers", json!(first.unwrap_or(c.n_layers)));
            put("layer_types", json!(types));
        }
        Family::Qwen3Moe => {
            put("use_sliding_window", json!(window.is_some()));
        }
        Family::Gemma2 | Family::Gemma3 => {
            put("layer_types", json!(types));
            // Files for tools that know only the period.
            let period = c.layers.iter().position(|l| l.window.is_none()).map_or(0, |i| i + 1);
            if c.family == Family::Gemma3 && period > 0 {
                put("sliding_window_pattern", json!(period));
            }
        }
        Family::SmolLm3 => {
            let flags: Vec<u8> = c.layers.iter().map(|l| u8::from(l.rope)).collect();
            put("no_rope_layers", json!(flags));
            put("use_sliding_window", json!(window.is_some()));
            put("layer_types", json!(types));
        }
        _ => {}
    }
}

fn experts(c: &Config, put: &mut dyn FnMut(&str, Value) -> Option<Value>) {
    let Some(moe) = &c.moe else { return };
    put("num_experts_per_tok", json!(moe.top_k));
    if c.family == Family::Mixtral {
        put("num_local_experts", json!(moe.n_experts));
        return;
    }
    put("num_experts", json!(moe.n_experts));
    put("norm_topk_prob", json!(moe.norm_topk_prob));
    put("moe_intermediate_size", json!(moe.d_ff));
    put("decoder_sparse_step", json!(1));
    let dense = c.layers.iter().enumerate().filter(|(_, l)| !l.sparse).map(|(i, _)| i);
    put("mlp_only_layers", json!(dense.collect::<Vec<_>>()));
}

fn rope_scaling(path: &Path, c: &Config, rope: &Rope) -> Result<Value> {
    Ok(match &rope.scaling {
        RopeScaling::None => Value::Null,
        RopeScaling::Linear { factor } => json!({"rope_type": "linear", "factor": factor}),
        RopeScaling::Dynamic { factor, .. } => json!({"rope_type": "dynamic", "factor": factor}),
        RopeScaling::Llama3 { factor, low, high, original } => json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low,
            "high_freq_factor": high,
            "original_max_position_embeddings": *original as u64,
        }),
        RopeScaling::Yarn(yarn) => yarn_keys(yarn),
        RopeScaling::LongRope { short, long, original, attention_factor } => {
            let mut keys = json!({"type": "longrope", "short_factor": short, "long_factor": long});
            let factor = c.max_seq_len as f64 / original;
            let derived =
                if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / original.ln()).sqrt() };
            if (derived - attention_factor).abs() > 1e-6 {
                keys["attention_factor"] = json!(attention_factor);
            }
            keys
        }
        RopeScaling::Divisors(divisors) => match llama3_of(rope, divisors) {
            Some(scaling) => rope_scaling(path, c, &Rope { scaling, ..rope.clone() })?,
            None => {
                let why = "the RoPE divisors of this file are not llama3's";
                return Err(ModelError::unwritable(path, why));
            }
        },
    })
}

fn yarn_keys(yarn: &Yarn) -> Value {
    let mut keys = json!({
        "rope_type": "yarn",
        "factor": yarn.factor,
        "original_max_position_embeddings": yarn.original as u64,
    });
    if yarn.attention_factor != Yarn::mscale(yarn.factor, 1.0) {
        keys["attention_factor"] = json!(yarn.attention_factor);
    }
    for (key, value, default) in
        [("beta_fast", yarn.beta_fast, 32.0), ("beta_slow", yarn.beta_slow, 1.0)]
    {
        if value != default {
            keys[key] = json!(value);
        }
    }
    if !yarn.truncate {
        keys["truncate"] = json!(false);
    }
    keys
}

/// The llama3 scaling that evaluates to `divisors`, if one with the usual band (1 to 4) does.
fn llama3_of(rope: &Rope, divisors: &[f64]) -> Option<RopeScaling> {
    let factor = divisors.iter().copied().fold(1.0, f64::max);
    let (plain, _) = Rope::plain(rope.theta, rope.d_rotary).frequencies(1);
    let lengths = (4..24).map(|bits| f64::from(1 << bits));
    let candidates =
        lengths.map(|original| RopeScaling::Llama3 { factor, low: 1.0, high: 4.0, original });
    candidates.into_iter().find(|scaling| {
        let scaled = Rope { scaling: scaling.clone(), ..rope.clone() }.frequencies(1).0;
        let mut ratios = plain.iter().zip(&scaled).zip(divisors);
        ratios.all(|((p, s), d)| (p / s - d).abs() <= 1e-4 * d)
    })
}

fn gpt2(c: &Config) -> Map<String, Value> {
    let mut keys = Map::new();
    let mut put = |key: &str, value: Value| keys.insert(key.to_owned(), value);
    put("n_embd", json!(c.d_model));
    put("n_layer", json!(c.n_layers));
    put("n_head", json!(c.n_heads));
    put("n_positions", json!(c.max_seq_len));
    put("n_ctx", json!(c.max_seq_len));
    put("n_inner", if c.d_ff == 4 * c.d_model { Value::Null } else { json!(c.d_ff) });
    put("layer_norm_epsilon", shortest(c.norm.eps));
    let act =
        if c.activation == Activation::GeluTanh { "gelu_new" } else { activation(c.activation) };
    put("activation_function", json!(act));
    for dropout in ["attn_pdrop", "embd_pdrop", "resid_pdrop"] {
        put(dropout, json!(0.0));
    }
    keys
}
