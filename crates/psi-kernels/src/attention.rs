//! Causal attention over the key/value cache, for prefill, decoding and training alike.

use crate::{
    Cpu,
    kv::{KV_BLOCK, KvArena, Segment},
};

/// What attention needs to know beside its operands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionParams {
    /// Query heads; a multiple of the arena's key/value heads.
    pub n_heads: usize,
    /// Factor on q·k, usually 1 / sqrt(d_head).
    pub scale: f32,
    /// Sliding window: position p sees positions p - window + 1 ..= p.
    pub window: Option<usize>,
    /// Soft cap c: scores become c tanh(score / c). Gemma 2 report, section 2.
    pub softcap: Option<f32>,
}

/// out = softmax(mask(scale q kᵀ)) v for the rows of every segment, keys and values of `layer` from
/// `arena` (already stored for these rows). q and out are (rows, n_heads, d_head).
///
/// Blocks of [`KV_BLOCK`] positions are reduced each on its own and merged in order of position, so
/// a row's bits depend neither on the other rows nor on how the prompt was cut.
/// Dao et al. 2022, algorithm 1 (the merge).
///
/// # Panics
/// When lengths or block tables do not fit.
pub fn attention(
    _cpu: &Cpu,
    arena: &KvArena,
    layer: usize,
    segments: &[Segment<'_>],
    params: AttentionParams,
    q: &[f32],
    out: &mut [f32],
) {
    let d = arena.shape().d_head;
    let group = params.n_heads / arena.shape().n_kv_heads;
    let kv = arena.values();
    for seg in segments {
        for i in 0..seg.n_rows {
            let pos = seg.pos0 + i;
            let first = params.window.map_or(0, |w| (pos + 1).saturating_sub(w));
            for head in 0..params.n_heads {
                let at = ((seg.row0 + i) * params.n_heads + head) * d;
                let q = &q[at..at + d];
                let slot = |p: usize| {
                    arena.at(layer, seg.blocks[p / KV_BLOCK], head / group, p % KV_BLOCK)
                };
                let scores: Vec<f32> = (first..=pos)
                    .map(|p| {
                        let k = &kv[slot(p)..slot(p) + d];
                        let s = q.iter().zip(k).map(|(a, b)| a * b).sum::<f32>() * params.scale;
                        params.softcap.map_or(s, |c| c * (s / c).tanh())
                    })
                    .collect();
                let max = scores.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
                let out = &mut out[at..at + d];
                out.fill(0.0);
                let mut sum = 0.0;
                for (p, s) in (first..=pos).zip(&scores) {
                    let w = (s - max).exp();
                    sum += w;
                    let v = &kv[slot(p) + d..slot(p) + 2 * d];
                    out.iter_mut().zip(v).for_each(|(o, v)| *o += w * v);
                }
                out.iter_mut().for_each(|o| *o /= sum);
            }
        }
    }
}
