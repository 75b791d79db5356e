//! Many rows of x times panels in AMX tiles, with the same integers as the other kernels.
//!
//! A tile product sums 64 k values in 32 bits without regard to scales. For the K types the integer
//! scale of each sub-block is therefore multiplied into the weights first: s q needs 10 to 13 bits,
//! so it is split into an unsigned low and a signed high byte, two tile products give L and H, and
//! 256 H + L is exactly the sum of s dot(q, a) that the other kernels form, once per 256 values.
//! The other formats have an f16 scale per 32 values, which cannot be folded: their products use tiles of
//! 32 k values, flushed to f32 one by one.
//!
//! Tile unit facts: Intel's optimization manual, chapter 20 (16 cycles per tile product, at least
//! four accumulators in flight).
#![expect(unsafe_code, reason = "AMX through asm!, AVX-512 intrinsics")]

mod depth_32;
mod depth_64;

use std::arch::asm;

use super::{
    Task,
    formats::{Nibbles, Q4K, Q5K, Q6K, Q8_0},
};
use crate::quant::BlockType;

/// Rows of x per tile.
const TILE_ROWS: usize = 16;
/// Bytes of a tile of accumulators, of 16 x 64 weights or of 16 x 64 activations.
const TILE: usize = 1024;

/// A tile configuration (palette 1): bytes per row and rows of each of the eight tiles.
#[repr(C, align(64))]
struct Config([u8; 64]);

impl Config {
    /// Tiles 0-3 accumulate (16 x 16 i32), 4 and 5 hold activations, 6 and 7 weights, `k` values deep.
    const fn new(k: u8) -> Self {
        let mut c = [0; 64];
        c[0] = 1;
        let mut tile = 0;
        while tile < 8 {
            c[16 + 2 * tile] = if tile == 4 || tile == 5 { k } else { 64 };
            c[48 + tile] = if tile >= 6 { k / 4 } else { 16 };
            tile += 1;
        }
        Self(c)
    }
}

static DEPTH_64: Config = Config::new(64);
static DEPTH_32: Config = Config::new(32);

/// Loads a tile configuration; given back when dropped (an idle tile state costs at each switch of
/// threads).
struct Tiles;

impl Tiles {
    /// # Safety
    /// The CPU has AMX and the process may use it.
    unsafe fn configure(config: &'static Config) -> Self {
        // SAFETY: the caller's contract; `config` is 64 bytes of palette 1.
        unsafe { asm!("ldtilecfg [{}]", in(reg) config, options(nostack, readonly)) };
        Self
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: tiles were configured, so the instruction exists.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

/// Computes a task; for tasks of many rows.
///
/// # Safety
/// The CPU has the AMX tier; x is in groups of 16 rows.
pub(super) unsafe fn task(task: &Task<'_>) {
    // SAFETY: the caller's contract.
    unsafe {
        match task.out.w.block_type() {
            BlockType::Q4_K => depth_64::task::<Q4K>(task),
            BlockType::Q5_K => depth_64::task::<Q5K>(task),
            BlockType::Q6_K => depth_64::task::<Q6K>(task),
            BlockType::Q8_0 => depth_32::task::<Q8_0>(task),
            BlockType::Q4_0 => depth_32::task::<Nibbles<false, false>>(task),
            BlockType::Q5_0 => depth_32::task::<Nibbles<true, false>>(task),
            BlockType::Q4_1 => depth_32::task::<Nibbles<false, true>>(task),
            BlockType::Q5_1 => depth_32::task::<Nibbles<true, true>>(task),
            other => unreachable!("{other:?} has no panels"),
        }
    }
}
