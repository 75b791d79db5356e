//! AVX2 and AVX-512 slabs: conversion and 16 x 16 transposition in registers.
#![expect(unsafe_code, reason = "vector loads and stores")]

use std::arch::x86_64::*;

use super::pack::{Rounding, Words, read_words};

/// A slab with AVX-512.
///
/// # Safety
/// AVX-512 F and BW; `src` has the rows that `words` says, `dst` 16 lines of 64 bytes.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn slab_avx512(
    src: *const u8,
    ld: usize,
    dst: *mut u8,
    line: usize,
    words: Words,
    transpose: bool,
) {
    let mut v = [_mm512_setzero_si512(); 16];
    // SAFETY: the rows that `words` says are readable.
    let row = |r: usize| unsafe { src.add(r * ld) };
    // SAFETY: as above; 64 bytes per load.
    unsafe {
        match words {
            Words::Copy => {
                for r in 0..16 {
                    v[r] = _mm512_loadu_si512(row(r).cast());
                }
            }
            Words::Along(_) => {
                for r in 0..16 {
                    let lo = round_exact(_mm512_loadu_si512(row(r).cast()));
                    let hi = round_exact(_mm512_loadu_si512(row(r).add(64).cast()));
                    v[r] = _mm512_permutex2var_epi16(lo, odd_halves(), hi);
                }
            }
            Words::Across(_) => {
                for r in 0..16 {
                    let even = round_exact(_mm512_loadu_si512(row(2 * r).cast()));
                    let odd = round_exact(_mm512_loadu_si512(row(2 * r + 1).cast()));
                    let high = _mm512_set1_epi32(0xffff_0000_u32.cast_signed());
                    let odd = _mm512_and_si512(odd, high);
                    v[r] = _mm512_or_si512(_mm512_srli_epi32::<16>(even), odd);
                }
            }
        }
        store(v, dst, line, transpose);
    }
}

/// A slab with AVX-512 and its BF16 conversion where the rounding allows it.
///
/// # Safety
/// As for [`slab_avx512`], and BF16.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn slab_bf16(
    src: *const u8,
    ld: usize,
    dst: *mut u8,
    line: usize,
    words: Words,
    transpose: bool,
) {
    let mut v = [_mm512_setzero_si512(); 16];
    // SAFETY: the rows that `words` says are readable.
    let row = |r: usize| unsafe { src.add(r * ld).cast::<f32>() };
    // SAFETY: as above; 64 bytes per load.
    unsafe {
        match words {
            Words::Along(Rounding::Operand) => {
                for r in 0..16 {
                    let (lo, hi) = (_mm512_loadu_ps(row(r)), _mm512_loadu_ps(row(r).add(16)));
                    let pairs = _mm512_cvtne2ps_pbh(hi, lo);
                    v[r] = std::mem::transmute::<__m512bh, __m512i>(pairs);
                }
            }
            Words::Across(Rounding::Operand) => {
                for r in 0..16 {
                    let even = _mm512_loadu_ps(row(2 * r));
                    let odd = _mm512_loadu_ps(row(2 * r + 1));
                    let halves = _mm512_cvtne2ps_pbh(odd, even);
                    let halves = std::mem::transmute::<__m512bh, __m512i>(halves);
                    v[r] = _mm512_permutexvar_epi16(interleaved(), halves);
                }
            }
            _ => return slab_avx512(src, ld, dst, line, words, transpose),
        }
        store(v, dst, line, transpose);
    }
}

/// Rounds whole pieces of 32 elements, `slab` bytes apart.
///
/// # Safety
/// AVX-512 F and BF16; `dst` has room for every piece.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn round_bf16(src: &[f32], dst: *mut u8, slab: usize) {
    for (i, piece) in src.chunks_exact(32).enumerate() {
        // SAFETY: a piece is 128 bytes; piece i of the destination is 64.
        unsafe {
            let lo = _mm512_loadu_ps(piece.as_ptr());
            let hi = _mm512_loadu_ps(piece.as_ptr().add(16));
            let pairs = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(hi, lo));
            _mm512_storeu_si512(dst.add(i * slab).cast(), pairs);
        }
    }
}

/// bf16 in the upper half of each word, rounded to nearest even; NaN made quiet.
#[target_feature(enable = "avx512f")]
#[inline]
fn round_exact(x: __m512i) -> __m512i {
    let lsb = _mm512_and_si512(_mm512_srli_epi32::<16>(x), _mm512_set1_epi32(1));
    let rounded = _mm512_add_epi32(x, _mm512_add_epi32(lsb, _mm512_set1_epi32(0x7fff)));
    let f = _mm512_castsi512_ps(x);
    let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(f, f);
    _mm512_mask_or_epi32(rounded, nan, x, _mm512_set1_epi32(0x40_0000))
}

/// Indices of the upper halves of two vectors' words.
#[target_feature(enable = "avx512f")]
#[inline]
fn odd_halves() -> __m512i {
    const INDICES: [u16; 32] = {
        let mut indices = [0; 32];
        let mut i = 0;
        while i < 32 {
            indices[i] = 2 * i as u16 + 1;
            i += 1;
        }
        indices
    };
    // SAFETY: 64 bytes.
    unsafe { _mm512_loadu_si512(INDICES.as_ptr().cast()) }
}

/// Indices that interleave the two 256-bit halves of a vector of 16-bit elements.
#[target_feature(enable = "avx512f")]
#[inline]
pub(crate) fn interleaved() -> __m512i {
    const INDICES: [u16; 32] = {
        let mut indices = [0; 32];
        let mut i = 0;
        while i < 32 {
            indices[i] = (i as u16) / 2 + 16 * (i as u16 % 2);
            i += 1;
        }
        indices
    };
    // SAFETY: 64 bytes.
    unsafe { _mm512_loadu_si512(INDICES.as_ptr().cast()) }
}

/// Writes 16 vectors, transposed or not.
///
/// # Safety
/// `dst` has 16 lines of 64 bytes.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn store(v: [__m512i; 16], dst: *mut u8, line: usize, transpose: bool) {
    let v = if transpose { transposed(v) } else { v };
    for (l, v) in v.into_iter().enumerate() {
        // SAFETY: line l of 16.
        unsafe { _mm512_storeu_si512(dst.add(l * line).cast(), v) }
    }
}

/// A 16 x 16 transposition: words, then double words, then 128-bit lanes.
#[target_feature(enable = "avx512f")]
#[inline]
fn transposed(v: [__m512i; 16]) -> [__m512i; 16] {
    let zero = _mm512_setzero_si512();
    let mut t = [zero; 16];
    let mut u = [zero; 16];
    for i in 0..8 {
        t[2 * i] = _mm512_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
    }
    for i in 0..4 {
        u[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        u[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    // Lane l of u[4 i + c] is column 4 l + c of rows 4 i .. 4 i + 4.
    let mut out = [zero; 16];
    for c in 0..4 {
        let a = _mm512_shuffle_i32x4::<0x88>(u[c], u[4 + c]);
        let b = _mm512_shuffle_i32x4::<0xdd>(u[c], u[4 + c]);
        let d = _mm512_shuffle_i32x4::<0x88>(u[8 + c], u[12 + c]);
        let e = _mm512_shuffle_i32x4::<0xdd>(u[8 + c], u[12 + c]);
        out[c] = _mm512_shuffle_i32x4::<0x88>(a, d);
        out[8 + c] = _mm512_shuffle_i32x4::<0xdd>(a, d);
        out[4 + c] = _mm512_shuffle_i32x4::<0x88>(b, e);
        out[12 + c] = _mm512_shuffle_i32x4::<0xdd>(b, e);
    }
    out
}

/// A slab with AVX2: words as in the portable body, transposed in blocks of 8 x 8.
///
/// # Safety
/// AVX2; `src` has the rows that `words` says, `dst` 16 lines of 64 bytes.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn slab_avx2(
    src: *const u8,
    ld: usize,
    dst: *mut u8,
    line: usize,
    words: Words,
    transpose: bool,
) {
    let mut slab = [0_u32; 256];
    // SAFETY: the caller's promise; blocks (i, j) of `slab` and of the lines are inside.
    unsafe {
        read_words(src, ld, words, &mut slab);
        for i in 0..2 {
            for j in 0..2 {
                let mut v = [_mm256_setzero_si256(); 8];
                for r in 0..8 {
                    v[r] = _mm256_loadu_si256(slab.as_ptr().add((i * 8 + r) * 16 + j * 8).cast());
                }
                let (i, j, v) = if transpose { (j, i, transposed_8(v)) } else { (i, j, v) };
                for (r, v) in v.into_iter().enumerate() {
                    _mm256_storeu_si256(dst.add((i * 8 + r) * line + j * 32).cast(), v);
                }
            }
        }
    }
}

/// An 8 x 8 transposition of words.
#[target_feature(enable = "avx2")]
#[inline]
fn transposed_8(v: [__m256i; 8]) -> [__m256i; 8] {
    let zero = _mm256_setzero_si256();
    let mut t = [zero; 8];
    let mut u = [zero; 8];
    for i in 0..4 {
        t[2 * i] = _mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
    }
    for i in 0..2 {
        u[4 * i] = _mm256_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 1] = _mm256_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 2] = _mm256_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        u[4 * i + 3] = _mm256_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    let mut out = [zero; 8];
    for c in 0..4 {
        out[c] = _mm256_permute2x128_si256::<0x20>(u[c], u[4 + c]);
        out[4 + c] = _mm256_permute2x128_si256::<0x31>(u[c], u[4 + c]);
    }
    out
}
