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
    scores::<L, E, R>(head, kv.k, tile.q, groups, p);
    let mut block_m = [f32::NEG_INFINITY; LANES];
    let mut block_l = [0.0; LANES];
    for r in 0..R {
        let p = &mut p[r * KV_BLOCK..(r + 1) * KV_BLOCK];
        (block_m[r], block_l[r]) = softmax_row::<L>(head, kv.scales, seen[r], groups, p);
    }

    let (m, block_m) = (L::load_part(&tile.m[..R], f32::NEG_INFINITY), L::from_array(block_m));
    let top = block_m.max(m);
    // A row that has seen nothing yet: any finite number serves, the factors are zero.
    let finite = top.select_lt(L::splat(f32::MIN), L::splat(0.0), top);
    let (keep, take) = (exp(m.sub(finite)), exp(block_m.sub(finite)));
    let l = L::load_part(&tile.l[..R], 0.0).mul(keep);
    L::from_array(block_l).madd(take, l).store_part(&mut tile.l[..R]);
    top.store_part(&mut tile.m[..R]);
    values::<L, E, R>(head, kv.v, (from, to), p, (keep, take), tile.o);
}

/// p[r][t] = q_r · k_t for the groups of 16 positions in `groups`.
#[inline(always)]
fn scores<L: Lanes, E: Element, const R: usize>(
    head: &Head,
    k: &[u8],
    q: &[f32],
    groups: (usize, usize),
    p: &mut Weights,
) {
    let steps = head.d_k / if E::PAIR { 2 } else { 1 };
    assert!(k.len() >= KV_BLOCK / LANES * steps * E::BYTES && q.len() >= head.d_k * R);
    let a = Scalars { at: q.as_ptr(), step: R, row: 1 };
    let keys = |group: usize| {
        let at = k[group * steps * E::BYTES..].as_ptr();
        Vectors { at, step: 1, column: steps }
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

/// Scores of one row to exp(score - max) (times the values' scales, if any); returns max and the sum.
#[inline(always)]
fn softmax_row<L: Lanes>(
    head: &Head,
    scales: Option<(&[f32], &[f32])>,
    (from, to): (usize, usize),
    groups: (usize, usize),
    p: &mut [f32],
) -> (f32, f32) {
    let hidden = L::splat(f32::NEG_INFINITY);
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
        let t = L::from_array(POSITIONS).add(L::splat((g * LANES) as f32));
        s = t.select_lt(to, s, hidden);
        s = t.select_lt(from, hidden, s);
        s.store(p);
        max = s.max(max);
    }
    let max = max.largest();
    if max == f32::NEG_INFINITY {
        p[groups.0 * LANES..groups.1 * LANES].fill(0.0);
        return (max, 0.0);
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
    (max, sum.sum())
}

/// Lane numbers.
const POSITIONS: [f32; LANES] =
    [0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12., 13., 14., 15.];

/// o[r] = keep[r] o[r] + take[r] * sum of p[r][t] v[t] over positions `from .. to`.
#[inline(always)]
fn values<L: Lanes, E: Element, const R: usize>(
    head: &Head,
    v: &[u8],
    (from, to): (usize, usize),
    p: &Weights,
    (keep, take): (L, L),
    o: &mut [f32],
) {
    let (d, per) = (head.d_v, if E::PAIR { 2 } else { 1 });
    let columns = d / LANES;
    assert!(v.len() >= KV_BLOCK / per * columns * E::BYTES && o.len() >= R * d && to <= KV_BLOCK);
    let (keep, take) = (keep.to_array(), take.to_array());
    let a = Scalars { at: p.as_ptr(), step: 1, row: KV_BLOCK };
    let vectors = |c: usize| {
        let at = v[c * E::BYTES..].as_ptr();
        Vectors { at, step: columns, column: 1 }
    };
    let mut c = 0;
    while L::WIDE && c + 4 <= columns {
        // SAFETY: columns c .. c + 4 of all positions lie in `v`, all rows in `p` (checked above).
        let sums = unsafe { product::<L, E, R, 4>(a, vectors(c), from..to) };
        for r in 0..R {
            let (keep, take) = (L::splat(keep[r]), L::splat(take[r]));
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
            let o = &mut o[r * d + c * LANES..];
            L::load(o).madd(L::splat(keep[r]), sums[r][0].mul(L::splat(take[r]))).store(o);
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
    let top = if block_m > *m { block_m } else { *m };
    let finite = if top < f32::MIN { 0.0 } else { top };
    let keep = exp(L::splat(*m - finite)).to_array()[0];
    let take = exp(L::splat(block_m - finite)).to_array()[0];
    let kept = L::splat(*l).mul(L::splat(keep));
    *l = L::splat(block_l).madd(L::splat(take), kept).to_array()[0];
    *m = top;
    for (o, block_o) in o.chunks_exact_mut(LANES).zip(block_o.chunks_exact(LANES)) {
        let take = L::load(block_o).mul(L::splat(take));
        L::load(o).madd(L::splat(keep), take).store(o);
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
