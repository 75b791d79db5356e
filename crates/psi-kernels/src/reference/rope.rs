//! The rotation in f64, one head at a time.

/// Rotates the pairs (x_i, x_{i + n}) of one head by position * inv_freq\[i\], n = inv_freq.len().
pub fn rope(x: &mut [f64], position: f64, inv_freq: &[f64]) {
    let n = inv_freq.len();
    for (i, f) in inv_freq.iter().enumerate() {
        let (s, c) = (position * f).sin_cos();
        let (a, b) = (x[i], x[i + n]);
        x[i] = a * c - b * s;
        x[i + n] = b * c + a * s;
    }
}
