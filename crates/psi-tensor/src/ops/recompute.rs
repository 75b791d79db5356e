//! Activation checkpointing: a part of the model keeps its input only and is run again for its gradient.
//! Chen et al. 2016, section 4.

use std::{cell::RefCell, fmt, rc::Rc, sync::Arc};

use psi_kernels::Cpu;

use super::Backward;
use crate::{
    Graph, Var,
    graph::{Tape, ValueId},
};

/// A part of a model: a function of one value that gives the same bits whenever it is run.
pub type Part = Box<dyn for<'a> Fn(Var<'a>) -> Var<'a>>;

/// The graphs that parts are run in: one that forgets, one that records; kept from part to part for their
/// memory.
#[derive(Clone)]
pub struct Recompute {
    forward: Rc<RefCell<Graph>>,
    backward: Rc<RefCell<Graph>>,
}

impl Recompute {
    /// Graphs on `cpu`.
    pub fn new(cpu: &Arc<Cpu>) -> Self {
        let shared = |graph| Rc::new(RefCell::new(graph));
        Self { forward: shared(Graph::infer(cpu)), backward: shared(Graph::train(cpu)) }
    }
}

impl fmt::Debug for Recompute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recompute")
    }
}

impl<'g> Var<'g> {
    /// y = part(x), of which only x and y are kept.
    pub fn recomputed(self, recompute: &Recompute, part: Part) -> Self {
        let (shape, data) = {
            let mut graph = recompute.forward.borrow_mut();
            graph.reset();
            let y = part(graph.input(self.rows(), &self.data()));
            (y.shape, y.to_vec())
        };
        let needs_grad = self.graph.is_training();
        self.graph.push(shape, data, needs_grad, || {
            Box::new(RecomputeBack { x: self.id, part, recompute: recompute.clone() })
        })
    }
}

struct RecomputeBack {
    x: ValueId,
    part: Part,
    recompute: Recompute,
}

impl Backward for RecomputeBack {
    fn backward(&self, _y: ValueId, d_y: Vec<f32>, tape: &mut Tape<'_>) {
        let mut graph = self.recompute.backward.borrow_mut();
        graph.reset();
        let d_x = {
            let x = graph.leaf(tape.shape(self.x).rows, tape.value(self.x));
            // The gradient of sum(d_y y) with respect to y is d_y.
            let sum = (self.part)(x).weighted_sum(&d_y);
            graph.backward_to(sum, tape.gradients, Some(x))
        };
        tape.buffers.put(d_y);
        if let Some(d_x) = d_x {
            tape.add(self.x, d_x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Gradients, Linear, ParamId, Weight, gradcheck::cpu};
    use psi_kernels::Format;

    #[test]
    fn a_recomputed_part_has_the_same_bits_and_the_same_gradients() {
        let cpu = cpu();
        let weight = |i: u32| {
            let values = (0..16).map(|v| (v as f32 * 0.3 + i as f32).sin()).collect();
            Linear::new(Weight::trainable(&cpu, ParamId(i), Format::F32, (4, 4), values))
        };
        let run = |graph: &Graph| {
            let first = weight(0);
            let x = graph.input(3, &(0..12).map(|v| v as f32 * 0.1).collect::<Vec<_>>());
            let x = x.linear(&first);
            let layer = weight(1);
            let part: Part = Box::new(move |x| x + x.linear(&layer).scale(0.5));
            let y = match graph.recompute() {
                Some(recompute) => x.recomputed(recompute, part),
                None => part(x),
            };
            let loss = y.weighted_sum(&(0..12).map(|v| (v as f32).cos()).collect::<Vec<_>>());
            let mut gradients = Gradients::new();
            let value = loss.item();
            graph.backward(loss, &mut gradients);
            let of = |i| gradients.get(ParamId(i)).map(<[f32]>::to_vec);
            (value, of(0), of(1))
        };
        let kept = run(&Graph::train(&cpu));
        assert!(kept.1.is_some() && kept.2.is_some());
        assert_eq!(run(&Graph::train_recomputing(&cpu)), kept);
    }
}
