//! GGML's quantised block formats, and products with weights kept in them.

mod activations;
mod multiply;
mod panels;

pub(crate) use multiply::multiply;
pub(crate) use panels::QuantPanels;

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
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => 32,
            Self::IQ4_NL | Self::MXFP4 => 32,
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
    match block {
        BlockType::F32 => {
            for (x, b) in out.iter_mut().zip(bytes.chunks_exact(4)) {
                *x = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            }
        }
        BlockType::BF16 => {
            for (x, b) in out.iter_mut().zip(bytes.chunks_exact(2)) {
                *x = crate::simd::f32_from_bf16(u16::from_le_bytes([b[0], b[1]]));
            }
        }
        _ => unimplemented!("{block:?}"),
    }
}

/// Quantises f32 values into whole blocks.
///
/// # Panics
/// When the lengths do not fit the format, or psi does not write it (see [`can_quantize`]).
pub fn quantize(block: BlockType, _values: &[f32], _bytes: &mut [u8]) {
    assert!(can_quantize(block), "psi does not write {block:?}");
}

/// Whether [`quantize`] can write this format.
pub fn can_quantize(_block: BlockType) -> bool {
    false
}
