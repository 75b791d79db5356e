//! Formats with 32-value blocks in tiles of 32 k values: one f16 scale each, so one flush to f32 each.
#![expect(unsafe_code, reason = "AVX-512 intrinsics; kernels need their tier")]

mod stream;

use std::{arch::x86_64::*, ops::Range};

use self::stream::{RECORDS_PER_PART, Stream};
use super::{
    super::{Task, groups::for_groups},
    DEPTH_32, TILE, TILE_ROWS, Tiles,
};
use crate::quant::{
    activations::Activations,
    multiply::{avx512::Avx512, formats::Format32, lanes::Lanes},
    panels::{B32_SCALES, ROWS},
};

type Lane = Avx512<true>;

/// Records (of 64 k values) per pass over the rows: their weights stay in the L1 cache.
const RECORDS: usize = 16;

/// Signed weights `[record][quad][16][4]`.
#[repr(C, align(64))]
struct Weights([[u8; TILE]; RECORDS]);

impl Default for Weights {
    fn default() -> Self {
        Self([[0; TILE]; _])
    }
}

/// Scales d of the records' blocks.
#[derive(Default)]
#[repr(C, align(64))]
struct Scales([[f32; ROWS]; 2 * RECORDS]);

/// Stored accumulators: of two records, of the two blocks of each. Aligned so that one bit of an address tells
/// which record's they are.
#[repr(C, align(4096))]
struct Products([[[[i32; ROWS]; TILE_ROWS]; 2]; 2]);

impl Default for Products {
    fn default() -> Self {
        Self([[[[0; _]; _]; _]; _])
    }
}

/// # Safety
/// The CPU has the AMX tier; the task's panels are of F; x is in groups of 16 rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) unsafe fn task<F: Format32>(task: &Task<'_>) {
    // SAFETY: the caller's contract.
    let _tiles = unsafe { Tiles::configure(&DEPTH_32) };
    let mut part = Part::default();
    for_groups(task, |panels, rows, sums| {
        let n_records = task.x.n_blocks / 2;
        for first in (0..n_records).step_by(RECORDS) {
            let end = n_records.min(first + RECORDS);
            for (i, panel) in panels.clone().enumerate() {
                let records = &task.out.w.panel(panel)[first * F::RECORD..end * F::RECORD];
                // SAFETY: the caller's contract; tiles are configured.
                unsafe {
                    part.expand::<F>(records);
                    part.multiply::<F>(task.x, rows.clone(), first, sums.panel(i));
                }
            }
        }
    });
}

/// Weights of a record as signed bytes.
///
/// # Safety
/// The CPU has the tier; `record` is one of F.
#[inline(always)]
unsafe fn expand<F: Format32>(record: *const u8, out: &mut [u8; TILE]) {
    // SAFETY: the caller's contract.
    unsafe {
        for h in 0..2 {
            let out = out[h * 512..].as_mut_ptr();
            expand_step::<F, 0>(record, h, out);
            expand_step::<F, 1>(record, h, out);
            expand_step::<F, 2>(record, h, out);
            expand_step::<F, 3>(record, h, out);
        }
    }
}

/// Quads J and J + 4 of block `h`.
///
/// # Safety
/// As [`expand`]; 512 bytes may be written.
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

/// Up to [`RECORDS`] records of a panel, expanded.
#[derive(Default)]
struct Part {
    n_records: usize,
    weights: Weights,
    scales: Scales,
    mins: Scales,
    products: Products,
}

impl Part {
    /// # Safety
    /// The CPU has the tier; `records` are of F.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    unsafe fn expand<F: Format32>(&mut self, records: &[u8]) {
        self.n_records = records.len() / F::RECORD;
        for (r, record) in records.chunks_exact(F::RECORD).enumerate() {
            // SAFETY: the caller's contract.
            unsafe {
                let record = record.as_ptr();
                expand::<F>(record, &mut self.weights.0[r]);
                for h in 0..2 {
                    let d = Lane::f16s(record.add(h * 32));
                    Lane::store(d, self.scales.0[2 * r + h].as_mut_ptr());
                    if F::MIN {
                        let m = Lane::f16s(record.add(B32_SCALES + h * 32));
                        Lane::store(m, self.mins.0[2 * r + h].as_mut_ptr());
                    }
                }
            }
        }
    }

    /// Adds the products with `rows` of x, from record `at` of x on, to `sums`.
    ///
    /// # Safety
    /// The CPU has the tier; tiles are configured 32 deep.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    unsafe fn multiply<F: Format32>(
        &mut self,
        x: &Activations,
        rows: Range<usize>,
        at: usize,
        sums: &mut [[f32; ROWS]],
    ) {
        for first in rows.clone().step_by(TILE_ROWS) {
            let sums = &mut sums[first - rows.start..][..TILE_ROWS];
            // SAFETY: the caller's contract.
            unsafe { self.multiply_rows::<F>(x, first, at, sums) };
        }
    }

    /// Adds the products with the 16 rows of x from `first` on (the last may be padding).
    ///
    /// # Safety
    /// As [`Self::multiply`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    unsafe fn multiply_rows<F: Format32>(
        &mut self,
        x: &Activations,
        first: usize,
        at: usize,
        sums: &mut [[f32; ROWS]],
    ) {
        // SAFETY: the CPU has the tier (contract).
        let mut acc = unsafe { [_mm512_setzero_ps(); TILE_ROWS] };
        for r in 0..TILE_ROWS {
            // SAFETY: 16 rows of sums.
            acc[r] = unsafe { _mm512_loadu_ps(sums[r].as_ptr()) };
        }
        debug_assert!(at.is_multiple_of(RECORDS_PER_PART), "a pass begins with a part of x");
        let stream = Stream {
            n_records: self.n_records,
            a: x.values(first, at / RECORDS_PER_PART).as_ptr(),
            part_bytes: x.part_bytes(),
            d_a: x.scales(first, 2 * at)[..TILE_ROWS].as_ptr(),
            rows: x.rows(),
        };
        match F::MIN {
            // SAFETY: as many records of weights and activations follow; tiles are configured.
            false => unsafe { self.add_records(&stream, &mut acc) },
            true => {
                let bias = x.bias(first, 2 * at)[..TILE_ROWS].as_ptr();
                // SAFETY: as above; the biases lie as the scales do.
                unsafe { self.add_records_with_minimum(&stream, bias, &mut acc) }
            }
        }
        for r in 0..TILE_ROWS {
            // SAFETY: 16 rows of sums.
            unsafe { _mm512_storeu_ps(sums[r].as_mut_ptr(), acc[r]) };
        }
    }
}
