//! Weight matrices in panels of 16 output rows: packed once, multiplied many times.

use crate::{
    Cpu,
    gemm::DensePanels,
    quant::{BlockType, QuantPanels},
};

/// How a [`Matrix`] stores its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// 32-bit floats.
    F32,
    /// bfloat16; products accumulate in f32 and activations are rounded to bf16.
    Bf16,
    /// Blocks of a GGML type in row panels; activations are quantised to 8 bits per 256 values.
    Quant(BlockType),
}

/// A weight matrix W (n, k), packed for y = x Wᵀ.
#[derive(Clone, Debug)]
pub struct Matrix {
    n: usize,
    k: usize,
    panels: Panels,
}

#[derive(Clone, Debug)]
enum Panels {
    Dense(DensePanels),
    Quant(QuantPanels),
}

impl Matrix {
    /// Packs row-major f32 weights (n, k) as `format`: [`Format::F32`], [`Format::Bf16`] (rounded to
    /// nearest even) or a block type (quantised first).
    ///
    /// # Panics
    /// When `weights` is not `n * k` long, or `k` is no multiple of the block length.
    pub fn from_f32(cpu: &Cpu, format: Format, n: usize, k: usize, weights: &[f32]) -> Self {
        assert_eq!(weights.len(), n * k, "weights of a ({n}, {k}) matrix");
        let panels = match format {
            Format::F32 => Panels::Dense(DensePanels::pack_f32(cpu, n, k, weights)),
            Format::Bf16 => Panels::Dense(DensePanels::pack_bf16_from_f32(cpu, n, k, weights)),
            Format::Quant(block) => {
                let mut bytes = vec![0; block.bytes_for(n * k)];
                crate::quant::quantize(block, weights, &mut bytes);
                Panels::Quant(QuantPanels::pack(cpu, block, n, k, &bytes))
            }
        };
        Self { n, k, panels }
    }

    /// Packs row-major bf16 bits (n, k).
    ///
    /// # Panics
    /// When `weights` is not `n * k` long.
    pub fn from_bf16(cpu: &Cpu, n: usize, k: usize, weights: &[u16]) -> Self {
        assert_eq!(weights.len(), n * k, "weights of a ({n}, {k}) matrix");
        Self { n, k, panels: Panels::Dense(DensePanels::pack_bf16(cpu, n, k, weights)) }
    }

    /// Packs rows of GGML blocks (n rows of k values). Types without a panel of their own are
    /// widened without loss of precision beyond bf16's; [`Matrix::format`] tells what was chosen.
    ///
    /// # Panics
    /// When `bytes` has the wrong length or `k` is no multiple of the block length.
    pub fn from_blocks(cpu: &Cpu, block: BlockType, n: usize, k: usize, bytes: &[u8]) -> Self {
        assert_eq!(bytes.len(), block.bytes_for(n * k), "bytes of a ({n}, {k}) {block:?} matrix");
        if block.has_panels() {
            return Self {
                n,
                k,
                panels: Panels::Quant(QuantPanels::pack(cpu, block, n, k, bytes)),
            };
        }
        let mut weights = vec![0.0; n * k];
        crate::quant::dequantize(block, bytes, &mut weights);
        let format = if block == BlockType::F32 { Format::F32 } else { Format::Bf16 };
        Self::from_f32(cpu, format, n, k, &weights)
    }

    /// Packs the transpose Wᵀ (k, n) of row-major f32 weights W (n, k): what gradients of inputs are
    /// multiplied with.
    ///
    /// # Panics
    /// When `weights` is not `n * k` long, or the format is a block type.
    pub fn transposed_from_f32(
        cpu: &Cpu,
        format: Format,
        n: usize,
        k: usize,
        weights: &[f32],
    ) -> Self {
        assert_eq!(weights.len(), n * k, "weights of a ({n}, {k}) matrix");
        assert!(!matches!(format, Format::Quant(_)), "the transpose of a quantised matrix");
        let panels = DensePanels::pack_transposed(cpu, format, n, k, weights);
        Self { n: k, k: n, panels: Panels::Dense(panels) }
    }

    /// The same matrix in 12 bits per weight, if it is bf16 and its weights allow it: without loss, and products
    /// are the same to the bit. It takes a quarter less memory, and few rows are multiplied that much faster where
    /// they wait for memory; many rows take a few percent longer.
    #[must_use]
    pub fn squeezed(self, cpu: &Cpu) -> Self {
        match self.panels {
            Panels::Dense(p) => Self { panels: Panels::Dense(p.squeeze(cpu)), ..self },
            Panels::Quant(_) => self,
        }
    }

    /// Changes the row-major f32 values that this matrix and its `transposed` were packed from by
    /// `change`, which gets consecutive whole rows and where they begin, and packs both anew into the
    /// same memory.
    ///
    /// # Panics
    /// When the three are not of one shape, or a matrix is quantised.
    pub(crate) fn update(
        &mut self,
        transposed: &mut Self,
        cpu: &Cpu,
        weights: &mut [f32],
        change: &(dyn Fn(usize, &mut [f32]) + Sync),
    ) {
        match (&mut self.panels, &mut transposed.panels) {
            (Panels::Dense(p), Panels::Dense(t)) => p.update(t, cpu, weights, change),
            _ => panic!("a quantised matrix has no part of its own to pack"),
        }
    }

    /// Output features (rows of W).
    pub fn n(&self) -> usize {
        self.n
    }

    /// Input features (columns of W).
    pub fn k(&self) -> usize {
        self.k
    }

    /// The element format of the panels.
    pub fn format(&self) -> Format {
        match &self.panels {
            Panels::Dense(p) => p.format(),
            Panels::Quant(p) => Format::Quant(p.block_type()),
        }
    }

    /// Bytes of memory the panels take.
    pub fn bytes(&self) -> usize {
        match &self.panels {
            Panels::Dense(p) => p.bytes(),
            Panels::Quant(p) => p.bytes(),
        }
    }

    /// Row `row` of W as f32 (an embedding look-up from a tied matrix).
    ///
    /// # Panics
    /// When `row >= n` or `out` is not `k` long.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        assert!(row < self.n && out.len() == self.k, "row {row} of ({}, {})", self.n, self.k);
        match &self.panels {
            Panels::Dense(p) => p.row(row, out),
            Panels::Quant(p) => p.row(row, out),
        }
    }
}

/// y (m, n) = x (m, k) Wᵀ, W being (n, k).
///
/// An element of `y` is accumulated in one order that depends only on the tier and the format:
/// not on `m`, not on the number of threads.
///
/// # Panics
/// When a slice's length does not fit its shape.
pub fn matmul(cpu: &Cpu, x: &[f32], m: usize, w: &Matrix, y: &mut [f32]) {
    matmul_many(cpu, x, m, &mut [(w, y)]);
}

/// [`matmul`] of one `x` with several matrices (query, key and value; gate and up): the input is
/// converted once and all outputs are one parallel region.
///
/// # Panics
/// When a slice's length does not fit its shape.
pub fn matmul_many(cpu: &Cpu, x: &[f32], m: usize, outputs: &mut [(&Matrix, &mut [f32])]) {
    matmul_any(cpu, x, m, outputs, false);
}

/// y += x Wᵀ: [`matmul`] that goes on from what `y` holds. W is dense.
///
/// # Panics
/// When a slice's length does not fit its shape, or W is quantised.
pub fn matmul_add(cpu: &Cpu, x: &[f32], m: usize, w: &Matrix, y: &mut [f32]) {
    assert!(matches!(w.panels, Panels::Dense(_)), "a sum onto a quantised product");
    matmul_any(cpu, x, m, &mut [(w, y)], true);
}

fn matmul_any(
    cpu: &Cpu,
    x: &[f32],
    m: usize,
    outputs: &mut [(&Matrix, &mut [f32])],
    accumulate: bool,
) {
    for (w, y) in outputs.iter() {
        assert_eq!(x.len(), m * w.k, "x of ({m}, {})", w.k);
        assert_eq!(y.len(), m * w.n, "y of ({m}, {})", w.n);
    }
    if m == 0 {
        return;
    }
    let mut dense = Vec::new();
    let mut quant = Vec::new();
    for (w, y) in outputs.iter_mut() {
        match &w.panels {
            Panels::Dense(p) => dense.push((p, &mut **y)),
            Panels::Quant(p) => quant.push((p, &mut **y)),
        }
    }
    if !dense.is_empty() {
        crate::gemm::multiply(cpu, x, m, &mut dense, accumulate);
    }
    if !quant.is_empty() {
        crate::quant::multiply(cpu, x, m, &mut quant);
    }
}
