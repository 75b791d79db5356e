//! 256 values of one row of x to 8 bits: plain Rust, and AVX-512 with the same results.
#![cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "code compiled per tier"))]

use super::{CHUNK, PART, Scheme};
use crate::Isa;

/// What lies beside the values of a part: of its one block of 256 or its eight blocks of 32.
#[derive(Default)]
pub(super) struct Quantized {
    pub(super) scales: [f32; 8],
    pub(super) bias: [i32; 16],
    pub(super) sums: [i32; 4],
}

/// Where a part's chunks of 64 bytes go: the first, and how far the next is from each.
pub(super) type Chunks<'a> = (&'a mut [u8], usize);

/// Below this a block's largest magnitude counts as zero.
const TINY: f32 = 1e-30;

/// Quantises up to 256 values (whole blocks); fills up the last chunk with zeros.
#[cfg(target_arch = "x86_64")]
pub(super) fn part(isa: Isa, scheme: Scheme, x: &[f32], out: Chunks<'_>) -> Quantized {
    use crate::Tier;

    #[target_feature(enable = "avx2,fma")]
    fn avx2(scheme: Scheme, x: &[f32], out: Chunks<'_>) -> Quantized {
        body(scheme, x, out)
    }
    if isa.has(Tier::Avx512)
        && let Ok(x) = x.try_into()
    {
        // SAFETY: the Isa proves AVX-512 F, BW, VL and DQ.
        unsafe { avx512::part(scheme, x, out) }
    } else if isa.has(Tier::Avx2) {
        // SAFETY: the Isa proves AVX2 and FMA.
        unsafe { avx2(scheme, x, out) }
    } else {
        body(scheme, x, out)
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn part(_isa: Isa, scheme: Scheme, x: &[f32], out: Chunks<'_>) -> Quantized {
    body(scheme, x, out)
}

#[inline(always)]
fn body(scheme: Scheme, x: &[f32], (out, stride): Chunks<'_>) -> Quantized {
    let mut a = [0; PART];
    let mut done = Quantized::default();
    match scheme {
        Scheme::Per32 { zero } => {
            for (i, (x, a)) in x.chunks_exact(32).zip(a.chunks_exact_mut(32)).enumerate() {
                done.scales[i] = block(x, a);
                done.bias[i] = -zero * a.iter().map(|&a| i32::from(a as i8)).sum::<i32>();
            }
        }
        Scheme::Per256 => {
            done.scales[0] = block(x, &mut a);
            for (bias, a) in done.bias.iter_mut().zip(a.as_chunks::<16>().0) {
                *bias = -32 * a.iter().map(|&a| i32::from(a as i8)).sum::<i32>();
            }
            for (pair, bias) in done.sums.iter_mut().zip(done.bias.as_chunks::<4>().0) {
                // Two sums of 32 in the halves of a dword.
                let (low, high) = ((bias[0] + bias[1]) / -32, (bias[2] + bias[3]) / -32);
                *pair = low & 0xffff | high << 16;
            }
        }
    }
    let n_chunks = x.len().div_ceil(CHUNK);
    for (i, a) in a.as_chunks::<CHUNK>().0[..n_chunks].iter().enumerate() {
        out[i * stride..][..CHUNK].copy_from_slice(a);
    }
    done
}

/// One block: its integers go to `a` as bytes, its scale is returned.
#[inline(always)]
fn block(x: &[f32], a: &mut [u8]) -> f32 {
    /// Adding 1.5 * 2^23 rounds to an integer (to nearest, ties to even) and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // The bits of magnitudes order as the magnitudes do, and NaN comes last.
    let top = x.iter().fold(0, |top, x| top.max(x.to_bits() as i32 & 0x7fff_ffff));
    let top = f32::from_bits(top as u32);
    let inverse = if top > TINY { 127.0 / top } else { 0.0 };
    for (a, x) in a.iter_mut().zip(x) {
        *a = (x * inverse + ROUND).to_bits() as u8;
    }
    if top <= TINY { 0.0 } else { top / 127.0 }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::{CHUNK, Chunks, PART, Quantized, Scheme, TINY};

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    pub(super) fn part(scheme: Scheme, x: &[f32; PART], (out, stride): Chunks<'_>) -> Quantized {
        let mut v = [_mm512_setzero_ps(); 16];
        for (v, x) in v.iter_mut().zip(x.as_chunks::<16>().0) {
            // SAFETY: 16 f32.
            *v = unsafe { _mm512_loadu_ps(x.as_ptr()) };
        }
        let tops = tops(scheme, &v);
        let (scales, inverses) = scales(&tops);
        let mut sums = [_mm_setzero_si128(); 4];
        for i in 0..4 {
            let mut q = [_mm512_setzero_si512(); 4];
            for j in 0..4 {
                let inverse = _mm512_set1_ps(inverses[(i * 4 + j) / 2]);
                q[j] = _mm512_cvtps_epi32(_mm512_mul_ps(v[i * 4 + j], inverse));
            }
            let packed =
                _mm512_packs_epi16(_mm512_packs_epi32(q[0], q[1]), _mm512_packs_epi32(q[2], q[3]));
            // Each 128-bit lane now has four values of each of q[0..4].
            let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            let chunk = &mut out[i * stride..][..CHUNK];
            // SAFETY: 64 bytes.
            unsafe {
                let ordered = _mm512_permutexvar_epi32(order, packed);
                _mm512_storeu_si512(chunk.as_mut_ptr().cast(), ordered);
            }
            sums[i] = lane_sums(packed);
        }
        beside(scheme, scales, sums)
    }

    /// The largest magnitude of each two vectors (or of all), as bits; NaN counts as largest.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    fn tops(scheme: Scheme, v: &[__m512; 16]) -> [i32; 8] {
        let mut top = [_mm512_setzero_si512(); 8];
        for b in 0..8 {
            let (v0, v1) = (_mm512_castps_si512(v[2 * b]), _mm512_castps_si512(v[2 * b + 1]));
            let bits = _mm512_set1_epi32(0x7fff_ffff);
            top[b] = _mm512_max_epi32(_mm512_and_si512(v0, bits), _mm512_and_si512(v1, bits));
        }
        if scheme == Scheme::Per256 {
            for step in [4, 2, 1] {
                for b in 0..step {
                    top[b] = _mm512_max_epi32(top[b], top[b + step]);
                }
            }
            return [_mm512_reduce_max_epi32(top[0]); 8];
        }
        let mut tops = [0; 8];
        for b in 0..8 {
            tops[b] = _mm512_reduce_max_epi32(top[b]);
        }
        tops
    }

    /// top / 127 and 127 / top.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    fn scales(tops: &[i32; 8]) -> ([f32; 8], [f32; 8]) {
        let (mut scales, mut inverses) = ([0.0; 8], [0.0; 8]);
        // SAFETY: 8 x 32 bits each.
        unsafe {
            let top = _mm256_loadu_ps(tops.as_ptr().cast());
            let (tiny, limit) = (_mm256_set1_ps(TINY), _mm256_set1_ps(127.0));
            let above = _mm256_cmp_ps_mask::<_CMP_GT_OQ>(top, tiny);
            let not_below = _mm256_cmp_ps_mask::<_CMP_NLE_UQ>(top, tiny);
            let scale = _mm256_maskz_div_ps(not_below, top, limit);
            _mm256_storeu_ps(scales.as_mut_ptr(), scale);
            _mm256_storeu_ps(inverses.as_mut_ptr(), _mm256_maskz_div_ps(above, limit, top));
        }
        (scales, inverses)
    }

    /// Sums of 16 signed bytes: dword i of all lanes.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    fn lane_sums(a: __m512i) -> __m128i {
        let pairs = _mm512_maddubs_epi16(_mm512_set1_epi8(1), a);
        let fours = _mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
        let two =
            _mm256_add_epi32(_mm512_castsi512_si256(fours), _mm512_extracti64x4_epi64::<1>(fours));
        _mm_add_epi32(_mm256_castsi256_si128(two), _mm256_extracti128_si256::<1>(two))
    }

    /// The integers beside the values, from the sums of 16.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    fn beside(scheme: Scheme, scales: [f32; 8], sums: [__m128i; 4]) -> Quantized {
        let mut done = Quantized { scales, ..Quantized::default() };
        // SAFETY: arrays of 64, 32 and 16 bytes.
        unsafe {
            let mut sum16 = _mm512_castsi128_si512(sums[0]);
            sum16 = _mm512_inserti32x4::<1>(sum16, sums[1]);
            sum16 = _mm512_inserti32x4::<2>(sum16, sums[2]);
            sum16 = _mm512_inserti32x4::<3>(sum16, sums[3]);
            let sum32 = _mm256_madd_epi16(_mm512_cvtepi32_epi16(sum16), _mm256_set1_epi16(1));
            match scheme {
                Scheme::Per32 { zero } => {
                    let bias = _mm256_mullo_epi32(sum32, _mm256_set1_epi32(-zero));
                    _mm256_storeu_si256(done.bias.as_mut_ptr().cast(), bias);
                }
                Scheme::Per256 => {
                    let bias =
                        _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32::<5>(sum16));
                    _mm512_storeu_si512(done.bias.as_mut_ptr().cast(), bias);
                    _mm_storeu_si128(done.sums.as_mut_ptr().cast(), _mm256_cvtepi32_epi16(sum32));
                }
            }
        }
        done
    }
}
