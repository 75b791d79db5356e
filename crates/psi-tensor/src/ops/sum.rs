//! Weighted sums to one number: how a loss is made of per-token values.

use super::Backward;
use crate::{
    Var,
    graph::{Shape, Tape, ValueId},
};

impl<'g> Var<'g> {
    /// y = sum(w_i x_i), one number, added up in order in f64 (so that the mean of a million tokens
    /// is still exact). d_x_i = w_i d_y.
    ///
    /// # Panics
    /// When there is not one weight per value.
    #[track_caller]
    pub fn weighted_sum(self, weights: &[f32]) -> Self {
        assert_eq!(weights.len(), self.shape.len(), "weights for {self:?}");
        self.graph.compute(
            Shape::new(1, 1),
            self.needs_grad(),
            |values, y| {
                let x = values.get(self);
                let terms = x.iter().zip(weights).map(|(&x, &w)| f64::from(x) * f64::from(w));
                y[0] = terms.sum::<f64>() as f32;
            },
            || Box::new(WeightedSumBack { x: self.id, weights: weights.to_vec() }),
        )
    }
}

struct WeightedSumBack {
    x: ValueId,
    weights: Vec<f32>,
}

impl Backward for WeightedSumBack {
    fn backward(&self, _y: ValueId, d_y: Vec<f32>, tape: &mut Tape<'_>) {
        let mut d_x = tape.buffers.take(self.weights.len());
        d_x.iter_mut().zip(&self.weights).for_each(|(d, w)| *d = w * d_y[0]);
        tape.add(self.x, d_x);
        tape.buffers.put(d_y);
    }
}

#[cfg(test)]
mod tests {
    use crate::gradcheck::check;

    #[test]
    fn the_gradient_of_a_weighted_sum_matches_finite_differences() {
        check(&[(2, 3)], |x| x[0].weighted_sum(&[1.0, -2.0, 0.5, 0.0, 3.0, 0.25]));
    }
}
