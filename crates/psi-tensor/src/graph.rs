//! The graph: computes ops eagerly, and in training keeps the record that gradients are made from.

use std::{
    cell::{Ref, RefCell},
    fmt,
    sync::Arc,
};

use psi_kernels::Cpu;

use crate::{Gradients, Var, buffers::Buffers, ops::Backward, ops::Recompute};

/// Index of a value in its graph.
pub(crate) type ValueId = u32;

/// Rows and columns of a value; everything a decoder passes between ops is a table of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) rows: usize,
    pub(crate) cols: usize,
}

impl Shape {
    pub(crate) fn new(rows: usize, cols: usize) -> Self {
        Self { rows, cols }
    }

    pub(crate) fn len(self) -> usize {
        self.rows * self.cols
    }
}

/// Tensors computed one after another, and (for training) how.
///
/// Memory comes from buffers that the graph keeps, so a graph is reused: [`Graph::reset`] between
/// steps (it needs `&mut`, hence no [`Var`] can survive it) and [`Graph::scope`] around a layer.
pub struct Graph {
    cpu: Arc<Cpu>,
    records: bool,
    recompute: Option<Recompute>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    values: Vec<Value>,
    buffers: Buffers,
}

/// A tensor and, when recorded, the way back.
pub(crate) struct Value {
    pub(crate) shape: Shape,
    pub(crate) data: Vec<f32>,
    pub(crate) needs_grad: bool,
    released: bool,
    back: Option<Box<dyn Backward>>,
}

impl Graph {
    /// A graph that records, for [`Graph::backward`].
    pub fn train(cpu: &Arc<Cpu>) -> Self {
        Self { cpu: Arc::clone(cpu), records: true, recompute: None, state: RefCell::default() }
    }

    /// A graph that records, and in which a model's layers keep their inputs only ([`Var::recomputed`]).
    pub fn train_recomputing(cpu: &Arc<Cpu>) -> Self {
        Self { recompute: Some(Recompute::new(cpu)), ..Self::train(cpu) }
    }

    /// What layers are run again with, if they are to be.
    pub fn recompute(&self) -> Option<&Recompute> {
        self.recompute.as_ref()
    }

    /// A graph that only computes.
    pub fn infer(cpu: &Arc<Cpu>) -> Self {
        Self { cpu: Arc::clone(cpu), records: false, recompute: None, state: RefCell::default() }
    }

    /// Whether this graph records.
    pub fn is_training(&self) -> bool {
        self.records
    }

    /// A value from `data`, `rows` rows of equal length; no gradient flows into it.
    ///
    /// # Panics
    /// When the length is no multiple of `rows`.
    #[track_caller]
    pub fn input(&self, rows: usize, data: &[f32]) -> Var<'_> {
        let cols = data.len().checked_div(rows).unwrap_or(0);
        assert_eq!(rows * cols, data.len(), "{} values in {rows} rows", data.len());
        self.compute(
            Shape::new(rows, cols),
            false,
            |_, y| y.copy_from_slice(data),
            || unreachable!("inputs need no gradient"),
        )
    }

    /// Runs `f` and, when not recording, releases every value made inside except the result.
    pub fn scope<'g>(&'g self, f: impl FnOnce() -> Var<'g>) -> Var<'g> {
        let first = self.state.borrow().values.len();
        let result = f();
        if !self.records {
            let State { values, buffers } = &mut *self.state.borrow_mut();
            for (i, value) in values.iter_mut().enumerate().skip(first) {
                if i != result.id as usize && !value.released {
                    value.released = true;
                    buffers.put(std::mem::take(&mut value.data));
                }
            }
        }
        result
    }

    /// [`Graph::scope`] around a function of `x` that also uses `x` up: when not recording, `x` is released
    /// too (unless it is the result).
    pub fn scope_from<'g>(&'g self, x: Var<'g>, f: impl FnOnce(Var<'g>) -> Var<'g>) -> Var<'g> {
        let result = self.scope(|| f(x));
        if !self.records && result.id != x.id {
            let State { values, buffers } = &mut *self.state.borrow_mut();
            let value = &mut values[x.id as usize];
            if !value.released {
                value.released = true;
                buffers.put(std::mem::take(&mut value.data));
            }
        }
        result
    }

    /// Forgets all values and keeps their memory for the next step.
    pub fn reset(&mut self) {
        let State { values, buffers } = self.state.get_mut();
        values.drain(..).for_each(|v| buffers.put(v.data));
    }

    /// Returns the memory kept for reuse to the system.
    pub fn trim(&mut self) {
        self.state.get_mut().buffers.clear();
    }

    /// Bytes this graph holds, in use or kept.
    pub fn bytes(&self) -> usize {
        let state = self.state.borrow();
        let live: usize = state.values.iter().map(|v| v.data.capacity() * size_of::<f32>()).sum();
        live + state.buffers.bytes()
    }

    /// Adds d `loss` / d parameter to `gradients` for every parameter that `loss` depends on. All values
    /// are released on the way; [`Graph::reset`] comes next.
    ///
    /// # Panics
    /// When the graph does not record, or `loss` is not a single value of this graph.
    #[track_caller]
    pub fn backward(&self, loss: Var<'_>, gradients: &mut Gradients) {
        self.backward_to(loss, gradients, None);
    }

    /// [`Graph::backward`] that also returns d `loss` / d `leaf`, a value of [`Graph::leaf`].
    #[track_caller]
    pub(crate) fn backward_to(
        &self,
        loss: Var<'_>,
        gradients: &mut Gradients,
        leaf: Option<Var<'_>>,
    ) -> Option<Vec<f32>> {
        let mut of_leaf = None;
        assert!(self.records, "backward on a graph that does not record");
        assert!(std::ptr::eq(self, loss.graph), "{loss:?} belongs to another graph");
        assert_eq!(loss.shape.len(), 1, "a loss is one number, not {loss:?}");
        let State { values, buffers } = &mut *self.state.borrow_mut();
        let mut d: Vec<Option<Vec<f32>>> = Vec::new();
        d.resize_with(values.len(), || None);
        d[loss.id as usize] = Some(vec![1.0]);
        for i in (0..values.len()).rev() {
            let back = values[i].back.take();
            match (d[i].take(), back) {
                (Some(d_y), Some(back)) => {
                    let cpu = &*self.cpu;
                    let mut tape = Tape { cpu, values, d: &mut d, buffers, gradients };
                    back.backward(i as ValueId, d_y, &mut tape);
                }
                (Some(d_y), None) if leaf.is_some_and(|v| v.id as usize == i) => {
                    of_leaf = Some(d_y);
                }
                (Some(d_y), None) => buffers.put(d_y),
                (None, _) => {}
            }
            // Only ops before this one are left, and none of them reads this value.
            values[i].released = true;
            buffers.put(std::mem::take(&mut values[i].data));
        }
        of_leaf
    }

    /// [`Graph::input`] whose gradient [`Graph::backward_to`] returns.
    pub(crate) fn leaf(&self, rows: usize, data: &[f32]) -> Var<'_> {
        let leaf = self.input(rows, data);
        self.state.borrow_mut().values[leaf.id as usize].needs_grad = true;
        leaf
    }

    pub(crate) fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// Adds a value: `forward` fills it from the values before, `back` makes the record of it, which
    /// is kept only in training and when a gradient is wanted (`needs_grad`).
    pub(crate) fn compute<'g>(
        &'g self,
        shape: Shape,
        needs_grad: bool,
        forward: impl FnOnce(&Values<'_>, &mut [f32]),
        back: impl FnOnce() -> Box<dyn Backward>,
    ) -> Var<'g> {
        let mut data = self.buffer(shape.len());
        forward(&Values(&self.state.borrow().values), &mut data);
        self.push(shape, data, needs_grad, back)
    }

    /// Adds a value that is already computed.
    pub(crate) fn push<'g>(
        &'g self,
        shape: Shape,
        data: Vec<f32>,
        needs_grad: bool,
        back: impl FnOnce() -> Box<dyn Backward>,
    ) -> Var<'g> {
        debug_assert_eq!(shape.len(), data.len());
        let back = (self.records && needs_grad).then(back);
        let needs_grad = back.is_some();
        let values = &mut self.state.borrow_mut().values;
        values.push(Value { shape, data, needs_grad, released: false, back });
        Var { graph: self, id: (values.len() - 1) as ValueId, shape }
    }

    /// A buffer of unspecified content.
    pub(crate) fn buffer(&self, len: usize) -> Vec<f32> {
        self.state.borrow_mut().buffers.take(len)
    }

    /// Takes a value's memory out of the graph; [`Graph::recycle`] gives it back.
    ///
    /// # Panics
    /// When the value is gone already.
    #[track_caller]
    pub fn take(&self, v: Var<'_>) -> Vec<f32> {
        let value = &mut self.state.borrow_mut().values[v.id as usize];
        assert!(!value.released, "{v:?} was released");
        value.released = true;
        std::mem::take(&mut value.data)
    }

    /// Gives a buffer back, for the next values.
    pub fn recycle(&self, buffer: Vec<f32>) {
        self.state.borrow_mut().buffers.put(buffer);
    }

    #[track_caller]
    pub(crate) fn data(&self, id: ValueId) -> Ref<'_, [f32]> {
        Ref::map(self.state.borrow(), |s| Values(&s.values).live(id))
    }

    pub(crate) fn needs_grad(&self, id: ValueId) -> bool {
        self.records && self.state.borrow().values[id as usize].needs_grad
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.state.borrow().values.len();
        write!(f, "Graph({n} values, training: {})", self.records)
    }
}

/// The values computed so far, for an op's forward pass.
pub(crate) struct Values<'a>(&'a [Value]);

impl<'a> Values<'a> {
    #[track_caller]
    pub(crate) fn get(&self, v: Var<'_>) -> &'a [f32] {
        self.live(v.id)
    }

    #[track_caller]
    fn live(&self, id: ValueId) -> &'a [f32] {
        let value = &self.0[id as usize];
        assert!(!value.released, "value {id} was released at the end of its scope");
        &value.data
    }
}

/// What an op's backward pass works on.
pub(crate) struct Tape<'a> {
    pub(crate) cpu: &'a Cpu,
    values: &'a [Value],
    d: &'a mut [Option<Vec<f32>>],
    pub(crate) buffers: &'a mut Buffers,
    pub(crate) gradients: &'a mut Gradients,
}

impl<'a> Tape<'a> {
    /// The value itself.
    pub(crate) fn value(&self, id: ValueId) -> &'a [f32] {
        &self.values[id as usize].data
    }

    pub(crate) fn shape(&self, id: ValueId) -> Shape {
        self.values[id as usize].shape
    }

    /// Whether anybody wants the gradient of `id`.
    pub(crate) fn wants(&self, id: ValueId) -> bool {
        self.values[id as usize].needs_grad
    }

    /// d_id += `d`, taking the buffer.
    pub(crate) fn add(&mut self, id: ValueId, d: Vec<f32>) {
        if !self.wants(id) {
            self.buffers.put(d);
            return;
        }
        match &mut self.d[id as usize] {
            slot @ None => *slot = Some(d),
            Some(sum) => {
                crate::rows::for_parts(self.cpu, 1, sum, |range, sum| {
                    sum.iter_mut().zip(&d[range]).for_each(|(s, d)| *s += d);
                });
                self.buffers.put(d);
            }
        }
    }

    /// The gradient of `id` so far, to add to and to give back with [`Tape::put`]; `None` if there is
    /// none yet.
    pub(crate) fn take(&mut self, id: ValueId) -> Option<Vec<f32>> {
        self.d[id as usize].take()
    }

    /// Sets d_id (after [`Tape::take`]).
    pub(crate) fn put(&mut self, id: ValueId, d: Vec<f32>) {
        self.d[id as usize] = Some(d);
    }
}
