//! How each format's record is unpacked to 16 rows x 4 values, independent of the instruction set.
#![expect(unsafe_code, reason = "pointers into records; instruction sets proved by the caller")]

use super::lanes::Lanes;
use crate::quant::panels::{B32_SCALES, K_HIGH, K_NIBBLES};

/// A format with one f16 scale per 32 values: w = d (q - ZERO), or d q + m.
pub(super) trait Format32 {
    /// Bytes of a record of two blocks.
    const RECORD: usize;
    /// How many products of a weight with 127, twice, fit 16 bits.
    const EVERY: usize;
    /// What is subtracted from unsigned q, unless [`Self::MIN`].
    const ZERO: i8;
    /// Whether q is signed.
    const SIGNED: bool = false;
    /// Whether there is an f16 m.
    const MIN: bool = false;

    /// Values 4j..4j+4 and 4j+16..4j+20 of block `h`, as bytes.
    ///
    /// # Safety
    /// `record` is one of this format; h < 2 and J < 4; the tier is proved.
    unsafe fn step<L: Lanes, const J: usize>(record: *const u8, h: usize) -> (L::Bytes, L::Bytes);
}

/// Q8_0: w = d q.
pub(super) struct Q8_0;

impl Format32 for Q8_0 {
    const RECORD: usize = B32_SCALES + 1024;
    const EVERY: usize = 1;
    const ZERO: i8 = 0;
    const SIGNED: bool = true;

    #[inline(always)]
    unsafe fn step<L: Lanes, const J: usize>(record: *const u8, h: usize) -> (L::Bytes, L::Bytes) {
        // SAFETY: inside the record; the tier is the caller's contract.
        unsafe {
            let p = record.add(B32_SCALES + h * 512 + J * 64);
            (L::bytes(p), L::bytes(p.add(256)))
        }
    }
}

/// Q4_0 and Q5_0 (`FIFTH`): w = d (q - 8) or d (q - 16); Q4_1 and Q5_1 (`MIN`): w = d q + m.
pub(super) struct Nibbles<const FIFTH: bool, const MIN: bool>;

impl<const FIFTH: bool, const MIN: bool> Nibbles<FIFTH, MIN> {
    const AT: usize = if MIN { 2 * B32_SCALES } else { B32_SCALES };
}

impl<const FIFTH: bool, const MIN: bool> Format32 for Nibbles<FIFTH, MIN> {
    const RECORD: usize = Self::AT + 512 + if FIFTH { 128 } else { 0 };
    const EVERY: usize = if FIFTH { 4 } else { 8 };
    const ZERO: i8 = match (MIN, FIFTH) {
        (true, _) => 0,
        (false, true) => 16,
        (false, false) => 8,
    };
    const MIN: bool = MIN;

    #[inline(always)]
    unsafe fn step<L: Lanes, const J: usize>(record: *const u8, h: usize) -> (L::Bytes, L::Bytes) {
        // SAFETY: inside the record; the tier is the caller's contract.
        unsafe {
            let b = L::bytes(record.add(Self::AT + h * 256 + J * 64));
            let (low, high) = (L::and(b, 0x0f), L::and(L::shr::<4>(b), 0x0f));
            if !FIFTH {
                return (low, high);
            }
            // Bits j and j + 4 go to bit 4.
            let bits = L::bytes(record.add(Self::AT + 512 + h * 64));
            let (bit0, bit1) = match J {
                0 => (L::shl::<4>(bits), bits),
                1 => (L::shl::<3>(bits), L::shr::<1>(bits)),
                2 => (L::shl::<2>(bits), L::shr::<2>(bits)),
                _ => (L::shl::<1>(bits), L::shr::<3>(bits)),
            };
            (L::or_and(low, bit0, 0x10), L::or_and(high, bit1, 0x10))
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
