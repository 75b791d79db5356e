//! Super-blocks of 256 values with quantised sub-block scales: Q2_K to Q6_K and IQ4_XS, read.

use super::simple::{IQ4_LEVELS, f16_at, u16_at};

/// Scale and minimum of sub-block `i` (0..8) from the twelve bytes that pack eight pairs of 6 bits.
pub(crate) fn scale_min_6(packed: &[u8], i: usize) -> (u8, u8) {
    if i < 4 {
        (packed[i] & 63, packed[i + 4] & 63)
    } else {
        let scale = packed[i + 4] & 15 | (packed[i - 4] >> 6) << 4;
        let min = packed[i + 4] >> 4 | (packed[i] >> 6) << 4;
        (scale, min)
    }
}

/// Packs eight (scale, minimum) pairs of 6 bits into twelve bytes: the inverse of [`scale_min_6`].
pub(super) fn pack_scale_min_6(pairs: &[(u8, u8); 8], packed: &mut [u8]) {
    for i in 0..4 {
        let ((s, m), (s4, m4)) = (pairs[i], pairs[i + 4]);
        packed[i] = s | (s4 >> 4) << 6;
        packed[i + 4] = m | (m4 >> 4) << 6;
        packed[i + 8] = s4 & 15 | (m4 & 15) << 4;
    }
}

/// Q2_K: 16 bytes of (scale, min) nibbles, 64 of 2-bit values, d, dmin. 16 values per sub-block.
pub(super) fn dequantize_q2(block: &[u8], out: &mut [f32]) {
    let (d, dmin) = (f16_at(block, 80), f16_at(block, 82));
    for (sub, out) in out.chunks_exact_mut(16).enumerate() {
        let scale = d * f32::from(block[sub] & 15);
        let min = dmin * f32::from(block[sub] >> 4);
        let (half, shift, first) = (sub / 8, sub % 8 / 2 * 2, sub % 2 * 16);
        for (l, out) in out.iter_mut().enumerate() {
            let q = block[16 + half * 32 + first + l] >> shift & 3;
            *out = scale * f32::from(q) - min;
        }
    }
}

/// The signed 6-bit scale of sub-block `i` (0..16) of Q3_K's twelve packed bytes.
fn scale_q3(packed: &[u8], i: usize) -> i8 {
    let low = if i < 8 { packed[i] & 15 } else { packed[i - 8] >> 4 };
    let high = packed[8 + i % 4] >> (i / 4 * 2) & 3;
    (low | high << 4) as i8 - 32
}

/// Q3_K: 32 bytes of high bits, 64 of low 2-bit values, 12 of scales, d.
pub(super) fn dequantize_q3(block: &[u8], out: &mut [f32]) {
    let d = f16_at(block, 108);
    for (sub, out) in out.chunks_exact_mut(16).enumerate() {
        let scale = d * f32::from(scale_q3(&block[96..108], sub));
        let (half, pair, first) = (sub / 8, sub % 8 / 2, sub % 2 * 16);
        for (l, out) in out.iter_mut().enumerate() {
            let low = (block[32 + half * 32 + first + l] >> (pair * 2) & 3) as i8;
            let high = block[first + l] >> (half * 4 + pair) & 1;
            let q = if high == 1 { low } else { low - 4 };
            *out = scale * f32::from(q);
        }
    }
}

/// Q4_K: d, dmin, 12 bytes of scales and minima, 128 of nibbles; 64 values share 32 bytes.
pub(super) fn dequantize_q4(block: &[u8], out: &mut [f32]) {
    let (d, dmin) = (f16_at(block, 0), f16_at(block, 2));
    for (sub, out) in out.chunks_exact_mut(32).enumerate() {
        let (s, m) = scale_min_6(&block[4..16], sub);
        let (scale, min) = (d * f32::from(s), dmin * f32::from(m));
        for (l, out) in out.iter_mut().enumerate() {
            let q = block[16 + sub / 2 * 32 + l] >> (sub % 2 * 4) & 15;
            *out = scale * f32::from(q) - min;
        }
    }
}

/// Q5_K: Q4_K with 32 bytes of high bits (bit `sub` of byte l) before the nibbles.
pub(super) fn dequantize_q5(block: &[u8], out: &mut [f32]) {
    let (d, dmin) = (f16_at(block, 0), f16_at(block, 2));
    for (sub, out) in out.chunks_exact_mut(32).enumerate() {
        let (s, m) = scale_min_6(&block[4..16], sub);
        let (scale, min) = (d * f32::from(s), dmin * f32::from(m));
        for (l, out) in out.iter_mut().enumerate() {
            let low = block[48 + sub / 2 * 32 + l] >> (sub % 2 * 4) & 15;
            let q = low | (block[16 + l] >> sub & 1) << 4;
            *out = scale * f32::from(q) - min;
        }
    }
}

/// The 6-bit value `i` (0..256) of a Q6_K block, biased by 32.
pub(crate) fn q6_value(block: &[u8], i: usize) -> u8 {
    let (half, quarter, l) = (i / 128, i % 128 / 32, i % 32);
    let low = block[half * 64 + quarter % 2 * 32 + l] >> (quarter / 2 * 4) & 15;
    low | (block[128 + half * 32 + l] >> (quarter * 2) & 3) << 4
}

/// Q6_K: 128 bytes of low nibbles, 64 of high pairs, 16 signed scales, d.
pub(super) fn dequantize_q6(block: &[u8], out: &mut [f32]) {
    let d = f16_at(block, 208);
    for (i, out) in out.iter_mut().enumerate() {
        let scale = d * f32::from(block[192 + i / 16] as i8);
        *out = scale * f32::from(q6_value(block, i) as i8 - 32);
    }
}

/// IQ4_XS: d, 16 high scale bits pairs, 4 bytes of low scale nibbles, 128 of level indices.
pub(super) fn dequantize_iq4_xs(block: &[u8], out: &mut [f32]) {
    let (d, high) = (f16_at(block, 0), u16_at(block, 2));
    for (sub, out) in out.chunks_exact_mut(32).enumerate() {
        let low = block[4 + sub / 2] >> (sub % 2 * 4) & 15;
        let scale = (low | ((high >> (sub * 2) & 3) as u8) << 4) as i8 - 32;
        let scale = d * f32::from(scale);
        for j in 0..16 {
            let q = block[8 + sub * 16 + j];
            out[j] = scale * f32::from(IQ4_LEVELS[usize::from(q & 15)]);
            out[j + 16] = scale * f32::from(IQ4_LEVELS[usize::from(q >> 4)]);
        }
    }
}
