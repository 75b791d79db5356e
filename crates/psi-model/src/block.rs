//! One block: attention and a feed-forward part, each beside a residual connection.

use std::{ops::Range, sync::Arc};

use psi_kernels::{
    activation::Activation,
    attention::AttentionParams,
    kv::{KvArena, KvShape, Segment},
};
use psi_tensor::{ExpertPart, LayerNorm, Linear, Part, RmsNorm, RopeTables, RowAdapter, Var};

use crate::{Adapter, tensors::Role};

/// A norm of the residual stream.
#[derive(Clone, Debug)]
pub(crate) enum BlockNorm {
    Rms(RmsNorm),
    Layer(LayerNorm),
}

/// A transformer block. A norm that the placement leaves out is `None`, so one forward serves pre-norm,
/// post-norm and sandwich.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) attn_norm: Option<BlockNorm>,
    pub(crate) attn: Attention,
    pub(crate) post_attn_norm: Option<BlockNorm>,
    pub(crate) mlp_norm: Option<BlockNorm>,
    pub(crate) mlp: FeedForward,
    pub(crate) post_mlp_norm: Option<BlockNorm>,
}

/// Multi-head attention with grouped keys and values. Ainslie et al. 2023 (GQA).
#[derive(Clone, Debug)]
pub(crate) struct Attention {
    pub(crate) w_q: Linear,
    pub(crate) w_k: Linear,
    pub(crate) w_v: Linear,
    pub(crate) w_o: Linear,
    pub(crate) q_norm: Option<RmsNorm>,
    pub(crate) k_norm: Option<RmsNorm>,
    pub(crate) d_head: usize,
    pub(crate) params: AttentionParams,
}

/// The feed-forward part.
#[derive(Clone, Debug)]
pub(crate) enum FeedForward {
    Dense(Mlp),
    Experts(Experts),
}

/// w_down (act(w_gate x) * w_up x), or w_down act(w_up x) without a gate. Shazeer 2020.
#[derive(Clone, Debug)]
pub(crate) struct Mlp {
    pub(crate) w_gate: Option<Linear>,
    pub(crate) w_up: Linear,
    pub(crate) w_down: Linear,
    pub(crate) activation: Activation,
}

/// A mixture of experts. Jiang et al. 2024, section 2.1.
#[derive(Clone, Debug)]
pub(crate) struct Experts {
    pub(crate) router: Linear,
    pub(crate) experts: Vec<Mlp>,
    pub(crate) top_k: usize,
    pub(crate) norm_topk_prob: bool,
}

/// What a layer's attention needs to know about the batch.
pub(crate) struct Context<'a> {
    /// The cache and this layer's index in it.
    pub(crate) cache: (&'a mut KvArena, usize),
    pub(crate) segments: &'a [Segment<'a>],
    /// `None` for layers without RoPE.
    pub(crate) rope: Option<&'a Arc<RopeTables>>,
    pub(crate) adapted: AdaptedRows<'a>,
}

/// The rows of a batch that have an adapter, in one layer.
#[derive(Clone, Copy)]
pub(crate) struct AdaptedRows<'a> {
    pub(crate) rows: &'a [(Range<usize>, &'a Adapter)],
    pub(crate) layer: usize,
}

impl AdaptedRows<'_> {
    /// The layers' products of x, with what the rows' adapters add.
    fn linear_many<'g, const N: usize>(
        self,
        x: Var<'g>,
        layers: [(Role, &Linear); N],
    ) -> [Var<'g>; N] {
        let adapters = layers.map(|(role, _)| self.adapters(role));
        x.linear_many_adapted(layers.map(|(_, layer)| layer), adapters.each_ref().map(|a| &a[..]))
    }

    fn linear<'g>(self, x: Var<'g>, role: Role, layer: &Linear) -> Var<'g> {
        let [y] = self.linear_many(x, [(role, layer)]);
        y
    }

    fn adapters(&self, role: Role) -> Vec<RowAdapter<'_>> {
        let found = self.rows.iter().filter_map(|(rows, adapter)| {
            let (lora, gains) = adapter.linear(self.layer, role)?;
            Some(RowAdapter { rows: rows.clone(), lora, gains })
        });
        found.collect()
    }
}

impl Block {
    /// x + norm(attn(norm(x))), then x + norm(mlp(norm(x))), with the norms that the model has.
    pub(crate) fn forward<'g>(&self, x: Var<'g>, context: Context<'_>) -> Var<'g> {
        let adapted = context.adapted;
        let attn = self.attn.forward(normed(x, self.attn_norm.as_ref()), context); // (T, D)
        let x = x + normed(attn, self.post_attn_norm.as_ref());
        let mlp = self.mlp.forward(normed(x, self.mlp_norm.as_ref()), adapted);
        x + normed(mlp, self.post_mlp_norm.as_ref())
    }
}

impl Block {
    /// [`Block::forward`] as a function that can be run again, with a cache of its own.
    pub(crate) fn part(&self, context: &Context<'_>) -> Part {
        let (block, rope) = (self.clone(), context.rope.map(Arc::clone));
        let segments: Vec<(usize, usize, usize, Vec<u32>)> = context
            .segments
            .iter()
            .map(|s| (s.row0, s.n_rows, s.pos0, s.blocks.to_vec()))
            .collect();
        let (arena, _) = &context.cache;
        let (shape, dtype, n_blocks) = (arena.shape(), arena.dtype(), arena.n_blocks());
        Box::new(move |x| {
            let shape = KvShape { n_layers: 1, ..shape };
            let mut cache = KvArena::new(shape, dtype, n_blocks);
            let segments: Vec<Segment<'_>> = segments
                .iter()
                .map(|&(row0, n_rows, pos0, ref blocks)| Segment { row0, n_rows, pos0, blocks })
                .collect();
            let cache = (&mut cache, 0);
            let adapted = AdaptedRows { rows: &[], layer: 0 };
            block.forward(x, Context { cache, segments: &segments, rope: rope.as_ref(), adapted })
        })
    }
}

/// norm(x), or x without a norm.
pub(crate) fn normed<'g>(x: Var<'g>, norm: Option<&BlockNorm>) -> Var<'g> {
    match norm {
        None => x,
        Some(BlockNorm::Rms(norm)) => x.rms_norm(norm),
        Some(BlockNorm::Layer(norm)) => x.layer_norm(norm),
    }
}

impl Attention {
    fn forward<'g>(&self, x: Var<'g>, context: Context<'_>) -> Var<'g> {
        let adapted = context.adapted;
        let inputs = [(Role::Q, &self.w_q), (Role::K, &self.w_k), (Role::V, &self.w_v)];
        let [q, k, v] = adapted.linear_many(x, inputs); // (T, H), (T, K), (T, K)
        let q = self.q_norm.as_ref().map_or(q, |norm| q.rms_norm(norm));
        let k = self.k_norm.as_ref().map_or(k, |norm| k.rms_norm(norm));
        let turn = |x: Var<'g>| context.rope.map_or(x, |tables| x.rope(self.d_head, tables));
        let (q, k) = (turn(q), turn(k));
        let y = q.attention(k, v, context.cache, context.segments, self.params); // (T, H)
        adapted.linear(y, Role::O, &self.w_o)
    }
}

impl FeedForward {
    fn forward<'g>(&self, x: Var<'g>, adapted: AdaptedRows<'_>) -> Var<'g> {
        match self {
            Self::Dense(mlp) => mlp.forward(x, adapted),
            Self::Experts(experts) => experts.forward(x),
        }
    }
}

impl Mlp {
    fn forward<'g>(&self, x: Var<'g>, adapted: AdaptedRows<'_>) -> Var<'g> {
        let up = (Role::Up, &self.w_up);
        let hidden = match &self.w_gate {
            Some(w_gate) => {
                let [gate, up] = adapted.linear_many(x, [(Role::Gate, w_gate), up]); // (T, F), (T, F)
                gate.gated(self.activation, up)
            }
            None => adapted.linear(x, up.0, up.1).activate(self.activation),
        };
        adapted.linear(hidden, Role::Down, &self.w_down)
    }
}

impl Experts {
    fn forward<'g>(&self, x: Var<'g>) -> Var<'g> {
        let routing = x.linear(&self.router).route(self.top_k, self.norm_topk_prob); // (T, k)
        let parts = routing.by_expert();
        // Experts have no adapters of their own: `Adapter::load` refuses them.
        let adapted = AdaptedRows { rows: &[], layer: 0 };
        let run = |part: &ExpertPart| {
            self.experts[part.expert].forward(x.gather_rows(&part.rows), adapted)
        };
        let outputs: Vec<Var<'g>> = parts.iter().map(run).collect();
        routing.combine(x.cols(), &parts, &outputs)
    }
}
