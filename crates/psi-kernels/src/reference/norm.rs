//! Norms in f64, one row at a time.

/// RMSNorm of one row; `weight` is already (w + offset).
pub fn rms_norm(x: &[f64], weight: &[f64], eps: f64) -> Vec<f64> {
    let mean = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
    x.iter().zip(weight).map(|(x, w)| x / (mean + eps).sqrt() * w).collect()
}

/// LayerNorm of one row.
pub fn layer_norm(x: &[f64], weight: &[f64], bias: &[f64], eps: f64) -> Vec<f64> {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let var = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
    let r = 1.0 / (var + eps).sqrt();
    x.iter().zip(weight).zip(bias).map(|((x, w), b)| (x - mean) * r * w + b).collect()
}
