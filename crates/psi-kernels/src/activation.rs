//! Gated and plain activations, forward and backward.

use crate::Cpu;

/// The non-linearity of a feed-forward layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// x * sigmoid(x). Elfwing et al. 2017.
    Silu,
    /// GELU, tanh approximation. Hendrycks and Gimpel 2016.
    GeluTanh,
    /// GELU with the error function.
    GeluErf,
    /// max(x, 0)².
    ReluSquared,
}

impl Activation {
    fn apply(self, x: f32) -> f32 {
        match self {
            Self::Silu => x / (1.0 + (-x).exp()),
            Self::GeluTanh => {
                let u = 0.797_884_6 * (x + 0.044_715 * x * x * x);
                0.5 * x * (1.0 + u.tanh())
            }
            Self::GeluErf => unimplemented!(),
            Self::ReluSquared => x.max(0.0) * x.max(0.0),
        }
    }
}

/// y = act(x), element by element.
///
/// # Panics
/// When the lengths differ.
pub fn activate(_cpu: &Cpu, act: Activation, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len());
    for (y, &x) in y.iter_mut().zip(x) {
        *y = act.apply(x);
    }
}

/// d_x = d_y * act'(x).
///
/// # Panics
/// When the lengths differ.
pub fn activate_backward(_cpu: &Cpu, _act: Activation, _x: &[f32], _d_y: &[f32], _d_x: &mut [f32]) {
    unimplemented!()
}

/// y = act(gate) * up (SwiGLU, GeGLU). Shazeer 2020, equation 6.
///
/// # Panics
/// When the lengths differ.
pub fn gated(_cpu: &Cpu, act: Activation, gate: &[f32], up: &[f32], y: &mut [f32]) {
    assert!(gate.len() == up.len() && up.len() == y.len());
    for ((y, &g), &u) in y.iter_mut().zip(gate).zip(up) {
        *y = act.apply(g) * u;
    }
}

/// Gradients of [`gated`]: d_gate = d_y * up * act'(gate), d_up = d_y * act(gate).
///
/// # Panics
/// When the lengths differ.
pub fn gated_backward(
    _cpu: &Cpu,
    _act: Activation,
    _gate: &[f32],
    _up: &[f32],
    _d_y: &[f32],
    _d_gate: &mut [f32],
    _d_up: &mut [f32],
) {
    unimplemented!()
}
