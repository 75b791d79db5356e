//! The key/value cache: an arena of fixed-size blocks of positions that sequences refer to by table.

use crate::{AlignedBuf, Cpu};

/// Positions per block. Attention merges blocks in order of position, so a sequence's result does
/// not depend on how it was cut into calls.
pub const KV_BLOCK: usize = 64;

/// How keys and values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KvDtype {
    /// 32-bit floats.
    F32,
    /// bfloat16.
    Bf16,
    /// 8-bit integers with one f32 scale per position and head.
    Q8,
}

/// What one position stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvShape {
    /// Layers.
    pub n_layers: usize,
    /// Key/value heads per layer.
    pub n_kv_heads: usize,
    /// Width of a key and of a value head.
    pub d_head: usize,
}

/// Blocks of keys and values for all layers; block `b` holds [`KV_BLOCK`] positions of one sequence.
#[derive(Debug)]
pub struct KvArena {
    shape: KvShape,
    dtype: KvDtype,
    n_blocks: usize,
    data: AlignedBuf,
}

impl KvArena {
    /// An arena of `n_blocks` blocks, zeroed.
    pub fn new(shape: KvShape, dtype: KvDtype, n_blocks: usize) -> Self {
        let per_block = shape.n_layers * shape.n_kv_heads * shape.d_head * KV_BLOCK * 2 * 4;
        Self { shape, dtype, n_blocks, data: AlignedBuf::zeroed(per_block * n_blocks) }
    }

    /// What a position stores.
    pub fn shape(&self) -> KvShape {
        self.shape
    }

    /// Storage type.
    pub fn dtype(&self) -> KvDtype {
        self.dtype
    }

    /// Number of blocks.
    pub fn n_blocks(&self) -> usize {
        self.n_blocks
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    pub(crate) fn at(&self, layer: usize, block: u32, head: usize, slot: usize) -> usize {
        let s = self.shape;
        (((block as usize * s.n_layers + layer) * s.n_kv_heads + head) * KV_BLOCK + slot)
            * 2
            * s.d_head
    }

    pub(crate) fn values(&self) -> &[f32] {
        self.data.f32s()
    }
}

/// A run of consecutive positions of one sequence inside a batch of rows.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// First row of the batch that belongs to it.
    pub row0: usize,
    /// Number of rows.
    pub n_rows: usize,
    /// Position of the first row in its sequence.
    pub pos0: usize,
    /// The sequence's block table: position p lives in block `blocks[p / KV_BLOCK]`.
    pub blocks: &'a [u32],
}

/// Writes k and v (rows, n_kv_heads, d_head) of `layer` into the blocks of their segments.
///
/// # Panics
/// When a segment's rows or blocks lie outside.
pub fn store(
    _cpu: &Cpu,
    arena: &mut KvArena,
    layer: usize,
    segments: &[Segment<'_>],
    k: &[f32],
    v: &[f32],
) {
    let KvShape { n_kv_heads, d_head, .. } = arena.shape;
    for seg in segments {
        for i in 0..seg.n_rows {
            let pos = seg.pos0 + i;
            let block = seg.blocks[pos / KV_BLOCK];
            for head in 0..n_kv_heads {
                let from = ((seg.row0 + i) * n_kv_heads + head) * d_head;
                let to = arena.at(layer, block, head, pos % KV_BLOCK);
                let out = arena.data.f32s_mut();
                out[to..to + d_head].copy_from_slice(&k[from..from + d_head]);
                out[to + d_head..to + 2 * d_head].copy_from_slice(&v[from..from + d_head]);
            }
        }
    }
}
