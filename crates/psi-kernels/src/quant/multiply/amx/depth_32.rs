//! Formats with 32-value blocks in tiles of 32 k values: one f16 scale each, so one flush to f32 each.
#![expect(unsafe_code, reason = "AMX through asm!, AVX-512 intrinsics")]

use std::{
    arch::{asm, x86_64::*},
    ops::Range,
};

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
const RECORDS: usize = 8;
/// Blocks per tile step: one accumulator each.
const BLOCKS: usize = 4;

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

/// Stored accumulators of one step.
#[derive(Default)]
#[repr(C, align(64))]
struct Products([[[i32; ROWS]; TILE_ROWS]; BLOCKS]);

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
    products: [Products; 2],
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
    #[inline(always)]
    unsafe fn multiply_rows<F: Format32>(
        &mut self,
        x: &Activations,
        first: usize,
        at: usize,
        sums: &mut [[f32; ROWS]],
    ) {
        let n_steps = self.n_records.div_ceil(BLOCKS / 2);
        // SAFETY: the CPU has the tier (contract).
        let mut acc = unsafe { [_mm512_setzero_ps(); TILE_ROWS] };
        for r in 0..TILE_ROWS {
            // SAFETY: 16 rows of sums.
            acc[r] = unsafe { _mm512_loadu_ps(sums[r].as_ptr()) };
        }
        // One step more than there are: the vector units finish a step while the tile unit is at
        // the next.
        for i in 0..=n_steps {
            if i < n_steps {
                let record = i * BLOCKS / 2;
                let a = &x.values(first, (at + record) / 4)[record % 4 * TILE..];
                let (a, b) = (a.as_ptr(), self.weights.0[record].as_ptr());
                let out = &mut self.products[i % 2];
                // SAFETY: one or two records of weights and activations follow; tiles are configured.
                unsafe {
                    if record + 1 < self.n_records {
                        multiply_4(a, b, out);
                    } else {
                        multiply_2(a, b, out);
                    }
                }
            }
            if i > 0 {
                let done = (i - 1) * BLOCKS;
                let n_blocks = BLOCKS.min(2 * self.n_records - done);
                for b in 0..n_blocks {
                    let d_a = x.scales(first, 2 * at + done + b)[..TILE_ROWS].as_ptr();
                    let tile = &self.products[(i - 1) % 2].0[b];
                    // SAFETY: whole rows of arrays; 16 scales.
                    unsafe {
                        let d = _mm512_load_ps(self.scales.0[done + b].as_ptr());
                        for r in 0..TILE_ROWS {
                            let dots = _mm512_load_si512(tile[r].as_ptr().cast());
                            acc[r] = Lane::add_scaled(dots, Lane::scale(d, *d_a.add(r)), acc[r]);
                        }
                        if F::MIN {
                            let m = _mm512_load_ps(self.mins.0[done + b].as_ptr());
                            let bias = x.bias(first, 2 * at + done + b)[..TILE_ROWS].as_ptr();
                            for r in 0..TILE_ROWS {
                                let sum = _mm512_set1_epi32(*bias.add(r));
                                acc[r] = Lane::add_scaled(sum, Lane::scale(m, *d_a.add(r)), acc[r]);
                            }
                        }
                    }
                }
            }
        }
        for r in 0..TILE_ROWS {
            // SAFETY: 16 rows of sums.
            unsafe { _mm512_storeu_ps(sums[r].as_mut_ptr(), acc[r]) };
        }
    }
}

/// Dot products of 16 rows of x with four blocks of 32 k values.
///
/// # Safety
/// Tiles are configured 32 deep; 2 KiB may be read at `a` and `b`.
#[inline(always)]
unsafe fn multiply_4(a: *const u8, b: *const u8, out: &mut Products) {
    // SAFETY: reads 2 KiB at a and b, writes 4 KiB at out; all tiles clobbered.
    unsafe {
        asm!(
            "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
            "tileloadd tmm6, [{b} + {s}*1]",
            "tileloadd tmm4, [{a} + {s}*1]",
            "tdpbssd tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{b} + {s}*1 + 512]",
            "tileloadd tmm5, [{a} + {s}*1 + 32]",
            "tdpbssd tmm1, tmm5, tmm7",
            "tileloadd tmm6, [{b} + {s}*1 + 1024]",
            "tileloadd tmm4, [{a} + {s}*1 + 1024]",
            "tdpbssd tmm2, tmm4, tmm6",
            "tileloadd tmm7, [{b} + {s}*1 + 1536]",
            "tileloadd tmm5, [{a} + {s}*1 + 1056]",
            "tdpbssd tmm3, tmm5, tmm7",
            "tilestored [{o} + {s}*1], tmm0",
            "tilestored [{o} + {s}*1 + 1024], tmm1",
            "tilestored [{o} + {s}*1 + 2048], tmm2",
            "tilestored [{o} + {s}*1 + 3072], tmm3",
            a = in(reg) a, b = in(reg) b, o = in(reg) out.0.as_mut_ptr(), s = in(reg) 64_usize,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}

/// Dot products of 16 rows of x with two blocks.
///
/// # Safety
/// Tiles are configured 32 deep; 1 KiB may be read at `a` and `b`.
#[inline(always)]
unsafe fn multiply_2(a: *const u8, b: *const u8, out: &mut Products) {
    // SAFETY: reads 1 KiB at a and b, writes half of out; all used tiles clobbered.
    unsafe {
        asm!(
            "tilezero tmm0", "tilezero tmm1",
            "tileloadd tmm6, [{b} + {s}*1]",
            "tileloadd tmm4, [{a} + {s}*1]",
            "tdpbssd tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{b} + {s}*1 + 512]",
            "tileloadd tmm5, [{a} + {s}*1 + 32]",
            "tdpbssd tmm1, tmm5, tmm7",
            "tilestored [{o} + {s}*1], tmm0",
            "tilestored [{o} + {s}*1 + 1024], tmm1",
            a = in(reg) a, b = in(reg) b, o = in(reg) out.0.as_mut_ptr(), s = in(reg) 64_usize,
            out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm5") _, out("tmm6") _,
            out("tmm7") _,
            options(nostack),
        );
    }
}
