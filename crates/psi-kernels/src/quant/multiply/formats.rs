//! How each format's record is unpacked to 16 rows x 4 values, independent of the instruction set.
#![expect(unsafe_code, reason = "pointers into records; instruction sets proved by the caller")]

use super::lanes::Lanes;
use crate::quant::panels::{B32_VALUES, K_HIGH, K_NIBBLES};

/// A format with one f16 scale per 32 values: y = sum over blocks of d d_a dot(w, a).
pub(super) trait Format32 {
    /// Bytes of 32 values of 16 rows.
    const HALF: usize;

    /// Dot products of block `h` (0 or 1) of `record` with the 32 values at `a[c]`.
    ///
    /// # Safety
    /// `record` is one of this format; `a[c]` may be read for 32 bytes; the tier is proved.
    unsafe fn dots<L: Lanes, const C: usize>(
        record: *const u8,
        h: usize,
        a: [*const i32; C],
        bias: [i32; C],
    ) -> [L::Ints; C];
}

/// Q8_0: w = d q.
pub(super) struct Q8_0;

impl Format32 for Q8_0 {
    const HALF: usize = 512;

    #[inline(always)]
    unsafe fn dots<L: Lanes, const C: usize>(
        record: *const u8,
        h: usize,
        a: [*const i32; C],
        bias: [i32; C],
    ) -> [L::Ints; C] {
        // SAFETY: 8 x 64 bytes of values lie at `half`; the rest is the caller's contract.
        unsafe {
            let half = record.add(B32_VALUES + h * Self::HALF);
            let mut dots = [L::signed_dots(0); C];
            for c in 0..C {
                dots[c] = L::signed_dots(bias[c]);
            }
            for j in 0..8 {
                let w = L::bytes(half.add(j * 64));
                for c in 0..C {
                    dots[c] = L::dot_signed(dots[c], w, a[c].add(j).read_unaligned());
                }
            }
            let mut sums = [L::zero(); C];
            for c in 0..C {
                sums[c] = L::ints(dots[c]);
            }
            sums
        }
    }
}

/// Q4_0: w = d (q - 8); the bias subtracts the 8.
pub(super) struct Q4_0;

impl Format32 for Q4_0 {
    const HALF: usize = 256;

    #[inline(always)]
    unsafe fn dots<L: Lanes, const C: usize>(
        record: *const u8,
        h: usize,
        a: [*const i32; C],
        bias: [i32; C],
    ) -> [L::Ints; C] {
        macro_rules! step {
            ($half:ident, $dots:ident, $j:literal) => {{
                let b = L::bytes($half.add($j * 64));
                let low = L::and(b, 0x0f);
                let high = L::and(L::shr::<4>(b), 0x0f);
                for c in 0..C {
                    let (a0, a1) =
                        (a[c].add($j).read_unaligned(), a[c].add($j + 4).read_unaligned());
                    $dots[c] = L::dot($dots[c], low, a0, 8, 2 * $j);
                    $dots[c] = L::dot($dots[c], high, a1, 8, 2 * $j + 1);
                }
            }};
        }
        // SAFETY: 4 x 64 bytes of nibbles lie at `half`; the rest is the caller's contract.
        unsafe {
            let half = record.add(B32_VALUES + h * Self::HALF);
            let mut dots = [L::dots(0); C];
            for c in 0..C {
                dots[c] = L::dots(bias[c]);
            }
            step!(half, dots, 0);
            step!(half, dots, 1);
            step!(half, dots, 2);
            step!(half, dots, 3);
            let mut sums = [L::zero(); C];
            for c in 0..C {
                sums[c] = L::ints(dots[c]);
            }
            sums
        }
    }
}

/// A K format: 256 values in 8 sub-blocks of 32 (or 16 of 16), integer scales, f16 d.
pub(super) trait Format256 {
    /// Bytes of a record.
    const RECORD: usize;
    /// How many products of a weight with 127, twice, fit 16 bits.
    const EVERY: usize;
    /// Whether there is a signed scale per 16 values, the weights being q - 32; otherwise there
    /// are an unsigned scale and an unsigned min per 32.
    const SIGNED_16: bool;

    /// Values 4j..4j+4 of sub-blocks 2p and 2p + 1 (of 32) as unsigned bytes, p = 2h + ODD.
    ///
    /// # Safety
    /// `record` is one of this format; h < 2, ODD < 2 and j < 8; the tier is proved.
    unsafe fn step<L: Lanes, const ODD: usize>(
        record: *const u8,
        h: usize,
        j: usize,
    ) -> (L::Bytes, L::Bytes);
}

/// Q4_K: w = d s q - dmin m.
pub(super) struct Q4K;

impl Format256 for Q4K {
    const RECORD: usize = K_HIGH;
    const EVERY: usize = 8;
    const SIGNED_16: bool = false;

    #[inline(always)]
    unsafe fn step<L: Lanes, const ODD: usize>(
        record: *const u8,
        h: usize,
        j: usize,
    ) -> (L::Bytes, L::Bytes) {
        // SAFETY: inside the record's nibbles; the rest is the caller's contract.
        unsafe {
            let b = L::bytes(record.add(K_NIBBLES + ((2 * h + ODD) * 8 + j) * 64));
            (L::and(b, 0x0f), L::and(L::shr::<4>(b), 0x0f))
        }
    }
}

/// Q5_K: as [`Q4K`] with a fifth bit.
pub(super) struct Q5K;

impl Format256 for Q5K {
    const RECORD: usize = K_HIGH + 512;
    const EVERY: usize = 4;
    const SIGNED_16: bool = false;

    #[inline(always)]
    unsafe fn step<L: Lanes, const ODD: usize>(
        record: *const u8,
        h: usize,
        j: usize,
    ) -> (L::Bytes, L::Bytes) {
        // SAFETY: inside the record's nibbles and high bits; the rest is the caller's contract.
        unsafe {
            let b = L::bytes(record.add(K_NIBBLES + ((2 * h + ODD) * 8 + j) * 64));
            let high = L::bytes(record.add(K_HIGH + j * 64));
            // Bits 2p and 2p + 1 of `high` go to bit 4.
            let high = L::shr_by(high, 4 * h as u32);
            let (bit0, bit1) = if ODD == 0 {
                (L::shl::<4>(high), L::shl::<3>(high))
            } else {
                (L::shl::<2>(high), L::shl::<1>(high))
            };
            let low = L::and(b, 0x0f);
            let high = L::and(L::shr::<4>(b), 0x0f);
            (L::or_and(low, bit0, 0x10), L::or_and(high, bit1, 0x10))
        }
    }
}

/// Q6_K: w = d s (q - 32); the bias subtracts the 32.
pub(super) struct Q6K;

impl Format256 for Q6K {
    const RECORD: usize = K_HIGH + 1024;
    const EVERY: usize = 2;
    const SIGNED_16: bool = true;

    #[inline(always)]
    unsafe fn step<L: Lanes, const ODD: usize>(
        record: *const u8,
        h: usize,
        j: usize,
    ) -> (L::Bytes, L::Bytes) {
        // SAFETY: inside the record's nibbles and bit pairs; the rest is the caller's contract.
        unsafe {
            // Half h of the block: low nibbles are its first two runs of 32, high the others.
            let nibbles = record.add(K_NIBBLES + h * 1024 + j * 64);
            let (b0, b1) = (L::bytes(nibbles), L::bytes(nibbles.add(512)));
            let high = L::bytes(record.add(K_HIGH + h * 512 + j * 64));
            // Bit pair 2 ODD and the one above it go to bits 4 and 5.
            if ODD == 0 {
                (
                    L::or_and(L::and(b0, 0x0f), L::shl::<4>(high), 0x30),
                    L::or_and(L::and(b1, 0x0f), L::shl::<2>(high), 0x30),
                )
            } else {
                (
                    L::or_and(L::and(L::shr::<4>(b0), 0x0f), high, 0x30),
                    L::or_and(L::and(L::shr::<4>(b1), 0x0f), L::shr::<2>(high), 0x30),
                )
            }
        }
    }
}
