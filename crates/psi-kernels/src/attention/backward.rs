//! The gradient of attention over the rows of a batch, probabilities recomputed block by block.
//!
//! Dao et al. 2022, algorithm 4, with the loops exchanged: a chunk of query rows stays in the cache
//! and meets the blocks of keys in order, so that its query gradient is finished when it leaves.
#![expect(unsafe_code, reason = "disjoint outputs and the pointer-based inner product")]

#[cfg(target_arch = "x86_64")]
mod pairs;

use std::ops::Range;

use super::{
    AttentionParams,
    forward::{carve, with_scratch},
    tile::{F32, ROWS, Scalars, Vectors, product},
};
use crate::{
    Cpu,
    kv::{KV_BLOCK, Segment},
    simd::{LANES, Lanes, Parts, exp, tanh, tiers},
};

/// Query rows (times heads of a group) of a chunk: a multiple of [`ROWS`].
const CHUNK: usize = 8 * ROWS;
/// Rows of a tile over key positions.
const KEY_ROWS: usize = 4;
/// Parts that a batch is cut into at least, if it is long enough: fixed, so that the order of sums
/// does not depend on the number of threads.
const MIN_PARTS: usize = 16;
/// Query rows that a part has at least.
const PART_ROWS: usize = 128;

/// The forward pass's operands and results.
#[derive(Clone, Copy)]
struct Forward<'a> {
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    out: &'a [f32],
    lse: &'a [f32],
}

/// What all tasks share.
struct Call<'a> {
    params: AttentionParams,
    n_kv_heads: usize,
    d: usize,
    forward: Forward<'a>,
    d_out: &'a [f32],
    d_q: Parts<'a, f32>,
    d_k: Parts<'a, f32>,
    d_v: Parts<'a, f32>,
    /// Key and value gradients of parts of a divided sequence (see [`Task::sums`]).
    sums: Parts<'a, f32>,
}

impl Call<'_> {
    /// Query heads per key/value head.
    fn group(&self) -> usize {
        self.params.n_heads / self.n_kv_heads
    }
}

/// Some query rows of one sequence and key/value head, against all keys they see.
#[derive(Clone, Debug)]
struct Task {
    row0: usize,
    kv_head: usize,
    rows: Range<usize>,
    /// Where the gradients of keys and values go if the sequence is divided, else into the outputs.
    sums: Option<usize>,
}

/// Gradients of [`attention`](super::attention) where every row attends to rows of its own segment:
/// from q, out, d_out (rows, n_heads, d_head), k, v (rows, n_kv_heads, d_head) and lse (rows, n_heads)
/// writes d_q, d_k and d_v of all rows of the segments.
///
/// With P the probabilities: d_v = Pᵀ d_out, d_s = P (d_out vᵀ - rowsum(d_out out)),
/// d_q = scale d_s k, d_k = scale d_sᵀ q (and the slope of the soft cap on d_s). Sums run in an order
/// that depends on the shapes alone. `segments` need no block tables. The forward pass should have
/// kept keys and values as f32, or `k` and `v` must be rounded as it rounded them. With
/// `params.gradient` bf16 all operands of the products are rounded first, where the tier gains by it.
///
/// # Panics
/// When lengths do not fit, segments share rows, or one does not start at position 0.
#[expect(clippy::too_many_arguments, reason = "the forward's operands and their gradients")]
pub fn attention_backward(
    cpu: &Cpu,
    segments: &[Segment<'_>],
    params: AttentionParams,
    n_kv_heads: usize,
    d_head: usize,
    q: &[f32],
    k: &[f32],
    v: &[f32],
    out: &[f32],
    d_out: &[f32],
    lse: &[f32],
    d_q: &mut [f32],
    d_k: &mut [f32],
    d_v: &mut [f32],
) {
    let forward = Forward { q, k, v, out, lse };
    check(segments, params, n_kv_heads, d_head, forward, [d_out, d_q], [d_k, d_v]);
    let (tasks, sums_len) = plan(segments, n_kv_heads, d_head);
    let mut sums = vec![0.0; sums_len];
    let call = Call {
        params,
        n_kv_heads,
        d: d_head,
        forward,
        d_out,
        d_q: Parts::new(d_q),
        d_k: Parts::new(d_k),
        d_v: Parts::new(d_v),
        sums: Parts::new(&mut sums),
    };
    cpu.pool().run(tasks.len(), &|i| run(cpu.isa(), &call, &tasks[i]));
    // The parts of a divided sequence follow each other, the last one (which sees all keys) first.
    let divided: Vec<&[Task]> =
        tasks.chunk_by(|a, b| b.rows.end == a.rows.start && a.row0 == b.row0).collect();
    cpu.pool().run(divided.len(), &|i| merge(&call, divided[i]));
}

#[track_caller]
fn check(
    segments: &[Segment<'_>],
    params: AttentionParams,
    n_kv_heads: usize,
    d_head: usize,
    forward: Forward<'_>,
    of_q: [&[f32]; 2],
    of_k: [&[f32]; 2],
) {
    let n_heads = params.n_heads;
    assert!(
        n_heads > 0 && n_kv_heads > 0 && n_heads.is_multiple_of(n_kv_heads),
        "{n_heads} query heads for {n_kv_heads} key/value heads"
    );
    let n_rows = forward.q.len() / (n_heads * d_head);
    for x in [forward.q, forward.out, of_q[0], of_q[1]] {
        assert_eq!(x.len(), n_rows * n_heads * d_head, "({n_rows}, {n_heads}, {d_head})");
    }
    for x in [forward.k, forward.v, of_k[0], of_k[1]] {
        assert_eq!(x.len(), n_rows * n_kv_heads * d_head, "({n_rows}, {n_kv_heads}, {d_head})");
    }
    assert_eq!(forward.lse.len(), n_rows * n_heads, "lse of {n_rows} rows");
    for s in segments {
        assert!(s.pos0 == 0 && s.row0 + s.n_rows <= n_rows, "{s:?} in {n_rows} rows");
    }
    super::check_disjoint(segments);
}

/// Cuts a batch into tasks; returns them and the length of the buffer of sums.
fn plan(segments: &[Segment<'_>], n_kv_heads: usize, d_head: usize) -> (Vec<Task>, usize) {
    let (mut tasks, mut sums_len) = (Vec::new(), 0);
    let wanted = MIN_PARTS.div_ceil(segments.len().max(1) * n_kv_heads);
    for s in segments.iter().filter(|s| s.n_rows > 0) {
        let n_parts = wanted.min(s.n_rows / PART_ROWS).max(1);
        // The work of the first i rows grows as i²: borders at equal shares of it.
        let border = |i: usize| (s.n_rows as f64 * (i as f64 / n_parts as f64).sqrt()) as usize;
        for kv_head in 0..n_kv_heads {
            for part in (0..n_parts).rev() {
                let to = if part + 1 == n_parts { s.n_rows } else { border(part + 1) };
                let rows = border(part)..to;
                let sums = (n_parts > 1).then_some(sums_len);
                if n_parts > 1 {
                    sums_len += 2 * rows.end * d_head;
                }
                tasks.push(Task { row0: s.row0, kv_head, rows, sums });
            }
        }
    }
    (tasks, sums_len)
}

/// Adds up the key and value gradients of the parts of one sequence and head.
fn merge(call: &Call<'_>, parts: &[Task]) {
    let d = call.d;
    for task in parts {
        let Some(at) = task.sums else { return };
        let n = task.rows.end;
        // SAFETY: each task has its own place, and has ended.
        let sums = unsafe { call.sums.take(at..at + 2 * n * d) };
        let first = task.rows.end == parts[0].rows.end;
        for (i, sum) in sums.chunks_exact(d).enumerate() {
            let (out, row) = if i < n { (&call.d_k, i) } else { (&call.d_v, i - n) };
            let to = ((task.row0 + row) * call.n_kv_heads + task.kv_head) * d;
            // SAFETY: one merge per sequence and head; rows of segments are disjoint.
            let out = unsafe { out.take(to..to + d) };
            for (out, sum) in out.iter_mut().zip(sum) {
                *out = if first { *sum } else { *out + *sum };
            }
        }
    }
}

/// Keys and values of the whole task as the inner products read them, and their gradients.
struct Keys<'a> {
    /// First position held: the start of a block.
    from: usize,
    /// Keys and values `[t / 16][d][16]`.
    k_panels: &'a mut [f32],
    v_panels: &'a mut [f32],
    /// Keys `[t][d_pad]`.
    k_rows: &'a mut [f32],
    /// Gradients `[t][d_pad]`.
    d_k: &'a mut [f32],
    d_v: &'a mut [f32],
}

/// A chunk of query rows (row, then head of the group), the last tile filled up with zeros.
struct Chunk<'a> {
    /// First row (of the task's rows times the group) and number of rows.
    from: usize,
    n: usize,
    /// Queries and output gradients in tiles `[d][ROWS]`.
    q_tiles: &'a mut [f32],
    g_tiles: &'a mut [f32],
    /// The same as rows `[r][d_pad]`.
    q_rows: &'a mut [f32],
    g_rows: &'a mut [f32],
    /// lse and rowsum(d_out out).
    lse: &'a mut [f32],
    dot: &'a mut [f32],
    /// Probabilities and score gradients `[r][64]`.
    p: &'a mut [f32],
    d_s: &'a mut [f32],
    d_q: &'a mut [f32],
}

fn run(isa: crate::Isa, call: &Call<'_>, task: &Task) {
    #[cfg(target_arch = "x86_64")]
    if call.params.gradient == crate::gemm::Compute::Bf16 && isa.has(crate::Tier::Avx512Vnni) {
        return pairs::run(isa, call, task);
    }
    let (d, d_pad) = (call.d, call.d.next_multiple_of(LANES));
    let first = call.params.window.map_or(0, |w| (task.rows.start + 1).saturating_sub(w));
    let from = first / KV_BLOCK * KV_BLOCK;
    let n = (task.rows.end - from).next_multiple_of(KV_BLOCK);
    let of_keys = n * (2 * d + 3 * d_pad);
    let of_chunk = CHUNK * (2 * d + 3 * d_pad + 2 * KV_BLOCK + 2);
    with_scratch(of_keys + of_chunk + 16 * LANES, |mut memory| {
        memory.fill(0.0);
        let mut next = |n| carve(&mut memory, n);
        let mut keys = Keys {
            from,
            k_panels: next(n * d),
            v_panels: next(n * d),
            k_rows: next(n * d_pad),
            d_k: next(n * d_pad),
            d_v: next(n * d_pad),
        };
        let mut chunk = Chunk {
            from: 0,
            n: 0,
            q_tiles: next(CHUNK * d),
            g_tiles: next(CHUNK * d),
            q_rows: next(CHUNK * d_pad),
            g_rows: next(CHUNK * d_pad),
            lse: next(CHUNK),
            dot: next(CHUNK),
            p: next(CHUNK * KV_BLOCK),
            d_s: next(CHUNK * KV_BLOCK),
            d_q: next(CHUNK * d_pad),
        };
        pack_keys(call, task, &mut keys);
        let n_rows = task.rows.len() * call.group();
        for from in (0..n_rows).step_by(CHUNK) {
            chunk.from = from;
            chunk.n = CHUNK.min(n_rows - from);
            pack_chunk(call, task, &mut chunk);
            chunk_tier(isa, call, task, &mut keys, &mut chunk);
            write_queries(call, task, &chunk);
        }
        write_keys(call, task, keys.from, keys.d_k, keys.d_v);
    });
}

fn pack_keys(call: &Call<'_>, task: &Task, keys: &mut Keys<'_>) {
    let (d, d_pad) = (call.d, call.d.next_multiple_of(LANES));
    for t in 0..task.rows.end - keys.from {
        let at = ((task.row0 + keys.from + t) * call.n_kv_heads + task.kv_head) * d;
        let (k, v) = (&call.forward.k[at..at + d], &call.forward.v[at..at + d]);
        let panel = t / LANES * d * LANES + t % LANES;
        for i in 0..d {
            keys.k_panels[panel + i * LANES] = k[i];
            keys.v_panels[panel + i * LANES] = v[i];
        }
        keys.k_rows[t * d_pad..t * d_pad + d].copy_from_slice(k);
    }
}

/// Row and head (of all rows and heads) of row `r` of the chunk, as one index.
fn index_of(call: &Call<'_>, task: &Task, r: usize) -> usize {
    let group = call.group();
    let row = task.row0 + task.rows.start + r / group;
    row * call.params.n_heads + task.kv_head * group + r % group
}

fn pack_chunk(call: &Call<'_>, task: &Task, chunk: &mut Chunk<'_>) {
    let (d, d_pad) = (call.d, call.d.next_multiple_of(LANES));
    chunk.q_rows.fill(0.0);
    chunk.g_rows.fill(0.0);
    chunk.d_q.fill(0.0);
    for r in 0..chunk.n {
        let index = index_of(call, task, chunk.from + r);
        let row = index * d..(index + 1) * d;
        let (q, g, o) =
            (&call.forward.q[row.clone()], &call.d_out[row.clone()], &call.forward.out[row]);
        chunk.q_rows[r * d_pad..r * d_pad + d].copy_from_slice(q);
        chunk.g_rows[r * d_pad..r * d_pad + d].copy_from_slice(g);
        chunk.lse[r] = call.forward.lse[index];
        chunk.dot[r] = g.iter().zip(o).map(|(g, o)| g * o).sum();
    }
    for r in 0..chunk.n.next_multiple_of(ROWS) {
        let tile = r / ROWS * ROWS * d + r % ROWS;
        for i in 0..d {
            chunk.q_tiles[tile + i * ROWS] = chunk.q_rows[r * d_pad + i];
            chunk.g_tiles[tile + i * ROWS] = chunk.g_rows[r * d_pad + i];
        }
    }
}

fn write_queries(call: &Call<'_>, task: &Task, chunk: &Chunk<'_>) {
    let (d, d_pad) = (call.d, call.d.next_multiple_of(LANES));
    for r in 0..chunk.n {
        let at = index_of(call, task, chunk.from + r) * d;
        // SAFETY: a row and head belongs to one task.
        let to = unsafe { call.d_q.take(at..at + d) };
        to.copy_from_slice(&chunk.d_q[r * d_pad..r * d_pad + d]);
    }
}

/// Writes the gradients of keys and values `[t][d_pad]` of the positions from `first` on.
fn write_keys(call: &Call<'_>, task: &Task, first: usize, d_k: &[f32], d_v: &[f32]) {
    let (d, d_pad) = (call.d, call.d.next_multiple_of(LANES));
    let n = task.rows.end;
    for t in first..n {
        let from = (t - first) * d_pad..(t - first) * d_pad + d;
        for (half, grad, out) in [(0, d_k, &call.d_k), (1, d_v, &call.d_v)] {
            let to = match task.sums {
                // SAFETY: every task has its own sums.
                Some(at) => unsafe {
                    call.sums.take(at + (half * n + t) * d..at + (half * n + t + 1) * d)
                },
                None => {
                    let at = ((task.row0 + t) * call.n_kv_heads + task.kv_head) * d;
                    // SAFETY: this task is the only one of its sequence and head.
                    unsafe { out.take(at..at + d) }
                }
            };
            to.copy_from_slice(&grad[from.clone()]);
        }
    }
}

/// Positions that row `r` (row, then head of the group) of the task sees: from, to (exclusive).
#[inline(always)]
fn seen(call: &Call<'_>, task: &Task, r: usize) -> (usize, usize) {
    let end = task.rows.start + r / call.group() + 1;
    (call.params.window.map_or(0, |w| end.saturating_sub(w)), end)
}

tiers! {
    fn chunk_tier(call: &Call<'_>, task: &Task, keys: &mut Keys<'_>, chunk: &mut Chunk<'_>)
        = chunk_body;
}

/// A chunk against all blocks of keys it sees.
#[inline(always)]
fn chunk_body<L: Lanes>(call: &Call<'_>, task: &Task, keys: &mut Keys<'_>, chunk: &mut Chunk<'_>) {
    let (d, d_pad) = (call.d, call.d.next_multiple_of(LANES));
    let seen = |r: usize| seen(call, task, chunk.from + r);
    let (first, end) = (seen(0).0, seen(chunk.n - 1).1);
    let n_pad = chunk.n.next_multiple_of(ROWS);
    for block in (first / KV_BLOCK * KV_BLOCK..end).step_by(KV_BLOCK) {
        let at = block - keys.from;
        let panel = at * d..(at + KV_BLOCK) * d;
        let (k, v) = (&keys.k_panels[panel.clone()], &keys.v_panels[panel]);
        scores::<L>(d, chunk.q_tiles, k, n_pad, chunk.p);
        scores::<L>(d, chunk.g_tiles, v, n_pad, chunk.d_s);
        for r in 0..n_pad {
            let (from, to) = if r < chunk.n { seen(r) } else { (0, 0) };
            let within = |p: usize| p.saturating_sub(block).min(KV_BLOCK) as f32;
            let row = r * KV_BLOCK..(r + 1) * KV_BLOCK;
            let (p, d_s) = (&mut chunk.p[row.clone()], &mut chunk.d_s[row]);
            row_gradient::<L>(
                call.params,
                [within(from), within(to)],
                [chunk.lse[r], chunk.dot[r]],
                p,
                d_s,
            );
        }
        let rows = at * d_pad..(at + KV_BLOCK) * d_pad;
        let to = (end - block).min(KV_BLOCK);
        let k = &keys.k_rows[rows.clone()];
        add_product::<L, ROWS>(
            chunk.d_s,
            [1, KV_BLOCK],
            k,
            d_pad,
            to,
            &mut chunk.d_q[..n_pad * d_pad],
        );
        add_product::<L, KEY_ROWS>(
            chunk.p,
            [KV_BLOCK, 1],
            chunk.g_rows,
            d_pad,
            chunk.n,
            &mut keys.d_v[rows.clone()],
        );
        add_product::<L, KEY_ROWS>(
            chunk.d_s,
            [KV_BLOCK, 1],
            chunk.q_rows,
            d_pad,
            chunk.n,
            &mut keys.d_k[rows],
        );
    }
}

/// out[r][t] = a_r · b_t over d, for n rows in tiles `[d][ROWS]` and 64 positions in panels.
#[inline(always)]
fn scores<L: Lanes>(d: usize, tiles: &[f32], panels: &[f32], n: usize, out: &mut [f32]) {
    assert!(panels.len() >= KV_BLOCK * d && tiles.len() >= n * d && n.is_multiple_of(ROWS));
    let panel = |g: usize| Vectors {
        at: panels[g * d * LANES..].as_ptr().cast(),
        step: 1,
        column: d,
        ahead: 0,
    };
    for (tile, out) in
        tiles.chunks_exact(ROWS * d).zip(out[..n * KV_BLOCK].chunks_exact_mut(ROWS * KV_BLOCK))
    {
        let a = Scalars { at: tile.as_ptr(), step: ROWS, row: 1 };
        if L::WIDE {
            // SAFETY: a tile holds ROWS rows of d; four groups of positions (checked above).
            let s = unsafe { product::<L, F32, ROWS, 4>(a, panel(0), 0..d) };
            for r in 0..ROWS {
                for g in 0..4 {
                    s[r][g].store(&mut out[r * KV_BLOCK + g * LANES..]);
                }
            }
        } else {
            for g in 0..4 {
                // SAFETY: as above.
                let s = unsafe { product::<L, F32, ROWS, 1>(a, panel(g), 0..d) };
                for r in 0..ROWS {
                    s[r][0].store(&mut out[r * KV_BLOCK + g * LANES..]);
                }
            }
        }
    }
}

/// From scores in `p` and d_out · v in `d_s` to probabilities and gradients of q · k.
#[inline(always)]
fn row_gradient<L: Lanes>(
    params: AttentionParams,
    [from, to]: [f32; 2],
    [lse, dot]: [f32; 2],
    p: &mut [f32],
    d_s: &mut [f32],
) {
    const LANE: [f32; LANES] =
        [0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12., 13., 14., 15.];
    let (from, to) = (L::splat(from), L::splat(to));
    for (g, (p, d_s)) in p.chunks_exact_mut(LANES).zip(d_s.chunks_exact_mut(LANES)).enumerate() {
        let mut s = L::load(p).mul(L::splat(params.scale));
        let mut slope = L::splat(params.scale);
        if let Some(c) = params.softcap {
            let t = tanh(s.div(L::splat(c)));
            s = t.mul(L::splat(c));
            slope = slope.mul(L::splat(1.0).sub(t.mul(t)));
        }
        let at = L::from_array(LANE).add(L::splat((g * LANES) as f32));
        let hidden = L::splat(f32::NEG_INFINITY);
        s = at.select_lt(to, s, hidden);
        s = at.select_lt(from, hidden, s);
        let prob = exp(s.sub(L::splat(lse)));
        prob.store(p);
        prob.mul(L::load(d_s).sub(L::splat(dot))).mul(slope).store(d_s);
    }
}

/// out[r] += sum over i < n of a(i, r) b[i], for all rows of out (a multiple of R, each d wide); a(i, r)
/// is at `i * step + r * row`.
#[inline(always)]
fn add_product<L: Lanes, const R: usize>(
    a: &[f32],
    [step, row]: [usize; 2],
    b: &[f32],
    d: usize,
    n: usize,
    out: &mut [f32],
) {
    let n_rows = out.len() / d;
    assert!(n > 0 && n_rows.is_multiple_of(R) && b.len() >= n * d);
    assert!(a.len() > (n - 1) * step + (n_rows - 1) * row);
    let columns = d / LANES;
    for (tile, out) in out.chunks_exact_mut(R * d).enumerate() {
        let a = Scalars { at: a[tile * R * row..].as_ptr(), step, row };
        let column = |c: usize| Vectors {
            at: b[c * LANES..].as_ptr().cast(),
            step: columns,
            column: 1,
            ahead: 0,
        };
        let mut c = 0;
        while L::WIDE && c + 4 <= columns {
            // SAFETY: n steps and R rows of a, n rows of b (checked above).
            let sums = unsafe { product::<L, F32, R, 4>(a, column(c), 0..n) };
            for r in 0..R {
                for i in 0..4 {
                    let out = &mut out[r * d + (c + i) * LANES..];
                    L::load(out).add(sums[r][i]).store(out);
                }
            }
            c += 4;
        }
        while c < columns {
            // SAFETY: as above.
            let sums = unsafe { product::<L, F32, R, 1>(a, column(c), 0..n) };
            for r in 0..R {
                let out = &mut out[r * d + c * LANES..];
                L::load(out).add(sums[r][0]).store(out);
            }
            c += 1;
        }
    }
}
