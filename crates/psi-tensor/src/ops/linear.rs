//! Linear layers: y = x Wᵀ + b + s (x Aᵀ) Bᵀ, W in any dtype, b and the adapter (A, B, s) optional.
//!
//! Backward, with everything in f32 master values: d_x = d_y W + s (d_y B) A, d_W = d_yᵀ x,
//! d_b = sum over rows of d_y, d_B = s d_yᵀ (x Aᵀ), d_A = s (d_y B)ᵀ x. Products of a bf16 weight are
//! computed in bf16 backward as they are forward.

use std::ops::Range;

use psi_kernels::{
    Cpu,
    gemm::{GemmShape, Layout, gemm},
    matmul, matmul_add, matmul_many,
};

use super::Backward;
use crate::{
    Linear, Lora, Var, Weight,
    graph::{Shape, Tape, ValueId},
    rows::for_parts,
};

impl<'g> Var<'g> {
    /// y (rows, n) = x Wᵀ + b + s (x Aᵀ) Bᵀ. Hu et al. 2021 (LoRA), equation 3, for the last term.
    ///
    /// # Panics
    /// When the row is not as long as W's.
    #[track_caller]
    pub fn linear(self, layer: &Linear) -> Self {
        let [y] = self.linear_many([layer]);
        y
    }

    /// [`Var::linear`] of one input with several layers: the input is converted once to what the
    /// panels multiply with, and all products are one parallel region.
    ///
    /// # Panics
    /// When the row is not as long as every W's.
    #[track_caller]
    pub fn linear_many<const N: usize>(self, layers: [&Linear; N]) -> [Self; N] {
        self.linear_many_adapted(layers, [&[]; N])
    }

    /// [`Var::linear_many`] with adapters that some rows have for themselves, beside what the layers have.
    /// A row's result is the same bits whichever adapters other rows have. Without gradient.
    ///
    /// # Panics
    /// When the row is not as long as every W's, or a graph that records is given adapters.
    #[track_caller]
    pub fn linear_many_adapted<const N: usize>(
        self,
        layers: [&Linear; N],
        adapters: [&[RowAdapter<'_>]; N],
    ) -> [Self; N] {
        let is_plain = adapters.iter().all(|a| a.is_empty());
        assert!(is_plain || !self.graph.is_training(), "rows with adapters have no gradient");
        if layers.iter().any(|layer| layer.magnitude.is_some()) {
            assert!(is_plain, "rows with adapters on a layer with DoRA");
            return layers.map(|layer| self.dora(layer));
        }
        let (graph, rows, k) = (self.graph, self.rows(), self.cols());
        let cpu = graph.cpu();
        let mut ys = layers.map(|layer| {
            assert_eq!(
                layer.weight.k(),
                k,
                "W ({}, {}) on {self:?}",
                layer.weight.n(),
                layer.weight.k()
            );
            graph.buffer(rows * layer.weight.n())
        });
        {
            let x = self.data();
            let mut outputs: Vec<_> = layers
                .iter()
                .zip(&mut ys)
                .map(|(layer, y)| (layer.weight.matrix(), y.as_mut_slice()))
                .collect();
            matmul_many(cpu, &x, rows, &mut outputs);
        }
        let mut ys = ys.into_iter().zip(adapters);
        layers.map(|layer| {
            let (mut y, adapters) = ys.next().unwrap_or_default();
            let hidden = layer.adapter.as_ref().map(|lora| self.add_adapter(0..rows, lora, &mut y));
            for RowAdapter { rows, lora, gains } in adapters {
                let y = &mut y[rows.start * layer.weight.n()..rows.end * layer.weight.n()];
                self.add_adapter(rows.clone(), lora, y);
                scale_columns(cpu, gains, y);
            }
            if let Some(bias) = &layer.bias {
                add_bias(cpu, &bias.values, &mut y);
            }
            let shape = Shape::new(rows, layer.weight.n());
            graph.push(shape, y, self.needs_grad() || is_trained(layer), || {
                Box::new(LinearBack {
                    x: self.id,
                    layer: layer.clone(),
                    hidden: hidden.unwrap_or_default(),
                })
            })
        })
    }

    /// y += s (x Aᵀ) Bᵀ for these rows of x; returns x Aᵀ.
    fn add_adapter(self, rows: Range<usize>, lora: &Lora, y: &mut [f32]) -> Vec<f32> {
        let (graph, cpu, k) = (self.graph, self.graph.cpu(), self.cols());
        let mut hidden = vec![0.0; rows.len() * lora.a.n()];
        let x = rows.start * k..rows.end * k;
        matmul(cpu, &self.data()[x], rows.len(), lora.a.matrix(), &mut hidden);
        let mut update = graph.buffer(y.len());
        matmul(cpu, &hidden, rows.len(), lora.b.matrix(), &mut update);
        for_parts(cpu, 1, y, |range, y| {
            y.iter_mut().zip(&update[range]).for_each(|(y, u)| *y += lora.scale * u);
        });
        graph.recycle(update);
        hidden
    }
}

/// An adapter of some rows of a batch.
#[derive(Clone, Debug)]
pub struct RowAdapter<'a> {
    /// The rows.
    pub rows: Range<usize>,
    /// A, B and s.
    pub lora: &'a Lora,
    /// DoRA's m / c by output feature ([`crate::Magnitude::gains`]); empty for plain LoRA.
    pub gains: &'a [f32],
}

fn scale_columns(cpu: &Cpu, gains: &[f32], y: &mut [f32]) {
    if !gains.is_empty() {
        for_parts(cpu, gains.len(), y, |_, y| {
            for row in y.chunks_exact_mut(gains.len()) {
                row.iter_mut().zip(gains).for_each(|(y, gain)| *y *= gain);
            }
        });
    }
}

fn is_trained(layer: &Linear) -> bool {
    let lora = layer.adapter.as_ref();
    layer.weight.param().is_some()
        || layer.bias.as_ref().is_some_and(|b| b.id.is_some())
        || lora.is_some_and(|l| l.a.param().is_some() || l.b.param().is_some())
}

fn add_bias(cpu: &Cpu, bias: &[f32], y: &mut [f32]) {
    for_parts(cpu, bias.len(), y, |_, y| {
        for row in y.chunks_exact_mut(bias.len().max(1)) {
            row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
        }
    });
}

struct LinearBack {
    x: ValueId,
    layer: Linear,
    /// x Aᵀ.
    hidden: Vec<f32>,
}

impl Backward for LinearBack {
    fn backward(&self, _y: ValueId, mut d_y: Vec<f32>, tape: &mut Tape<'_>) {
        let Linear { weight, bias, adapter, magnitude: _ } = &self.layer;
        if let Some(id) = bias.as_ref().and_then(|b| b.id) {
            let n = weight.n();
            let d_b = tape.gradients.slot(id, n);
            for row in d_y.chunks_exact(n.max(1)) {
                d_b.iter_mut().zip(row).for_each(|(g, d)| *g += d);
            }
        }
        weight_gradient(tape, weight, &d_y, tape.value(self.x));
        input_gradient(tape, self.x, weight, &d_y);
        if let Some(Lora { a, b, scale }) = adapter {
            d_y.iter_mut().for_each(|d| *d *= scale);
            weight_gradient(tape, b, &d_y, &self.hidden);
            let rows = tape.shape(self.x).rows;
            let mut d_hidden = tape.buffers.take(rows * a.n());
            matmul(tape.cpu, &d_y, rows, &b.transposed(tape.cpu), &mut d_hidden);
            weight_gradient(tape, a, &d_hidden, tape.value(self.x));
            input_gradient(tape, self.x, a, &d_hidden);
            tape.buffers.put(d_hidden);
        }
        tape.buffers.put(d_y);
    }
}

/// d_W += d_yᵀ x, if W is trained.
fn weight_gradient(tape: &mut Tape<'_>, weight: &Weight, d_y: &[f32], x: &[f32]) {
    let Some(id) = weight.param() else { return };
    let (n, k) = (weight.n(), weight.k());
    let shape = GemmShape {
        m: n,
        n: k,
        k: d_y.len() / n.max(1),
        layout: Layout::Tn,
        compute: weight.compute(),
        accumulate: true,
    };
    gemm(tape.cpu, shape, d_y, x, tape.gradients.slot(id, n * k));
}

/// d_x += d_y W, if anybody wants it.
fn input_gradient(tape: &mut Tape<'_>, x: ValueId, weight: &Weight, d_y: &[f32]) {
    if !tape.wants(x) {
        return;
    }
    let (rows, transposed) = (tape.shape(x).rows, weight.transposed(tape.cpu));
    let d_x = match tape.take(x) {
        Some(mut sum) => {
            matmul_add(tape.cpu, d_y, rows, &transposed, &mut sum);
            sum
        }
        None => {
            let mut d_x = tape.buffers.take(tape.shape(x).len());
            matmul(tape.cpu, d_y, rows, &transposed, &mut d_x);
            d_x
        }
    };
    tape.put(x, d_x);
}

#[cfg(test)]
mod tests {
    use psi_kernels::{Format, Matrix};

    use crate::{
        Linear, Lora, Weight,
        gradcheck::{check_params, cpu},
    };

    #[test]
    fn the_gradient_of_a_linear_layer_matches_finite_differences() {
        check_params(&[(4, 5)], &[(3, 5)], |x, p| x[0].linear(&Linear::new(p.weight(0))));
        check_params(&[(4, 5)], &[(3, 5), (1, 3)], |x, p| {
            x[0].linear(&Linear::with_bias(p.weight(0), Some(p.vector(1))))
        });
    }

    #[test]
    fn the_gradient_of_fused_layers_matches_finite_differences() {
        check_params(&[(4, 5)], &[(3, 5), (3, 5)], |x, p| {
            let [a, b] = x[0].linear_many([&Linear::new(p.weight(0)), &Linear::new(p.weight(1))]);
            a + b.scale(2.0)
        });
    }

    #[test]
    fn an_adapter_beside_a_frozen_matrix_gets_its_gradient() {
        let cpu = cpu();
        let values: Vec<f32> = (0..18).map(|i| (i as f32 * 0.7).sin()).collect();
        let frozen = Weight::new(Matrix::from_f32(&cpu, Format::F32, 3, 6, &values));
        check_params(&[(4, 6)], &[(2, 6), (3, 2)], |x, p| {
            let adapter = Lora { a: p.weight(0), b: p.weight(1), scale: 0.5 };
            x[0].linear(&Linear { adapter: Some(adapter), ..Linear::new(frozen.clone()) })
        });
    }

    #[test]
    fn an_updated_weight_multiplies_with_its_new_values() {
        let cpu = cpu();
        let graph = crate::Graph::infer(&cpu);
        let x = graph.input(1, &[1.0, 2.0]);
        let shape = (1, 2);
        let mut w = Weight::trainable(&cpu, crate::ParamId(0), Format::F32, shape, vec![3.0, 4.0]);
        assert_eq!(x.linear(&Linear::new(w.clone())).item(), 11.0);
        w.update(&cpu, |values| values[1] = 5.0);
        assert_eq!(x.linear(&Linear::new(w.clone())).item(), 13.0);
        assert_eq!(w.to_f32(&cpu), [3.0, 5.0]);
    }
}
