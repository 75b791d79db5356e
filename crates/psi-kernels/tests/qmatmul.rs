//! Products with quantised weights: the same bits everywhere, and near the exact result.

use psi_kernels::{
    Cpu, Format, Isa, Matrix, Tier, matmul, matmul_many, quant::BlockType, reference::qmatmul,
};

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
const N_ROWS: [usize; 17] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 130];

/// xorshift64*: the same numbers on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// In (0, 1).
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn normals(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.normal() as f32).collect()
    }

    /// Student's t with 3 degrees of freedom: a few values far out, as in real activations.
    fn heavy_tailed(&mut self, n: usize) -> Vec<f32> {
        let mut t = || {
            let chi: f64 = (0..3).map(|_| self.normal().powi(2)).sum();
            self.normal() / (chi / 3.0).sqrt()
        };
        (0..n).map(|_| t() as f32).collect()
    }

    /// Random blocks: every bit pattern of values and integer scales, f16 scales near 2^-7.
    fn blocks(&mut self, block: BlockType, n_values: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            (0..block.bytes_for(n_values)).map(|_| (self.next() >> 32) as u8).collect();
        for block_bytes in bytes.chunks_mut(block.block_bytes()) {
            let at: &[usize] = match block {
                BlockType::Q6_K => &[208],
                BlockType::Q4_0 | BlockType::Q5_0 | BlockType::Q8_0 => &[0],
                _ => &[0, 2],
            };
            for &at in at {
                let f16 = 0x2000 | (self.next() >> 40) as u16 & 0x83ff;
                block_bytes[at..at + 2].copy_from_slice(&f16.to_le_bytes());
            }
        }
        bytes
    }
}

fn product(cpu: &Cpu, w: &Matrix, x: &[f32]) -> Vec<f32> {
    let m = x.len() / w.k();
    let mut y = vec![f32::NAN; m * w.n()];
    matmul(cpu, x, m, w, &mut y);
    y
}

fn bits(y: &[f32]) -> Vec<u32> {
    y.iter().map(|y| y.to_bits()).collect()
}

#[track_caller]
fn assert_same(y: &[f32], expected: &[f32], what: &str) {
    let differ = y.iter().zip(expected).position(|(a, b)| a.to_bits() != b.to_bits());
    if let Some(i) = differ.or((y.len() != expected.len()).then_some(0)) {
        panic!("{what}: element {i} is {}, expected {}", y[i], expected[i]);
    }
}

fn shapes(block: BlockType) -> Vec<(usize, usize)> {
    let ks: &[usize] =
        if block.block_len() == 32 { &[32, 64, 288, 576, 2048] } else { &[256, 512, 2048] };
    let mut shapes: Vec<_> = [1, 15, 16, 17, 33].iter().map(|&n| (n, ks[1])).collect();
    shapes.extend(ks.iter().map(|&k| (49, k)));
    shapes
}

fn has_fma(isa: Isa) -> bool {
    isa.tier() != Tier::Portable
}

#[test]
fn every_tier_gives_the_bits_of_the_written_scheme_for_every_number_of_rows() {
    let mut random = Random(1);
    for block in BLOCKS {
        for (n, k) in shapes(block) {
            let bytes = random.blocks(block, n * k);
            let x = random.heavy_tailed(130 * k);
            for isa in Isa::available() {
                let cpu = Cpu::new(isa, 2);
                let w = Matrix::from_blocks(&cpu, block, n, k, &bytes);
                assert_eq!(w.format(), Format::Quant(block));
                let expected = qmatmul::scheme(block, &bytes, (n, k), &x[..33 * k], has_fma(isa));
                for m in N_ROWS {
                    let y = product(&cpu, &w, &x[..m * k]);
                    let what = format!("{block:?} ({n}, {k}), m = {m}, {}", isa.tier());
                    let checked = m.min(33) * n;
                    assert_same(&y[..checked], &expected[..checked], &what);
                }
            }
        }
    }
}

#[test]
fn rows_of_x_and_threads_do_not_change_a_bit() {
    let mut random = Random(2);
    let (n, k) = (161, 512);
    for block in BLOCKS {
        let bytes = random.blocks(block, n * k);
        let x = random.normals(700 * k);
        for isa in Isa::available() {
            let one = Cpu::new(isa, 1);
            let w = Matrix::from_blocks(&one, block, n, k, &bytes);
            let alone: Vec<f32> = x.chunks(k).flat_map(|x| product(&one, &w, x)).collect();
            for n_threads in [1, 2, 3] {
                let cpu = Cpu::new(isa, n_threads);
                let w = Matrix::from_blocks(&cpu, block, n, k, &bytes);
                for m in N_ROWS.into_iter().chain([511, 700]) {
                    let y = product(&cpu, &w, &x[..m * k]);
                    let what = format!("{block:?}, m = {m}, {n_threads} threads, {}", isa.tier());
                    assert_same(&y, &alone[..m * n], &what);
                }
            }
        }
    }
}

#[test]
fn extreme_integers_do_not_overflow() {
    for block in BLOCKS {
        let (n, k) = (16, 512);
        for fill in [0x00, 0xff, 0x80, 0x7f] {
            let mut bytes = vec![fill; block.bytes_for(n * k)];
            for b in bytes.chunks_mut(block.block_bytes()) {
                let at: &[usize] = match block {
                    BlockType::Q6_K => &[208],
                    BlockType::Q4_0 | BlockType::Q5_0 | BlockType::Q8_0 => &[0],
                    _ => &[0, 2],
                };
                at.iter().for_each(|&at| b[at..at + 2].copy_from_slice(&[0, 0x3c]));
            }
            for sign in [-1.0, 1.0] {
                let x = vec![sign; 33 * k];
                for isa in Isa::available() {
                    let cpu = Cpu::new(isa, 1);
                    let w = Matrix::from_blocks(&cpu, block, n, k, &bytes);
                    let expected = qmatmul::scheme(block, &bytes, (n, k), &x, has_fma(isa));
                    for m in [1, 8, 33] {
                        let what = format!("{block:?} of {fill:#x}, m = {m}, {}", isa.tier());
                        let y = product(&cpu, &w, &x[..m * k]);
                        assert_same(&y, &expected[..m * n], &what);
                    }
                }
            }
        }
    }
}

#[test]
fn a_row_of_the_panels_is_the_dequantised_row() {
    let mut random = Random(3);
    for block in BLOCKS {
        for (n, k) in shapes(block) {
            let bytes = random.blocks(block, n * k);
            let cpu = Cpu::single();
            let w = Matrix::from_blocks(&cpu, block, n, k, &bytes);
            let expected = qmatmul::values(block, &bytes);
            let mut row = vec![0.0; k];
            for i in 0..n {
                w.row(i, &mut row);
                assert_same(
                    &row,
                    &expected[i * k..][..k],
                    &format!("{block:?} ({n}, {k}) row {i}"),
                );
            }
        }
    }
}

#[test]
fn several_matrices_share_one_input() {
    let mut random = Random(4);
    let cpu = Cpu::new(Isa::best(), 2);
    let k = 512;
    let mixes = [[BlockType::Q4_K, BlockType::Q6_K, BlockType::Q8_0], [BlockType::Q4_0; 3]];
    for blocks in mixes {
        let ws: Vec<Matrix> = [40, 7, 64]
            .into_iter()
            .zip(blocks)
            .map(|(n, b)| Matrix::from_blocks(&cpu, b, n, k, &random.blocks(b, n * k)))
            .collect();
        for m in [1, 3, 40] {
            let x = random.normals(m * k);
            let mut ys: Vec<Vec<f32>> = ws.iter().map(|w| vec![0.0; m * w.n()]).collect();
            let mut outputs: Vec<(&Matrix, &mut [f32])> =
                ws.iter().zip(&mut ys).map(|(w, y)| (w, y.as_mut_slice())).collect();
            matmul_many(&cpu, &x, m, &mut outputs);
            for (w, y) in ws.iter().zip(&ys) {
                assert_eq!(bits(y), bits(&product(&cpu, w, &x)), "{:?}, m = {m}", w.format());
            }
        }
    }
}

#[test]
fn a_bad_activation_reaches_the_output_and_stays_in_its_row() {
    let mut random = Random(5);
    let (n, k, m) = (33, 512, 20);
    for block in BLOCKS {
        let bytes = random.blocks(block, n * k);
        for isa in Isa::available() {
            let cpu = Cpu::new(isa, 1);
            let w = Matrix::from_blocks(&cpu, block, n, k, &bytes);
            for (bad, tiny) in [(f32::NAN, 0.0), (f32::INFINITY, 1e-38)] {
                let mut x = random.normals(m * k);
                let good = product(&cpu, &w, &x);
                x[3 * k + 300] = bad;
                x[5 * k..6 * k].fill(tiny);
                let y = product(&cpu, &w, &x);
                assert!(y[3 * n..4 * n].iter().all(|y| !y.is_finite()), "{block:?} of {bad}");
                assert!(y[5 * n..6 * n].iter().all(|&y| y == 0.0), "{block:?} of {tiny}");
                assert_same(&y[..3 * n], &good[..3 * n], "rows before the bad one");
                assert_same(&y[6 * n..], &good[6 * n..], "rows after the bad ones");
            }
        }
    }
}

/// Relative root-mean-square error of y = x Wᵀ against f64 with the same (dequantised) weights.
fn relative_error(block: BlockType, x: &[f32], k: usize, random: &mut Random) -> f64 {
    let n = 48;
    let bytes = random.blocks(block, n * k);
    let cpu = Cpu::single();
    let w = Matrix::from_blocks(&cpu, block, n, k, &bytes);
    let y = product(&cpu, &w, x);
    let exact = qmatmul::exact(block, &bytes, (n, k), x);
    let square = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>();
    let error = square(&mut y.iter().zip(&exact).map(|(&y, e)| f64::from(y) - e));
    (error / square(&mut exact.iter().copied())).sqrt()
}

#[test]
fn the_error_is_that_of_8_bit_activations() {
    // Rounding to steps of max / 127 errs by step / sqrt(12): about 0.55 % of a normal x for blocks
    // of 32 (mean max 2.1 sigma) and 0.70 % for blocks of 256 (2.8 sigma); heavier tails cost more.
    let mut random = Random(6);
    let (m, k) = (24, 2048);
    for block in BLOCKS {
        let normal = random.normals(m * k);
        let heavy = random.heavy_tailed(m * k);
        let (limit, heavy_limit) =
            if block.block_len() == 32 { (0.0065, 0.012) } else { (0.0085, 0.025) };
        let error = relative_error(block, &normal, k, &mut random);
        let heavy_error = relative_error(block, &heavy, k, &mut random);
        println!("{block:?}: {error:.5} normal, {heavy_error:.5} heavy-tailed");
        assert!(error < limit, "{block:?}: {error} on normal activations");
        assert!(heavy_error < heavy_limit, "{block:?}: {heavy_error} on heavy-tailed activations");
    }
}
