//! Lanes of aarch64: four registers of 128 bits.
//!
//! Arm Neon Intrinsics Reference. Advanced SIMD is part of the aarch64 baseline, so every method
//! may run on any such CPU.
#![expect(unsafe_code, reason = "loads and stores through pointers, baseline intrinsics")]

use std::{arch::aarch64::*, array::from_fn};

use super::{LANES, Lanes};

/// Advanced SIMD: lanes 4i .. 4i + 4 in register i.
#[derive(Clone, Copy)]
pub(crate) struct Neon([float32x4_t; 4]);

/// Applies baseline intrinsics to each of the four registers.
macro_rules! each {
    ($i:ident => $e:expr) => {
        // SAFETY: baseline instructions on registers.
        Self(from_fn(|$i| unsafe { $e }))
    };
}

impl Lanes for Neon {
    const WIDE: bool = false;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        each!(_i => vdupq_n_f32(x))
    }

    #[inline(always)]
    fn from_array(x: [f32; LANES]) -> Self {
        // SAFETY: 16 values.
        unsafe { Self::load_ptr(x.as_ptr()) }
    }

    #[inline(always)]
    fn to_array(self) -> [f32; LANES] {
        let mut x = [0.0; LANES];
        // SAFETY: 16 values.
        unsafe { self.store_ptr(x.as_mut_ptr()) };
        x
    }

    #[inline(always)]
    unsafe fn load_ptr(from: *const f32) -> Self {
        // The caller's contract covers the loads.
        each!(i => vld1q_f32(from.add(4 * i)))
    }

    #[inline(always)]
    unsafe fn store_ptr(self, to: *mut f32) {
        for i in 0..4 {
            // SAFETY: the caller's contract.
            unsafe { vst1q_f32(to.add(4 * i), self.0[i]) };
        }
    }

    #[inline(always)]
    unsafe fn load_bf16_pairs(from: *const u16) -> (Self, Self) {
        // SAFETY: the caller's contract.
        let x: [uint32x4_t; 4] =
            from_fn(|i| unsafe { vreinterpretq_u32_u16(vld1q_u16(from.add(8 * i))) });
        (
            each!(i => vreinterpretq_f32_u32(vshlq_n_u32::<16>(x[i]))),
            each!(i => vreinterpretq_f32_u32(vandq_u32(x[i], vdupq_n_u32(0xffff_0000)))),
        )
    }

    #[inline(always)]
    unsafe fn load_i8(from: *const i8) -> Self {
        // SAFETY: the caller's contract.
        let x = unsafe { vld1q_s8(from) };
        // SAFETY: baseline instructions on registers.
        unsafe {
            let low = vmovl_s8(vget_low_s8(x));
            let high = vmovl_s8(vget_high_s8(x));
            Self([
                vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))),
                vcvtq_f32_s32(vmovl_s16(vget_high_s16(low))),
                vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
                vcvtq_f32_s32(vmovl_s16(vget_high_s16(high))),
            ])
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        each!(i => vaddq_f32(self.0[i], other.0[i]))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        each!(i => vsubq_f32(self.0[i], other.0[i]))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        each!(i => vmulq_f32(self.0[i], other.0[i]))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        each!(i => vdivq_f32(self.0[i], other.0[i]))
    }

    #[inline(always)]
    fn madd(self, b: Self, c: Self) -> Self {
        each!(i => vfmaq_f32(c.0[i], self.0[i], b.0[i]))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        each!(i => vbslq_f32(vcgtq_f32(self.0[i], other.0[i]), self.0[i], other.0[i]))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        each!(i => vbslq_f32(vcltq_f32(self.0[i], other.0[i]), self.0[i], other.0[i]))
    }

    #[inline(always)]
    fn abs(self) -> Self {
        each!(i => vabsq_f32(self.0[i]))
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        each!(i => vsqrtq_f32(self.0[i]))
    }

    #[inline(always)]
    fn round(self) -> Self {
        each!(i => vrndnq_f32(self.0[i]))
    }

    #[inline(always)]
    fn scale2(self, n: Self) -> Self {
        // In two steps, the first exact: 2^n itself may lie outside the range of normal numbers.
        each!(i => {
            let bias = vdupq_n_s32(127);
            let n = vcvtnq_s32_f32(n.0[i]);
            let first = vshrq_n_s32::<1>(n);
            let second = vsubq_s32(n, first);
            let power = vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(first, bias)));
            let x = vmulq_f32(self.0[i], power);
            vmulq_f32(x, vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(second, bias))))
        })
    }

    #[inline(always)]
    fn select_lt(self, bound: Self, yes: Self, no: Self) -> Self {
        each!(i => vbslq_f32(vcltq_f32(self.0[i], bound.0[i]), yes.0[i], no.0[i]))
    }

    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        each!(i => vbslq_f32(vdupq_n_u32(0x8000_0000), sign.0[i], self.0[i]))
    }
}
