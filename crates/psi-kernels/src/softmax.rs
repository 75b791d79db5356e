//! Softmax, log-softmax and cross-entropy over rows of logits.

use crate::Cpu;

/// In place, for each row of length `d`: x <- exp(x - max) / sum(exp(x - max)).
///
/// # Panics
/// When `d` does not divide the length.
pub fn softmax(_cpu: &Cpu, x: &mut [f32], d: usize) {
    assert!(d > 0 && x.len() % d == 0, "rows of {d} in {}", x.len());
    for row in x.chunks_exact_mut(d) {
        let max = row.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        let mut sum = 0.0;
        for x in row.iter_mut() {
            *x = (*x - max).exp();
            sum += *x;
        }
        for x in row.iter_mut() {
            *x /= sum;
        }
    }
}

/// log(sum(exp(x))) of each row of length `d`, in nats: the one routine that samplers, scores and
/// losses share, so that their log-probabilities are the same numbers.
///
/// # Panics
/// When the lengths do not fit.
pub fn log_sum_exp(_cpu: &Cpu, x: &[f32], d: usize, out: &mut [f32]) {
    assert!(d > 0 && x.len() == out.len() * d, "rows of {d} in {}", x.len());
    for (row, out) in x.chunks_exact(d).zip(out) {
        let max = row.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        let sum: f32 = row.iter().map(|x| (x - max).exp()).sum();
        *out = max + sum.ln();
    }
}
