//! The decoder: one configurable transformer for training and inference, and its names on disk.
//!
//! [`Config`] says what a model is; it is read from Hugging Face's `config.json` and from GGUF metadata.
//! [`Decoder`] holds the weights and computes [`Decoder::forward`] on any [`psi_tensor::Graph`]: the same
//! function prefills, decodes and trains. `names.rs` has the table from psi's tensor names to those of
//! the two formats.

mod adapter;
mod batch;
mod block;
mod config;
mod decoder;
mod error;
mod footprint;
mod load;
mod names;
mod rope;
mod save;
mod source;
mod tensors;

pub use adapter::{Adapter, AdapterPart};
pub use batch::{Batch, Want};
pub use config::{
    Biases, Config, Family, LayerKind, Moe, Norm, NormKind, Placement, QkNorm, SpecialTokens,
};
pub use decoder::Decoder;
pub use error::{ModelError, Result};
pub use footprint::Footprint;
pub use load::{Checkpoint, LoadOptions};
pub use rope::{Rope, RopeScaling, Yarn};
pub use save::{FileType, Layout, StoredTensor, Written, stored_tensors};
pub use tensors::{Role, TensorId, TensorInfo};
