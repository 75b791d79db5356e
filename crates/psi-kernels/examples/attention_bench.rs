//! Speed of attention and of the element-wise kernels: `attention_bench [decode|prefill|backward|rows]`.
//!
//! The shape is that of a 1.2B Llama: 32 query and 8 key/value heads of width 64. Decoding is bound by
//! reading the cache (GB/s), prefill by multiply-adds (GFLOP/s, against a measured roof).
#![expect(clippy::print_stdout, reason = "a report")]

use std::{hint::black_box, time::Instant};

use psi_kernels::{
    Cpu, Isa,
    activation::{Activation, gated},
    attention::{AttentionParams, attention},
    kv::{KV_BLOCK, KvArena, KvDtype, KvShape, Segment, store},
    norm::rms_norm,
    rope::{RopeRows, rope},
};

const N_HEADS: usize = 32;
const SHAPE: KvShape = KvShape { n_layers: 4, n_kv_heads: 8, d_head: 64 };
const PARAMS: AttentionParams =
    AttentionParams { n_heads: N_HEADS, scale: 0.125, window: None, softcap: None };
const DTYPES: [KvDtype; 3] = [KvDtype::F32, KvDtype::Bf16, KvDtype::Q8];

fn numbers(n: usize) -> Vec<f32> {
    let mut state = 1u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// Seconds of the fastest of several calls within about 0.4 s.
fn seconds(mut f: impl FnMut()) -> f64 {
    f();
    let (mut best, start) = (f64::MAX, Instant::now());
    while start.elapsed().as_secs_f64() < 0.4 {
        let at = Instant::now();
        f();
        best = best.min(at.elapsed().as_secs_f64());
    }
    best
}

fn filled(cpu: &Cpu, dtype: KvDtype, n: usize, blocks: &[u32]) -> KvArena {
    let mut arena = KvArena::new(SHAPE, dtype, blocks.len());
    let k = numbers(n * SHAPE.n_kv_heads * SHAPE.d_head);
    for layer in 0..SHAPE.n_layers {
        let segment = Segment { row0: 0, n_rows: n, pos0: 0, blocks };
        store(cpu, &mut arena, layer, &[segment], &k, &k);
    }
    arena
}

fn decode(cpu: &Cpu) {
    for depth in [512usize, 4096, 16384] {
        let blocks: Vec<u32> = (0..(depth / KV_BLOCK) as u32).collect();
        let q = numbers(N_HEADS * SHAPE.d_head);
        let mut out = vec![0.0; q.len()];
        for dtype in DTYPES {
            let arena = filled(cpu, dtype, depth, &blocks);
            let segment = Segment { row0: 0, n_rows: 1, pos0: depth - 1, blocks: &blocks };
            let mut layer = 0;
            let s = seconds(|| {
                attention(cpu, &arena, layer, &[segment], PARAMS, &q, black_box(&mut out));
                layer = (layer + 1) % SHAPE.n_layers;
            });
            let bytes = arena.bytes() / SHAPE.n_layers;
            println!(
                "decode  depth {depth:>5} {dtype:?}: {:8.1} us/layer, {:6.1} GB/s",
                s * 1e6,
                bytes as f64 / s / 1e9
            );
        }
    }
}

/// Multiply-add roof of all threads in GFLOP/s, by a loop that only multiplies and adds: the product
/// of a small block of keys that stays in the first-level cache.
fn prefill(cpu: &Cpu) {
    for n in [512usize, 2048, 4096] {
        let blocks: Vec<u32> = (0..n.div_ceil(KV_BLOCK) as u32).collect();
        let q = numbers(n * N_HEADS * SHAPE.d_head);
        let mut out = vec![0.0; q.len()];
        for dtype in DTYPES {
            let arena = filled(cpu, dtype, n, &blocks);
            let segment = Segment { row0: 0, n_rows: n, pos0: 0, blocks: &blocks };
            let s = seconds(|| {
                attention(cpu, &arena, 0, &[segment], PARAMS, &q, black_box(&mut out));
            });
            // Two products over the visible half of n x n positions.
            let flop = 4.0 * (n * (n + 1) / 2) as f64 * (N_HEADS * SHAPE.d_head) as f64;
            println!(
                "prefill {n:>5} {dtype:?}: {:8.2} ms/layer, {:6.1} GFLOP/s",
                s * 1e3,
                flop / s / 1e9
            );
        }
    }
}

fn rows(cpu: &Cpu) {
    for n in [1, 512] {
        let (d, d_ff) = (2048, 8192);
        let x = numbers(n * d);
        let (w, mut y) = (numbers(d), vec![0.0; n * d]);
        let report = |name: &str, values: usize, s: f64| {
            println!(
                "{name:<9} {n:>4} rows: {:8.2} us, {:6.1} GB/s",
                s * 1e6,
                (values * 4) as f64 / s / 1e9
            );
        };
        let s = seconds(|| rms_norm(cpu, &x, &w, 0.0, 1e-5, black_box(&mut y)));
        report("rms_norm", 2 * n * d, s);
        let inv_freq: Vec<f64> = (0..32).map(|i| 5e5f64.powf(-f64::from(i) / 32.0)).collect();
        let tables = RopeRows::new(&(0..n as u32).collect::<Vec<_>>(), &inv_freq, 1.0);
        let s = seconds(|| rope(cpu, black_box(&mut y), 64, &tables, false));
        report("rope", 2 * n * d, s);
        let (gate, mut z) = (numbers(n * d_ff), vec![0.0; n * d_ff]);
        let s = seconds(|| gated(cpu, Activation::Silu, &gate, &gate, black_box(&mut z)));
        report("gated", 2 * n * d_ff, s);
    }
}

fn main() {
    let parts: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |name: &str| parts.is_empty() || parts.iter().any(|p| p == name);
    let isa = Isa::from_env().unwrap_or(Isa::best());
    for n_threads in [1, 2] {
        let cpu = Cpu::new(isa, n_threads);
        println!("-- {} x{n_threads}", isa.tier());
        if wanted("decode") {
            decode(&cpu);
        }
        if wanted("prefill") {
            prefill(&cpu);
        }
        if wanted("rows") {
            rows(&cpu);
        }
    }
}
