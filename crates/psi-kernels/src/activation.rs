//! Gated and plain activations, forward and backward.

use crate::{
    Cpu,
    elementwise::split_mut,
    simd::{LANES, Lanes, erf, exp, sigmoid, tanh, tiers},
};

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

/// What an element costs against reading and writing it.
const COST: usize = 3;

/// sqrt(2 / pi) and the cubic coefficient of GELU's tanh approximation.
const GELU: (f32, f32) = (0.797_884_6, 0.044_715);

/// An activation as a type, so that a loop over elements is compiled for each.
trait Function {
    /// act(x).
    fn value<L: Lanes>(x: L) -> L;
    /// act(x) and act'(x).
    fn value_and_slope<L: Lanes>(x: L) -> (L, L);
}

struct Silu;
struct GeluTanh;
struct GeluErf;
struct ReluSquared;

impl Function for Silu {
    #[inline(always)]
    fn value<L: Lanes>(x: L) -> L {
        let one = L::splat(1.0);
        x.div(one.add(exp(L::splat(0.0).sub(x))))
    }

    /// d/dx x s(x) = s (1 + x (1 - s)).
    #[inline(always)]
    fn value_and_slope<L: Lanes>(x: L) -> (L, L) {
        let one = L::splat(1.0);
        let s = sigmoid(x);
        (x.mul(s), s.mul(x.madd(one.sub(s), one)))
    }
}

impl Function for GeluTanh {
    #[inline(always)]
    fn value<L: Lanes>(x: L) -> L {
        Self::value_and_slope(x).0
    }

    /// With t = tanh(u(x)): value x (1 + t) / 2, slope (1 + t) / 2 + x (1 - t²) u'(x) / 2.
    #[inline(always)]
    fn value_and_slope<L: Lanes>(x: L) -> (L, L) {
        let (one, half) = (L::splat(1.0), L::splat(0.5));
        let square = x.mul(x);
        let u = x.mul(square.madd(L::splat(GELU.0 * GELU.1), L::splat(GELU.0)));
        let d_u = square.madd(L::splat(3.0 * GELU.0 * GELU.1), L::splat(GELU.0));
        let t = tanh(u);
        let p = half.madd(t, half);
        let slope = half.mul(x).mul(one.sub(t.mul(t))).madd(d_u, p);
        (x.mul(p), slope)
    }
}

impl Function for GeluErf {
    #[inline(always)]
    fn value<L: Lanes>(x: L) -> L {
        let half = L::splat(0.5);
        x.mul(half.madd(erf(x.mul(L::splat(std::f32::consts::FRAC_1_SQRT_2))), half))
    }

    /// x Phi(x), whose slope is Phi(x) + x phi(x) with the normal distribution's Phi and density phi.
    #[inline(always)]
    fn value_and_slope<L: Lanes>(x: L) -> (L, L) {
        const DENSITY_AT_0: f32 = 0.398_942_3; // 1 / sqrt(2 pi)
        let half = L::splat(0.5);
        let p = half.madd(erf(x.mul(L::splat(std::f32::consts::FRAC_1_SQRT_2))), half);
        let density = exp(x.mul(x).mul(L::splat(-0.5))).mul(L::splat(DENSITY_AT_0));
        (x.mul(p), x.madd(density, p))
    }
}

impl Function for ReluSquared {
    #[inline(always)]
    fn value<L: Lanes>(x: L) -> L {
        Self::value_and_slope(x).0
    }

    #[inline(always)]
    fn value_and_slope<L: Lanes>(x: L) -> (L, L) {
        let r = L::splat(0.0).max(x);
        (r.mul(r), r.add(r))
    }
}

/// Calls a generic body with the type that stands for `$act`.
macro_rules! by_activation {
    ($act:expr, $body:ident::<L, _>($($arg:expr),*)) => {
        match $act {
            Activation::Silu => $body::<L, Silu>($($arg),*),
            Activation::GeluTanh => $body::<L, GeluTanh>($($arg),*),
            Activation::GeluErf => $body::<L, GeluErf>($($arg),*),
            Activation::ReluSquared => $body::<L, ReluSquared>($($arg),*),
        }
    };
}

/// y = act(x), element by element.
///
/// # Panics
/// When the lengths differ.
pub fn activate(cpu: &Cpu, act: Activation, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "lengths of x and y");
    split_mut(cpu, x.len(), LANES, COST, [y], |range, [y]| {
        activate_tier(cpu.isa(), act, &x[range], y);
    });
}

tiers! { fn activate_tier(act: Activation, x: &[f32], y: &mut [f32]) = activate_body; }

#[inline(always)]
fn activate_body<L: Lanes>(act: Activation, x: &[f32], y: &mut [f32]) {
    by_activation!(act, activate_loop::<L, _>(x, y));
}

#[inline(always)]
fn activate_loop<L: Lanes, F: Function>(x: &[f32], y: &mut [f32]) {
    for (x, y) in x.chunks(LANES).zip(y.chunks_mut(LANES)) {
        F::value(L::load_part(x, 0.0)).store_part(y);
    }
}

/// d_x = d_y * act'(x).
///
/// # Panics
/// When the lengths differ.
pub fn activate_backward(cpu: &Cpu, act: Activation, x: &[f32], d_y: &[f32], d_x: &mut [f32]) {
    assert!(x.len() == d_y.len() && x.len() == d_x.len(), "lengths of x, d_y and d_x");
    split_mut(cpu, x.len(), LANES, COST, [d_x], |range, [d_x]| {
        activate_backward_tier(cpu.isa(), act, &x[range.clone()], &d_y[range], d_x);
    });
}

tiers! {
    fn activate_backward_tier(act: Activation, x: &[f32], d_y: &[f32], d_x: &mut [f32])
        = activate_backward_body;
}

#[inline(always)]
fn activate_backward_body<L: Lanes>(act: Activation, x: &[f32], d_y: &[f32], d_x: &mut [f32]) {
    by_activation!(act, activate_backward_loop::<L, _>(x, d_y, d_x));
}

#[inline(always)]
fn activate_backward_loop<L: Lanes, F: Function>(x: &[f32], d_y: &[f32], d_x: &mut [f32]) {
    for ((x, d_y), d_x) in x.chunks(LANES).zip(d_y.chunks(LANES)).zip(d_x.chunks_mut(LANES)) {
        let slope = F::value_and_slope(L::load_part(x, 0.0)).1;
        slope.mul(L::load_part(d_y, 0.0)).store_part(d_x);
    }
}

/// y = act(gate) * up (SwiGLU, GeGLU). Shazeer 2020, equation 6.
///
/// # Panics
/// When the lengths differ.
pub fn gated(cpu: &Cpu, act: Activation, gate: &[f32], up: &[f32], y: &mut [f32]) {
    assert!(gate.len() == up.len() && up.len() == y.len(), "lengths of gate, up and y");
    split_mut(cpu, gate.len(), LANES, COST, [y], |range, [y]| {
        gated_tier(cpu.isa(), act, &gate[range.clone()], &up[range], y);
    });
}

tiers! { fn gated_tier(act: Activation, gate: &[f32], up: &[f32], y: &mut [f32]) = gated_body; }

#[inline(always)]
fn gated_body<L: Lanes>(act: Activation, gate: &[f32], up: &[f32], y: &mut [f32]) {
    by_activation!(act, gated_loop::<L, _>(gate, up, y));
}

#[inline(always)]
fn gated_loop<L: Lanes, F: Function>(gate: &[f32], up: &[f32], y: &mut [f32]) {
    for ((gate, up), y) in gate.chunks(LANES).zip(up.chunks(LANES)).zip(y.chunks_mut(LANES)) {
        F::value(L::load_part(gate, 0.0)).mul(L::load_part(up, 0.0)).store_part(y);
    }
}

/// Gradients of [`gated`]: d_gate = d_y * up * act'(gate), d_up = d_y * act(gate).
///
/// # Panics
/// When the lengths differ.
pub fn gated_backward(
    cpu: &Cpu,
    act: Activation,
    gate: &[f32],
    up: &[f32],
    d_y: &[f32],
    d_gate: &mut [f32],
    d_up: &mut [f32],
) {
    let n = gate.len();
    assert!(up.len() == n && d_y.len() == n, "lengths of gate, up and d_y");
    assert!(d_gate.len() == n && d_up.len() == n, "lengths of the gradients");
    split_mut(cpu, n, LANES, COST, [d_gate, d_up], |range, [d_gate, d_up]| {
        let operands = [&gate[range.clone()], &up[range.clone()], &d_y[range]];
        gated_backward_tier(cpu.isa(), act, operands, d_gate, d_up);
    });
}

tiers! {
    fn gated_backward_tier(act: Activation, operands: [&[f32]; 3], d_gate: &mut [f32], d_up: &mut [f32])
        = gated_backward_body;
}

#[inline(always)]
fn gated_backward_body<L: Lanes>(
    act: Activation,
    operands: [&[f32]; 3],
    d_gate: &mut [f32],
    d_up: &mut [f32],
) {
    by_activation!(act, gated_backward_loop::<L, _>(operands, d_gate, d_up));
}

#[inline(always)]
fn gated_backward_loop<L: Lanes, F: Function>(
    [gate, up, d_y]: [&[f32]; 3],
    d_gate: &mut [f32],
    d_up: &mut [f32],
) {
    let inputs = gate.chunks(LANES).zip(up.chunks(LANES)).zip(d_y.chunks(LANES));
    let outputs = d_gate.chunks_mut(LANES).zip(d_up.chunks_mut(LANES));
    for (((gate, up), d_y), (d_gate, d_up)) in inputs.zip(outputs) {
        let (value, slope) = F::value_and_slope(L::load_part(gate, 0.0));
        let d_y = L::load_part(d_y, 0.0);
        d_y.mul(L::load_part(up, 0.0)).mul(slope).store_part(d_gate);
        d_y.mul(value).store_part(d_up);
    }
}
