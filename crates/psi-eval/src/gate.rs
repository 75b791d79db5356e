//! The gate.
pub mod simulate;
mod spending;
pub use spending::alpha_of;
