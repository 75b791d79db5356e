//! The loops around the micro-kernels: cache blocking, tasks, and what every tier's kernel is given.
//!
//! An output element is one accumulator that takes k in order. Cutting k into blocks stores the
//! accumulator and loads it again, which changes no bit, so the blocking below is free to depend on
//! the number of rows and threads.
#![expect(
    unsafe_code,
    reason = "micro-kernels take pointers into operands whose bounds are checked here"
)]

use super::{
    NR,
    squeeze::{self, Soon, Squeezed, Unpacked},
};
use crate::{Cpu, Isa};

/// One call of a micro-kernel: C (rows, cols) = A B, or C += A B, over `k` steps.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "one panel at a time, without prefetch, outside x86")
)]
pub(super) struct Block {
    /// First row of A.
    pub(super) a: *const u8,
    /// Bytes between groups of [`Micro::GROUP`] rows of A.
    pub(super) a_stride: usize,
    /// First panel of B.
    pub(super) b: *const u8,
    /// Bytes between panels.
    pub(super) b_stride: usize,
    /// Length of the sums; a multiple of 32 for bf16.
    pub(super) k: usize,
    pub(super) c: *mut f32,
    /// Elements between rows of C.
    pub(super) ldc: usize,
    pub(super) rows: usize,
    /// Columns of C to write: the last panel may be partly beyond the matrix.
    pub(super) cols: usize,
    /// Start from C instead of zero.
    pub(super) accumulate: bool,
    /// The panels needed after these, to prefetch (may equal `b`).
    pub(super) next: *const u8,
    /// Cache lines of each panel at `next` to fetch per 32 k.
    pub(super) next_lines: usize,
}

/// A tier's register tile.
pub(super) trait Micro {
    /// Rows of A per block.
    const MR: usize;
    /// Rows of A stored together: 1 (plain rows) or 16 (tiles of 16 rows x 64 bytes).
    const GROUP: usize;
    /// Bytes of a group per step of k.
    const A_BYTES: usize;
    /// Bytes of a panel per step of k.
    const B_BYTES: usize;
    /// k per pass over the rows of a task: A stays in the second-level cache.
    const KC: usize;
    /// k per pass over the row blocks of one panel group: B stays in the first-level cache.
    const KC_INNER: usize;

    /// Panels per block when a task has `rows` rows.
    fn panels(rows: usize) -> usize;

    /// State for one task.
    fn new() -> Self;

    /// Computes one block.
    ///
    /// # Safety
    /// The CPU has the tier's instructions; every pointer is valid for what the block's sizes say.
    unsafe fn block(&mut self, block: &Block);
}

/// One output of a product: panels of B and the C they produce.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output<'a> {
    pub(super) panels: *const u8,
    pub(super) panel_stride: usize,
    /// How to unpack the panels, where they are squeezed.
    pub(super) squeezed: Option<&'a Squeezed>,
    pub(super) n: usize,
    pub(super) c: *mut f32,
    pub(super) ldc: usize,
}

/// A product with its operands in the kernels' layouts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Product<'a> {
    pub(super) a: *const u8,
    pub(super) a_stride: usize,
    pub(super) m: usize,
    /// Padded as the kernel needs it.
    pub(super) k: usize,
    pub(super) accumulate: bool,
    pub(super) outputs: &'a [Output<'a>],
}

// SAFETY: the pointers are read, except C, of which every task writes its own rectangle.
unsafe impl Sync for Product<'_> {}

/// Rows of A per task: 256 rows of 2,048 bf16 are half of a 2 MiB second-level cache.
const MC: usize = 256;
/// Tasks per thread: enough that a thread which loses its core for a while holds up little.
const TASKS_PER_THREAD: usize = 12;
/// Weights per task below which a task costs more to hand out than it saves.
const MIN_TASK_BYTES: usize = 48 << 10;

/// The rectangle of one output that a task computes.
#[derive(Clone, Copy, Debug)]
struct Rect {
    output: usize,
    row0: usize,
    rows: usize,
    panel0: usize,
    panels: usize,
}

/// Computes all outputs of `product` in one parallel region.
///
/// # Safety
/// The tier of `K` is available; the pointers of `product` are valid for its sizes, and no other
/// reference to C is live.
pub(super) unsafe fn compute<K: Micro>(cpu: &Cpu, product: &Product<'_>) {
    let tasks = split::<K>(cpu.n_threads(), product);
    cpu.pool().run(tasks.len(), &|i| {
        // SAFETY: the rectangles are disjoint and inside C; the rest is the caller's promise.
        unsafe { sweep::<K>(cpu.isa(), product, tasks[i]) }
    });
}

/// Cuts the outputs into rectangles of at most [`MC`] rows and whole panel groups; neighbours in the
/// list share panels, so that threads working side by side read the same part of B.
fn split<K: Micro>(n_threads: usize, product: &Product<'_>) -> Vec<Rect> {
    let n_row_blocks = product.m.div_ceil(MC);
    let row_step = product.m.div_ceil(n_row_blocks).next_multiple_of(K::MR.max(K::GROUP));
    let group = panels_abreast::<K>(product, row_step.min(product.m));
    let all_panels: usize = product.outputs.iter().map(|o| o.n.div_ceil(NR)).sum();
    let wanted = (n_threads * TASKS_PER_THREAD).div_ceil(n_row_blocks);
    let floor = MIN_TASK_BYTES.div_ceil((K::B_BYTES * product.k).max(1));
    let step = all_panels.div_ceil(wanted).max(floor).next_multiple_of(group);
    let mut tasks = Vec::new();
    for (output, o) in product.outputs.iter().enumerate() {
        let n_panels = o.n.div_ceil(NR);
        for panel0 in (0..n_panels).step_by(step) {
            let panels = step.min(n_panels - panel0);
            for row0 in (0..product.m).step_by(row_step) {
                let rows = row_step.min(product.m - row0);
                tasks.push(Rect { output, row0, rows, panel0, panels });
            }
        }
    }
    tasks
}

/// Panels that a task takes at a time for `rows` rows: as many as a kernel, or, where few rows only wait for memory, as
/// squeezed panels lie side by side.
fn panels_abreast<K: Micro>(product: &Product<'_>, rows: usize) -> usize {
    let squeezed = product.outputs.iter().any(|o| o.squeezed.is_some());
    if squeezed && rows <= squeeze::FEW_ROWS { squeeze::ABREAST } else { K::panels(rows) }
}

/// Computes one rectangle: k in blocks, panel groups, k in smaller blocks, row blocks.
///
/// # Safety
/// As for [`compute`]; no other task may write `rect`.
unsafe fn sweep<K: Micro>(isa: Isa, product: &Product<'_>, rect: Rect) {
    let out = product.outputs[rect.output];
    let group = panels_abreast::<K>(product, rect.rows);
    let one_block = rect.rows <= K::MR;
    let (kc, mut kc_inner) = if one_block { (product.k, product.k) } else { (K::KC, K::KC_INNER) };
    if out.squeezed.is_some() {
        kc_inner = kc_inner.min(squeeze::k_step(rect.rows));
    }
    let unpacked_bytes = group * kc_inner.min(product.k) * K::B_BYTES;
    let mut unpacked = out.squeezed.map(|squeezed| (squeezed, Unpacked::new(unpacked_bytes)));
    let end = rect.panel0 + rect.panels;
    let mut micro = K::new();
    for k0 in (0..product.k).step_by(kc) {
        let k1 = product.k.min(k0 + kc);
        for p in (rect.panel0..end).step_by(group) {
            let panels = group.min(end - p);
            for k2 in (k0..k1).step_by(kc_inner) {
                let k = kc_inner.min(k1 - k2);
                let b = if let Some((squeezed, room)) = &mut unpacked {
                    squeezed.unpack(isa, (p, panels), (k2, k), room.words());
                    let at = room.words().as_ptr().cast();
                    let (p, k0) = if k2 + k < k1 { (p, k2 + k) } else { (p + group, k0) };
                    let soon = squeezed.soon(rect.rows, (p, group), (k0, kc_inner));
                    Panels { at, stride: k * K::B_BYTES, next: at, soon }
                } else {
                    let at =
                        |p: usize| out.panels.wrapping_add(p * out.panel_stride + k2 * K::B_BYTES);
                    let next = if p + group < end { at(p + group) } else { at(p) };
                    Panels { at: at(p), stride: out.panel_stride, next, soon: None }
                };
                // SAFETY: p < panels, k2 < k; the caller's promise.
                unsafe { rows::<K>(&mut micro, product, rect, (p, panels), (k2, k), &b) }
            }
        }
    }
}

/// Panels as a kernel reads them, and what to fetch meanwhile.
struct Panels<'a> {
    at: *const u8,
    stride: usize,
    /// The panels after these (`at` where there are none).
    next: *const u8,
    soon: Option<Soon<'a>>,
}

/// All rows of a task times `panels` panels from `p` on, over `k` steps from `k0` on.
///
/// # Safety
/// As for [`sweep`]; `b` holds those panels and steps.
unsafe fn rows<K: Micro>(
    micro: &mut K,
    product: &Product<'_>,
    rect: Rect,
    (p, panels): (usize, usize),
    (k0, k): (usize, usize),
    b: &Panels<'_>,
) {
    let out = product.outputs[rect.output];
    let row_blocks = rect.rows.div_ceil(K::MR);
    let in_kernel = K::panels(rect.rows);
    let calls = panels.div_ceil(in_kernel) * row_blocks;
    let lines = if b.next == b.at || row_blocks == 1 { 0 } else { 16usize.div_ceil(row_blocks) };
    for call in 0..calls {
        if let Some(soon) = &b.soon {
            soon.fetch(call, calls);
        }
        let (j, i) = (call / row_blocks * in_kernel, call % row_blocks);
        let (row, p) = (rect.row0 + i * K::MR, p + j);
        // SAFETY: offsets stay inside the operands: row < m, p < panels, k0 < k. Beyond the last panel only an
        // address is formed, never read.
        unsafe {
            micro.block(&Block {
                a: product.a.add(row / K::GROUP * product.a_stride + k0 * K::A_BYTES),
                a_stride: product.a_stride,
                b: b.at.add(j * b.stride),
                b_stride: b.stride,
                k,
                c: out.c.add(row * out.ldc + p * NR),
                ldc: out.ldc,
                rows: K::MR.min(rect.row0 + rect.rows - row),
                cols: (in_kernel.min(panels - j) * NR).min(out.n - p * NR),
                accumulate: product.accumulate || k0 > 0,
                next: b.next.wrapping_add(i * lines * k / 32 * 64),
                next_lines: lines,
            });
        }
    }
}
