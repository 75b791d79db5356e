//! Sixteen f32 lanes as a trait: what a kernel body may ask of a tier, and the plain-Rust answer.

#![expect(unsafe_code, reason = "loads and stores through pointers")]

use super::{LANES, madd};

/// A vector of [`LANES`] f32 values of one tier.
///
/// Values of a tier's type are only made inside functions that [`tiers!`](super::tiers) compiled for
/// that tier, which is what makes the intrinsics behind these safe methods executable. All methods
/// are `#[inline(always)]`, results are the same on every tier that fuses multiply and add.
pub(crate) trait Lanes: Copy {
    /// Whether 32 vectors of this type fit the register file (else about 8 do).
    const WIDE: bool;
    /// Whether bodies are worth compiling in many shapes: false for the tier of last resort.
    const FAST: bool = true;

    fn splat(x: f32) -> Self;
    fn from_array(x: [f32; LANES]) -> Self;
    fn to_array(self) -> [f32; LANES];

    /// Reads 16 values at `from`.
    ///
    /// # Safety
    /// `from` is readable for 16 values.
    unsafe fn load_ptr(from: *const f32) -> Self;
    /// Writes 16 values at `to`.
    ///
    /// # Safety
    /// `to` is writable for 16 values.
    unsafe fn store_ptr(self, to: *mut f32);
    /// Reads 32 bf16 values at `from`: those at even places, and those at odd places.
    ///
    /// # Safety
    /// `from` is readable for 32 values.
    unsafe fn load_bf16_pairs(from: *const u16) -> (Self, Self);
    /// Reads 16 signed bytes at `from`.
    ///
    /// # Safety
    /// `from` is readable for 16 bytes.
    unsafe fn load_i8(from: *const i8) -> Self;

    /// Asks for the cache line at `at`, a hint that may name any address.
    #[inline(always)]
    fn prefetch(at: *const u8) {
        let _ = at;
    }

    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    /// self * b + c, fused where the tier has the instruction.
    fn madd(self, b: Self, c: Self) -> Self;
    /// The larger; `other` where either is NaN.
    fn max(self, other: Self) -> Self;
    /// The smaller; `other` where either is NaN.
    fn min(self, other: Self) -> Self;
    /// |self|.
    fn abs(self) -> Self;
    /// The square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// Rounded to the nearest integer, ties to even.
    fn round(self) -> Self;
    /// self * 2^n, rounded once, for integral n in -300 ..= 250.
    fn scale2(self, n: Self) -> Self;
    /// `yes` where self < bound, else `no` (also where either is NaN).
    fn select_lt(self, bound: Self, yes: Self, no: Self) -> Self;
    /// Magnitude of self with the sign of `sign`.
    fn copysign(self, sign: Self) -> Self;

    /// Reads the first 16 values of `from`.
    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        let from = &from[..LANES];
        // SAFETY: 16 values (checked).
        unsafe { Self::load_ptr(from.as_ptr()) }
    }

    /// Writes the first 16 values of `to`.
    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        let to = &mut to[..LANES];
        // SAFETY: 16 values (checked).
        unsafe { self.store_ptr(to.as_mut_ptr()) }
    }

    /// Reads up to 16 values, the rest being `fill`.
    #[inline(always)]
    fn load_part(from: &[f32], fill: f32) -> Self {
        if from.len() >= LANES {
            return Self::load(from);
        }
        let mut all = [fill; LANES];
        all[..from.len()].copy_from_slice(from);
        Self::from_array(all)
    }

    /// Writes up to 16 values: as many as `to` takes.
    #[inline(always)]
    fn store_part(self, to: &mut [f32]) {
        if to.len() >= LANES {
            return self.store(to);
        }
        let n = to.len();
        to.copy_from_slice(&self.to_array()[..n]);
    }

    /// The first lane.
    #[inline(always)]
    fn first(self) -> f32 {
        self.to_array()[0]
    }

    /// The sum of the lanes, by halves.
    #[inline(always)]
    fn sum(self) -> f32 {
        fold(self.to_array(), |a, b| a + b)
    }

    /// The largest lane (any result where one is NaN).
    #[inline(always)]
    fn largest(self) -> f32 {
        fold(self.to_array(), |a, b| if a > b { a } else { b })
    }
}

/// Reduces 16 lanes by halves: 8, 4, 2, 1.
#[inline(always)]
fn fold(mut x: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut n = LANES / 2;
    while n > 0 {
        for i in 0..n {
            x[i] = f(x[i], x[i + n]);
        }
        n /= 2;
    }
    x[0]
}

/// Lanes for a CPU of which nothing is known: an array the compiler vectorises as it can.
#[derive(Clone, Copy)]
pub(crate) struct Portable([f32; LANES]);

impl Portable {
    #[inline(always)]
    fn map(self, f: impl Fn(f32) -> f32) -> Self {
        Self(self.0.map(f))
    }

    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

/// 1.5 * 2^23: adding and subtracting it rounds |x| < 2^22 to an integer.
const ROUND: f32 = 12_582_912.0;

/// 2^n for integral n in -126 ..= 127.
#[inline(always)]
fn power_of_two(n: f32) -> f32 {
    f32::from_bits(((n as i32 + 127) as u32) << 23)
}

impl Lanes for Portable {
    const WIDE: bool = false;
    const FAST: bool = false;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self([x; LANES])
    }

    #[inline(always)]
    fn from_array(x: [f32; LANES]) -> Self {
        Self(x)
    }

    #[inline(always)]
    fn to_array(self) -> [f32; LANES] {
        self.0
    }

    #[inline(always)]
    unsafe fn load_ptr(from: *const f32) -> Self {
        // SAFETY: the caller's contract; an array of f32 needs no more alignment than an f32.
        Self(unsafe { from.cast::<[f32; LANES]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store_ptr(self, to: *mut f32) {
        // SAFETY: as in `load_ptr`.
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn load_bf16_pairs(from: *const u16) -> (Self, Self) {
        // SAFETY: the caller's contract.
        let x = unsafe { from.cast::<[u16; 2 * LANES]>().read_unaligned() };
        let even = std::array::from_fn(|i| super::f32_from_bf16(x[2 * i]));
        let odd = std::array::from_fn(|i| super::f32_from_bf16(x[2 * i + 1]));
        (Self(even), Self(odd))
    }

    #[inline(always)]
    unsafe fn load_i8(from: *const i8) -> Self {
        // SAFETY: the caller's contract.
        let x = unsafe { from.cast::<[i8; LANES]>().read_unaligned() };
        Self(x.map(f32::from))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }

    #[inline(always)]
    fn madd(self, b: Self, c: Self) -> Self {
        Self(std::array::from_fn(|i| madd::<false>(self.0[i], b.0[i], c.0[i])))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn abs(self) -> Self {
        self.map(f32::abs)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        self.map(f32::sqrt)
    }

    #[inline(always)]
    fn round(self) -> Self {
        self.map(|x| (x + ROUND) - ROUND)
    }

    #[inline(always)]
    fn scale2(self, n: Self) -> Self {
        self.zip(n, |x, n| {
            // In two steps: 2^n itself may lie outside the range of normal numbers. The first is
            // exact, so there is one rounding.
            let half = (n * 0.5 + ROUND) - ROUND;
            x * power_of_two(half) * power_of_two(n - half)
        })
    }

    #[inline(always)]
    fn select_lt(self, bound: Self, yes: Self, no: Self) -> Self {
        Self(std::array::from_fn(|i| if self.0[i] < bound.0[i] { yes.0[i] } else { no.0[i] }))
    }

    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        self.zip(sign, f32::copysign)
    }
}
