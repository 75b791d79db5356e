//! Vector building blocks: 16 lanes per tier, one body per kernel, exp, bf16, disjoint output.
#![expect(unsafe_code, reason = "disjoint writes from several threads into one slice")]

mod lanes;
mod math;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::{marker::PhantomData, ops::Range};

#[cfg(target_arch = "aarch64")]
pub(crate) use self::neon::Neon;
#[cfg(target_arch = "x86_64")]
pub(crate) use self::x86::{Avx2, Avx512};
pub(crate) use self::{
    lanes::{Lanes, Portable},
    math::{erf, exp, sigmoid, tanh},
};

/// Lanes of the vector every kernel body is written for.
pub(crate) const LANES: usize = 16;

/// Compiles one generic body for every tier and dispatches on an [`Isa`](crate::Isa).
///
/// `tiers! { fn name(a: A, b: B) -> R = body; }` makes `fn name(isa: Isa, a: A, b: B) -> R`, which
/// calls `body::<L>(a, b)` with the widest [`Lanes`] of the tier inside a `#[target_feature]`
/// function. `body` and all it calls must be `#[inline(always)]`, so that they are compiled with
/// those features; it must hand no closure to a function that is not inlined.
macro_rules! tiers {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? = $body:path;) => {
        $(#[$meta])*
        #[expect(unsafe_code, reason = "calls of target_feature functions, proven by the Isa")]
        #[expect(clippy::allow_attributes, reason = "fires for some signatures only")]
        #[allow(clippy::too_many_arguments, reason = "the body's operands and the tier")]
        $vis fn $name(isa: crate::Isa, $($arg: $ty),*) $(-> $ret)? {
            use $body as body;
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c")]
            #[allow(clippy::too_many_arguments, reason = "the body's operands")]
            fn avx2($($arg: $ty),*) $(-> $ret)? {
                body::<crate::simd::Avx2>($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
            #[allow(clippy::too_many_arguments, reason = "the body's operands")]
            fn avx512($($arg: $ty),*) $(-> $ret)? {
                body::<crate::simd::Avx512>($($arg),*)
            }
            match isa.tier() {
                #[cfg(target_arch = "x86_64")]
                crate::Tier::Avx2 => {
                    // SAFETY: an `Isa` of this tier proves that the CPU has these features.
                    unsafe { avx2($($arg),*) }
                }
                #[cfg(target_arch = "x86_64")]
                crate::Tier::Avx512 | crate::Tier::Avx512Vnni | crate::Tier::Amx => {
                    // SAFETY: as above.
                    unsafe { avx512($($arg),*) }
                }
                #[cfg(target_arch = "aarch64")]
                crate::Tier::Neon => body::<crate::simd::Neon>($($arg),*),
                _ => body::<crate::simd::Portable>($($arg),*),
            }
        }
    };
}
pub(crate) use tiers;

/// `a * b + c`, rounded once where `FMA` says that the tier has the instruction (without it
/// `f32::mul_add` would be a library call per element).
#[inline(always)]
pub(crate) fn madd<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// bf16 bits of `x`, rounded to nearest even; NaN stays NaN (quiet).
#[inline(always)]
pub(crate) fn bf16_from_f32(x: f32) -> u16 {
    let bits = x.to_bits();
    if x.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    let round = 0x7fff + (bits >> 16 & 1);
    (bits.wrapping_add(round) >> 16) as u16
}

/// The f32 that bf16 `bits` stand for.
#[inline(always)]
pub(crate) fn f32_from_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// A mutable slice handed to several tasks that each write their own part of it.
pub(crate) struct Parts<'a, T> {
    ptr: *mut T,
    len: usize,
    _slice: PhantomData<&'a mut [T]>,
}

// SAFETY: `Parts` only gives out ranges, and `take`'s contract makes them disjoint between threads.
unsafe impl<T: Send> Send for Parts<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Parts<'_, T> {}

impl<'a, T> Parts<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self { ptr: slice.as_mut_ptr(), len: slice.len(), _slice: PhantomData }
    }

    /// The elements of `range`.
    ///
    /// # Safety
    /// No two live results may overlap: every task takes its own range.
    ///
    /// # Panics
    /// When the range lies outside the slice.
    #[expect(clippy::mut_from_ref, reason = "disjointness is the caller's contract")]
    pub(crate) unsafe fn take(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {}", self.len);
        // SAFETY: inside the slice (checked); disjoint from other live parts (contract).
        unsafe { std::slice::from_raw_parts_mut(self.ptr.add(range.start), range.len()) }
    }
}
