//! Many rows of x times panels in registers: tiles of 4 panels (64 outputs) x 3 rows of x.
//!
//! A tile step loads 4 vectors of weights and broadcasts 3 quads of x for 12 `vpdpbusd`: 7 loads in the
//! 6 cycles of the products, where the load ports take 12. Weights are expanded to bytes in the L1 cache
//! before.
#![expect(unsafe_code, reason = "AVX-512 intrinsics; pointers into panels and rows")]

use std::{
    arch::{asm, x86_64::*},
    ops::Range,
};

use super::{
    Task,
    avx512::Avx512,
    formats::{Format32, Format256, Nibbles, Q4K, Q5K, Q6K, Q8_0},
    groups::for_groups,
    lanes::{Lanes, repeat8},
};
use crate::quant::{
    BlockType,
    activations::{Activations, CHUNK, PART},
    panels::{B32_SCALES, K_MINS, K_SCALES, ROWS},
};

type Lane = Avx512<true>;

/// Panels and rows of x per tile.
const PANELS: usize = 4;
const COLUMNS: usize = 3;

/// Up to so many bytes of x stay in the L2 cache while panels pass: then all parts of a panel are taken one after the
/// other, as they lie in memory, and otherwise one part of all panels of a group.
const X_BYTES: usize = 256 << 10;

/// Unsigned weights of one panel and 256 k values: `[quad][16][4]`.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Expanded([u8; PART * ROWS]);

/// Computes a task; for tasks of many rows.
///
/// # Safety
/// The CPU has the tier.
pub(super) unsafe fn task(task: &Task<'_>) {
    // SAFETY: the caller's contract.
    unsafe {
        match task.out.w.block_type() {
            BlockType::Q8_0 => run::<Per32<Q8_0>>(task),
            BlockType::Q4_0 => run::<Per32<Nibbles<false, false>>>(task),
            BlockType::Q5_0 => run::<Per32<Nibbles<true, false>>>(task),
            BlockType::Q4_1 => run::<Per32<Nibbles<false, true>>>(task),
            BlockType::Q5_1 => run::<Per32<Nibbles<true, true>>>(task),
            BlockType::Q4_K => run::<Per256<Q4K>>(task),
            BlockType::Q5_K => run::<Per256<Q5K>>(task),
            BlockType::Q6_K => run::<Per256<Q6K>>(task),
            other => unreachable!("{other:?} has no panels"),
        }
    }
}

/// What differs between the two families of formats.
trait Family {
    /// Bytes of a panel's 256 k values.
    const PART_BYTES: usize;

    /// Expands up to 256 k values of a panel.
    ///
    /// # Safety
    /// The CPU has the tier; `part` is of the format.
    unsafe fn expand(part: &[u8], out: &mut Expanded);

    /// Adds the products of a tile.
    ///
    /// # Safety
    /// The CPU has the tier; the tile's parts are of the format.
    unsafe fn tile<const R: usize>(tile: &Tile<'_, R>);
}

/// Formats with 32-value blocks.
struct Per32<F>(F);
/// K formats.
struct Per256<F>(F);

/// R panels (expanded, and as packed, for their scales) times [`COLUMNS`] rows of x.
struct Tile<'a, const R: usize> {
    weights: &'a [Expanded],
    parts: [&'a [u8]; R],
    x: &'a Activations,
    /// Which 256 k values.
    part: usize,
    rows: [usize; COLUMNS],
    /// 16 f32 each.
    sums: [[*mut f32; COLUMNS]; R],
}

/// # Safety
/// The CPU has the tier.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn run<F: Family>(task: &Task<'_>) {
    let n_parts = task.out.w.k().div_ceil(PART);
    let mut weights = [Expanded([0; _]); PANELS];
    for_groups(task, |panels, rows, sums| {
        let n_tiles = panels.len().div_ceil(PANELS);
        let by_panel = rows.len() * n_parts * PART <= X_BYTES;
        for i in 0..n_parts * n_tiles {
            let (part, tile) = match by_panel {
                true => (i % n_parts, i / n_parts),
                false => (i / n_tiles, i % n_tiles),
            };
            let first = panels.start + tile * PANELS;
            let here = first..panels.end.min(first + PANELS);
            let part_of = |panel: usize| {
                let bytes = task.out.w.panel(panel);
                &bytes[part * F::PART_BYTES..bytes.len().min((part + 1) * F::PART_BYTES)]
            };
            for (w, panel) in weights.iter_mut().zip(here.clone()) {
                // SAFETY: the caller's contract.
                unsafe { expand::<F>(part_of(panel), w) };
            }
            let mut sums_of = |panel: usize| sums.panel(panel - panels.start).as_mut_ptr();
            // SAFETY: the caller's contract; sums of each panel and row are there.
            unsafe {
                if here.len() == PANELS {
                    let parts = [0, 1, 2, 3].map(|i| part_of(first + i));
                    let sums = [0, 1, 2, 3].map(|i| sums_of(first + i));
                    tiles::<F, PANELS>(task.x, part, &weights, parts, rows.clone(), sums);
                    continue;
                }
                for (i, panel) in here.enumerate() {
                    let (parts, sums) = ([part_of(panel)], [sums_of(panel)]);
                    tiles::<F, 1>(task.x, part, &weights[i..], parts, rows.clone(), sums);
                }
            }
        }
    });
}

/// # Safety
/// As [`Family::expand`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn expand<F: Family>(part: &[u8], out: &mut Expanded) {
    // SAFETY: the caller's contract.
    unsafe { F::expand(part, out) }
}

/// All tiles of R panels and `rows`. A last tile of fewer rows computes the last row again.
///
/// # Safety
/// As [`Family::tile`]; `sums` of each panel has a row for each of `rows`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn tiles<F: Family, const R: usize>(
    x: &Activations,
    part: usize,
    weights: &[Expanded],
    parts: [&[u8]; R],
    rows: Range<usize>,
    sums: [*mut [f32; ROWS]; R],
) {
    let (n_tiles, n_lines) = (rows.len().div_ceil(COLUMNS), F::PART_BYTES / 64);
    for (i, first) in rows.clone().step_by(COLUMNS).enumerate() {
        let mut spare = [[[0.0_f32; ROWS]; COLUMNS]; R];
        let mut tile = Tile {
            weights,
            parts,
            x,
            part,
            rows: [0; COLUMNS],
            sums: [[std::ptr::null_mut(); COLUMNS]; R],
        };
        for c in 0..COLUMNS {
            tile.rows[c] = (rows.end - 1).min(first + c);
            for r in 0..R {
                tile.sums[r][c] = if first + c < rows.end {
                    // SAFETY: the row is one of `rows`.
                    unsafe { sums[r].add(first + c - rows.start).cast() }
                } else {
                    spare[r][c].as_mut_ptr()
                };
            }
        }
        // SAFETY: the caller's contract; a prefetch reads nothing.
        unsafe {
            // What follows in the panels is expanded next: asked for a few lines per tile, or a product
            // of 32 rows waits for memory a quarter of its time.
            for line in i * n_lines / n_tiles..(i + 1) * n_lines / n_tiles {
                for part in parts {
                    Lane::prefetch(part.as_ptr_range().end.wrapping_add(line * 64));
                }
            }
            F::tile(&tile);
        }
    }
}

/// Where the 16 values from `b` * 16 on of the part begin in each row.
///
/// # Safety
/// `a` are rows of groups of `group` and b < 16.
#[inline(always)]
unsafe fn sixteen(a: [*const u8; COLUMNS], group: usize, b: usize) -> [*const u8; COLUMNS] {
    // SAFETY: inside the rows' part.
    a.map(|a| unsafe { a.add(b / 4 * group * CHUNK + b % 4 * 16) })
}

/// Adds the products of 16 k values (4 quads) of R panels and three rows of x to `dots`.
///
/// # Safety
/// The CPU has the tier; `w` is where the values' expanded weights begin in the first panel, the
/// next panels being [`PART`] * 16 bytes on; 16 bytes may be read at each `a`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn dots_16<const R: usize>(
    w: *const u8,
    a: [*const u8; COLUMNS],
    dots: &mut [[__m512i; COLUMNS]; R],
) {
    /// One quad: three broadcasts, then a load and three products per panel.
    macro_rules! quad {
        ($at:literal, $w:literal: $($panel:literal $d0:literal $d1:literal $d2:literal),*) => {
            concat!(
                "vpbroadcastd zmm28, dword ptr [{p0} + ", $at, "]\n",
                "vpbroadcastd zmm29, dword ptr [{p1} + ", $at, "]\n",
                "vpbroadcastd zmm30, dword ptr [{p2} + ", $at, "]\n",
                $(
                    "vmovdqa64 zmm31, [{w} + ", $panel, " * 4096 + ", $w, "]\n",
                    "vpdpbusd {", $d0, "}, zmm31, zmm28\n",
                    "vpdpbusd {", $d1, "}, zmm31, zmm29\n",
                    "vpdpbusd {", $d2, "}, zmm31, zmm30\n",
                )*
            )
        };
    }
    macro_rules! block {
        ($($panel:tt)*) => {
            concat!(
                quad!("0", "0": $($panel)*),
                quad!("4", "64": $($panel)*),
                quad!("8", "128": $($panel)*),
                quad!("12", "192": $($panel)*),
            )
        };
    }
    // SAFETY: reads what the contract allows; registers only otherwise.
    unsafe {
        if let Some(d) = dots.first_chunk_mut::<4>() {
            let [[d00, d01, d02], [d10, d11, d12], [d20, d21, d22], [d30, d31, d32]] = d;
            asm!(
                block!("0" "d00" "d01" "d02", "1" "d10" "d11" "d12", "2" "d20" "d21" "d22", "3" "d30" "d31" "d32"),
                w = in(reg) w, p0 = in(reg) a[0], p1 = in(reg) a[1], p2 = in(reg) a[2],
                out("zmm28") _, out("zmm29") _, out("zmm30") _, out("zmm31") _,
                d00 = inout(zmm_reg) *d00, d01 = inout(zmm_reg) *d01, d02 = inout(zmm_reg) *d02,
                d10 = inout(zmm_reg) *d10, d11 = inout(zmm_reg) *d11, d12 = inout(zmm_reg) *d12,
                d20 = inout(zmm_reg) *d20, d21 = inout(zmm_reg) *d21, d22 = inout(zmm_reg) *d22,
                d30 = inout(zmm_reg) *d30, d31 = inout(zmm_reg) *d31, d32 = inout(zmm_reg) *d32,
                options(nostack, readonly, preserves_flags),
            );
        } else {
            let [d0, d1, d2] = &mut dots[0];
            asm!(
                block!("0" "d0" "d1" "d2"),
                w = in(reg) w, p0 = in(reg) a[0], p1 = in(reg) a[1], p2 = in(reg) a[2],
                out("zmm28") _, out("zmm29") _, out("zmm30") _, out("zmm31") _,
                d0 = inout(zmm_reg) *d0, d1 = inout(zmm_reg) *d1, d2 = inout(zmm_reg) *d2,
                options(nostack, readonly, preserves_flags),
            );
        }
    }
}

impl<F: Format32> Family for Per32<F> {
    const PART_BYTES: usize = 4 * F::RECORD;

    #[inline(always)]
    unsafe fn expand(part: &[u8], out: &mut Expanded) {
        for (i, record) in part.chunks_exact(F::RECORD).enumerate() {
            for h in 0..2 {
                let out = out.0[(2 * i + h) * 512..][..512].as_mut_ptr();
                // SAFETY: 8 x 64 bytes at `out`; the caller's contract.
                unsafe {
                    expand_32::<F, 0>(record.as_ptr(), h, out);
                    expand_32::<F, 1>(record.as_ptr(), h, out);
                    expand_32::<F, 2>(record.as_ptr(), h, out);
                    expand_32::<F, 3>(record.as_ptr(), h, out);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn tile<const R: usize>(tile: &Tile<'_, R>) {
        let n_blocks = tile.parts[0].len() / F::RECORD * 2;
        let a = tile.rows.map(|row| tile.x.values(row, tile.part).as_ptr());
        // SAFETY: the caller's contract; blocks are inside the part and the rows.
        unsafe {
            let mut acc = [[_mm512_setzero_ps(); COLUMNS]; R];
            for (acc, sums) in acc.iter_mut().flatten().zip(tile.sums.as_flattened()) {
                *acc = _mm512_loadu_ps(*sums);
            }
            for b in 0..n_blocks {
                let mut dots = [[_mm512_setzero_si512(); COLUMNS]; R];
                let (mut d_a, mut bias) = ([0.0; COLUMNS], [0; COLUMNS]);
                for c in 0..COLUMNS {
                    d_a[c] = tile.x.scales(tile.rows[c], tile.part * 8 + b)[0];
                    bias[c] = tile.x.bias(tile.rows[c], tile.part * 8 + b)[0];
                    for r in 0..R {
                        dots[r][c] = _mm512_set1_epi32(if F::MIN { 0 } else { bias[c] });
                    }
                }
                for half in 2 * b..2 * b + 2 {
                    let w = tile.weights[0].0.as_ptr().add(half * 256);
                    dots_16(w, sixteen(a, tile.x.group, half), &mut dots);
                }
                for r in 0..R {
                    let scales = tile.parts[r].as_ptr().add(b / 2 * F::RECORD + b % 2 * 32);
                    let d = Lane::f16s(scales);
                    for c in 0..COLUMNS {
                        acc[r][c] = Lane::add_scaled(dots[r][c], Lane::scale(d, d_a[c]), acc[r][c]);
                    }
                    if F::MIN {
                        let m = Lane::f16s(scales.add(B32_SCALES));
                        for c in 0..COLUMNS {
                            let sum = _mm512_set1_epi32(bias[c]);
                            acc[r][c] = Lane::add_scaled(sum, Lane::scale(m, d_a[c]), acc[r][c]);
                        }
                    }
                }
            }
            for (acc, sums) in acc.iter().flatten().zip(tile.sums.as_flattened()) {
                _mm512_storeu_ps(*sums, *acc);
            }
        }
    }
}

/// Quads J and J + 4 of block `h`, unsigned.
///
/// # Safety
/// The CPU has the tier; `record` is one of F; 512 bytes may be written.
#[inline(always)]
unsafe fn expand_32<F: Format32, const J: usize>(record: *const u8, h: usize, out: *mut u8) {
    // SAFETY: the caller's contract.
    unsafe {
        let (w0, w1) = F::step::<Lane, J>(record, h);
        let flip = _mm512_set1_epi8(if F::SIGNED { -128 } else { 0 });
        _mm512_store_si512(out.add(J * 64).cast(), _mm512_xor_si512(w0, flip));
        _mm512_store_si512(out.add(J * 64 + 256).cast(), _mm512_xor_si512(w1, flip));
    }
}

impl<F: Format256> Family for Per256<F> {
    const PART_BYTES: usize = F::RECORD;

    #[inline(always)]
    unsafe fn expand(part: &[u8], out: &mut Expanded) {
        for h in 0..2 {
            let out = out.0[h * 2048..][..2048].as_mut_ptr();
            // SAFETY: two pairs of 1024 bytes at `out`; the caller's contract.
            unsafe {
                expand_256::<F, 0>(part.as_ptr(), h, out);
                expand_256::<F, 1>(part.as_ptr(), h, out.add(1024));
            }
        }
    }

    #[inline(always)]
    unsafe fn tile<const R: usize>(tile: &Tile<'_, R>) {
        // SAFETY: the caller's contract.
        unsafe {
            let total = totals::<F, R>(tile);
            for c in 0..COLUMNS {
                let d_a = tile.x.scales(tile.rows[c], tile.part)[0];
                let sums = tile.x.sums(tile.rows[c], tile.part);
                for r in 0..R {
                    let record = tile.parts[r].as_ptr();
                    let mut acc = _mm512_loadu_ps(tile.sums[r][c]);
                    let d = Lane::scale(Lane::f16s(record), d_a);
                    acc = Lane::add_scaled(total[r][c], d, acc);
                    if !F::SIGNED_16 {
                        let mut mins = Lane::zero();
                        for p in 0..4 {
                            let pairs = Lane::pairs(record.add(K_MINS + p * 32));
                            mins = Lane::pair_dot(mins, pairs, sums[p]);
                        }
                        let dmin = Lane::scale(Lane::f16s(record.add(32)), d_a);
                        acc = Lane::sub_scaled(mins, dmin, acc);
                    }
                    _mm512_storeu_ps(tile.sums[r][c], acc);
                }
            }
        }
    }
}

/// Quads of sub-blocks 2p and 2p + 1, p = 2h + ODD.
///
/// # Safety
/// The CPU has the tier; `record` is one of F; 1024 bytes may be written.
#[inline(always)]
unsafe fn expand_256<F: Format256, const ODD: usize>(record: *const u8, h: usize, out: *mut u8) {
    // SAFETY: the caller's contract.
    unsafe {
        repeat8!(J => {
            let (w0, w1) = F::step::<Lane, ODD>(record, h, J);
            _mm512_store_si512(out.add(J * 64).cast(), w0);
            _mm512_store_si512(out.add(512 + J * 64).cast(), w1);
        });
    }
}

/// The sums of s dot(q, a) over 256 k values.
///
/// # Safety
/// As [`Family::tile`].
#[inline(always)]
unsafe fn totals<F: Format256, const R: usize>(tile: &Tile<'_, R>) -> [[__m512i; COLUMNS]; R] {
    let a = tile.rows.map(|row| tile.x.values(row, tile.part).as_ptr());
    let bias = tile.rows.map(|row| tile.x.bias(row, tile.part).as_ptr());
    // SAFETY: the caller's contract.
    unsafe {
        let mut total = [[_mm512_setzero_si512(); COLUMNS]; R];
        // Sixteen values at a time: that is how far sums of 4-bit weights fit 16 bits, and how many
        // values of Q6_K share a scale.
        for b in 0..16 {
            let mut dots = [[_mm512_setzero_si512(); COLUMNS]; R];
            if F::SIGNED_16 {
                for c in 0..COLUMNS {
                    for r in 0..R {
                        dots[r][c] = _mm512_set1_epi32(*bias[c].add(b));
                    }
                }
            }
            let w = tile.weights[0].0.as_ptr().add(b * 256);
            dots_16(w, sixteen(a, tile.x.group, b), &mut dots);
            for r in 0..R {
                let scales = tile.parts[r].as_ptr().add(K_SCALES);
                for c in 0..COLUMNS {
                    total[r][c] = if F::SIGNED_16 {
                        Lane::mul_add(dots[r][c], Lane::signed(scales.add(b * 16)), total[r][c])
                    } else {
                        // 15 * 127 * 16 fits the low half, which times (s, 0) is one instruction.
                        let s = Lane::unsigned(scales.add(b / 2 * 16));
                        if F::EVERY == 8 {
                            _mm512_dpwssd_epi32(total[r][c], dots[r][c], s)
                        } else {
                            Lane::mul_add(dots[r][c], s, total[r][c])
                        }
                    };
                }
            }
        }
        total
    }
}
