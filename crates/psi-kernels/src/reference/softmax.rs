//! Softmax and its logarithm's normaliser in f64, one row at a time.

/// log(sum(exp(x))).
pub fn log_sum_exp(x: &[f64]) -> f64 {
    let max = x.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    max + x.iter().map(|x| (x - max).exp()).sum::<f64>().ln()
}

/// exp(x - log_sum_exp(x)).
pub fn softmax(x: &[f64]) -> Vec<f64> {
    let lse = log_sum_exp(x);
    x.iter().map(|x| (x - lse).exp()).collect()
}
