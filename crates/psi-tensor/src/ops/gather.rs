//! Rows and columns by index: the rows that need logits, an expert's tokens, a fused projection's parts.

use std::ops::Range;

use super::Backward;
use crate::{
    Var,
    graph::{Shape, Tape, ValueId},
};

impl<'g> Var<'g> {
    /// y_i = x_{rows\[i\]}. The gradient adds up over repeated rows.
    ///
    /// # Panics
    /// When a row lies outside.
    #[track_caller]
    pub fn gather_rows(self, rows: &[u32]) -> Self {
        let (n, d) = (self.rows(), self.cols());
        assert!(rows.iter().all(|&r| (r as usize) < n), "rows {rows:?} of {self:?}");
        self.graph.compute(
            Shape::new(rows.len(), d),
            self.needs_grad(),
            |values, y| {
                let x = values.get(self);
                for (y, &row) in y.chunks_exact_mut(d.max(1)).zip(rows) {
                    y.copy_from_slice(&x[row as usize * d..][..d]);
                }
            },
            || Box::new(GatherBack { x: self.id, rows: rows.to_vec() }),
        )
    }

    /// The columns `range` of every row.
    ///
    /// # Panics
    /// When the range lies outside the row.
    #[track_caller]
    pub fn columns(self, range: Range<usize>) -> Self {
        let d = self.cols();
        assert!(range.start <= range.end && range.end <= d, "columns {range:?} of {self:?}");
        self.graph.compute(
            Shape::new(self.rows(), range.len()),
            self.needs_grad(),
            |values, y| {
                let x = values.get(self).chunks_exact(d.max(1));
                for (y, x) in y.chunks_exact_mut(range.len().max(1)).zip(x) {
                    y.copy_from_slice(&x[range.clone()]);
                }
            },
            || Box::new(ColumnsBack { x: self.id, range: range.clone() }),
        )
    }
}

struct GatherBack {
    x: ValueId,
    rows: Vec<u32>,
}

impl Backward for GatherBack {
    fn backward(&self, _y: ValueId, d_y: Vec<f32>, tape: &mut Tape<'_>) {
        let Shape { cols: d, .. } = tape.shape(self.x);
        let len = tape.shape(self.x).len();
        let mut d_x = tape.take(self.x).unwrap_or_else(|| tape.buffers.zeros(len));
        for (d_y, &row) in d_y.chunks_exact(d.max(1)).zip(&self.rows) {
            let d_x = &mut d_x[row as usize * d..][..d];
            d_x.iter_mut().zip(d_y).for_each(|(x, y)| *x += y);
        }
        tape.put(self.x, d_x);
        tape.buffers.put(d_y);
    }
}

struct ColumnsBack {
    x: ValueId,
    range: Range<usize>,
}

impl Backward for ColumnsBack {
    fn backward(&self, _y: ValueId, d_y: Vec<f32>, tape: &mut Tape<'_>) {
        let Shape { cols: d, .. } = tape.shape(self.x);
        let len = tape.shape(self.x).len();
        let mut d_x = tape.take(self.x).unwrap_or_else(|| tape.buffers.zeros(len));
        let d_rows = d_y.chunks_exact(self.range.len().max(1));
        for (d_x, d_y) in d_x.chunks_exact_mut(d.max(1)).zip(d_rows) {
            d_x[self.range.clone()].iter_mut().zip(d_y).for_each(|(x, y)| *x += y);
        }
        tape.put(self.x, d_x);
        tape.buffers.put(d_y);
    }
}

#[cfg(test)]
mod tests {
    use crate::gradcheck::check;

    #[test]
    fn the_gradient_of_gathered_rows_matches_finite_differences() {
        check(&[(4, 3)], |x| x[0].gather_rows(&[2, 0, 2]));
    }

    #[test]
    fn the_gradient_of_columns_matches_finite_differences() {
        check(&[(3, 6)], |x| x[0].columns(1..4) + x[0].columns(2..5));
    }
}
