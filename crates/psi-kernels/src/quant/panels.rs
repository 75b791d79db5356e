//! Quantised weights in panels of 16 output rows: the bytes of a GGML file in another order.
//!
//! Four consecutive k values of 16 rows are 64 bytes: one vector register for `vpdpbusd`, one row
//! of an AMX tile. A panel is a sequence of *records* along k. Repacking moves bytes and widens the
//! 6-bit scales of the K types to bytes; it changes no value, so the memory cost stays near the
//! file's (bits per weight: Q4_0 4.5, Q4_1 5, Q5_0 5.5, Q5_1 6, Q8_0 8.5, Q4_K 4.63, Q5_K 5.63, Q6_K 6.63).
//!
//! Records, all offsets in bytes; `[a][b]` is row-major and the 16 are the panel's rows:
//!
//! | type | k values | layout |
//! |---|---|---|
//! | Q8_0 | 64 | d `[2][16]` f16; q `[16 quads][16][4]` i8 |
//! | Q4_0 | 64 | d `[2][16]` f16; nibbles `[2 blocks][4][16][4]`: low = quad j, high = quad j + 4 |
//! | Q5_0 | 64 | as Q4_0, then the fifth bits `[2 blocks][16][4]`: bit j of byte i is value 4j + i's |
//! | Q4_1, Q5_1 | 64 | as Q4_0, Q5_0 with m `[2][16]` f16 after d |
//! | Q4_K | 256 | d `[16]` f16, dmin `[16]` f16; scales `[8][16]` u8; mins `[4][16][2]` u8; nibbles `[4 pairs][8 quads][16][4]`: low = sub-block 2p, high = 2p + 1 |
//! | Q5_K | 256 | as Q4_K, then the fifth bits `[8 quads][16][4]`: bit b belongs to sub-block b |
//! | Q6_K | 256 | d `[16]` f16, 32 bytes of nothing; scales `[16][16]` i8; 128 bytes of nothing; low nibbles `[2 halves][16][16][4]`; high bit pairs `[2 halves][8][16][4]` |
#![expect(unsafe_code, reason = "panels are packed by several threads into one buffer")]

mod pack;
mod unpack;

pub(crate) use unpack::f32_from_f16;

use std::ops::Range;

use crate::{AlignedBuf, Cpu, quant::BlockType, simd::Parts};

/// Output rows per panel: one 512-bit vector of f32.
pub(crate) const ROWS: usize = 16;

/// Offset of the scales in a K record (after d and dmin).
pub(crate) const K_SCALES: usize = 64;
/// Offset of the pair-interleaved mins in a Q4_K or Q5_K record.
pub(crate) const K_MINS: usize = 192;
/// Offset of the nibbles in a K record.
pub(crate) const K_NIBBLES: usize = 320;
/// Offset of the high bits in a Q5_K or Q6_K record.
pub(crate) const K_HIGH: usize = K_NIBBLES + 2048;
/// Bytes of two rows of f16 d (or m): values follow them in a record of 32-value blocks.
pub(crate) const B32_SCALES: usize = 64;

/// k values and bytes of one record of `block`, for the types that have panels.
pub(crate) fn record(block: BlockType) -> Option<(usize, usize)> {
    match block {
        BlockType::Q8_0 => Some((64, B32_SCALES + 1024)),
        BlockType::Q4_0 => Some((64, B32_SCALES + 512)),
        BlockType::Q4_1 => Some((64, 2 * B32_SCALES + 512)),
        BlockType::Q5_0 => Some((64, B32_SCALES + 512 + 128)),
        BlockType::Q5_1 => Some((64, 2 * B32_SCALES + 512 + 128)),
        BlockType::Q4_K => Some((256, K_HIGH)),
        BlockType::Q5_K => Some((256, K_HIGH + 512)),
        BlockType::Q6_K => Some((256, K_HIGH + 1024)),
        _ => None,
    }
}

/// Quantised weights W (n, k) in row panels. Rows beyond n and values beyond k are zero.
#[derive(Clone, Debug)]
pub(crate) struct QuantPanels {
    block: BlockType,
    n: usize,
    k: usize,
    data: AlignedBuf,
}

impl QuantPanels {
    /// Repacks n rows of k values, stored as GGML blocks.
    ///
    /// # Panics
    /// When `block` has no panels, `k` is no multiple of its length or `bytes` has another length.
    pub(crate) fn pack(cpu: &Cpu, block: BlockType, n: usize, k: usize, bytes: &[u8]) -> Self {
        let row_bytes = block.bytes_for(k);
        assert_eq!(bytes.len(), n * row_bytes, "bytes of a ({n}, {k}) {block:?} matrix");
        let panel_bytes = panel_bytes(block, k);
        let n_panels = n.div_ceil(ROWS);
        let mut data = AlignedBuf::zeroed(n_panels * panel_bytes);
        let parts = Parts::new(data.bytes_mut());
        let n_tasks = n_panels.min(cpu.n_threads() * 8);
        cpu.pool().run(n_tasks, &|task| {
            for panel in share(n_panels, n_tasks, task) {
                let rows = panel * ROWS..n.min((panel + 1) * ROWS);
                // SAFETY: each panel is packed by one task.
                let out = unsafe { parts.take(panel * panel_bytes..(panel + 1) * panel_bytes) };
                let rows =
                    bytes[rows.start * row_bytes..rows.end * row_bytes].chunks_exact(row_bytes);
                pack::pack_panel(block, rows, out);
            }
        });
        Self { block, n, k, data }
    }

    pub(crate) fn block_type(&self) -> BlockType {
        self.block
    }

    pub(crate) fn n(&self) -> usize {
        self.n
    }

    pub(crate) fn k(&self) -> usize {
        self.k
    }

    pub(crate) fn n_panels(&self) -> usize {
        self.n.div_ceil(ROWS)
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.data.len()
    }

    /// The records of panel `panel`, in order of k.
    pub(crate) fn panel(&self, panel: usize) -> &[u8] {
        let bytes = panel_bytes(self.block, self.k);
        &self.data.bytes()[panel * bytes..(panel + 1) * bytes]
    }

    /// The dequantised values of row `row`, bit for bit as [`crate::quant::dequantize`] gives them.
    pub(crate) fn row(&self, row: usize, out: &mut [f32]) {
        unpack::unpack_row(self.block, self.panel(row / ROWS), row % ROWS, out);
    }
}

fn panel_bytes(block: BlockType, k: usize) -> usize {
    let (values, bytes) = record(block).unwrap_or_else(|| panic!("{block:?} has no panels"));
    k.div_ceil(values) * bytes
}

/// The `task`-th of `n_tasks` contiguous, nearly equal ranges of `0..n`.
pub(crate) fn share(n: usize, n_tasks: usize, task: usize) -> Range<usize> {
    n * task / n_tasks..n * (task + 1) / n_tasks
}
