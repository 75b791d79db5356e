//! [`Lanes`] in 512-bit registers, with and without VNNI.
#![expect(unsafe_code, reason = "intrinsics; the trait's contract proves the tier")]

use std::arch::x86_64::*;

use super::lanes::Lanes;

/// AVX-512 F, BW, VL and DQ; `VNNI` when AVX-512 VNNI is there too. Without it products go through
/// 16 bits (`vpmaddubsw`), which hold `every` steps of a narrow weight.
pub(super) struct Avx512<const VNNI: bool>;

impl<const VNNI: bool> Lanes for Avx512<VNNI> {
    type Bytes = __m512i;
    type Ints = __m512i;
    /// 32-bit sums, and 16-bit sums of the last few steps (without VNNI).
    type Dots = (__m512i, __m512i);
    type Floats = __m512;
    type Pairs = __m512i;

    #[inline(always)]
    unsafe fn bytes(p: *const u8) -> __m512i {
        // SAFETY: 64 bytes may be read; the tier has the instruction (contract).
        unsafe { _mm512_loadu_si512(p.cast()) }
    }

    #[inline(always)]
    unsafe fn and(b: __m512i, mask: u8) -> __m512i {
        // SAFETY: the tier has the instruction (contract).
        unsafe { _mm512_and_si512(b, _mm512_set1_epi8(mask as i8)) }
    }

    #[inline(always)]
    unsafe fn or_and(a: __m512i, b: __m512i, mask: u8) -> __m512i {
        /// Truth table of `a | (b & c)`.
        const OR_AND: i32 = 0b1111_1000;
        // SAFETY: the tier has the instruction (contract).
        unsafe { _mm512_ternarylogic_epi32::<OR_AND>(a, b, _mm512_set1_epi8(mask as i8)) }
    }

    #[inline(always)]
    unsafe fn shr<const N: u32>(b: __m512i) -> __m512i {
        // SAFETY: the tier has the instruction (contract).
        unsafe { _mm512_srli_epi16::<N>(b) }
    }

    #[inline(always)]
    unsafe fn shr_by(b: __m512i, n: u32) -> __m512i {
        // SAFETY: the tier has the instructions (contract).
        unsafe { _mm512_srlv_epi16(b, _mm512_set1_epi16(n as i16)) }
    }

    #[inline(always)]
    unsafe fn shl<const N: u32>(b: __m512i) -> __m512i {
        // SAFETY: the tier has the instruction (contract).
        unsafe { _mm512_slli_epi16::<N>(b) }
    }

    #[inline(always)]
    unsafe fn dots(start: i32) -> Self::Dots {
        // SAFETY: the tier has the instruction (contract).
        unsafe { (_mm512_set1_epi32(start), _mm512_setzero_si512()) }
    }

    #[inline(always)]
    unsafe fn signed_dots(bias: i32) -> Self::Dots {
        // SAFETY: the caller's contract is this function's.
        unsafe { Self::dots(if VNNI { bias } else { 0 }) }
    }

    #[inline(always)]
    unsafe fn dot(
        (sum, short): Self::Dots,
        w: __m512i,
        a: i32,
        every: usize,
        j: usize,
    ) -> Self::Dots {
        // SAFETY: the tier has the instructions (contract).
        unsafe {
            let a = _mm512_set1_epi32(a);
            if VNNI {
                return (_mm512_dpbusd_epi32(sum, w, a), short);
            }
            let products = _mm512_maddubs_epi16(w, a);
            let short =
                if j.is_multiple_of(every) { products } else { _mm512_add_epi16(short, products) };
            if j % every != every - 1 {
                return (sum, short);
            }
            (_mm512_add_epi32(sum, _mm512_madd_epi16(short, _mm512_set1_epi16(1))), short)
        }
    }

    #[inline(always)]
    unsafe fn dot_signed((sum, short): Self::Dots, w: __m512i, a: i32) -> Self::Dots {
        // SAFETY: the tier has the instructions (contract).
        unsafe {
            let a = _mm512_set1_epi32(a);
            if VNNI {
                let w = _mm512_xor_si512(w, _mm512_set1_epi8(-128));
                return (_mm512_dpbusd_epi32(sum, w, a), short);
            }
            // |w| times a with the sign of w: 128 * 127 * 2 fits 16 bits.
            let negative = _mm512_movepi8_mask(w);
            let a = _mm512_mask_sub_epi8(a, negative, _mm512_setzero_si512(), a);
            let products = _mm512_maddubs_epi16(_mm512_abs_epi8(w), a);
            (_mm512_add_epi32(sum, _mm512_madd_epi16(products, _mm512_set1_epi16(1))), short)
        }
    }

    #[inline(always)]
    unsafe fn ints(dots: Self::Dots) -> __m512i {
        dots.0
    }

    #[inline(always)]
    unsafe fn zero() -> __m512i {
        // SAFETY: the tier has the instruction (contract).
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    unsafe fn unsigned(p: *const u8) -> __m512i {
        // SAFETY: 16 bytes may be read; the tier has the instructions (contract).
        unsafe { _mm512_cvtepu8_epi32(_mm_loadu_si128(p.cast())) }
    }

    #[inline(always)]
    unsafe fn signed(p: *const u8) -> __m512i {
        // SAFETY: 16 bytes may be read; the tier has the instructions (contract).
        unsafe { _mm512_cvtepi8_epi32(_mm_loadu_si128(p.cast())) }
    }

    #[inline(always)]
    unsafe fn mul_add(a: __m512i, b: __m512i, sum: __m512i) -> __m512i {
        // SAFETY: the tier has the instructions (contract).
        unsafe { _mm512_add_epi32(_mm512_mullo_epi32(a, b), sum) }
    }

    #[inline(always)]
    unsafe fn pairs(p: *const u8) -> __m512i {
        // SAFETY: 32 bytes may be read; the tier has the instructions (contract).
        unsafe { _mm512_cvtepu8_epi16(_mm256_loadu_si256(p.cast())) }
    }

    #[inline(always)]
    unsafe fn pair_dot(sum: __m512i, pairs: __m512i, a: i32) -> __m512i {
        // SAFETY: the tier has the instructions (contract).
        unsafe {
            let a = _mm512_set1_epi32(a);
            if VNNI {
                _mm512_dpwssd_epi32(sum, pairs, a)
            } else {
                _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, a))
            }
        }
    }

    #[inline(always)]
    unsafe fn f16s(p: *const u8) -> __m512 {
        // SAFETY: 32 bytes may be read; the tier has the instructions (contract).
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(p.cast())) }
    }

    #[inline(always)]
    unsafe fn f_zero() -> __m512 {
        // SAFETY: the tier has the instruction (contract).
        unsafe { _mm512_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn scale(f: __m512, s: f32) -> __m512 {
        // SAFETY: the tier has the instructions (contract).
        unsafe { _mm512_mul_ps(f, _mm512_set1_ps(s)) }
    }

    #[inline(always)]
    unsafe fn add_scaled(i: __m512i, f: __m512, acc: __m512) -> __m512 {
        // SAFETY: the tier has the instructions (contract).
        unsafe { _mm512_fmadd_ps(_mm512_cvtepi32_ps(i), f, acc) }
    }

    #[inline(always)]
    unsafe fn sub_scaled(i: __m512i, f: __m512, acc: __m512) -> __m512 {
        // SAFETY: the tier has the instructions (contract).
        unsafe { _mm512_fnmadd_ps(_mm512_cvtepi32_ps(i), f, acc) }
    }

    #[inline(always)]
    unsafe fn store(f: __m512, out: *mut f32) {
        // SAFETY: 16 f32 may be written; the tier has the instruction (contract).
        unsafe { _mm512_storeu_ps(out, f) }
    }

    #[inline(always)]
    unsafe fn prefetch(p: *const u8) {
        // SAFETY: a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
    }
}
