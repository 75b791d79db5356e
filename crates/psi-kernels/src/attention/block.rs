//! One block of 64 positions for one tile of rows: scores, softmax within the block, weighted values,
//! and the merge into what the rows have so far.
#![expect(unsafe_code, reason = "calls of the pointer-based inner product")]

use super::tile::{Element, ROWS, Scalars, Vectors, product};
use crate::{
    Isa,
    kv::KV_BLOCK,
    simd::{LANES, Lanes, exp, tanh},
};

/// What is the same for all blocks of a task.
#[derive(Clone, Copy)]
pub(super) struct Head {
    /// Length of the sum of a score: the head's width, rounded up to even where elements are pairs.
    pub(super) d_k: usize,
    /// Width of a stored value, a multiple of 16.
    pub(super) d_v: usize,
    pub(super) scale: f32,
    pub(super) softcap: Option<f32>,
}

/// Keys and values of one head of a block, in the layout of `kv::layout`.
#[derive(Clone, Copy)]
pub(super) struct KvBlock<'a> {
    pub(super) k: &'a [u8],
    pub(super) v: &'a [u8],
    /// Scales of keys and of values, by position (q8).
    pub(super) scales: Option<(&'a [f32], &'a [f32])>,
    /// The keys of the block that comes after this one, to fetch ahead.
    pub(super) next: *const u8,
}

impl KvBlock<'_> {
    /// Bytes from the keys to the values.
    #[inline(always)]
    fn after_keys(&self) -> isize {
        self.v.as_ptr().addr().wrapping_sub(self.k.as_ptr().addr()).cast_signed()
    }

    /// Bytes from the values to the next block's keys.
    #[inline(always)]
    fn after_values(&self) -> isize {
        self.next.addr().wrapping_sub(self.v.as_ptr().addr()).cast_signed()
    }
}

/// A tile of R rows and what they have accumulated.
pub(super) struct Tile<'a> {
    /// Queries, `[d_k][R]`.
    pub(super) q: &'a [f32],
    /// Positions of this block that each row sees: from, to (exclusive).
    pub(super) seen: [(usize, usize); ROWS],
    /// Largest score so far (R).
    pub(super) m: &'a mut [f32],
    /// Sum of exp(score - m) so far (R).
    pub(super) l: &'a mut [f32],
    /// Sum of exp(score - m) v so far (R, d_v).
    pub(super) o: &'a mut [f32],
}

/// Scores, then probabilities, of a tile and a block: `[ROWS][64]`.
pub(super) type Weights = [f32; ROWS * KV_BLOCK];

/// Adds one block to the R rows of `tile`.
///
/// The block is reduced on its own (largest score, sum, weighted values), then merged: with the
/// blocks in order, a row's bits do not depend on what else is in the tile. Positions a row does not
/// see have probability zero.
#[inline(always)]
pub(super) fn add_block<L: Lanes, E: Element, const R: usize>(
    head: &Head,
    kv: KvBlock<'_>,
    tile: &mut Tile<'_>,
    p: &mut Weights,
) {
    let seen = &tile.seen[..R];
    let from = seen.iter().map(|s| s.0).min().unwrap_or(0);
    let to = seen.iter().map(|s| s.1).max().unwrap_or(0);
    if from >= to {
        return;
    }
    let groups = (from / LANES, to.div_ceil(LANES));
    scores::<L, E, R>(head, kv, tile.q, groups, p);
    // Step by step for all rows: a row's own steps each wait for the one before.
    let (mut m, mut l) = ([0.0; R], [0.0; R]);
    let mut factors = [(L::splat(0.0), L::splat(0.0)); R];
    for r in 0..R {
        let p = &mut p[r * KV_BLOCK..(r + 1) * KV_BLOCK];
        m[r] = finish_scores::<L>(head, kv.scales, seen[r], groups, p);
    }
    for r in 0..R {
        l[r] = exponentials::<L>(kv.scales, m[r], groups, &mut p[r * KV_BLOCK..(r + 1) * KV_BLOCK]);
    }
    for r in 0..R {
        factors[r] = merge_sums::<L>(&mut tile.m[r], &mut tile.l[r], m[r], l[r]);
    }
    values::<L, E, R>(head, kv, (from, to), p, &factors, tile.o);
}

/// Merges a block's largest score and sum into a row's; returns what the row's weighted values and
/// the block's are to be multiplied by.
///
/// Both in all lanes, not rows side by side: gathering rows from scalars would wait for their stores.
#[inline(always)]
fn merge_sums<L: Lanes>(m: &mut f32, l: &mut f32, block_m: f32, block_l: f32) -> (L, L) {
    let (old, new) = (L::splat(*m), L::splat(block_m));
    let (one, zero) = (L::splat(1.0), L::splat(0.0));
    // One of the factors exp(old - top) and exp(new - top) is 1.
    let other = exp(zero.sub(old.sub(new).abs()));
    let keep = old.select_lt(new, other, one);
    let take = old.select_lt(new, one, other);
    // Nothing seen in this block (and perhaps before: then `other` is NaN).
    let take = new.select_lt(L::splat(f32::MIN), zero, take);
    *l = L::splat(block_l).madd(take, L::splat(*l).mul(keep)).first();
    *m = if block_m > *m { block_m } else { *m };
    (keep, take)
}

/// p[r][t] = q_r · k_t for the groups of 16 positions in `groups`.
#[inline(always)]
fn scores<L: Lanes, E: Element, const R: usize>(
    head: &Head,
    kv: KvBlock<'_>,
    q: &[f32],
    groups: (usize, usize),
    p: &mut Weights,
) {
    let k = kv.k;
    let steps = head.d_k / if E::PAIR { 2 } else { 1 };
    assert!(k.len() >= KV_BLOCK / LANES * steps * E::BYTES && q.len() >= head.d_k * R);
    let a = Scalars { at: q.as_ptr(), step: R, row: 1 };
    let keys = |group: usize| {
        let at = k[group * steps * E::BYTES..].as_ptr();
        Vectors { at, step: 1, column: steps, ahead: kv.after_keys() }
    };
    if L::WIDE && groups == (0, 4) {
        // SAFETY: all four groups lie in `k`, all rows in `q` (checked above).
        let s = unsafe { product::<L, E, R, 4>(a, keys(0), 0..head.d_k) };
        for r in 0..R {
            for g in 0..4 {
                s[r][g].store(&mut p[r * KV_BLOCK + g * LANES..]);
            }
        }
        return;
    }
    for g in groups.0..groups.1 {
        // SAFETY: as above.
        let s = unsafe { product::<L, E, R, 1>(a, keys(g), 0..head.d_k) };
        for r in 0..R {
            s[r][0].store(&mut p[r * KV_BLOCK + g * LANES..]);
        }
    }
}

/// Scales, caps and masks the scores of one row; returns the largest.
#[inline(always)]
fn finish_scores<L: Lanes>(
    head: &Head,
    scales: Option<(&[f32], &[f32])>,
    (from, to): (usize, usize),
    groups: (usize, usize),
    p: &mut [f32],
) -> f32 {
    let hidden = L::splat(f32::NEG_INFINITY);
    let all_seen = from <= groups.0 * LANES && to >= groups.1 * LANES;
    let (from, to) = (L::splat(from as f32), L::splat(to as f32));
    let mut max = hidden;
    for g in groups.0..groups.1 {
        let p = &mut p[g * LANES..(g + 1) * LANES];
        let mut s = L::load(p).mul(L::splat(head.scale));
        if let Some((k, _)) = scales {
            s = s.mul(L::load(&k[g * LANES..]));
        }
        if let Some(c) = head.softcap {
            s = tanh(s.div(L::splat(c))).mul(L::splat(c));
        }
        if !all_seen {
            let t = L::from_array(POSITIONS).add(L::splat((g * LANES) as f32));
            s = t.select_lt(to, s, hidden);
            s = t.select_lt(from, hidden, s);
        }
        s.store(p);
        max = s.max(max);
    }
    max.largest()
}

/// Scores of one row to exp(score - max) (times the values' scales, if any); returns their sum.
#[inline(always)]
fn exponentials<L: Lanes>(
    scales: Option<(&[f32], &[f32])>,
    max: f32,
    groups: (usize, usize),
    p: &mut [f32],
) -> f32 {
    if max == f32::NEG_INFINITY {
        p[groups.0 * LANES..groups.1 * LANES].fill(0.0);
        return 0.0;
    }
    let mut sum = L::splat(0.0);
    for g in groups.0..groups.1 {
        let p = &mut p[g * LANES..(g + 1) * LANES];
        let mut e = exp(L::load(p).sub(L::splat(max)));
        sum = sum.add(e);
        if let Some((_, v)) = scales {
            e = e.mul(L::load(&v[g * LANES..]));
        }
        e.store(p);
    }
    sum.sum()
}

/// Lane numbers.
const POSITIONS: [f32; LANES] =
    [0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12., 13., 14., 15.];

/// o[r] = keep[r] o[r] + take[r] * sum of p[r][t] v[t] over positions `from .. to`.
#[inline(always)]
fn values<L: Lanes, E: Element, const R: usize>(
    head: &Head,
    kv: KvBlock<'_>,
    (from, to): (usize, usize),
    p: &Weights,
    factors: &[(L, L); R],
    o: &mut [f32],
) {
    let v = kv.v;
    let (d, per) = (head.d_v, if E::PAIR { 2 } else { 1 });
    let columns = d / LANES;
    assert!(v.len() >= KV_BLOCK / per * columns * E::BYTES && o.len() >= R * d && to <= KV_BLOCK);
    let a = Scalars { at: p.as_ptr(), step: 1, row: KV_BLOCK };
    let vectors = |c: usize| {
        let at = v[c * E::BYTES..].as_ptr();
        Vectors { at, step: columns, column: 1, ahead: kv.after_values() }
    };
    let mut c = 0;
    while L::WIDE && c + 4 <= columns {
        // SAFETY: columns c .. c + 4 of all positions lie in `v`, all rows in `p` (checked above).
        let sums = unsafe { product::<L, E, R, 4>(a, vectors(c), from..to) };
        for r in 0..R {
            let (keep, take) = factors[r];
            for i in 0..4 {
                let o = &mut o[r * d + (c + i) * LANES..];
                L::load(o).madd(keep, sums[r][i].mul(take)).store(o);
            }
        }
        c += 4;
    }
    while c < columns {
        // SAFETY: as above.
        let sums = unsafe { product::<L, E, R, 1>(a, vectors(c), from..to) };
        for r in 0..R {
            let (keep, take) = factors[r];
            let o = &mut o[r * d + c * LANES..];
            L::load(o).madd(keep, sums[r][0].mul(take)).store(o);
        }
        c += 1;
    }
}

/// Merges (m, l, o) of a later block into those of the blocks before it, as [`add_block`] does.
#[inline(always)]
pub(super) fn merge<L: Lanes>(
    [m, l]: [&mut f32; 2],
    o: &mut [f32],
    [block_m, block_l]: [f32; 2],
    block_o: &[f32],
) {
    let (keep, take) = merge_sums::<L>(m, l, block_m, block_l);
    for (o, block_o) in o.chunks_exact_mut(LANES).zip(block_o.chunks_exact(LANES)) {
        L::load(o).madd(keep, L::load(block_o).mul(take)).store(o);
    }
}

/// Rows that a tile of `n` rows is filled up to: the sizes the kernels are compiled for. Rows that
/// fill up see nothing and are not written out.
pub(super) fn tile_rows(isa: Isa, n: usize) -> usize {
    match n {
        0 | 1 => n,
        2..=4 if isa != Isa::PORTABLE => n,
        _ => ROWS,
    }
}

/// Calls `add_block` for a tile of `n` (see [`tile_rows`]) rows.
#[inline(always)]
pub(super) fn add_block_of_rows<L: Lanes, E: Element>(
    n: usize,
    head: &Head,
    kv: KvBlock<'_>,
    tile: &mut Tile<'_>,
    p: &mut Weights,
) {
    match n {
        1 => add_block::<L, E, 1>(head, kv, tile, p),
        2 if L::FAST => add_block::<L, E, 2>(head, kv, tile, p),
        3 if L::FAST => add_block::<L, E, 3>(head, kv, tile, p),
        4 if L::FAST => add_block::<L, E, 4>(head, kv, tile, p),
        _ => add_block::<L, E, ROWS>(head, kv, tile, p),
    }
}

/// Widens the first `to` positions of a block to f32: keys `[t / 16][d_k][16]`, values `[t][d_v]`.
#[inline(always)]
pub(super) fn widen<L: Lanes, E: Element>(
    head: &Head,
    kv: KvBlock<'_>,
    to: usize,
    k: &mut [f32],
    v: &mut [f32],
) {
    widen_keys::<L, E>(kv.k, &mut k[..to.div_ceil(LANES) * head.d_k * LANES]);
    let columns = head.d_v / LANES;
    let per = if E::PAIR { 2 } else { 1 };
    assert!(kv.v.len() >= to.div_ceil(per) * columns * E::BYTES && to <= KV_BLOCK);
    for (i, v) in
        v[..to.next_multiple_of(per) * head.d_v].chunks_exact_mut(per * head.d_v).enumerate()
    {
        for c in 0..columns {
            let from = kv.v[(i * columns + c) * E::BYTES..][..E::BYTES].as_ptr();
            // SAFETY: one vector (sliced above).
            let (a, b) = unsafe { E::load::<L>(from) };
            a.store(&mut v[c * LANES..]);
            if E::PAIR {
                b.store(&mut v[head.d_v + c * LANES..]);
            }
        }
    }
}

#[inline(always)]
fn widen_keys<L: Lanes, E: Element>(from: &[u8], to: &mut [f32]) {
    let n = if E::PAIR { 2 * LANES } else { LANES };
    for (from, to) in from.chunks_exact(E::BYTES).zip(to.chunks_exact_mut(n)) {
        // SAFETY: one vector.
        let (a, b) = unsafe { E::load::<L>(from.as_ptr()) };
        a.store(to);
        if E::PAIR {
            b.store(&mut to[LANES..]);
        }
    }
}
