//! Matrix products in f64, three loops each.

use crate::gemm::{GemmShape, Layout};

/// y (m, n) = x (m, k) Wᵀ with W (n, k), row-major.
///
/// # Panics
/// When a slice's length does not fit its shape.
pub fn matmul(x: &[f64], m: usize, w: &[f64], n: usize, k: usize) -> Vec<f64> {
    assert_eq!((x.len(), w.len()), (m * k, n * k), "operands of ({m}, {k}) ({n}, {k})");
    let mut y = vec![0.0; m * n];
    for i in 0..m {
        for j in 0..n {
            for p in 0..k {
                y[i * n + j] += x[i * k + p] * w[j * k + p];
            }
        }
    }
    y
}

/// C = op(A) op(B), or C += op(A) op(B), as [`crate::gemm::gemm`] computes it (its `compute` is not
/// looked at: round the operands first).
///
/// # Panics
/// When a slice's length does not fit its shape.
pub fn gemm(shape: GemmShape, a: &[f64], b: &[f64], c: &mut [f64]) {
    let GemmShape { m, n, k, layout, accumulate, .. } = shape;
    assert_eq!((a.len(), b.len(), c.len()), (m * k, k * n, m * n), "operands of {shape:?}");
    for i in 0..m {
        for j in 0..n {
            let mut sum = if accumulate { c[i * n + j] } else { 0.0 };
            for p in 0..k {
                let a = if layout == Layout::Tn { a[p * m + i] } else { a[i * k + p] };
                let b = if layout == Layout::Nt { b[j * k + p] } else { b[p * n + j] };
                sum += a * b;
            }
            c[i * n + j] = sum;
        }
    }
}
