//! Log-probabilities of tokens, and the cross-entropy made of them.

use std::cell::Cell;

use psi_kernels::{
    Cpu, elementwise,
    gemm::{GemmShape, Layout, gemm},
    matmul,
    softmax::{cross_entropy_backward, log_sum_exp},
};

use super::Backward;
use crate::{
    ParamId, Var, Weight,
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

impl<'g> Var<'g> {
    /// sum(w_i y_i) with y_i the log-probability ([`Var::log_probs`]) of target t_i under the logits
    /// x_i Eᵀ of an output head E, and the y_i themselves (0 where t_i is `None`).
    ///
    /// A few rows at a time: their logits, then (when recording) their part of the gradients while the
    /// logits are in the cache, so that logits of all rows never exist. The weights are constants.
    ///
    /// # Panics
    /// When there are not one target and weight per row, or a target lies outside the vocabulary.
    #[track_caller]
    pub fn weighted_log_probs(
        self,
        head: &Weight,
        targets: &[Option<u32>],
        weights: &[f32],
    ) -> (Self, Vec<f32>) {
        let (graph, cpu, rows, d, v) =
            (self.graph, self.graph.cpu(), self.rows(), self.cols(), head.n());
        assert_eq!((targets.len(), weights.len(), d), (rows, rows, head.k()), "head on {self:?}");
        let outside = targets.iter().flatten().find(|&&t| t as usize >= v);
        assert!(outside.is_none(), "target {outside:?} in a vocabulary of {v}");
        let wants_x = self.needs_grad();
        let wants_head = graph.is_training() && head.param().is_some();
        let mut y = vec![0.0; rows];
        let mut d_x = graph.buffer(if wants_x { self.shape.len() } else { 0 });
        let mut d_head = graph.buffer(if wants_head { v * d } else { 0 });
        let step = (CHUNK / v.max(1)).next_multiple_of(CHUNK_ROWS).min(rows.max(1));
        let mut logits = graph.buffer(step * v);
        let transposed = (wants_x).then(|| head.transposed(cpu));
        for row0 in (0..rows).step_by(step) {
            let part = row0..rows.min(row0 + step);
            let x = &self.data()[part.start * d..part.end * d];
            let logits = &mut logits[..part.len() * v];
            matmul(cpu, x, part.len(), head.matrix(), logits);
            let chunk = Chunk { targets: &targets[part.clone()], weights: &weights[part.clone()] };
            let lse = chunk.log_probs(cpu, logits, v, &mut y[part.clone()]);
            if !wants_x && !wants_head {
                continue;
            }
            chunk.into_gradient(cpu, logits, v, &lse);
            if let Some(transposed) = &transposed {
                let d_x = &mut d_x[part.start * d..part.end * d];
                matmul(cpu, logits, part.len(), transposed, d_x);
            }
            if wants_head {
                let shape = GemmShape {
                    m: v,
                    n: d,
                    k: part.len(),
                    layout: Layout::Tn,
                    compute: head.compute(),
                    accumulate: row0 > 0,
                };
                gemm(cpu, shape, logits, x, &mut d_head);
            }
        }
        graph.recycle(logits);
        let mut sum = graph.buffer(1);
        let terms = y.iter().zip(weights).map(|(&y, &w)| f64::from(y) * f64::from(w));
        sum[0] = terms.sum::<f64>() as f32;
        let loss = graph.push(Shape::new(1, 1), sum, wants_x || wants_head, || {
            let gradients = Cell::new((d_x, d_head));
            Box::new(HeadBack { x: self.id, head: head.param(), gradients })
        });
        (loss, y)
    }
}

/// Logits computed at a time: 8 MiB, which a third-level cache holds.
const CHUNK: usize = 2 << 20;
/// Rows of a chunk are a multiple of this.
const CHUNK_ROWS: usize = 64;

/// Some rows' targets and weights.
struct Chunk<'a> {
    targets: &'a [Option<u32>],
    weights: &'a [f32],
}

impl Chunk<'_> {
    /// Writes the targets' log-probabilities and returns each row's log-sum-exp.
    fn log_probs(&self, cpu: &Cpu, logits: &[f32], v: usize, y: &mut [f32]) -> Vec<f32> {
        let mut lse = vec![0.0; y.len()];
        log_sum_exp(cpu, logits, v, &mut lse);
        for (i, (y, target)) in y.iter_mut().zip(self.targets).enumerate() {
            *y = target.map_or(0.0, |t| logits[i * v + t as usize] - lse[i]);
        }
        lse
    }

    /// Logits become the gradient of the weighted sum of log-probabilities.
    fn into_gradient(self, cpu: &Cpu, logits: &mut [f32], v: usize, lse: &[f32]) {
        let targets: Vec<u32> = self.targets.iter().map(|t| t.unwrap_or(0)).collect();
        let scale = |(t, w): (&Option<u32>, &f32)| if t.is_some() { -w } else { 0.0 };
        let scales: Vec<f32> = self.targets.iter().zip(self.weights).map(scale).collect();
        cross_entropy_backward(cpu, logits, v, &targets, lse, &scales);
    }
}

/// Gradients of x and E for a unit gradient of the sum, computed with it.
struct HeadBack {
    x: ValueId,
    head: Option<ParamId>,
    gradients: Cell<(Vec<f32>, Vec<f32>)>,
}

impl Backward for HeadBack {
    fn backward(&self, _y: ValueId, d_y: Vec<f32>, tape: &mut Tape<'_>) {
        let (mut d_x, d_head) = self.gradients.take();
        let by = d_y[0];
        if by != 1.0 {
            elementwise::scale(tape.cpu, &mut d_x, by);
        }
        if let Some(id) = self.head.filter(|_| !d_head.is_empty()) {
            let slot = tape.gradients.slot(id, d_head.len());
            elementwise::add_scaled(tape.cpu, slot, by, &d_head);
        }
        tape.buffers.put(d_head);
        if d_x.is_empty() {
            tape.buffers.put(d_x);
        } else {
            tape.add(self.x, d_x);
        }
        tape.buffers.put(d_y);
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
    use psi_kernels::Format;
    use psi_testkit::{Rng, assert_close};

    use crate::{
        Gradients, Graph, Linear, ParamId, Weight,
        gradcheck::{check, check_params, cpu},
    };

    #[test]
    fn the_gradient_of_log_probabilities_matches_finite_differences() {
        check(&[(3, 6)], |x| x[0].log_probs(&[Some(5), None, Some(0)]));
        check(&[(3, 6)], |x| x[0].cross_entropy(&[Some(2), Some(2), None]).0);
    }

    #[test]
    fn the_gradient_through_an_output_head_matches_finite_differences() {
        let targets = [Some(5), None, Some(0)];
        check_params(&[(3, 4)], &[(6, 4)], |x, p| {
            x[0].weighted_log_probs(&p.weight(0), &targets, &[0.5, 1.0, -2.0]).0
        });
    }

    #[test]
    fn a_head_in_chunks_gives_the_log_probabilities_and_gradients_of_whole_logits() {
        // More rows than two chunks of this vocabulary.
        let (rows, d, v) = (150, 32, 32_768);
        let cpu = cpu();
        let mut rng = Rng::new(7);
        let (x, e) = (rng.normals(rows * d, 1.0), rng.normals(v * d, 0.2));
        let target = |i: usize| (!i.is_multiple_of(5)).then_some((i * 977 % v) as u32);
        let targets: Vec<Option<u32>> = (0..rows).map(target).collect();
        let weights: Vec<f32> = (0..rows).map(|i| 0.01 * (i % 3) as f32 - 0.02).collect();
        let ids: Vec<u32> = (0..rows as u32).collect();
        let run = |whole: bool| {
            let graph = Graph::train(&cpu);
            let table = Weight::trainable(&cpu, ParamId(0), Format::F32, (rows, d), x.clone());
            let head = Weight::trainable(&cpu, ParamId(1), Format::Bf16, (v, d), e.clone());
            let x = graph.embed(&table, &ids);
            let (loss, log_probs) = if whole {
                let y = x.linear(&Linear::new(head)).log_probs(&targets);
                (y.weighted_sum(&weights), y.to_vec())
            } else {
                x.weighted_log_probs(&head, &targets, &weights)
            };
            let mut gradients = Gradients::new();
            let item = loss.item();
            graph.backward(loss.scale(2.0), &mut gradients);
            let of = |i| gradients.get(ParamId(i)).expect("a gradient").to_vec();
            (item, log_probs, of(0), of(1))
        };
        let (whole, parts) = (run(true), run(false));
        assert_eq!((whole.0, &whole.1), (parts.0, &parts.1));
        // Another factor inside the rounding to bf16, and another order of the sums.
        assert_close("d_x", &parts.2, &whole.2, 1e-2);
        assert_close("d_head", &parts.3, &whole.3, 1e-2);
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
