//! Micro-kernels in plain Rust: what every other tier's kernels are held against in speed.
#![expect(unsafe_code, reason = "operands arrive as pointers")]

use std::slice;

use super::{
    NR,
    block::{Block, Micro},
};
use crate::simd::madd;

/// Rows per tile: as many as the baseline's vector registers hold (16 of 128 bits, or 32).
const ROWS: usize = if cfg!(target_arch = "x86_64") { 2 } else { 4 };

/// f32 rows times f32 panels.
pub(super) struct PlainF32<const FMA: bool>;

/// f32 rows (already rounded to bf16) times bf16 panels.
pub(super) struct PlainBf16<const FMA: bool>;

impl<const FMA: bool> Micro for PlainF32<FMA> {
    const MR: usize = ROWS;
    const GROUP: usize = 1;
    const A_BYTES: usize = 4;
    const B_BYTES: usize = NR * 4;
    const KC: usize = 512;
    const KC_INNER: usize = 512;

    fn panels(_rows: usize) -> usize {
        1
    }

    fn new() -> Self {
        Self
    }

    unsafe fn block(&mut self, t: &Block) {
        // SAFETY: one panel of k steps is readable (the caller's promise) and aligned to its elements.
        let b = unsafe { slice::from_raw_parts(t.b.cast::<f32>(), t.k * NR) };
        // SAFETY: `t` is passed on unchanged.
        unsafe {
            rows(t, |a, acc| f32_tile::<FMA, _>(a, b, acc), |a, acc| f32_tile::<FMA, _>(a, b, acc));
        }
    }
}

impl<const FMA: bool> Micro for PlainBf16<FMA> {
    const MR: usize = ROWS;
    const GROUP: usize = 1;
    const A_BYTES: usize = 4;
    const B_BYTES: usize = NR * 2;
    const KC: usize = 512;
    const KC_INNER: usize = 512;

    fn panels(_rows: usize) -> usize {
        1
    }

    fn new() -> Self {
        Self
    }

    unsafe fn block(&mut self, t: &Block) {
        // SAFETY: one panel of k / 2 pairs is readable and aligned to a cache line.
        let b = unsafe { slice::from_raw_parts(t.b.cast::<u32>(), t.k / 2 * NR) };
        // SAFETY: `t` is passed on unchanged.
        unsafe {
            rows(
                t,
                |a, acc| bf16_tile::<FMA, _>(a, b, acc),
                |a, acc| bf16_tile::<FMA, _>(a, b, acc),
            );
        }
    }
}

/// Loads C, runs `full` on [`ROWS`] rows or `one` on each of fewer, stores C.
///
/// # Safety
/// The pointers of `t` are valid for its sizes.
unsafe fn rows(
    t: &Block,
    full: impl Fn([&[f32]; ROWS], &mut [[f32; NR]; ROWS]),
    one: impl Fn([&[f32]; 1], &mut [[f32; NR]; 1]),
) {
    // SAFETY: row r < t.rows has k elements.
    let a = |r: usize| unsafe { slice::from_raw_parts(t.a.add(r * t.a_stride).cast::<f32>(), t.k) };
    // SAFETY: row r < t.rows has `cols` elements, and this task alone writes them.
    let c = |r: usize| unsafe { slice::from_raw_parts_mut(t.c.add(r * t.ldc), t.cols) };
    if t.rows == ROWS {
        let mut acc = [[0.0; NR]; ROWS];
        load(t.accumulate, &mut acc, c);
        full(std::array::from_fn(a), &mut acc);
        store(&acc, c);
        return;
    }
    for r in 0..t.rows {
        let mut acc = [[0.0; NR]];
        load(t.accumulate, &mut acc, |_| c(r));
        one([a(r)], &mut acc);
        store(&acc, |_| c(r));
    }
}

fn load<'a>(accumulate: bool, acc: &mut [[f32; NR]], c: impl Fn(usize) -> &'a mut [f32]) {
    for (r, acc) in acc.iter_mut().enumerate().filter(|_| accumulate) {
        let c = c(r);
        acc[..c.len()].copy_from_slice(c);
    }
}

fn store<'a>(acc: &[[f32; NR]], c: impl Fn(usize) -> &'a mut [f32]) {
    for (r, acc) in acc.iter().enumerate() {
        let c = c(r);
        c.copy_from_slice(&acc[..c.len()]);
    }
}

/// acc += a b, k in order.
#[inline(always)]
fn f32_tile<const FMA: bool, const R: usize>(a: [&[f32]; R], b: &[f32], acc: &mut [[f32; NR]; R]) {
    for (p, b) in b.chunks_exact(NR).enumerate() {
        for r in 0..R {
            let a = a[r][p];
            for j in 0..NR {
                acc[r][j] = madd::<FMA>(a, b[j], acc[r][j]);
            }
        }
    }
}

/// acc += a b, k in order; a word of `b` holds k even (low half) and odd (high half).
#[inline(always)]
fn bf16_tile<const FMA: bool, const R: usize>(a: [&[f32]; R], b: &[u32], acc: &mut [[f32; NR]; R]) {
    for (p, b) in b.chunks_exact(NR).enumerate() {
        for r in 0..R {
            let (even, odd) = (a[r][2 * p], a[r][2 * p + 1]);
            for j in 0..NR {
                let sum = madd::<FMA>(even, f32::from_bits(b[j] << 16), acc[r][j]);
                acc[r][j] = madd::<FMA>(odd, f32::from_bits(b[j] & 0xffff_0000), sum);
            }
        }
    }
}
