//! Activations quantised to 8 bits once per product, laid out as the panels' kernels read them.
//!
//! x ~ d_a a with a in -127..=127, d_a = max|x| / 127 over 32 values (for the formats with a scale
//! per 32 weights) or 256 values (for the K types). Plain f32 operations in one order: the same bits
//! on every tier. A block with a NaN or an infinity gets that as its scale, so it reaches the
//! output; one whose largest magnitude is below 1e-30 counts as zero.
//!
//! Rows are kept in groups of G (16; fewer for a product of fewer rows), k in chunks of 64 values:
//! `values [group][chunk][G][64]`, so that 16 rows of a chunk are an AMX tile and every address
//! inside a group is a constant away from the next row's. The other arrays likewise end in `[G]`.
#![expect(unsafe_code, reason = "rows are quantised by several threads, in code compiled per tier")]

use std::cell::Cell;

use crate::{
    AlignedBuf, Cpu,
    quant::{BlockType, panels::share},
    simd::Parts,
};

/// Values per chunk: a cache line, an AMX tile row, two blocks of 32.
pub(crate) const CHUNK: usize = 64;

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
    /// Blocks per row: an even number of 32 values, or of 256.
    pub(crate) n_blocks: usize,
    n_chunks: usize,
    biases_per_block: usize,
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
        let n_chunks = k.div_ceil(CHUNK);
        let group = m.next_power_of_two().min(16);
        let mut this = Self {
            m,
            group,
            n_blocks: n_chunks * CHUNK / scheme.block_len(),
            n_chunks,
            biases_per_block: scheme.biases_per_block(),
            buffers: BUFFERS.take().unwrap_or_default(),
        };
        let n_groups = m.div_ceil(group);
        let [values, scales, bias, sums] = this.group_lens().map(|len| n_groups * len);
        let buffers = &mut this.buffers;
        if buffers.values.as_ref().is_none_or(|b| b.len() < values) {
            buffers.values = Some(AlignedBuf::zeroed(values));
        }
        grow(&mut buffers.scales, scales);
        grow(&mut buffers.bias, bias);
        grow(&mut buffers.sums, sums);
        this.fill(cpu, scheme, x, k);
        this
    }

    /// Elements of a group in each array: values, scales, bias, sums.
    fn group_lens(&self) -> [usize; 4] {
        let blocks = self.group * self.n_blocks;
        [self.group * self.n_chunks * CHUNK, blocks, blocks * self.biases_per_block, blocks * 4]
    }

    fn fill(&mut self, cpu: &Cpu, scheme: Scheme, x: &[f32], k: usize) {
        /// Below this a second thread costs more than it saves.
        const VALUES_PER_TASK: usize = 16 << 10;
        let (m, g) = (self.m, self.group);
        let lens = self.group_lens();
        let Buffers { values, scales, bias, sums } = &mut self.buffers;
        let values = Parts::new(values.as_mut().map_or(&mut [], AlignedBuf::bytes_mut));
        let (scales, bias, sums) = (Parts::new(scales), Parts::new(bias), Parts::new(sums));
        let n_groups = m.div_ceil(g);
        let n_tasks = (m * k / VALUES_PER_TASK).clamp(1, cpu.n_threads() * 4).min(n_groups);
        cpu.pool().run(n_tasks, &|task| {
            for i in share(n_groups, n_tasks, task) {
                let part = |array: usize| i * lens[array]..(i + 1) * lens[array];
                // SAFETY: each group is written by one task.
                let group = unsafe {
                    Group {
                        x: &x[i * g * k..m.min((i + 1) * g) * k],
                        k,
                        g,
                        values: values.take(part(0)),
                        scales: scales.take(part(1)),
                        bias: bias.take(part(2)),
                        sums: sums.take(part(3)),
                    }
                };
                quantize_group(cpu, scheme, group);
            }
        });
    }

    /// Where row `row` begins in `values`: its first chunk; the next is `group * 64` bytes on.
    pub(crate) fn values(&self, row: usize) -> &[u8] {
        let bytes = self.buffers.values.as_ref().map_or(&[][..], AlignedBuf::bytes);
        &bytes[row / self.group * self.group_lens()[0] + row % self.group * CHUNK..]
    }

    /// d_a of `row`'s first block; the next is `group` elements on.
    pub(crate) fn scales(&self, row: usize) -> &[f32] {
        &self.buffers.scales[row / self.group * self.group_lens()[1] + row % self.group..]
    }

    /// The first bias (see [`Scheme`]) of `row`; the next is `group` elements on.
    pub(crate) fn bias(&self, row: usize) -> &[i32] {
        &self.buffers.bias[row / self.group * self.group_lens()[2] + row % self.group..]
    }

    /// The first of four pairs of sums per block of `row`; the next is `group` elements on.
    pub(crate) fn sums(&self, row: usize) -> &[i32] {
        &self.buffers.sums[row / self.group * self.group_lens()[3] + row % self.group..]
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

/// Up to G rows of x and the places of their quantised form.
struct Group<'a> {
    x: &'a [f32],
    k: usize,
    g: usize,
    values: &'a mut [u8],
    scales: &'a mut [f32],
    bias: &'a mut [i32],
    sums: &'a mut [i32],
}

#[cfg(target_arch = "x86_64")]
fn quantize_group(cpu: &Cpu, scheme: Scheme, group: Group<'_>) {
    use crate::Tier;

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    fn avx512(scheme: Scheme, group: Group<'_>) {
        quantize_group_body(scheme, group);
    }
    #[target_feature(enable = "avx2,fma")]
    fn avx2(scheme: Scheme, group: Group<'_>) {
        quantize_group_body(scheme, group);
    }
    if cpu.isa().has(Tier::Avx512) {
        // SAFETY: the Isa proves AVX-512 F, BW, VL and DQ.
        unsafe { avx512(scheme, group) }
    } else if cpu.isa().has(Tier::Avx2) {
        // SAFETY: the Isa proves AVX2 and FMA.
        unsafe { avx2(scheme, group) }
    } else {
        quantize_group_body(scheme, group);
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn quantize_group(_cpu: &Cpu, scheme: Scheme, group: Group<'_>) {
    quantize_group_body(scheme, group);
}

#[inline(always)]
fn quantize_group_body(scheme: Scheme, mut group: Group<'_>) {
    for row in 0..group.x.len() / group.k.max(1) {
        match scheme {
            Scheme::Per32 { zero } => quantize_row_32(&mut group, row, zero),
            Scheme::Per256 => quantize_row_256(&mut group, row),
        }
    }
}

#[inline(always)]
fn quantize_row_32(group: &mut Group<'_>, row: usize, zero: i32) {
    let g = group.g;
    let x = &group.x[row * group.k..(row + 1) * group.k];
    for (i, x) in x.as_chunks::<32>().0.iter().enumerate() {
        let (a, scale) = quantize_block(x);
        group.values[(i / 2 * g + row) * CHUNK + i % 2 * 32..][..32].copy_from_slice(&a);
        group.scales[i * g + row] = scale;
        group.bias[i * g + row] = -zero * a.iter().map(|&a| i32::from(a as i8)).sum::<i32>();
    }
    if !group.k.is_multiple_of(CHUNK) {
        // The second block of the last chunk has no values.
        let i = group.k / 32;
        group.values[(i / 2 * g + row) * CHUNK + 32..][..32].fill(0);
        group.scales[i * g + row] = 0.0;
        group.bias[i * g + row] = 0;
    }
}

#[inline(always)]
fn quantize_row_256(group: &mut Group<'_>, row: usize) {
    let g = group.g;
    let x = &group.x[row * group.k..(row + 1) * group.k];
    for (i, x) in x.as_chunks::<256>().0.iter().enumerate() {
        let (a, scale) = quantize_block(x);
        group.scales[i * g + row] = scale;
        let mut sums = [0_i16; 16];
        for (chunk, a) in a.as_chunks::<CHUNK>().0.iter().enumerate() {
            group.values[((i * 4 + chunk) * g + row) * CHUNK..][..CHUNK].copy_from_slice(a);
        }
        for (sum, a) in sums.iter_mut().zip(a.as_chunks::<16>().0) {
            *sum = a.iter().map(|&a| i16::from(a as i8)).sum();
        }
        for (b, &sum) in sums.iter().enumerate() {
            group.bias[(i * 16 + b) * g + row] = -32 * i32::from(sum);
        }
        for (p, s) in sums.as_chunks::<4>().0.iter().enumerate() {
            let (low, high) = (s[0] + s[1], s[2] + s[3]);
            group.sums[(i * 4 + p) * g + row] = i32::from(low as u16) | i32::from(high) << 16;
        }
    }
}

/// One block: its integers (as bytes) and its scale.
#[inline(always)]
fn quantize_block<const N: usize>(x: &[f32; N]) -> ([u8; N], f32) {
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
    let mut a = [0; N];
    for (a, x) in a.iter_mut().zip(x) {
        *a = (x * inverse + ROUND).to_bits() as u8;
    }
    (a, if top <= TINY { 0.0 } else { top / 127.0 })
}
