//! Rotary position embedding of queries and keys. Su et al. 2021 (RoFormer), equation 34.

use std::sync::Arc;

use psi_kernels::rope::{self, RopeRows};

use super::Backward;
use crate::{
    Var,
    graph::{Tape, ValueId},
};

impl<'g> Var<'g> {
    /// Rotates each head of each row by its position's angles: with h rotated pairs, for i < h
    /// (y_i, y_{i+h}) = f (x_i cos - x_{i+h} sin, x_{i+h} cos + x_i sin); the rest of a head stays.
    /// f is the tables' attention factor. The gradient turns back: d_x = f Rᵀ d_y.
    ///
    /// # Panics
    /// When `d_head` does not divide the row or the tables are made for other rows.
    #[track_caller]
    pub fn rope(self, d_head: usize, tables: &Arc<RopeRows>) -> Var<'g> {
        assert!(self.cols().is_multiple_of(d_head), "heads of {d_head} in {self:?}");
        self.graph.compute(
            self.shape,
            self.needs_grad(),
            |values, y| {
                y.copy_from_slice(values.get(self));
                rope::rope(self.graph.cpu(), y, d_head, tables, false);
            },
            || Box::new(RopeBack { x: self.id, d_head, tables: Arc::clone(tables) }),
        )
    }
}

struct RopeBack {
    x: ValueId,
    d_head: usize,
    tables: Arc<RopeRows>,
}

impl Backward for RopeBack {
    fn backward(&self, _y: ValueId, mut d_y: Vec<f32>, tape: &mut Tape<'_>) {
        rope::rope(tape.cpu, &mut d_y, self.d_head, &self.tables, true);
        tape.add(self.x, d_y);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use psi_kernels::rope::RopeRows;

    use crate::gradcheck::check;

    #[test]
    fn the_gradient_of_rope_matches_finite_differences() {
        let full = Arc::new(RopeRows::new(&[0, 5, 17], &[1.0, 0.1], 1.0));
        check(&[(3, 8)], |x| x[0].rope(4, &full));
        // Two of six values stay; yarn's factor scales the others.
        let partial = Arc::new(RopeRows::new(&[3, 4, 5], &[1.0, 0.3], 1.2));
        check(&[(3, 12)], |x| x[0].rope(6, &partial));
    }
}
