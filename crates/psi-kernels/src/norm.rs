//! RMSNorm and LayerNorm over rows, forward and backward.

use crate::Cpu;

/// y = x / rms(x) * (w + offset), rms(x) = sqrt(mean(x²) + eps), for each row of x (rows, d).
///
/// `offset` is 1 for Gemma's zero-centred weights, else 0; `weight` of length 0 means ones.
/// Zhang and Sennrich 2019, equation 4.
///
/// # Panics
/// When a slice's length does not fit.
pub fn rms_norm(_cpu: &Cpu, x: &[f32], weight: &[f32], offset: f32, eps: f32, y: &mut [f32]) {
    let d = weight.len();
    assert!(x.len() == y.len() && x.len() % d == 0, "rows of {d} in {}", x.len());
    for (x, y) in x.chunks_exact(d).zip(y.chunks_exact_mut(d)) {
        let mean = x.iter().map(|x| x * x).sum::<f32>() / d as f32;
        let scale = 1.0 / (mean + eps).sqrt();
        for ((y, x), w) in y.iter_mut().zip(x).zip(weight) {
            *y = x * scale * (w + offset);
        }
    }
}

/// Gradient of [`rms_norm`]: writes `d_x` and adds to `d_weight`.
///
/// # Panics
/// When a slice's length does not fit.
#[expect(clippy::too_many_arguments, reason = "the forward's operands and their gradients")]
pub fn rms_norm_backward(
    _cpu: &Cpu,
    x: &[f32],
    weight: &[f32],
    offset: f32,
    eps: f32,
    d_y: &[f32],
    d_x: &mut [f32],
    d_weight: &mut [f32],
) {
    let d = weight.len();
    for ((x, d_y), d_x) in x.chunks_exact(d).zip(d_y.chunks_exact(d)).zip(d_x.chunks_exact_mut(d)) {
        let mean = x.iter().map(|x| x * x).sum::<f32>() / d as f32;
        let r = 1.0 / (mean + eps).sqrt();
        let mut dot = 0.0;
        for i in 0..d {
            dot += d_y[i] * (weight[i] + offset) * x[i];
            d_weight[i] += d_y[i] * x[i] * r;
        }
        let c = dot * r * r * r / d as f32;
        for i in 0..d {
            d_x[i] = d_y[i] * (weight[i] + offset) * r - x[i] * c;
        }
    }
}

/// y = (x - mean) / sqrt(var + eps) * w + b for each row of x (rows, d). Ba et al. 2016.
///
/// # Panics
/// When a slice's length does not fit.
pub fn layer_norm(_cpu: &Cpu, x: &[f32], weight: &[f32], bias: &[f32], eps: f32, y: &mut [f32]) {
    let d = weight.len();
    for (x, y) in x.chunks_exact(d).zip(y.chunks_exact_mut(d)) {
        let mean = x.iter().sum::<f32>() / d as f32;
        let var = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / d as f32;
        let r = 1.0 / (var + eps).sqrt();
        for i in 0..d {
            y[i] = (x[i] - mean) * r * weight[i] + bias[i];
        }
    }
}

/// Gradient of [`layer_norm`]: writes `d_x`, adds to `d_weight` and `d_bias`.
///
/// # Panics
/// When a slice's length does not fit.
#[expect(clippy::too_many_arguments, reason = "the forward's operands and their gradients")]
pub fn layer_norm_backward(
    _cpu: &Cpu,
    x: &[f32],
    weight: &[f32],
    eps: f32,
    d_y: &[f32],
    d_x: &mut [f32],
    d_weight: &mut [f32],
    d_bias: &mut [f32],
) {
    let d = weight.len();
    for ((x, d_y), d_x) in x.chunks_exact(d).zip(d_y.chunks_exact(d)).zip(d_x.chunks_exact_mut(d)) {
        let mean = x.iter().sum::<f32>() / d as f32;
        let var = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / d as f32;
        let r = 1.0 / (var + eps).sqrt();
        let (mut sum, mut dot) = (0.0, 0.0);
        for i in 0..d {
            let x_hat = (x[i] - mean) * r;
            let g = d_y[i] * weight[i];
            sum += g;
            dot += g * x_hat;
            d_weight[i] += d_y[i] * x_hat;
            d_bias[i] += d_y[i];
        }
        for i in 0..d {
            let x_hat = (x[i] - mean) * r;
            d_x[i] = r * (d_y[i] * weight[i] - (sum + x_hat * dot) / d as f32);
        }
    }
}
