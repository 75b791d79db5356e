//! Multiplication by a constant: Gemma's embedding scale.

use super::Backward;
use crate::{
    Var,
    graph::{Tape, ValueId},
    rows::for_parts,
};

impl<'g> Var<'g> {
    /// y = c x. d_x = c d_y.
    pub fn scale(self, c: f32) -> Self {
        self.graph.compute(
            self.shape,
            self.needs_grad(),
            |values, y| {
                let x = values.get(self);
                for_parts(self.graph.cpu(), 1, y, |range, y| {
                    y.iter_mut().zip(&x[range]).for_each(|(y, x)| *y = c * x);
                });
            },
            || Box::new(ScaleBack { x: self.id, c }),
        )
    }
}

struct ScaleBack {
    x: ValueId,
    c: f32,
}

impl Backward for ScaleBack {
    fn backward(&self, _y: ValueId, mut d_y: Vec<f32>, tape: &mut Tape<'_>) {
        d_y.iter_mut().for_each(|d| *d *= self.c);
        tape.add(self.x, d_y);
    }
}

#[cfg(test)]
mod tests {
    use crate::gradcheck::check;

    #[test]
    fn the_gradient_of_a_scaled_tensor_matches_finite_differences() {
        check(&[(3, 5)], |x| x[0].scale(-2.5));
    }
}
