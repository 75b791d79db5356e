//! Activations quantised to 8 bits once per product, laid out as the panels' kernels read them.
//!
//! x ~ d_a a with a in -127..=127, d_a = max|x| / 127 over 32 values (for the formats with a scale
//! per 32 weights) or 256 values (for the K types). Plain f32 operations in one order: the same bits
//! on every tier. A block with a NaN or an infinity gets that as its scale, so it reaches the
//! output; one whose largest magnitude is below 1e-30 counts as zero.
//!
//! Rows are kept in groups of G (16; fewer for a product of fewer rows), k in parts of 256 values of
//! four chunks of 64: `values [part][group][chunk][G][64]`. Sixteen rows of a chunk are an AMX tile,
//! one part of all rows is contiguous (it is reused while weights change), and inside a group every
//! address is a constant away from the next row's. Scales are `[block][group][G]`, the biases and
//! sums of a block of 256 `[block][group][G][16]` and `[4]`.
#![expect(unsafe_code, reason = "rows are quantised by several threads")]

mod quantize;

use std::cell::Cell;

use crate::{
    AlignedBuf, Cpu,
    quant::{BlockType, panels::share},
    simd::Parts,
};

/// Values per chunk: a cache line, an AMX tile row, two blocks of 32.
pub(crate) const CHUNK: usize = 64;
/// Values per part: a block of a K type, eight blocks of 32.
pub(crate) const PART: usize = 256;

/// How x is divided into blocks, and the integers beside them that the weights' format needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Blocks of 32, with the bias -zero * sum(a) of each.
    Per32 {
        /// What is added to a weight to make it an unsigned byte; -1 where a minimum is added
        /// instead, for the plain sum.
        zero: i32,
    },
    /// Blocks of 256, with sum(a) per 32 (two i16 in a dword) and the bias -32 * sum(a) per 16.
    Per256,
}

impl Scheme {
    /// What products with weights of `block` need.
    pub(crate) fn of(block: BlockType) -> Self {
        match block {
            BlockType::Q8_0 => Self::Per32 { zero: 128 },
            BlockType::Q4_0 => Self::Per32 { zero: 8 },
            BlockType::Q5_0 => Self::Per32 { zero: 16 },
            BlockType::Q4_1 | BlockType::Q5_1 => Self::Per32 { zero: -1 },
            _ => Self::Per256,
        }
    }

    fn block_len(self) -> usize {
        match self {
            Self::Per32 { .. } => 32,
            Self::Per256 => 256,
        }
    }

    fn biases_per_block(self) -> usize {
        match self {
            Self::Per32 { .. } => 1,
            Self::Per256 => 16,
        }
    }
}

/// Quantised x (m, k).
#[derive(Debug)]
pub(crate) struct Activations {
    /// Rows.
    pub(crate) m: usize,
    /// Rows per group, G: 1, 2, 4, 8 or 16.
    pub(crate) group: usize,
    n_groups: usize,
    /// Blocks per row: an even number of 32 values, or of 256.
    pub(crate) n_blocks: usize,
    scheme: Scheme,
    buffers: Buffers,
}

#[derive(Debug, Default)]
struct Buffers {
    values: Option<AlignedBuf>,
    scales: Vec<f32>,
    bias: Vec<i32>,
    sums: Vec<i32>,
}

thread_local! {
    /// The last product's buffers: a fresh allocation per product would be paged in each time.
    static BUFFERS: Cell<Option<Buffers>> = const { Cell::new(None) };
}

impl Activations {
    /// Quantises x (m, k).
    pub(crate) fn quantize(cpu: &Cpu, scheme: Scheme, x: &[f32], m: usize, k: usize) -> Self {
        let group = m.next_power_of_two().min(16);
        let mut this = Self {
            m,
            group,
            n_groups: m.div_ceil(group),
            n_blocks: k.next_multiple_of(CHUNK) / scheme.block_len(),
            scheme,
            buffers: BUFFERS.take().unwrap_or_default(),
        };
        let rows = this.n_groups * group;
        let bytes = rows * k.next_multiple_of(PART);
        let buffers = &mut this.buffers;
        if buffers.values.as_ref().is_none_or(|b| b.len() < bytes) {
            buffers.values = Some(AlignedBuf::zeroed(bytes));
        }
        grow(&mut buffers.scales, rows * this.n_blocks);
        grow(&mut buffers.bias, rows * this.n_blocks * scheme.biases_per_block());
        if scheme == Scheme::Per256 {
            grow(&mut buffers.sums, rows * this.n_blocks * 4);
        }
        this.fill(cpu, x, k);
        this
    }

    fn fill(&mut self, cpu: &Cpu, x: &[f32], k: usize) {
        /// Below this a second thread costs more than it saves.
        const VALUES_PER_TASK: usize = 16 << 10;
        let (m, g, n_groups, n_blocks) = (self.m, self.group, self.n_groups, self.n_blocks);
        let (scheme, n_parts) = (self.scheme, k.div_ceil(PART));
        let Buffers { values, scales, bias, sums } = &mut self.buffers;
        let values = Parts::new(values.as_mut().map_or(&mut [], AlignedBuf::bytes_mut));
        let (scales, bias, sums) = (Parts::new(scales), Parts::new(bias), Parts::new(sums));
        let n_tasks = (m * k / VALUES_PER_TASK).clamp(1, cpu.n_threads() * 4).min(n_groups);
        cpu.pool().run(n_tasks, &|task| {
            for group in share(n_groups, n_tasks, task) {
                for (part, row) in (0..n_parts).flat_map(|p| (0..g).map(move |r| (p, r))) {
                    let i = group * g + row;
                    if i >= m {
                        continue;
                    }
                    let x = &x[i * k..(i + 1) * k][part * PART..k.min((part + 1) * PART)];
                    let start = (part * n_groups + group) * g * PART;
                    // SAFETY: a group belongs to one task, in every array.
                    unsafe {
                        let rows = &mut values.take(start..start + g * PART)[row * CHUNK..];
                        let done = quantize::part(cpu.isa(), scheme, x, (rows, g * CHUNK));
                        if scheme == Scheme::Per256 {
                            let i = (part * n_groups + group) * g + row;
                            scales.take(i..i + 1)[0] = done.scales[0];
                            bias.take(i * 16..(i + 1) * 16).copy_from_slice(&done.bias);
                            sums.take(i * 4..(i + 1) * 4).copy_from_slice(&done.sums);
                            continue;
                        }
                        for b in 0..(n_blocks - part * 8).min(8) {
                            let i = ((part * 8 + b) * n_groups + group) * g + row;
                            scales.take(i..i + 1)[0] = done.scales[b];
                            bias.take(i..i + 1)[0] = done.bias[b];
                        }
                    }
                }
            }
        });
    }

    /// The place of `row` (in elements per row) in arrays of blocks.
    fn at(&self, row: usize, block: usize) -> usize {
        (block * self.n_groups + row / self.group) * self.group + row % self.group
    }

    /// Where chunk 0 of `part` of `row` begins; chunk 1 is `group * 64` bytes on, and the next part
    /// [`Self::part_bytes`] on.
    pub(crate) fn values(&self, row: usize, part: usize) -> &[u8] {
        let bytes = self.buffers.values.as_ref().map_or(&[][..], AlignedBuf::bytes);
        let group = part * self.n_groups + row / self.group;
        &bytes[group * self.group * PART + row % self.group * CHUNK..]
    }

    /// Bytes from one part of a row's values to the next.
    pub(crate) fn part_bytes(&self) -> usize {
        self.n_groups * self.group * PART
    }

    /// Rows, padding included: elements from one block of a row to the next in the arrays below.
    pub(crate) fn rows(&self) -> usize {
        self.n_groups * self.group
    }

    /// d_a of `block` of `row`, then of the group's next rows.
    pub(crate) fn scales(&self, row: usize, block: usize) -> &[f32] {
        &self.buffers.scales[self.at(row, block)..]
    }

    /// The biases (see [`Scheme`]: one, or 16) of `block` of `row`, then of the group's next rows.
    pub(crate) fn bias(&self, row: usize, block: usize) -> &[i32] {
        &self.buffers.bias[self.at(row, block) * self.scheme.biases_per_block()..]
    }

    /// The four pairs of sums of `block` of `row`, then of the group's next rows.
    pub(crate) fn sums(&self, row: usize, block: usize) -> &[i32] {
        let at = self.at(row, block) * 4;
        self.buffers.sums.get(at..).unwrap_or_default()
    }
}

impl Drop for Activations {
    fn drop(&mut self) {
        BUFFERS.set(Some(std::mem::take(&mut self.buffers)));
    }
}

/// Makes `v` at least `len` long; old contents do not matter.
fn grow<T: Copy + Default>(v: &mut Vec<T>, len: usize) {
    if v.len() < len {
        *v = vec![T::default(); len];
    }
}
