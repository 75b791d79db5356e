//! Rotary position embedding. Su et al. 2021 (RoFormer), equation 34, in the two-halves layout.

use crate::Cpu;

/// Cosines and sines of a run of positions: `cos[row * d_half + i]` for angle pos(row) * inv_freq[i].
#[derive(Clone, Debug)]
pub struct RopeRows {
    d_half: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl RopeRows {
    /// Tables for `positions`, both scaled by `attention_factor` (1 unless the scaling says so).
    /// Angles are computed in f64 and rounded once.
    pub fn new(positions: &[u32], inv_freq: &[f64], attention_factor: f64) -> Self {
        let mut cos = Vec::with_capacity(positions.len() * inv_freq.len());
        let mut sin = Vec::with_capacity(positions.len() * inv_freq.len());
        for &pos in positions {
            for &f in inv_freq {
                let (s, c) = (f64::from(pos) * f).sin_cos();
                cos.push((c * attention_factor) as f32);
                sin.push((s * attention_factor) as f32);
            }
        }
        Self { d_half: inv_freq.len(), cos, sin }
    }

    /// Rotated pairs per head.
    pub fn d_half(&self) -> usize {
        self.d_half
    }
}

/// Rotates x (rows, n_heads, d_head) in place: with h = d_half, for i < h
/// (x_i, x_{i+h}) <- (x_i cos - x_{i+h} sin, x_{i+h} cos + x_i sin); elements from 2h on stay.
///
/// `inverse` rotates back (the gradient of the rotation).
///
/// # Panics
/// When `x` does not fit the tables' rows.
pub fn rope(_cpu: &Cpu, x: &mut [f32], d_head: usize, tables: &RopeRows, inverse: bool) {
    let h = tables.d_half;
    let n_rows = tables.cos.len() / h.max(1);
    if h == 0 || n_rows == 0 {
        return;
    }
    assert!(2 * h <= d_head && x.len() % (n_rows * d_head) == 0, "rope of {}", x.len());
    let row_len = x.len() / n_rows;
    for (r, row) in x.chunks_exact_mut(row_len).enumerate() {
        for head in row.chunks_exact_mut(d_head) {
            for i in 0..h {
                let (c, s) = (tables.cos[r * h + i], tables.sin[r * h + i]);
                let s = if inverse { -s } else { s };
                let (a, b) = (head[i], head[i + h]);
                head[i] = a * c - b * s;
                head[i + h] = b * c + a * s;
            }
        }
    }
}
