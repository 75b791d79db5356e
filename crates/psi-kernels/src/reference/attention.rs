//! Attention in f64 over plain rows, one query at a time.

use crate::attention::AttentionParams;

/// Attention of one sequence whose keys and values are rows 0.. of k and v (n, n_kv_heads, d_head);
/// q (rows, n_heads, d_head) stands at positions `pos0 ..`. Returns the outputs, and the logarithm
/// of each row's and head's normaliser.
pub fn attention(
    params: AttentionParams,
    n_kv_heads: usize,
    d_head: usize,
    pos0: usize,
    [q, k, v]: [&[f64]; 3],
) -> (Vec<f64>, Vec<f64>) {
    let (n_heads, d) = (params.n_heads, d_head);
    let group = n_heads / n_kv_heads;
    let (mut out, mut lse) = (vec![0.0; q.len()], Vec::new());
    for (i, (q, out)) in q.chunks_exact(d).zip(out.chunks_exact_mut(d)).enumerate() {
        let (pos, kv_head) = (pos0 + i / n_heads, i % n_heads / group);
        let first = params.window.map_or(0, |w| (pos + 1).saturating_sub(w));
        let row = |x: &[f64], p: usize| -> Vec<f64> {
            let at = (p * n_kv_heads + kv_head) * d;
            x[at..at + d].to_vec()
        };
        let scores: Vec<f64> = (first..=pos)
            .map(|p| {
                let dot: f64 = q.iter().zip(row(k, p)).map(|(a, b)| a * b).sum();
                let s = dot * f64::from(params.scale);
                params.softcap.map_or(s, |c| f64::from(c) * (s / f64::from(c)).tanh())
            })
            .collect();
        let normaliser = super::softmax::log_sum_exp(&scores);
        for (p, s) in (first..=pos).zip(&scores) {
            let weight = (s - normaliser).exp();
            out.iter_mut().zip(row(v, p)).for_each(|(o, v)| *o += weight * v);
        }
        lse.push(normaliser);
    }
    (out, lse)
}
