//! A sequence's logits are the same bits whatever surrounds it: the invariant that training by
//! reinforcement, prefix caches and batching stand on.

use std::sync::Arc;

use psi_kernels::{
    Cpu, Format, Isa,
    kv::{KV_BLOCK, KvArena, KvDtype, Segment},
    quant::BlockType,
};
use psi_model::{Batch, Config, Decoder, Moe, Want};
use psi_tensor::Graph;
use psi_testkit::Rng;

/// Tokens of the sequence under test: three cache blocks, the last one partial.
const LEN: usize = 150;

/// Rows wide enough for blocks of 256, grouped heads, windows on every other layer, odd widths elsewhere.
fn config(sparse: bool) -> Config {
    let mut config = Config::llama(256, 3, 4, 200);
    config.n_kv_heads = 2;
    config.d_ff = 512;
    config.layers[1].window = Some(40);
    config.tied_embeddings = false;
    if sparse {
        config.family = psi_model::Family::Qwen3Moe;
        config.qk_norm = psi_model::QkNorm::PerHead;
        config.moe = Some(Moe { n_experts: 5, top_k: 2, norm_topk_prob: true, d_ff: 256 });
        config.layers[2].sparse = true;
    }
    config
}

fn model(cpu: &Cpu, config: &Config, format: Format) -> Decoder {
    let mut rng = Rng::new(7);
    Decoder::from_values(cpu, config, format, |info| {
        let std = if info.id.role.is_vector() { 0.1 } else { 1.0 / (info.k as f32).sqrt() };
        let centre = if info.id.role.is_norm() { 1.0 } else { 0.0 };
        rng.normals(info.n * info.k, std).into_iter().map(|x| x + centre).collect()
    })
}

fn tokens(seed: u64, n: usize) -> Vec<u32> {
    let mut rng = Rng::new(seed);
    (0..n).map(|_| rng.below(200) as u32).collect()
}

fn arena(model: &Decoder, kv: KvDtype, n_positions: usize) -> KvArena {
    KvArena::new(model.kv_shape(), kv, n_positions.div_ceil(KV_BLOCK) + 8)
}

/// The prompt in pieces of `chunk` tokens.
fn in_chunks(
    cpu: &Arc<Cpu>,
    model: &Decoder,
    kv: KvDtype,
    prompt: &[u32],
    chunk: usize,
) -> Vec<u32> {
    let mut cache = arena(model, kv, prompt.len());
    let mut graph = Graph::infer(cpu);
    let mut bits = Vec::new();
    for (i, piece) in prompt.chunks(chunk).enumerate() {
        graph.reset();
        let segment = Segment { row0: 0, n_rows: piece.len(), pos0: i * chunk, blocks: &[2, 0, 1] };
        let segments = [segment];
        let batch = Batch::new(piece, &segments);
        let logits = model.forward(&graph, &batch, &mut cache, Want::All);
        bits.extend(logits.data().iter().map(|x| x.to_bits()));
    }
    bits
}

/// The prompt as the fourth of seven sequences of other lengths.
fn in_a_batch(cpu: &Arc<Cpu>, model: &Decoder, kv: KvDtype, prompt: &[u32]) -> Vec<u32> {
    let lens = [1, 70, 3, prompt.len(), 64, 17, 33];
    let mut all = Vec::new();
    let mut tables: Vec<Vec<u32>> = Vec::new();
    let mut n_blocks = 0;
    for (i, &len) in lens.iter().enumerate() {
        match i == 3 {
            true => all.extend_from_slice(prompt),
            false => all.extend(tokens(100 + i as u64, len)),
        }
        let n = len.div_ceil(KV_BLOCK) as u32;
        tables.push((n_blocks..n_blocks + n).rev().collect());
        n_blocks += n;
    }
    let mut row0 = 0;
    let mut segments = Vec::new();
    for (&n_rows, blocks) in lens.iter().zip(&tables) {
        segments.push(Segment { row0, n_rows, pos0: 0, blocks });
        row0 += n_rows;
    }
    let mut cache = arena(model, kv, n_blocks as usize * KV_BLOCK);
    let graph = Graph::infer(cpu);
    let rows: Vec<u32> = (0..prompt.len()).map(|i| (segments[3].row0 + i) as u32).collect();
    let batch = Batch::new(&all, &segments);
    let logits = model.forward(&graph, &batch, &mut cache, Want::Rows(&rows));
    logits.data().iter().map(|x| x.to_bits()).collect()
}

/// The recorded forward pass.
fn recorded(cpu: &Arc<Cpu>, model: &Decoder, kv: KvDtype, prompt: &[u32]) -> Vec<u32> {
    let mut cache = arena(model, kv, prompt.len());
    let graph = Graph::train(cpu);
    let segments = [Segment { row0: 0, n_rows: prompt.len(), pos0: 0, blocks: &[4, 2, 7] }];
    let logits = model.forward(&graph, &Batch::new(prompt, &segments), &mut cache, Want::All);
    logits.data().iter().map(|x| x.to_bits()).collect()
}

fn check(config: &Config, format: Format, kv: KvDtype) {
    let prompt = tokens(1, LEN);
    for isa in Isa::available() {
        let two = Arc::new(Cpu::new(isa, 2));
        let one = Arc::new(Cpu::new(isa, 1));
        let mut model = model(&two, config, format);
        let whole = in_chunks(&two, &model, kv, &prompt, LEN);
        assert!(whole.iter().all(|&b| f32::from_bits(b).is_finite()));
        let what = |how: &str| format!("{format:?} {kv:?} on {}: {how}", isa.tier());
        for chunk in [1, 3, 64] {
            let same = whole == in_chunks(&two, &model, kv, &prompt, chunk);
            assert!(same, "{}", what(&format!("chunks of {chunk}")));
        }
        assert!(whole == in_chunks(&one, &model, kv, &prompt, LEN), "{}", what("one thread"));
        assert!(whole == in_chunks(&one, &model, kv, &prompt, 64), "{}", what("one thread, 64"));
        assert!(whole == in_a_batch(&two, &model, kv, &prompt), "{}", what("in a batch of 7"));
        let mut id = 0;
        model.for_each_parameter(&mut |_, mut p| {
            // Quantised matrices stay frozen, as they would beside an adapter.
            if !matches!(format, Format::Quant(_)) || p.shape().0 == 1 {
                p.train(&two, psi_tensor::ParamId(id));
                id += 1;
            }
        });
        assert!(whole == recorded(&two, &model, kv, &prompt), "{}", what("recorded"));
    }
}

#[test]
fn f32_logits_do_not_depend_on_batch_chunks_threads_or_recording() {
    check(&config(false), Format::F32, KvDtype::F32);
}

#[test]
fn bf16_logits_do_not_depend_on_batch_chunks_threads_or_recording() {
    check(&config(false), Format::Bf16, KvDtype::Bf16);
}

#[test]
fn q4_k_logits_do_not_depend_on_batch_chunks_threads_or_recording() {
    check(&config(false), Format::Quant(BlockType::Q4_K), KvDtype::Q8);
}

#[test]
fn logits_of_a_mixture_do_not_depend_on_batch_chunks_threads_or_recording() {
    check(&config(true), Format::Bf16, KvDtype::F32);
    check(&config(true), Format::Quant(BlockType::Q8_0), KvDtype::Bf16);
}
