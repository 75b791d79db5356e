//! Soft capping of logits. Gemma 2 report (2024), section 2.

use psi_kernels::elementwise::{soft_cap, soft_cap_backward};

use super::Backward;
use crate::{
    Var,
    graph::{Tape, ValueId},
};

impl<'g> Var<'g> {
    /// y = c tanh(x / c). d_x = d_y (1 - (y / c)²).
    pub fn softcap(self, c: f32) -> Self {
        self.graph.compute(
            self.shape,
            self.needs_grad(),
            |values, y| {
                y.copy_from_slice(values.get(self));
                soft_cap(self.graph.cpu(), y, c);
            },
            || Box::new(SoftcapBack { x: self.id, c }),
        )
    }
}

struct SoftcapBack {
    x: ValueId,
    c: f32,
}

impl Backward for SoftcapBack {
    fn backward(&self, y: ValueId, mut d_y: Vec<f32>, tape: &mut Tape<'_>) {
        soft_cap_backward(tape.cpu, tape.value(y), self.c, &mut d_y);
        tape.add(self.x, d_y);
    }
}

#[cfg(test)]
mod tests {
    use crate::gradcheck::check;

    #[test]
    fn the_gradient_of_a_softcap_matches_finite_differences() {
        check(&[(3, 7)], |x| x[0].softcap(1.5));
    }
}
