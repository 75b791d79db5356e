//! One micro-batch: forward, loss, backward.

use std::sync::Arc;

use psi_kernels::{
    Cpu,
    kv::{KV_BLOCK, KvArena, KvDtype, KvShape, Segment},
};
use psi_model::{Batch, Decoder, Want};
use psi_tensor::{Gradients, Graph};

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
        let Some(work) = self.work(rows) else { return 0.0 };
        self.graph.reset();
        let (graph, cache) = (&self.graph, &mut self.cache);
        let weights = |w: f32| vec![w; work.targets.len()];
        let scale = 1.0 / n_targets as f32;
        let segments = work.segments(rows);
        let batch = Batch::new(&rows.tokens, &segments);
        if config.z_loss == 0.0 {
            // Logits a few rows at a time.
            let scored = (work.targets.as_slice(), &*weights(-scale));
            let (loss, log_probs) =
                decoder.weighted_log_probs(graph, &batch, cache, work.want(), scored);
            graph.backward(loss, gradients);
            return nll(&log_probs);
        }
        let logits = decoder.forward(graph, &batch, cache, work.want());
        let log_probs = logits.log_probs(&work.targets);
        let sum = nll(&log_probs.data());
        let squares = logits.squared_log_sum_exp().weighted_sum(&weights(scale * config.z_loss));
        graph.backward(log_probs.weighted_sum(&weights(-scale)) + squares, gradients);
        sum
    }

    /// Log-probabilities of the targets of `rows`, in order, and the gradient of sum(w log p) with one weight
    /// for each, which is added to `gradients`.
    pub(crate) fn learn_weighted(
        &mut self,
        decoder: &Decoder,
        rows: &Rows,
        weights: &[f32],
        gradients: &mut Gradients,
    ) -> Vec<f32> {
        let Some(work) = self.work(rows) else { return Vec::new() };
        self.graph.reset();
        let segments = work.segments(rows);
        let batch = Batch::new(&rows.tokens, &segments);
        let scored = (work.targets.as_slice(), weights);
        let (graph, cache) = (&self.graph, &mut self.cache);
        let (loss, log_probs) =
            decoder.weighted_log_probs(graph, &batch, cache, work.want(), scored);
        self.graph.backward(loss, gradients);
        log_probs
    }

    /// Log-probabilities of the targets of `rows`, in order.
    pub(crate) fn log_probs(&mut self, decoder: &Decoder, rows: &Rows) -> Vec<f32> {
        let Some(work) = self.work(rows) else { return Vec::new() };
        self.graph.reset();
        let segments = work.segments(rows);
        let batch = Batch::new(&rows.tokens, &segments);
        let logits = decoder.forward(&self.graph, &batch, &mut self.cache, work.want());
        logits.log_probs(&work.targets).to_vec()
    }

    /// Sum of -ln p over the targets of `rows`.
    pub(crate) fn score(&mut self, decoder: &Decoder, rows: &Rows) -> f64 {
        nll(&self.log_probs(decoder, rows))
    }

    /// What is to be computed of `rows`; `None` if nothing has a target.
    fn work(&mut self, rows: &Rows) -> Option<Work> {
        let counted: Vec<u32> =
            (0u32..).zip(&rows.targets).filter(|(_, t)| **t != NO_TARGET).map(|(i, _)| i).collect();
        let targets: Vec<_> = counted.iter().map(|&i| Some(rows.targets[i as usize])).collect();
        let all = counted.len() == rows.tokens.len();
        (!counted.is_empty()).then(|| Work {
            blocks: self.blocks(&rows.segments),
            counted,
            targets,
            all,
        })
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

/// The rows of a micro-batch that have a target, and where its sequences' keys and values go.
struct Work {
    blocks: Vec<Vec<u32>>,
    counted: Vec<u32>,
    targets: Vec<Option<u32>>,
    /// Every row has one.
    all: bool,
}

impl Work {
    fn want(&self) -> Want<'_> {
        if self.all { Want::All } else { Want::Rows(&self.counted) }
    }

    fn segments(&self, rows: &Rows) -> Vec<Segment<'_>> {
        let mut row0 = 0;
        let segments = rows.segments.iter().zip(&self.blocks).map(|(&n_rows, blocks)| {
            row0 += n_rows;
            Segment { row0: row0 - n_rows, n_rows, pos0: 0, blocks }
        });
        segments.collect()
    }
}

/// Sum of -ln p.
fn nll(log_probs: &[f32]) -> f64 {
    -log_probs.iter().map(|&p| f64::from(p)).sum::<f64>()
}
