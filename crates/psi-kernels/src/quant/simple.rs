//! Formats of 32 values with one scale: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, IQ4_NL and MXFP4.
//!
//! Values j and j + 16 of a block share the byte `qs[j]` (low and high nibble).

use super::half::{f16_from_f32, f32_from_f16};

/// Values per block.
pub(crate) const LEN: usize = 32;

/// The sixteen levels of IQ4_NL and IQ4_XS.
pub(crate) const IQ4_LEVELS: [i8; 16] =
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// Twice the sixteen values of FP4 E2M1. OCP Microscaling Formats 1.0, section 5.3.3.
pub(crate) const FP4_DOUBLED: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(crate) fn f16_at(bytes: &[u8], at: usize) -> f32 {
    f32_from_f16(u16_at(bytes, at))
}

pub(super) fn put_f16(bytes: &mut [u8], at: usize, x: f32) {
    bytes[at..at + 2].copy_from_slice(&f16_from_f32(x).to_le_bytes());
}

/// Half of the E8M0 scale 2^(e - 127), to go with [`FP4_DOUBLED`]; 2^-128 is an f32 subnormal.
pub(crate) fn e8m0_half(e: u8) -> f32 {
    match e {
        0 | 1 => f32::from_bits(0x0020_0000 << e),
        _ => f32::from_bits((u32::from(e) - 1) << 23),
    }
}

pub(super) fn dequantize_q4_0(block: &[u8], out: &mut [f32]) {
    let d = f16_at(block, 0);
    for j in 0..16 {
        out[j] = f32::from((block[2 + j] & 15) as i8 - 8) * d;
        out[j + 16] = f32::from((block[2 + j] >> 4) as i8 - 8) * d;
    }
}

pub(super) fn dequantize_q4_1(block: &[u8], out: &mut [f32]) {
    let (d, m) = (f16_at(block, 0), f16_at(block, 2));
    for j in 0..16 {
        out[j] = f32::from(block[4 + j] & 15) * d + m;
        out[j + 16] = f32::from(block[4 + j] >> 4) * d + m;
    }
}

/// The 5-bit values of a Q5_0 or Q5_1 block: high bits (32, little endian) then nibbles.
pub(crate) fn five_bits(high: &[u8], nibbles: &[u8], j: usize) -> u8 {
    let nibble = if j < 16 { nibbles[j] & 15 } else { nibbles[j - 16] >> 4 };
    nibble | (high[j / 8] >> (j % 8) & 1) << 4
}

pub(super) fn dequantize_q5_0(block: &[u8], out: &mut [f32]) {
    let d = f16_at(block, 0);
    for (j, out) in out.iter_mut().enumerate() {
        *out = f32::from(five_bits(&block[2..6], &block[6..], j) as i8 - 16) * d;
    }
}

pub(super) fn dequantize_q5_1(block: &[u8], out: &mut [f32]) {
    let (d, m) = (f16_at(block, 0), f16_at(block, 2));
    for (j, out) in out.iter_mut().enumerate() {
        *out = f32::from(five_bits(&block[4..8], &block[8..], j)) * d + m;
    }
}

pub(super) fn dequantize_q8_0(block: &[u8], out: &mut [f32]) {
    let d = f16_at(block, 0);
    for (out, &q) in out.iter_mut().zip(&block[2..]) {
        *out = f32::from(q as i8) * d;
    }
}

pub(super) fn dequantize_iq4_nl(block: &[u8], out: &mut [f32]) {
    let d = f16_at(block, 0);
    for j in 0..16 {
        out[j] = d * f32::from(IQ4_LEVELS[usize::from(block[2 + j] & 15)]);
        out[j + 16] = d * f32::from(IQ4_LEVELS[usize::from(block[2 + j] >> 4)]);
    }
}

pub(super) fn dequantize_mxfp4(block: &[u8], out: &mut [f32]) {
    let d = e8m0_half(block[0]);
    for j in 0..16 {
        out[j] = d * f32::from(FP4_DOUBLED[usize::from(block[1 + j] & 15)]);
        out[j + 16] = d * f32::from(FP4_DOUBLED[usize::from(block[1 + j] >> 4)]);
    }
}

/// The largest finite f16: a scale beyond it would be infinite.
pub(super) const LARGEST_SCALE: f32 = 65504.0;

/// What of `x` a quantiser looks at: values that are not finite count as zero, and those beyond every
/// format's reach stop where squares are still finite.
pub(super) fn cleaned(x: f32) -> f32 {
    if x.is_finite() { x.clamp(-1e9, 1e9) } else { 0.0 }
}

/// 1 / d, but 0 where that is not finite (all values of the block are then 0 or nearly so).
fn finite_inverse(d: f32) -> f32 {
    let inverse = 1.0 / d;
    if inverse.is_finite() { inverse } else { 0.0 }
}

/// d = max|x| / 127, q = round(x / d).
pub(super) fn quantize_q8_0(x: &[f32], block: &mut [u8]) {
    let largest = x.iter().fold(0.0_f32, |a, &x| a.max(cleaned(x).abs()));
    let d = (largest / 127.0).min(LARGEST_SCALE);
    let inverse = finite_inverse(d);
    put_f16(block, 0, d);
    for (q, &x) in block[2..].iter_mut().zip(x) {
        *q = (cleaned(x) * inverse).round().clamp(-127.0, 127.0) as i8 as u8;
    }
}

/// d = (the value of largest magnitude) / -8, so that it falls on the one level without a mirror
/// image; then the levels are kept and d is refitted: d = sum(x l) / sum(l²), if that lowers the error.
pub(super) fn quantize_q4_0(x: &[f32], block: &mut [u8]) {
    let x: &[f32; LEN] = &std::array::from_fn(|i| cleaned(x[i]));
    let extreme = x.iter().fold(0.0_f32, |a, &x| if x.abs() > a.abs() { x } else { a });
    let mut best = (f32::INFINITY, 0.0, [0_u8; LEN]);
    for step in -4_i8..=4 {
        let mut levels = [0_u8; LEN];
        let inverse = finite_inverse(extreme / -8.0) * (1.0 + f32::from(step) * 0.02);
        let (mut xl, mut ll) = (0.0, 0.0);
        for (q, &x) in levels.iter_mut().zip(x) {
            *q = (x * inverse + 8.5).clamp(0.0, 15.0) as u8;
            let level = f32::from(*q) - 8.0;
            xl += x * level;
            ll += level * level;
        }
        let fitted = if ll > 0.0 { xl / ll } else { 0.0 };
        for d in [finite_inverse(inverse), fitted] {
            let d = d.clamp(-LARGEST_SCALE, LARGEST_SCALE);
            let d = f32_from_f16(f16_from_f32(d));
            let error: f32 =
                levels.iter().zip(x).map(|(&q, &x)| (x - d * (f32::from(q) - 8.0)).powi(2)).sum();
            if error < best.0 {
                best = (error, d, levels);
            }
        }
    }
    let (_, d, levels) = best;
    put_f16(block, 0, d);
    for j in 0..16 {
        block[2 + j] = levels[j] | levels[j + 16] << 4;
    }
}
