//! `Var`: a copyable handle to a tensor of a graph. The ops are methods, one file each in `ops/`.

use std::{cell::Ref, fmt};

use crate::{
    Graph,
    graph::{Shape, ValueId},
};

/// A table of f32 values, `rows` by `cols`, that belongs to a [`Graph`].
#[derive(Clone, Copy)]
pub struct Var<'g> {
    pub(crate) graph: &'g Graph,
    pub(crate) id: ValueId,
    pub(crate) shape: Shape,
}

impl<'g> Var<'g> {
    /// Number of rows: usually one per token.
    pub fn rows(self) -> usize {
        self.shape.rows
    }

    /// Values per row.
    pub fn cols(self) -> usize {
        self.shape.cols
    }

    /// The values, row-major. The graph cannot compute while the guard lives; [`Var::to_vec`] copies.
    ///
    /// # Panics
    /// When the value was made inside a [`Graph::scope`] that has ended.
    #[track_caller]
    pub fn data(self) -> Ref<'g, [f32]> {
        self.graph.data(self.id)
    }

    /// A copy of the values.
    #[track_caller]
    pub fn to_vec(self) -> Vec<f32> {
        self.data().to_vec()
    }

    /// The single number of a (1, 1) value, such as a loss.
    ///
    /// # Panics
    /// When there is more than one.
    #[track_caller]
    pub fn item(self) -> f32 {
        assert_eq!(self.shape.len(), 1, "item() of {self:?}");
        self.data()[0]
    }

    pub(crate) fn needs_grad(self) -> bool {
        self.graph.needs_grad(self.id)
    }

    #[track_caller]
    pub(crate) fn assert_same_graph(self, other: Var<'_>) {
        assert!(std::ptr::eq(self.graph, other.graph), "{self:?} and {other:?}: two graphs");
    }
}

impl fmt::Debug for Var<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Var#{}({}, {})", self.id, self.shape.rows, self.shape.cols)
    }
}
