//! AVX2 micro-kernels: up to 6 rows x 16 columns (or 1 row x 64) in sixteen registers.
#![expect(unsafe_code, reason = "vector loads and stores")]

use std::arch::x86_64::*;

use super::{
    NR,
    block::{Block, Micro},
};

/// How far ahead of its use a panel is prefetched, in bytes.
const AHEAD: usize = 2048;

/// Panels per block at `rows` rows: two sums per row and panel, at most 12.
fn panels_for(rows: usize) -> usize {
    match rows {
        1 => 4,
        2 => 3,
        3 => 2,
        _ => 1,
    }
}

/// f32 rows times f32 panels.
pub(super) struct F32;

/// f32 rows (already rounded to bf16) times bf16 panels, widened in registers.
pub(super) struct Widened;

macro_rules! micro {
    ($name:ident, $b_bytes:expr, $block:path) => {
        impl Micro for $name {
            const MR: usize = 6;
            const GROUP: usize = 1;
            const A_BYTES: usize = 4;
            const B_BYTES: usize = $b_bytes;
            const KC: usize = 512;
            const KC_INNER: usize = 512;

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

micro!(F32, NR * 4, f32_block);
micro!(Widened, NR * 2, widened_block);

/// Loads the 16 elements of C at row `r`, panel `p`; those beyond C are zero.
///
/// # Safety
/// `t` is valid.
#[target_feature(enable = "avx2,fma")]
unsafe fn load_c(t: &Block, r: usize, p: usize) -> [__m256; 2] {
    let left = (t.cols - p * NR).min(NR);
    let mut lanes = [0.0_f32; NR];
    // SAFETY: `left` elements of this row belong to C; `lanes` holds 16.
    unsafe {
        let c = t.c.add(r * t.ldc + p * NR);
        if left == NR {
            return [_mm256_loadu_ps(c), _mm256_loadu_ps(c.add(8))];
        }
        std::ptr::copy_nonoverlapping(c, lanes.as_mut_ptr(), left);
        [_mm256_loadu_ps(lanes.as_ptr()), _mm256_loadu_ps(lanes.as_ptr().add(8))]
    }
}

/// Stores what [`load_c`] loads.
///
/// # Safety
/// `t` is valid and C's row is not shared.
#[target_feature(enable = "avx2,fma")]
unsafe fn store_c(t: &Block, r: usize, p: usize, sums: [__m256; 2]) {
    let left = (t.cols - p * NR).min(NR);
    let mut lanes = [0.0_f32; NR];
    // SAFETY: as in `load_c`.
    unsafe {
        let c = t.c.add(r * t.ldc + p * NR);
        if left == NR {
            _mm256_storeu_ps(c, sums[0]);
            _mm256_storeu_ps(c.add(8), sums[1]);
            return;
        }
        _mm256_storeu_ps(lanes.as_mut_ptr(), sums[0]);
        _mm256_storeu_ps(lanes.as_mut_ptr().add(8), sums[1]);
        std::ptr::copy_nonoverlapping(lanes.as_ptr(), c, left);
    }
}

/// Defines `$tile::<MR, NP>`, which computes MR x 16 NP elements of C from panel `p0` on, and
/// `$block`, which covers a [`Block`] with such tiles. A step reads 64 bytes of every panel and
/// `$a_step` bytes of every row.
macro_rules! kernel {
    ($block:ident, $tile:ident, $k_step:literal, $a_step:literal,
     ($a:ident, $w:ident, $acc:ident, $p:ident, $MR:ident) $step:block) => {
        #[target_feature(enable = "avx2,fma")]
        unsafe fn $tile<const $MR: usize, const NP: usize>(t: &Block, p0: usize) {
            // SAFETY: rows, panels and k are inside the operands. Prefetches may touch any address.
            unsafe {
                let mut $acc = [[[_mm256_setzero_ps(); 2]; NP]; $MR];
                if t.accumulate {
                    for r in 0..$MR {
                        for p in 0..NP {
                            $acc[r][p] = load_c(t, r, p0 + p);
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
                        let $a = |r: usize| row.add(r * t.a_stride).cast::<f32>();
                        for $p in 0..NP {
                            let $w = b.add($p * t.b_stride).cast::<f32>();
                            let line = ahead.wrapping_add($p * t.b_stride);
                            _mm_prefetch::<_MM_HINT_T0>(line.cast());
                            $step
                        }
                        b = b.add(64);
                        row = row.add($a_step);
                        ahead = ahead.wrapping_add(64);
                    }
                }
                for r in 0..$MR {
                    for p in 0..NP {
                        store_c(t, r, p0 + p, $acc[r][p]);
                    }
                }
            }
        }

        #[target_feature(enable = "avx2,fma")]
        unsafe fn $block(t: &Block) {
            const ONE: [unsafe fn(&Block, usize); 6] = [
                $tile::<1, 1>,
                $tile::<2, 1>,
                $tile::<3, 1>,
                $tile::<4, 1>,
                $tile::<5, 1>,
                $tile::<6, 1>,
            ];
            const WIDE: [unsafe fn(&Block, usize); 3] =
                [$tile::<1, 4>, $tile::<2, 3>, $tile::<3, 2>];
            let n = t.cols.div_ceil(NR);
            let wide = panels_for(t.rows);
            let mut p = 0;
            while p < n {
                let panels = if n - p >= wide { wide } else { 1 };
                // SAFETY: the caller's promise; panels p .. p + panels belong to the block.
                unsafe {
                    if panels > 1 {
                        WIDE[t.rows - 1](t, p);
                    } else {
                        ONE[t.rows - 1](t, p);
                    }
                }
                p += panels;
            }
        }
    };
}

kernel!(f32_block, f32_tile, 1, 4, (a, w, acc, p, MR) {
    let halves = [_mm256_loadu_ps(w), _mm256_loadu_ps(w.add(8))];
    for r in 0..MR {
        let x = _mm256_set1_ps(a(r).read());
        acc[r][p][0] = _mm256_fmadd_ps(x, halves[0], acc[r][p][0]);
        acc[r][p][1] = _mm256_fmadd_ps(x, halves[1], acc[r][p][1]);
    }
});

kernel!(widened_block, widened_tile, 2, 8, (a, w, acc, p, MR) {
    let high = _mm256_set1_epi32(0xffff_0000_u32.cast_signed());
    for half in 0..2 {
        let pairs = _mm256_loadu_si256(w.add(8 * half).cast());
        let even = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs));
        let odd = _mm256_castsi256_ps(_mm256_and_si256(pairs, high));
        for r in 0..MR {
            let sum = _mm256_fmadd_ps(_mm256_set1_ps(a(r).read()), even, acc[r][p][half]);
            let x = _mm256_set1_ps(a(r).add(1).read());
            acc[r][p][half] = _mm256_fmadd_ps(x, odd, sum);
        }
    }
});
