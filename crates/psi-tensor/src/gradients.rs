//! Gradients by parameter, outside the graph: they outlive a step and add up over micro-batches.

/// Which parameter: its index in the model's own order of trainable parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParamId(pub u32);

/// The gradient of every trainable parameter, in the parameter's own layout (row-major f32).
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    by_param: Vec<Vec<f32>>,
}

impl Gradients {
    /// No gradients yet; parameters get zeros when a backward pass first reaches them.
    pub fn new() -> Self {
        Self::default()
    }

    /// The gradient of `id`, or `None` if no backward pass has reached it.
    pub fn get(&self, id: ParamId) -> Option<&[f32]> {
        self.by_param.get(id.0 as usize).filter(|g| !g.is_empty()).map(Vec::as_slice)
    }

    /// The gradient of `id` to change in place (clipping, averaging), if there is one.
    pub fn get_mut(&mut self, id: ParamId) -> Option<&mut [f32]> {
        self.by_param.get_mut(id.0 as usize).filter(|g| !g.is_empty()).map(Vec::as_mut_slice)
    }

    /// Every gradient that exists, in the order of the ids.
    pub fn iter(&self) -> impl Iterator<Item = (ParamId, &[f32])> {
        let all = self.by_param.iter().enumerate().filter(|(_, g)| !g.is_empty());
        all.map(|(i, g)| (ParamId(i as u32), g.as_slice()))
    }

    /// Gives `id` a gradient of `len` zeros if it has none: a parameter that no backward pass has reached yet
    /// is then treated as one that it reached with nothing.
    pub fn reserve(&mut self, id: ParamId, len: usize) {
        self.slot(id, len);
    }

    /// Sets every gradient to zero and keeps the memory.
    pub fn zero(&mut self) {
        self.by_param.iter_mut().for_each(|g| g.fill(0.0));
    }

    /// The `len` values of `id` to add to.
    pub(crate) fn slot(&mut self, id: ParamId, len: usize) -> &mut [f32] {
        let i = id.0 as usize;
        if self.by_param.len() <= i {
            self.by_param.resize_with(i + 1, Vec::new);
        }
        let gradient = &mut self.by_param[i];
        if gradient.is_empty() {
            gradient.resize(len, 0.0);
        }
        assert_eq!(gradient.len(), len, "two parameters share {id:?}");
        gradient
    }
}
