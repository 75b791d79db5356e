//! Arithmetic on slices, as fast as this CPU allows: the only crate that knows instruction sets.
//!
//! Everything takes a [`Cpu`] (an [`Isa`] that only detection can build, and a thread [`Pool`]) and
//! plain slices. Within one ISA tier an output element is always accumulated in the same order,
//! whatever the batch, the split of the work or the number of threads.

pub mod activation;
pub mod adamw;
mod amx;
pub mod attention;
mod buffer;
mod cpu;
pub mod elementwise;
pub mod gemm;
mod isa;
pub mod kv;
mod matrix;
pub mod norm;
mod pool;
pub mod quant;
pub mod reference;
pub mod roof;
pub mod rope;
mod simd;
pub mod softmax;

pub use buffer::AlignedBuf;
pub use cpu::Cpu;
pub use isa::{Isa, IsaError, Tier};
pub use matrix::{Format, Matrix, matmul, matmul_add, matmul_many};
pub use pool::{Hold, Pool};
