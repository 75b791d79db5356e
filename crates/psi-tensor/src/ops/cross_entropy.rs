//! Log-probabilities of tokens, and the cross-entropy made of them.

use psi_kernels::softmax::{cross_entropy_backward, log_sum_exp};

use super::Backward;
use crate::{
    Var,
    graph::{Shape, Tape, ValueId},
};

impl<'g> Var<'g> {
    /// y_i = x_{i, t_i} - log(sum_j exp(x_ij)) in nats: the log-probability of token t_i under the logits
    /// of row i; 0 where t_i is `None`. One column.
    ///
    /// The log-sum-exp is the kernel that samplers and scores use. d_x_ij = d_y_i ([j = t_i] - p_ij).
    ///
    /// # Panics
    /// When there is not one target per row, or one lies outside the vocabulary.
    #[track_caller]
    pub fn log_probs(self, targets: &[Option<u32>]) -> Self {
        let (rows, v) = (self.rows(), self.cols());
        assert_eq!(targets.len(), rows, "targets for {self:?}");
        let outside = targets.iter().flatten().find(|&&t| t as usize >= v);
        assert!(outside.is_none(), "target {outside:?} in a vocabulary of {v}");
        let mut lse = vec![0.0; rows];
        log_sum_exp(self.graph.cpu(), &self.data(), v, &mut lse);
        self.graph.compute(
            Shape::new(rows, 1),
            self.needs_grad(),
            |values, y| {
                let x = values.get(self);
                for (i, (y, target)) in y.iter_mut().zip(targets).enumerate() {
                    *y = target.map_or(0.0, |t| x[i * v + t as usize] - lse[i]);
                }
            },
            || Box::new(LogProbsBack { x: self.id, targets: targets.to_vec(), lse: lse.clone() }),
        )
    }

    /// Mean of -[`Var::log_probs`] over the rows that have a target (0 if none has), and those
    /// log-probabilities themselves.
    ///
    /// # Panics
    /// As [`Var::log_probs`].
    #[track_caller]
    pub fn cross_entropy(self, targets: &[Option<u32>]) -> (Self, Self) {
        let log_probs = self.log_probs(targets);
        let n = targets.iter().flatten().count();
        let weight = |t: &Option<u32>| if t.is_some() { -1.0 / n as f32 } else { 0.0 };
        let weights: Vec<f32> = targets.iter().map(weight).collect();
        (log_probs.weighted_sum(&weights), log_probs)
    }
}

struct LogProbsBack {
    x: ValueId,
    targets: Vec<Option<u32>>,
    lse: Vec<f32>,
}

impl Backward for LogProbsBack {
    fn backward(&self, _y: ValueId, d_y: Vec<f32>, tape: &mut Tape<'_>) {
        let v = tape.shape(self.x).cols;
        let mut d_x = tape.buffers.take(tape.shape(self.x).len());
        d_x.copy_from_slice(tape.value(self.x));
        let targets: Vec<u32> = self.targets.iter().map(|t| t.unwrap_or(0)).collect();
        let scale = |(t, d): (&Option<u32>, &f32)| if t.is_some() { -d } else { 0.0 };
        let scales: Vec<f32> = self.targets.iter().zip(&d_y).map(scale).collect();
        cross_entropy_backward(tape.cpu, &mut d_x, v, &targets, &self.lse, &scales);
        tape.add(self.x, d_x);
        tape.buffers.put(d_y);
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Graph,
        gradcheck::{check, cpu},
    };

    #[test]
    fn the_gradient_of_log_probabilities_matches_finite_differences() {
        check(&[(3, 6)], |x| x[0].log_probs(&[Some(5), None, Some(0)]));
        check(&[(3, 6)], |x| x[0].cross_entropy(&[Some(2), Some(2), None]).0);
    }

    #[test]
    fn cross_entropy_is_the_mean_over_counted_tokens_in_nats() {
        let graph = Graph::infer(&cpu());
        let logits = graph.input(2, &[0.0, 0.0, 0.0, 0.0, 9.0, 9.0, 9.0, 1e9]);
        let (loss, log_probs) = logits.cross_entropy(&[Some(1), None]);
        assert!((loss.item() - 4f32.ln()).abs() < 1e-6);
        assert_eq!(log_probs.to_vec(), [-loss.item(), 0.0]);
        assert_eq!(logits.cross_entropy(&[None, None]).0.item(), 0.0);
    }
}
