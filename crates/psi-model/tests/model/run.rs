//! Running a decoder the way the tests need it: whole prompts, chunks, batches, greedy text.

use std::sync::Arc;

use psi_kernels::{
    Cpu, Isa,
    kv::{KV_BLOCK, KvArena, KvDtype, Segment},
};
use psi_model::{Batch, Decoder, Want};
use psi_tensor::Graph;

/// Two threads on the highest tier (lowered by `PSI_ISA`).
pub(crate) fn cpu() -> Arc<Cpu> {
    Arc::new(Cpu::new(Isa::from_env().expect("PSI_ISA names a tier of this machine"), 2))
}

/// An f32 cache for `n` positions of one sequence, and its block table.
pub(crate) fn cache(model: &Decoder, n: usize) -> (KvArena, Vec<u32>) {
    let n_blocks = n.div_ceil(KV_BLOCK);
    // Blocks out of order: a table that is ignored would show.
    let blocks = (0..n_blocks as u32).rev().collect();
    (KvArena::new(model.kv_shape(), KvDtype::F32, n_blocks), blocks)
}

/// Logits of every token of a prompt, in one pass.
pub(crate) fn logits(cpu: &Arc<Cpu>, model: &Decoder, tokens: &[u32]) -> Vec<f32> {
    let (mut cache, blocks) = cache(model, tokens.len());
    let segments = [Segment { row0: 0, n_rows: tokens.len(), pos0: 0, blocks: &blocks }];
    let graph = Graph::infer(cpu);
    model.forward(&graph, &Batch::new(tokens, &segments), &mut cache, Want::All).to_vec()
}

/// The index of the largest value; the first of equals.
pub(crate) fn argmax(row: &[f32]) -> u32 {
    let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a)));
    best.expect("a vocabulary") as u32
}

/// `n` greedy tokens after a prompt, one by one through the cache. Where RoPE depends on the length,
/// the cache is made anew when it changes.
pub(crate) fn greedy(cpu: &Arc<Cpu>, model: &Decoder, prompt: &[u32], n: usize) -> Vec<u32> {
    let total = prompt.len() + n;
    let (mut cache, blocks) = cache(model, total);
    let mut graph = Graph::infer(cpu);
    let mut tokens = prompt.to_vec();
    let mut cached = 0;
    while tokens.len() < total {
        if cached > 0 && !model.config().cache_survives(cached, tokens.len()) {
            cached = 0;
        }
        graph.reset();
        let new = &tokens[cached..];
        let segments = [Segment { row0: 0, n_rows: new.len(), pos0: cached, blocks: &blocks }];
        let row = model.forward(&graph, &Batch::new(new, &segments), &mut cache, Want::Last);
        let next = argmax(&row.data());
        cached = tokens.len();
        tokens.push(next);
    }
    tokens.split_off(prompt.len())
}
