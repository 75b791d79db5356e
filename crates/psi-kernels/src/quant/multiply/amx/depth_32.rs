//! Formats with 32-value blocks in tiles of 32 k values: one f16 scale each, so one flush to f32 each.
//!
//! The tiles read records of Q8_0: 16 f16 scales of each of two blocks, then signed bytes. Panels of Q8_0 are
//! such records; those of other formats are expanded to some.
#![expect(unsafe_code, reason = "AVX-512 intrinsics; kernels need their tier")]

mod stream;

use std::{arch::x86_64::*, ops::Range};

use self::stream::{Products, RECORDS_PER_PART, Stream};
use super::{
    super::{Task, groups::for_groups},
    DEPTH_32, TILE_ROWS, Tiles,
};
use crate::quant::{
    activations::Activations,
    multiply::{
        avx512::Avx512,
        formats::{Format32, Q8_0},
    },
    panels::{B32_SCALES, ROWS},
};

type Lane = Avx512<true>;

/// Records (of 64 k values) per pass over the rows: their weights stay in the L1 cache.
const RECORDS: usize = 16;

const _: () = assert!(RECORDS.is_multiple_of(RECORDS_PER_PART), "a pass begins with a part of x");

/// One record of Q8_0: the scales, then `[quad][16][4]`.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Record([u8; Q8_0::RECORD]);

/// # Safety
/// The CPU has the AMX tier; the task's panels are of F; x is in groups of 16 rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) unsafe fn task<F: Format32>(task: &Task<'_>) {
    // SAFETY: the caller's contract.
    let _tiles = unsafe { Tiles::configure(&DEPTH_32) };
    let mut products = Products::default();
    // Signed bytes need no expansion.
    let mut expanded = (!F::SIGNED).then_some([Record([0; _]); RECORDS]);
    for_groups(task, |panels, rows, sums| {
        let n_records = task.x.n_blocks / 2;
        for first in (0..n_records).step_by(RECORDS) {
            let end = n_records.min(first + RECORDS);
            for (i, panel) in panels.clone().enumerate() {
                let packed = &task.out.w.panel(panel)[first * F::RECORD..end * F::RECORD];
                let mut weights = packed.as_ptr();
                if let Some(expanded) = &mut expanded {
                    // SAFETY: the caller's contract.
                    unsafe { expand::<F>(packed, expanded) };
                    weights = expanded.as_ptr().cast();
                }
                let part = Part { weights, packed, n_records: end - first, first };
                // SAFETY: the caller's contract; tiles are configured.
                unsafe {
                    part.multiply::<F>(task.x, rows.clone(), sums.panel(i), &mut products);
                }
            }
        }
    });
}

/// Records of F as records of Q8_0.
///
/// # Safety
/// The CPU has the tier; `packed` are records of F.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn expand<F: Format32>(packed: &[u8], out: &mut [Record; RECORDS]) {
    for (record, Record(out)) in packed.chunks_exact(F::RECORD).zip(out) {
        out[..B32_SCALES].copy_from_slice(&record[..B32_SCALES]);
        for h in 0..2 {
            let out = out[B32_SCALES + h * 512..].as_mut_ptr();
            // SAFETY: the caller's contract; 512 bytes follow.
            unsafe {
                expand_step::<F, 0>(record.as_ptr(), h, out);
                expand_step::<F, 1>(record.as_ptr(), h, out);
                expand_step::<F, 2>(record.as_ptr(), h, out);
                expand_step::<F, 3>(record.as_ptr(), h, out);
            }
        }
    }
}

/// Quads J and J + 4 of block `h`.
///
/// # Safety
/// As [`expand`]; `out` is aligned and 512 bytes may be written.
#[inline(always)]
unsafe fn expand_step<F: Format32, const J: usize>(record: *const u8, h: usize, out: *mut u8) {
    // SAFETY: the caller's contract.
    unsafe {
        let zero = _mm512_set1_epi8(F::ZERO);
        let (w0, w1) = F::step::<Lane, J>(record, h);
        _mm512_store_si512(out.add(J * 64).cast(), _mm512_sub_epi8(w0, zero));
        _mm512_store_si512(out.add(J * 64 + 256).cast(), _mm512_sub_epi8(w1, zero));
    }
}

/// Some records of a panel.
struct Part<'a> {
    /// As records of Q8_0.
    weights: *const u8,
    /// As they are.
    packed: &'a [u8],
    /// At least 1.
    n_records: usize,
    /// Number of the first in the panel.
    first: usize,
}

impl Part<'_> {
    /// Adds the products with `rows` of x to `sums`.
    ///
    /// # Safety
    /// The CPU has the tier; tiles are configured 32 deep; the part is of F.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    unsafe fn multiply<F: Format32>(
        &self,
        x: &Activations,
        rows: Range<usize>,
        sums: &mut [[f32; ROWS]],
        products: &mut Products,
    ) {
        for first in rows.clone().step_by(TILE_ROWS) {
            let sums = &mut sums[first - rows.start..][..TILE_ROWS];
            let stream = Stream {
                n_records: self.n_records,
                weights: self.weights,
                x: x.values(first, self.first / RECORDS_PER_PART).as_ptr(),
                part_bytes: x.part_bytes(),
                x_scales: x.scales(first, 2 * self.first)[..TILE_ROWS].as_ptr(),
                rows: x.rows(),
            };
            let mut acc = [_mm512_setzero_ps(); TILE_ROWS];
            for r in 0..TILE_ROWS {
                // SAFETY: 16 sums of a row.
                acc[r] = unsafe { _mm512_loadu_ps(sums[r].as_ptr()) };
            }
            if F::MIN {
                let bias = x.bias(first, 2 * self.first)[..TILE_ROWS].as_ptr();
                let minima = self.packed.chunks_exact(F::RECORD).map(|r| &r[B32_SCALES..]);
                // SAFETY: the caller's contract; the biases lie as the scales of x do.
                unsafe { stream.add_with_minima(minima, bias, products, &mut acc) };
            } else {
                // SAFETY: the caller's contract.
                unsafe { stream.add(products, &mut acc) };
            }
            for r in 0..TILE_ROWS {
                // SAFETY: 16 sums of a row.
                unsafe { _mm512_storeu_ps(sums[r].as_mut_ptr(), acc[r]) };
            }
        }
    }
}
