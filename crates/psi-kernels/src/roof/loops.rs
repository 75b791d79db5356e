//! The loops that [`super::measure`] times, in plain Rust, and the choice of the tier's own.

use std::hint::black_box;

#[cfg(target_arch = "x86_64")]
use super::x86;
use crate::{Isa, Tier, simd::madd};

/// What a loop multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    F32,
    Bf16,
    Int8,
}

/// Repetitions per round: some tens of microseconds.
const REPEAT: usize = 4096;

/// Runs one round of the tier's loop for `kind` and returns its operations.
pub(super) fn round(isa: Isa, kind: Kind) -> f64 {
    #[cfg(target_arch = "x86_64")]
    if isa.has(Tier::Avx2) {
        return x86::round(isa, kind, REPEAT);
    }
    match kind {
        Kind::Int8 => plain_int8(REPEAT),
        _ if isa.tier() == Tier::Neon => plain_f32::<true>(REPEAT),
        _ => plain_f32::<false>(REPEAT),
    }
}

/// Reads `words` in `streams` (1 or 4) parallel runs and returns a number that depends on all.
pub(super) fn read(isa: Isa, words: &[f32], streams: usize) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if isa.has(Tier::Avx2) {
        return x86::read(isa, words, streams);
    }
    let _: Isa = isa;
    let run = words.len() / streams;
    let mut sums = [0_u32; 16];
    for at in (0..run).step_by(16) {
        for stream in 0..streams {
            let line = &words[stream * run + at..][..16.min(run - at)];
            for (sum, word) in sums.iter_mut().zip(line) {
                *sum ^= word.to_bits();
            }
        }
    }
    sums.iter().fold(0, |a, b| a ^ b)
}

fn plain_f32<const FMA: bool>(repeat: usize) -> f64 {
    const LANES: usize = 48;
    let (a, b) = (black_box([0.5_f32; LANES]), black_box(0.25_f32));
    let mut sums = black_box([1.0_f32; LANES]);
    for _ in 0..repeat {
        for (sum, a) in sums.iter_mut().zip(&a) {
            *sum = madd::<FMA>(*sum, b, *a);
        }
    }
    black_box(sums);
    (repeat * LANES * 2) as f64
}

fn plain_int8(repeat: usize) -> f64 {
    const LANES: usize = 32;
    let (a, b) = (black_box([3_i16; LANES]), black_box([-5_i16; LANES]));
    let mut sums = [0_i32; LANES];
    for i in 0..repeat {
        // A changing factor: the product must not leave the loop.
        let factor = black_box(i as i16);
        for ((sum, a), b) in sums.iter_mut().zip(&a).zip(&b) {
            *sum = sum.wrapping_add(i32::from(a ^ factor) * i32::from(*b));
        }
    }
    black_box(sums);
    (repeat * LANES * 2) as f64
}
