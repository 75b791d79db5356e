//! Feed-forward non-linearities, plain and gated.

use psi_kernels::activation::{self, Activation};

use super::Backward;
use crate::{
    Var,
    graph::{Tape, ValueId},
};

impl<'g> Var<'g> {
    /// y = act(x), element by element.
    pub fn activate(self, act: Activation) -> Self {
        self.graph.compute(
            self.shape,
            self.needs_grad(),
            |values, y| activation::activate(self.graph.cpu(), act, values.get(self), y),
            || Box::new(ActivateBack { x: self.id, act }),
        )
    }

    /// y = act(self) up (SwiGLU, GeGLU). Shazeer 2020, equation 6.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    pub fn gated(self, act: Activation, up: Self) -> Self {
        self.assert_same_graph(up);
        assert_eq!(self.shape, up.shape, "a gate {self:?} for {up:?}");
        self.graph.compute(
            self.shape,
            self.needs_grad() || up.needs_grad(),
            |values, y| {
                let (gate, up) = (values.get(self), values.get(up));
                activation::gated(self.graph.cpu(), act, gate, up, y);
            },
            || Box::new(GatedBack { gate: self.id, up: up.id, act }),
        )
    }
}

struct ActivateBack {
    x: ValueId,
    act: Activation,
}

impl Backward for ActivateBack {
    fn backward(&self, _y: ValueId, d_y: Vec<f32>, tape: &mut Tape<'_>) {
        let mut d_x = tape.buffers.take(d_y.len());
        let x = tape.value(self.x);
        activation::activate_backward(tape.cpu, self.act, x, &d_y, &mut d_x);
        tape.add(self.x, d_x);
        tape.buffers.put(d_y);
    }
}

struct GatedBack {
    gate: ValueId,
    up: ValueId,
    act: Activation,
}

impl Backward for GatedBack {
    fn backward(&self, _y: ValueId, d_y: Vec<f32>, tape: &mut Tape<'_>) {
        let mut d_gate = tape.buffers.take(d_y.len());
        let mut d_up = tape.buffers.take(d_y.len());
        let (gate, up) = (tape.value(self.gate), tape.value(self.up));
        activation::gated_backward(tape.cpu, self.act, gate, up, &d_y, &mut d_gate, &mut d_up);
        tape.add(self.gate, d_gate);
        tape.add(self.up, d_up);
        tape.buffers.put(d_y);
    }
}

#[cfg(test)]
mod tests {
    use psi_kernels::activation::Activation;

    use crate::gradcheck::check;

    const ALL: [Activation; 4] =
        [Activation::Silu, Activation::GeluTanh, Activation::GeluErf, Activation::ReluSquared];

    #[test]
    fn the_gradient_of_every_activation_matches_finite_differences() {
        for act in ALL {
            check(&[(3, 7)], |x| x[0].activate(act));
            check(&[(3, 7), (3, 7)], |x| x[0].gated(act, x[1]));
        }
    }
}
