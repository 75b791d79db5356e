//! Activations in f64, with slopes by formula and erf by its series.

use crate::activation::Activation;

/// erf x by Taylor's series up to 3, by the continued fraction of erfc beyond.
/// Abramowitz and Stegun 7.1.6 and 7.1.14.
pub fn erf(x: f64) -> f64 {
    let a = x.abs();
    let value = if a.is_nan() || a > 6.0 {
        if a.is_nan() { a } else { 1.0 }
    } else if a < 3.0 {
        let (mut term, mut sum, mut n) = (a, a, 0.0);
        while term > 1e-18 * sum {
            n += 1.0;
            term *= 2.0 * a * a / (2.0 * n + 1.0);
            sum += term;
        }
        2.0 / std::f64::consts::PI.sqrt() * (-a * a).exp() * sum
    } else {
        let mut fraction = 0.0;
        for k in (1..=60).rev() {
            fraction = f64::from(k) / 2.0 / (a + fraction);
        }
        1.0 - (-a * a).exp() / std::f64::consts::PI.sqrt() / (a + fraction)
    };
    value.copysign(x)
}

/// act(x).
pub fn value(act: Activation, x: f64) -> f64 {
    match act {
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::GeluTanh => 0.5 * x * (1.0 + gelu_argument(x).tanh()),
        Activation::GeluErf => 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2)),
        Activation::ReluSquared => x.max(0.0).powi(2),
    }
}

fn gelu_argument(x: f64) -> f64 {
    (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))
}

/// act'(x) by central differences of [`value`] in f64 (good to about 1e-9).
pub fn slope(act: Activation, x: f64) -> f64 {
    let h = 1e-5;
    (value(act, x + h) - value(act, x - h)) / (2.0 * h)
}
