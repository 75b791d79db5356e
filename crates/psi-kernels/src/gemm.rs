//! f32 and bf16 matrix products: packed panels for weights, and general products for gradients.
//!
//! GEMV and GEMM run the same kernels on the same panels: an output element is one accumulator that
//! takes k in order (two within 32 k for AMX), whatever the number of rows, blocks or threads.
#![expect(unsafe_code, reason = "kernels take pointers; lengths are asserted here")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod block;
mod operand;
pub(crate) mod pack;
#[cfg(target_arch = "x86_64")]
mod pack_x86;
mod panels;
mod plain;
mod scratch;
mod squeeze;
#[cfg(target_arch = "x86_64")]
mod tiles;

use crate::{Cpu, Format, Tier};
use block::{Output, Product, compute};
use operand::{Conversion, Form};
use pack::{Elements, Rounding, Source, Words};
use panels::{Packing, panel_bytes};
use scratch::with_scratch;

#[cfg(target_arch = "x86_64")]
pub(crate) use pack_x86::interleaved;
pub(crate) use panels::DensePanels;

/// Output features per panel: one 512-bit vector of f32.
pub(crate) const NR: usize = 16;

/// Scratch that a packed operand may take; larger products are cut.
const MAX_SCRATCH: usize = 16 << 20;
/// Elements of x up to which the caller converts alone: a region costs about as much.
const CONVERT_ALONE: usize = 32 << 10;

/// y = x Wᵀ (or y += x Wᵀ) for each output (x is (m, k), converted once).
pub(crate) fn multiply(
    cpu: &Cpu,
    x: &[f32],
    m: usize,
    outputs: &mut [(&DensePanels, &mut [f32])],
    accumulate: bool,
) {
    for (format, compute) in [(Format::F32, Compute::F32), (Format::Bf16, Compute::Bf16)] {
        let group: Vec<Output<'_>> = outputs
            .iter_mut()
            .filter(|(w, _)| w.format() == format && w.n() > 0)
            .map(|(w, y)| {
                let (panels, panel_stride) = w.panels();
                let squeezed = w.squeezed();
                Output { panels, panel_stride, squeezed, n: w.n(), c: y.as_mut_ptr(), ldc: w.n() }
            })
            .collect();
        if !group.is_empty() {
            multiply_as(cpu, compute, x, m, group, accumulate);
        }
    }
}

/// [`multiply`] for outputs of one format.
fn multiply_as(
    cpu: &Cpu,
    compute: Compute,
    x: &[f32],
    m: usize,
    mut outputs: Vec<Output<'_>>,
    accumulate: bool,
) {
    let k = x.len() / m;
    let form = Form::of(cpu.isa(), compute);
    if form == Form::Float {
        let a = x.as_ptr().cast();
        let product = Product { a, a_stride: k * 4, m, k, accumulate, outputs: &outputs };
        // SAFETY: x is (m, k), every output's panels (n, k) and C (m, n), borrowed exclusively by
        // the caller of `multiply`.
        unsafe { run(cpu, compute, &product) }
        return;
    }
    let step = rows_per_chunk(form, k);
    with_scratch([form.bytes(step.min(m), k), 0], |scratch, _| {
        for row0 in (0..m).step_by(step) {
            let rows = step.min(m - row0);
            let elements = Elements::F32(&x[row0 * k..(row0 + rows) * k]);
            let source = Source { elements, n: rows, k, ld: k, k_inner: true };
            let conversion = Conversion::new(cpu.isa(), form, source, scratch);
            let groups = conversion.groups();
            // SAFETY: every group is converted once, before anything reads it.
            let convert = |i| unsafe { conversion.group(i) };
            if rows * k <= CONVERT_ALONE {
                (0..groups).for_each(convert);
            } else {
                cpu.pool().run(groups, &convert);
            }
            let product = Product {
                a: scratch.as_ptr(),
                a_stride: form.stride(k),
                m: rows,
                k: k.next_multiple_of(32),
                accumulate,
                outputs: &outputs,
            };
            // SAFETY: as above, for these rows.
            unsafe { run(cpu, compute, &product) }
            for output in &mut outputs {
                output.c = output.c.wrapping_add(rows * output.ldc);
            }
        }
    });
}

/// Rows of A to convert at a time.
fn rows_per_chunk(form: Form, k: usize) -> usize {
    let per_16 = form.bytes(16, k).max(1);
    (MAX_SCRATCH / per_16 * 16).next_multiple_of(256)
}

/// Computes a product with the kernel of the tier.
///
/// # Safety
/// The operands are in the tier's form and valid for the product's sizes; nobody else uses C.
unsafe fn run(cpu: &Cpu, compute_in: Compute, product: &Product<'_>) {
    if product.k == 0 {
        for o in product.outputs.iter().filter(|_| !product.accumulate) {
            for row in 0..product.m {
                // SAFETY: row `row` of C has n elements.
                unsafe { std::slice::from_raw_parts_mut(o.c.add(row * o.ldc), o.n).fill(0.0) }
            }
        }
        return;
    }
    let bf16 = compute_in == Compute::Bf16;
    // SAFETY: an `Isa` proves its tier's instructions; the rest is the caller's promise.
    unsafe {
        match cpu.isa().tier() {
            Tier::Portable if bf16 => compute::<plain::PlainBf16<false>>(cpu, product),
            Tier::Portable => compute::<plain::PlainF32<false>>(cpu, product),
            #[cfg(target_arch = "x86_64")]
            tier => match tier {
                Tier::Amx if bf16 => compute::<tiles::Tiles>(cpu, product),
                Tier::Avx512Vnni if bf16 => compute::<avx512::Pairs>(cpu, product),
                Tier::Avx512 if bf16 => compute::<avx512::Widened>(cpu, product),
                Tier::Avx2 if bf16 => compute::<avx2::Widened>(cpu, product),
                Tier::Avx2 => compute::<avx2::F32>(cpu, product),
                _ => compute::<avx512::F32>(cpu, product),
            },
            // The other architectures' fused multiply-add is part of their baseline.
            #[cfg(not(target_arch = "x86_64"))]
            _ if bf16 => compute::<plain::PlainBf16<true>>(cpu, product),
            #[cfg(not(target_arch = "x86_64"))]
            _ => compute::<plain::PlainF32<true>>(cpu, product),
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
pub fn gemm(cpu: &Cpu, shape: GemmShape, a: &[f32], b: &[f32], c: &mut [f32]) {
    let GemmShape { m, n, k, layout, compute, .. } = shape;
    assert_eq!((a.len(), b.len(), c.len()), (m * k, k * n, m * n), "operands of {shape:?}");
    if m == 0 || n == 0 {
        return;
    }
    let form = Form::of(cpu.isa(), compute);
    let format = if compute == Compute::F32 { Format::F32 } else { Format::Bf16 };
    let direct = form == Form::Float && layout != Layout::Tn;
    let rows = if direct { m } else { rows_per_chunk(form, k).min(m) };
    let cols = (MAX_SCRATCH / panel_bytes(format, k).max(1) * NR).next_multiple_of(192).min(n);
    let sizes =
        [if direct { 0 } else { form.bytes(rows, k) }, cols.div_ceil(NR) * panel_bytes(format, k)];
    with_scratch(sizes, |a_scratch, b_scratch| {
        let mut general = General { cpu, shape, form, a, b, c, a_scratch, b_scratch };
        for col0 in (0..n).step_by(cols) {
            for row0 in (0..m).step_by(rows) {
                general.chunk(row0, rows.min(m - row0), col0, cols.min(n - col0));
            }
        }
    });
}

/// One call of [`gemm`].
struct General<'a> {
    cpu: &'a Cpu,
    shape: GemmShape,
    form: Form,
    a: &'a [f32],
    b: &'a [f32],
    c: &'a mut [f32],
    a_scratch: &'a mut [u8],
    b_scratch: &'a mut [u8],
}

impl General<'_> {
    /// Computes rows x cols of C: packs A and, where these columns come first, B, then multiplies.
    fn chunk(&mut self, row0: usize, rows: usize, col0: usize, cols: usize) {
        let GemmShape { m, n, k, layout, compute, accumulate } = self.shape;
        let (a_at, a_ld) = if layout == Layout::Tn { (row0, m) } else { (row0 * k, k) };
        let (b_at, b_ld) = if layout == Layout::Nt { (col0 * k, k) } else { (col0, n) };
        // An empty k leaves an empty slice to start from.
        let elements = Elements::F32(self.a.get(a_at..).unwrap_or_default());
        let a = Source { elements, n: rows, k, ld: a_ld, k_inner: layout != Layout::Tn };
        let elements = Elements::F32(self.b.get(b_at..).unwrap_or_default());
        let b = Source { elements, n: cols, k, ld: b_ld, k_inner: layout == Layout::Nt };
        let direct = self.form == Form::Float && layout != Layout::Tn;
        let (format, words) = match (compute, layout) {
            (Compute::F32, _) => (Format::F32, Words::Copy),
            (Compute::Bf16, Layout::Nt) => (Format::Bf16, Words::Along(Rounding::Operand)),
            (Compute::Bf16, _) => (Format::Bf16, Words::Across(Rounding::Operand)),
        };
        let packing = Packing::new(self.cpu, &b, words, format, self.b_scratch);
        let b_tasks = if row0 == 0 { packing.tasks() } else { 0 };
        let conversion =
            (!direct).then(|| Conversion::new(self.cpu.isa(), self.form, a, self.a_scratch));
        let a_tasks = conversion.as_ref().map_or(0, Conversion::groups);
        self.cpu.pool().run(b_tasks + a_tasks, &|i| {
            // SAFETY: every task is run once, and the region ends before the panels are read.
            unsafe {
                match &conversion {
                    Some(conversion) if i >= b_tasks => conversion.group(i - b_tasks),
                    _ => packing.task(i),
                }
            }
        });
        let output = Output {
            panels: self.b_scratch.as_ptr(),
            panel_stride: panel_bytes(format, k),
            squeezed: None,
            n: cols,
            c: self.c[row0 * n + col0..].as_mut_ptr(),
            ldc: n,
        };
        let product = Product {
            a: if direct { self.a[row0 * k..].as_ptr().cast() } else { self.a_scratch.as_ptr() },
            a_stride: if direct { k * 4 } else { self.form.stride(k) },
            m: rows,
            k: if compute == Compute::F32 { k } else { k.next_multiple_of(32) },
            accumulate,
            outputs: &[output],
        };
        // SAFETY: the operands were just brought into the tier's form; C is borrowed exclusively.
        unsafe { run(self.cpu, compute, &product) }
    }
}
