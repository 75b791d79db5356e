//! Writes a model's configuration as GGUF metadata.

use std::path::Path;

use psi_store::gguf::Writer;

use super::{
    Config, Family, NormKind,
    gguf::{activation, architecture, is_local},
    hf::{placement, qk_norm},
};
use crate::{ModelError, Result, Rope, RopeScaling, rope::Yarn};

/// What belongs to the keys.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// Small tensors: RoPE factors.
    pub(crate) tensors: Vec<(&'static str, Vec<f64>)>,
    /// What other programs will not take from the file.
    pub(crate) notes: Vec<String>,
}

/// Puts the model's keys into `writer`.
///
/// # Errors
/// [`ModelError::Unwritable`] for what no GGUF reader would compute.
pub(crate) fn metadata(path: &Path, c: &Config, writer: &mut Writer) -> Result<Extra> {
    check(path, c)?;
    let arch = architecture(c.family);
    let key = |name: &str| format!("{arch}.{name}");
    writer.put_str("general.architecture", arch);
    let mut count = |name: &str, n: usize| {
        writer.put_u32(&key(name), n as u32);
    };
    count("block_count", c.n_layers);
    count("context_length", c.max_seq_len);
    count("embedding_length", c.d_model);
    count("feed_forward_length", c.d_ff);
    count("attention.head_count", c.n_heads);
    count("attention.head_count_kv", c.n_kv_heads);
    count("attention.key_length", c.d_head);
    count("attention.value_length", c.d_head);
    count("vocab_size", c.vocab_size);
    if let Some(moe) = &c.moe {
        count("expert_count", moe.n_experts);
        count("expert_used_count", moe.top_k);
        if c.family == Family::Qwen3Moe {
            count("expert_feed_forward_length", moe.d_ff);
        }
    }
    let eps = match c.norm.kind {
        NormKind::Rms => "attention.layer_norm_rms_epsilon",
        NormKind::Layer => "attention.layer_norm_epsilon",
    };
    writer.put_f32(&key(eps), c.norm.eps);
    for (name, cap) in
        [("attn_logit_softcapping", c.attn_softcap), ("final_logit_softcapping", c.final_softcap)]
    {
        if let Some(cap) = cap {
            writer.put_f32(&key(name), cap);
        }
    }
    let mut extra = Extra::default();
    windows(c, arch, writer, &mut extra);
    if scale_needs_a_key(c) {
        writer.put_f32(&key("attention.scale"), c.attn_scale);
        let note = "the scale of attention is not its architecture's; programs other than psi may \
                    ignore the key that says so";
        extra.notes.push(note.into());
    }
    if !c.learned_positions {
        extra.tensors = rope(path, c, arch, writer)?;
    }
    Ok(extra)
}

fn windows(c: &Config, arch: &str, writer: &mut Writer, extra: &mut Extra) {
    let key = format!("{arch}.attention.sliding_window");
    let Some(window) = c.layers.iter().find_map(|l| l.window) else {
        if c.family == Family::Phi3 {
            // 0 tells Phi-4 from Phi-3.
            writer.put_u32(&key, 0);
        }
        return;
    };
    writer.put_u32(&key, window as u32);
    let local: Vec<bool> = c.layers.iter().map(|l| l.window.is_some()).collect();
    let usual = |(i, &local): (usize, &bool)| local == is_local(c.family, i);
    if !local.iter().enumerate().all(usual) || matches!(c.family, Family::Qwen2 | Family::Qwen3) {
        writer.put_bools(&format!("{key}_pattern"), &local);
    }
    if !matches!(c.family, Family::Gemma2 | Family::Gemma3) {
        let note = format!("programs other than psi may ignore this model's window of {window}");
        extra.notes.push(note);
    }
}

/// Whether readers would assume another scale than the model's.
fn scale_needs_a_key(c: &Config) -> bool {
    let wide = matches!((c.family, c.n_layers), (Family::Gemma2, 46) | (Family::Gemma3, 62));
    let width = if wide { c.d_model / c.n_heads } else { c.d_head };
    (width as f32).powf(-0.5) != c.attn_scale
}

/// Refuses what has no place in GGUF.
fn check(path: &Path, c: &Config) -> Result<()> {
    let refuse = |why: &str| {
        let hint = "write a Hugging Face folder instead";
        Err(ModelError::unwritable(path, why).with_hint(hint))
    };
    let sparse = c.layers.iter().filter(|l| l.sparse).count();
    if c.activation != activation(c.family) {
        return refuse("GGUF readers know one activation for this architecture, and it is another");
    }
    if (c.placement, c.qk_norm) != (placement(c.family), qk_norm(c.family)) {
        return refuse("this architecture has its norms elsewhere");
    }
    if c.moe.is_some_and(|moe| !moe.norm_topk_prob) {
        return refuse("GGUF readers always normalise the experts' weights; this model does not");
    }
    if sparse != 0 && sparse != c.n_layers {
        return refuse("GGUF readers expect every layer of this architecture to be a mixture");
    }
    if c.moe.is_some_and(|moe| c.family == Family::Mixtral && moe.d_ff != c.d_ff) {
        return refuse("GGUF has one feed-forward width for this architecture");
    }
    let no_rope = |i: usize| c.family == Family::SmolLm3 && (i + 1).is_multiple_of(4);
    let learned = c.learned_positions;
    if c.layers.iter().enumerate().any(|(i, l)| l.rope == no_rope(i) && !learned) {
        return refuse("GGUF readers assume other layers to be without RoPE");
    }
    match &c.rope.scaling {
        RopeScaling::Dynamic { .. } => refuse("GGUF has no key for dynamic RoPE scaling"),
        RopeScaling::Yarn(yarn) if !yarn.truncate => refuse("GGUF has no key for untruncated YaRN"),
        _ => Ok(()),
    }
}

fn rope(
    path: &Path,
    c: &Config,
    arch: &str,
    writer: &mut Writer,
) -> Result<Vec<(&'static str, Vec<f64>)>> {
    let key = |name: &str| format!("{arch}.rope.{name}");
    writer.put_u32(&key("dimension_count"), c.rope.d_rotary as u32);
    writer.put_f32(&key("freq_base"), c.rope.theta as f32);
    if let Some(local) = &c.local_rope {
        if local.scaling != RopeScaling::None {
            let why = "GGUF readers do not scale the RoPE of layers with a window";
            return Err(ModelError::unwritable(path, why));
        }
        writer.put_f32(&key("freq_base_swa"), local.theta as f32);
    }
    let scaled = |kind: &str, factor: f64, writer: &mut Writer| {
        writer.put_str(&key("scaling.type"), kind);
        writer.put_f32(&key("scaling.factor"), factor as f32);
    };
    match &c.rope.scaling {
        RopeScaling::None | RopeScaling::Dynamic { .. } => {}
        RopeScaling::Linear { factor } => scaled("linear", *factor, writer),
        RopeScaling::Yarn(yarn) => {
            scaled("yarn", yarn.factor, writer);
            yarn_keys(yarn, &key, writer);
        }
        RopeScaling::Llama3 { .. } => {
            let (plain, _) = Rope::plain(c.rope.theta, c.rope.d_rotary).frequencies(1);
            let (scaled, _) = c.rope.frequencies(1);
            let divisors = plain.iter().zip(&scaled).map(|(p, s)| p / s).collect();
            return Ok(vec![("rope_freqs.weight", divisors)]);
        }
        RopeScaling::Divisors(divisors) => {
            return Ok(vec![("rope_freqs.weight", divisors.clone())]);
        }
        RopeScaling::LongRope { short, long, original, attention_factor } => {
            writer.put_u32(&key("scaling.original_context_length"), *original as u32);
            writer.put_f32(&key("scaling.attn_factor"), *attention_factor as f32);
            if c.family != Family::Phi3 {
                writer.put_str(&key("scaling.type"), "longrope");
            }
            return Ok(vec![
                ("rope_factors_long.weight", long.clone()),
                ("rope_factors_short.weight", short.clone()),
            ]);
        }
    }
    Ok(Vec::new())
}

fn yarn_keys(yarn: &Yarn, key: &dyn Fn(&str) -> String, writer: &mut Writer) {
    writer.put_u32(&key("scaling.original_context_length"), yarn.original as u32);
    if yarn.attention_factor != Yarn::mscale(yarn.factor, 1.0) {
        writer.put_f32(&key("scaling.yarn_attn_factor"), yarn.attention_factor as f32);
    }
    if (yarn.beta_fast, yarn.beta_slow) != (32.0, 1.0) {
        writer.put_f32(&key("scaling.yarn_beta_fast"), yarn.beta_fast as f32);
        writer.put_f32(&key("scaling.yarn_beta_slow"), yarn.beta_slow as f32);
    }
}
