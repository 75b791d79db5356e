//! The dial: from a depth to the sizes of a good small model, each of which may be overridden.

use std::path::Path;

use psi_model::{Config, Family, LayerKind, QkNorm, Rope, SpecialTokens};
use toml::Value;

use super::Settings;
use crate::Result;

/// Width of a head of a new model.
const D_HEAD: usize = 64;

/// The configuration of a new model for a tokenizer of `vocab_size` tokens; derived sizes become settings.
pub(crate) fn new_model(
    settings: &mut Settings,
    vocab_size: usize,
    special: SpecialTokens,
) -> Result<Config> {
    let depth = settings.count("model.depth");
    let mut size = |name: &str, value: usize, how: &str| {
        settings.derive(name, Value::Integer(value as i64), how);
        settings.count(name)
    };
    let n_layers = size("model.n_layers", depth, "model.depth");
    let d_model = size("model.d_model", 64 * depth, "64 x model.depth");
    let d_head = size("model.d_head", D_HEAD, "64");
    let n_heads = size("model.n_heads", (d_model / d_head.max(1)).max(1), "d_model / d_head");
    let half = if n_heads.is_multiple_of(2) { n_heads / 2 } else { n_heads };
    let n_kv_heads = size("model.n_kv_heads", half, "half of n_heads, or n_heads if odd");
    let d_ff = (d_model * 8 / 3).next_multiple_of(64);
    let d_ff = size("model.d_ff", d_ff, "8/3 d_model, up to a multiple of 64");
    let seq_len = settings.count("data.seq_len");
    let derived = Value::Integer(seq_len as i64);
    settings.derive("model.max_seq_len", derived, "data.seq_len");
    let max_seq_len = settings.count("model.max_seq_len");
    if max_seq_len < seq_len {
        let why = format!("{max_seq_len} positions for rows of {seq_len} tokens (data.seq_len)");
        return Err(settings.refuse("model.max_seq_len", why));
    }
    let qwen3 = settings.text("model.family") == Some("qwen3");
    let base = Config::llama(d_model, n_layers, n_heads, vocab_size);
    let config = Config {
        family: if qwen3 { Family::Qwen3 } else { Family::Llama },
        d_ff,
        n_kv_heads,
        d_head,
        max_seq_len,
        norm: psi_model::Norm { eps: settings.number("model.norm_eps") as f32, ..base.norm },
        qk_norm: if qwen3 { QkNorm::PerHead } else { QkNorm::None },
        rope: Rope::plain(settings.number("model.rope_base"), d_head),
        layers: vec![LayerKind::FULL; n_layers],
        attn_scale: (d_head as f32).powf(-0.5),
        tied_embeddings: settings.flag("model.tied"),
        special,
        ..base
    };
    let path = settings.recipe().to_owned();
    config.check(Path::new(&path))?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_depth_decides_every_size_and_any_of_them_can_be_overridden() {
        let build = |sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
            let mut settings = Settings::parse("", Path::new("r.toml"), &sets).unwrap();
            let config = new_model(&mut settings, 512, SpecialTokens::default());
            config.map(|c| (c.n_layers, c.d_model, c.n_heads, c.n_kv_heads, c.d_ff, c.qk_norm))
        };
        assert_eq!(build(&["model.depth=6"]).unwrap(), (6, 384, 6, 3, 1024, QkNorm::PerHead));
        let other = ["model.depth=6", "model.d_model=128", "model.d_head=32", "model.family=llama"];
        assert_eq!(build(&other).unwrap(), (6, 128, 4, 2, 384, QkNorm::None));
        assert!(build(&["model.n_kv_heads=3"]).is_err(), "3 does not divide 4");
        assert!(build(&["model.depth=0"]).is_err());
        assert!(build(&["model.max_seq_len=100"]).is_err());
    }
}
