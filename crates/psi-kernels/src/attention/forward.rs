//! One task of the forward pass: some query rows of one sequence and key/value head, over a range of
//! blocks.

use std::{cell::RefCell, ops::Range};

use super::{
    AttentionParams,
    block::{self, Head, KvBlock, Tile, Weights},
    tile::{Bf16, F32, I8, ROWS},
};
use crate::{
    AlignedBuf, Isa,
    kv::{KV_BLOCK, KvArena, KvDtype, Segment},
    simd::{LANES, Lanes, Parts, tiers},
};

/// What all tasks of a call share.
pub(super) struct Call<'a> {
    pub(super) arena: &'a KvArena,
    pub(super) layer: usize,
    pub(super) segments: &'a [Segment<'a>],
    pub(super) params: AttentionParams,
    /// Queries (rows, n_heads, d_head).
    pub(super) q: &'a [f32],
    pub(super) out: &'a Parts<'a, f32>,
    /// Log of the normaliser (rows, n_heads), where asked for.
    pub(super) lse: Option<&'a Parts<'a, f32>>,
    /// States of split tasks, block by block (see [`Task::partials`]).
    pub(super) partials: &'a Parts<'a, f32>,
}

/// Rows of a segment (from `rows`) against the positions in `blocks` (indices of its table).
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) segment: usize,
    pub(super) kv_head: usize,
    pub(super) rows: Range<usize>,
    pub(super) blocks: Range<usize>,
    /// Where the states of the first block go if the blocks are shared between several tasks: each
    /// block's is [`state_len`] long. Without it the task writes the output.
    pub(super) partials: Option<usize>,
}

/// Floats of the state (m, l, o) of `n` rows of width `d`.
pub(super) fn state_len(n: usize, d: usize) -> usize {
    2 * n.next_multiple_of(LANES) + n * d
}

/// What n rows have accumulated: (m, l, o).
pub(super) struct State<'a> {
    m: &'a mut [f32],
    l: &'a mut [f32],
    o: &'a mut [f32],
}

impl<'a> State<'a> {
    pub(super) fn new(memory: &'a mut [f32], n: usize) -> Self {
        let (m, rest) = memory.split_at_mut(n.next_multiple_of(LANES));
        let (l, o) = rest.split_at_mut(n.next_multiple_of(LANES));
        Self { m: &mut m[..n], l: &mut l[..n], o }
    }

    fn clear(&mut self) {
        self.m.fill(f32::NEG_INFINITY);
        self.l.fill(0.0);
        self.o.fill(0.0);
    }

    /// Adds the states of later blocks, in order.
    pub(super) fn merge(&mut self, isa: Isa, block: &mut [f32]) {
        let block = State::new(block, self.m.len());
        let d = self.o.len() / self.m.len().max(1);
        for r in 0..self.m.len() {
            let row = r * d..(r + 1) * d;
            let state = [&mut self.m[r], &mut self.l[r]];
            let (m_l, o) = ([block.m[r], block.l[r]], &block.o[row.clone()]);
            merge_tier(isa, state, &mut self.o[row], m_l, o);
        }
    }
}

tiers! {
    fn merge_tier(m_l: [&mut f32; 2], o: &mut [f32], block_m_l: [f32; 2], block_o: &[f32])
        = block::merge;
}

thread_local! {
    /// Working memory of a thread, kept between tasks.
    static SCRATCH: RefCell<AlignedBuf> = RefCell::new(AlignedBuf::zeroed(0));
}

/// Lends `n` floats of this thread's working memory, with whatever they hold.
pub(super) fn with_scratch<R>(n: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.len() < 4 * n {
            *scratch = AlignedBuf::zeroed(4 * n);
        }
        f(&mut scratch.f32s_mut()[..n])
    })
}

/// Takes `n` floats off the front of `rest`, whole cache lines.
pub(super) fn carve<'a>(rest: &mut &'a mut [f32], n: usize) -> &'a mut [f32] {
    let (part, tail) = std::mem::take(rest).split_at_mut(n.next_multiple_of(LANES));
    *rest = tail;
    &mut part[..n]
}

/// Rows of `n` rows in tiles, the last filled up to a size that kernels are compiled for.
pub(super) fn padded_rows(isa: Isa, n: usize) -> usize {
    n / ROWS * ROWS + block::tile_rows(isa, n % ROWS)
}

/// Runs one task.
pub(super) fn run(isa: Isa, call: &Call<'_>, task: &Task) {
    let layout = call.arena.layout();
    let shape = call.arena.shape();
    let d_k = match layout.dtype() {
        KvDtype::Bf16 => shape.d_head.next_multiple_of(2),
        KvDtype::F32 | KvDtype::Q8 => shape.d_head,
    };
    let AttentionParams { scale, softcap, .. } = call.params;
    let head = Head { d_k, d_v: layout.d_pad(), scale, softcap };
    let n = padded_rows(isa, task.rows.len() * group(call));
    let wide = n > ROWS && layout.dtype() != KvDtype::F32;
    let widened = if wide { KV_BLOCK * (head.d_k + head.d_v) } else { 0 };
    let len = n * d_k + LANES + state_len(n, head.d_v) + widened + 2 * LANES;
    with_scratch(len, |mut memory| {
        let q = carve(&mut memory, n * d_k);
        pack_queries(call, task, d_k, n, q);
        let mut state = State::new(carve(&mut memory, state_len(n, head.d_v)), n);
        state.clear();
        run_tier(isa, call, task, &head, q, &mut state, memory);
        if task.partials.is_none() {
            write_output(isa, call, task, &mut state);
        }
    });
}

/// Query heads per key/value head.
fn group(call: &Call<'_>) -> usize {
    call.params.n_heads / call.arena.shape().n_kv_heads
}

/// Queries of the task's rows (row, then head of the group) in tiles `[d_k][R]`.
fn pack_queries(call: &Call<'_>, task: &Task, d_k: usize, n: usize, packed: &mut [f32]) {
    let d = call.arena.shape().d_head;
    let group = group(call);
    let segment = &call.segments[task.segment];
    let n_rows = task.rows.len() * group;
    packed.fill(0.0);
    for (tile, packed) in packed.chunks_mut(ROWS * d_k).enumerate() {
        let n_tile = ROWS.min(n - tile * ROWS);
        for r in 0..n_tile.min(n_rows - tile * ROWS) {
            let (row, head) = ((tile * ROWS + r) / group, (tile * ROWS + r) % group);
            let row = segment.row0 + task.rows.start + row;
            let at = (row * call.params.n_heads + task.kv_head * group + head) * d;
            for (to, x) in packed[r..].iter_mut().step_by(n_tile).zip(&call.q[at..at + d]) {
                *to = *x;
            }
        }
    }
}

tiers! {
    fn run_tier(
        call: &Call<'_>,
        task: &Task,
        head: &Head,
        q: &[f32],
        state: &mut State<'_>,
        widened: &mut [f32],
    ) = run_body;
}

#[inline(always)]
fn run_body<L: Lanes>(
    call: &Call<'_>,
    task: &Task,
    head: &Head,
    q: &[f32],
    state: &mut State<'_>,
    widened: &mut [f32],
) {
    let mut p: Weights = [0.0; _];
    let dtype = call.arena.dtype();
    let n = state.m.len();
    for b in task.blocks.clone() {
        let kv = kv_block(call, task, b);
        if n <= ROWS && dtype == KvDtype::Bf16 {
            tiles::<L, Bf16>(call, task, b, head, kv, q, state, &mut p);
        } else if n <= ROWS && dtype == KvDtype::Q8 {
            tiles::<L, I8>(call, task, b, head, kv, q, state, &mut p);
        } else {
            let kv = widen::<L>(call, task, b, head, kv, widened);
            tiles::<L, F32>(call, task, b, head, kv, q, state, &mut p);
        }
        if let Some(at) = task.partials {
            save_partial(call, at, b - task.blocks.start, state);
        }
    }
}

/// The block as f32, for several tiles: the conversion is exact, so it changes no bit.
#[inline(always)]
fn widen<'a, L: Lanes>(
    call: &Call<'_>,
    task: &Task,
    b: usize,
    head: &Head,
    kv: KvBlock<'a>,
    memory: &'a mut [f32],
) -> KvBlock<'a> {
    if call.arena.dtype() == KvDtype::F32 {
        return kv;
    }
    let (k, v) = memory.split_at_mut(KV_BLOCK * head.d_k);
    let to = (visible(call, task, task.rows.end - 1).1 - b * KV_BLOCK).min(KV_BLOCK);
    match call.arena.dtype() {
        KvDtype::Bf16 => block::widen::<L, Bf16>(head, kv, to, k, v),
        KvDtype::F32 | KvDtype::Q8 => block::widen::<L, I8>(head, kv, to, k, v),
    }
    KvBlock { k: bytes(k), v: bytes(v), ..kv }
}

/// All tiles of a task against one block.
#[inline(always)]
#[expect(
    clippy::too_many_arguments,
    reason = "a loop body of `run_body`, compiled per element type"
)]
fn tiles<L: Lanes, E: super::tile::Element>(
    call: &Call<'_>,
    task: &Task,
    b: usize,
    head: &Head,
    kv: KvBlock<'_>,
    q: &[f32],
    state: &mut State<'_>,
    p: &mut Weights,
) {
    let group = group(call);
    let n = state.m.len();
    for from in (0..n).step_by(ROWS) {
        let to = n.min(from + ROWS);
        let mut seen = [(0, 0); ROWS];
        for r in from..to.min(task.rows.len() * group) {
            let (first, end) = visible(call, task, task.rows.start + r / group);
            let within = |p: usize| p.saturating_sub(b * KV_BLOCK).min(KV_BLOCK);
            seen[r - from] = (within(first), within(end));
        }
        let mut tile = Tile {
            q: &q[from * head.d_k..to * head.d_k],
            seen,
            m: &mut state.m[from..to],
            l: &mut state.l[from..to],
            o: &mut state.o[from * head.d_v..to * head.d_v],
        };
        block::add_block_of_rows::<L, E>(to - from, head, kv, &mut tile, p);
    }
}

/// Positions that row `i` of the segment sees: from, to (exclusive).
#[inline(always)]
pub(super) fn visible(call: &Call<'_>, task: &Task, i: usize) -> (usize, usize) {
    let end = call.segments[task.segment].pos0 + i + 1;
    (call.params.window.map_or(0, |w| end.saturating_sub(w)), end)
}

#[inline(always)]
fn kv_block<'a>(call: &'a Call<'_>, task: &Task, b: usize) -> KvBlock<'a> {
    let blocks = &call.segments[task.segment].blocks[..task.blocks.end];
    let block = blocks[b];
    let next = call.arena.head(call.layer, *blocks.get(b + 1).unwrap_or(&block), task.kv_head);
    let head = call.arena.head(call.layer, block, task.kv_head);
    let (v, k_scales, v_scales) = call.arena.layout().offsets();
    let scales = (call.arena.dtype() == KvDtype::Q8)
        .then(|| (floats(&head[k_scales..v_scales]), floats(&head[v_scales..])));
    KvBlock { k: &head[..v], v: &head[v..k_scales], scales, next: next.as_ptr() }
}

/// Bytes of an arena, written as f32, as f32 again.
#[expect(unsafe_code, reason = "every bit pattern is an f32")]
fn floats(bytes: &[u8]) -> &[f32] {
    // SAFETY: every bit pattern is an f32.
    let (before, floats, _) = unsafe { bytes.align_to::<f32>() };
    assert!(before.is_empty(), "parts of an arena are aligned to 64 bytes");
    floats
}

#[expect(unsafe_code, reason = "an f32 is four bytes")]
fn bytes(floats: &[f32]) -> &[u8] {
    // SAFETY: no byte of an f32 is uninitialised, bytes need no alignment.
    unsafe { std::slice::from_raw_parts(floats.as_ptr().cast(), 4 * floats.len()) }
}

/// Moves the state of one block of a split task out, and starts afresh.
#[expect(unsafe_code, reason = "every block of a split task has its own part")]
fn save_partial(call: &Call<'_>, at: usize, i: usize, state: &mut State<'_>) {
    let n = state.m.len();
    let len = state_len(n, state.o.len() / n);
    // SAFETY: the blocks of all tasks have distinct places (`super::plan`).
    let to = State::new(unsafe { call.partials.take(at + i * len..at + (i + 1) * len) }, n);
    to.m.copy_from_slice(state.m);
    to.l.copy_from_slice(state.l);
    to.o.copy_from_slice(state.o);
    state.clear();
}

/// out = o / l and lse = m + ln l of the task's rows.
#[expect(unsafe_code, reason = "every task writes its own rows and heads")]
pub(super) fn write_output(isa: Isa, call: &Call<'_>, task: &Task, state: &mut State<'_>) {
    let (d, group, n_heads) = (call.arena.shape().d_head, group(call), call.params.n_heads);
    let row0 = call.segments[task.segment].row0 + task.rows.start;
    let d_v = state.o.len() / state.m.len();
    for (r, o) in state.o.chunks_exact_mut(d_v).take(task.rows.len() * group).enumerate() {
        let at = (row0 + r / group) * n_heads + task.kv_head * group + r % group;
        // Adding zero makes -0 a 0: its sign could come from a position the row does not see.
        scale_tier(isa, o, 1.0 / state.l[r]);
        // SAFETY: rows of segments are disjoint (`super::plan`), and tasks share no row and head.
        unsafe { call.out.take(at * d..(at + 1) * d) }.copy_from_slice(&o[..d]);
        if let Some(lse) = call.lse {
            let value = f64::from(state.m[r]) + f64::from(state.l[r]).ln();
            // SAFETY: as above.
            let to = unsafe { lse.take(at..at + 1) };
            to[0] = value as f32;
        }
    }
}

tiers! { fn scale_tier(x: &mut [f32], a: f32) = scale_body; }

#[inline(always)]
fn scale_body<L: Lanes>(x: &mut [f32], a: f32) {
    for x in x.chunks_exact_mut(LANES) {
        L::load(x).madd(L::splat(a), L::splat(0.0)).store(x);
    }
}
