//! One row of a panel as f32, by the formats' own formulas.

use super::{B32_SCALES, K_HIGH, K_MINS, K_NIBBLES, K_SCALES, ROWS, record};
use crate::quant::BlockType;

/// Dequantises row `row` (0..16) of a panel.
pub(super) fn unpack_row(block: BlockType, panel: &[u8], row: usize, out: &mut [f32]) {
    let Some((values, record_bytes)) = record(block) else { return };
    for (record, out) in panel.chunks_exact(record_bytes).zip(out.chunks_mut(values)) {
        let record = Row { record, row };
        match block {
            BlockType::Q8_0 => record.q8_0(out),
            BlockType::Q4_0 => record.nibbles(false, out, |d, _, q| d * (q - 8.0)),
            BlockType::Q5_0 => record.nibbles(true, out, |d, _, q| d * (q - 16.0)),
            BlockType::Q4_1 => record.nibbles(false, out, |d, m, q| d * q + m),
            BlockType::Q5_1 => record.nibbles(true, out, |d, m, q| d * q + m),
            BlockType::Q6_K => record.q6_k(out),
            _ => record.q4_k_or_q5_k(block == BlockType::Q5_K, out),
        }
    }
}

/// A row of a record.
struct Row<'a> {
    record: &'a [u8],
    row: usize,
}

impl Row<'_> {
    /// w = d q.
    fn q8_0(&self, out: &mut [f32]) {
        for (i, x) in out.iter_mut().enumerate() {
            *x = self.f16(i / 32 * 32) * f32::from(self.at(B32_SCALES, i) as i8);
        }
    }

    /// w = value(d, m, q) of nibbles, with a fifth bit or without; m is read where it would be.
    fn nibbles(&self, fifth_bit: bool, out: &mut [f32], value: impl Fn(f32, f32, f32) -> f32) {
        let bits_len = if fifth_bit { 128 } else { 0 };
        let at = self.record.len() - bits_len - 512;
        for (i, x) in out.iter_mut().enumerate() {
            let (h, within) = (i / 32, i % 32);
            let mut q = self.at(at + h * 256, within % 16) >> (within / 16 * 4) & 15;
            if fifth_bit {
                q |= (self.at(at + 512 + h * 64, within % 4) >> (within / 4) & 1) << 4;
            }
            *x = value(self.f16(h * 32), self.f16(B32_SCALES + h * 32), f32::from(q));
        }
    }

    /// w = (d s) q - (dmin m).
    fn q4_k_or_q5_k(&self, fifth_bit: bool, out: &mut [f32]) {
        let (d, dmin) = (self.f16(0), self.f16(32));
        for (i, x) in out.iter_mut().enumerate() {
            let (b, within) = (i / 32, i % 32);
            let nibbles = self.at(K_NIBBLES, b / 2 * 32 + within);
            let mut q = nibbles >> (b % 2 * 4) & 15;
            if fifth_bit {
                q |= (self.at(K_HIGH, within) >> b & 1) << 4;
            }
            let scale = self.record[K_SCALES + b * ROWS + self.row];
            let min = self.record[K_MINS + b / 2 * 32 + self.row * 2 + b % 2];
            *x = d * f32::from(scale) * f32::from(q) - dmin * f32::from(min);
        }
    }

    /// w = (d s) (q - 32).
    fn q6_k(&self, out: &mut [f32]) {
        let d = self.f16(0);
        for (i, x) in out.iter_mut().enumerate() {
            let (half, run, within) = (i / 128, i % 128 / 32, i % 32);
            let low = self.at(K_NIBBLES + half * 1024, run % 2 * 32 + within) >> (run / 2 * 4);
            let high = self.at(K_HIGH + half * 512, within) >> (run * 2);
            let q = (low & 15 | (high & 3) << 4) as i8 - 32;
            let scale = self.record[K_SCALES + i / 16 * ROWS + self.row] as i8;
            *x = d * f32::from(scale) * f32::from(q);
        }
    }

    /// Byte `i` of this row in the 64-byte groups that start at `base`.
    fn at(&self, base: usize, i: usize) -> u8 {
        self.record[base + i / 4 * 64 + self.row * 4 + i % 4]
    }

    fn f16(&self, base: usize) -> f32 {
        let at = base + self.row * 2;
        f32_from_f16(u16::from_le_bytes([self.record[at], self.record[at + 1]]))
    }
}

/// The f32 that f16 `bits` stand for (exact).
pub(crate) fn f32_from_f16(bits: u16) -> f32 {
    /// 2^112 moves an f16's exponent, read in an f32's place, to its value.
    const REBIAS: f32 = f32::from_bits((127 + 112) << 23);
    let magnitude = u32::from(bits & 0x7fff) << 13;
    let sign = u32::from(bits & 0x8000) << 16;
    let value = if magnitude >= 0x1f << 23 {
        magnitude | 0xff << 23 // infinity or NaN
    } else {
        (f32::from_bits(magnitude) * REBIAS).to_bits()
    };
    f32::from_bits(value | sign)
}
