//! RMSNorm and LayerNorm over rows, forward and backward.
//!
//! A row's sums run over four vectors of lanes in a fixed order, so its bits depend on the row alone;
//! gradients of weights are summed over fixed blocks of rows, then over the blocks in order.
#![expect(unsafe_code, reason = "every task writes its own rows")]

use std::ops::Range;

use crate::{
    Cpu,
    elementwise::split_mut,
    simd::{LANES, Lanes, Parts, tiers},
};

/// Rows whose weight gradients are summed together: fixed, so that the threads do not matter.
const GRAD_ROWS: usize = 64;

/// y = x / rms(x) * (w + offset), rms(x) = sqrt(mean(x²) + eps), for each row of x (rows, d), d being
/// the length of `weight`.
///
/// `offset` is 1 for Gemma's zero-centred weights, else 0. [`rms_normalize`] is without weights.
/// Zhang and Sennrich 2019, equation 4.
///
/// # Panics
/// When a slice's length does not fit.
pub fn rms_norm(cpu: &Cpu, x: &[f32], weight: &[f32], offset: f32, eps: f32, y: &mut [f32]) {
    let d = weight.len();
    let n_rows = rows_of(d, &[x.len(), y.len()]);
    split_mut(cpu, n_rows, 1, d, [y], |rows, [y]| {
        let of_rows = rows.start * d..rows.end * d;
        rms_norm_tier(cpu.isa(), &x[of_rows], weight, d, [offset, eps], y);
    });
}

/// y = x / rms(x) for each row of x (rows, d): [`rms_norm`] without weights.
///
/// # Panics
/// When a slice's length does not fit.
pub fn rms_normalize(cpu: &Cpu, x: &[f32], d: usize, eps: f32, y: &mut [f32]) {
    let n_rows = rows_of(d, &[x.len(), y.len()]);
    split_mut(cpu, n_rows, 1, d, [y], |rows, [y]| {
        let of_rows = rows.start * d..rows.end * d;
        rms_norm_tier(cpu.isa(), &x[of_rows], &[], d, [0.0, eps], y);
    });
}

/// x += delta, then y = [`rms_norm`] of x: a residual connection and the norm that follows it, in
/// one pass over memory.
///
/// # Panics
/// When a slice's length does not fit.
pub fn add_rms_norm(
    cpu: &Cpu,
    x: &mut [f32],
    delta: &[f32],
    weight: &[f32],
    offset: f32,
    eps: f32,
    y: &mut [f32],
) {
    let d = weight.len();
    let n_rows = rows_of(d, &[x.len(), delta.len(), y.len()]);
    split_mut(cpu, n_rows, 1, 2 * d, [x, y], |rows, [x, y]| {
        let delta = delta[rows.start * d..rows.end * d].chunks_exact(d);
        for ((x, y), delta) in x.chunks_exact_mut(d).zip(y.chunks_exact_mut(d)).zip(delta) {
            crate::elementwise::add_scaled_tier(cpu.isa(), x, 1.0, delta);
            rms_norm_tier(cpu.isa(), x, weight, d, [offset, eps], y);
        }
    });
}

tiers! {
    fn rms_norm_tier(x: &[f32], weight: &[f32], d: usize, offset_eps: [f32; 2], y: &mut [f32])
        = rms_norm_body;
}

#[inline(always)]
fn rms_norm_body<L: Lanes>(
    x: &[f32],
    weight: &[f32],
    d: usize,
    [offset, eps]: [f32; 2],
    y: &mut [f32],
) {
    for (x, y) in x.chunks_exact(d).zip(y.chunks_exact_mut(d)) {
        let r = L::splat(inverse_rms::<L>(x, eps));
        if weight.is_empty() {
            for (x, y) in x.chunks(LANES).zip(y.chunks_mut(LANES)) {
                L::load_part(x, 0.0).mul(r).store_part(y);
            }
            continue;
        }
        for ((x, y), w) in x.chunks(LANES).zip(y.chunks_mut(LANES)).zip(weight.chunks(LANES)) {
            let w = L::load_part(w, 0.0).add(L::splat(offset));
            L::load_part(x, 0.0).mul(r).mul(w).store_part(y);
        }
    }
}

/// Gradient of [`rms_norm`]: writes `d_x` and adds to `d_weight`.
///
/// With g = d_y (w + offset) and r = 1 / rms(x): d_x = r g - x r³ (g·x) / d, d_w = sum of d_y x r.
///
/// # Panics
/// When a slice's length does not fit.
#[expect(clippy::too_many_arguments, reason = "the forward's operands and their gradients")]
pub fn rms_norm_backward(
    cpu: &Cpu,
    x: &[f32],
    weight: &[f32],
    offset: f32,
    eps: f32,
    d_y: &[f32],
    d_x: &mut [f32],
    d_weight: &mut [f32],
) {
    let d = weight.len();
    let n_rows = rows_of(d, &[x.len(), d_y.len(), d_x.len()]);
    assert_eq!(d_weight.len(), d, "weight gradient");
    sum_over_rows(cpu, n_rows, d_weight, d_x, |rows, d_weight, d_x| {
        let of_rows = rows.start * d..rows.end * d;
        let inputs = [&x[of_rows.clone()], &d_y[of_rows], weight];
        rms_norm_backward_tier(cpu.isa(), inputs, d, [offset, eps], d_x, d_weight);
    });
}

/// Gradient of [`rms_normalize`].
///
/// # Panics
/// When a slice's length does not fit.
pub fn rms_normalize_backward(
    cpu: &Cpu,
    x: &[f32],
    d: usize,
    eps: f32,
    d_y: &[f32],
    d_x: &mut [f32],
) {
    let n_rows = rows_of(d, &[x.len(), d_y.len(), d_x.len()]);
    let ones = vec![1.0; d];
    split_mut(cpu, n_rows, 1, 2 * d, [d_x], |rows, [d_x]| {
        let of_rows = rows.start * d..rows.end * d;
        let inputs = [&x[of_rows.clone()], &d_y[of_rows], &ones];
        rms_norm_backward_tier(cpu.isa(), inputs, d, [0.0, eps], d_x, &mut vec![0.0; d]);
    });
}

tiers! {
    fn rms_norm_backward_tier(
        inputs: [&[f32]; 3],
        d: usize,
        offset_eps: [f32; 2],
        d_x: &mut [f32],
        d_weight: &mut [f32],
    ) = rms_norm_backward_body;
}

#[inline(always)]
fn rms_norm_backward_body<L: Lanes>(
    [x, d_y, weight]: [&[f32]; 3],
    d: usize,
    [offset, eps]: [f32; 2],
    d_x: &mut [f32],
    d_weight: &mut [f32],
) {
    let offset = L::splat(offset);
    for ((x, d_y), d_x) in x.chunks_exact(d).zip(d_y.chunks_exact(d)).zip(d_x.chunks_exact_mut(d)) {
        let r = inverse_rms::<L>(x, eps);
        let mut dot = L::splat(0.0);
        for ((x, d_y), (w, d_w)) in chunks(x, d_y).zip(chunks_mut(weight, d_weight)) {
            let (x, d_y) = (L::load_part(x, 0.0), L::load_part(d_y, 0.0));
            let w = L::load_part(w, 0.0).add(offset);
            dot = d_y.mul(w).madd(x, dot);
            d_y.mul(x).madd(L::splat(r), L::load_part(d_w, 0.0)).store_part(d_w);
        }
        let c = L::splat(-dot.sum() * r * r * r / d as f32);
        for ((x, d_y), (w, d_x)) in chunks(x, d_y).zip(chunks_mut(weight, d_x)) {
            let g = L::load_part(d_y, 0.0).mul(L::load_part(w, 0.0).add(offset));
            L::load_part(x, 0.0).madd(c, g.mul(L::splat(r))).store_part(d_x);
        }
    }
}

/// y = (x - mean) / sqrt(var + eps) * w + b for each row of x (rows, d). Ba et al. 2016.
///
/// A `bias` of length 0 means none. [`layer_normalize`] is without weights as well.
///
/// # Panics
/// When a slice's length does not fit.
pub fn layer_norm(cpu: &Cpu, x: &[f32], weight: &[f32], bias: &[f32], eps: f32, y: &mut [f32]) {
    assert!(bias.is_empty() || bias.len() == weight.len(), "bias of a norm of {}", weight.len());
    layer_norm_any(cpu, x, [weight, bias], weight.len(), eps, y);
}

/// y = (x - mean) / sqrt(var + eps) for each row of x (rows, d): [`layer_norm`] without weights.
///
/// # Panics
/// When a slice's length does not fit.
pub fn layer_normalize(cpu: &Cpu, x: &[f32], d: usize, eps: f32, y: &mut [f32]) {
    layer_norm_any(cpu, x, [&[], &[]], d, eps, y);
}

fn layer_norm_any(cpu: &Cpu, x: &[f32], affine: [&[f32]; 2], d: usize, eps: f32, y: &mut [f32]) {
    let n_rows = rows_of(d, &[x.len(), y.len()]);
    split_mut(cpu, n_rows, 1, 2 * d, [y], |rows, [y]| {
        let of_rows = rows.start * d..rows.end * d;
        layer_norm_tier(cpu.isa(), &x[of_rows], affine, d, eps, y);
    });
}

tiers! {
    fn layer_norm_tier(x: &[f32], affine: [&[f32]; 2], d: usize, eps: f32, y: &mut [f32])
        = layer_norm_body;
}

#[inline(always)]
fn layer_norm_body<L: Lanes>(
    x: &[f32],
    [weight, bias]: [&[f32]; 2],
    d: usize,
    eps: f32,
    y: &mut [f32],
) {
    for (x, y) in x.chunks_exact(d).zip(y.chunks_exact_mut(d)) {
        let (mean, r) = mean_and_inverse_deviation::<L>(x, eps);
        let (mean, r) = (L::splat(mean), L::splat(r));
        for (i, (x, y)) in x.chunks(LANES).zip(y.chunks_mut(LANES)).enumerate() {
            let mut z = L::load_part(x, 0.0).sub(mean).mul(r);
            if !weight.is_empty() {
                z = z.mul(L::load_part(&weight[i * LANES..], 0.0));
            }
            if !bias.is_empty() {
                z = z.add(L::load_part(&bias[i * LANES..], 0.0));
            }
            z.store_part(y);
        }
    }
}

/// Gradient of [`layer_norm`]: writes `d_x`, adds to `d_weight` and `d_bias` (length 0: no bias).
///
/// With x_hat the normalised row, g = d_y w and r = 1 / sqrt(var + eps):
/// d_x = r (g - mean(g) - x_hat mean(g x_hat)).
///
/// # Panics
/// When a slice's length does not fit.
#[expect(clippy::too_many_arguments, reason = "the forward's operands and their gradients")]
pub fn layer_norm_backward(
    cpu: &Cpu,
    x: &[f32],
    weight: &[f32],
    eps: f32,
    d_y: &[f32],
    d_x: &mut [f32],
    d_weight: &mut [f32],
    d_bias: &mut [f32],
) {
    let d = weight.len();
    let n_rows = rows_of(d, &[x.len(), d_y.len(), d_x.len()]);
    assert_eq!(d_weight.len(), d, "weight gradient");
    assert!(d_bias.is_empty() || d_bias.len() == d, "bias gradient");
    let mut sums = vec![0.0; 2 * d];
    sum_over_rows(cpu, n_rows, &mut sums, d_x, |rows, sums, d_x| {
        let of_rows = rows.start * d..rows.end * d;
        let inputs = [&x[of_rows.clone()], &d_y[of_rows], weight];
        layer_norm_backward_tier(cpu.isa(), inputs, d, eps, d_x, sums);
    });
    crate::elementwise::add_assign(cpu, d_weight, &sums[..d]);
    crate::elementwise::add_assign(cpu, d_bias, &sums[d..d + d_bias.len()]);
}

/// Gradient of [`layer_normalize`].
///
/// # Panics
/// When a slice's length does not fit.
pub fn layer_normalize_backward(
    cpu: &Cpu,
    x: &[f32],
    d: usize,
    eps: f32,
    d_y: &[f32],
    d_x: &mut [f32],
) {
    layer_norm_backward(cpu, x, &vec![1.0; d], eps, d_y, d_x, &mut vec![0.0; d], &mut []);
}

tiers! {
    fn layer_norm_backward_tier(
        inputs: [&[f32]; 3],
        d: usize,
        eps: f32,
        d_x: &mut [f32],
        sums: &mut [f32],
    ) = layer_norm_backward_body;
}

/// `sums` holds the gradients of weight and bias, one after the other.
#[inline(always)]
fn layer_norm_backward_body<L: Lanes>(
    [x, d_y, weight]: [&[f32]; 3],
    d: usize,
    eps: f32,
    d_x: &mut [f32],
    sums: &mut [f32],
) {
    let (d_weight, d_bias) = sums.split_at_mut(d);
    for ((x, d_y), d_x) in x.chunks_exact(d).zip(d_y.chunks_exact(d)).zip(d_x.chunks_exact_mut(d)) {
        let (mean, r) = mean_and_inverse_deviation::<L>(x, eps);
        let (mean, r) = (L::splat(mean), L::splat(r));
        let (mut sum, mut dot) = (L::splat(0.0), L::splat(0.0));
        let grads = chunks_mut(weight, d_weight).zip(d_bias.chunks_mut(LANES));
        for ((x, d_y), ((w, d_w), d_b)) in chunks(x, d_y).zip(grads) {
            // Past the row's end d_y is 0, so what x_hat is there does not matter.
            let x_hat = L::load_part(x, 0.0).sub(mean).mul(r);
            let d_y = L::load_part(d_y, 0.0);
            let g = d_y.mul(L::load_part(w, 0.0));
            sum = sum.add(g);
            dot = g.madd(x_hat, dot);
            d_y.madd(x_hat, L::load_part(d_w, 0.0)).store_part(d_w);
            d_y.add(L::load_part(d_b, 0.0)).store_part(d_b);
        }
        let sum = L::splat(-sum.sum() / d as f32);
        let dot = L::splat(-dot.sum() / d as f32);
        for ((x, d_y), (w, d_x)) in chunks(x, d_y).zip(chunks_mut(weight, d_x)) {
            let x_hat = L::load_part(x, 0.0).sub(mean).mul(r);
            let g = L::load_part(d_y, 0.0).madd(L::load_part(w, 0.0), sum);
            x_hat.madd(dot, g).mul(r).store_part(d_x);
        }
    }
}

/// 1 / sqrt(mean(x²) + eps).
#[inline(always)]
fn inverse_rms<L: Lanes>(x: &[f32], eps: f32) -> f32 {
    let sum = sum4::<L>(x, 0.0, |x, sum| x.madd(x, sum));
    1.0 / (sum / x.len() as f32 + eps).sqrt()
}

/// Mean of x, and 1 / sqrt(variance + eps).
#[inline(always)]
fn mean_and_inverse_deviation<L: Lanes>(x: &[f32], eps: f32) -> (f32, f32) {
    let n = x.len() as f32;
    let mean = sum4::<L>(x, 0.0, |x, sum| sum.add(x)) / n;
    let at = L::splat(mean);
    let squares = sum4::<L>(x, mean, |x, sum| {
        let x = x.sub(at);
        x.madd(x, sum)
    });
    (mean, 1.0 / (squares / n + eps).sqrt())
}

/// Folds x into four vectors in turn (so that one sum does not wait for the last), then adds them
/// and their lanes by halves. `fill` stands for what lies past the end.
#[inline(always)]
fn sum4<L: Lanes>(x: &[f32], fill: f32, f: impl Fn(L, L) -> L) -> f32 {
    let mut sums = [L::splat(0.0); 4];
    let mut blocks = x.chunks_exact(4 * LANES);
    for block in &mut blocks {
        for (sum, x) in sums.iter_mut().zip(block.chunks_exact(LANES)) {
            *sum = f(L::load(x), *sum);
        }
    }
    for (sum, x) in sums.iter_mut().zip(blocks.remainder().chunks(LANES)) {
        *sum = f(L::load_part(x, fill), *sum);
    }
    sums[0].add(sums[1]).add(sums[2].add(sums[3])).sum()
}

#[inline(always)]
fn chunks<'a>(a: &'a [f32], b: &'a [f32]) -> impl Iterator<Item = (&'a [f32], &'a [f32])> {
    a.chunks(LANES).zip(b.chunks(LANES))
}

#[inline(always)]
fn chunks_mut<'a>(
    a: &'a [f32],
    b: &'a mut [f32],
) -> impl Iterator<Item = (&'a [f32], &'a mut [f32])> {
    a.chunks(LANES).zip(b.chunks_mut(LANES))
}

/// Number of rows of width `d` in slices that must all have them.
#[track_caller]
fn rows_of(d: usize, lengths: &[usize]) -> usize {
    let n = lengths[0];
    assert!(
        d > 0 && n.is_multiple_of(d) && lengths.iter().all(|&l| l == n),
        "rows of {d} in {lengths:?}"
    );
    n / d
}

/// Adds to `total` what `task` adds to a zeroed buffer of that length for each block of rows, the
/// blocks in order; a task also gets its rows of `out`.
fn sum_over_rows(
    cpu: &Cpu,
    n_rows: usize,
    total: &mut [f32],
    out: &mut [f32],
    task: impl Fn(Range<usize>, &mut [f32], &mut [f32]) + Sync,
) {
    let (width, row_len) = (total.len(), out.len() / n_rows.max(1));
    let n_blocks = n_rows.div_ceil(GRAD_ROWS);
    let mut sums = vec![0.0; n_blocks * width];
    let (parts, out) = (Parts::new(&mut sums), Parts::new(out));
    cpu.pool().run(n_blocks, &|block| {
        let rows = block * GRAD_ROWS..n_rows.min((block + 1) * GRAD_ROWS);
        // SAFETY: every block has its own sums and its own rows.
        let (sums, out) = unsafe {
            (
                parts.take(block * width..(block + 1) * width),
                out.take(rows.start * row_len..rows.end * row_len),
            )
        };
        task(rows, sums, out);
    });
    for sum in sums.chunks_exact(width.max(1)) {
        crate::elementwise::add_assign(cpu, total, sum);
    }
}
