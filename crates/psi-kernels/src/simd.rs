//! Shared element-wise building blocks: fused multiply-add by tier, bf16 conversion, disjoint output.
#![expect(unsafe_code, reason = "disjoint writes from several threads into one slice")]

use std::{marker::PhantomData, ops::Range};

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
