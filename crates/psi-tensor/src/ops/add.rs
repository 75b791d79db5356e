//! Sums of two tensors: residual connections.

use std::ops::Add;

use super::Backward;
use crate::{
    Var,
    graph::{Tape, ValueId},
    rows::for_parts,
};

impl<'g> Add for Var<'g> {
    type Output = Self;

    /// y = a + b, element by element. d_a = d_b = d_y.
    ///
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    fn add(self, other: Self) -> Self {
        self.assert_same_graph(other);
        assert_eq!(self.shape, other.shape, "a sum of {self:?} and {other:?}");
        let needs = self.needs_grad() || other.needs_grad();
        self.graph.compute(
            self.shape,
            needs,
            |values, y| {
                let (a, b) = (values.get(self), values.get(other));
                for_parts(self.graph.cpu(), 1, y, |range, y| {
                    for ((y, a), b) in y.iter_mut().zip(&a[range.clone()]).zip(&b[range]) {
                        *y = a + b;
                    }
                });
            },
            || Box::new(AddBack { a: self.id, b: other.id }),
        )
    }
}

struct AddBack {
    a: ValueId,
    b: ValueId,
}

impl Backward for AddBack {
    fn backward(&self, _y: ValueId, d_y: Vec<f32>, tape: &mut Tape<'_>) {
        if tape.wants(self.a) && tape.wants(self.b) {
            let mut copy = tape.buffers.take(d_y.len());
            for_parts(tape.cpu, 1, &mut copy, |range, copy| copy.copy_from_slice(&d_y[range]));
            tape.add(self.a, copy);
            tape.add(self.b, d_y);
        } else if tape.wants(self.a) {
            tape.add(self.a, d_y);
        } else {
            tape.add(self.b, d_y);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::gradcheck::check;

    #[test]
    fn the_gradient_of_a_sum_matches_finite_differences() {
        check(&[(3, 5), (3, 5)], |x| x[0] + x[1]);
        check(&[(2, 4)], |x| x[0] + x[0]);
    }
}
