//! K types in tiles of 64 k values, the sub-blocks' scales multiplied into the weights.
#![expect(unsafe_code, reason = "AMX through asm!, AVX-512 intrinsics")]

use std::{
    arch::{asm, x86_64::*},
    ops::Range,
};

use super::{
    super::{Task, groups::for_groups},
    DEPTH_64, TILE, TILE_ROWS, Tiles,
};
use crate::quant::{
    activations::Activations,
    multiply::{
        avx512::Avx512,
        formats::Format256,
        lanes::{Lanes, repeat8},
    },
    panels::{K_MINS, K_SCALES, ROWS},
};

type Lane = Avx512<true>;

/// 256 k values of a panel with scales multiplied in: per 64, a tile of low bytes, one of high bytes.
#[repr(C, align(64))]
struct Split([[u8; TILE]; 8]);

/// Stored accumulators: low products of two tiles of rows, then high products.
#[repr(C, align(64))]
struct Products([[[i32; ROWS]; TILE_ROWS]; 4]);

struct Scratch {
    split: Split,
    products: [Products; 2],
}

/// # Safety
/// The CPU has the AMX tier; the task's panels are of F; x is in groups of 16 rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) unsafe fn task<F: Format256>(task: &Task<'_>) {
    // SAFETY: the caller's contract.
    let _tiles = unsafe { Tiles::configure(&DEPTH_64) };
    let mut scratch = Scratch {
        split: Split([[0; TILE]; 8]),
        products: [const { Products([[[0; ROWS]; TILE_ROWS]; 4]) }; 2],
    };
    for_groups(task, |panels, rows, sums| {
        for block in 0..task.x.n_blocks {
            for (i, panel) in panels.clone().enumerate() {
                let record = &task.out.w.panel(panel)[block * F::RECORD..][..F::RECORD];
                let sums = sums.panel(i);
                // SAFETY: the caller's contract; tiles are configured.
                unsafe {
                    multiply_block::<F>(task.x, record, block, rows.clone(), &mut scratch, sums);
                }
            }
        }
    });
}

/// Adds the products of 256 k values with `rows` of x to `sums`.
///
/// # Safety
/// As [`task`], tiles being configured 64 deep.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn multiply_block<F: Format256>(
    x: &Activations,
    record: &[u8],
    block: usize,
    rows: Range<usize>,
    Scratch { split, products }: &mut Scratch,
    sums: &mut [[f32; ROWS]],
) {
    // SAFETY: the caller's contract.
    let scales = unsafe {
        expand::<F>(record.as_ptr(), split);
        Scales::new::<F>(record.as_ptr())
    };
    let a = |row: usize| x.values(row, block)[..4 * TILE].as_ptr();
    let step = 2 * TILE_ROWS;
    let n_steps = rows.len().div_ceil(step);
    // One step more than there are: the vector units finish a step while the tile unit is at the next.
    for i in 0..=n_steps {
        if i < n_steps {
            let first = rows.start + i * step;
            let out = &mut products[i % 2];
            // SAFETY: four tiles of activations at each `a`; tiles are configured.
            unsafe {
                if first + TILE_ROWS < rows.end {
                    multiply_32(a(first), a(first + TILE_ROWS), split, out);
                } else {
                    multiply_16(a(first), split, out);
                }
            }
        }
        if i > 0 {
            let first = rows.start + (i - 1) * step;
            let Products([low0, low1, high0, high1]) = &products[(i - 1) % 2];
            for (tile, low, high) in [(first, low0, high0), (first + TILE_ROWS, low1, high1)] {
                let here = tile..rows.end.min(tile + TILE_ROWS);
                if !here.is_empty() {
                    let sums = &mut sums[tile - rows.start..][..here.len()];
                    // SAFETY: the caller's contract.
                    unsafe { scales.flush::<F>(x, block, tile, (low, high), sums) };
                }
            }
        }
    }
}

/// The f32 scales and the minima of a record.
struct Scales {
    d: __m512,
    dmin: __m512,
    mins: [__m512i; 4],
}

impl Scales {
    /// # Safety
    /// The CPU has the tier; `record` is one of F.
    #[inline(always)]
    unsafe fn new<F: Format256>(record: *const u8) -> Self {
        // SAFETY: inside the record (dmin and mins are padding where F has none).
        unsafe {
            Self {
                d: Lane::f16s(record),
                dmin: Lane::f16s(record.add(32)),
                mins: [
                    Lane::pairs(record.add(K_MINS)),
                    Lane::pairs(record.add(K_MINS + 32)),
                    Lane::pairs(record.add(K_MINS + 64)),
                    Lane::pairs(record.add(K_MINS + 96)),
                ],
            }
        }
    }

    /// Adds d d_a (256 H + L) - dmin d_a mins to the sums of up to 16 rows from `first` on.
    ///
    /// # Safety
    /// The CPU has the tier.
    #[inline(always)]
    unsafe fn flush<F: Format256>(
        &self,
        x: &Activations,
        block: usize,
        first: usize,
        (low, high): (&[[i32; ROWS]; TILE_ROWS], &[[i32; ROWS]; TILE_ROWS]),
        sums: &mut [[f32; ROWS]],
    ) {
        let d_a = &x.scales(first, block)[..TILE_ROWS];
        let a_sums = x.sums(first, block).get(..4 * TILE_ROWS).unwrap_or_default();
        for (r, sum) in sums.iter_mut().enumerate() {
            // SAFETY: r < 16; loads and stores are of whole rows of arrays.
            unsafe {
                let low = _mm512_load_si512(low[r].as_ptr().cast());
                let high = _mm512_load_si512(high[r].as_ptr().cast());
                let total = _mm512_add_epi32(low, _mm512_slli_epi32::<8>(high));
                let d_a = *d_a.get_unchecked(r);
                let mut acc = _mm512_load_ps(sum.as_ptr());
                acc = Lane::add_scaled(total, Lane::scale(self.d, d_a), acc);
                if !F::SIGNED_16 {
                    let mut mins = Lane::zero();
                    for p in 0..4 {
                        let pair = *a_sums.get_unchecked(r * 4 + p);
                        mins = Lane::pair_dot(mins, self.mins[p], pair);
                    }
                    acc = Lane::sub_scaled(mins, Lane::scale(self.dmin, d_a), acc);
                }
                _mm512_store_ps(sum.as_mut_ptr(), acc);
            }
        }
    }
}

/// Multiplies scales into the weights and splits the products into bytes.
///
/// # Safety
/// The CPU has the tier; `record` is one of F.
#[inline(always)]
unsafe fn expand<F: Format256>(record: *const u8, split: &mut Split) {
    // SAFETY: h < 2, ODD < 2, J < 8 as `step` wants.
    unsafe {
        for h in 0..2 {
            expand_pair::<F, 0>(record, h, split);
            expand_pair::<F, 1>(record, h, split);
        }
    }
}

/// Expands sub-blocks 2p and 2p + 1 (64 values), p = 2h + ODD: tiles 2p (low) and 2p + 1 (high).
///
/// # Safety
/// As [`expand`].
#[inline(always)]
unsafe fn expand_pair<F: Format256, const ODD: usize>(
    record: *const u8,
    h: usize,
    split: &mut Split,
) {
    let p = 2 * h + ODD;
    let out = split.0[2 * p].as_mut_ptr();
    // SAFETY: the caller's contract; rows J and J + 8 of both tiles.
    unsafe {
        repeat8!(J => {
            let (w0, w1) = F::step::<Lane, ODD>(record, h, J);
            let (b0, b1) =
                if F::SIGNED_16 { (4 * p + J / 4, 4 * p + 2 + J / 4) } else { (2 * p, 2 * p + 1) };
            scale_and_split::<F>(w0, record.add(K_SCALES + b0 * 16), out.add(J * 64));
            scale_and_split::<F>(w1, record.add(K_SCALES + b1 * 16), out.add(512 + J * 64));
        });
    }
}

/// Writes the low bytes of s q to `out` and the high bytes to the next tile.
///
/// # Safety
/// As [`expand`]; 16 scales may be read and both tiles' rows written.
#[inline(always)]
unsafe fn scale_and_split<F: Format256>(w: __m512i, scales: *const u8, out: *mut u8) {
    /// Truth table of `a` where c is set, else `b`.
    const SELECT: i32 = 0b1110_0100;
    // SAFETY: the caller's contract.
    unsafe {
        let s = if F::SIGNED_16 { Lane::signed(scales) } else { Lane::unsigned(scales) };
        // The row's scale in both 16-bit halves; even and odd values of the row's four.
        let s = _mm512_mask_blend_epi16(0xaaaa_aaaa, s, _mm512_slli_epi32::<16>(s));
        let mut even = _mm512_and_si512(w, _mm512_set1_epi16(0xff));
        let mut odd = _mm512_srli_epi16::<8>(w);
        if F::SIGNED_16 {
            even = _mm512_sub_epi16(even, _mm512_set1_epi16(32));
            odd = _mm512_sub_epi16(odd, _mm512_set1_epi16(32));
        }
        let (even, odd) = (_mm512_mullo_epi16(even, s), _mm512_mullo_epi16(odd, s));
        let bytes = _mm512_set1_epi16(0xff);
        let low = _mm512_ternarylogic_epi32::<SELECT>(even, _mm512_slli_epi16::<8>(odd), bytes);
        let high = _mm512_ternarylogic_epi32::<SELECT>(_mm512_srli_epi16::<8>(even), odd, bytes);
        _mm512_store_si512(out.cast(), low);
        _mm512_store_si512(out.add(TILE).cast(), high);
    }
}

/// L and H of 32 rows of x and 256 k values.
///
/// # Safety
/// Tiles are configured 64 deep; 4 KiB may be read at `a0` and `a1`.
#[inline(always)]
unsafe fn multiply_32(a0: *const u8, a1: *const u8, b: &Split, out: &mut Products) {
    macro_rules! step {
        ($a:literal, $b:literal) => {
            concat!(
                "tileloadd tmm6, [{b} + {s}*1 + ",
                $b,
                "]\n",
                "tileloadd tmm4, [{a0} + {s}*1 + ",
                $a,
                "]\n",
                "tdpbsud tmm0, tmm4, tmm6\n",
                "tileloadd tmm5, [{a1} + {s}*1 + ",
                $a,
                "]\n",
                "tdpbsud tmm1, tmm5, tmm6\n",
                "tileloadd tmm7, [{b} + {s}*1 + ",
                $b,
                " + 1024]\n",
                "tdpbssd tmm2, tmm4, tmm7\n",
                "tdpbssd tmm3, tmm5, tmm7",
            )
        };
    }
    // SAFETY: reads 4 KiB at a0 and a1 and 8 KiB at b, writes 4 KiB at out; all tiles clobbered.
    unsafe {
        asm!(
            "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
            step!("0", "0"),
            step!("1024", "2048"),
            step!("2048", "4096"),
            step!("3072", "6144"),
            "tilestored [{o} + {s}*1], tmm0",
            "tilestored [{o} + {s}*1 + 1024], tmm1",
            "tilestored [{o} + {s}*1 + 2048], tmm2",
            "tilestored [{o} + {s}*1 + 3072], tmm3",
            a0 = in(reg) a0, a1 = in(reg) a1, b = in(reg) b.0.as_ptr(),
            o = in(reg) out.0.as_mut_ptr(), s = in(reg) 64_usize,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}

/// L and H of 16 rows of x (the first and third part of `out`).
///
/// # Safety
/// As [`multiply_32`].
#[inline(always)]
unsafe fn multiply_16(a: *const u8, b: &Split, out: &mut Products) {
    macro_rules! step {
        ($a:literal, $b:literal) => {
            concat!(
                "tileloadd tmm6, [{b} + {s}*1 + ",
                $b,
                "]\n",
                "tileloadd tmm4, [{a} + {s}*1 + ",
                $a,
                "]\n",
                "tdpbsud tmm0, tmm4, tmm6\n",
                "tileloadd tmm7, [{b} + {s}*1 + ",
                $b,
                " + 1024]\n",
                "tdpbssd tmm2, tmm4, tmm7",
            )
        };
    }
    // SAFETY: reads 4 KiB at a and 8 KiB at b, writes half of out; all used tiles clobbered.
    unsafe {
        asm!(
            "tilezero tmm0", "tilezero tmm2",
            step!("0", "0"),
            step!("1024", "2048"),
            step!("2048", "4096"),
            step!("3072", "6144"),
            "tilestored [{o} + {s}*1], tmm0",
            "tilestored [{o} + {s}*1 + 2048], tmm2",
            a = in(reg) a, b = in(reg) b.0.as_ptr(),
            o = in(reg) out.0.as_mut_ptr(), s = in(reg) 64_usize,
            out("tmm0") _, out("tmm2") _, out("tmm4") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}
