//! Softmax, log-softmax and cross-entropy over rows of logits.

use crate::{
    Cpu,
    elementwise::split_mut,
    simd::{LANES, Lanes, exp, tiers},
};

/// What an element costs against reading and writing it.
const COST: usize = 3;

/// In place, for each row of length `d`: x <- exp(x - max) / sum(exp(x - max)).
///
/// # Panics
/// When `d` does not divide the length.
pub fn softmax(cpu: &Cpu, x: &mut [f32], d: usize) {
    assert!(d > 0 && x.len().is_multiple_of(d), "rows of {d} in {}", x.len());
    let n_rows = x.len() / d;
    split_mut(cpu, n_rows, 1, d * COST, [x], |_, [x]| softmax_tier(cpu.isa(), x, d));
}

tiers! { fn softmax_tier(x: &mut [f32], d: usize) = softmax_body; }

#[inline(always)]
fn softmax_body<L: Lanes>(x: &mut [f32], d: usize) {
    for row in x.chunks_exact_mut(d) {
        let max = L::splat(row_max::<L>(row));
        let mut sum = L::splat(0.0);
        for x in row.chunks_mut(LANES) {
            let p = exp(L::load_part(x, f32::NEG_INFINITY).sub(max));
            sum = sum.add(p);
            p.store_part(x);
        }
        let inverse = L::splat(1.0 / sum.sum());
        for x in row.chunks_mut(LANES) {
            L::load_part(x, 0.0).mul(inverse).store_part(x);
        }
    }
}

#[inline(always)]
fn row_max<L: Lanes>(row: &[f32]) -> f32 {
    let mut max = L::splat(f32::NEG_INFINITY);
    for x in row.chunks(LANES) {
        max = L::load_part(x, f32::NEG_INFINITY).max(max);
    }
    max.largest()
}

/// log(sum(exp(x))) of each row of length `d`, in nats: the one routine that samplers, scores and
/// losses share, so that their log-probabilities are the same numbers.
///
/// A row of -inf gives -inf. The bits depend on the row and the tier alone.
///
/// # Panics
/// When the lengths do not fit.
pub fn log_sum_exp(cpu: &Cpu, x: &[f32], d: usize, out: &mut [f32]) {
    assert!(d > 0 && x.len() == out.len() * d, "rows of {d} in {}", x.len());
    let n_rows = out.len();
    split_mut(cpu, n_rows, 1, d * COST, [out], |rows, [out]| {
        log_sum_exp_tier(cpu.isa(), &x[rows.start * d..rows.end * d], d, out);
    });
}

tiers! { fn log_sum_exp_tier(x: &[f32], d: usize, out: &mut [f32]) = log_sum_exp_body; }

#[inline(always)]
fn log_sum_exp_body<L: Lanes>(x: &[f32], d: usize, out: &mut [f32]) {
    for (row, out) in x.chunks_exact(d).zip(out) {
        let top = row_max::<L>(row);
        if top == f32::NEG_INFINITY {
            *out = if row.iter().any(|x| x.is_nan()) { f32::NAN } else { top };
            continue;
        }
        let max = L::splat(top);
        // Two sums, so that one addition does not wait for the last.
        let mut sums = [L::splat(0.0); 2];
        for pair in row.chunks(2 * LANES) {
            let (a, b) = pair.split_at(pair.len().min(LANES));
            sums[0] = sums[0].add(exp(L::load_part(a, f32::NEG_INFINITY).sub(max)));
            sums[1] = sums[1].add(exp(L::load_part(b, f32::NEG_INFINITY).sub(max)));
        }
        *out = (f64::from(top) + f64::from(sums[0].add(sums[1]).sum()).ln()) as f32;
    }
}

/// Gradient of the cross-entropy, in place of the logits: for each row of length `d`,
/// x_j <- scale (exp(x_j - lse) - [j = target]).
///
/// `lse` comes from [`log_sum_exp`]. A row of scale 0 gets zeros, whatever its target and logits.
///
/// # Panics
/// When the lengths do not fit, or a target of a row with a scale is not below `d`.
pub fn cross_entropy_backward(
    cpu: &Cpu,
    x: &mut [f32],
    d: usize,
    targets: &[u32],
    lse: &[f32],
    scale: &[f32],
) {
    let n_rows = targets.len();
    assert!(x.len() == n_rows * d, "{n_rows} targets for rows of {d} in {}", x.len());
    assert!(lse.len() == n_rows && scale.len() == n_rows, "{n_rows} targets, lse and scales");
    split_mut(cpu, n_rows, 1, d * COST, [x], |rows, [x]| {
        for ((x, r), target) in x.chunks_exact_mut(d).zip(rows.clone()).zip(&targets[rows]) {
            if scale[r] == 0.0 {
                x.fill(0.0);
                continue;
            }
            let target = *target as usize;
            assert!(target < d, "target {target} of row {r} in a vocabulary of {d}");
            exp_scaled_tier(cpu.isa(), x, lse[r], scale[r]);
            x[target] -= scale[r];
        }
    });
}

tiers! { fn exp_scaled_tier(x: &mut [f32], lse: f32, scale: f32) = exp_scaled_body; }

#[inline(always)]
fn exp_scaled_body<L: Lanes>(x: &mut [f32], lse: f32, scale: f32) {
    let (lse, scale) = (L::splat(lse), L::splat(scale));
    for x in x.chunks_mut(LANES) {
        exp(L::load_part(x, 0.0).sub(lse)).mul(scale).store_part(x);
    }
}
