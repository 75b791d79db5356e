//! RoPE out of a `config.json`, in the layouts of transformers 4 and 5.

use super::fields::Fields;
use crate::{
    ModelError, Result, Rope,
    rope::{RopeScaling, Yarn},
};

/// What the architecture says about keys that are absent.
pub(super) struct Defaults {
    pub(super) theta: f64,
    pub(super) d_head: usize,
    pub(super) max_seq_len: usize,
    /// `original_max_position_embeddings` of Phi-3, which also has it at the top level.
    pub(super) original: Option<usize>,
}

/// The RoPE of all layers, or of full and of sliding layers.
pub(super) fn read(f: &Fields<'_>, defaults: &Defaults) -> Result<(Rope, Option<Rope>)> {
    let parameters = f.object("rope_parameters")?;
    let scaling = f.object("rope_scaling")?;
    let local_theta = f.positive("rope_local_base_freq")?;
    let top_theta = f.positive("rope_theta")?;
    if let Some(p) = &parameters
        && let (Some(full), Some(local)) =
            (p.object("full_attention")?, p.object("sliding_attention")?)
    {
        let local_defaults = Defaults { theta: 10_000.0, ..*defaults };
        let full = one(f, &full, defaults)?;
        return Ok((full, Some(one(f, &local, &local_defaults)?)));
    }
    // An old-style `rope_scaling` wins over `rope_parameters`, as transformers reads them.
    let from = scaling.or(parameters);
    let theta = top_theta.unwrap_or(defaults.theta);
    let rope = match &from {
        Some(p) => one(f, p, &Defaults { theta, ..*defaults })?,
        None => Rope::plain(theta, rotary(f, None, defaults)?),
    };
    let local = local_theta.map(|theta| Rope::plain(theta, rope.d_rotary));
    Ok((rope, local))
}

/// How many values of a head turn.
fn rotary(f: &Fields<'_>, p: Option<&Fields<'_>>, defaults: &Defaults) -> Result<usize> {
    let at_top = f.positive("partial_rotary_factor")?;
    let inside = p.map(|p| p.positive("partial_rotary_factor")).transpose()?.flatten();
    let factor = inside.or(at_top).unwrap_or(1.0);
    if factor > 1.0 {
        return Err(f.error("partial_rotary_factor", "must be at most 1"));
    }
    let d = (defaults.d_head as f64 * factor) as usize;
    match d.is_multiple_of(2) && d > 0 {
        true => Ok(d),
        false => Err(ModelError::key(
            f.path,
            "head_dim",
            defaults.d_head,
            format!("{d} values per head turn; RoPE turns pairs"),
        )),
    }
}

/// One set of parameters.
fn one(f: &Fields<'_>, p: &Fields<'_>, defaults: &Defaults) -> Result<Rope> {
    let theta = p.positive("rope_theta")?.unwrap_or(defaults.theta);
    let d_rotary = rotary(f, Some(p), defaults)?;
    // "type" is the older spelling; both may be there.
    let old = p.text("type")?;
    let kind = p.text("rope_type")?.or(old).unwrap_or("default");
    let original = p.count("original_max_position_embeddings")?;
    let original = defaults.original.or(original);
    let or_max = || original.unwrap_or(defaults.max_seq_len) as f64;
    let phi = defaults.original.is_some();
    let scaling = match kind {
        "default" => RopeScaling::None,
        "linear" => RopeScaling::Linear { factor: p.need_positive("factor")? },
        "dynamic" => RopeScaling::Dynamic {
            factor: p.need_positive("factor")?,
            original: defaults.max_seq_len as f64,
        },
        "llama3" => llama3(p, or_max())?,
        "longrope" | "su" => longrope(p, d_rotary, or_max(), defaults.max_seq_len as f64)?,
        "yarn" if phi => longrope(p, d_rotary, or_max(), defaults.max_seq_len as f64)?,
        "yarn" => yarn(p, or_max(), defaults.max_seq_len as f64)?,
        _ => {
            let why = "psi knows default, linear, dynamic, llama3, yarn and longrope";
            return Err(p.error(if p.has("rope_type") { "rope_type" } else { "type" }, why));
        }
    };
    if let [key, ..] = &p.unread()[..] {
        let hint = "psi refuses RoPE keys it does not know, because they change every result";
        let name = key.rsplit('.').next().unwrap_or(key);
        return Err(p.error(name, format!("unknown for RoPE type '{kind}'")).with_hint(hint));
    }
    Ok(Rope { theta, d_rotary, scaling })
}

fn llama3(p: &Fields<'_>, original: f64) -> Result<RopeScaling> {
    let (low, high) = (p.need_positive("low_freq_factor")?, p.need_positive("high_freq_factor")?);
    if low >= high {
        return Err(p.error("low_freq_factor", format!("must be below high_freq_factor, {high}")));
    }
    Ok(RopeScaling::Llama3 { factor: p.need_positive("factor")?, low, high, original })
}

fn yarn(p: &Fields<'_>, original: f64, max: f64) -> Result<RopeScaling> {
    let factor = p.positive("factor")?.unwrap_or(max / original);
    let mscale = (p.float("mscale")?, p.float("mscale_all_dim")?);
    let attention_factor = match (p.positive("attention_factor")?, mscale) {
        (Some(x), _) => x,
        (None, (Some(k), Some(all))) if k != 0.0 && all != 0.0 => {
            Yarn::mscale(factor, k) / Yarn::mscale(factor, all)
        }
        (None, _) => Yarn::mscale(factor, 1.0),
    };
    Ok(RopeScaling::Yarn(Yarn {
        factor,
        original,
        beta_fast: p.positive("beta_fast")?.unwrap_or(32.0),
        beta_slow: p.positive("beta_slow")?.unwrap_or(1.0),
        truncate: p.flag("truncate")?.unwrap_or(true),
        attention_factor,
    }))
}

fn longrope(p: &Fields<'_>, d_rotary: usize, original: f64, max: f64) -> Result<RopeScaling> {
    let list = |key: &str| -> Result<Vec<f64>> {
        let list = p.floats(key)?.ok_or_else(|| p.missing(key))?;
        match list.len() == d_rotary / 2 && list.iter().all(|&x| x > 0.0) {
            true => Ok(list),
            false => Err(p.error(key, format!("must be {} numbers above 0", d_rotary / 2))),
        }
    };
    let (short, long) = (list("short_factor")?, list("long_factor")?);
    let factor = p.positive("factor")?.unwrap_or(max / original);
    let attention_factor = match p.positive("attention_factor")? {
        Some(x) => x,
        None if factor <= 1.0 => 1.0,
        None => (1.0 + factor.ln() / original.ln()).sqrt(),
    };
    Ok(RopeScaling::LongRope { short, long, original, attention_factor })
}
