//! Rotary position embedding of queries and keys. Su et al. 2021 (RoFormer), equation 34.

use std::sync::Arc;

use psi_kernels::{
    Cpu,
    rope::{self, RopeRows},
};

use super::Backward;
use crate::{
    Var,
    graph::{Tape, ValueId},
};

/// Cosines and sines for the rows of a batch: runs of consecutive rows, each with its own frequencies
/// (scalings that depend on a sequence's length give sequences different ones).
#[derive(Debug, Default)]
pub struct RopeTables {
    /// Number of rows and their tables, covering the batch in order.
    pub runs: Vec<(usize, RopeRows)>,
}

impl RopeTables {
    fn turn(&self, cpu: &Cpu, x: &[f32], y: &mut [f32], row_len: usize, d_head: usize) {
        let mut row0 = 0;
        for (rows, tables) in &self.runs {
            let of_rows = row0 * row_len..(row0 + rows) * row_len;
            rope::rope_into(cpu, &x[of_rows.clone()], &mut y[of_rows], d_head, tables);
            row0 += rows;
        }
    }

    fn turn_back(&self, cpu: &Cpu, x: &mut [f32], row_len: usize, d_head: usize) {
        let mut row0 = 0;
        for (rows, tables) in &self.runs {
            let x = &mut x[row0 * row_len..(row0 + rows) * row_len];
            rope::rope(cpu, x, d_head, tables, true);
            row0 += rows;
        }
    }

    fn n_rows(&self) -> usize {
        self.runs.iter().map(|(rows, _)| rows).sum()
    }
}

impl<'g> Var<'g> {
    /// Rotates each head of each row by its position's angles: with h rotated pairs, for i < h
    /// (y_i, y_{i+h}) = f (x_i cos - x_{i+h} sin, x_{i+h} cos + x_i sin); the rest of a head stays.
    /// f is the tables' attention factor. The gradient turns back: d_x = f Rᵀ d_y.
    ///
    /// # Panics
    /// When `d_head` does not divide the row or the tables are made for other rows.
    #[track_caller]
    pub fn rope(self, d_head: usize, tables: &Arc<RopeTables>) -> Self {
        assert!(self.cols().is_multiple_of(d_head), "heads of {d_head} in {self:?}");
        assert_eq!(tables.n_rows(), self.rows(), "RoPE tables for {self:?}");
        self.graph.compute(
            self.shape,
            self.needs_grad(),
            |values, y| {
                tables.turn(self.graph.cpu(), values.get(self), y, self.cols(), d_head);
            },
            || Box::new(RopeBack { x: self.id, d_head, tables: Arc::clone(tables) }),
        )
    }
}

struct RopeBack {
    x: ValueId,
    d_head: usize,
    tables: Arc<RopeTables>,
}

impl Backward for RopeBack {
    fn backward(&self, _y: ValueId, mut d_y: Vec<f32>, tape: &mut Tape<'_>) {
        let row_len = tape.shape(self.x).cols;
        self.tables.turn_back(tape.cpu, &mut d_y, row_len, self.d_head);
        tape.add(self.x, d_y);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use psi_kernels::rope::RopeRows;

    use super::RopeTables;
    use crate::gradcheck::check;

    #[test]
    fn the_gradient_of_rope_matches_finite_differences() {
        let first = RopeRows::new(&[0, 5], &[1.0, 0.1], 1.0);
        let second = RopeRows::new(&[17], &[0.5, 0.2], 1.0);
        let full = Arc::new(RopeTables { runs: vec![(2, first), (1, second)] });
        check(&[(3, 8)], |x| x[0].rope(4, &full));
        // Two of six values stay; yarn's factor scales the others.
        let partial = RopeRows::new(&[3, 4, 5], &[1.0, 0.3], 1.2);
        let partial = Arc::new(RopeTables { runs: vec![(3, partial)] });
        check(&[(3, 12)], |x| x[0].rope(6, &partial));
    }
}
