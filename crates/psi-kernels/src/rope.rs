//! Rotary position embedding. Su et al. 2021 (RoFormer), equation 34, in the two-halves layout.

use crate::{
    Cpu,
    elementwise::split_mut,
    simd::{LANES, Lanes, tiers},
};

/// Cosines and sines of a run of positions: `cos[row * d_half + i]` for angle pos(row) * inv_freq\[i\].
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
pub fn rope(cpu: &Cpu, x: &mut [f32], d_head: usize, tables: &RopeRows, inverse: bool) {
    turn(cpu, None, x, d_head, tables, inverse);
}

/// [`rope`] of `x` into `y`.
///
/// # Panics
/// When `x` does not fit the tables' rows, or `y` is not as long.
pub fn rope_into(cpu: &Cpu, x: &[f32], y: &mut [f32], d_head: usize, tables: &RopeRows) {
    assert_eq!(x.len(), y.len(), "lengths of x and y");
    turn(cpu, Some(x), y, d_head, tables, false);
}

/// Rows that are copied and then turned while they are in the cache.
const COPY_ROWS: usize = 8;

fn turn(
    cpu: &Cpu,
    from: Option<&[f32]>,
    x: &mut [f32],
    d_head: usize,
    tables: &RopeRows,
    inverse: bool,
) {
    let h = tables.d_half;
    let n_rows = tables.cos.len() / h.max(1);
    if h == 0 || n_rows == 0 {
        if let Some(from) = from {
            x.copy_from_slice(from);
        }
        return;
    }
    assert!(2 * h <= d_head, "{h} pairs in a head of {d_head}");
    assert!(
        x.len().is_multiple_of(n_rows * d_head),
        "{} values in {n_rows} rows of {d_head}",
        x.len()
    );
    let row_len = x.len() / n_rows;
    let sign = if inverse { -1.0 } else { 1.0 };
    split_mut(cpu, n_rows, 1, row_len, [x], |rows, [x]| {
        for (i, x) in x.chunks_mut(COPY_ROWS * row_len).enumerate() {
            let row = rows.start + i * COPY_ROWS;
            if let Some(from) = from {
                x.copy_from_slice(&from[row * row_len..][..x.len()]);
            }
            let of_rows = row * h..(row + x.len() / row_len) * h;
            let (cos, sin) = (&tables.cos[of_rows.clone()], &tables.sin[of_rows]);
            rope_tier(cpu.isa(), x, [row_len, d_head, h], cos, sin, sign);
        }
    });
}

tiers! {
    fn rope_tier(x: &mut [f32], shape: [usize; 3], cos: &[f32], sin: &[f32], sign: f32) = rope_body;
}

#[inline(always)]
fn rope_body<L: Lanes>(
    x: &mut [f32],
    [row_len, d_head, h]: [usize; 3],
    cos: &[f32],
    sin: &[f32],
    sign: f32,
) {
    let (sign, zero) = (L::splat(sign), L::splat(0.0));
    let tables = cos.chunks_exact(h).zip(sin.chunks_exact(h));
    for (row, (cos, sin)) in x.chunks_exact_mut(row_len).zip(tables) {
        for head in row.chunks_exact_mut(d_head) {
            let (low, high) = head.split_at_mut(h);
            let halves = low.chunks_mut(LANES).zip(high[..h].chunks_mut(LANES));
            for ((low, high), (c, s)) in halves.zip(cos.chunks(LANES).zip(sin.chunks(LANES))) {
                let (c, s) = (L::load_part(c, 0.0), L::load_part(s, 0.0).mul(sign));
                let (a, b) = (L::load_part(low, 0.0), L::load_part(high, 0.0));
                a.madd(c, zero.sub(b.mul(s))).store_part(low);
                b.madd(c, a.mul(s)).store_part(high);
            }
        }
    }
}
