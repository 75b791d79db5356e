//! Mixture of experts: routing, and the weighted sum of the experts' outputs.
//!
//! Experts are ordinary layers that run on the rows routed to them. A row's outputs are added in the
//! order of the experts' numbers, so its bits do not depend on what else is in the batch.
//! Fedus et al. 2021 (Switch), section 2; Jiang et al. 2024 (Mixtral), section 2.1.

use super::Backward;
use crate::{
    Var,
    graph::{Shape, Tape, ValueId},
};

/// Which experts every row goes to, and with what weight.
#[derive(Clone, Debug)]
pub struct Routing<'g> {
    /// The experts of row i are `experts[i k..][..k]`, best first.
    pub experts: Vec<u32>,
    /// Their weights (rows, k).
    pub weights: Var<'g>,
}

/// The rows that one expert gets.
#[derive(Clone, Debug)]
pub struct ExpertPart {
    /// The expert's number.
    pub expert: usize,
    /// Rows of the batch, ascending.
    pub rows: Vec<u32>,
    /// For each of them, which of the row's k weights is this expert's.
    pub slots: Vec<u32>,
}

impl<'g> Var<'g> {
    /// Routes rows by their router logits (rows, n_experts): the `k` largest of p = softmax(x), with
    /// weights p, or p divided by the sum of the chosen if `normalise`. The lower expert wins a tie.
    ///
    /// # Panics
    /// When there are fewer than `k` experts.
    #[track_caller]
    pub fn route(self, k: usize, normalise: bool) -> Routing<'g> {
        let (rows, n) = (self.rows(), self.cols());
        assert!(0 < k && k <= n, "{k} of {n} experts");
        let mut probs = self.to_vec();
        psi_kernels::softmax::softmax(self.graph.cpu(), &mut probs, n);
        let mut experts = Vec::with_capacity(rows * k);
        let mut order: Vec<u32> = Vec::with_capacity(n);
        for p in probs.chunks_exact(n) {
            order.clear();
            order.extend(0..n as u32);
            // Stable: equal probabilities keep the order of the experts.
            order.sort_by(|&a, &b| p[b as usize].total_cmp(&p[a as usize]));
            experts.extend_from_slice(&order[..k]);
        }
        let weights = self.graph.compute(
            Shape::new(rows, k),
            self.needs_grad(),
            |_, y| {
                let chosen = y.chunks_exact_mut(k).zip(experts.chunks_exact(k));
                for ((y, experts), p) in chosen.zip(probs.chunks_exact(n)) {
                    y.iter_mut().zip(experts).for_each(|(y, &e)| *y = p[e as usize]);
                    if normalise {
                        let sum: f32 = y.iter().sum();
                        y.iter_mut().for_each(|y| *y /= sum);
                    }
                }
            },
            || {
                let (experts, probs) = (experts.clone(), probs.clone());
                Box::new(RouteBack { x: self.id, n, k, normalise, experts, probs })
            },
        );
        Routing { experts, weights }
    }
}

impl<'g> Routing<'g> {
    /// The rows of each expert that has any, by ascending number.
    pub fn by_expert(&self) -> Vec<ExpertPart> {
        let k = self.weights.cols();
        let mut order: Vec<(u32, usize)> =
            self.experts.iter().enumerate().map(|(i, &e)| (e, i)).collect();
        order.sort_unstable();
        let mut parts: Vec<ExpertPart> = Vec::new();
        for (expert, i) in order {
            let expert = expert as usize;
            if parts.last().is_none_or(|p| p.expert != expert) {
                parts.push(ExpertPart { expert, rows: vec![], slots: vec![] });
            }
            if let Some(part) = parts.last_mut() {
                part.rows.push((i / k) as u32);
                part.slots.push((i % k) as u32);
            }
        }
        parts
    }

    /// y_t = sum over t's experts e, ascending, of w_te output_e(t); `outputs` are those of `parts`, of
    /// `d` values per row.
    ///
    /// # Panics
    /// When an output's shape does not fit its part, or the parts are not in ascending order.
    #[track_caller]
    pub fn combine(&self, d: usize, parts: &[ExpertPart], outputs: &[Var<'g>]) -> Var<'g> {
        assert!(parts.is_sorted_by(|a, b| a.expert < b.expert), "experts in ascending order");
        assert_eq!(parts.len(), outputs.len(), "one output per part");
        for (p, output) in parts.iter().zip(outputs) {
            assert_eq!(output.shape, Shape::new(p.rows.len(), d), "expert {}", p.expert);
        }
        let (w, k) = (self.weights, self.weights.cols());
        let needs = w.needs_grad() || outputs.iter().any(|o| o.needs_grad());
        w.graph.compute(
            Shape::new(w.rows(), d),
            needs,
            |values, y| {
                y.fill(0.0);
                let w = values.get(w);
                for (p, &output) in parts.iter().zip(outputs) {
                    let output = values.get(output).chunks_exact(d);
                    for ((&row, &slot), out) in p.rows.iter().zip(&p.slots).zip(output) {
                        let weight = w[row as usize * k + slot as usize];
                        let y = &mut y[row as usize * d..][..d];
                        y.iter_mut().zip(out).for_each(|(y, x)| *y += weight * x);
                    }
                }
            },
            || {
                let ids = outputs.iter().map(|o| o.id).collect();
                let places = parts
                    .iter()
                    .map(|p| p.rows.iter().copied().zip(p.slots.iter().copied()).collect())
                    .collect();
                Box::new(CombineBack { weights: w.id, outputs: ids, places })
            },
        )
    }
}

struct RouteBack {
    x: ValueId,
    n: usize,
    k: usize,
    normalise: bool,
    experts: Vec<u32>,
    probs: Vec<f32>,
}

impl Backward for RouteBack {
    /// With S the sum of the chosen p and w = p / S: d_p_i = (d_w_i - sum_j d_w_j w_j) / S for chosen i
    /// (d_w_i itself if not normalised), 0 else; then d_x = p (d_p - sum_i d_p_i p_i).
    fn backward(&self, y: ValueId, d_y: Vec<f32>, tape: &mut Tape<'_>) {
        let (n, k) = (self.n, self.k);
        let w = tape.value(y);
        let mut d_x = tape.buffers.take(self.probs.len());
        for (row, d_x) in d_x.chunks_exact_mut(n).enumerate() {
            let (p, w, d_w) =
                (&self.probs[row * n..][..n], &w[row * k..][..k], &d_y[row * k..][..k]);
            let experts = &self.experts[row * k..][..k];
            let (mut shift, mut sum) = (0.0, 1.0);
            if self.normalise {
                shift = w.iter().zip(d_w).map(|(w, d)| w * d).sum::<f32>();
                sum = experts.iter().map(|&e| p[e as usize]).sum::<f32>();
            }
            d_x.fill(0.0);
            let mut dot = 0.0;
            for (&e, d_w) in experts.iter().zip(d_w) {
                d_x[e as usize] = (d_w - shift) / sum;
                dot += d_x[e as usize] * p[e as usize];
            }
            d_x.iter_mut().zip(p).for_each(|(d, p)| *d = p * (*d - dot));
        }
        tape.add(self.x, d_x);
        tape.buffers.put(d_y);
    }
}

struct CombineBack {
    weights: ValueId,
    outputs: Vec<ValueId>,
    /// For each output, the row of the batch and the slot of its weight, per row of the output.
    places: Vec<Vec<(u32, u32)>>,
}

impl Backward for CombineBack {
    fn backward(&self, _y: ValueId, d_y: Vec<f32>, tape: &mut Tape<'_>) {
        let w = tape.value(self.weights);
        let k = tape.shape(self.weights).cols;
        let mut d_w = tape.buffers.zeros(w.len());
        for (&output, places) in self.outputs.iter().zip(&self.places) {
            let d = tape.shape(output).cols;
            let x = tape.value(output);
            let mut d_x = tape.buffers.take(x.len());
            for (i, &(row, slot)) in places.iter().enumerate() {
                let (d_y, at) = (&d_y[row as usize * d..][..d], row as usize * k + slot as usize);
                let (x, d_x) = (&x[i * d..][..d], &mut d_x[i * d..][..d]);
                d_w[at] = x.iter().zip(d_y).map(|(x, d)| x * d).sum();
                d_x.iter_mut().zip(d_y).for_each(|(g, d)| *g = w[at] * d);
            }
            tape.add(output, d_x);
        }
        tape.add(self.weights, d_w);
        tape.buffers.put(d_y);
    }
}

#[cfg(test)]
mod tests {
    use super::ExpertPart;
    use crate::{
        Graph, Linear, Var,
        gradcheck::{Params, check, check_params, cpu},
    };

    fn mixture<'g>(x: &[Var<'g>], p: &Params, normalise: bool) -> Var<'g> {
        let routing = x[0].linear(&Linear::new(p.weight(0))).route(2, normalise);
        let parts = routing.by_expert();
        let run = |part: &ExpertPart| {
            let rows = x[0].gather_rows(&part.rows);
            rows.linear(&Linear::new(p.weight(1 + part.expert)))
        };
        let outputs: Vec<Var<'g>> = parts.iter().map(run).collect();
        routing.combine(2, &parts, &outputs)
    }

    #[test]
    fn the_gradient_of_a_mixture_matches_finite_differences() {
        let params = [(3, 4), (2, 4), (2, 4), (2, 4)];
        for normalise in [false, true] {
            check_params(&[(5, 4)], &params, |x, p| mixture(x, p, normalise));
        }
    }

    #[test]
    fn the_gradient_of_routing_weights_matches_finite_differences() {
        // Logits far enough apart that a finite step does not change the choice.
        let steps = [0.0, 0.8, 1.6, 0.4, 1.2].repeat(3);
        fn logits<'g>(x: Var<'g>, steps: &[f32]) -> Var<'g> {
            x.scale(0.1) + x.graph.input(3, steps)
        }
        check(&[(3, 5)], |x| logits(x[0], &steps).route(2, true).weights);
        check(&[(3, 5)], |x| logits(x[0], &steps).route(3, false).weights);
    }

    #[test]
    fn the_lower_expert_wins_a_tie_and_weights_sum_to_one() {
        let graph = Graph::infer(&cpu());
        let routing = graph.input(1, &[1.0, 2.0, 2.0, 0.0]).route(2, true);
        assert_eq!(routing.experts, [1, 2]);
        assert_eq!(routing.weights.to_vec(), [0.5, 0.5]);
        let parts = routing.by_expert();
        assert_eq!(parts.iter().map(|p| p.expert).collect::<Vec<_>>(), [1, 2]);
    }
}
