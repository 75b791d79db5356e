//! The rules that hold psi's source tree in shape, as a library so that `cargo test` runs them.

pub mod tidy;
