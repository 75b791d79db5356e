//! The fused operations, one file each: formula, forward, backward, gradient check.

mod activate;
mod add;
mod attention;
mod cross_entropy;
mod dora;
mod embed;
mod gather;
mod linear;
mod moe;
mod norm;
mod recompute;
mod rope;
mod scale;
mod softcap;
mod sum;
mod z_loss;

pub use linear::RowAdapter;
pub use moe::{ExpertPart, Routing};
pub use recompute::{Part, Recompute};
pub use rope::RopeTables;

use crate::graph::{Tape, ValueId};

/// The record of one op: how the gradient of its output becomes gradients of its inputs.
pub(crate) trait Backward {
    /// Adds to the gradients of the inputs, given `d_y`, the gradient of the output `y`.
    fn backward(&self, y: ValueId, d_y: Vec<f32>, tape: &mut Tape<'_>);
}
