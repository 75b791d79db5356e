//! Speed of products with quantised weights: GB/s of weights for few rows, GOP/s for many.
//!
//! `qmatmul_bench [types] [shapes] [rows] [threads]`, each a comma-separated list or `-`;
//! `PSI_ISA` chooses the tier. Weights rotate through copies larger than the caches.
#![expect(clippy::print_stdout, reason = "a program")]

use std::time::Instant;

use psi_kernels::{Cpu, Isa, Matrix, matmul, quant::BlockType};

const BLOCKS: [BlockType; 8] = [
    BlockType::Q8_0,
    BlockType::Q4_0,
    BlockType::Q4_1,
    BlockType::Q5_0,
    BlockType::Q5_1,
    BlockType::Q4_K,
    BlockType::Q5_K,
    BlockType::Q6_K,
];
const SHAPES: &str = "2048x2048,8192x2048,2048x8192,128256x2048,576x576,1536x576,49152x576";
const ROWS: &str = "1,2,4,8,16,32,64,512";
/// Weights in rotation: more than a cache this thread could keep.
const ROTATION: usize = 768 << 20;
const SECONDS: f64 = 0.25;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |i: usize, default: &str| -> String {
        args.get(i).filter(|a| *a != "-").map_or(default.to_owned(), Clone::clone)
    };
    let types = arg(0, "Q8_0,Q4_0,Q4_K,Q5_K,Q6_K").to_uppercase();
    let (shapes, rows) = (arg(1, SHAPES), arg(2, ROWS));
    let cpu = Cpu::new(Isa::from_env()?, arg(3, "2").parse()?);
    println!("tier {}, {} threads", cpu.isa().tier(), cpu.n_threads());
    println!("read {:.1} GB/s", read_gb_per_second(&cpu));
    for block in BLOCKS.into_iter().filter(|b| types.split(',').any(|t| t == format!("{b:?}"))) {
        for shape in shapes.split(',') {
            let (n, k) = shape.split_once('x').ok_or("a shape is NxK")?;
            let (n, k): (usize, usize) = (n.parse()?, k.parse()?);
            if k % block.block_len() == 0 {
                bench(&cpu, block, n, k, &rows)?;
            }
        }
    }
    Ok(())
}

fn bench(
    cpu: &Cpu,
    block: BlockType,
    n: usize,
    k: usize,
    rows: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    let bytes: Vec<u8> = (0..block.bytes_for(n * k) as u64)
        .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as u8)
        .collect();
    let start = Instant::now();
    let w = Matrix::from_blocks(cpu, block, n, k, &bytes);
    let pack = bytes.len() as f64 / start.elapsed().as_secs_f64() / 1e9;
    let ws = vec![w; (ROTATION / bytes.len()).clamp(1, 64)];
    let bits = ws[0].bytes() as f64 * 8.0 / (n * k) as f64;
    println!("{block:?} {n}x{k}: {bits:.2} bits per weight, packed at {pack:.1} GB/s");
    for m in rows.split(',') {
        let m: usize = m.parse()?;
        let x: Vec<f32> = (0..m * k).map(|i| (i * 37 % 101) as f32 - 50.0).collect();
        let mut y = vec![0.0; m * n];
        let mut next = ws.iter().cycle();
        let mut run = || next.next().into_iter().for_each(|w| matmul(cpu, &x, m, w, &mut y));
        let seconds = seconds_per_call(cpu.n_threads(), &mut run);
        println!(
            "  m {m:4}  {:8.1} us  {:6.1} GB/s  {:7.0} GOP/s",
            seconds * 1e6,
            ws[0].bytes() as f64 / seconds / 1e9,
            2.0 * (m * n * k) as f64 / seconds / 1e9
        );
    }
    Ok(())
}

/// Time: of this thread's own running where the system tells (a busy machine then matters less; one
/// thread only), else of the clock.
fn now(n_threads: usize, begin: Instant) -> f64 {
    let own = || {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(stat.split(' ').next()?.parse::<f64>().ok()? * 1e-9)
    };
    (if n_threads == 1 { own() } else { None }).unwrap_or(begin.elapsed().as_secs_f64())
}

/// Best of a few short runs after a warm-up call.
fn seconds_per_call(n_threads: usize, run: &mut impl FnMut()) -> f64 {
    run();
    let mut best = f64::INFINITY;
    let begin = Instant::now();
    while begin.elapsed().as_secs_f64() < SECONDS {
        let (start, mut calls) = (now(n_threads, begin), 0);
        while calls == 0 || now(n_threads, begin) - start < SECONDS / 8.0 {
            run();
            calls += 1;
        }
        best = best.min((now(n_threads, begin) - start) / f64::from(calls));
    }
    best
}

/// What all threads together read from memory, summing 64-bit words.
fn read_gb_per_second(cpu: &Cpu) -> f64 {
    let words = vec![1_u64; ROTATION / 8];
    let n_tasks = 64;
    let chunk = words.len() / n_tasks;
    let mut run = || {
        cpu.pool().run(n_tasks, &|task| {
            let part = &words[task * chunk..(task + 1) * chunk];
            let mut sums = [0_u64; 64];
            for words in part.as_chunks::<64>().0 {
                for (sum, word) in sums.iter_mut().zip(words) {
                    *sum = sum.wrapping_add(*word);
                }
            }
            std::hint::black_box(sums);
        });
    };
    (n_tasks * chunk * 8) as f64 / seconds_per_call(cpu.n_threads(), &mut run) / 1e9
}
