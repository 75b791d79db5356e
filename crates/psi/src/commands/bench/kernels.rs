//! Matrix products at the shapes that matter, as a share of the roof.

use psi_kernels::{
    Format, Matrix,
    gemm::{Compute, GemmShape, Layout, gemm},
    matmul,
    quant::BlockType,
};

use super::Bencher;

/// Training shapes (m, n, k).
const TRAINING: [(usize, usize, usize); 3] =
    [(2048, 768, 256), (2048, 1536, 512), (2048, 4096, 1024)];
/// One prompt of 512 tokens through a 1.2B model's feed-forward matrix (m, n, k).
const PREFILL: (usize, usize, usize) = (512, 8192, 2048);

pub(super) fn run(bencher: &mut Bencher<'_>) {
    for (compute, label) in [(Compute::F32, "f32"), (Compute::Bf16, "bf16")] {
        for (m, n, k) in TRAINING {
            let name = format!("gemm {label} {m}x{n}x{k}");
            if bencher.wants(&name) {
                training(bencher, name, (m, n, k), compute);
            }
        }
    }
    let formats = [
        ("f32", Format::F32),
        ("bf16", Format::Bf16),
        ("q8_0", Format::Quant(BlockType::Q8_0)),
        ("q4_0", Format::Quant(BlockType::Q4_0)),
        ("q4_k", Format::Quant(BlockType::Q4_K)),
        ("q5_k", Format::Quant(BlockType::Q5_K)),
        ("q6_k", Format::Quant(BlockType::Q6_K)),
    ];
    for (label, format) in formats {
        let (m, n, k) = PREFILL;
        let many = format!("matmul {label} {m}x{n}x{k}");
        let one = format!("gemv {label} {}x{k}", 4 * n);
        if bencher.wants(&many) {
            prefill(bencher, many, (m, n, k), format);
        }
        if bencher.wants(&one) {
            decode(bencher, one, (4 * n, k), format);
        }
    }
}

/// Numbers in -0.5..0.5 without any pattern a product could exploit.
pub(super) fn noise(n: usize) -> Vec<f32> {
    let hash = |i: usize| (i as u32).wrapping_mul(2_654_435_761) >> 8;
    (0..n).map(|i| hash(i) as f32 / (1 << 24) as f32 - 0.5).collect()
}

fn training(
    bencher: &mut Bencher<'_>,
    name: String,
    (m, n, k): (usize, usize, usize),
    compute: Compute,
) {
    let (a, b) = (noise(m * k), noise(n * k));
    let mut c = vec![0.0; m * n];
    let shape = GemmShape { m, n, k, layout: Layout::Nt, compute, accumulate: false };
    let seconds = bencher.seconds(|| {
        for _ in 0..4 {
            gemm(&bencher.cpu, shape, &a, &b, &mut c);
        }
    });
    let roof = match compute {
        Compute::F32 => bencher.roof.f32_gflops,
        Compute::Bf16 => bencher.roof.bf16_gflops,
    };
    bencher.add(name, 8e-9 * (m * n * k) as f64 / seconds, "GFLOP/s", Some(roof));
}

fn prefill(
    bencher: &mut Bencher<'_>,
    name: String,
    (m, n, k): (usize, usize, usize),
    format: Format,
) {
    let w = Matrix::from_f32(&bencher.cpu, format, n, k, &noise(n * k));
    let x = noise(m * k);
    let mut y = vec![0.0; m * n];
    let seconds = bencher.seconds(|| matmul(&bencher.cpu, &x, m, &w, &mut y));
    let (roof, unit) = match format {
        Format::F32 => (bencher.roof.f32_gflops, "GFLOP/s"),
        Format::Bf16 => (bencher.roof.bf16_gflops, "GFLOP/s"),
        Format::Quant(_) => (bencher.roof.int8_gops, "GOP/s"),
    };
    bencher.add(name, 2e-9 * (m * n * k) as f64 / seconds, unit, Some(roof));
}

fn decode(bencher: &mut Bencher<'_>, name: String, (n, k): (usize, usize), format: Format) {
    // Several matrices, so that the weights come from memory as they do in a model.
    let bytes = Matrix::from_f32(&bencher.cpu, format, 256, k, &noise(256 * k)).bytes() * n / 256;
    let n_copies = (1_usize << 30).div_ceil(bytes).min(16);
    let w = Matrix::from_f32(&bencher.cpu, format, n, k, &noise(n * k));
    let copies: Vec<Matrix> = (0..n_copies).map(|_| w.clone()).collect();
    let x = noise(k);
    let mut y = vec![0.0; n];
    let seconds = bencher.seconds(|| {
        for w in &copies {
            matmul(&bencher.cpu, &x, 1, w, &mut y);
        }
    });
    let total: usize = copies.iter().map(Matrix::bytes).sum();
    let roof = bencher.roof.read_gbps;
    bencher.add(name, total as f64 * 1e-9 / seconds, "GB/s", Some(roof));
}
