//! Muon: momentum whose matrix is made orthogonal. Jordan et al. 2024.
//!
//! For a matrix W with gradient G: M = mu M + (1 - mu) G, the Nesterov direction is
//! N = mu M + (1 - mu) G, and W -= lr sqrt(max(1, n / k)) polar(N) + lr weight_decay W, where
//! polar(N) = U Vᵀ of N = U S Vᵀ is approximated by five odd polynomials (Amsel et al. 2025, Polar Express).

use psi_kernels::{
    Cpu,
    gemm::{Compute, GemmShape, Layout, gemm},
};

use super::Rate;
use crate::{Gradients, ParamId, Parameter, rows::for_parts};

/// p_i(x) = a x + b x³ + c x⁵, for singular values from 10⁻³ to 1; Amsel et al. 2025, with their safety
/// factor of 1.02 in front.
const POLYNOMIALS: [[f32; 3]; 5] = [
    [8.156_555, -22.483_294, 15.878_77],
    [4.042_93, -2.808_917_5, 0.500_017_85],
    [3.891_667_8, -2.772_484_2, 0.506_064_8],
    [3.285_753_7, -2.368_129_5, 0.464_490_24],
    [2.346_541_4, -1.709_782_8, 0.423_235_5],
];

/// What the norm is multiplied with, so that no singular value exceeds 1 by rounding.
const SAFETY: f32 = 1.02;

/// Muon over the matrices of a model.
#[derive(Clone, Debug)]
pub struct Muon {
    momentum: f32,
    /// M of every parameter, empty before its first update.
    buffers: Vec<Vec<f32>>,
}

impl Muon {
    /// An optimiser before its first step; `momentum` is mu.
    pub fn new(momentum: f32) -> Self {
        Self { momentum, buffers: Vec::new() }
    }

    /// Moves a matrix against its orthogonalised momentum and packs it anew; one without an id or without a
    /// gradient stays as it is. `compute` is the type that the products of the iteration are computed in.
    ///
    /// # Panics
    /// When the gradient is of another length than the parameter.
    pub fn update(
        &mut self,
        cpu: &Cpu,
        parameter: &mut Parameter<'_>,
        gradients: &Gradients,
        rate: Rate,
        compute: Compute,
    ) {
        let Some((id, gradient)) = parameter.id().and_then(|id| Some((id, gradients.get(id)?)))
        else {
            return;
        };
        let (n, k) = parameter.shape();
        assert_eq!(gradient.len(), n * k, "gradient of a matrix ({n}, {k})");
        let (mu, scale) = (self.momentum, rate.grad_scale);
        let buffer = self.slot(id);
        buffer.resize(n * k, 0.0);
        let mut direction = vec![0.0; n * k];
        for_parts(cpu, 1, buffer, |range, m| {
            m.iter_mut()
                .zip(&gradient[range])
                .for_each(|(m, g)| *m += (1.0 - mu) * (scale * g - *m));
        });
        let buffer = &*buffer;
        for_parts(cpu, 1, &mut direction, |range, d| {
            let parts = d.iter_mut().zip(&buffer[range.clone()]).zip(&gradient[range]);
            parts.for_each(|((d, m), g)| *d = scale * g + mu * (m - scale * g));
        });
        polar(cpu, (n, k), &mut direction, compute);
        let step = rate.lr * (n as f32 / k as f32).max(1.0).sqrt();
        let keep = 1.0 - rate.lr * rate.weight_decay;
        parameter.update(cpu, |w| {
            for_parts(cpu, 1, w, |range, w| {
                w.iter_mut().zip(&direction[range]).for_each(|(w, d)| *w = keep * *w - step * d);
            });
        });
    }

    /// M of `id`, to save; `None` before its first update.
    pub fn momentum_of(&self, id: ParamId) -> Option<&[f32]> {
        self.buffers.get(id.0 as usize).filter(|m| !m.is_empty()).map(Vec::as_slice)
    }

    /// Sets M of `id`.
    pub fn restore(&mut self, id: ParamId, momentum: Vec<f32>) {
        *self.slot(id) = momentum;
    }

    fn slot(&mut self, id: ParamId) -> &mut Vec<f32> {
        let i = id.0 as usize;
        if self.buffers.len() <= i {
            self.buffers.resize_with(i + 1, Vec::new);
        }
        &mut self.buffers[i]
    }
}

/// Replaces x (n, k) by an approximation of its polar factor U Vᵀ; zero stays zero.
fn polar(cpu: &Cpu, (n, k): (usize, usize), x: &mut [f32], compute: Compute) {
    // One sum in order: it must not depend on the number of threads.
    let norm = x.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt() as f32;
    let scale = 1.0 / (norm * SAFETY + 1e-7);
    x.iter_mut().for_each(|v| *v *= scale);
    let d = n.min(k);
    let (mut gram, mut square, mut product) =
        (vec![0.0; d * d], vec![0.0; d * d], vec![0.0; n * k]);
    let multiply = |m, n, k, layout, a: &[f32], b: &[f32], c: &mut [f32]| {
        gemm(cpu, GemmShape { m, n, k, layout, compute, accumulate: false }, a, b, c);
    };
    for [a, b, c] in POLYNOMIALS {
        // X Xᵀ or Xᵀ X, the smaller one; either way symmetric.
        match n <= k {
            true => multiply(d, d, k, Layout::Nt, x, x, &mut gram),
            false => multiply(d, d, n, Layout::Tn, x, x, &mut gram),
        }
        multiply(d, d, d, Layout::Nn, &gram, &gram, &mut square);
        for_parts(cpu, 1, &mut gram, |range, g| {
            g.iter_mut().zip(&square[range]).for_each(|(g, s)| *g = b * *g + c * s);
        });
        match n <= k {
            true => multiply(n, k, d, Layout::Nn, &gram, x, &mut product),
            false => multiply(n, k, d, Layout::Nn, x, &gram, &mut product),
        }
        for_parts(cpu, 1, x, |range, x| {
            x.iter_mut().zip(&product[range]).for_each(|(x, p)| *x = a * *x + p);
        });
    }
}

#[cfg(test)]
mod tests {
    use psi_kernels::Format;

    use super::*;
    use crate::{Weight, gradcheck::cpu};

    fn table(n: usize, k: usize) -> Vec<f32> {
        (0..n * k).map(|i| (i as f32 * 0.7 + (i * i % 17) as f32).sin()).collect()
    }

    /// The largest distance of x xᵀ (or xᵀ x) from the identity.
    fn distance_from_orthogonal((n, k): (usize, usize), x: &[f32]) -> f64 {
        let (d, at) = match n <= k {
            true => (n, &(|i, j| x[i * k + j]) as &dyn Fn(usize, usize) -> f32),
            false => (k, &(|i, j| x[j * k + i]) as &dyn Fn(usize, usize) -> f32),
        };
        let dot = |a: usize, b: usize| -> f64 {
            (0..n.max(k)).map(|j| f64::from(at(a, j)) * f64::from(at(b, j))).sum()
        };
        let off = |a: usize, b: usize| (dot(a, b) - f64::from(u8::from(a == b))).abs();
        (0..d).flat_map(|a| (0..d).map(move |b| (a, b))).map(|(a, b)| off(a, b)).fold(0.0, f64::max)
    }

    #[test]
    fn the_polar_factor_is_nearly_orthogonal_and_keeps_the_direction() {
        let cpu = cpu();
        for (n, k) in [(5, 9), (9, 5), (16, 16), (1, 7)] {
            for compute in [Compute::F32, Compute::Bf16] {
                let before = table(n, k);
                let mut x = before.clone();
                polar(&cpu, (n, k), &mut x, compute);
                let off = distance_from_orthogonal((n, k), &x);
                assert!(off < 0.3, "({n}, {k}) {compute:?}: {off}");
                let inner: f32 = before.iter().zip(&x).map(|(a, b)| a * b).sum();
                assert!(inner > 0.0, "the inner product with N is the sum of its singular values");
            }
        }
        let mut zero = vec![0.0; 6];
        polar(&cpu, (2, 3), &mut zero, Compute::F32);
        assert_eq!(zero, [0.0; 6]);
    }

    #[test]
    fn a_step_moves_by_the_learning_rate_and_decays_the_weights() {
        let cpu = cpu();
        let id = ParamId(3);
        let mut w = Weight::trainable(&cpu, id, Format::F32, (4, 4), vec![1.0; 16]);
        let mut gradients = Gradients::new();
        gradients.slot(id, 16).copy_from_slice(&table(4, 4));
        let mut muon = Muon::new(0.95);
        let rate = Rate { lr: 0.1, weight_decay: 0.5, grad_scale: 1.0 };
        muon.update(&cpu, &mut Parameter::Weight(&mut w), &gradients, rate, Compute::F32);
        let moved: Vec<f32> = w.to_f32(&cpu).iter().map(|w| (0.95 - w) / 0.1).collect();
        assert!(distance_from_orthogonal((4, 4), &moved) < 0.3);
        let first = muon.momentum_of(id).expect("a state")[5];
        assert!((first - 0.05 * table(4, 4)[5]).abs() < 1e-6);
    }

    #[test]
    fn a_step_does_not_depend_on_the_number_of_threads() {
        use psi_kernels::Isa;
        let step = |threads| {
            let cpu = Cpu::new(Isa::best(), threads);
            let id = ParamId(0);
            let mut w = Weight::trainable(&cpu, id, Format::F32, (96, 300), table(96, 300));
            let mut gradients = Gradients::new();
            gradients.slot(id, 96 * 300).copy_from_slice(&table(96, 300));
            let rate = Rate { lr: 0.1, weight_decay: 0.1, grad_scale: 0.7 };
            let mut muon = Muon::new(0.9);
            for _ in 0..2 {
                muon.update(&cpu, &mut Parameter::Weight(&mut w), &gradients, rate, Compute::Bf16);
            }
            w.to_f32(&cpu).iter().map(|x| x.to_bits()).collect::<Vec<_>>()
        };
        assert!(step(1) == step(3));
    }
}
