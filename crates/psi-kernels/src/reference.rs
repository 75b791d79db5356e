//! Obviously right f64 implementations that every fast kernel is held against.

pub mod activation;
pub mod attention;
pub mod gemm;
pub mod norm;
pub mod qmatmul;
pub mod rope;
pub mod softmax;
