//! GGML's quantised block formats, and products with weights kept in them.

mod activations;
mod fit;
pub mod half;
pub(crate) mod k;
mod multiply;
mod panels;
pub(crate) mod simple;

pub(crate) use multiply::multiply;
pub(crate) use panels::QuantPanels;

use crate::Cpu;

/// A block format, by GGML's name. F32, F16 and BF16 are blocks of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(non_camel_case_types, reason = "the field's names")]
#[expect(missing_docs, reason = "the names are GGML's; docs/formats.md describes the layouts")]
pub enum BlockType {
    F32,
    F16,
    BF16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
    IQ4_NL,
    IQ4_XS,
    MXFP4,
}

impl BlockType {
    /// Values per block.
    pub fn block_len(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q4_0
            | Self::Q4_1
            | Self::Q5_0
            | Self::Q5_1
            | Self::Q8_0
            | Self::IQ4_NL
            | Self::MXFP4 => 32,
            Self::Q2_K | Self::Q3_K | Self::Q4_K | Self::Q5_K | Self::Q6_K | Self::IQ4_XS => 256,
        }
    }

    /// Bytes per block.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Q4_0 | Self::IQ4_NL => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::MXFP4 => 17,
            Self::Q2_K => 84,
            Self::Q3_K => 110,
            Self::Q4_K => 144,
            Self::Q5_K => 176,
            Self::Q6_K => 210,
            Self::IQ4_XS => 136,
        }
    }

    /// Bytes of `n` values.
    ///
    /// # Panics
    /// When `n` is no multiple of the block length.
    pub fn bytes_for(self, n: usize) -> usize {
        assert_eq!(n % self.block_len(), 0, "{n} values in blocks of {}", self.block_len());
        n / self.block_len() * self.block_bytes()
    }

    /// Whether products run on this format itself (see [`crate::Matrix::from_blocks`]).
    pub fn has_panels(self) -> bool {
        panels::record(self).is_some()
    }
}

/// The f32 values of whole blocks, bit for bit as the reference implementation gives them.
///
/// # Panics
/// When the lengths do not fit the format.
pub fn dequantize(block: BlockType, bytes: &[u8], out: &mut [f32]) {
    assert_eq!(bytes.len(), block.bytes_for(out.len()), "{block:?} of {} values", out.len());
    let one: fn(&[u8], &mut [f32]) = match block {
        BlockType::F32 => |b, x| x[0] = f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
        BlockType::F16 => |b, x| x[0] = simple::f16_at(b, 0),
        BlockType::BF16 => |b, x| x[0] = crate::simd::f32_from_bf16(simple::u16_at(b, 0)),
        BlockType::Q4_0 => simple::dequantize_q4_0,
        BlockType::Q4_1 => simple::dequantize_q4_1,
        BlockType::Q5_0 => simple::dequantize_q5_0,
        BlockType::Q5_1 => simple::dequantize_q5_1,
        BlockType::Q8_0 => simple::dequantize_q8_0,
        BlockType::IQ4_NL => simple::dequantize_iq4_nl,
        BlockType::MXFP4 => simple::dequantize_mxfp4,
        BlockType::Q2_K => k::dequantize_q2,
        BlockType::Q3_K => k::dequantize_q3,
        BlockType::Q4_K => k::dequantize_q4,
        BlockType::Q5_K => k::dequantize_q5,
        BlockType::Q6_K => k::dequantize_q6,
        BlockType::IQ4_XS => k::dequantize_iq4_xs,
    };
    let blocks = bytes.chunks_exact(block.block_bytes());
    for (b, x) in blocks.zip(out.chunks_exact_mut(block.block_len())) {
        one(b, x);
    }
}

/// Quantises f32 values into whole blocks; see [`can_quantize`] for the formats.
///
/// Values that are not finite become zero in block formats with fitted scales.
///
/// # Panics
/// When the lengths do not fit the format, or psi does not write it.
pub fn quantize(block: BlockType, values: &[f32], bytes: &mut [u8]) {
    assert_eq!(bytes.len(), block.bytes_for(values.len()), "{block:?} of {}", values.len());
    let one: fn(&[f32], &mut [u8]) = match block {
        BlockType::F32 => |x, b| b.copy_from_slice(&x[0].to_le_bytes()),
        BlockType::F16 => |x, b| simple::put_f16(b, 0, x[0]),
        BlockType::BF16 => |x, b| {
            b.copy_from_slice(&crate::simd::bf16_from_f32(x[0]).to_le_bytes());
        },
        BlockType::Q8_0 => simple::quantize_q8_0,
        BlockType::Q4_0 => simple::quantize_q4_0,
        BlockType::Q4_K => fit::quantize_q4,
        BlockType::Q5_K => fit::quantize_q5,
        BlockType::Q6_K => fit::quantize_q6,
        _ => panic!("psi does not write {block:?}"),
    };
    let blocks = bytes.chunks_exact_mut(block.block_bytes());
    for (b, x) in blocks.zip(values.chunks_exact(block.block_len())) {
        one(x, b);
    }
}

/// [`quantize`] on all threads of `cpu`.
///
/// # Panics
/// As [`quantize`].
#[expect(unsafe_code, reason = "tasks write disjoint ranges of blocks")]
pub fn quantize_parallel(cpu: &Cpu, block: BlockType, values: &[f32], bytes: &mut [u8]) {
    const BLOCKS_PER_TASK: usize = 256;
    assert_eq!(bytes.len(), block.bytes_for(values.len()), "{block:?} of {}", values.len());
    let n_blocks = values.len() / block.block_len();
    let out = crate::simd::Parts::new(bytes);
    cpu.pool().run(n_blocks.div_ceil(BLOCKS_PER_TASK), &|task| {
        let first = task * BLOCKS_PER_TASK;
        let last = (first + BLOCKS_PER_TASK).min(n_blocks);
        let (len, size) = (block.block_len(), block.block_bytes());
        // SAFETY: every task has its own range of blocks.
        let out = unsafe { out.take(first * size..last * size) };
        quantize(block, &values[first * len..last * len], out);
    });
}

/// Whether [`quantize`] can write this format.
pub fn can_quantize(block: BlockType) -> bool {
    use BlockType::{BF16, F16, F32, Q4_0, Q4_K, Q5_K, Q6_K, Q8_0};
    matches!(block, F32 | F16 | BF16 | Q8_0 | Q4_0 | Q4_K | Q5_K | Q6_K)
}
