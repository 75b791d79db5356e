//! One micro-batch: forward, loss, backward.

use std::sync::Arc;

use psi_kernels::{
    Cpu,
    kv::{KV_BLOCK, KvArena, KvDtype, KvShape, Segment},
};
use psi_model::{Batch, Decoder, Want};
use psi_tensor::{Gradients, Graph, Var};

use crate::data::{NO_TARGET, Rows};

/// What the loss of a run is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LossConfig {
    /// Weight of the squared log-sum-exp. Chowdhery et al. 2022 (PaLM), section 5.
    pub(crate) z_loss: f32,
}

/// A graph and the one-layer cache that its attention runs through, kept from step to step.
#[derive(Debug)]
pub(crate) struct Workspace {
    graph: Graph,
    cache: KvArena,
    shape: KvShape,
}

impl Workspace {
    /// `recompute`: layers keep their inputs only.
    pub(crate) fn new(cpu: &Arc<Cpu>, decoder: &Decoder, recompute: bool) -> Self {
        // The recorded keys and values make one layer of cache enough.
        let shape = KvShape { n_layers: 1, ..decoder.kv_shape() };
        let cache = KvArena::new(shape, KvDtype::F32, 1);
        let graph = if recompute { Graph::train_recomputing(cpu) } else { Graph::train(cpu) };
        Self { graph, cache, shape }
    }

    /// Sum of -ln p over the targets of `rows`; its gradient, divided by `n_targets` (those of the whole
    /// batch), is added to `gradients`.
    pub(crate) fn learn(
        &mut self,
        decoder: &Decoder,
        rows: &Rows,
        n_targets: usize,
        config: LossConfig,
        gradients: &mut Gradients,
    ) -> f64 {
        self.run(decoder, rows, |graph, logits, log_probs| {
            let scale = 1.0 / n_targets as f32;
            let weights = |w: f32| vec![w; log_probs.rows()];
            let mut loss = log_probs.weighted_sum(&weights(-scale));
            if config.z_loss > 0.0 {
                let squares = logits.squared_log_sum_exp();
                loss = loss + squares.weighted_sum(&weights(scale * config.z_loss));
            }
            graph.backward(loss, gradients);
        })
    }

    /// Sum of -ln p over the targets of `rows`.
    pub(crate) fn score(&mut self, decoder: &Decoder, rows: &Rows) -> f64 {
        self.run(decoder, rows, |_, _, _| {})
    }

    /// Runs the rows that have a target and gives their logits and log-probabilities to `then`.
    fn run(
        &mut self,
        decoder: &Decoder,
        rows: &Rows,
        then: impl FnOnce(&Graph, Var<'_>, Var<'_>),
    ) -> f64 {
        let counted: Vec<u32> =
            (0u32..).zip(&rows.targets).filter(|(_, t)| **t != NO_TARGET).map(|(i, _)| i).collect();
        if counted.is_empty() {
            return 0.0;
        }
        let blocks = self.blocks(&rows.segments);
        let mut row0 = 0;
        let segments: Vec<Segment<'_>> = rows
            .segments
            .iter()
            .zip(&blocks)
            .map(|(&n_rows, blocks)| {
                row0 += n_rows;
                Segment { row0: row0 - n_rows, n_rows, pos0: 0, blocks }
            })
            .collect();
        let all = counted.len() == rows.tokens.len();
        let want = if all { Want::All } else { Want::Rows(&counted) };
        self.graph.reset();
        let batch = Batch::new(&rows.tokens, &segments);
        let logits = decoder.forward(&self.graph, &batch, &mut self.cache, want);
        let targets: Vec<Option<u32>> =
            counted.iter().map(|&i| Some(rows.targets[i as usize])).collect();
        let log_probs = logits.log_probs(&targets);
        let nll = -log_probs.data().iter().map(|&p| f64::from(p)).sum::<f64>();
        then(&self.graph, logits, log_probs);
        nll
    }

    /// Cache blocks of every segment, after making the cache large enough.
    fn blocks(&mut self, segments: &[usize]) -> Vec<Vec<u32>> {
        let mut next = 0;
        let mut take = |n_rows: &usize| {
            let first = next;
            next += n_rows.div_ceil(KV_BLOCK) as u32;
            (first..next).collect()
        };
        let blocks = segments.iter().map(&mut take).collect();
        if next as usize > self.cache.n_blocks() {
            self.cache = KvArena::new(self.shape, KvDtype::F32, next as usize);
        }
        blocks
    }
}
