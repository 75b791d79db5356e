//! Checkpoints and files on disk: safetensors and GGUF read and written, atomic writes, content
//! hashes and the model directory, so that no other crate parses an untrusted file or leaves half
//! of one behind.
//!
//! Everything read from a file is checked before it is used: a count is bounded by the bytes that
//! remain, an offset by the length of the file, a size is computed with checked arithmetic. What is
//! wrong is a [`StoreError`] that names the path, the place and, where there is one, the way out.

pub mod gguf;
pub mod safetensors;

mod assistant;
mod atomic;
mod dtype;
mod error;
mod hash;
mod home;
mod log;
mod mapped;
mod models;
mod nearest;
mod sink;
mod sniff;
mod tensor;

pub use assistant::{Artefact, Assistant, Reason, Served, Switch};
pub use atomic::{AtomicDir, AtomicFile, write_atomic};
pub use dtype::DType;
pub use error::{At, Result, StoreError};
pub use gguf::Gguf;
pub use hash::{ContentHash, Hasher};
pub use home::{Home, HomeVars};
pub use log::{Log, LogLines};
pub use mapped::MappedFile;
pub use models::{ModelDir, ModelEntry, ModelForm, ModelName};
pub use nearest::nearest;
pub use safetensors::SafeTensors;
pub use sink::TensorSink;
pub use tensor::{TensorSpec, TensorView};
