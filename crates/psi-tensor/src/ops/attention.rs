//! Causal attention through the key/value cache, forward as inference runs it.
//!
//! With P = softmax(mask(cap(s q kᵀ))) and o = P v (Vaswani et al. 2017, equation 1; cap is Gemma 2's soft
//! cap): d_v = Pᵀ d_o, d_P = d_o vᵀ, d_S = P (d_P - rowsum(P d_P)), times 1 - (cap(S) / c)² under a cap,
//! d_q = s d_S k, d_k = s d_Sᵀ q. Query heads of one key/value head add up in d_k and d_v. A model whose weights are
//! bf16 computes these products in bf16 too (sums in f32): relative to f32, gradients differ by about 0.5 %.

use psi_kernels::{
    attention::{AttentionParams, attention, attention_backward, attention_with_lse},
    kv::{self, KvArena, Segment},
};

use super::Backward;
use crate::{
    Var,
    graph::{Tape, ValueId},
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
        let mut y = graph.buffer(self.shape.len());
        if !covers(segments.iter().map(|s| s.n_rows), self.rows()) {
            y.fill(0.0);
        }
        let mut lse = Vec::new();
        if graph.is_training() {
            lse.resize(self.rows() * params.n_heads, 0.0);
            let (cpu, q) = (graph.cpu(), self.data());
            attention_with_lse(cpu, cache, layer, segments, params, &q, &mut y, &mut lse);
        } else {
            attention(graph.cpu(), cache, layer, segments, params, &self.data(), &mut y);
        }
        graph.push(self.shape, y, needs, || {
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
                lse,
            })
        })
    }
}

/// Whether segments of these lengths are all of `n_rows` rows. Rows outside every segment (padding) must
/// not carry an old buffer's content.
fn covers(segments: impl Iterator<Item = usize>, n_rows: usize) -> bool {
    segments.sum::<usize>() == n_rows
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
    /// Logarithms of the softmax normalisers, (rows, n_heads).
    lse: Vec<f32>,
}

impl Backward for AttentionBack {
    fn backward(&self, y: ValueId, d_y: Vec<f32>, tape: &mut Tape<'_>) {
        let segment = |&(row0, n_rows)| Segment { row0, n_rows, pos0: 0, blocks: &[] };
        let segments: Vec<Segment<'_>> = self.segments.iter().map(segment).collect();
        let (q, k, v) = (tape.value(self.q), tape.value(self.k), tape.value(self.v));
        let all = covers(self.segments.iter().map(|s| s.1), tape.shape(self.q).rows);
        let mut buffer = |n| if all { tape.buffers.take(n) } else { tape.buffers.zeros(n) };
        let (mut d_q, mut d_k, mut d_v) = (buffer(q.len()), buffer(k.len()), buffer(v.len()));
        attention_backward(
            tape.cpu,
            &segments,
            self.params,
            self.n_kv_heads,
            self.d_head,
            q,
            k,
            v,
            tape.value(y),
            &d_y,
            &self.lse,
            &mut d_q,
            &mut d_k,
            &mut d_v,
        );
        tape.add(self.q, d_q);
        tape.add(self.k, d_k);
        tape.add(self.v, d_v);
        tape.buffers.put(d_y);
    }
}

#[cfg(test)]
mod tests {
    use psi_kernels::{
        attention::AttentionParams,
        gemm::Compute,
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
        let params = AttentionParams {
            n_heads: 4,
            scale: 0.6,
            window: None,
            softcap: None,
            gradient: Compute::F32,
        };
        check_attention(params);
        check_attention(AttentionParams { window: Some(2), ..params });
        check_attention(AttentionParams { softcap: Some(0.9), ..params });
    }
}
