//! The product in plain Rust, for machines without a kernel of their own.
//!
//! A record is first expanded to one byte per value, in the panel's order (16 rows x 4 values); the
//! loops over 16 rows are left to the compiler's vectoriser.

use super::Task;
use crate::{
    quant::{
        BlockType,
        activations::{Activations, CHUNK, PART},
        panels::{B32_SCALES, K_HIGH, K_MINS, K_NIBBLES, K_SCALES, ROWS, f32_from_f16, record},
    },
    simd::madd,
};

/// Rows of x that share one expansion of a record.
const COLUMNS: usize = 32;

/// Values of a record, `[quad][16][4]`, centred on zero where the format is.
type Expanded = [i8; 256 * ROWS];

/// Computes a task; `FMA` where the target's baseline has the instruction.
pub(super) fn task<const FMA: bool>(task: &Task<'_>) {
    let block = task.out.w.block_type();
    let Some((values, record_bytes)) = record(block) else { return };
    let blocks_per_record = values / block.block_len();
    let mut expanded: Expanded = [0; _];
    for panel in task.panels.clone() {
        for first in (0..task.x.m).step_by(COLUMNS) {
            let rows = first..task.x.m.min(first + COLUMNS);
            let mut acc = [[0.0; ROWS]; COLUMNS];
            for (i, record) in task.out.w.panel(panel).chunks_exact(record_bytes).enumerate() {
                expand(block, record, &mut expanded);
                for (row, acc) in rows.clone().zip(&mut acc) {
                    if values == 256 {
                        add_256::<FMA>(record, &expanded, block, task.x, (row, i), acc);
                        continue;
                    }
                    for h in 0..blocks_per_record {
                        let at = (row, i * blocks_per_record + h);
                        let min = matches!(block, BlockType::Q4_1 | BlockType::Q5_1);
                        add_32::<FMA>(
                            &record[h * 32..],
                            &expanded[h * 512..],
                            min,
                            task.x,
                            at,
                            acc,
                        );
                    }
                }
            }
            for (row, acc) in rows.zip(&acc) {
                task.put(row, panel, acc);
            }
        }
    }
}

/// acc += d d_a dot(w, a) + m d_a sum(a) for one block of 32.
#[inline(always)]
fn add_32<const FMA: bool>(
    d: &[u8],
    w: &[i8],
    min: bool,
    x: &Activations,
    (row, block): (usize, usize),
    acc: &mut [f32; ROWS],
) {
    let k = block * 32;
    let a = &x.values(row, k / PART)[k % PART / CHUNK * x.group * CHUNK + k % CHUNK..][..32];
    let sums = dots(&w[..512], a);
    let d_a = x.scales(row, block)[0];
    for r in 0..ROWS {
        acc[r] = madd::<FMA>(sums[r] as f32, f16(d, r) * d_a, acc[r]);
    }
    if min {
        let sum = x.bias(row, block)[0] as f32;
        for r in 0..ROWS {
            acc[r] = madd::<FMA>(sum, f16(&d[B32_SCALES..], r) * d_a, acc[r]);
        }
    }
}

/// acc += d d_a sum(s dot(w, a)) - dmin d_a sum(m sum(a)) for one block of 256.
#[inline(always)]
fn add_256<const FMA: bool>(
    record: &[u8],
    w: &Expanded,
    block_type: BlockType,
    x: &Activations,
    (row, block): (usize, usize),
    acc: &mut [f32; ROWS],
) {
    let d_a = x.scales(row, block)[0];
    let signed = block_type == BlockType::Q6_K;
    let group = if signed { 16 } else { 32 };
    let mut total = [0_i32; ROWS];
    for b in 0..256 / group {
        let k = b * group;
        let a = &x.values(row, block)[k / CHUNK * x.group * CHUNK + k % CHUNK..][..group];
        let sums = dots(&w[b * group * ROWS..][..group * ROWS], a);
        let scales = &record[K_SCALES + b * ROWS..][..ROWS];
        for r in 0..ROWS {
            let s = if signed { i32::from(scales[r] as i8) } else { i32::from(scales[r]) };
            total[r] += s * sums[r];
        }
    }
    for r in 0..ROWS {
        acc[r] = madd::<FMA>(total[r] as f32, f16(record, r) * d_a, acc[r]);
    }
    if signed {
        return;
    }
    let mut mins = [0_i32; ROWS];
    for p in 0..4 {
        let sums = x.sums(row, block)[p];
        let m = &record[K_MINS + p * 32..];
        for r in 0..ROWS {
            mins[r] += i32::from(m[2 * r]) * i32::from(sums as i16);
            mins[r] += i32::from(m[2 * r + 1]) * (sums >> 16);
        }
    }
    for r in 0..ROWS {
        acc[r] = madd::<FMA>(-(mins[r] as f32), f16(&record[32..], r) * d_a, acc[r]);
    }
}

/// Dot products of 16 rows, 4 values at a time.
#[inline(always)]
fn dots(w: &[i8], a: &[u8]) -> [i32; ROWS] {
    let mut sums = [0_i32; ROWS];
    for (w, a) in w.as_chunks::<64>().0.iter().zip(a.as_chunks::<4>().0) {
        let a = a.map(|a| i16::from(a as i8));
        for r in 0..ROWS {
            for i in 0..4 {
                sums[r] += i32::from(i16::from(w[r * 4 + i]) * a[i]);
            }
        }
    }
    sums
}

fn f16(d: &[u8], row: usize) -> f32 {
    f32_from_f16(u16::from_le_bytes([d[row * 2], d[row * 2 + 1]]))
}

/// One byte per value, in order of k.
fn expand(block: BlockType, record: &[u8], out: &mut Expanded) {
    match block {
        BlockType::Q8_0 => {
            for (out, &b) in out.iter_mut().zip(&record[B32_SCALES..]) {
                *out = b as i8;
            }
        }
        BlockType::Q4_0 => expand_nibbles(&record[B32_SCALES..], 8, out),
        BlockType::Q5_0 => expand_nibbles(&record[B32_SCALES..], 16, out),
        BlockType::Q4_1 | BlockType::Q5_1 => expand_nibbles(&record[2 * B32_SCALES..], 0, out),
        BlockType::Q6_K => expand_q6_k(record, out),
        _ => {
            for p in 0..4 {
                let b = &record[K_NIBBLES + p * 512..][..512];
                for i in 0..512 {
                    out[p * 1024 + i] = (b[i] & 15) as i8;
                    out[p * 1024 + 512 + i] = (b[i] >> 4) as i8;
                }
            }
            if block == BlockType::Q5_K {
                for (b, out) in out.as_chunks_mut::<512>().0.iter_mut().enumerate() {
                    for i in 0..512 {
                        out[i] |= ((record[K_HIGH + i] >> b & 1) << 4) as i8;
                    }
                }
            }
        }
    }
}

/// Two blocks of nibbles and, if they follow, fifth bits.
fn expand_nibbles(values: &[u8], zero: i8, out: &mut Expanded) {
    let fifth = values.get(512..640);
    for h in 0..2 {
        let b = &values[h * 256..];
        for i in 0..256 {
            out[h * 512 + i] = (b[i] & 15) as i8 - zero;
            out[h * 512 + 256 + i] = (b[i] >> 4) as i8 - zero;
        }
        if let Some(fifth) = fifth {
            for i in 0..512 {
                out[h * 512 + i] += ((fifth[h * 64 + i % 64] >> (i / 64) & 1) << 4) as i8;
            }
        }
    }
}

fn expand_q6_k(record: &[u8], out: &mut Expanded) {
    for (run, out) in out.as_chunks_mut::<512>().0.iter_mut().enumerate() {
        // Per half of the block: two runs of 32 in the low nibbles, two in the high ones.
        let low = &record[K_NIBBLES + run / 4 * 1024 + run % 2 * 512..][..512];
        let high = &record[K_HIGH + run / 4 * 512..][..512];
        for i in 0..512 {
            let q = low[i] >> (run % 4 / 2 * 4) & 15 | (high[i] >> (run % 4 * 2) & 3) << 4;
            out[i] = q as i8 - 32;
        }
    }
}
