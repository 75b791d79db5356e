//! Activations quantised to 8 bits once per product, row by row, as the panels' kernels read them.
//!
//! x ~ d_a a with a in -127..=127, d_a = max|x| / 127 over 32 values (for the formats with a scale
//! per 32 weights) or 256 values (for the K types). Plain f32 operations in one order: the same bits
//! on every tier. A block with a NaN or an infinity gets that as its scale, so it reaches the
//! output; one whose largest magnitude is below 1e-30 counts as zero.
#![expect(unsafe_code, reason = "rows are quantised by several threads, in code compiled per tier")]

use std::{cell::Cell, ops::Range};

use crate::{
    AlignedBuf, Cpu,
    quant::{BlockType, panels::share},
    simd::Parts,
};

/// How x is divided into blocks, and the integers beside them that the weights' format needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Blocks of 32; `bias[block]` = -zero * sum(a), for weights stored as q + zero.
    Per32 {
        /// What is added to a weight to make it an unsigned byte.
        zero: i32,
    },
    /// Blocks of 256; `sums[block][8]` = sum(a) per 32, `bias[block][16]` = -32 sum(a) per 16.
    Per256,
}

impl Scheme {
    /// What products with weights of `block` need.
    pub(crate) fn of(block: BlockType) -> Self {
        match block {
            BlockType::Q8_0 => Self::Per32 { zero: 128 },
            BlockType::Q4_0 => Self::Per32 { zero: 8 },
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

/// Rows are padded to this many, so that an AMX tile may be read past the last one.
const ROW_PAD: usize = 32;
/// Values are padded with zeros to this many: a record of two 32-value blocks.
const K_PAD: usize = 64;

/// Quantised x (m, k).
#[derive(Debug)]
pub(crate) struct Activations {
    /// Rows.
    pub(crate) m: usize,
    /// Blocks per row (of 32, padded to an even number, or of 256).
    pub(crate) n_blocks: usize,
    /// Bytes from one row of `values` to the next: an odd number of cache lines, so that equal
    /// columns of 16 rows do not fall into the same cache sets.
    pub(crate) stride: usize,
    buffers: Buffers,
}

#[derive(Debug, Default)]
struct Buffers {
    values: Option<AlignedBuf>,
    scales: Vec<f32>,
    bias: Vec<i32>,
    sums: Vec<i16>,
}

thread_local! {
    /// The last product's buffers: a fresh allocation per product would be paged in each time.
    static BUFFERS: Cell<Option<Buffers>> = const { Cell::new(None) };
}

impl Activations {
    /// Quantises x (m, k).
    pub(crate) fn quantize(cpu: &Cpu, scheme: Scheme, x: &[f32], m: usize, k: usize) -> Self {
        let len = scheme.block_len();
        let n_blocks = k.next_multiple_of(K_PAD).div_ceil(len);
        let stride = (k.next_multiple_of(K_PAD) / 64 | 1) * 64;
        let mut buffers = BUFFERS.take().unwrap_or_default();
        let bytes = m.next_multiple_of(ROW_PAD) * stride;
        if buffers.values.as_ref().is_none_or(|b| b.len() < bytes) {
            buffers.values = Some(AlignedBuf::zeroed(bytes));
        }
        grow(&mut buffers.scales, m * n_blocks);
        grow(&mut buffers.bias, m * n_blocks * scheme.biases_per_block());
        grow(&mut buffers.sums, m * n_blocks * 8);
        let mut this = Self { m, n_blocks, stride, buffers };
        this.fill(cpu, scheme, x, k);
        this
    }

    fn fill(&mut self, cpu: &Cpu, scheme: Scheme, x: &[f32], k: usize) {
        /// Below this a second thread costs more than it saves.
        const VALUES_PER_TASK: usize = 16 << 10;
        let (m, stride, n_blocks) = (self.m, self.stride, self.n_blocks);
        let Buffers { values, scales, bias, sums } = &mut self.buffers;
        let values = Parts::new(values.as_mut().map_or(&mut [], AlignedBuf::bytes_mut));
        let (scales, bias, sums) = (Parts::new(scales), Parts::new(bias), Parts::new(sums));
        let n_biases = n_blocks * scheme.biases_per_block();
        let n_tasks = (m * k / VALUES_PER_TASK).clamp(1, cpu.n_threads() * 4);
        cpu.pool().run(n_tasks, &|task| {
            for i in share(m, n_tasks, task) {
                let part = |len: usize| -> Range<usize> { i * len..(i + 1) * len };
                // SAFETY: each row is written by one task.
                let row = unsafe {
                    Row {
                        x: &x[part(k)],
                        values: values.take(part(stride)),
                        scales: scales.take(part(n_blocks)),
                        bias: bias.take(part(n_biases)),
                        sums: sums.take(part(n_blocks * 8)),
                    }
                };
                quantize_row(cpu, scheme, row);
            }
        });
    }

    /// a, rows `stride` bytes apart, readable up to a multiple of 32 rows.
    pub(crate) fn values(&self) -> &[u8] {
        self.buffers.values.as_ref().map_or(&[], AlignedBuf::bytes)
    }

    /// d_a (m, n_blocks).
    pub(crate) fn scales(&self) -> &[f32] {
        &self.buffers.scales
    }

    /// See [`Scheme`]: (m, n_blocks) or (m, n_blocks, 16).
    pub(crate) fn bias(&self) -> &[i32] {
        &self.buffers.bias
    }

    /// See [`Scheme`]: (m, n_blocks, 8).
    pub(crate) fn sums(&self) -> &[i16] {
        &self.buffers.sums
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

/// One row of x and the places of its quantised form.
struct Row<'a> {
    x: &'a [f32],
    values: &'a mut [u8],
    scales: &'a mut [f32],
    bias: &'a mut [i32],
    sums: &'a mut [i16],
}

#[cfg(target_arch = "x86_64")]
fn quantize_row(cpu: &Cpu, scheme: Scheme, row: Row<'_>) {
    use crate::Tier;

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    fn avx512(scheme: Scheme, row: Row<'_>) {
        quantize_row_body(scheme, row);
    }
    #[target_feature(enable = "avx2,fma")]
    fn avx2(scheme: Scheme, row: Row<'_>) {
        quantize_row_body(scheme, row);
    }
    if cpu.isa().has(Tier::Avx512) {
        // SAFETY: the Isa proves AVX-512 F, BW, VL and DQ.
        unsafe { avx512(scheme, row) }
    } else if cpu.isa().has(Tier::Avx2) {
        // SAFETY: the Isa proves AVX2 and FMA.
        unsafe { avx2(scheme, row) }
    } else {
        quantize_row_body(scheme, row);
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn quantize_row(_cpu: &Cpu, scheme: Scheme, row: Row<'_>) {
    quantize_row_body(scheme, row);
}

#[inline(always)]
fn quantize_row_body(scheme: Scheme, row: Row<'_>) {
    let k = row.x.len();
    row.values[k..].fill(0);
    match scheme {
        Scheme::Per32 { zero } => {
            row.scales[k / 32..].fill(0.0);
            row.bias[k / 32..].fill(0);
            for (i, x) in row.x.as_chunks::<32>().0.iter().enumerate() {
                let a = &mut row.values[i * 32..i * 32 + 32];
                row.scales[i] = quantize_block(x, a);
                row.bias[i] = -zero * a.iter().map(|&a| i32::from(a as i8)).sum::<i32>();
            }
        }
        Scheme::Per256 => {
            for (i, x) in row.x.as_chunks::<256>().0.iter().enumerate() {
                let a = &mut row.values[i * 256..i * 256 + 256];
                row.scales[i] = quantize_block(x, a);
                let mut sums = [0_i16; 16];
                for (sum, a) in sums.iter_mut().zip(a.as_chunks::<16>().0) {
                    *sum = a.iter().map(|&a| i16::from(a as i8)).sum();
                }
                for b in 0..16 {
                    row.bias[i * 16 + b] = -32 * i32::from(sums[b]);
                }
                for b in 0..8 {
                    row.sums[i * 8 + b] = sums[2 * b] + sums[2 * b + 1];
                }
            }
        }
    }
}

/// Quantises one block and returns its scale.
#[inline(always)]
fn quantize_block<const N: usize>(x: &[f32; N], a: &mut [u8]) -> f32 {
    /// Adding 1.5 * 2^23 rounds to an integer (to nearest, ties to even) and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const TINY: f32 = 1e-30;
    // The bits of magnitudes order as the magnitudes do, and NaN comes last.
    let mut top = 0_u32;
    for x in x {
        top = top.max(x.to_bits() & 0x7fff_ffff);
    }
    let top = f32::from_bits(top);
    let inverse = if top > TINY { 127.0 / top } else { 0.0 };
    for (a, x) in a.iter_mut().zip(x) {
        *a = (x * inverse + ROUND).to_bits() as u8;
    }
    if top <= TINY { 0.0 } else { top / 127.0 }
}
