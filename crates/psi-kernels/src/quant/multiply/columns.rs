//! One panel times 1 to 8 rows of x straight from the packed bytes: decoding, and every product of
//! the tiers that have no kernel of their own for many rows.
//!
//! The weights of a step are unpacked once and used for all columns (rows of x). Everything inside
//! a block is exact integer arithmetic; the f32 sums run over blocks in order of k.
#![expect(unsafe_code, reason = "pointers into records; instruction sets proved by the caller")]

use super::{
    formats::{Format32, Format256},
    lanes::{Lanes, repeat8},
};
use crate::quant::{
    activations::{Activations, CHUNK, PART},
    panels::{B32_SCALES, K_MINS, K_SCALES},
};

/// How far ahead of the bytes in use cache lines are asked for.
const AHEAD: usize = 4096;

/// Where up to 8 rows of quantised x lie.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    values: *const u8,
    scales: *const f32,
    bias: *const i32,
    sums: *const i32,
    /// Rows from one chunk of 64 values to the next.
    group: usize,
    /// Bytes from one part of 256 values to the next.
    part_bytes: usize,
    /// Rows from one block to the next.
    rows: usize,
    n_blocks: usize,
}

impl Columns {
    /// Rows `first..first + c` of x; `c` may count rows that only pad the group.
    ///
    /// # Panics
    /// When they are not in one group.
    pub(super) fn new(x: &Activations, first: usize, c: usize) -> Self {
        let group = x.group;
        assert!(first % group + c <= group, "rows {first}.. ({c}) of groups of {group}");
        Self {
            values: x.values(first, 0).as_ptr(),
            scales: x.scales(first, 0).as_ptr(),
            bias: x.bias(first, 0).as_ptr(),
            sums: x.sums(first, 0).as_ptr(),
            group,
            part_bytes: x.part_bytes(),
            rows: x.rows(),
            n_blocks: x.n_blocks,
        }
    }

    /// Values k.. of column `c`.
    #[inline(always)]
    unsafe fn quad(&self, c: usize, k: usize) -> *const i32 {
        let chunk = (k % PART / CHUNK * self.group + c) * CHUNK;
        // SAFETY: inside the group (the caller's k lies in the row).
        unsafe { self.values.add(k / PART * self.part_bytes + chunk + k % CHUNK).cast() }
    }

    #[inline(always)]
    unsafe fn scale(&self, c: usize, block: usize) -> f32 {
        // SAFETY: inside the group.
        unsafe { *self.scales.add(block * self.rows + c) }
    }

    /// The one bias of a block of 32.
    #[inline(always)]
    unsafe fn bias_32(&self, c: usize, block: usize) -> i32 {
        // SAFETY: inside the group.
        unsafe { *self.bias.add(block * self.rows + c) }
    }

    /// The bias of 16 values of a block of 256.
    #[inline(always)]
    unsafe fn bias_16(&self, c: usize, block: usize, b: usize) -> i32 {
        // SAFETY: inside the group.
        unsafe { *self.bias.add((block * self.rows + c) * 16 + b) }
    }

    /// Sums of sub-blocks 2p and 2p + 1, as one dword.
    #[inline(always)]
    unsafe fn sum_pair(&self, c: usize, block: usize, p: usize) -> i32 {
        // SAFETY: inside the group.
        unsafe { *self.sums.add((block * self.rows + c) * 4 + p) }
    }
}

/// P panels of a 32-value format, `stride` bytes apart, times C rows of x. Several panels at once are
/// several streams through memory, which one core reads faster than one.
///
/// # Safety
/// Each panel holds `x.n_blocks / 2` records of F; `x` has C rows; the tier of L is proved.
#[inline(always)]
pub(super) unsafe fn panels_32<L: Lanes, F: Format32, const P: usize, const C: usize>(
    (first, stride): (*const u8, usize),
    x: Columns,
    out: &mut [[[f32; 16]; C]; P],
) {
    // SAFETY: the caller's contract; block and column indices stay inside panels and rows.
    unsafe {
        let mut acc = [[L::f_zero(); C]; P];
        for block in 0..x.n_blocks {
            for p in 0..P {
                let (panel, acc) = (first.add(p * stride), &mut acc[p]);
                let (record, h) = (panel.add(block / 2 * F::RECORD), block % 2);
                for line in 0..F::RECORD.div_ceil(128) {
                    L::prefetch(record.wrapping_add(AHEAD + h * F::RECORD / 2 + line * 64));
                }
                let mut dots = [L::dots(0); C];
                for c in 0..C {
                    if F::SIGNED {
                        dots[c] = L::signed_dots(x.bias_32(c, block));
                    } else if !F::MIN {
                        dots[c] = L::dots(x.bias_32(c, block));
                    }
                }
                step_32::<L, F, C, 0>(record, block, x, &mut dots);
                step_32::<L, F, C, 1>(record, block, x, &mut dots);
                step_32::<L, F, C, 2>(record, block, x, &mut dots);
                step_32::<L, F, C, 3>(record, block, x, &mut dots);
                let d = L::f16s(record.add(h * 32));
                for c in 0..C {
                    acc[c] =
                        L::add_scaled(L::ints(dots[c]), L::scale(d, x.scale(c, block)), acc[c]);
                }
                if F::MIN {
                    let m = L::f16s(record.add(B32_SCALES + h * 32));
                    for c in 0..C {
                        let sum = L::ints(L::dots(x.bias_32(c, block)));
                        acc[c] = L::add_scaled(sum, L::scale(m, x.scale(c, block)), acc[c]);
                    }
                }
            }
        }
        for (acc, out) in acc.iter().flatten().zip(out.as_flattened_mut()) {
            L::store(*acc, out.as_mut_ptr());
        }
    }
}

/// Adds the products of quads J and J + 4 of a block.
///
/// # Safety
/// As [`panels_32`].
#[inline(always)]
unsafe fn step_32<L: Lanes, F: Format32, const C: usize, const J: usize>(
    record: *const u8,
    block: usize,
    x: Columns,
    dots: &mut [L::Dots; C],
) {
    // SAFETY: the caller's contract.
    unsafe {
        let (w0, w1) = F::step::<L, J>(record, block % 2);
        for c in 0..C {
            let a = x.quad(c, block * 32 + J * 4);
            let (a0, a1) = (a.read_unaligned(), a.add(4).read_unaligned());
            if F::SIGNED {
                dots[c] = L::dot_signed(L::dot_signed(dots[c], w0, a0), w1, a1);
            } else {
                dots[c] = L::dot(dots[c], w0, a0, F::EVERY, 2 * J);
                dots[c] = L::dot(dots[c], w1, a1, F::EVERY, 2 * J + 1);
            }
        }
    }
}

/// One panel of a K format times C rows of x.
///
/// # Safety
/// `panel` holds `x.n_blocks` records of F; `x` has C rows; the tier of L is proved.
#[inline(always)]
pub(super) unsafe fn panel_256<L: Lanes, F: Format256, const C: usize>(
    panel: *const u8,
    x: Columns,
    out: &mut [[f32; 16]; C],
) {
    // SAFETY: the caller's contract; block and column indices stay inside panel and rows.
    unsafe {
        let mut acc = [L::f_zero(); C];
        for block in 0..x.n_blocks {
            let record = panel.add(block * F::RECORD);
            let mut total = [L::zero(); C];
            for h in 0..2 {
                pair::<L, F, C, 0>(record, block, h, x, &mut total);
                pair::<L, F, C, 1>(record, block, h, x, &mut total);
            }
            let d = L::f16s(record);
            for c in 0..C {
                acc[c] = L::add_scaled(total[c], L::scale(d, x.scale(c, block)), acc[c]);
            }
            if F::SIGNED_16 {
                continue;
            }
            let mut mins = [L::zero(); C];
            for p in 0..4 {
                let pairs = L::pairs(record.add(K_MINS + p * 32));
                for c in 0..C {
                    mins[c] = L::pair_dot(mins[c], pairs, x.sum_pair(c, block, p));
                }
            }
            let dmin = L::f16s(record.add(32));
            for c in 0..C {
                acc[c] = L::sub_scaled(mins[c], L::scale(dmin, x.scale(c, block)), acc[c]);
            }
        }
        for c in 0..C {
            L::store(acc[c], out[c].as_mut_ptr());
        }
    }
}

/// Adds s dot(q, a) of sub-blocks 2p and 2p + 1 (64 values, p = 2h + ODD) to `total`.
///
/// # Safety
/// As [`panel_256`].
#[inline(always)]
unsafe fn pair<L: Lanes, F: Format256, const C: usize, const ODD: usize>(
    record: *const u8,
    block: usize,
    h: usize,
    x: Columns,
    total: &mut [L::Ints; C],
) {
    // SAFETY: the caller's contract.
    unsafe {
        let p = 2 * h + ODD;
        let lines = F::RECORD.div_ceil(64 * 4);
        for line in p * lines..((p + 1) * lines).min(F::RECORD / 64) {
            L::prefetch(record.wrapping_add(AHEAD + line * 64));
        }
        let (mut dots0, mut dots1) = ([L::dots(0); C], [L::dots(0); C]);
        if F::SIGNED_16 {
            for c in 0..C {
                dots0[c] = L::dots(x.bias_16(c, block, 4 * p));
                dots1[c] = L::dots(x.bias_16(c, block, 4 * p + 2));
            }
        }
        repeat8!(J => {
            if F::SIGNED_16 && J == 4 {
                let (s0, s1) = (scale::<L, F>(record, 4 * p), scale::<L, F>(record, 4 * p + 2));
                for c in 0..C {
                    total[c] = L::mul_add(L::ints(dots0[c]), s0, total[c]);
                    total[c] = L::mul_add(L::ints(dots1[c]), s1, total[c]);
                    dots0[c] = L::dots(x.bias_16(c, block, 4 * p + 1));
                    dots1[c] = L::dots(x.bias_16(c, block, 4 * p + 3));
                }
            }
            let (w0, w1) = F::step::<L, ODD>(record, h, J);
            for c in 0..C {
                let a = x.quad(c, block * 256 + p * 64 + J * 4);
                dots0[c] = L::dot(dots0[c], w0, a.read_unaligned(), F::EVERY, J);
                dots1[c] = L::dot(dots1[c], w1, a.add(8).read_unaligned(), F::EVERY, J);
            }
        });
        let (b0, b1) = if F::SIGNED_16 { (4 * p + 1, 4 * p + 3) } else { (2 * p, 2 * p + 1) };
        let (s0, s1) = (scale::<L, F>(record, b0), scale::<L, F>(record, b1));
        for c in 0..C {
            total[c] = L::mul_add(L::ints(dots0[c]), s0, total[c]);
            total[c] = L::mul_add(L::ints(dots1[c]), s1, total[c]);
        }
    }
}

/// The scales of sub-block `b`.
///
/// # Safety
/// As [`panel_256`].
#[inline(always)]
unsafe fn scale<L: Lanes, F: Format256>(record: *const u8, b: usize) -> L::Ints {
    // SAFETY: inside the record's scales.
    unsafe {
        let p = record.add(K_SCALES + b * 16);
        if F::SIGNED_16 { L::signed(p) } else { L::unsigned(p) }
    }
}
