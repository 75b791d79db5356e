//! The gradient's products in bf16 with `vdpbf16ps`: scores are computed with keys as rows and queries as lanes.
//!
//! With S transposed, probabilities and score gradients leave the registers in the very order in which the next
//! products read them: as rows for d_v = Pᵀ d_out and d_k = d_Sᵀ q, as panels of pairs for d_qᵀ = kᵀ d_Sᵀ.
//! Sums are kept in f32, in an order that depends on the shapes alone.
#![expect(unsafe_code, reason = "vector loads and stores, packing through pointers")]

use std::arch::x86_64::*;

use super::{Call, Task, index_of, seen, write_keys};
use crate::{
    Isa,
    attention::forward::{carve, with_scratch},
    gemm::{
        interleaved,
        pack::{Dest, Elements, Rounding, Source, Words, pack_groups, round_row},
    },
    kv::KV_BLOCK,
    simd::{Avx512, LANES, Lanes, exp, tanh},
};

/// Query rows (times heads of a group) of a chunk.
const CHUNK: usize = 64;
/// Groups of lanes of a chunk.
const GROUPS: usize = CHUNK / LANES;
/// Rows and vectors of a tile: 16 sums hide the latency of the products and leave room for operands.
const ROWS: usize = 4;
/// Bytes of a row of [`KV_BLOCK`] or [`CHUNK`] bf16 numbers.
const ROW: usize = 2 * CHUNK;
const _: () = assert!(CHUNK == KV_BLOCK, "one row length for both");

/// Widths of a head: as it is, in whole vectors of f32, in whole pieces of 32 bf16.
#[derive(Clone, Copy)]
struct Width {
    d: usize,
    f32s: usize,
    pairs: usize,
}

impl Width {
    /// Bytes of a row of keys.
    fn row(self) -> usize {
        2 * self.pairs
    }

    /// Bytes of a chunk or block in panels over its rows, `[64 / 16][pairs / 2][16][2]`.
    fn along(self) -> usize {
        CHUNK * self.row()
    }

    /// Bytes of a chunk in panels over its columns, `[f32s / 16][64 / 2][16][2]`; and of a block's transposed rows.
    fn across(self) -> usize {
        self.f32s * ROW
    }
}

/// Keys and values of a task, from the start of a block on, and their gradients `[t][f32s]`.
struct Keys<'a> {
    from: usize,
    /// Rows of keys and values.
    k: &'a mut [u8],
    v: &'a mut [u8],
    /// Keys across: per block, a row of 64 positions for each column.
    k_across: &'a mut [u8],
    d_k: &'a mut [f32],
    d_v: &'a mut [f32],
}

/// A chunk of query rows (row, then head of the group), zeros beyond the last.
struct Chunk<'a> {
    from: usize,
    n: usize,
    /// Queries, then output gradients, as f32 rows: what is packed.
    rows: &'a mut [f32],
    /// Panels over rows and over columns, of queries and of output gradients.
    q_along: &'a mut [u8],
    g_along: &'a mut [u8],
    q_across: &'a mut [u8],
    g_across: &'a mut [u8],
    lse: &'a mut [f32],
    /// rowsum(d_out out).
    dot: &'a mut [f32],
    /// Positions of the block at hand that a row sees: from, to.
    seen: [&'a mut [f32]; 2],
    /// Scores and d_out vᵀ, `[t][r]`.
    s: &'a mut [f32],
    d_p: &'a mut [f32],
    /// Probabilities and score gradients as rows `[t][r]`, the latter as panels `[r / 16][t / 2][16][2]` too.
    p: &'a mut [u8],
    d_s: &'a mut [u8],
    d_s_panels: &'a mut [u8],
    /// d_qᵀ `[f32s][r]`.
    d_q: &'a mut [f32],
}

/// Runs one task.
pub(super) fn run(isa: Isa, call: &Call<'_>, task: &Task) {
    let d = call.d;
    let w = Width { d, f32s: d.next_multiple_of(LANES), pairs: d.next_multiple_of(32) };
    let first = call.params.window.map_or(0, |w| (task.rows.start + 1).saturating_sub(w));
    let from = first / KV_BLOCK * KV_BLOCK;
    let n = (task.rows.end - from).next_multiple_of(KV_BLOCK);
    let of_keys = n / KV_BLOCK * (2 * w.along() + w.across()) / 4 + 2 * n * w.f32s;
    let panels = (2 * w.along() + 2 * w.across() + 3 * CHUNK * ROW) / 4;
    let of_chunk = panels + CHUNK * (2 * KV_BLOCK + 3 * w.f32s + 4);
    with_scratch(of_keys + of_chunk + 20 * LANES, |mut memory| {
        let mut next = |bytes: usize| carve(&mut memory, bytes / 4);
        let mut keys = Keys {
            from,
            k: bytes_of(next(n * w.row())),
            v: bytes_of(next(n * w.row())),
            k_across: bytes_of(next(n / KV_BLOCK * w.across())),
            d_k: next(4 * n * w.f32s),
            d_v: next(4 * n * w.f32s),
        };
        let mut chunk = Chunk {
            from: 0,
            n: 0,
            rows: next(8 * CHUNK * w.f32s),
            q_along: bytes_of(next(w.along())),
            g_along: bytes_of(next(w.along())),
            q_across: bytes_of(next(w.across())),
            g_across: bytes_of(next(w.across())),
            lse: next(4 * CHUNK),
            dot: next(4 * CHUNK),
            seen: [next(4 * CHUNK), next(4 * CHUNK)],
            s: next(4 * CHUNK * KV_BLOCK),
            d_p: next(4 * CHUNK * KV_BLOCK),
            p: bytes_of(next(KV_BLOCK * ROW)),
            d_s: bytes_of(next(KV_BLOCK * ROW)),
            d_s_panels: bytes_of(next(KV_BLOCK * ROW)),
            d_q: next(4 * CHUNK * w.f32s),
        };
        keys.d_k.fill(0.0);
        keys.d_v.fill(0.0);
        pack_keys(isa, call, task, w, &mut keys);
        let n_rows = task.rows.len() * call.group();
        for from in (0..n_rows).step_by(CHUNK) {
            chunk.from = from;
            chunk.n = CHUNK.min(n_rows - from);
            pack_chunk(isa, call, task, w, &mut chunk);
            chunk_against_keys(call, task, w, &mut keys, &mut chunk);
            write_queries(isa, call, task, w, &mut chunk);
        }
        write_keys(call, task, keys.from, keys.d_k, keys.d_v);
    });
}

fn bytes_of(floats: &mut [f32]) -> &mut [u8] {
    // SAFETY: an f32 is four bytes; every bit pattern is one.
    unsafe { std::slice::from_raw_parts_mut(floats.as_mut_ptr().cast(), 4 * floats.len()) }
}

fn pack_keys(isa: Isa, call: &Call<'_>, task: &Task, w: Width, keys: &mut Keys<'_>) {
    let ld = call.n_kv_heads * w.d;
    let n = task.rows.end - keys.from;
    let at = |t: usize| ((task.row0 + keys.from + t) * call.n_kv_heads + task.kv_head) * w.d;
    for (x, rows) in [(call.forward.k, &mut keys.k), (call.forward.v, &mut keys.v)] {
        let (rows, padding) = rows.split_at_mut(n * w.row());
        for (t, row) in rows.chunks_exact_mut(w.row()).enumerate() {
            // SAFETY: a row has room for whole pieces of 32.
            unsafe { round_row(isa, &x[at(t)..at(t) + w.d], row.as_mut_ptr(), 64) }
        }
        padding.fill(0);
    }
    for (b, to) in keys.k_across.chunks_exact_mut(w.across()).enumerate() {
        let t = b * KV_BLOCK;
        let k = KV_BLOCK.min(n - t);
        let elements = Elements::F32(&call.forward.k[at(t)..]);
        let source = Source { elements, n: w.d, k, ld, k_inner: false };
        if k <= KV_BLOCK / 2 {
            to.fill(0);
        }
        let at = to.as_mut_ptr();
        let dest = Dest { at, line: ROW, slab: 64, group: LANES * ROW, by_vector: true };
        // SAFETY: a row of 64 positions for each column, rounded up to whole vectors.
        unsafe { pack_groups(isa, &source, ACROSS, &dest, 0..w.f32s / LANES, false) }
    }
}

const ACROSS: Words = Words::Across(Rounding::Operand);

fn pack_chunk(isa: Isa, call: &Call<'_>, task: &Task, w: Width, chunk: &mut Chunk<'_>) {
    let half = CHUNK * w.f32s;
    let (q_rows, g_rows) = chunk.rows.split_at_mut(half);
    for (r, (q_row, g_row)) in
        q_rows.chunks_exact_mut(w.f32s).zip(g_rows.chunks_exact_mut(w.f32s)).enumerate()
    {
        if r >= chunk.n {
            // A row that attends to everything with a gradient of zero adds nothing.
            q_row.fill(0.0);
            g_row.fill(0.0);
            (chunk.lse[r], chunk.dot[r]) = (0.0, 0.0);
            continue;
        }
        let index = index_of(call, task, chunk.from + r);
        let row = index * w.d..(index + 1) * w.d;
        let (g, o) = (&call.d_out[row.clone()], &call.forward.out[row.clone()]);
        q_row[..w.d].copy_from_slice(&call.forward.q[row]);
        g_row[..w.d].copy_from_slice(g);
        chunk.lse[r] = call.forward.lse[index];
        // SAFETY: this module's tier.
        chunk.dot[r] = unsafe { dot(g, o) };
    }
    let along = Dest {
        at: chunk.q_along.as_mut_ptr(),
        line: 64,
        slab: 1024,
        group: w.along() / GROUPS,
        by_vector: false,
    };
    let across = Dest { at: chunk.q_across.as_mut_ptr(), group: LANES * ROW, ..along };
    let g_along = Dest { at: chunk.g_along.as_mut_ptr(), ..along };
    let g_across = Dest { at: chunk.g_across.as_mut_ptr(), ..across };
    let of_rows =
        |x| Source { elements: Elements::F32(x), n: CHUNK, k: w.d, ld: w.f32s, k_inner: true };
    let of_columns = |x| Source { n: w.d, k: CHUNK, k_inner: false, ..of_rows(x) };
    for (x, along, across) in [(&*q_rows, along, across), (&*g_rows, g_along, g_across)] {
        // SAFETY: the panels have room for 64 rows, and for all columns rounded up to whole vectors.
        unsafe {
            pack_groups(
                isa,
                &of_rows(x),
                Words::Along(Rounding::Operand),
                &along,
                0..GROUPS,
                false,
            );
            pack_groups(isa, &of_columns(x), ACROSS, &across, 0..w.f32s / LANES, false);
        }
    }
    chunk.d_q.fill(0.0);
}

/// a · b.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sum = Avx512::splat(0.0);
    for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
        sum = Avx512::load_part(a, 0.0).madd(Avx512::load_part(b, 0.0), sum);
    }
    sum.sum()
}

/// Writes the chunk's query gradients, row by row.
fn write_queries(isa: Isa, call: &Call<'_>, task: &Task, w: Width, chunk: &mut Chunk<'_>) {
    let elements = Elements::F32(chunk.d_q);
    let source = Source { elements, n: CHUNK, k: w.f32s, ld: CHUNK, k_inner: false };
    let line = 4 * w.f32s;
    let at = chunk.rows.as_mut_ptr().cast();
    let dest = Dest { at, line, slab: 64, group: LANES * line, by_vector: true };
    // SAFETY: 64 rows of whole vectors.
    unsafe { pack_groups(isa, &source, Words::Copy, &dest, 0..GROUPS, true) }
    for (r, row) in chunk.rows.chunks_exact(w.f32s).take(chunk.n).enumerate() {
        let at = index_of(call, task, chunk.from + r) * w.d;
        // SAFETY: a row and head belongs to one task.
        unsafe { call.d_q.take(at..at + w.d) }.copy_from_slice(&row[..w.d]);
    }
}

/// A chunk against all blocks of keys it sees.
fn chunk_against_keys(
    call: &Call<'_>,
    task: &Task,
    w: Width,
    keys: &mut Keys<'_>,
    chunk: &mut Chunk<'_>,
) {
    let from = chunk.from;
    let of = |r: usize| seen(call, task, from + r);
    let (first, end) = (of(0).0, of(chunk.n - 1).1);
    for block in (first / KV_BLOCK * KV_BLOCK..end).step_by(KV_BLOCK) {
        let at = block - keys.from;
        let all_seen = of(chunk.n - 1).0 <= block && of(0).1 >= block + KV_BLOCK;
        for r in 0..CHUNK {
            let (from, to) = if r < chunk.n { of(r) } else { (0, 0) };
            let within = |p: usize| p.saturating_sub(block).min(KV_BLOCK) as f32;
            (chunk.seen[0][r], chunk.seen[1][r]) = (within(from), within(to));
        }
        let rows = |x: &[u8]| x[at * w.row()..(at + KV_BLOCK) * w.row()].as_ptr();
        let columns = keys.k_across[at / KV_BLOCK * w.across()..][..w.across()].as_ptr();
        let grads = at * w.f32s..(at + KV_BLOCK) * w.f32s;
        let (k, v) = (rows(keys.k), rows(keys.v));
        let (d_k, d_v) = (&mut keys.d_k[grads.clone()], &mut keys.d_v[grads]);
        let along = |panels: &[u8]| Panels { at: panels.as_ptr(), stride: w.along() / GROUPS };
        let across = |panels: &[u8]| Panels { at: panels.as_ptr(), stride: LANES * ROW };
        // SAFETY: this module's tier; the operands are packed for these sizes (see `Keys`, `Chunk`).
        unsafe {
            product((k, w.row()), along(chunk.q_along), w.pairs, chunk.s, CHUNK, false);
            product((v, w.row()), along(chunk.g_along), w.pairs, chunk.d_p, CHUNK, false);
            score_gradients(call, all_seen, chunk);
            product((chunk.p.as_ptr(), ROW), across(chunk.g_across), CHUNK, d_v, w.f32s, true);
            product((chunk.d_s.as_ptr(), ROW), across(chunk.q_across), CHUNK, d_k, w.f32s, true);
            let d_s = across(chunk.d_s_panels);
            product((columns, ROW), d_s, KV_BLOCK, chunk.d_q, CHUNK, true);
        }
    }
}

/// From scores and d_out · v to probabilities and gradients of q · k, rounded, in the order of the next products.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma")]
fn score_gradients(call: &Call<'_>, all_seen: bool, chunk: &mut Chunk<'_>) {
    let params = call.params;
    let scale = Avx512::splat(params.scale);
    for t in (0..KV_BLOCK).step_by(2) {
        let mut p = [[Avx512::splat(0.0); GROUPS]; 2];
        let mut d_s = p;
        for (i, (p, d_s)) in p.iter_mut().zip(&mut d_s).enumerate() {
            let position = Avx512::splat((t + i) as f32);
            for g in 0..GROUPS {
                let lanes = |x: &[f32]| Avx512::load(&x[g * LANES..]);
                let at = (t + i) * CHUNK + g * LANES;
                let mut s = Avx512::load(&chunk.s[at..]).mul(scale);
                let mut slope = scale;
                if let Some(c) = params.softcap {
                    let t = tanh(s.div(Avx512::splat(c)));
                    s = t.mul(Avx512::splat(c));
                    slope = slope.mul(Avx512::splat(1.0).sub(t.mul(t)));
                }
                if !all_seen {
                    let hidden = Avx512::splat(f32::NEG_INFINITY);
                    s = position.select_lt(lanes(chunk.seen[1]), s, hidden);
                    s = position.select_lt(lanes(chunk.seen[0]), hidden, s);
                }
                p[g] = exp(s.sub(lanes(chunk.lse)));
                let d_p = Avx512::load(&chunk.d_p[at..]).sub(lanes(chunk.dot));
                d_s[g] = p[g].mul(d_p).mul(slope);
            }
        }
        for i in 0..2 {
            for half in 0..2 {
                let at = (t + i) * ROW + half * 64;
                let pair = |x: &[Avx512; GROUPS]| halves(x[2 * half], x[2 * half + 1]);
                store(&mut chunk.p[at..], pair(&p[i]));
                store(&mut chunk.d_s[at..], pair(&d_s[i]));
            }
        }
        for g in 0..GROUPS {
            let both = halves(d_s[0][g], d_s[1][g]);
            let at = g * LANES * ROW + t / 2 * 64;
            store(&mut chunk.d_s_panels[at..], _mm512_permutexvar_epi16(interleaved(), both));
        }
    }
}

/// 32 bf16: `low`, then `high`.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
fn halves(low: Avx512, high: Avx512) -> __m512i {
    let both = _mm512_cvtne2ps_pbh(high.register(), low.register());
    // SAFETY: 512 bits either way.
    unsafe { std::mem::transmute::<__m512bh, __m512i>(both) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn store(to: &mut [u8], x: __m512i) {
    assert!(to.len() >= 64);
    // SAFETY: 64 bytes (checked).
    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), x) }
}

/// The right operand of a product, `[columns / 16][k / 2][16][2]`, `stride` bytes between panels.
#[derive(Clone, Copy)]
struct Panels {
    at: *const u8,
    stride: usize,
}

/// C (rows, n) = A B or C += A B over k, for 64 or more whole vectors of rows: A in rows of bf16, `a.1` bytes apart.
///
/// # Safety
/// AVX-512 with BF16; A has a row for every row of C and B a panel for every vector of its columns, k long.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn product(
    a: (*const u8, usize),
    b: Panels,
    k: usize,
    c: &mut [f32],
    n: usize,
    accumulate: bool,
) {
    assert!(c.len().is_multiple_of(ROWS * n) && n.is_multiple_of(LANES) && k.is_multiple_of(2));
    for (i, c) in c.chunks_exact_mut(ROWS * n).enumerate() {
        let a = (a.0.wrapping_add(i * ROWS * a.1), a.1);
        let mut column = 0;
        while column < n {
            let b = Panels { at: b.at.wrapping_add(column / LANES * b.stride), ..b };
            let c = c[column..].as_mut_ptr();
            // SAFETY: ROWS rows and the vectors from `column` on are inside all operands.
            unsafe {
                match (n - column) / LANES {
                    1 => tile::<1>(a, b, k, c, n, accumulate),
                    2 => tile::<2>(a, b, k, c, n, accumulate),
                    3 => tile::<3>(a, b, k, c, n, accumulate),
                    _ => tile::<4>(a, b, k, c, n, accumulate),
                }
            }
            column += 4 * LANES;
        }
    }
}

/// [`ROWS`] rows and V vectors of a product.
///
/// # Safety
/// As for [`product`], for these rows and vectors.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
unsafe fn tile<const V: usize>(
    (a, stride): (*const u8, usize),
    b: Panels,
    k: usize,
    c: *mut f32,
    n: usize,
    accumulate: bool,
) {
    let mut acc = [[_mm512_setzero_ps(); V]; ROWS];
    // SAFETY: the caller's contract, for every pointer.
    unsafe {
        if accumulate {
            for r in 0..ROWS {
                for v in 0..V {
                    acc[r][v] = _mm512_loadu_ps(c.add(r * n + v * LANES));
                }
            }
        }
        for i in 0..k / 2 {
            let mut w = [_mm512_setzero_si512(); V];
            for v in 0..V {
                w[v] = _mm512_loadu_si512(b.at.add(v * b.stride + i * 64).cast());
            }
            for r in 0..ROWS {
                let x = _mm512_set1_epi32(a.add(r * stride + i * 4).cast::<i32>().read());
                let x = std::mem::transmute::<__m512i, __m512bh>(x);
                for v in 0..V {
                    let w = std::mem::transmute::<__m512i, __m512bh>(w[v]);
                    acc[r][v] = _mm512_dpbf16_ps(acc[r][v], x, w);
                }
            }
        }
        for r in 0..ROWS {
            for v in 0..V {
                _mm512_storeu_ps(c.add(r * n + v * LANES), acc[r][v]);
            }
        }
    }
}
