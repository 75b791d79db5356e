//! What a stored tensor is to its reader (a view) and to its writer (a specification).

use crate::dtype::{DType, checked_elements};

/// One tensor in an open file.
///
/// `data` is exactly the tensor's bytes, little endian, rows one after another. It may start at any
/// address: safetensors promises no alignment, so elements are read with `from_le_bytes` or copied.
#[derive(Clone, Copy, Debug)]
pub struct TensorView<'a> {
    /// The name in the file.
    pub name: &'a str,
    /// The element type.
    pub dtype: DType,
    /// Row-major, outermost first (a GGUF tensor's `ne` reversed); empty for a scalar.
    pub shape: &'a [usize],
    /// The bytes.
    pub data: &'a [u8],
}

impl TensorView<'_> {
    /// Product of the dimensions; 1 for a scalar.
    pub fn n_elements(&self) -> usize {
        // The readers have checked that the product fits.
        self.shape.iter().product()
    }

    /// Length of the innermost dimension; 1 for a scalar.
    pub fn row_len(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Name, type and shape, for writing a tensor like this one.
    pub fn spec(&self) -> TensorSpec {
        TensorSpec { name: self.name.to_owned(), dtype: self.dtype, shape: self.shape.to_vec() }
    }
}

/// A tensor to be written: everything but its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// The name in the file.
    pub name: String,
    /// The element type.
    pub dtype: DType,
    /// Row-major, outermost first.
    pub shape: Vec<usize>,
}

impl TensorSpec {
    /// A specification from borrowed parts.
    pub fn new(name: &str, dtype: DType, shape: &[usize]) -> Self {
        Self { name: name.to_owned(), dtype, shape: shape.to_vec() }
    }

    /// Bytes of the tensor; `None` on overflow or if a quantised row is not a whole number of
    /// blocks.
    pub fn n_bytes(&self) -> Option<usize> {
        self.dtype.checked_shape_bytes(&self.shape)
    }

    /// Product of the dimensions, `None` on overflow.
    pub fn n_elements(&self) -> Option<usize> {
        checked_elements(&self.shape)
    }
}
