//! DoRA: the rows of an adapted matrix keep a direction and get a length of their own. Liu et al. 2024.
//!
//! y = m / c (x (W + s B A)ᵀ) + b by output, with c_j the norm of row j of W + s B A, which counts as a
//! constant in the gradient (section 4.3): d_x = d_y m / c, d_m_j = sum_i d_y_ij x_ij / c_j.

use std::sync::Arc;

use psi_kernels::{
    Cpu,
    gemm::{Compute, GemmShape, Layout, gemm},
};

use super::Backward;
use crate::{
    Linear, Lora, Magnitude, ParamId, Var, Vector,
    graph::{Tape, ValueId},
    rows::for_parts,
};

impl Linear {
    /// W + s B A, row-major (n, k), without the magnitude.
    pub fn adapted(&self, cpu: &Cpu) -> Vec<f32> {
        let mut values = self.weight.to_f32(cpu);
        if let Some(Lora { a, b, scale }) = &self.adapter {
            let (n, k, rank) = (self.weight.n(), self.weight.k(), a.n());
            let mut scaled = b.to_f32(cpu);
            scaled.iter_mut().for_each(|x| *x *= scale);
            let (m, layout, compute) = (n, Layout::Nn, Compute::F32);
            let shape = GemmShape { m, n: k, k: rank, layout, compute, accumulate: true };
            gemm(cpu, shape, &scaled, &a.to_f32(cpu), &mut values);
        }
        values
    }

    /// The matrix that a layer without adapter would need for the same outputs: rows of
    /// [`Linear::adapted`] times m / c.
    pub fn merged(&self, cpu: &Cpu) -> Vec<f32> {
        let mut values = self.adapted(cpu);
        if let Some(magnitude) = &self.magnitude {
            let gains = magnitude.gains();
            for (row, gain) in values.chunks_exact_mut(self.weight.k().max(1)).zip(gains) {
                row.iter_mut().for_each(|x| *x *= gain);
            }
        }
        values
    }

    /// Gives the layer a magnitude, m = c, under which nothing changes at first.
    pub fn add_magnitude(&mut self, cpu: &Cpu, id: ParamId) {
        let norms = self.row_norms(cpu);
        let mut m = Vector::new(norms.clone());
        m.train(id);
        self.magnitude = Some(Box::new(Magnitude { m, norms: Arc::new(norms) }));
    }

    /// Computes c anew, after A or B has changed.
    pub fn refresh_norms(&mut self, cpu: &Cpu) {
        if self.magnitude.is_some() {
            let norms = Arc::new(self.row_norms(cpu));
            self.magnitude.iter_mut().for_each(|magnitude| magnitude.norms = Arc::clone(&norms));
        }
    }

    fn row_norms(&self, cpu: &Cpu) -> Vec<f32> {
        let norm = |row: &[f32]| row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let values = self.adapted(cpu);
        values.chunks_exact(self.weight.k().max(1)).map(|row| norm(row) as f32).collect()
    }
}

impl Magnitude {
    /// m / c; a row of zeros stays one.
    pub fn gains(&self) -> Vec<f32> {
        let gain = |(m, c): (&f32, &f32)| if *c > 0.0 { m / c } else { 0.0 };
        self.m.values().iter().zip(&*self.norms).map(gain).collect()
    }
}

impl<'g> Var<'g> {
    /// The layer's product with its adapter, then m / c and b.
    pub(super) fn dora(self, layer: &Linear) -> Self {
        let Some(magnitude) = &layer.magnitude else { return self.linear(layer) };
        let x = self.linear(&Linear { bias: None, magnitude: None, ..layer.clone() });
        let gains = magnitude.gains();
        let bias = layer.bias.clone();
        let trained =
            magnitude.m.param().is_some() || bias.as_ref().is_some_and(|b| b.param().is_some());
        self.graph.compute(
            x.shape,
            x.needs_grad() || trained,
            |values, y| {
                let x = values.get(x);
                for_parts(self.graph.cpu(), gains.len(), y, |range, y| {
                    let rows = x[range].chunks_exact(gains.len().max(1));
                    for (y, x) in y.chunks_exact_mut(gains.len().max(1)).zip(rows) {
                        for (j, (y, x)) in y.iter_mut().zip(x).enumerate() {
                            *y = x * gains[j] + bias.as_ref().map_or(0.0, |b| b.values()[j]);
                        }
                    }
                });
            },
            || {
                Box::new(DoraBack {
                    x: x.id,
                    magnitude: magnitude.clone(),
                    bias: layer.bias.clone(),
                })
            },
        )
    }
}

struct DoraBack {
    x: ValueId,
    magnitude: Box<Magnitude>,
    bias: Option<Vector>,
}

impl Backward for DoraBack {
    fn backward(&self, _y: ValueId, mut d_y: Vec<f32>, tape: &mut Tape<'_>) {
        let n = self.magnitude.norms.len();
        let x = tape.value(self.x);
        if let Some(id) = self.bias.as_ref().and_then(Vector::param) {
            let d_b = tape.gradients.slot(id, n);
            for row in d_y.chunks_exact(n.max(1)) {
                d_b.iter_mut().zip(row).for_each(|(g, d)| *g += d);
            }
        }
        if let Some(id) = self.magnitude.m.param() {
            let d_m = tape.gradients.slot(id, n);
            for (d_y, x) in d_y.chunks_exact(n.max(1)).zip(x.chunks_exact(n.max(1))) {
                for (j, (d, x)) in d_y.iter().zip(x).enumerate() {
                    let c = self.magnitude.norms[j];
                    d_m[j] += if c > 0.0 { d * x / c } else { 0.0 };
                }
            }
        }
        let gains = self.magnitude.gains();
        for row in d_y.chunks_exact_mut(n.max(1)) {
            row.iter_mut().zip(&gains).for_each(|(d, gain)| *d *= gain);
        }
        tape.add(self.x, d_y);
    }
}

#[cfg(test)]
mod tests {
    use psi_kernels::{Format, Matrix};

    use super::*;
    use crate::{
        Graph, Weight,
        gradcheck::{check_params, cpu},
    };

    fn frozen(cpu: &Cpu) -> Weight {
        let values: Vec<f32> = (0..18).map(|i| (i as f32 * 0.7).sin()).collect();
        Weight::new(Matrix::from_f32(cpu, Format::F32, 3, 6, &values))
    }

    #[test]
    fn the_gradient_under_a_fixed_norm_matches_finite_differences() {
        let cpu = cpu();
        let norms = Arc::new(vec![0.9, 1.7, 0.4]);
        check_params(&[(4, 6)], &[(2, 6), (3, 2), (1, 3), (1, 3)], |x, p| {
            let adapter = Some(Lora { a: p.weight(0), b: p.weight(1), scale: 0.5 });
            let magnitude = Some(Box::new(Magnitude { m: p.vector(2), norms: Arc::clone(&norms) }));
            let bias = Some(p.vector(3));
            x[0].linear(&Linear { adapter, magnitude, bias, ..Linear::new(frozen(&cpu)) })
        });
    }

    #[test]
    fn a_new_magnitude_changes_nothing_and_a_merged_matrix_gives_the_same_outputs() {
        let cpu = cpu();
        let id = ParamId;
        let weight = |i: u32, shape: (usize, usize)| {
            let values = (0..shape.0 * shape.1).map(|v| (v as f32 + 0.5).cos()).collect();
            Weight::trainable(&cpu, id(i), Format::F32, shape, values)
        };
        let adapter = Lora { a: weight(0, (2, 6)), b: weight(1, (3, 2)), scale: 0.5 };
        let mut layer = Linear { adapter: Some(adapter), ..Linear::new(frozen(&cpu)) };
        let graph = Graph::infer(&cpu);
        let x = graph.input(2, &(0..12).map(|v| v as f32 * 0.1 - 0.5).collect::<Vec<_>>());
        let close = |a: &[f32], b: &[f32]| {
            let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-5, "{a:?} {b:?}");
        };
        let plain = x.linear(&layer).to_vec();
        layer.add_magnitude(&cpu, id(2));
        close(&x.linear(&layer).to_vec(), &plain);
        layer.magnitude.iter_mut().for_each(|m| m.m.update(|m| m[1] *= 3.0));
        let merged = Matrix::from_f32(&cpu, Format::F32, 3, 6, &layer.merged(&cpu));
        close(&x.linear(&layer).to_vec(), &x.linear(&Linear::new(Weight::new(merged))).to_vec());
    }
}
