//! The key/value cache: an arena of fixed-size blocks of positions that sequences refer to by table.
#![expect(unsafe_code, reason = "every head of a block is written by one task")]

mod layout;

pub(crate) use self::layout::HeadLayout;
use crate::{AlignedBuf, Cpu, elementwise::split, simd::Parts};

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
    /// 8-bit integers with one f32 scale per position and head, keys and values apart.
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
///
/// Bytes are ordered (block, layer, head), so that a block is one piece to copy and the heads of a
/// layer lie side by side.
#[derive(Debug)]
pub struct KvArena {
    shape: KvShape,
    layout: HeadLayout,
    n_blocks: usize,
    data: AlignedBuf,
}

impl KvArena {
    /// An arena of `n_blocks` blocks, zeroed.
    pub fn new(shape: KvShape, dtype: KvDtype, n_blocks: usize) -> Self {
        let layout = HeadLayout::new(dtype, shape.d_head);
        let data = AlignedBuf::zeroed(n_blocks * Self::bytes_per_block(shape, dtype));
        Self { shape, layout, n_blocks, data }
    }

    /// Bytes that a block takes: what capacity planning divides the memory by.
    pub fn bytes_per_block(shape: KvShape, dtype: KvDtype) -> usize {
        shape.n_layers * shape.n_kv_heads * HeadLayout::new(dtype, shape.d_head).bytes()
    }

    /// What a position stores.
    pub fn shape(&self) -> KvShape {
        self.shape
    }

    /// Storage type.
    pub fn dtype(&self) -> KvDtype {
        self.layout.dtype()
    }

    /// Number of blocks.
    pub fn n_blocks(&self) -> usize {
        self.n_blocks
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// Copies block `from` over block `to`, all layers: the copy of a copy-on-write prefix.
    ///
    /// # Panics
    /// When one of them is not below the number of blocks.
    pub fn copy_block(&mut self, from: u32, to: u32) {
        let n = self.n_blocks;
        let (from, to) = (from as usize, to as usize);
        assert!(from < n && to < n, "copy of block {from} to {to} in an arena of {n}");
        let len = self.shape.n_layers * self.shape.n_kv_heads * self.layout.bytes();
        self.data.bytes_mut().copy_within(from * len..(from + 1) * len, to * len);
    }

    /// Reads back the key and the value (each `d_head` wide) of one position and head, as the
    /// kernels see them: for tests, and for looking into a cache.
    ///
    /// # Panics
    /// When an index lies outside.
    pub fn read(
        &self,
        layer: usize,
        block: u32,
        head: usize,
        slot: usize,
        k: &mut [f32],
        v: &mut [f32],
    ) {
        let d = self.shape.d_head;
        assert!(slot < KV_BLOCK && k.len() == d && v.len() == d, "slot {slot}, heads of {d}");
        self.layout.read(self.head(layer, block, head), slot, k, v);
    }

    pub(crate) fn layout(&self) -> HeadLayout {
        self.layout
    }

    /// The bytes of one head of one block.
    pub(crate) fn head(&self, layer: usize, block: u32, head: usize) -> &[u8] {
        let at = self.at(layer, block, head);
        &self.data.bytes()[at..at + self.layout.bytes()]
    }

    #[track_caller]
    fn at(&self, layer: usize, block: u32, head: usize) -> usize {
        let s = self.shape;
        assert!(
            (block as usize) < self.n_blocks && layer < s.n_layers && head < s.n_kv_heads,
            "block {block}, layer {layer}, head {head} of {} blocks, {} layers, {} heads",
            self.n_blocks,
            s.n_layers,
            s.n_kv_heads,
        );
        ((block as usize * s.n_layers + layer) * s.n_kv_heads + head) * self.layout.bytes()
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
    cpu: &Cpu,
    arena: &mut KvArena,
    layer: usize,
    segments: &[Segment<'_>],
    k: &[f32],
    v: &[f32],
) {
    let KvShape { n_kv_heads, d_head, .. } = arena.shape;
    let layout = arena.layout;
    let row_len = n_kv_heads * d_head;
    let n_rows: usize = segments.iter().map(|s| s.n_rows).sum();
    // Where each row's block starts, and its slot there.
    let mut places = Vec::with_capacity(n_rows);
    for s in segments {
        let end = (s.row0 + s.n_rows) * row_len;
        assert!(end <= k.len() && end <= v.len(), "rows of {s:?} in {} values", k.len());
        for i in 0..s.n_rows {
            let pos = s.pos0 + i;
            let block = s.blocks[pos / KV_BLOCK];
            places.push((s.row0 + i, arena.at(layer, block, 0), pos % KV_BLOCK));
        }
    }
    let parts = Parts::new(arena.data.bytes_mut());
    split(cpu, n_kv_heads, 1, n_rows * d_head * 4, &|heads| {
        for &(row, at, slot) in &places {
            for head in heads.clone() {
                let at = at + head * layout.bytes();
                // SAFETY: one task has this head of every block.
                let bytes = unsafe { parts.take(at..at + layout.bytes()) };
                let of_head = row * row_len + head * d_head..row * row_len + (head + 1) * d_head;
                layout.write(bytes, slot, &k[of_head.clone()], &v[of_head]);
            }
        }
    });
}
