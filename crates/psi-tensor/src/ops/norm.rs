//! RMSNorm (whole rows, or each head of a row) and LayerNorm.

use psi_kernels::norm;

use super::Backward;
use crate::{
    LayerNorm, RmsNorm, Var,
    graph::{Tape, ValueId},
};

impl<'g> Var<'g> {
    /// y = x / sqrt(mean(x²) + eps) (w + offset) over groups of `w.len()` values: whole rows, or heads
    /// when w is as long as a head. Zhang and Sennrich 2019, equation 4.
    ///
    /// # Panics
    /// When w's length does not divide the row.
    #[track_caller]
    pub fn rms_norm(self, norm: &RmsNorm) -> Self {
        let w = &norm.weight;
        let d = w.values.len();
        assert!(d > 0 && self.cols().is_multiple_of(d), "RMSNorm of {d} features on {self:?}");
        self.graph.compute(
            self.shape,
            self.needs_grad() || w.id.is_some(),
            |values, y| {
                let x = values.get(self);
                norm::rms_norm(self.graph.cpu(), x, &w.values, norm.offset, norm.eps, y);
            },
            || Box::new(RmsNormBack { x: self.id, norm: norm.clone() }),
        )
    }

    /// y = (x - mean(x)) / sqrt(var(x) + eps) w + b for each row. Ba et al. 2016, equation 4.
    ///
    /// # Panics
    /// When w or b is not as long as a row.
    #[track_caller]
    pub fn layer_norm(self, norm: &LayerNorm) -> Self {
        let (w, b) = (&norm.weight, &norm.bias);
        let d = self.cols();
        assert_eq!((w.values.len(), b.values.len()), (d, d), "LayerNorm on {self:?}");
        self.graph.compute(
            self.shape,
            self.needs_grad() || w.id.is_some() || b.id.is_some(),
            |values, y| {
                let x = values.get(self);
                norm::layer_norm(self.graph.cpu(), x, &w.values, &b.values, norm.eps, y);
            },
            || Box::new(LayerNormBack { x: self.id, norm: norm.clone() }),
        )
    }
}

struct RmsNormBack {
    x: ValueId,
    norm: RmsNorm,
}

impl Backward for RmsNormBack {
    fn backward(&self, _y: ValueId, d_y: Vec<f32>, tape: &mut Tape<'_>) {
        let RmsNorm { weight, offset, eps } = &self.norm;
        let (cpu, x) = (tape.cpu, tape.value(self.x));
        let mut d_x = tape.buffers.take(d_y.len());
        let mut unwanted = vec![0.0; if weight.id.is_none() { weight.values.len() } else { 0 }];
        let d_w = match weight.id {
            Some(id) => tape.gradients.slot(id, weight.values.len()),
            None => &mut unwanted,
        };
        let w = &weight.values;
        norm::rms_norm_backward(cpu, x, w, *offset, *eps, &d_y, &mut d_x, d_w);
        tape.add(self.x, d_x);
        tape.buffers.put(d_y);
    }
}

struct LayerNormBack {
    x: ValueId,
    norm: LayerNorm,
}

impl Backward for LayerNormBack {
    fn backward(&self, _y: ValueId, d_y: Vec<f32>, tape: &mut Tape<'_>) {
        let LayerNorm { weight, bias, eps } = &self.norm;
        let n = weight.values.len();
        let mut d_x = tape.buffers.take(d_y.len());
        let (mut d_w, mut d_b) = (vec![0.0; n], vec![0.0; n]);
        let x = tape.value(self.x);
        let w = &weight.values;
        norm::layer_norm_backward(tape.cpu, x, w, *eps, &d_y, &mut d_x, &mut d_w, &mut d_b);
        for (v, d) in [(weight, &d_w), (bias, &d_b)] {
            if let Some(id) = v.id {
                tape.gradients.slot(id, n).iter_mut().zip(d).for_each(|(g, d)| *g += d);
            }
        }
        tape.add(self.x, d_x);
        tape.buffers.put(d_y);
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        LayerNorm, RmsNorm,
        gradcheck::{Params, check, check_params},
    };

    #[test]
    fn the_gradient_of_rms_norm_matches_finite_differences() {
        let norm = |p: &Params, offset| RmsNorm { weight: p.vector(0), offset, eps: 1e-5 };
        check_params(&[(4, 6)], &[(1, 6)], |x, p| x[0].rms_norm(&norm(p, 0.0)));
        check_params(&[(4, 6)], &[(1, 6)], |x, p| x[0].rms_norm(&norm(p, 1.0)));
        // Each head of a row on its own.
        check_params(&[(4, 6)], &[(1, 3)], |x, p| x[0].rms_norm(&norm(p, 0.0)));
    }

    #[test]
    fn a_frozen_rms_norm_passes_its_gradient_through() {
        let weight = crate::Vector::new(vec![0.5, 1.5, -1.0]);
        let norm = RmsNorm { weight, offset: 0.0, eps: 1e-5 };
        check(&[(4, 3)], |x| x[0].rms_norm(&norm));
    }

    #[test]
    fn the_gradient_of_layer_norm_matches_finite_differences() {
        check_params(&[(4, 6)], &[(1, 6), (1, 6)], |x, p| {
            x[0].layer_norm(&LayerNorm { weight: p.vector(0), bias: p.vector(1), eps: 1e-5 })
        });
    }
}
