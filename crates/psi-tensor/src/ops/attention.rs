//! Causal attention through the key/value cache, forward as inference runs it.
//!
//! With P = softmax(mask(cap(s q kᵀ))) and o = P v (Vaswani et al. 2017, equation 1; cap is Gemma 2's soft
//! cap): d_v = Pᵀ d_o, d_P = d_o vᵀ, d_S = P (d_P - rowsum(P d_P)), times 1 - (cap(S) / c)² under a cap,
//! d_q = s d_S k, d_k = s d_Sᵀ q. Query heads of one key/value head add up in d_k and d_v.

use psi_kernels::{
    Cpu,
    attention::{self, AttentionParams},
    gemm::{Compute, GemmShape, Layout, gemm},
    kv::{self, KvArena, Segment},
};

use super::Backward;
use crate::{
    Var,
    graph::{Tape, ValueId},
    rows::map_tasks,
};

impl<'g> Var<'g> {
    /// Stores `k` and `v` (rows, n_kv_heads d_head) into `cache` at `layer`, then attends to all positions
    /// of each segment that its rows may see. `self` holds the queries (rows, n_heads d_head).
    ///
    /// A recording graph differentiates with respect to the rows at hand only, so its segments start
    /// at position 0.
    ///
    /// # Panics
    /// When shapes or block tables do not fit, or a recorded segment does not start at 0.
    #[track_caller]
    pub fn attention(
        self,
        k: Self,
        v: Self,
        (cache, layer): (&mut KvArena, usize),
        segments: &[Segment<'_>],
        params: AttentionParams,
    ) -> Self {
        self.assert_same_graph(k);
        self.assert_same_graph(v);
        let (graph, shape) = (self.graph, cache.shape());
        let (q_cols, kv_cols) = (params.n_heads * shape.d_head, shape.n_kv_heads * shape.d_head);
        assert_eq!(self.cols(), q_cols, "queries {self:?} of {} heads", params.n_heads);
        assert_eq!((k.cols(), v.cols()), (kv_cols, kv_cols), "keys {k:?}, values {v:?}, {shape:?}");
        assert_eq!((k.rows(), v.rows()), (self.rows(), self.rows()), "{self:?}, {k:?}, {v:?}");
        kv::store(graph.cpu(), cache, layer, segments, &k.data(), &v.data());
        let needs = self.needs_grad() || k.needs_grad() || v.needs_grad();
        let cache = &*cache;
        graph.compute(
            self.shape,
            needs,
            |values, y| {
                // Rows outside every segment (padding) must not carry an old buffer's content.
                if segments.iter().map(|s| s.n_rows).sum::<usize>() < self.rows() {
                    y.fill(0.0);
                }
                let q = values.get(self);
                attention::attention(graph.cpu(), cache, layer, segments, params, q, y);
            },
            || {
                let from_zero = segments.iter().all(|s| s.pos0 == 0);
                assert!(from_zero, "a recorded segment must start at position 0");
                Box::new(AttentionBack {
                    q: self.id,
                    k: k.id,
                    v: v.id,
                    segments: segments.iter().map(|s| (s.row0, s.n_rows)).collect(),
                    n_kv_heads: shape.n_kv_heads,
                    d_head: shape.d_head,
                    params,
                })
            },
        )
    }
}

struct AttentionBack {
    q: ValueId,
    k: ValueId,
    v: ValueId,
    /// First row and number of rows.
    segments: Vec<(usize, usize)>,
    n_kv_heads: usize,
    d_head: usize,
    params: AttentionParams,
}

/// Gradients of one key/value head of one segment: d_q of its query heads, d_k, d_v, each (t, d_head).
struct HeadGradients {
    d_q: Vec<Vec<f32>>,
    d_k: Vec<f32>,
    d_v: Vec<f32>,
}

impl Backward for AttentionBack {
    fn backward(&self, _y: ValueId, d_y: Vec<f32>, tape: &mut Tape<'_>) {
        let (q, k, v) = (tape.value(self.q), tape.value(self.k), tape.value(self.v));
        let n_heads = self.params.n_heads;
        let group = n_heads / self.n_kv_heads;
        let cpu = tape.cpu;
        let n_tasks = self.segments.len() * self.n_kv_heads;
        let parts = map_tasks(cpu, n_tasks, |task| {
            let segment = self.segments[task / self.n_kv_heads];
            self.head(cpu, segment, task % self.n_kv_heads, [q, k, v, &d_y])
        });
        let mut d_q = tape.buffers.zeros(q.len());
        let mut d_k = tape.buffers.zeros(k.len());
        let mut d_v = tape.buffers.zeros(v.len());
        for (task, part) in parts.iter().enumerate() {
            let (row0, _) = self.segments[task / self.n_kv_heads];
            let head = task % self.n_kv_heads;
            for (i, d) in part.d_q.iter().enumerate() {
                scatter(d, &mut d_q, row0, head * group + i, n_heads, self.d_head);
            }
            scatter(&part.d_k, &mut d_k, row0, head, self.n_kv_heads, self.d_head);
            scatter(&part.d_v, &mut d_v, row0, head, self.n_kv_heads, self.d_head);
        }
        tape.add(self.q, d_q);
        tape.add(self.k, d_k);
        tape.add(self.v, d_v);
        tape.buffers.put(d_y);
    }
}

impl AttentionBack {
    fn head(
        &self,
        cpu: &Cpu,
        (row0, t): (usize, usize),
        kv_head: usize,
        [q, k, v, d_o]: [&[f32]; 4],
    ) -> HeadGradients {
        let (d, n_heads) = (self.d_head, self.params.n_heads);
        let group = n_heads / self.n_kv_heads;
        let k = gather(k, row0, t, kv_head, self.n_kv_heads, d);
        let v = gather(v, row0, t, kv_head, self.n_kv_heads, d);
        let (mut d_k, mut d_v) = (vec![0.0; t * d], vec![0.0; t * d]);
        let mut d_qs = Vec::with_capacity(group);
        for head in kv_head * group..(kv_head + 1) * group {
            let q = gather(q, row0, t, head, n_heads, d);
            let d_o = gather(d_o, row0, t, head, n_heads, d);
            let mut p = vec![0.0; t * t];
            product(cpu, (t, t, d), Layout::Nt, &q, &k, &mut p);
            let slopes = self.softmax_rows(&mut p, t);
            product(cpu, (t, d, t), Layout::Tn, &p, &d_o, &mut d_v);
            let mut d_s = vec![0.0; t * t];
            product(cpu, (t, t, d), Layout::Nt, &d_o, &v, &mut d_s);
            for (i, (d_s, p)) in d_s.chunks_exact_mut(t).zip(p.chunks_exact(t)).enumerate() {
                let dot: f32 = p.iter().zip(&*d_s).map(|(p, d)| p * d).sum();
                for (j, (d_s, p)) in d_s.iter_mut().zip(p).enumerate() {
                    let slope = slopes.as_ref().map_or(1.0, |s| s[i * t + j]);
                    *d_s = p * (*d_s - dot) * slope * self.params.scale;
                }
            }
            let mut d_q = vec![0.0; t * d];
            product(cpu, (t, d, t), Layout::Nn, &d_s, &k, &mut d_q);
            product(cpu, (t, d, t), Layout::Tn, &d_s, &q, &mut d_k);
            d_qs.push(d_q);
        }
        HeadGradients { d_q: d_qs, d_k, d_v }
    }

    /// q kᵀ becomes P in place; under a soft cap, also returns the cap's derivative at each score.
    fn softmax_rows(&self, s: &mut [f32], t: usize) -> Option<Vec<f32>> {
        let AttentionParams { scale, window, softcap, .. } = self.params;
        let mut slopes = softcap.map(|_| vec![0.0; t * t]);
        for (i, row) in s.chunks_exact_mut(t).enumerate() {
            let first = window.map_or(0, |w| (i + 1).saturating_sub(w));
            row[..first].fill(0.0);
            row[i + 1..].fill(0.0);
            let seen = &mut row[first..=i];
            for (j, s) in seen.iter_mut().enumerate() {
                *s *= scale;
                if let (Some(c), Some(slopes)) = (softcap, &mut slopes) {
                    let tanh = (*s / c).tanh();
                    *s = c * tanh;
                    slopes[i * t + first + j] = 1.0 - tanh * tanh;
                }
            }
            let max = seen.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
            seen.iter_mut().for_each(|s| *s = (*s - max).exp());
            let sum: f32 = seen.iter().sum();
            seen.iter_mut().for_each(|s| *s /= sum);
        }
        slopes
    }
}

/// c += op(a) op(b), (m, n) over k, in f32.
fn product(
    cpu: &Cpu,
    (m, n, k): (usize, usize, usize),
    layout: Layout,
    a: &[f32],
    b: &[f32],
    c: &mut [f32],
) {
    let shape = GemmShape { m, n, k, layout, compute: Compute::F32, accumulate: true };
    gemm(cpu, shape, a, b, c);
}

/// The (t, d) table of one head out of rows of `n_heads` heads.
fn gather(x: &[f32], row0: usize, t: usize, head: usize, n_heads: usize, d: usize) -> Vec<f32> {
    let rows = (row0..row0 + t).map(|row| (row * n_heads + head) * d);
    rows.flat_map(|at| x[at..at + d].iter().copied()).collect()
}

/// Writes the (t, d) table of one head back into rows of `n_heads` heads.
fn scatter(from: &[f32], to: &mut [f32], row0: usize, head: usize, n_heads: usize, d: usize) {
    for (i, row) in from.chunks_exact(d).enumerate() {
        to[((row0 + i) * n_heads + head) * d..][..d].copy_from_slice(row);
    }
}

#[cfg(test)]
mod tests {
    use psi_kernels::{
        attention::AttentionParams,
        kv::{KvArena, KvDtype, KvShape, Segment},
    };

    use crate::gradcheck::check;

    fn check_attention(params: AttentionParams) {
        // Two sequences of 5 and 3 rows, two query heads per key/value head.
        let shape = KvShape { n_layers: 1, n_kv_heads: 2, d_head: 3 };
        check(&[(8, 12), (8, 6), (8, 6)], |x| {
            let mut cache = KvArena::new(shape, KvDtype::F32, 2);
            let segments = [
                Segment { row0: 0, n_rows: 5, pos0: 0, blocks: &[1] },
                Segment { row0: 5, n_rows: 3, pos0: 0, blocks: &[0] },
            ];
            x[0].attention(x[1], x[2], (&mut cache, 0), &segments, params)
        });
    }

    #[test]
    fn the_gradient_of_attention_matches_finite_differences() {
        let params = AttentionParams { n_heads: 4, scale: 0.6, window: None, softcap: None };
        check_attention(params);
        check_attention(AttentionParams { window: Some(2), ..params });
        check_attention(AttentionParams { softcap: Some(0.9), ..params });
    }
}
