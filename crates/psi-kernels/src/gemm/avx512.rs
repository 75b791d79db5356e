//! AVX-512 micro-kernels: up to 8 rows x 48 columns (or 1 row x 128) in registers.
//!
//! A step loads one vector per panel and broadcasts one element (or bf16 pair) per row: 11 loads for
//! 24 multiply-adds at 8 x 48, so that two multiply-adds per cycle leave the load ports half idle.
#![expect(unsafe_code, reason = "vector loads and stores")]

use std::arch::x86_64::*;

use super::{
    NR,
    block::{Block, Micro},
};

/// How far ahead of its use a panel is prefetched, in bytes: a few hundred nanoseconds of streaming.
const AHEAD: usize = 2048;

/// Panels per block at `rows` rows: at least 8 independent sums, at most 24.
fn panels_for(rows: usize) -> usize {
    match rows {
        1..=2 => 8,
        3..=4 => 6,
        _ => 3,
    }
}

/// f32 rows times f32 panels.
pub(super) struct F32;

/// f32 rows (already rounded to bf16) times bf16 panels, widened in registers.
pub(super) struct Widened;

/// bf16 rows times bf16 panels with `vdpbf16ps`.
pub(super) struct Pairs;

macro_rules! micro {
    ($name:ident, $a_bytes:expr, $b_bytes:expr, $kc:expr, $block:path) => {
        impl Micro for $name {
            const MR: usize = 8;
            const GROUP: usize = 1;
            const A_BYTES: usize = $a_bytes;
            const B_BYTES: usize = $b_bytes;
            const KC: usize = $kc;
            const KC_INNER: usize = $kc;

            fn panels(rows: usize) -> usize {
                panels_for(rows)
            }

            fn new() -> Self {
                Self
            }

            unsafe fn block(&mut self, t: &Block) {
                // SAFETY: the caller's promise.
                unsafe { $block(t) }
            }
        }
    };
}

micro!(F32, 4, NR * 4, 512, f32_block);
micro!(Widened, 4, NR * 2, 512, widened_block);
micro!(Pairs, 2, NR * 2, 1024, pairs_block);

/// The lanes of panel `p` (counted from C's first column) that are columns of C.
fn lanes(t: &Block, p: usize) -> __mmask16 {
    let left = t.cols - p * NR;
    if left >= NR { 0xffff } else { (1 << left) - 1 }
}

/// Defines `$tile::<MR, NP>`, which computes MR x 16 NP elements of C from panel `p0` on, and
/// `$block`, which covers a [`Block`] with such tiles. A step reads 64 bytes of every panel and
/// `$a_step` bytes of every row; `$step` adds its products to `acc`, given row pointers `a` and
/// panel vectors `w`.
macro_rules! kernel {
    ($block:ident, $tile:ident, $feature:literal, $k_step:literal, $a_step:literal,
     ($a:ident, $w:ident, $acc:ident, $MR:ident, $NP:ident) $step:block) => {
        #[target_feature(enable = $feature)]
        unsafe fn $tile<const $MR: usize, const $NP: usize>(t: &Block, p0: usize) {
            // SAFETY: rows, panels and k are inside the operands; lanes beyond C are masked.
            // Prefetches may touch any address.
            unsafe {
                let c = |r: usize, p: usize| t.c.add(r * t.ldc + (p0 + p) * NR);
                let mut $acc = [[_mm512_setzero_ps(); $NP]; $MR];
                if t.accumulate {
                    for r in 0..$MR {
                        for p in 0..$NP {
                            $acc[r][p] = _mm512_maskz_loadu_ps(lanes(t, p0 + p), c(r, p));
                        }
                    }
                }
                let steps = t.k / $k_step;
                let tail = steps.min(AHEAD / 64);
                let mut b = t.b.add(p0 * t.b_stride);
                let mut row = t.a;
                let soon = b.wrapping_add(tail * 64);
                let next = t.next.wrapping_add(p0 * t.b_stride);
                for (n, mut ahead) in [(steps - tail, soon), (tail, next)] {
                    for _ in 0..n {
                        let mut $w = [_mm512_setzero_si512(); $NP];
                        for p in 0..$NP {
                            $w[p] = _mm512_loadu_si512(b.add(p * t.b_stride).cast());
                            let line = ahead.wrapping_add(p * t.b_stride);
                            _mm_prefetch::<_MM_HINT_T0>(line.cast());
                        }
                        let $a = |r: usize| row.add(r * t.a_stride);
                        $step
                        b = b.add(64);
                        row = row.add($a_step);
                        ahead = ahead.wrapping_add(64);
                    }
                }
                for r in 0..$MR {
                    for p in 0..$NP {
                        _mm512_mask_storeu_ps(c(r, p), lanes(t, p0 + p), $acc[r][p]);
                    }
                }
            }
        }

        #[target_feature(enable = $feature)]
        unsafe fn $block(t: &Block) {
            const TILES: [[unsafe fn(&Block, usize); 3]; 8] = [
                [$tile::<1, 1>, $tile::<1, 2>, $tile::<1, 3>],
                [$tile::<2, 1>, $tile::<2, 2>, $tile::<2, 3>],
                [$tile::<3, 1>, $tile::<3, 2>, $tile::<3, 3>],
                [$tile::<4, 1>, $tile::<4, 2>, $tile::<4, 3>],
                [$tile::<5, 1>, $tile::<5, 2>, $tile::<5, 3>],
                [$tile::<6, 1>, $tile::<6, 2>, $tile::<6, 3>],
                [$tile::<7, 1>, $tile::<7, 2>, $tile::<7, 3>],
                [$tile::<8, 1>, $tile::<8, 2>, $tile::<8, 3>],
            ];
            const WIDE: [unsafe fn(&Block, usize); 4] =
                [$tile::<1, 8>, $tile::<2, 8>, $tile::<3, 6>, $tile::<4, 6>];
            let n = t.cols.div_ceil(NR);
            let wide = panels_for(t.rows);
            let mut p = 0;
            while p < n {
                let panels = if t.rows <= 4 && n - p >= wide { wide } else { (n - p).min(3) };
                // SAFETY: the caller's promise; panels p .. p + panels belong to the block.
                unsafe {
                    if panels > 3 {
                        WIDE[t.rows - 1](t, p);
                    } else {
                        TILES[t.rows - 1][panels - 1](t, p);
                    }
                }
                p += panels;
            }
        }
    };
}

kernel!(f32_block, f32_tile, "avx512f", 1, 4, (a, w, acc, MR, NP) {
    for r in 0..MR {
        let x = _mm512_set1_ps(a(r).cast::<f32>().read());
        for p in 0..NP {
            acc[r][p] = _mm512_fmadd_ps(x, _mm512_castsi512_ps(w[p]), acc[r][p]);
        }
    }
});

kernel!(widened_block, widened_tile, "avx512f", 2, 8, (a, w, acc, MR, NP) {
    for p in 0..NP {
        let even = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(w[p]));
        let high = _mm512_set1_epi32(0xffff_0000_u32.cast_signed());
        let odd = _mm512_castsi512_ps(_mm512_and_si512(w[p], high));
        for r in 0..MR {
            let x = a(r).cast::<f32>();
            acc[r][p] = _mm512_fmadd_ps(_mm512_set1_ps(x.read()), even, acc[r][p]);
            acc[r][p] = _mm512_fmadd_ps(_mm512_set1_ps(x.add(1).read()), odd, acc[r][p]);
        }
    }
});

kernel!(pairs_block, pairs_tile, "avx512f,avx512bf16", 2, 4, (a, w, acc, MR, NP) {
    for r in 0..MR {
        let x = _mm512_set1_epi32(a(r).cast::<i32>().read());
        let x = std::mem::transmute::<__m512i, __m512bh>(x);
        for p in 0..NP {
            let w = std::mem::transmute::<__m512i, __m512bh>(w[p]);
            acc[r][p] = _mm512_dpbf16_ps(acc[r][p], x, w);
        }
    }
});
