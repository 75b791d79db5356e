//! The tape and the fused operations: one set of ops that inference runs and training differentiates.
//!
//! [`Graph`] computes eagerly; [`Var`] is a copyable handle to one of its tensors. A graph made with
//! [`Graph::train`] also records how each tensor came about, and [`Graph::backward`] walks that record.
//! The same kernels run either way, so a training forward pass and an inference pass over the same
//! [`Weight`]s give the same bits.
//!
//! Every op has a file in `ops/`: formula, forward, backward, gradient check. That list is what a
//! backend implements: nothing above this crate names a device.

mod buffers;
mod gradients;
mod graph;
mod ops;
pub mod optim;
mod rows;
mod var;
mod weight;

#[cfg(test)]
mod gradcheck;

pub use gradients::{Gradients, ParamId};
pub use graph::Graph;
pub use ops::{ExpertPart, Part, Recompute, RopeTables, Routing, RowAdapter};
pub use var::Var;
pub use weight::{LayerNorm, Linear, Lora, Magnitude, Parameter, RmsNorm, Vector, Weight};
