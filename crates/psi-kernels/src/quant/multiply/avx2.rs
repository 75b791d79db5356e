//! [`Lanes`] in pairs of 256-bit registers.
#![expect(unsafe_code, reason = "intrinsics; the trait's contract proves the tier")]

use std::arch::x86_64::*;

use super::lanes::Lanes;

/// AVX2, FMA and F16C. Products go through 16 bits (`vpmaddubsw`), which hold `every` steps of a
/// narrow weight.
pub(super) struct Avx2;

type Two = [__m256i; 2];

impl Lanes for Avx2 {
    type Bytes = Two;
    type Ints = Two;
    /// 32-bit sums, and 16-bit sums of the last few steps.
    type Dots = (Two, Two);
    type Floats = [__m256; 2];
    type Pairs = Two;

    #[inline(always)]
    unsafe fn bytes(p: *const u8) -> Two {
        // SAFETY: 64 bytes may be read; the tier has the instruction (contract).
        unsafe { [_mm256_loadu_si256(p.cast()), _mm256_loadu_si256(p.add(32).cast())] }
    }

    #[inline(always)]
    unsafe fn and(b: Two, mask: u8) -> Two {
        // SAFETY: the tier has the instructions (contract).
        unsafe {
            let mask = _mm256_set1_epi8(mask as i8);
            [_mm256_and_si256(b[0], mask), _mm256_and_si256(b[1], mask)]
        }
    }

    #[inline(always)]
    unsafe fn or_and(a: Two, b: Two, mask: u8) -> Two {
        // SAFETY: the tier has the instructions (contract).
        unsafe {
            let b = Self::and(b, mask);
            [_mm256_or_si256(a[0], b[0]), _mm256_or_si256(a[1], b[1])]
        }
    }

    #[inline(always)]
    unsafe fn shr<const N: u32>(b: Two) -> Two {
        // SAFETY: the caller's contract is this function's.
        unsafe { Self::shr_by(b, N) }
    }

    #[inline(always)]
    unsafe fn shr_by(b: Two, n: u32) -> Two {
        // SAFETY: the tier has the instructions (contract).
        unsafe {
            let n = _mm_cvtsi32_si128(n as i32);
            [_mm256_srl_epi16(b[0], n), _mm256_srl_epi16(b[1], n)]
        }
    }

    #[inline(always)]
    unsafe fn shl<const N: u32>(b: Two) -> Two {
        // SAFETY: the tier has the instructions (contract).
        unsafe {
            let n = _mm_cvtsi32_si128(N as i32);
            [_mm256_sll_epi16(b[0], n), _mm256_sll_epi16(b[1], n)]
        }
    }

    #[inline(always)]
    unsafe fn dots(start: i32) -> Self::Dots {
        // SAFETY: the tier has the instructions (contract).
        unsafe { ([_mm256_set1_epi32(start); 2], Self::zero()) }
    }

    #[inline(always)]
    unsafe fn signed_dots(_bias: i32) -> Self::Dots {
        // SAFETY: the caller's contract is this function's.
        unsafe { Self::dots(0) }
    }

    #[inline(always)]
    unsafe fn dot(
        (mut sum, mut short): Self::Dots,
        w: Two,
        a: i32,
        every: usize,
        j: usize,
    ) -> Self::Dots {
        // SAFETY: the tier has the instructions (contract).
        unsafe {
            let a = _mm256_set1_epi32(a);
            for i in 0..2 {
                let products = _mm256_maddubs_epi16(w[i], a);
                short[i] = if j.is_multiple_of(every) {
                    products
                } else {
                    _mm256_add_epi16(short[i], products)
                };
                if j % every == every - 1 {
                    let wide = _mm256_madd_epi16(short[i], _mm256_set1_epi16(1));
                    sum[i] = _mm256_add_epi32(sum[i], wide);
                }
            }
        }
        (sum, short)
    }

    #[inline(always)]
    unsafe fn dot_signed((mut sum, short): Self::Dots, w: Two, a: i32) -> Self::Dots {
        // SAFETY: the tier has the instructions (contract).
        unsafe {
            let a = _mm256_set1_epi32(a);
            for i in 0..2 {
                // |w| times a with the sign of w: 128 * 127 * 2 fits 16 bits.
                let products =
                    _mm256_maddubs_epi16(_mm256_abs_epi8(w[i]), _mm256_sign_epi8(a, w[i]));
                let wide = _mm256_madd_epi16(products, _mm256_set1_epi16(1));
                sum[i] = _mm256_add_epi32(sum[i], wide);
            }
        }
        (sum, short)
    }

    #[inline(always)]
    unsafe fn ints(dots: Self::Dots) -> Two {
        dots.0
    }

    #[inline(always)]
    unsafe fn zero() -> Two {
        // SAFETY: the tier has the instruction (contract).
        unsafe { [_mm256_setzero_si256(); 2] }
    }

    #[inline(always)]
    unsafe fn unsigned(p: *const u8) -> Two {
        // SAFETY: 16 bytes may be read; the tier has the instructions (contract).
        unsafe {
            [
                _mm256_cvtepu8_epi32(_mm_loadl_epi64(p.cast())),
                _mm256_cvtepu8_epi32(_mm_loadl_epi64(p.add(8).cast())),
            ]
        }
    }

    #[inline(always)]
    unsafe fn signed(p: *const u8) -> Two {
        // SAFETY: 16 bytes may be read; the tier has the instructions (contract).
        unsafe {
            [
                _mm256_cvtepi8_epi32(_mm_loadl_epi64(p.cast())),
                _mm256_cvtepi8_epi32(_mm_loadl_epi64(p.add(8).cast())),
            ]
        }
    }

    #[inline(always)]
    unsafe fn mul_add(a: Two, b: Two, sum: Two) -> Two {
        // SAFETY: the tier has the instructions (contract).
        unsafe {
            [
                _mm256_add_epi32(_mm256_mullo_epi32(a[0], b[0]), sum[0]),
                _mm256_add_epi32(_mm256_mullo_epi32(a[1], b[1]), sum[1]),
            ]
        }
    }

    #[inline(always)]
    unsafe fn pairs(p: *const u8) -> Two {
        // SAFETY: 32 bytes may be read; the tier has the instructions (contract).
        unsafe {
            [
                _mm256_cvtepu8_epi16(_mm_loadu_si128(p.cast())),
                _mm256_cvtepu8_epi16(_mm_loadu_si128(p.add(16).cast())),
            ]
        }
    }

    #[inline(always)]
    unsafe fn pair_dot(sum: Two, pairs: Two, a: i32) -> Two {
        // SAFETY: the tier has the instructions (contract).
        unsafe {
            let a = _mm256_set1_epi32(a);
            [
                _mm256_add_epi32(sum[0], _mm256_madd_epi16(pairs[0], a)),
                _mm256_add_epi32(sum[1], _mm256_madd_epi16(pairs[1], a)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn f16s(p: *const u8) -> [__m256; 2] {
        // SAFETY: 32 bytes may be read; the tier has the instructions (contract).
        unsafe {
            [
                _mm256_cvtph_ps(_mm_loadu_si128(p.cast())),
                _mm256_cvtph_ps(_mm_loadu_si128(p.add(16).cast())),
            ]
        }
    }

    #[inline(always)]
    unsafe fn f_zero() -> [__m256; 2] {
        // SAFETY: the tier has the instruction (contract).
        unsafe { [_mm256_setzero_ps(); 2] }
    }

    #[inline(always)]
    unsafe fn scale(f: [__m256; 2], s: f32) -> [__m256; 2] {
        // SAFETY: the tier has the instructions (contract).
        unsafe {
            let s = _mm256_set1_ps(s);
            [_mm256_mul_ps(f[0], s), _mm256_mul_ps(f[1], s)]
        }
    }

    #[inline(always)]
    unsafe fn add_scaled(i: Two, f: [__m256; 2], acc: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: the tier has the instructions (contract).
        unsafe {
            [
                _mm256_fmadd_ps(_mm256_cvtepi32_ps(i[0]), f[0], acc[0]),
                _mm256_fmadd_ps(_mm256_cvtepi32_ps(i[1]), f[1], acc[1]),
            ]
        }
    }

    #[inline(always)]
    unsafe fn sub_scaled(i: Two, f: [__m256; 2], acc: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: the tier has the instructions (contract).
        unsafe {
            [
                _mm256_fnmadd_ps(_mm256_cvtepi32_ps(i[0]), f[0], acc[0]),
                _mm256_fnmadd_ps(_mm256_cvtepi32_ps(i[1]), f[1], acc[1]),
            ]
        }
    }

    #[inline(always)]
    unsafe fn store(f: [__m256; 2], out: *mut f32) {
        // SAFETY: 16 f32 may be written; the tier has the instruction (contract).
        unsafe {
            _mm256_storeu_ps(out, f[0]);
            _mm256_storeu_ps(out.add(8), f[1]);
        }
    }

    #[inline(always)]
    unsafe fn prefetch(p: *const u8) {
        // SAFETY: a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast()) }
    }
}
