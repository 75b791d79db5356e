//! f32 and bf16 matrix products: packed panels for weights, and general products for gradients.

use crate::{AlignedBuf, Cpu, Format, simd};

/// Output features per panel: one 512-bit vector of f32.
pub(crate) const NR: usize = 16;

/// Dense weights in panels of [`NR`] output rows.
///
/// f32: `[n / 16][k][16]`. bf16: `[n / 16][k / 2][16][2]` (k-pairs side by side, as `vdpbf16ps` and
/// `tdpbf16ps` read them), k padded with zeros to a multiple of 32. Missing rows are zero.
#[derive(Clone, Debug)]
pub(crate) struct DensePanels {
    n: usize,
    k: usize,
    format: Format,
    data: AlignedBuf,
}

impl DensePanels {
    pub(crate) fn pack_f32(_cpu: &Cpu, n: usize, k: usize, weights: &[f32]) -> Self {
        let mut data = AlignedBuf::zeroed(n.next_multiple_of(NR) * k * 4);
        let out = data.f32s_mut();
        for row in 0..n {
            for col in 0..k {
                out[(row / NR * k + col) * NR + row % NR] = weights[row * k + col];
            }
        }
        Self { n, k, format: Format::F32, data }
    }

    pub(crate) fn pack_bf16_from_f32(cpu: &Cpu, n: usize, k: usize, weights: &[f32]) -> Self {
        let bits: Vec<u16> = weights.iter().map(|&x| simd::bf16_from_f32(x)).collect();
        Self::pack_bf16(cpu, n, k, &bits)
    }

    pub(crate) fn pack_bf16(_cpu: &Cpu, n: usize, k: usize, weights: &[u16]) -> Self {
        let k_pad = k.next_multiple_of(32);
        let mut data = AlignedBuf::zeroed(n.next_multiple_of(NR) * k_pad * 2);
        let out = data.u16s_mut();
        for row in 0..n {
            for col in 0..k {
                let panel = row / NR * k_pad * NR;
                out[panel + (col / 2 * NR + row % NR) * 2 + col % 2] = weights[row * k + col];
            }
        }
        Self { n, k, format: Format::Bf16, data }
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn bytes(&self) -> usize {
        self.data.len()
    }

    pub(crate) fn row(&self, row: usize, out: &mut [f32]) {
        for (col, x) in out.iter_mut().enumerate() {
            *x = self.at(row, col);
        }
    }

    fn at(&self, row: usize, col: usize) -> f32 {
        if self.format == Format::F32 {
            return self.data.f32s()[(row / NR * self.k + col) * NR + row % NR];
        }
        let panel = row / NR * self.k.next_multiple_of(32) * NR;
        simd::f32_from_bf16(self.data.u16s()[panel + (col / 2 * NR + row % NR) * 2 + col % 2])
    }
}

/// y = x Wᵀ for each output (x is (m, k), converted once).
pub(crate) fn multiply(
    _cpu: &Cpu,
    x: &[f32],
    m: usize,
    outputs: &mut [(&DensePanels, &mut [f32])],
) {
    for (w, y) in outputs.iter_mut() {
        for i in 0..m {
            for j in 0..w.n {
                let mut sum = 0.0;
                for p in 0..w.k {
                    let x = x[i * w.k + p];
                    let x = if w.format == Format::Bf16 {
                        simd::f32_from_bf16(simd::bf16_from_f32(x))
                    } else {
                        x
                    };
                    sum = simd::madd::<false>(x, w.at(j, p), sum);
                }
                y[i * w.n + j] = sum;
            }
        }
    }
}

/// Which operand of [`gemm`] is read transposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// C = A B: a is (m, k), b is (k, n).
    Nn,
    /// C = A Bᵀ: a is (m, k), b is (n, k).
    Nt,
    /// C = Aᵀ B: a is (k, m), b is (k, n).
    Tn,
}

/// The element type products are computed in (accumulation is always f32).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compute {
    /// f32 operands.
    F32,
    /// Operands rounded to bf16 first.
    Bf16,
}

/// The shape of a general product: C (m, n) over k.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GemmShape {
    /// Rows of C.
    pub m: usize,
    /// Columns of C.
    pub n: usize,
    /// Length of the sums.
    pub k: usize,
    /// Orientation of the operands.
    pub layout: Layout,
    /// Element type of the products.
    pub compute: Compute,
    /// Add to C instead of overwriting it.
    pub accumulate: bool,
}

/// C = op(A) op(B), or C += op(A) op(B): the products of backward passes, both operands f32 row-major.
///
/// Deterministic for a given shape and tier whatever the number of threads.
///
/// # Panics
/// When a slice's length does not fit the shape.
pub fn gemm(_cpu: &Cpu, shape: GemmShape, a: &[f32], b: &[f32], c: &mut [f32]) {
    let GemmShape { m, n, k, layout, compute, accumulate } = shape;
    assert_eq!((a.len(), b.len(), c.len()), (m * k, k * n, m * n), "operands of {shape:?}");
    let round = |x: f32| match compute {
        Compute::F32 => x,
        Compute::Bf16 => simd::f32_from_bf16(simd::bf16_from_f32(x)),
    };
    for i in 0..m {
        for j in 0..n {
            let mut sum = if accumulate { c[i * n + j] } else { 0.0 };
            for p in 0..k {
                let x = if layout == Layout::Tn { a[p * m + i] } else { a[i * k + p] };
                let y = if layout == Layout::Nt { b[j * k + p] } else { b[p * n + j] };
                sum = simd::madd::<false>(round(x), round(y), sum);
            }
            c[i * n + j] = sum;
        }
    }
}
