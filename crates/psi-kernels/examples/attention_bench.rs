//! Speed of attention and of the element-wise kernels: `attention_bench [decode prefill backward rows]`.
//!
//! The shape is that of a 1.2B Llama: 32 query and 8 key/value heads of width 64. Decoding is bound by
//! reading the cache (GB/s, share of the read roof), the rest by multiply-adds (GFLOP/s, share of the
//! f32 roof); roofs are measured first.
#![expect(clippy::print_stdout, reason = "a report")]

use std::{hint::black_box, time::Instant};

use psi_kernels::{
    Cpu, Isa,
    activation::{Activation, gated},
    attention::{AttentionParams, attention, attention_backward, attention_with_lse},
    gemm::Compute,
    kv::{KV_BLOCK, KvArena, KvDtype, KvShape, Segment, store},
    norm::rms_norm,
    roof::{Roof, measure},
    rope::{RopeRows, rope},
};

const N_HEADS: usize = 32;
const SHAPE: KvShape = KvShape { n_layers: 1, n_kv_heads: 8, d_head: 64 };
const PARAMS: AttentionParams = AttentionParams {
    n_heads: N_HEADS,
    scale: 0.125,
    window: None,
    softcap: None,
    gradient: Compute::F32,
};
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

fn filled(cpu: &Cpu, dtype: KvDtype, n_layers: usize, n: usize, blocks: &[u32]) -> KvArena {
    let mut arena = KvArena::new(KvShape { n_layers, ..SHAPE }, dtype, blocks.len());
    let k = numbers(n * SHAPE.n_kv_heads * SHAPE.d_head);
    for layer in 0..n_layers {
        let segment = Segment { row0: 0, n_rows: n, pos0: 0, blocks };
        store(cpu, &mut arena, layer, &[segment], &k, &k);
    }
    arena
}

/// One row against a cache of several layers in turn, as large as a model's.
fn decode(cpu: &Cpu, roof: &Roof) {
    for depth in [512usize, 4096, 16384] {
        let blocks: Vec<u32> = (0..(depth / KV_BLOCK) as u32).collect();
        let q = numbers(N_HEADS * SHAPE.d_head);
        let mut out = vec![0.0; q.len()];
        for dtype in DTYPES {
            let n_layers = if depth > 4096 { 4 } else { 16 };
            let arena = filled(cpu, dtype, n_layers, depth, &blocks);
            let segment = Segment { row0: 0, n_rows: 1, pos0: depth - 1, blocks: &blocks };
            let s = seconds(|| {
                for layer in 0..n_layers {
                    attention(cpu, &arena, layer, &[segment], PARAMS, &q, black_box(&mut out));
                }
            });
            let rate = arena.bytes() as f64 / s / 1e9;
            let (us, share) = (s * 1e6 / n_layers as f64, 100.0 * rate / roof.read_gbps);
            println!(
                "decode   {depth:>5} {dtype:?}: {us:8.1} us/layer, {rate:6.1} GB/s ({share:3.0} %)"
            );
        }
    }
}

/// Multiply-adds of the two products over the visible half of n x n positions, as operations.
fn causal_flop(n: usize) -> f64 {
    4.0 * (n * (n + 1) / 2) as f64 * (N_HEADS * SHAPE.d_head) as f64
}

fn prefill(cpu: &Cpu, roof: &Roof) {
    for n in [512usize, 2048, 4096] {
        let blocks: Vec<u32> = (0..n.div_ceil(KV_BLOCK) as u32).collect();
        let q = numbers(n * N_HEADS * SHAPE.d_head);
        let mut out = vec![0.0; q.len()];
        for dtype in DTYPES {
            let arena = filled(cpu, dtype, 1, n, &blocks);
            let segment = Segment { row0: 0, n_rows: n, pos0: 0, blocks: &blocks };
            let s = seconds(|| {
                attention(cpu, &arena, 0, &[segment], PARAMS, &q, black_box(&mut out));
            });
            let rate = causal_flop(n) / s / 1e9;
            let (ms, share) = (s * 1e3, 100.0 * rate / roof.f32_gflops);
            println!(
                "prefill  {n:>5} {dtype:?}: {ms:8.2} ms/layer, {rate:6.1} GFLOP/s ({share:3.0} %)"
            );
        }
    }
}

fn backward(cpu: &Cpu, roof: &Roof) {
    for n in [512usize, 2048] {
        let blocks: Vec<u32> = (0..n.div_ceil(KV_BLOCK) as u32).collect();
        let (q, k) = (numbers(n * 2048), numbers(n * 512));
        let (mut out, mut lse) = (vec![0.0; q.len()], vec![0.0; n * N_HEADS]);
        let arena = filled(cpu, KvDtype::F32, 1, n, &blocks);
        let s = [Segment { row0: 0, n_rows: n, pos0: 0, blocks: &blocks }];
        attention_with_lse(cpu, &arena, 0, &s, PARAMS, &q, &mut out, &mut lse);
        let (mut d_q, mut d_k, mut d_v) = (q.clone(), k.clone(), k.clone());
        for (gradient, roof) in [(Compute::F32, roof.f32_gflops), (Compute::Bf16, roof.bf16_gflops)]
        {
            let params = AttentionParams { gradient, ..PARAMS };
            let t = seconds(|| {
                attention_backward(
                    cpu, &s, params, 8, 64, &q, &k, &k, &out, &q, &lse, &mut d_q, &mut d_k,
                    &mut d_v,
                );
            });
            // Five products, where the forward pass has two.
            let rate = 2.5 * causal_flop(n) / t / 1e9;
            let (ms, share) = (t * 1e3, 100.0 * rate / roof);
            println!(
                "backward {n:>5} {gradient:?}: {ms:8.2} ms/layer, {rate:6.1} GFLOP/s ({share:3.0} %)"
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
        let roof = measure(&cpu);
        println!(
            "-- {} x{n_threads}: {:.0} GFLOP/s f32, {:.1} GB/s read",
            isa.tier(),
            roof.f32_gflops,
            roof.read_gbps
        );
        if wanted("decode") {
            decode(&cpu, &roof);
        }
        if wanted("prefill") {
            prefill(&cpu, &roof);
        }
        if wanted("backward") {
            backward(&cpu, &roof);
        }
        if wanted("rows") {
            rows(&cpu);
        }
    }
}
