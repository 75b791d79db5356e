//! Obviously right f64 implementations that every fast kernel is held against.

<<<<<<< HEAD
pub mod activation;
pub mod attention;
pub mod norm;
pub mod rope;
pub mod softmax;
pub mod gemm;
=======
pub mod qmatmul;
>>>>>>> qmatmul
