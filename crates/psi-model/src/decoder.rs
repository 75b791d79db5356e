//! The decoder: one forward pass for prefill, decoding and training, for every configuration.

use std::{collections::HashMap, sync::Arc};

use psi_kernels::{
    Cpu, Format, Matrix,
    attention::AttentionParams,
    kv::{KvArena, KvShape},
    rope::RopeRows,
};
use psi_tensor::{Graph, LayerNorm, Linear, Parameter, RmsNorm, RopeTables, Var, Vector, Weight};

use crate::{
    Batch, Config, Rope, TensorId, TensorInfo, Want,
    block::{AdaptedRows, Attention, Block, BlockNorm, Context, Experts, FeedForward, Mlp, normed},
    config::NormKind,
    tensors::Role,
};

/// A decoder-only transformer with its weights.
#[derive(Clone, Debug)]
pub struct Decoder {
    config: Config,
    embed: Weight,
    positions: Option<Weight>,
    blocks: Vec<Block>,
    final_norm: Option<BlockNorm>,
    /// `None`: tied to `embed`.
    head: Option<Weight>,
    /// Remarks of the loader.
    pub(crate) notes: Vec<String>,
}

/// A tensor on its way into the decoder.
#[derive(Clone, Debug)]
pub(crate) enum Tensor {
    Weight(Weight),
    Vector(Vector),
}

impl Decoder {
    /// A decoder from f32 values, row-major (n, k), that `values` gives for each tensor of
    /// [`Config::tensors`]; matrices are packed as `format`, or as bf16 where their rows are no whole
    /// number of its blocks.
    ///
    /// # Panics
    /// When `values` gives a wrong number of values.
    pub fn from_values(
        cpu: &Cpu,
        config: &Config,
        format: Format,
        mut values: impl FnMut(&TensorInfo) -> Vec<f32>,
    ) -> Self {
        let tensors = config.tensors().into_iter().map(|info| {
            let values = values(&info);
            assert_eq!(values.len(), info.n * info.k, "values of {}", info.id);
            let tensor = match info.id.role.is_vector() {
                true => Tensor::Vector(Vector::new(values)),
                false => {
                    let format = fitting(format, info.k);
                    let matrix = Matrix::from_f32(cpu, format, info.n, info.k, &values);
                    Tensor::Weight(Weight::new(matrix))
                }
            };
            (info.id, tensor)
        });
        Self::assemble(config.clone(), tensors.collect())
    }

    /// What this decoder is.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the loader has to say to the user: keys without effect, parts that were left out.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What the key/value cache stores per position.
    pub fn kv_shape(&self) -> KvShape {
        self.config.kv_shape()
    }

    /// [`Config::n_matrix_params`] of its configuration.
    pub fn n_matrix_params(&self) -> u64 {
        self.config.n_matrix_params()
    }

    /// The format of the blocks' matrices (of the first query projection; files may mix several).
    pub fn format(&self) -> Format {
        self.blocks.first().map_or(self.embed.format(), |b| b.attn.w_q.weight.format())
    }

    /// Bytes of all matrices' panels.
    pub fn weight_bytes(&self) -> usize {
        let mut sum = 0;
        self.clone().for_each_parameter(&mut |_, p| {
            if let Parameter::Weight(w) = p {
                sum += w.matrix().bytes();
            }
        });
        sum
    }

    /// Logits (rows, vocab_size) of the rows that `want` names.
    ///
    /// Keys and values of the batch go into `cache`, at the blocks that the segments name. In a graph
    /// that records, segments start at position 0, and a cache of a single layer is enough: gradients
    /// use the recorded keys and values.
    ///
    /// A sequence's logits have the same bits whatever else is in the batch, however its prompt was cut,
    /// on any number of threads, and whether the graph records or not.
    ///
    /// # Panics
    /// When a token is outside the vocabulary, a position outside a learned table, or segments, cache and
    /// configuration do not fit together.
    #[track_caller]
    pub fn forward<'g>(
        &self,
        graph: &'g Graph,
        batch: &Batch<'_>,
        cache: &mut KvArena,
        want: Want<'_>,
    ) -> Var<'g> {
        let x = self.features(graph, batch, cache, want);
        self.logits(x)
    }

    /// The normed residual stream (rows, d_model) of the rows that `want` names: what the output head
    /// reads, and what embeddings of texts are made of.
    ///
    /// # Panics
    /// As [`Decoder::forward`].
    #[track_caller]
    pub fn features<'g>(
        &self,
        graph: &'g Graph,
        batch: &Batch<'_>,
        cache: &mut KvArena,
        want: Want<'_>,
    ) -> Var<'g> {
        let x = self.hidden(graph, batch, cache);
        let x = match want.rows(batch) {
            Some(rows) => x.gather_rows(&rows),
            None => x,
        };
        normed(x, self.final_norm.as_ref())
    }

    /// sum(w_i log p_i) over the rows that `want` names, with p_i the probability of target t_i after the
    /// i-th of them, and the log-probabilities themselves (0 where there is no target): a training loss,
    /// whose logits are those of [`Decoder::forward`] but exist for a few rows at a time only.
    ///
    /// # Panics
    /// As [`Decoder::forward`], and when there are not one target and weight per row.
    #[track_caller]
    pub fn weighted_log_probs<'g>(
        &self,
        graph: &'g Graph,
        batch: &Batch<'_>,
        cache: &mut KvArena,
        want: Want<'_>,
        (targets, weights): (&[Option<u32>], &[f32]),
    ) -> (Var<'g>, Vec<f32>) {
        let x = self.features(graph, batch, cache, want);
        let head = self.head.as_ref().unwrap_or(&self.embed);
        if self.config.final_softcap.is_none() {
            return x.weighted_log_probs(head, targets, weights);
        }
        let log_probs = self.logits(x).log_probs(targets);
        (log_probs.weighted_sum(weights), log_probs.to_vec())
    }

    /// Mean of -log p_i over the rows that have a target, in nats (0 if none has).
    ///
    /// # Panics
    /// As [`Decoder::weighted_log_probs`].
    #[track_caller]
    pub fn cross_entropy<'g>(
        &self,
        graph: &'g Graph,
        batch: &Batch<'_>,
        cache: &mut KvArena,
        targets: &[Option<u32>],
    ) -> Var<'g> {
        let n = targets.iter().flatten().count();
        let weight = |t: &Option<u32>| if t.is_some() { -1.0 / n as f32 } else { 0.0 };
        let weights: Vec<f32> = targets.iter().map(weight).collect();
        self.weighted_log_probs(graph, batch, cache, Want::All, (targets, &weights)).0
    }

    /// The residual stream after the last block, before the final norm: (rows, d_model).
    #[track_caller]
    pub fn hidden<'g>(&self, graph: &'g Graph, batch: &Batch<'_>, cache: &mut KvArena) -> Var<'g> {
        batch.assert_covered();
        let n_layers = cache.shape().n_layers;
        let one_layer = graph.is_training() && n_layers == 1;
        assert!(n_layers == self.blocks.len() || one_layer, "a cache of {n_layers} layers");
        let positions = batch.positions();
        let rope = self.rope_tables(batch, &positions, &self.config.rope);
        let local_rope = self.config.local_rope.as_ref();
        let local_rope = local_rope.map(|r| self.rope_tables(batch, &positions, r));
        let adapted_rows = batch.adapted_rows();
        let mut x = graph.scope(|| self.embed(graph, batch.tokens, &positions));
        for (i, (block, kind)) in self.blocks.iter().zip(&self.config.layers).enumerate() {
            let context = Context {
                cache: (&mut *cache, if one_layer { 0 } else { i }),
                segments: batch.segments,
                rope: match (kind.rope, kind.local_rope) {
                    (false, _) => None,
                    (true, false) => Some(&rope),
                    (true, true) => local_rope.as_ref(),
                },
                adapted: AdaptedRows { rows: &adapted_rows, layer: i },
            };
            x = match graph.recompute() {
                None => graph.scope_from(x, |x| block.forward(x, context)),
                Some(recompute) => x.recomputed(recompute, block.part(&context)),
            };
        }
        x
    }

    fn embed<'g>(&self, graph: &'g Graph, tokens: &[u32], positions: &[u32]) -> Var<'g> {
        let x = graph.embed(&self.embed, tokens); // (T, D)
        let x = if self.config.embed_scale == 1.0 { x } else { x.scale(self.config.embed_scale) };
        match &self.positions {
            Some(table) => x + graph.embed(table, positions),
            None => x,
        }
    }

    fn logits<'g>(&self, x: Var<'g>) -> Var<'g> {
        let head = self.head.as_ref().unwrap_or(&self.embed);
        let logits = x.linear(&Linear::new(head.clone())); // (T, V)
        self.config.final_softcap.map_or(logits, |c| logits.softcap(c))
    }

    /// Tables for every row: one run per stretch of sequences with the same frequencies.
    fn rope_tables(&self, batch: &Batch<'_>, positions: &[u32], rope: &Rope) -> Arc<RopeTables> {
        let mut runs: Vec<(usize, RopeRows)> = Vec::new();
        if !rope.depends_on_length() {
            let (inv_freq, factor) = rope.frequencies(1);
            runs.push((positions.len(), RopeRows::new(positions, &inv_freq, factor)));
            return Arc::new(RopeTables { runs });
        }
        for (i, s) in batch.segments.iter().enumerate() {
            let (inv_freq, factor) = rope.frequencies(batch.rope_len(i));
            let rows = &positions[s.row0..s.row0 + s.n_rows];
            runs.push((rows.len(), RopeRows::new(rows, &inv_freq, factor)));
        }
        Arc::new(RopeTables { runs })
    }

    /// Calls `f` with every tensor of [`Config::tensors`], in that order.
    pub fn for_each_parameter(&mut self, f: &mut dyn FnMut(TensorInfo, Parameter<'_>)) {
        for info in self.config.tensors() {
            let parameter = self.parameter(info.id);
            f(info, parameter);
        }
    }

    /// Calls `f` with every linear layer of the blocks (not the head), named by its matrix: where adapters
    /// are attached, merged and removed.
    pub fn for_each_linear(&mut self, f: &mut dyn FnMut(TensorId, &mut Linear)) {
        for (i, block) in self.blocks.iter_mut().enumerate() {
            let id = |role, expert| TensorId { layer: Some(i as u32), expert, role };
            let Attention { w_q, w_k, w_v, w_o, .. } = &mut block.attn;
            let attn = [(Role::Q, w_q), (Role::K, w_k), (Role::V, w_v), (Role::O, w_o)];
            attn.into_iter().for_each(|(role, linear)| f(id(role, None), linear));
            let mut mlp = |mlp: &mut Mlp, roles: [Role; 3], expert| {
                if let Some(gate) = &mut mlp.w_gate {
                    f(id(roles[0], expert), gate);
                }
                f(id(roles[1], expert), &mut mlp.w_up);
                f(id(roles[2], expert), &mut mlp.w_down);
            };
            match &mut block.mlp {
                FeedForward::Dense(dense) => mlp(dense, [Role::Gate, Role::Up, Role::Down], None),
                FeedForward::Experts(experts) => {
                    let roles = [Role::ExpertGate, Role::ExpertUp, Role::ExpertDown];
                    for (e, expert) in experts.experts.iter_mut().enumerate() {
                        mlp(expert, roles, Some(e as u32));
                    }
                }
            }
        }
    }

    /// One tensor.
    ///
    /// # Panics
    /// When the model has no such tensor.
    #[track_caller]
    pub fn parameter(&mut self, id: TensorId) -> Parameter<'_> {
        let found = match id.layer {
            None => self.outer_parameter(id.role),
            Some(i) => {
                self.blocks.get_mut(i as usize).and_then(|b| block_parameter(b, id.expert, id.role))
            }
        };
        found.unwrap_or_else(|| panic!("this model has no tensor '{id}'"))
    }

    fn outer_parameter(&mut self, role: Role) -> Option<Parameter<'_>> {
        match role {
            Role::Embed => Some(Parameter::Weight(&mut self.embed)),
            Role::Positions => self.positions.as_mut().map(Parameter::Weight),
            Role::Head => self.head.as_mut().map(Parameter::Weight),
            Role::FinalNorm => norm_weight(&mut self.final_norm),
            Role::FinalNormBias => norm_bias(&mut self.final_norm),
            _ => None,
        }
    }

    /// Puts tensors into their places.
    pub(crate) fn assemble(config: Config, tensors: HashMap<TensorId, Tensor>) -> Self {
        let mut parts = Parts { config: &config, tensors, layer: None };
        let embed = parts.weight(Role::Embed, None);
        let positions = config.learned_positions.then(|| parts.weight(Role::Positions, None));
        let mut blocks = Vec::with_capacity(config.n_layers);
        for i in 0..config.n_layers {
            parts.layer = Some(i as u32);
            blocks.push(parts.block());
        }
        parts.layer = None;
        let final_norm = parts.norm(Role::FinalNorm, Role::FinalNormBias);
        let head = (!config.tied_embeddings).then(|| parts.weight(Role::Head, None));
        assert!(parts.tensors.is_empty(), "no place for {:?}", parts.tensors.keys());
        Self { embed, positions, blocks, final_norm, head, config, notes: Vec::new() }
    }
}

/// `format`, or bf16 if rows of `k` are no whole number of its blocks.
pub(crate) fn fitting(format: Format, k: usize) -> Format {
    match format {
        Format::Quant(block) if !k.is_multiple_of(block.block_len()) => Format::Bf16,
        format => format,
    }
}

fn norm_weight(norm: &mut Option<BlockNorm>) -> Option<Parameter<'_>> {
    norm.as_mut().map(|norm| match norm {
        BlockNorm::Rms(n) => Parameter::Vector(&mut n.weight),
        BlockNorm::Layer(n) => Parameter::Vector(&mut n.weight),
    })
}

fn norm_bias(norm: &mut Option<BlockNorm>) -> Option<Parameter<'_>> {
    match norm {
        Some(BlockNorm::Layer(n)) => Some(Parameter::Vector(&mut n.bias)),
        _ => None,
    }
}

fn block_parameter(block: &mut Block, expert: Option<u32>, role: Role) -> Option<Parameter<'_>> {
    let Block { attn_norm, attn, post_attn_norm, mlp_norm, mlp, post_mlp_norm } = block;
    match role {
        Role::AttnNorm => norm_weight(attn_norm),
        Role::AttnNormBias => norm_bias(attn_norm),
        Role::PostAttnNorm => norm_weight(post_attn_norm),
        Role::MlpNorm => norm_weight(mlp_norm),
        Role::MlpNormBias => norm_bias(mlp_norm),
        Role::PostMlpNorm => norm_weight(post_mlp_norm),
        Role::Q => Some(Parameter::Weight(&mut attn.w_q.weight)),
        Role::K => Some(Parameter::Weight(&mut attn.w_k.weight)),
        Role::V => Some(Parameter::Weight(&mut attn.w_v.weight)),
        Role::O => Some(Parameter::Weight(&mut attn.w_o.weight)),
        Role::QBias => attn.w_q.bias.as_mut().map(Parameter::Vector),
        Role::KBias => attn.w_k.bias.as_mut().map(Parameter::Vector),
        Role::VBias => attn.w_v.bias.as_mut().map(Parameter::Vector),
        Role::OBias => attn.w_o.bias.as_mut().map(Parameter::Vector),
        Role::QNorm => attn.q_norm.as_mut().map(|n| Parameter::Vector(&mut n.weight)),
        Role::KNorm => attn.k_norm.as_mut().map(|n| Parameter::Vector(&mut n.weight)),
        _ => mlp_parameter(mlp, expert, role),
    }
}

fn mlp_parameter(mlp: &mut FeedForward, expert: Option<u32>, role: Role) -> Option<Parameter<'_>> {
    let mlp = match mlp {
        FeedForward::Dense(mlp) => mlp,
        FeedForward::Experts(experts) => match expert {
            None => return Some(Parameter::Weight(&mut experts.router.weight)),
            Some(e) => experts.experts.get_mut(e as usize)?,
        },
    };
    match role {
        Role::Gate | Role::ExpertGate => {
            mlp.w_gate.as_mut().map(|l| Parameter::Weight(&mut l.weight))
        }
        Role::Up | Role::ExpertUp => Some(Parameter::Weight(&mut mlp.w_up.weight)),
        Role::Down | Role::ExpertDown => Some(Parameter::Weight(&mut mlp.w_down.weight)),
        Role::GateBias => mlp.w_gate.as_mut()?.bias.as_mut().map(Parameter::Vector),
        Role::UpBias => mlp.w_up.bias.as_mut().map(Parameter::Vector),
        Role::DownBias => mlp.w_down.bias.as_mut().map(Parameter::Vector),
        _ => None,
    }
}

/// Tensors waiting for their places.
struct Parts<'a> {
    config: &'a Config,
    tensors: HashMap<TensorId, Tensor>,
    layer: Option<u32>,
}

impl Parts<'_> {
    fn take(&mut self, role: Role, expert: Option<u32>) -> Option<Tensor> {
        self.tensors.remove(&TensorId { layer: self.layer, expert, role })
    }

    fn weight(&mut self, role: Role, expert: Option<u32>) -> Weight {
        match self.take(role, expert) {
            Some(Tensor::Weight(w)) => w,
            other => unreachable!("Config::tensors lists {role:?} of {:?}: {other:?}", self.layer),
        }
    }

    fn vector(&mut self, role: Role) -> Option<Vector> {
        match self.take(role, None) {
            Some(Tensor::Vector(v)) => Some(v),
            _ => None,
        }
    }

    fn norm(&mut self, weight: Role, bias: Role) -> Option<BlockNorm> {
        let norm = self.config.norm;
        let weight = self.vector(weight)?;
        Some(match norm.kind {
            NormKind::Rms => BlockNorm::Rms(RmsNorm { weight, offset: norm.offset, eps: norm.eps }),
            NormKind::Layer => {
                let bias = self.vector(bias);
                let bias = bias.unwrap_or_else(|| Vector::new(vec![0.0; weight.values().len()]));
                BlockNorm::Layer(LayerNorm { weight, bias, eps: norm.eps })
            }
        })
    }

    fn qk_norm(&mut self, role: Role) -> Option<RmsNorm> {
        let norm = self.config.norm;
        self.vector(role).map(|weight| RmsNorm { weight, offset: norm.offset, eps: norm.eps })
    }

    fn linear(&mut self, weight: Role, bias: Role) -> Linear {
        let weight = self.weight(weight, None);
        Linear::with_bias(weight, self.vector(bias))
    }

    fn block(&mut self) -> Block {
        let c = self.config;
        let kind = c.layers[self.layer.unwrap_or_default() as usize];
        let w_q = self.linear(Role::Q, Role::QBias);
        Block {
            attn_norm: self.norm(Role::AttnNorm, Role::AttnNormBias),
            attn: Attention {
                w_k: self.linear(Role::K, Role::KBias),
                w_v: self.linear(Role::V, Role::VBias),
                w_o: self.linear(Role::O, Role::OBias),
                q_norm: self.qk_norm(Role::QNorm),
                k_norm: self.qk_norm(Role::KNorm),
                d_head: c.d_head,
                params: AttentionParams {
                    n_heads: c.n_heads,
                    scale: c.attn_scale,
                    window: kind.window,
                    softcap: c.attn_softcap,
                    gradient: w_q.weight.compute(),
                },
                w_q,
            },
            post_attn_norm: self.norm(Role::PostAttnNorm, Role::AttnNormBias),
            mlp_norm: self.norm(Role::MlpNorm, Role::MlpNormBias),
            mlp: self.feed_forward(kind.sparse),
            post_mlp_norm: self.norm(Role::PostMlpNorm, Role::MlpNormBias),
        }
    }

    fn feed_forward(&mut self, sparse: bool) -> FeedForward {
        let activation = self.config.activation;
        let Some(moe) = self.config.moe.filter(|_| sparse) else {
            return FeedForward::Dense(Mlp {
                w_gate: self.config.gated.then(|| self.linear(Role::Gate, Role::GateBias)),
                w_up: self.linear(Role::Up, Role::UpBias),
                w_down: self.linear(Role::Down, Role::DownBias),
                activation,
            });
        };
        let expert = |e: u32, parts: &mut Self| Mlp {
            w_gate: Some(Linear::new(parts.weight(Role::ExpertGate, Some(e)))),
            w_up: Linear::new(parts.weight(Role::ExpertUp, Some(e))),
            w_down: Linear::new(parts.weight(Role::ExpertDown, Some(e))),
            activation,
        };
        FeedForward::Experts(Experts {
            router: Linear::new(self.weight(Role::Router, None)),
            experts: (0..moe.n_experts as u32).map(|e| expert(e, self)).collect(),
            top_k: moe.top_k,
            norm_topk_prob: moe.norm_topk_prob,
        })
    }
}
