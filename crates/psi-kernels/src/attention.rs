//! Causal attention over the key/value cache, for prefill, decoding and training alike.
//!
//! There is one arithmetic: a row meets each block of [`KV_BLOCK`] positions on its own, and blocks
//! are merged in order of position. Prefill puts many rows into a task, decoding one row's query
//! heads, a long cache is split between threads by blocks; none of that changes a bit of a row.

mod backward;
mod block;
mod forward;
mod tile;

pub use self::backward::attention_backward;
use self::forward::{Call, State, Task, state_len};
use crate::{
    Cpu,
    gemm::Compute,
    kv::{KV_BLOCK, KvArena, Segment},
    simd::Parts,
};

/// What attention needs to know beside its operands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionParams {
    /// Query heads; a multiple of the arena's key/value heads.
    pub n_heads: usize,
    /// Factor on q·k, usually 1 / sqrt(d_head).
    pub scale: f32,
    /// Sliding window: position p sees positions p - window + 1 ..= p.
    pub window: Option<usize>,
    /// Soft cap c: scores become c tanh(score / c). Gemma 2 report, section 2.
    pub softcap: Option<f32>,
    /// Element type of the gradient's products where the tier has instructions for it, f32 elsewhere.
    pub gradient: Compute,
}

/// out = softmax(mask(scale q kᵀ)) v for the rows of every segment, keys and values of `layer` from
/// `arena` (already stored for these rows). q and out are (rows, n_heads, d_head); rows of no
/// segment are left as they are.
///
/// Blocks of [`KV_BLOCK`] positions are reduced each on its own and merged in order of position, so
/// a row's bits depend neither on the other rows nor on how the prompt was cut.
/// Dao et al. 2022, algorithm 1 (the merge).
///
/// # Panics
/// When lengths or block tables do not fit, or segments share rows.
pub fn attention(
    cpu: &Cpu,
    arena: &KvArena,
    layer: usize,
    segments: &[Segment<'_>],
    params: AttentionParams,
    q: &[f32],
    out: &mut [f32],
) {
    attend(cpu, arena, layer, segments, params, q, out, None);
}

/// [`attention`] that also returns what its gradient needs: lse (rows, n_heads), the logarithm of
/// each row's and head's softmax normaliser.
///
/// # Panics
/// When lengths or block tables do not fit, or segments share rows.
#[expect(clippy::too_many_arguments, reason = "operands of `attention` and one more output")]
pub fn attention_with_lse(
    cpu: &Cpu,
    arena: &KvArena,
    layer: usize,
    segments: &[Segment<'_>],
    params: AttentionParams,
    q: &[f32],
    out: &mut [f32],
    lse: &mut [f32],
) {
    attend(cpu, arena, layer, segments, params, q, out, Some(lse));
}

#[expect(clippy::too_many_arguments, reason = "operands of `attention_with_lse`")]
fn attend(
    cpu: &Cpu,
    arena: &KvArena,
    layer: usize,
    segments: &[Segment<'_>],
    params: AttentionParams,
    q: &[f32],
    out: &mut [f32],
    lse: Option<&mut [f32]>,
) {
    check(arena, segments, params, q.len(), out.len(), lse.as_ref().map(|l| l.len()));
    let plan = Plan::new(cpu, arena, segments, params);
    let mut partials = vec![0.0; plan.partials_len];
    let (out, partials) = (Parts::new(out), Parts::new(&mut partials));
    let lse = lse.map(Parts::new);
    let call = Call {
        arena,
        layer,
        segments,
        params,
        q,
        out: &out,
        lse: lse.as_ref(),
        partials: &partials,
    };
    let isa = cpu.isa();
    if plan.in_parallel {
        cpu.pool().run(plan.tasks.len(), &|i| forward::run(isa, &call, &plan.tasks[i]));
        cpu.pool().run(plan.merges.len(), &|i| merge(isa, &call, &plan.merges[i]));
    } else {
        plan.tasks.iter().for_each(|task| forward::run(isa, &call, task));
    }
}

#[track_caller]
fn check(
    arena: &KvArena,
    segments: &[Segment<'_>],
    params: AttentionParams,
    q_len: usize,
    out_len: usize,
    lse_len: Option<usize>,
) {
    let shape = arena.shape();
    let AttentionParams { n_heads, .. } = params;
    assert!(
        n_heads > 0 && n_heads.is_multiple_of(shape.n_kv_heads),
        "{n_heads} query heads for {} key/value heads",
        shape.n_kv_heads
    );
    assert_eq!(q_len, out_len, "lengths of q and out");
    assert!(params.window != Some(0), "a window of no positions");
    let n_rows = q_len / (n_heads * shape.d_head);
    assert!(lse_len.is_none_or(|n| n == n_rows * n_heads), "{lse_len:?} lse for {n_rows} rows");
    for s in segments {
        assert!(s.row0 + s.n_rows <= n_rows, "{s:?} in {n_rows} rows");
        let n_blocks = (s.pos0 + s.n_rows).div_ceil(KV_BLOCK);
        assert!(s.n_rows == 0 || n_blocks <= s.blocks.len(), "{s:?}: {n_blocks} blocks needed");
    }
    check_disjoint(segments);
}

/// Tasks write their rows in parallel: two segments must not name the same row.
#[track_caller]
fn check_disjoint(segments: &[Segment<'_>]) {
    let mut rows: Vec<_> = segments.iter().map(|s| (s.row0, s.row0 + s.n_rows)).collect();
    rows.sort_unstable();
    assert!(rows.windows(2).all(|w| w[0].1 <= w[1].0), "segments share rows: {rows:?}");
}

/// How a call is cut into tasks.
struct Plan {
    tasks: Vec<Task>,
    /// Split tasks as a whole, whose partial states are merged in a second region.
    merges: Vec<Task>,
    partials_len: usize,
    in_parallel: bool,
}

/// Rows (times heads of a group) of a task where there are enough: the keys and values of a block
/// are read from the second-level cache once for so many.
const TASK_ROWS: usize = 96;
/// Multiply-adds below which a call is not worth a second thread.
const MIN_PARALLEL: usize = 1 << 17;
/// Blocks that a part of a split cache has at least.
const MIN_SPLIT: usize = 4;

impl Plan {
    fn new(cpu: &Cpu, arena: &KvArena, segments: &[Segment<'_>], params: AttentionParams) -> Self {
        let shape = arena.shape();
        let group = params.n_heads / shape.n_kv_heads;
        let work: usize = segments
            .iter()
            .map(|s| s.n_rows * (s.pos0 + s.n_rows).min(params.window.unwrap_or(usize::MAX)))
            .sum();
        let in_parallel =
            cpu.n_threads() > 1 && work * params.n_heads * shape.d_head >= MIN_PARALLEL;
        let wanted = if in_parallel { 4 * cpu.n_threads() } else { 1 };
        // Fewer rows per task where there would be fewer tasks than threads can share evenly.
        let n_rows: usize = segments.iter().map(|s| s.n_rows).sum();
        let fair = (n_rows * shape.n_kv_heads).div_ceil(wanted).next_multiple_of(tile::ROWS);
        let rows = (TASK_ROWS / group).min(fair).max(1);
        let mut plan = Self { tasks: Vec::new(), merges: Vec::new(), partials_len: 0, in_parallel };
        for (segment, s) in segments.iter().enumerate() {
            // Late rows see most: first, so that the threads end together.
            for chunk in (0..s.n_rows.div_ceil(rows)).rev() {
                let rows = chunk * rows..s.n_rows.min((chunk + 1) * rows);
                let first = s.pos0 + rows.start + 1;
                let first = params.window.map_or(0, |w| first.saturating_sub(w)) / KV_BLOCK;
                let blocks = first..(s.pos0 + rows.end).div_ceil(KV_BLOCK);
                for kv_head in 0..shape.n_kv_heads {
                    let (rows, blocks) = (rows.clone(), blocks.clone());
                    plan.tasks.push(Task { segment, kv_head, rows, blocks, partials: None });
                }
            }
        }
        if plan.tasks.len() < wanted && in_parallel {
            let n = wanted.div_ceil(plan.tasks.len());
            plan.split(n, &|rows| {
                state_len(forward::padded_rows(cpu.isa(), rows * group), arena.layout().d_pad())
            });
        }
        plan
    }

    /// Cuts the blocks of each task into up to `n` parts.
    fn split(&mut self, n: usize, state_len: &dyn Fn(usize) -> usize) {
        for task in std::mem::take(&mut self.tasks) {
            let n_blocks = task.blocks.len();
            let step = n_blocks.div_ceil(n).max(MIN_SPLIT);
            if step >= n_blocks {
                self.tasks.push(task);
                continue;
            }
            let len = state_len(task.rows.len());
            let whole = Task { partials: Some(self.partials_len), ..task };
            for i in (0..n_blocks).step_by(step) {
                let from = whole.blocks.start + i;
                let blocks = from..whole.blocks.end.min(from + step);
                let partials = Some(self.partials_len + i * len);
                self.tasks.push(Task { blocks, partials, ..whole.clone() });
            }
            self.partials_len += n_blocks * len;
            self.merges.push(whole);
        }
    }
}

/// Merges the partial states of a split task in order of its blocks and writes its output.
#[expect(unsafe_code, reason = "the partial states of one split task")]
fn merge(isa: crate::Isa, call: &Call<'_>, task: &Task) {
    let Some(at) = task.partials else { return };
    let group = call.params.n_heads / call.arena.shape().n_kv_heads;
    let n = forward::padded_rows(isa, task.rows.len() * group);
    let len = state_len(n, call.arena.layout().d_pad());
    // SAFETY: the tasks that wrote these states have ended; each merge has its own.
    let states = unsafe { call.partials.take(at..at + task.blocks.len() * len) };
    let (first, rest) = states.split_at_mut(len);
    let mut state = State::new(first, n);
    for block in rest.chunks_exact_mut(len) {
        state.merge(isa, block);
    }
    forward::write_output(isa, call, task, &mut state);
}
