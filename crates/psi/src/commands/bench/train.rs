//! A whole training step: forward, backward, clipping, AdamW and packing the weights anew.

use std::{sync::Arc, time::Instant};

use psi_kernels::{
    Cpu, Format,
    kv::{KV_BLOCK, KvArena, KvDtype, KvShape, Segment},
};
use psi_model::{Batch, Config, Decoder};
use psi_tensor::{
    Gradients, Graph, ParamId,
    optim::{AdamW, Rate, clip_factor, global_norm},
};

use super::{Bencher, median};

/// A model and the batch it is trained on.
struct Size {
    name: &'static str,
    d_model: usize,
    n_layers: usize,
    n_heads: usize,
    vocab_size: usize,
    n_sequences: usize,
    seq_len: usize,
}

/// The twins of `bench/train_vs_torch.py`.
const SIZES: [Size; 2] = [
    Size {
        name: "6.2M",
        d_model: 256,
        n_layers: 6,
        n_heads: 4,
        vocab_size: 4096,
        n_sequences: 8,
        seq_len: 256,
    },
    Size {
        name: "31.5M",
        d_model: 512,
        n_layers: 8,
        n_heads: 8,
        vocab_size: 8192,
        n_sequences: 4,
        seq_len: 512,
    },
];

/// Steps that do not count: buffers, moments and the clock settle.
const WARM_UP: usize = 3;
const MAX_NORM: f64 = 1.0;

pub(super) fn run(bencher: &mut Bencher<'_>) {
    for size in &SIZES {
        for (label, format) in [("bf16", Format::Bf16), ("f32", Format::F32)] {
            let name = format!("train {label} {}", size.name);
            if bencher.wants(&name) {
                measure(bencher, &name, size, format);
            }
        }
    }
}

fn measure(bencher: &mut Bencher<'_>, name: &str, size: &Size, format: Format) {
    let mut trainer = Trainer::new(&bencher.cpu, size, format);
    let n_steps = bencher.args.repeat.max(5);
    let steps: Vec<[f64; 3]> = (0..WARM_UP + n_steps).map(|_| trainer.step()).collect();
    let phase = |i: usize| median(steps[WARM_UP..].iter().map(|s| s[i]).collect());
    let step_s = median(steps[WARM_UP..].iter().map(|s| s.iter().sum()).collect());
    let roof = match format {
        Format::F32 => bencher.roof.f32_gflops,
        _ => bencher.roof.bf16_gflops,
    };
    let n_tokens = size.n_sequences * size.seq_len;
    let at_roof = n_tokens as f64 / (trainer.gigaflops() / roof);
    bencher.add(name.to_owned(), n_tokens as f64 / step_s, "tokens/s", Some(at_roof));
    for (i, phase_name) in ["forward", "backward", "update"].into_iter().enumerate() {
        bencher.add(format!("{name} {phase_name}"), 1e3 * phase(i), "ms", None);
    }
}

/// A model in training, on the same batch again and again.
struct Trainer {
    cpu: Arc<Cpu>,
    model: Decoder,
    optimiser: AdamW,
    graph: Graph,
    gradients: Gradients,
    cache: KvArena,
    tokens: Vec<u32>,
    targets: Vec<Option<u32>>,
    seq_len: usize,
    blocks: Vec<u32>,
}

impl Trainer {
    fn new(cpu: &Arc<Cpu>, size: &Size, format: Format) -> Self {
        let base = Config::llama(size.d_model, size.n_layers, size.n_heads, size.vocab_size);
        let config = Config { d_ff: 3 * size.d_model, max_seq_len: size.seq_len, ..base };
        let mut model = Decoder::from_values(cpu, &config, format, |info| {
            if info.id.role.is_vector() {
                return vec![1.0; info.n * info.k];
            }
            let noise = super::kernels::noise(info.n * info.k);
            noise.iter().map(|x| 0.07 * x).collect()
        });
        let mut id = 0;
        model.for_each_parameter(&mut |_, mut parameter| {
            parameter.train(cpu, ParamId(id));
            id += 1;
        });
        let n_tokens = size.n_sequences * size.seq_len;
        let token = |i: usize| (i as u32).wrapping_mul(2_654_435_761) % size.vocab_size as u32;
        let n_blocks = size.n_sequences * size.seq_len.div_ceil(KV_BLOCK);
        // The graph keeps every layer's keys and values itself: one layer of cache serves all.
        let shape = KvShape { n_layers: 1, ..model.kv_shape() };
        Self {
            cpu: Arc::clone(cpu),
            model,
            optimiser: AdamW::new([0.9, 0.95], 1e-8),
            graph: Graph::train(cpu),
            gradients: Gradients::new(),
            cache: KvArena::new(shape, KvDtype::F32, n_blocks),
            tokens: (0..n_tokens).map(token).collect(),
            targets: (1..=n_tokens).map(|i| Some(token(i))).collect(),
            seq_len: size.seq_len,
            blocks: (0..n_blocks as u32).collect(),
        }
    }

    /// One step; the seconds of forward, backward and update.
    fn step(&mut self) -> [f64; 3] {
        let start = Instant::now();
        let per_sequence = self.seq_len.div_ceil(KV_BLOCK);
        let segments: Vec<Segment<'_>> = self
            .blocks
            .chunks(per_sequence)
            .enumerate()
            .map(|(i, blocks)| Segment {
                row0: i * self.seq_len,
                n_rows: self.seq_len,
                pos0: 0,
                blocks,
            })
            .collect();
        self.graph.reset();
        self.gradients.zero();
        let batch = Batch::new(&self.tokens, &segments);
        let (graph, cache) = (&self.graph, &mut self.cache);
        let loss = self.model.cross_entropy(graph, &batch, cache, &self.targets);
        let forward = start.elapsed();
        self.graph.backward(loss, &mut self.gradients);
        let backward = start.elapsed();
        let norm = global_norm(&self.cpu, &self.gradients);
        let grad_scale = clip_factor(norm, MAX_NORM);
        let (cpu, optimiser, gradients) = (&self.cpu, &mut self.optimiser, &self.gradients);
        optimiser.begin_step();
        self.model.for_each_parameter(&mut |info, mut parameter| {
            let weight_decay = if info.id.role.is_vector() { 0.0 } else { 0.1 };
            let rate = Rate { lr: 1e-3, weight_decay, grad_scale };
            optimiser.update(cpu, &mut parameter, gradients, rate);
        });
        let update = start.elapsed();
        [forward, backward - forward, update - backward].map(|d| d.as_secs_f64())
    }

    /// 10⁹ operations of a step that no implementation can avoid: matrix products of forward and
    /// backward, attention over the positions that are seen; nothing computed twice, nothing else.
    fn gigaflops(&self) -> f64 {
        let config = self.model.config();
        let n_tokens = self.tokens.len() as f64;
        let matrices = 6.0 * config.n_matrix_params() as f64 * n_tokens;
        let seen = (self.seq_len as f64 + 1.0) / 2.0;
        let attention = 12.0 * (config.d_q() * config.n_layers) as f64 * seen * n_tokens;
        1e-9 * (matrices + attention)
    }
}
