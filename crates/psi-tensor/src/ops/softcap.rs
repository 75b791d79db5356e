//! Soft capping of logits. Gemma 2 report (2024), section 2.

use super::Backward;
use crate::{
    Var,
    graph::{Tape, ValueId},
    rows::for_parts,
};

impl<'g> Var<'g> {
    /// y = c tanh(x / c). d_x = d_y (1 - (y / c)²).
    pub fn softcap(self, c: f32) -> Var<'g> {
        self.graph.compute(
            self.shape,
            self.needs_grad(),
            |values, y| {
                let x = values.get(self);
                for_parts(self.graph.cpu(), 1, y, |range, y| {
                    y.iter_mut().zip(&x[range]).for_each(|(y, x)| *y = c * (x / c).tanh());
                });
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
        let (y, c) = (tape.value(y), self.c);
        for_parts(tape.cpu, 1, &mut d_y, |range, d| {
            d.iter_mut().zip(&y[range]).for_each(|(d, y)| *d *= 1.0 - (y / c) * (y / c));
        });
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
