//! How the keys and values of one head lie in a block, by storage type.
//!
//! Keys are transposed in groups of 16 positions, so that the scores of 16 positions are one vector
//! without a horizontal sum; values are rows, so that a weighted sum of them is one too. bf16 pairs
//! two steps of the sum in 32 bits (two dimensions of a key, two positions of a value): a shift and a
//! mask widen them, and it is what bf16 dot products and AMX tiles read.
//!
//! | type | keys | values |
//! |---|---|---|
//! | f32  | `[t / 16][d][16]` | `[t][d16]` |
//! | bf16 | `[t / 16][d / 2][16][2]` | `[t / 2][d16][2]` |
//! | q8   | `[t / 16][d][16]` | `[t][d16]`, then 64 scales of keys and 64 of values |
//!
//! d16 is d rounded up to 16 (d / 2 is rounded up as well); the padding is zero and stays so.
#![expect(unsafe_code, reason = "bytes seen as numbers")]

use super::{KV_BLOCK, KvDtype};
use crate::simd::{LANES, bf16_from_f32, f32_from_bf16};

/// Offsets inside one head of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadLayout {
    dtype: KvDtype,
    d: usize,
    d_pad: usize,
}

/// A head of a block as numbers: keys, values and, for q8, their scales.
enum View<'a> {
    F32(&'a mut [f32], &'a mut [f32]),
    Bf16(&'a mut [u16], &'a mut [u16]),
    Q8 { k: &'a mut [i8], v: &'a mut [i8], scales: &'a mut [f32] },
}

impl HeadLayout {
    pub(crate) fn new(dtype: KvDtype, d: usize) -> Self {
        Self { dtype, d, d_pad: d.next_multiple_of(LANES) }
    }

    pub(crate) fn dtype(self) -> KvDtype {
        self.dtype
    }

    /// Width of a stored value: the head's width rounded up to whole vectors.
    pub(crate) fn d_pad(self) -> usize {
        self.d_pad
    }

    fn k_bytes(self) -> usize {
        match self.dtype {
            KvDtype::F32 => KV_BLOCK * self.d * 4,
            KvDtype::Bf16 => KV_BLOCK * self.d.next_multiple_of(2) * 2,
            KvDtype::Q8 => KV_BLOCK * self.d,
        }
    }

    fn v_bytes(self) -> usize {
        match self.dtype {
            KvDtype::F32 => KV_BLOCK * self.d_pad * 4,
            KvDtype::Bf16 => KV_BLOCK * self.d_pad * 2,
            KvDtype::Q8 => KV_BLOCK * self.d_pad,
        }
    }

    /// Bytes of one head: a multiple of 64.
    pub(crate) fn bytes(self) -> usize {
        let scales = if self.dtype == KvDtype::Q8 { 2 * KV_BLOCK * 4 } else { 0 };
        self.k_bytes() + self.v_bytes() + scales
    }

    /// Where values start, and where the scales of keys and of values do (q8 only).
    pub(crate) fn offsets(self) -> (usize, usize, usize) {
        let scales = self.k_bytes() + self.v_bytes();
        (self.k_bytes(), scales, scales + KV_BLOCK * 4)
    }

    /// Index of element `i` of the key in `slot`.
    fn k_at(self, slot: usize, i: usize) -> usize {
        let (group, lane) = (slot / LANES, slot % LANES);
        match self.dtype {
            KvDtype::Bf16 => ((group * self.d.div_ceil(2) + i / 2) * LANES + lane) * 2 + i % 2,
            KvDtype::F32 | KvDtype::Q8 => (group * self.d + i) * LANES + lane,
        }
    }

    /// Index of element `i` of the value in `slot`.
    fn v_at(self, slot: usize, i: usize) -> usize {
        match self.dtype {
            KvDtype::Bf16 => (slot / 2 * self.d_pad + i) * 2 + slot % 2,
            KvDtype::F32 | KvDtype::Q8 => slot * self.d_pad + i,
        }
    }

    fn view(self, bytes: &mut [u8]) -> View<'_> {
        let (k, rest) = bytes.split_at_mut(self.k_bytes());
        let (v, scales) = rest.split_at_mut(self.v_bytes());
        match self.dtype {
            KvDtype::F32 => View::F32(numbers(k), numbers(v)),
            KvDtype::Bf16 => View::Bf16(numbers(k), numbers(v)),
            KvDtype::Q8 => View::Q8 { k: numbers(k), v: numbers(v), scales: numbers(scales) },
        }
    }

    /// Writes one position.
    pub(crate) fn write(self, bytes: &mut [u8], slot: usize, key: &[f32], value: &[f32]) {
        let (key, value) = (&key[..self.d], &value[..self.d]);
        let (k_at, v_at) = (self.k_at(slot, 0), self.v_at(slot, 0));
        match self.view(bytes) {
            View::F32(k, v) => {
                for (to, x) in k[k_at..].iter_mut().step_by(LANES).zip(key) {
                    *to = *x;
                }
                v[v_at..v_at + self.d].copy_from_slice(value);
            }
            View::Bf16(k, v) => {
                for (to, pair) in k[k_at..].chunks_mut(2 * LANES).zip(key.chunks(2)) {
                    for (to, x) in to.iter_mut().zip(pair) {
                        *to = bf16_from_f32(*x);
                    }
                }
                for (to, x) in v[v_at..].iter_mut().step_by(2).zip(value) {
                    *to = bf16_from_f32(*x);
                }
            }
            View::Q8 { k, v, scales } => {
                let (scale, inverse) = scale_of(key);
                scales[slot] = scale;
                for (to, x) in k[k_at..].iter_mut().step_by(LANES).zip(key) {
                    *to = quantized(*x, inverse);
                }
                let (scale, inverse) = scale_of(value);
                scales[KV_BLOCK + slot] = scale;
                for (to, x) in v[v_at..].iter_mut().zip(value) {
                    *to = quantized(*x, inverse);
                }
            }
        }
    }

    /// Reads one position.
    pub(crate) fn read(self, bytes: &[u8], slot: usize, key: &mut [f32], value: &mut [f32]) {
        let mut copy = crate::AlignedBuf::zeroed(bytes.len());
        copy.bytes_mut().copy_from_slice(bytes);
        let view = self.view(copy.bytes_mut());
        for i in 0..self.d {
            let (k_at, v_at) = (self.k_at(slot, i), self.v_at(slot, i));
            (key[i], value[i]) = match &view {
                View::F32(k, v) => (k[k_at], v[v_at]),
                View::Bf16(k, v) => (f32_from_bf16(k[k_at]), f32_from_bf16(v[v_at])),
                View::Q8 { k, v, scales } => (
                    f32::from(k[k_at]) * scales[slot],
                    f32::from(v[v_at]) * scales[KV_BLOCK + slot],
                ),
            };
        }
    }
}

/// Types of which every bit pattern is a value.
trait Number {}
impl Number for f32 {}
impl Number for u16 {}
impl Number for i8 {}

/// Bytes of an arena as numbers.
fn numbers<T: Number>(bytes: &mut [u8]) -> &mut [T] {
    // SAFETY: every bit pattern is a `T`.
    let (before, numbers, after) = unsafe { bytes.align_to_mut::<T>() };
    assert!(before.is_empty() && after.is_empty(), "parts of an arena are aligned to 64 bytes");
    numbers
}

/// The scale that brings the largest magnitude of `x` to 127, and its inverse (0 for all zeros).
fn scale_of(x: &[f32]) -> (f32, f32) {
    let largest = x.iter().fold(0.0f32, |a, x| if x.abs() > a { x.abs() } else { a });
    if largest == 0.0 { (0.0, 0.0) } else { (largest / 127.0, 127.0 / largest) }
}

/// x * inverse rounded to the nearest integer, ties to even (adding 1.5 * 2^23 rounds; a library
/// call per element would not vectorise).
fn quantized(x: f32, inverse: f32) -> i8 {
    const ROUND: f32 = 12_582_912.0;
    ((x * inverse + ROUND) - ROUND) as i8
}
