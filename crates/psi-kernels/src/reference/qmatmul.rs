//! Products with quantised weights, written for reading: exact in f64, and the kernels' integer scheme.
//!
//! Blocks are decoded here from GGML's description of them, independently of the panels.

use crate::quant::BlockType;

/// One block: w = d s q - dmin m, with s and m constant over groups of equal length.
#[derive(Clone, Debug)]
pub struct Block {
    /// Quantised values (already centred where the format stores them with an offset).
    pub q: Vec<i32>,
    /// Integer scales, one per group.
    pub scales: Vec<i32>,
    /// Integer minima, one per group (none where the format has none).
    pub mins: Vec<i32>,
    /// Scale of the scales.
    pub d: f32,
    /// Scale of the minima.
    pub dmin: f32,
}

impl Block {
    /// Decodes one block of `block`.
    ///
    /// # Panics
    /// When `block` has no panels or `bytes` is not one block long.
    pub fn decode(block: BlockType, bytes: &[u8]) -> Self {
        assert_eq!(bytes.len(), block.block_bytes(), "bytes of a {block:?} block");
        match block {
            BlockType::Q8_0 => Self {
                q: bytes[2..].iter().map(|&b| i32::from(b as i8)).collect(),
                ..Self::plain(f16(bytes, 0), 1)
            },
            BlockType::Q4_0 => Self {
                q: (0..32).map(|i| nibble(&bytes[2..], i % 16, i / 16) - 8).collect(),
                ..Self::plain(f16(bytes, 0), 1)
            },
            BlockType::Q5_0 => Self {
                q: (0..32).map(|i| q5(&bytes[2..], i) - 16).collect(),
                ..Self::plain(f16(bytes, 0), 1)
            },
            BlockType::Q4_1 => Self {
                q: (0..32).map(|i| nibble(&bytes[4..], i % 16, i / 16)).collect(),
                ..Self::with_minimum(bytes)
            },
            BlockType::Q5_1 => Self {
                q: (0..32).map(|i| q5(&bytes[4..], i)).collect(),
                ..Self::with_minimum(bytes)
            },
            BlockType::Q4_K => Self {
                q: (0..256).map(|i| nibble(&bytes[16..], i / 64 * 32 + i % 32, i / 32)).collect(),
                ..Self::six_bit_scales(bytes)
            },
            BlockType::Q5_K => Self {
                q: (0..256)
                    .map(|i| {
                        let fifth = i32::from(bytes[16 + i % 32] >> (i / 32) & 1);
                        nibble(&bytes[48..], i / 64 * 32 + i % 32, i / 32) + 16 * fifth
                    })
                    .collect(),
                ..Self::six_bit_scales(bytes)
            },
            BlockType::Q6_K => Self {
                q: (0..256).map(|i| q6(bytes, i)).collect(),
                scales: bytes[192..208].iter().map(|&s| i32::from(s as i8)).collect(),
                ..Self::plain(f16(bytes, 208), 16)
            },
            other => panic!("{other:?} has no panels"),
        }
    }

    fn plain(d: f32, n_groups: usize) -> Self {
        Self { q: vec![], scales: vec![1; n_groups], mins: vec![], d, dmin: 0.0 }
    }

    /// w = d q + m is d q - m (-1).
    fn with_minimum(bytes: &[u8]) -> Self {
        Self { mins: vec![-1], dmin: f16(bytes, 2), ..Self::plain(f16(bytes, 0), 1) }
    }

    fn six_bit_scales(bytes: &[u8]) -> Self {
        // Twelve bytes; the scales' and minima's 6-bit numbers as GGML lays them out.
        let s: Vec<i32> = bytes[4..16].iter().map(|&b| i32::from(b)).collect();
        let mut scales: Vec<i32> = (0..4).map(|b| s[b] % 64).collect();
        let mut mins: Vec<i32> = (4..8).map(|b| s[b] % 64).collect();
        scales.extend((0..4).map(|b| s[8 + b] % 16 + s[b] / 64 * 16));
        mins.extend((0..4).map(|b| s[8 + b] / 16 + s[4 + b] / 64 * 16));
        Self { q: vec![], scales, mins, d: f16(bytes, 0), dmin: f16(bytes, 2) }
    }

    /// The block's values as the format's reference dequantises them: f32, in its order of operations.
    pub fn values(&self) -> Vec<f32> {
        let group = self.q.len() / self.scales.len();
        let value = |(i, &q): (usize, &i32)| {
            let w = self.d * self.scales[i / group] as f32 * q as f32;
            self.mins.get(i / group).map_or(w, |&m| w - self.dmin * m as f32)
        };
        self.q.iter().enumerate().map(value).collect()
    }

    /// acc + the block's product with quantised activations of scale `d_a`: integers summed exactly,
    /// then one fused multiply-add (or a product and a sum) for the values and one for the minima.
    pub fn accumulate(&self, a: &[i32], d_a: f32, fma: bool, acc: f32) -> f32 {
        let group = self.q.len() / self.scales.len();
        let madd = |x: f32, y: f32, z: f32| if fma { x.mul_add(y, z) } else { x * y + z };
        let dot: i32 = (0..a.len()).map(|i| self.scales[i / group] * self.q[i] * a[i]).sum();
        let acc = madd(dot as f32, self.d * d_a, acc);
        if self.mins.is_empty() {
            return acc;
        }
        let min: i32 = (0..a.len()).map(|i| self.mins[i / group] * a[i]).sum();
        madd(-(min as f32), self.dmin * d_a, acc)
    }
}

/// Value `i` of 4 bytes of fifth bits and 16 of nibbles.
fn q5(bytes: &[u8], i: usize) -> i32 {
    nibble(&bytes[4..], i % 16, i / 16) + 16 * i32::from(bytes[i / 8] >> (i % 8) & 1)
}

/// Value `i` of a Q6_K block.
fn q6(bytes: &[u8], i: usize) -> i32 {
    let (half, run, within) = (i / 128, i / 32 % 4, i % 32);
    let low = nibble(&bytes[half * 64..], run % 2 * 32 + within, run / 2);
    let high = i32::from(bytes[128 + half * 32 + within] >> (2 * run) & 3);
    low + 16 * high - 32
}

/// The low (even `which`) or high (odd) nibble of byte `i`.
fn nibble(bytes: &[u8], i: usize, which: usize) -> i32 {
    i32::from(bytes[i] >> (which % 2 * 4) & 15)
}

fn f16(bytes: &[u8], at: usize) -> f32 {
    let bits = u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    match exponent {
        0 => sign * mantissa * 2.0_f32.powi(-24),
        31 if mantissa == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        e => sign * (1024.0 + mantissa) * 2.0_f32.powi(e - 25),
    }
}

/// The f32 values of rows of blocks.
///
/// # Panics
/// When `block` has no panels or `bytes` is no whole number of blocks.
pub fn values(block: BlockType, bytes: &[u8]) -> Vec<f32> {
    assert_eq!(bytes.len() % block.block_bytes(), 0, "bytes of {block:?} blocks");
    bytes.chunks(block.block_bytes()).flat_map(|b| Block::decode(block, b).values()).collect()
}

/// y (m, n) = x (m, k) Wᵀ in f64, W (n, k) being the dequantised values of `bytes`.
///
/// # Panics
/// When lengths do not fit.
pub fn exact(block: BlockType, bytes: &[u8], (n, k): (usize, usize), x: &[f32]) -> Vec<f64> {
    assert_eq!(x.len() % k, 0, "x of (m, {k})");
    let w = values(block, bytes);
    assert_eq!(w.len(), n * k, "weights of ({n}, {k})");
    let dot = |x: &[f32], w: &[f32]| -> f64 {
        x.iter().zip(w).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum()
    };
    x.chunks(k).flat_map(|x| w.chunks(k).map(move |w| dot(x, w))).collect()
}

/// Quantises `x` (one block of activations): the integers and their scale max|x| / 127.
pub fn quantize(x: &[f32]) -> (Vec<i32>, f32) {
    let top = x.iter().fold(0.0_f32, |top, x| top.max(x.abs()));
    if top <= 1e-30 {
        return (vec![0; x.len()], 0.0);
    }
    let inverse = 127.0 / top;
    (x.iter().map(|x| (x * inverse).round_ties_even() as i32).collect(), top / 127.0)
}

/// y (m, n) = x Wᵀ as the kernels define it, for finite x: the same bits on every tier with fused
/// multiply-add (`fma`), and on those without.
///
/// # Panics
/// When lengths do not fit.
pub fn scheme(
    block: BlockType,
    bytes: &[u8],
    (n, k): (usize, usize),
    x: &[f32],
    fma: bool,
) -> Vec<f32> {
    assert_eq!(bytes.len(), block.bytes_for(n * k), "weights of ({n}, {k})");
    let blocks: Vec<Block> =
        bytes.chunks(block.block_bytes()).map(|b| Block::decode(block, b)).collect();
    let per_row = k / block.block_len();
    let mut y = Vec::with_capacity(x.len() / k * n);
    for x in x.chunks(k) {
        let a: Vec<(Vec<i32>, f32)> = x.chunks(block.block_len()).map(quantize).collect();
        for row in blocks.chunks(per_row) {
            y.push(
                row.iter().zip(&a).fold(0.0, |acc, (w, (a, d_a))| w.accumulate(a, *d_a, fma, acc)),
            );
        }
    }
    y
}
