//! Lanes of x86: one 512-bit register, or two of 256 bits.
//!
//! Intel Intrinsics Guide. Every method is compiled inside a function that enables the tier's
//! features (see [`Lanes`]).
#![expect(unsafe_code, reason = "intrinsics, executable where the tier's types are made")]

use std::arch::x86_64::*;

use super::{LANES, Lanes};

/// AVX-512 F/BW/VL/DQ.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(__m512);

/// Wraps intrinsics that only need the tier's features.
macro_rules! simd {
    ($e:expr) => {
        // SAFETY: the tier's features are there wherever its type is made; registers only.
        unsafe { $e }
    };
}

impl Avx512 {
    /// The register itself, for instructions beyond those of [`Lanes`].
    #[inline(always)]
    pub(crate) fn register(self) -> __m512 {
        self.0
    }
}

impl Lanes for Avx512 {
    const WIDE: bool = true;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self(simd!(_mm512_set1_ps(x)))
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
        // SAFETY: the caller's contract.
        Self(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store_ptr(self, to: *mut f32) {
        // SAFETY: the caller's contract.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn load_bf16_pairs(from: *const u16) -> (Self, Self) {
        // SAFETY: the caller's contract.
        let x = unsafe { _mm512_loadu_si512(from.cast()) };
        simd!((
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(x))),
            Self(_mm512_castsi512_ps(_mm512_and_si512(x, _mm512_set1_epi32(!0xffff)))),
        ))
    }

    #[inline(always)]
    unsafe fn load_i8(from: *const i8) -> Self {
        // SAFETY: the caller's contract.
        let x = unsafe { _mm_loadu_si128(from.cast()) };
        Self(simd!(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(x))))
    }

    #[inline(always)]
    fn prefetch(at: *const u8) {
        simd!(_mm_prefetch::<_MM_HINT_T0>(at.cast()));
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(simd!(_mm512_add_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(simd!(_mm512_sub_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(simd!(_mm512_mul_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Self(simd!(_mm512_div_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn madd(self, b: Self, c: Self) -> Self {
        Self(simd!(_mm512_fmadd_ps(self.0, b.0, c.0)))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(simd!(_mm512_max_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self(simd!(_mm512_min_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Self(simd!(_mm512_abs_ps(self.0)))
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(simd!(_mm512_sqrt_ps(self.0)))
    }

    #[inline(always)]
    fn round(self) -> Self {
        Self(simd!(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(
            self.0
        )))
    }

    #[inline(always)]
    fn scale2(self, n: Self) -> Self {
        Self(simd!(_mm512_scalef_ps(self.0, n.0)))
    }

    #[inline(always)]
    fn select_lt(self, bound: Self, yes: Self, no: Self) -> Self {
        Self(simd!({
            let less = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(self.0, bound.0);
            _mm512_mask_blend_ps(less, no.0, yes.0)
        }))
    }

    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        Self(simd!({
            let bit = _mm512_set1_ps(-0.0);
            _mm512_or_ps(_mm512_andnot_ps(bit, self.0), _mm512_and_ps(bit, sign.0))
        }))
    }
}

/// AVX2 with FMA: lanes 0-7 and 8-15.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(__m256, __m256);

impl Lanes for Avx2 {
    const WIDE: bool = false;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        let x = simd!(_mm256_set1_ps(x));
        Self(x, x)
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
        // SAFETY: the caller's contract.
        unsafe { Self(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
    }

    #[inline(always)]
    unsafe fn store_ptr(self, to: *mut f32) {
        // SAFETY: the caller's contract.
        unsafe {
            _mm256_storeu_ps(to, self.0);
            _mm256_storeu_ps(to.add(8), self.1);
        }
    }

    #[inline(always)]
    unsafe fn load_bf16_pairs(from: *const u16) -> (Self, Self) {
        // SAFETY: the caller's contract.
        let (a, b) = unsafe {
            (_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(LANES).cast()))
        };
        simd!({
            let odd = _mm256_set1_epi32(!0xffff);
            (
                Self(
                    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(a)),
                    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(b)),
                ),
                Self(
                    _mm256_castsi256_ps(_mm256_and_si256(a, odd)),
                    _mm256_castsi256_ps(_mm256_and_si256(b, odd)),
                ),
            )
        })
    }

    #[inline(always)]
    unsafe fn load_i8(from: *const i8) -> Self {
        // SAFETY: the caller's contract.
        let (a, b) = unsafe { (_mm_loadl_epi64(from.cast()), _mm_loadl_epi64(from.add(8).cast())) };
        simd!(Self(
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(a)),
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(b)),
        ))
    }

    #[inline(always)]
    fn prefetch(at: *const u8) {
        simd!(_mm_prefetch::<_MM_HINT_T0>(at.cast()));
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        simd!(Self(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        simd!(Self(_mm256_sub_ps(self.0, other.0), _mm256_sub_ps(self.1, other.1)))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        simd!(Self(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1)))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        simd!(Self(_mm256_div_ps(self.0, other.0), _mm256_div_ps(self.1, other.1)))
    }

    #[inline(always)]
    fn madd(self, b: Self, c: Self) -> Self {
        simd!(Self(_mm256_fmadd_ps(self.0, b.0, c.0), _mm256_fmadd_ps(self.1, b.1, c.1)))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        simd!(Self(_mm256_max_ps(self.0, other.0), _mm256_max_ps(self.1, other.1)))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        simd!(Self(_mm256_min_ps(self.0, other.0), _mm256_min_ps(self.1, other.1)))
    }

    #[inline(always)]
    fn abs(self) -> Self {
        simd!({
            let bit = _mm256_set1_ps(-0.0);
            Self(_mm256_andnot_ps(bit, self.0), _mm256_andnot_ps(bit, self.1))
        })
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        simd!(Self(_mm256_sqrt_ps(self.0), _mm256_sqrt_ps(self.1)))
    }

    #[inline(always)]
    fn round(self) -> Self {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        simd!(Self(_mm256_round_ps::<NEAREST>(self.0), _mm256_round_ps::<NEAREST>(self.1)))
    }

    #[inline(always)]
    fn scale2(self, n: Self) -> Self {
        // In two steps, the first exact: 2^n itself may lie outside the range of normal numbers.
        #[inline(always)]
        fn half(x: __m256, n: __m256) -> __m256 {
            simd!({
                let bias = _mm256_set1_epi32(127);
                let n = _mm256_cvtps_epi32(n);
                let first = _mm256_srai_epi32::<1>(n);
                let second = _mm256_sub_epi32(n, first);
                let power = _mm256_slli_epi32::<23>(_mm256_add_epi32(first, bias));
                let x = _mm256_mul_ps(x, _mm256_castsi256_ps(power));
                let power = _mm256_slli_epi32::<23>(_mm256_add_epi32(second, bias));
                _mm256_mul_ps(x, _mm256_castsi256_ps(power))
            })
        }
        Self(half(self.0, n.0), half(self.1, n.1))
    }

    #[inline(always)]
    fn select_lt(self, bound: Self, yes: Self, no: Self) -> Self {
        simd!(Self(
            _mm256_blendv_ps(no.0, yes.0, _mm256_cmp_ps::<_CMP_LT_OQ>(self.0, bound.0)),
            _mm256_blendv_ps(no.1, yes.1, _mm256_cmp_ps::<_CMP_LT_OQ>(self.1, bound.1)),
        ))
    }

    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        simd!({
            let bit = _mm256_set1_ps(-0.0);
            Self(
                _mm256_or_ps(_mm256_andnot_ps(bit, self.0), _mm256_and_ps(bit, sign.0)),
                _mm256_or_ps(_mm256_andnot_ps(bit, self.1), _mm256_and_ps(bit, sign.1)),
            )
        })
    }
}
