//! Element types of stored tensors: one table of names, numbers and block sizes for both formats.

use std::fmt;

/// What one row of the table below says about a type.
struct Info {
    name: &'static str,
    ggml_id: Option<u32>,
    in_safetensors: bool,
    block_len: usize,
    block_bytes: usize,
}

/// Declares [`DType`], the list of all types and the table behind their properties.
macro_rules! dtypes {
    ($(
        $(#[$doc:meta])*
        $variant:ident = $name:literal, ggml $id:expr, safetensors $st:literal,
        $len:literal per $bytes:literal;
    )*) => {
        /// The element type of a stored tensor.
        ///
        /// A type stores `block_len()` elements in `block_bytes()` bytes. Being in this list means
        /// that psi can name, measure and copy such a tensor; which types it can compute with is
        /// the business of the kernels.
        ///
        /// Sources: the type numbers and block sizes of `ggml.h` and the `gguf` package's
        /// `GGML_QUANT_SIZES`; the dtype names of the safetensors format.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum DType {
            $($(#[$doc])* $variant,)*
        }

        impl DType {
            /// Every type, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            const fn info(self) -> Info {
                match self {
                    $(Self::$variant => Info {
                        name: $name,
                        ggml_id: $id,
                        in_safetensors: $st,
                        block_len: $len,
                        block_bytes: $bytes,
                    },)*
                }
            }
        }
    };
}

dtypes! {
    /// IEEE 754 binary32.
    F32 = "F32", ggml Some(0), safetensors true, 1 per 4;
    /// IEEE 754 binary16.
    F16 = "F16", ggml Some(1), safetensors true, 1 per 2;
    /// The upper half of a binary32.
    BF16 = "BF16", ggml Some(30), safetensors true, 1 per 2;
    /// IEEE 754 binary64.
    F64 = "F64", ggml Some(28), safetensors true, 1 per 8;
    /// Signed 8-bit integer.
    I8 = "I8", ggml Some(24), safetensors true, 1 per 1;
    /// Signed 16-bit integer.
    I16 = "I16", ggml Some(25), safetensors true, 1 per 2;
    /// Signed 32-bit integer.
    I32 = "I32", ggml Some(26), safetensors true, 1 per 4;
    /// Signed 64-bit integer.
    I64 = "I64", ggml Some(27), safetensors true, 1 per 8;
    /// Unsigned 8-bit integer.
    U8 = "U8", ggml None, safetensors true, 1 per 1;
    /// Unsigned 16-bit integer.
    U16 = "U16", ggml None, safetensors true, 1 per 2;
    /// Unsigned 32-bit integer.
    U32 = "U32", ggml None, safetensors true, 1 per 4;
    /// Unsigned 64-bit integer.
    U64 = "U64", ggml None, safetensors true, 1 per 8;
    /// One byte per truth value.
    Bool = "BOOL", ggml None, safetensors true, 1 per 1;
    /// Two binary32, real and imaginary.
    C64 = "C64", ggml None, safetensors true, 1 per 8;
    /// 8-bit float, 4 exponent bits.
    F8E4M3 = "F8_E4M3", ggml None, safetensors true, 1 per 1;
    /// 8-bit float, 5 exponent bits.
    F8E5M2 = "F8_E5M2", ggml None, safetensors true, 1 per 1;
    /// 8-bit power-of-two scale.
    F8E8M0 = "F8_E8M0", ggml None, safetensors true, 1 per 1;
    /// 8-bit float, 4 exponent bits, no negative zero.
    F8E4M3Fnuz = "F8_E4M3FNUZ", ggml None, safetensors true, 1 per 1;
    /// 8-bit float, 5 exponent bits, no negative zero.
    F8E5M2Fnuz = "F8_E5M2FNUZ", ggml None, safetensors true, 1 per 1;
    /// 4-bit float, packed.
    F4 = "F4", ggml None, safetensors true, 2 per 1;
    /// 6-bit float, 2 exponent bits, packed.
    F6E2M3 = "F6_E2M3", ggml None, safetensors true, 4 per 3;
    /// 6-bit float, 3 exponent bits, packed.
    F6E3M2 = "F6_E3M2", ggml None, safetensors true, 4 per 3;
    /// 4 bits, one f16 scale per 32.
    Q4_0 = "Q4_0", ggml Some(2), safetensors false, 32 per 18;
    /// 4 bits, f16 scale and minimum per 32.
    Q4_1 = "Q4_1", ggml Some(3), safetensors false, 32 per 20;
    /// 5 bits, one f16 scale per 32.
    Q5_0 = "Q5_0", ggml Some(6), safetensors false, 32 per 22;
    /// 5 bits, f16 scale and minimum per 32.
    Q5_1 = "Q5_1", ggml Some(7), safetensors false, 32 per 24;
    /// 8 bits, one f16 scale per 32.
    Q8_0 = "Q8_0", ggml Some(8), safetensors false, 32 per 34;
    /// 8 bits, scale and sum per 32 (activations; not seen in files).
    Q8_1 = "Q8_1", ggml Some(9), safetensors false, 32 per 40;
    /// 2-bit K-quant, super-blocks of 256.
    Q2K = "Q2_K", ggml Some(10), safetensors false, 256 per 84;
    /// 3-bit K-quant, super-blocks of 256.
    Q3K = "Q3_K", ggml Some(11), safetensors false, 256 per 110;
    /// 4-bit K-quant, super-blocks of 256.
    Q4K = "Q4_K", ggml Some(12), safetensors false, 256 per 144;
    /// 5-bit K-quant, super-blocks of 256.
    Q5K = "Q5_K", ggml Some(13), safetensors false, 256 per 176;
    /// 6-bit K-quant, super-blocks of 256.
    Q6K = "Q6_K", ggml Some(14), safetensors false, 256 per 210;
    /// 8-bit K-quant (activations; not seen in files).
    Q8K = "Q8_K", ggml Some(15), safetensors false, 256 per 292;
    /// Codebook quantisation, about 2.06 bits.
    Iq2Xxs = "IQ2_XXS", ggml Some(16), safetensors false, 256 per 66;
    /// Codebook quantisation, about 2.3 bits.
    Iq2Xs = "IQ2_XS", ggml Some(17), safetensors false, 256 per 74;
    /// Codebook quantisation, about 3.06 bits.
    Iq3Xxs = "IQ3_XXS", ggml Some(18), safetensors false, 256 per 98;
    /// Codebook quantisation, about 1.56 bits.
    Iq1S = "IQ1_S", ggml Some(19), safetensors false, 256 per 50;
    /// 4 bits through a non-linear table, one f16 scale per 32.
    Iq4Nl = "IQ4_NL", ggml Some(20), safetensors false, 32 per 18;
    /// Codebook quantisation, about 3.44 bits.
    Iq3S = "IQ3_S", ggml Some(21), safetensors false, 256 per 110;
    /// Codebook quantisation, about 2.56 bits.
    Iq2S = "IQ2_S", ggml Some(22), safetensors false, 256 per 82;
    /// 4 bits through a non-linear table, super-blocks of 256.
    Iq4Xs = "IQ4_XS", ggml Some(23), safetensors false, 256 per 136;
    /// Codebook quantisation, about 1.75 bits.
    Iq1M = "IQ1_M", ggml Some(29), safetensors false, 256 per 56;
    /// Ternary, about 1.69 bits.
    Tq1_0 = "TQ1_0", ggml Some(34), safetensors false, 256 per 54;
    /// Ternary, about 2.06 bits.
    Tq2_0 = "TQ2_0", ggml Some(35), safetensors false, 256 per 66;
    /// Microscaling 4-bit float, one E8M0 scale per 32.
    Mxfp4 = "MXFP4", ggml Some(39), safetensors false, 32 per 17;
    /// 4-bit float, one E4M3 scale per 16, four of them in a block.
    Nvfp4 = "NVFP4", ggml Some(40), safetensors false, 64 per 36;
    /// 1 bit, one f16 scale per 128.
    Q1_0 = "Q1_0", ggml Some(41), safetensors false, 128 per 18;
    /// 2 bits, one f16 scale per 64.
    Q2_0 = "Q2_0", ggml Some(42), safetensors false, 64 per 18;
}

impl DType {
    /// The name users see, as GGML or safetensors spell it: `Q4_K`, `BF16`, `F8_E4M3`.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// The type called `name`, whatever the case: `q4_k` is [`DType::Q4K`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|d| d.name().eq_ignore_ascii_case(name))
    }

    /// Elements per block: 1 for plain types, 32 to 256 for quantised ones.
    pub const fn block_len(self) -> usize {
        self.info().block_len
    }

    /// Bytes per block.
    pub const fn block_bytes(self) -> usize {
        self.info().block_bytes
    }

    /// True for types whose elements share a scale: they cannot be read one by one.
    pub const fn is_quantized(self) -> bool {
        self.info().block_len > 4
    }

    /// The number GGUF files use, if GGML has the type.
    pub const fn ggml_id(self) -> Option<u32> {
        self.info().ggml_id
    }

    /// The type with GGML's number `id`; `None` for unknown and withdrawn numbers.
    pub fn from_ggml_id(id: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|d| d.ggml_id() == Some(id))
    }

    /// The dtype string of safetensors headers, if the format has the type.
    pub const fn safetensors_name(self) -> Option<&'static str> {
        let info = self.info();
        if info.in_safetensors { Some(info.name) } else { None }
    }

    /// The type that safetensors calls `name` (exact case).
    pub fn from_safetensors_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|d| d.safetensors_name() == Some(name))
    }

    /// `n_elements / block_len * block_bytes`: bytes of `n_elements` elements, or `None` if that is
    /// not a whole number of blocks or does not fit in `usize`.
    pub fn checked_bytes(self, n_elements: usize) -> Option<usize> {
        let info = self.info();
        if !n_elements.is_multiple_of(info.block_len) {
            return None;
        }
        (n_elements / info.block_len).checked_mul(info.block_bytes)
    }

    /// Bytes of one contiguous tensor of `shape` (row-major, innermost last); `None` on overflow or
    /// if a quantised row is not a whole number of blocks.
    pub fn checked_shape_bytes(self, shape: &[usize]) -> Option<usize> {
        let n = checked_elements(shape)?;
        let row = shape.last().copied().unwrap_or(1);
        if self.is_quantized() && !row.is_multiple_of(self.block_len()) {
            return None;
        }
        self.checked_bytes(n)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Product of the dimensions (1 for a scalar), `None` on overflow.
pub(crate) fn checked_elements(shape: &[usize]) -> Option<usize> {
    // A zero anywhere makes the product zero, but must not hide an overflow before it.
    shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_unique_and_lead_back() {
        for &d in DType::ALL {
            assert_eq!(DType::from_name(d.name()), Some(d));
            assert_eq!(DType::from_name(&d.name().to_lowercase()), Some(d));
            if let Some(id) = d.ggml_id() {
                assert_eq!(DType::from_ggml_id(id), Some(d));
            }
            if let Some(name) = d.safetensors_name() {
                assert_eq!(DType::from_safetensors_name(name), Some(d));
            }
            assert!(d.ggml_id().is_some() || d.safetensors_name().is_some(), "{d} lives nowhere");
        }
        assert_eq!(DType::from_ggml_id(4), None, "Q4_2 was withdrawn");
        assert_eq!(DType::from_ggml_id(u32::MAX), None);
        assert_eq!(DType::from_safetensors_name("Q4_0"), None);
    }

    #[test]
    fn sizes_are_exact_or_refused() {
        assert_eq!(DType::Q4K.checked_shape_bytes(&[3, 512]), Some(3 * 2 * 144));
        assert_eq!(DType::Q4K.checked_shape_bytes(&[512, 3]), None, "rows must be whole blocks");
        assert_eq!(DType::F4.checked_bytes(3), None);
        assert_eq!(DType::F6E2M3.checked_shape_bytes(&[2, 2]), Some(3));
        assert_eq!(DType::F32.checked_shape_bytes(&[]), Some(4));
        assert_eq!(DType::F32.checked_shape_bytes(&[usize::MAX, 2]), None);
        assert_eq!(DType::F64.checked_shape_bytes(&[usize::MAX / 4]), None);
    }
}
