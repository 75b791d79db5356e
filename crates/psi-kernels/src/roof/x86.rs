//! The loops that [`super::measure`] times, with x86's vectors and tiles.
#![expect(unsafe_code, reason = "vector and tile instructions")]

use std::{
    arch::{asm, x86_64::*},
    hint::black_box,
};

use super::loops::Kind;
use crate::{Isa, Tier};

/// Runs `repeat` steps of the tier's loop for `kind` and returns its operations.
pub(super) fn round(isa: Isa, kind: Kind, repeat: usize) -> f64 {
    // SAFETY: an `Isa` proves its tier's instructions.
    unsafe {
        match (kind, isa.tier()) {
            (Kind::Bf16, Tier::Amx) => tile_bf16(repeat),
            (Kind::Int8, Tier::Amx) => tile_int8(repeat),
            (Kind::Bf16, Tier::Avx512Vnni) => dot_bf16(repeat),
            (Kind::Int8, Tier::Avx512Vnni) => dot_int8(repeat),
            (Kind::Int8, Tier::Avx512) => int8_avx512(repeat),
            (Kind::Int8, _) => int8_avx2(repeat),
            (_, Tier::Amx | Tier::Avx512Vnni | Tier::Avx512) => fma_avx512(repeat),
            _ => fma_avx2(repeat),
        }
    }
}

/// Reads `words` in `streams` parallel runs.
pub(super) fn read(isa: Isa, words: &[f32], streams: usize) -> u32 {
    // SAFETY: an `Isa` proves its tier's instructions.
    unsafe {
        match (isa.has(Tier::Avx512), streams) {
            (true, 4) => read_avx512::<4>(words),
            (true, _) => read_avx512::<1>(words),
            (false, 4) => read_avx2::<4>(words),
            (false, _) => read_avx2::<1>(words),
        }
    }
}

/// Defines a loop over `$n` independent sums of type `$sum_t`, each stepped by `$step` from itself
/// and two vectors: latency 4 to 6 at two per cycle needs up to 12 of them.
macro_rules! sums {
    ($name:ident, $feature:literal, $n:literal, $ops:literal, $sum_t:ty, $vec_t:ty,
     |$sum:ident, $a:ident, $b:ident| $step:expr) => {
        #[target_feature(enable = $feature)]
        fn $name(repeat: usize) -> f64 {
            // SAFETY: every bit pattern is a vector of these types.
            let (mut sums, vectors) = unsafe {
                const WORDS: [u32; 512] = [0x3c00_3c00; 512];
                let sums = std::mem::transmute_copy::<_, [$sum_t; $n]>(&WORDS);
                let vectors = std::mem::transmute_copy::<_, [$vec_t; 2]>(&WORDS);
                (black_box(sums), black_box(vectors))
            };
            let [$a, $b] = vectors;
            for _ in 0..repeat {
                for sum in &mut sums {
                    let $sum = *sum;
                    *sum = $step;
                }
            }
            black_box(sums);
            (repeat * $n * $ops) as f64
        }
    };
}

sums!(fma_avx512, "avx512f", 16, 32, __m512, __m512, |sum, a, b| _mm512_fmadd_ps(sum, a, b));
sums!(fma_avx2, "avx2,fma", 12, 16, __m256, __m256, |sum, a, b| _mm256_fmadd_ps(sum, a, b));
sums!(dot_bf16, "avx512f,avx512bf16", 16, 64, __m512, __m512bh, |sum, a, b| {
    _mm512_dpbf16_ps(sum, a, b)
});
sums!(dot_int8, "avx512f,avx512vnni", 16, 128, __m512i, __m512i, |sum, a, b| {
    _mm512_dpbusd_epi32(sum, a, b)
});
// Without a dot product, the second operand must change with the sum or the product would leave the
// loop; the exclusive or that does it stands for the nibble mask a quantised kernel needs there.
sums!(int8_avx512, "avx512f,avx512bw", 12, 128, __m512i, __m512i, |sum, a, b| {
    let pairs = _mm512_maddubs_epi16(a, _mm512_xor_si512(b, sum));
    _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, b))
});
sums!(int8_avx2, "avx2", 10, 64, __m256i, __m256i, |sum, a, b| {
    let pairs = _mm256_maddubs_epi16(a, _mm256_xor_si256(b, sum));
    _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, b))
});

/// Defines a loop of one tile instruction over six sums, with all tiles of 16 rows x 64 bytes.
macro_rules! tiles {
    ($name:ident, $instruction:literal, $ops:literal) => {
        /// # Safety
        /// The process may use AMX.
        unsafe fn $name(repeat: usize) -> f64 {
            #[repr(align(64))]
            struct Config([u8; 64]);
            let mut config = Config([0; 64]);
            config.0[0] = 1;
            for tile in 0..8 {
                config.0[16 + 2 * tile] = 64;
                config.0[48 + tile] = 16;
            }
            let values = [0x3c00_3c00_u32; 256];
            // SAFETY: a valid configuration; tiles are loaded from 1 KiB; all that is used is
            // declared, and the tiles are released.
            unsafe {
                asm!(
                    "ldtilecfg [{config}]",
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    "tilezero tmm4",
                    "tilezero tmm5",
                    "tileloadd tmm6, [{values} + {stride}]",
                    "tileloadd tmm7, [{values} + {stride}]",
                    "2:",
                    concat!($instruction, " tmm0, tmm6, tmm7"),
                    concat!($instruction, " tmm1, tmm6, tmm7"),
                    concat!($instruction, " tmm2, tmm6, tmm7"),
                    concat!($instruction, " tmm3, tmm6, tmm7"),
                    concat!($instruction, " tmm4, tmm6, tmm7"),
                    concat!($instruction, " tmm5, tmm6, tmm7"),
                    "dec {repeat}",
                    "jnz 2b",
                    "tilerelease",
                    config = in(reg) &config,
                    values = in(reg) &values,
                    stride = in(reg) 64_usize,
                    repeat = inout(reg) repeat => _,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack, readonly)
                );
            }
            (repeat * 6 * $ops) as f64
        }
    };
}

tiles!(tile_bf16, "tdpbf16ps", 16_384);
tiles!(tile_int8, "tdpbusd", 32_768);

/// Defines a read of `words` in `N` runs, prefetched 2 KiB ahead.
macro_rules! read {
    ($name:ident, $feature:literal, $lanes:literal, $zero:expr, $or:ident, $load:expr) => {
        #[target_feature(enable = $feature)]
        fn $name<const N: usize>(words: &[f32]) -> u32 {
            const AHEAD: usize = 2048;
            let run = words.len() / N / 16 * 16;
            let mut sums = [[$zero; 16 / $lanes]; N];
            for at in (0..run).step_by(16) {
                for (n, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: 16 words at n * run + at are inside; a prefetch may go anywhere.
                    unsafe {
                        let line = words.as_ptr().add(n * run + at);
                        _mm_prefetch::<_MM_HINT_T0>(line.cast::<i8>().wrapping_add(AHEAD));
                        for (i, sum) in sums.iter_mut().enumerate() {
                            *sum = $or(*sum, $load(line.add($lanes * i).cast()));
                        }
                    }
                }
            }
            let mut words = [[0_u32; 16]; N];
            for (words, sums) in words.iter_mut().zip(sums) {
                // SAFETY: 64 bytes of plain words.
                *words = unsafe { std::mem::transmute_copy(&sums) };
            }
            words.iter().flatten().fold(0, |a, b| a ^ b)
        }
    };
}

read!(read_avx512, "avx512f", 16, _mm512_setzero_si512(), _mm512_xor_si512, _mm512_loadu_si512);
read!(read_avx2, "avx2", 8, _mm256_setzero_si256(), _mm256_xor_si256, _mm256_loadu_si256);
