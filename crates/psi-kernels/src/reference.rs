//! Obviously right f64 implementations that every fast kernel is held against.

pub mod qmatmul;
