//! From rows of GGML blocks to a panel: 4-byte groups are transposed, 6-bit scales widened.

use super::{B32_SCALES, K_HIGH, K_MINS, K_NIBBLES, K_SCALES, record};
use crate::quant::BlockType;

/// Packs up to 16 rows of blocks into one zeroed panel.
pub(super) fn pack_panel<'a>(
    block: BlockType,
    rows: impl Iterator<Item = &'a [u8]>,
    panel: &mut [u8],
) {
    let Some((values, record_bytes)) = record(block) else { return };
    let blocks_per_record = values / block.block_len();
    for (row, blocks) in rows.enumerate() {
        for (i, bytes) in blocks.chunks_exact(block.block_bytes()).enumerate() {
            let start = i / blocks_per_record * record_bytes;
            let record = &mut panel[start..start + record_bytes];
            match block {
                BlockType::Q4_K => pack_q4_k(bytes, row, record),
                BlockType::Q5_K => pack_q5_k(bytes, row, record),
                BlockType::Q6_K => pack_q6_k(bytes, row, record),
                _ => pack_32(block, bytes, row, i % blocks_per_record, record),
            }
        }
    }
}

/// 32-value blocks: f16 d, f16 m where there is one, 4 bytes of fifth bits where there are, then 32
/// bytes, or 16 bytes of nibbles (low half first).
fn pack_32(block: BlockType, bytes: &[u8], row: usize, half: usize, record: &mut [u8]) {
    let has_min = matches!(block, BlockType::Q4_1 | BlockType::Q5_1);
    let has_fifth = matches!(block, BlockType::Q5_0 | BlockType::Q5_1);
    put(record, half * 32 + row * 2, &bytes[..2]);
    let (mut at, mut bytes) = (B32_SCALES, &bytes[2..]);
    if has_min {
        put(record, at + half * 32 + row * 2, &bytes[..2]);
        (at, bytes) = (at + B32_SCALES, &bytes[2..]);
    }
    if has_fifth {
        let bits = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        for i in 0..4 {
            let byte = (0..8).fold(0, |byte, j| byte | (bits >> (4 * j + i) & 1) << j);
            record[at + 512 + half * 64 + row * 4 + i] = byte as u8;
        }
        bytes = &bytes[4..];
    }
    spread(bytes, row, &mut record[at + half * bytes.len() * 16..]);
}

/// Q4_K: f16 d, f16 dmin, 12 bytes of 6-bit scales and mins, 128 bytes of nibbles.
fn pack_q4_k(bytes: &[u8], row: usize, record: &mut [u8]) {
    pack_scales_and_mins(bytes, row, record);
    spread(&bytes[16..144], row, &mut record[K_NIBBLES..]);
}

/// Q5_K: as Q4_K with 32 bytes of fifth bits before the nibbles.
fn pack_q5_k(bytes: &[u8], row: usize, record: &mut [u8]) {
    pack_scales_and_mins(bytes, row, record);
    spread(&bytes[16..48], row, &mut record[K_HIGH..]);
    spread(&bytes[48..176], row, &mut record[K_NIBBLES..]);
}

/// Q6_K: 128 bytes of low nibbles, 64 of high bit pairs, 16 i8 scales, f16 d.
fn pack_q6_k(bytes: &[u8], row: usize, record: &mut [u8]) {
    put(record, row * 2, &bytes[208..210]);
    for (b, &scale) in bytes[192..208].iter().enumerate() {
        record[K_SCALES + b * 16 + row] = scale;
    }
    spread(&bytes[..128], row, &mut record[K_NIBBLES..]);
    spread(&bytes[128..192], row, &mut record[K_HIGH..]);
}

fn pack_scales_and_mins(bytes: &[u8], row: usize, record: &mut [u8]) {
    put(record, row * 2, &bytes[..2]);
    put(record, 32 + row * 2, &bytes[2..4]);
    for b in 0..8 {
        let (scale, min) = scale_and_min(&bytes[4..16], b);
        record[K_SCALES + b * 16 + row] = scale;
        record[K_MINS + b / 2 * 32 + row * 2 + b % 2] = min;
    }
}

/// The 6-bit scale and min of sub-block `b` of a Q4_K or Q5_K block: the first four of each lie in
/// the low six bits of bytes 0-3 and 4-7; of the others, the low nibbles of scale and min share a
/// byte (8-11) and their top two bits are the top bits of the first eight bytes.
pub(crate) fn scale_and_min(packed: &[u8], b: usize) -> (u8, u8) {
    if b < 4 {
        return (packed[b] & 63, packed[b + 4] & 63);
    }
    let (low, top_scale, top_min) = (packed[b + 4], packed[b - 4] >> 6, packed[b] >> 6);
    (low & 15 | top_scale << 4, low >> 4 | top_min << 4)
}

/// Writes each 4 bytes of `bytes` to this row's place in successive 64-byte groups.
fn spread(bytes: &[u8], row: usize, groups: &mut [u8]) {
    for (group, four) in groups.chunks_exact_mut(64).zip(bytes.chunks_exact(4)) {
        group[row * 4..row * 4 + 4].copy_from_slice(four);
    }
}

fn put(record: &mut [u8], at: usize, bytes: &[u8]) {
    record[at..at + bytes.len()].copy_from_slice(bytes);
}
