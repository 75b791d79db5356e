//! Log-probabilities of tokens, and the cross-entropy made of them.

use psi_kernels::softmax::log_sum_exp;

use super::Backward;
use crate::{
    Var,
    graph::{Shape, Tape, ValueId},
    rows::for_parts,
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
    pub fn log_probs(self, targets: &[Option<u32>]) -> Var<'g> {
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
    pub fn cross_entropy(self, targets: &[Option<u32>]) -> (Var<'g>, Var<'g>) {
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
        let Shape { rows, cols: v } = tape.shape(self.x);
        let mut d_x = tape.buffers.take(rows * v);
        let x = tape.value(self.x);
        for_parts(tape.cpu, v, &mut d_x, |range, part| {
            let first = range.start / v;
            let rows = part.chunks_exact_mut(v).zip(x[range].chunks_exact(v)).enumerate();
            for (i, (d_x, x)) in rows.map(|(i, row)| (first + i, row)) {
                let d = d_y[i];
                match self.targets[i] {
                    Some(t) if d != 0.0 => {
                        let lse = self.lse[i];
                        d_x.iter_mut().zip(x).for_each(|(g, x)| *g = -d * (x - lse).exp());
                        d_x[t as usize] += d;
                    }
                    _ => d_x.fill(0.0),
                }
            }
        });
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
