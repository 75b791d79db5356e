//! The squared log-sum-exp of logits: keeps them from drifting. Chowdhery et al. 2022 (PaLM), section 5.

use psi_kernels::softmax::log_sum_exp;

use super::Backward;
use crate::{
    Var,
    graph::{Shape, Tape, ValueId},
    rows::for_parts,
};

impl<'g> Var<'g> {
    /// y_i = z_i² with z_i = log(sum_j exp(x_ij)); one column. d_x_ij = 2 d_y_i z_i exp(x_ij - z_i).
    pub fn squared_log_sum_exp(self) -> Self {
        let (rows, cols) = (self.rows(), self.cols());
        let mut z = vec![0.0; rows];
        log_sum_exp(self.graph.cpu(), &self.data(), cols, &mut z);
        self.graph.compute(
            Shape::new(rows, 1),
            self.needs_grad(),
            |_, y| y.iter_mut().zip(&z).for_each(|(y, z)| *y = z * z),
            || Box::new(ZLossBack { x: self.id, z: z.clone() }),
        )
    }
}

struct ZLossBack {
    x: ValueId,
    z: Vec<f32>,
}

impl Backward for ZLossBack {
    fn backward(&self, _y: ValueId, d_y: Vec<f32>, tape: &mut Tape<'_>) {
        let Shape { rows, cols } = tape.shape(self.x);
        let x = tape.value(self.x);
        let mut d_x = tape.buffers.take(rows * cols);
        for_parts(tape.cpu, cols, &mut d_x, |range, d_x| {
            let first = range.start / cols.max(1);
            let x = x[range].chunks_exact(cols.max(1));
            for (i, (d_x, x)) in d_x.chunks_exact_mut(cols.max(1)).zip(x).enumerate() {
                let z = self.z[first + i];
                let scale = 2.0 * d_y[first + i] * z;
                d_x.iter_mut().zip(x).for_each(|(d, x)| *d = scale * (x - z).exp());
            }
        });
        tape.add(self.x, d_x);
        tape.buffers.put(d_y);
    }
}

#[cfg(test)]
mod tests {
    use crate::gradcheck::check;

    #[test]
    fn the_gradient_of_the_squared_log_sum_exp_matches_finite_differences() {
        check(&[(3, 6)], |x| x[0].squared_log_sum_exp());
    }
}
