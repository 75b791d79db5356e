//! The inner product of attention: up to 6 rows by up to 4 vectors, held in registers.
#![expect(unsafe_code, reason = "pointer loads in the innermost loops")]

use std::ops::Range;

use crate::simd::Lanes;

/// Rows of a tile. 6 rows x 4 vectors of 512 bits leave 8 of the 32 registers for operands; 6 rows
/// x 1 vector in two halves of 256 bits leave 4 of 16.
pub(super) const ROWS: usize = 6;

/// How an element of the vectors is stored.
pub(super) trait Element {
    /// Bytes of one vector of 16 lanes (of 16 pairs where PAIR).
    const BYTES: usize;
    /// Whether a vector holds two consecutive steps of the sum, interleaved.
    const PAIR: bool;

    /// The vector of one step, and of the next where PAIR.
    ///
    /// # Safety
    /// `from` is readable for `BYTES` bytes.
    unsafe fn load<L: Lanes>(from: *const u8) -> (L, L);
}

/// 32-bit floats.
pub(super) struct F32;
/// Pairs of bfloat16.
pub(super) struct Bf16;
/// Signed bytes, without their scale.
pub(super) struct I8;

impl Element for F32 {
    const BYTES: usize = 64;
    const PAIR: bool = false;

    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const u8) -> (L, L) {
        // SAFETY: the caller's contract; `load_ptr` needs no alignment.
        let x = unsafe { L::load_ptr(from.cast()) };
        (x, x)
    }
}

impl Element for Bf16 {
    const BYTES: usize = 64;
    const PAIR: bool = true;

    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const u8) -> (L, L) {
        // SAFETY: the caller's contract.
        unsafe { L::load_bf16_pairs(from.cast()) }
    }
}

impl Element for I8 {
    const BYTES: usize = 16;
    const PAIR: bool = false;

    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const u8) -> (L, L) {
        // SAFETY: the caller's contract.
        let x = unsafe { L::load_i8(from.cast()) };
        (x, x)
    }
}

/// The scalar operand: element (row, step) is at `at[step * step + row * row]`.
#[derive(Clone, Copy)]
pub(super) struct Scalars {
    pub(super) at: *const f32,
    pub(super) step: usize,
    pub(super) row: usize,
}

/// The vector operand: vector (step, column) is the one number `step * step + column * column` from
/// `at` (a step being a pair of steps where the element is a pair).
#[derive(Clone, Copy)]
pub(super) struct Vectors {
    pub(super) at: *const u8,
    pub(super) step: usize,
    pub(super) column: usize,
    /// Bytes from a vector to what is needed after this product, to fetch it meanwhile (small tiles,
    /// which wait for memory).
    pub(super) ahead: isize,
}

/// Rows up to which a tile fetches ahead.
const STREAMED_ROWS: usize = 4;

/// acc[r][c] = sum over `steps`, in order, of scalar(r, step) * vector(step, c).
///
/// Every sum is one chain of (fused) multiply-adds from zero, whatever R and C. Pairs start at an
/// even step; an odd end takes only the first half of its pair.
///
/// # Safety
/// Both operands are readable for all of `steps`, R rows and C columns.
#[inline(always)]
pub(super) unsafe fn product<L: Lanes, E: Element, const R: usize, const C: usize>(
    a: Scalars,
    b: Vectors,
    steps: Range<usize>,
) -> [[L; C]; R] {
    let mut acc = [[L::splat(0.0); C]; R];
    let per = if E::PAIR { 2 } else { 1 };
    // SAFETY: the caller's contract, for all pointers below.
    unsafe {
        for i in steps.start / per..steps.end / per {
            let from = b.at.add(i * b.step * E::BYTES);
            // A loop, not `array::from_fn`: closures do not inherit target features.
            let mut vectors = [(L::splat(0.0), L::splat(0.0)); C];
            for c in 0..C {
                let at = from.add(c * b.column * E::BYTES);
                vectors[c] = E::load::<L>(at);
                if R <= STREAMED_ROWS && (C == 1 || c * E::BYTES % 64 == 0) {
                    L::prefetch(at.wrapping_offset(b.ahead));
                }
            }
            let scalars = a.at.add(i * per * a.step);
            for r in 0..R {
                let x = L::splat(*scalars.add(r * a.row));
                for c in 0..C {
                    acc[r][c] = x.madd(vectors[c].0, acc[r][c]);
                }
            }
            if E::PAIR {
                for r in 0..R {
                    let x = L::splat(*scalars.add(a.step + r * a.row));
                    for c in 0..C {
                        acc[r][c] = x.madd(vectors[c].1, acc[r][c]);
                    }
                }
            }
        }
        if steps.end % per == 1 {
            let i = steps.end / per;
            let from = b.at.add(i * b.step * E::BYTES);
            let scalars = a.at.add(i * per * a.step);
            for c in 0..C {
                let vector = E::load::<L>(from.add(c * b.column * E::BYTES)).0;
                for r in 0..R {
                    let x = L::splat(*scalars.add(r * a.row));
                    acc[r][c] = x.madd(vector, acc[r][c]);
                }
            }
        }
    }
    acc
}
