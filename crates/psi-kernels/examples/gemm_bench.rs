//! Dense products as a share of the machine's roof: `gemm_bench [threads] [roof|gemv|prefill|train|pack]...`.
//!
//! Times are the median of interleaved rounds; the roof is measured in the same process. `PSI_ISA`
//! lowers the tier.
#![allow(clippy::print_stdout, reason = "a program that prints a table")]

use std::time::Instant;

use psi_kernels::{
    Cpu, Format, Isa, Matrix,
    gemm::{Compute, GemmShape, Layout, gemm},
    matmul,
    roof::{self, Roof},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let threads = args.first().and_then(|a| a.parse().ok()).unwrap_or(2);
    let cpu = Cpu::new(Isa::from_env()?, threads);
    let wants = |what: &str| args.len() < 2 || args[1..].iter().any(|a| a == what);
    let start = Instant::now();
    let roof = roof::measure(&cpu);
    println!("{cpu:?}\n{roof:?} in {:.2} s", start.elapsed().as_secs_f64());
    if wants("gemv") {
        gemv(&cpu, &roof);
    }
    if wants("prefill") {
        prefill(&cpu, &roof);
    }
    if wants("train") {
        train(&cpu, &roof);
    }
    if wants("pack") {
        pack(&cpu);
    }
    Ok(())
}

/// Seconds of the median run of `work`, over at least `floor` seconds.
fn median(floor: f64, mut work: impl FnMut()) -> f64 {
    work();
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < 5 || start.elapsed().as_secs_f64() < floor {
        let start = Instant::now();
        work();
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn weights(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i.wrapping_mul(2_654_435_761) % 2048) as f32 / 1024.0 - 1.0).collect()
}

/// bf16 of about normally distributed values, as weights are.
fn bits(n: usize) -> Vec<u16> {
    let mut state = 1_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    let mut normal = || (0..12).map(|_| uniform()).sum::<f32>();
    (0..n).map(|_| ((0.02 * normal()).to_bits() >> 16) as u16).collect()
}

/// Decoding: every matrix of a model once per token, so that no cache helps.
fn gemv(cpu: &Cpu, roof: &Roof) {
    type Shapes = Vec<(usize, usize)>;
    let models: [(&str, usize, Shapes); 2] = [
        ("1.2B", 6, vec![(3072, 2048), (2048, 2048), (16384, 2048), (2048, 8192), (30000, 2048)]),
        ("135M", 24, vec![(960, 576), (576, 576), (3072, 576), (576, 1536), (8000, 576)]),
    ];
    type Make = fn(&Cpu, usize, usize) -> Matrix;
    let formats: [(&str, Make); 3] = [
        ("bf16 squeezed", |cpu, n, k| Matrix::from_bf16(cpu, n, k, &bits(n * k)).squeezed(cpu)),
        ("bf16", |cpu, n, k| Matrix::from_bf16(cpu, n, k, &bits(n * k))),
        ("f32", |cpu, n, k| Matrix::from_f32(cpu, Format::F32, n, k, &weights(n * k))),
    ];
    for (format, make) in formats {
        for (name, layers, shapes) in &models {
            let matrices: Vec<Matrix> =
                (0..*layers).flat_map(|_| shapes.iter()).map(|&(n, k)| make(cpu, n, k)).collect();
            let bytes: usize = matrices.iter().map(Matrix::bytes).sum();
            let x = weights(16 * 8192);
            let mut y = vec![0.0; 16 * 32768];
            for m in [1, 2, 4, 8, 16] {
                let seconds = median(0.7, || {
                    for w in &matrices {
                        matmul(cpu, &x[..m * w.k()], m, w, &mut y[..m * w.n()]);
                    }
                });
                let gbps = bytes as f64 / seconds * 1e-9;
                println!(
                    "gemv {name} {format:<13} m={m:<2} {:7.0} MB {:7.2} ms {gbps:6.1} GB/s {:5.1} % of reading",
                    bytes as f64 * 1e-6,
                    seconds * 1e3,
                    gbps / roof.read_gbps * 100.0
                );
            }
        }
    }
}

fn peak(roof: &Roof, bf16: bool) -> f64 {
    if bf16 { roof.bf16_gflops } else { roof.f32_gflops }
}

fn prefill(cpu: &Cpu, roof: &Roof) {
    for format in [Format::Bf16, Format::F32] {
        for (n, k) in [(2048, 2048), (8192, 2048), (2048, 8192), (576, 576), (1536, 576)] {
            let w = Matrix::from_f32(cpu, format, n, k, &weights(n * k));
            for m in [32, 64, 128, 512, 1024] {
                let x = weights(m * k);
                let mut y = vec![0.0; m * n];
                let seconds = median(0.2, || matmul(cpu, &x, m, &w, &mut y));
                let gflops = (2 * m * n * k) as f64 / seconds * 1e-9;
                println!(
                    "matmul {format:?} m={m:<4} n={n:<5} k={k:<5} {:8.3} ms {gflops:7.0} GFLOP/s {:5.1} %",
                    seconds * 1e3,
                    gflops / peak(roof, format == Format::Bf16) * 100.0
                );
            }
        }
    }
}

fn train(cpu: &Cpu, roof: &Roof) {
    for compute in [Compute::Bf16, Compute::F32] {
        for (m, n, k) in [(2048, 768, 256), (2048, 768, 768), (4096, 3072, 768), (768, 3072, 4096)]
        {
            for layout in [Layout::Nn, Layout::Nt, Layout::Tn] {
                let (a, b) = (weights(m * k), weights(k * n));
                let mut c = vec![0.0; m * n];
                let shape = GemmShape { m, n, k, layout, compute, accumulate: false };
                let seconds = median(0.2, || gemm(cpu, shape, &a, &b, &mut c));
                let gflops = (2 * m * n * k) as f64 / seconds * 1e-9;
                println!(
                    "gemm {compute:?} {layout:?} m={m:<4} n={n:<4} k={k:<4} {:8.3} ms {gflops:7.0} GFLOP/s {:5.1} %",
                    seconds * 1e3,
                    gflops / peak(roof, compute == Compute::Bf16) * 100.0
                );
            }
        }
    }
}

fn pack(cpu: &Cpu) {
    let (n, k) = (16384, 4096);
    let f32s = weights(n * k);
    let bits = bits(n * k);
    let report = |what: &str, source: usize, seconds: f64| {
        println!(
            "pack {what} {:6.1} ms {:5.1} GB/s of source",
            seconds * 1e3,
            source as f64 / seconds * 1e-9
        );
    };
    let s = median(0.5, || drop(Matrix::from_bf16(cpu, n, k, &bits)));
    report("bf16 -> bf16", n * k * 2, s);
    let s = median(0.5, || drop(Matrix::from_bf16(cpu, n, k, &bits).squeezed(cpu)));
    report("bf16 -> bf16 squeezed", n * k * 2, s);
    let s = median(0.5, || drop(Matrix::from_f32(cpu, Format::Bf16, n, k, &f32s)));
    report("f32 -> bf16", n * k * 4, s);
    let s = median(0.5, || drop(Matrix::from_f32(cpu, Format::F32, n, k, &f32s)));
    report("f32 -> f32", n * k * 4, s);
}
