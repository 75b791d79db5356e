//! Dense products on every tier against f64, and their bits against themselves.

use psi_kernels::{
    Cpu, Format, Isa, Matrix,
    gemm::{Compute, GemmShape, Layout, gemm},
    matmul, matmul_add, matmul_many, reference,
};

/// Numbers that look random in [-1, 1): a linear congruential generator's upper bits.
fn numbers(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..n)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// bf16 bits to nearest even, in the plainest way: of the two neighbours, the nearer.
fn to_bf16(x: f32) -> u16 {
    let down = (x.to_bits() >> 16) as u16;
    if x.is_nan() {
        return down | 0x40;
    }
    let up = down.wrapping_add(1);
    let value = |bits: u16| f64::from(f32::from_bits(u32::from(bits) << 16));
    // The step beyond the largest finite number counts as if the exponent went on.
    let above =
        if value(up).is_infinite() { value(down) * 2.0 - value(down - 1) } else { value(up) };
    let (d, u) = ((f64::from(x) - value(down)).abs(), (above - f64::from(x)).abs());
    let take_up = u < d || (u == d && down % 2 == 1);
    if take_up && !x.is_infinite() { up } else { down }
}

fn from_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

fn rounded(x: &[f32], format: Format) -> Vec<f64> {
    x.iter()
        .map(|&x| f64::from(if format == Format::F32 { x } else { from_bf16(to_bf16(x)) }))
        .collect()
}

fn cpus(threads: &[usize]) -> Vec<Cpu> {
    let tiers = Isa::available();
    tiers.iter().flat_map(|&isa| threads.iter().map(move |&t| Cpu::new(isa, t))).collect()
}

/// |got - want| <= 2^-23 (sqrt k + 4) sum |a||b|: rounding errors of k additions, as a random walk
/// with room to spare.
fn assert_close(what: &str, got: &[f32], want: &[f64], magnitude: &[f64], k: usize) {
    let eps = f64::from(f32::EPSILON) * ((k as f64).sqrt() + 4.0);
    for (i, ((&g, &w), &m)) in got.iter().zip(want).zip(magnitude).enumerate() {
        let error = (f64::from(g) - w).abs();
        assert!(error <= eps * m + 1e-30, "{what}: element {i} is {g}, not {w} (error {error:e})");
    }
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

fn abs(x: &[f64]) -> Vec<f64> {
    x.iter().map(|x| x.abs()).collect()
}

const FORMATS: [Format; 2] = [Format::F32, Format::Bf16];

#[test]
fn matmul_agrees_with_f64_on_every_tier_and_shape() {
    let sizes = [1, 2, 15, 16, 17, 31, 32, 33, 64, 100];
    let cpus = cpus(&[1, 3]);
    for (i, &n) in sizes.iter().enumerate() {
        for (j, &k) in sizes.iter().chain(&[0, 257, 1100]).enumerate() {
            let m = [1, 3, 7, 8, 9, 17, 33, 70][(i + j) % 8];
            let x = numbers(1, m * k);
            let w = numbers(2, n * k);
            for format in FORMATS {
                let (xr, wr) = (rounded(&x, format), rounded(&w, format));
                let want = reference::gemm::matmul(&xr, m, &wr, n, k);
                let size = reference::gemm::matmul(&abs(&xr), m, &abs(&wr), n, k);
                for cpu in &cpus {
                    let matrix = Matrix::from_f32(cpu, format, n, k, &w);
                    let mut y = vec![f32::NAN; m * n];
                    matmul(cpu, &x, m, &matrix, &mut y);
                    let what = format!("{cpu:?} {format:?} m={m} n={n} k={k}");
                    assert_close(&what, &y, &want, &size, k);
                }
            }
        }
    }
}

#[test]
fn large_products_agree_with_f64_on_every_tier() {
    for (m, n, k) in [(300, 176, 2500), (530, 90, 600), (37, 1000, 320)] {
        let (x, w) = (numbers(3, m * k), numbers(4, n * k));
        for format in FORMATS {
            let (xr, wr) = (rounded(&x, format), rounded(&w, format));
            let want = reference::gemm::matmul(&xr, m, &wr, n, k);
            let size = reference::gemm::matmul(&abs(&xr), m, &abs(&wr), n, k);
            for cpu in cpus(&[2]) {
                let matrix = Matrix::from_f32(&cpu, format, n, k, &w);
                let mut y = vec![f32::NAN; m * n];
                matmul(&cpu, &x, m, &matrix, &mut y);
                assert_close(&format!("{cpu:?} {format:?} {m} {n} {k}"), &y, &want, &size, k);
            }
        }
    }
}

#[test]
fn a_row_has_the_same_bits_alone_in_a_batch_and_on_any_number_of_threads() {
    for (n, k) in [(200, 352), (33, 70), (1600, 96), (48, 2400)] {
        let x = numbers(5, 100 * k);
        let w = numbers(6, n * k);
        for format in FORMATS {
            for isa in Isa::available() {
                let one = Cpu::new(isa, 1);
                let matrix = Matrix::from_f32(&one, format, n, k, &w);
                let mut alone = vec![0.0; 100 * n];
                for (x, y) in x.chunks_exact(k).zip(alone.chunks_exact_mut(n)) {
                    matmul(&one, x, 1, &matrix, y);
                }
                for threads in [1, 2, 3] {
                    let cpu = Cpu::new(isa, threads);
                    for m in [1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 31, 32, 33, 48, 64, 100] {
                        let mut y = vec![f32::NAN; m * n];
                        matmul(&cpu, &x[..m * k], m, &matrix, &mut y);
                        let same = bits(&y) == bits(&alone[..m * n]);
                        assert!(same, "{isa:?} {format:?} n={n} k={k} m={m} threads={threads}");
                    }
                }
            }
        }
    }
}

#[test]
fn several_outputs_of_mixed_formats_equal_single_ones() {
    let (m, k) = (5, 130);
    let x = numbers(7, m * k);
    for cpu in cpus(&[1, 2]) {
        let shapes = [(40, Format::F32), (7, Format::Bf16), (129, Format::Bf16), (0, Format::F32)];
        let matrices: Vec<Matrix> = shapes
            .iter()
            .map(|&(n, format)| Matrix::from_f32(&cpu, format, n, k, &numbers(8, n * k)))
            .collect();
        let mut together: Vec<Vec<f32>> = shapes.iter().map(|&(n, _)| vec![0.0; m * n]).collect();
        let mut outputs: Vec<_> =
            matrices.iter().zip(together.iter_mut().map(Vec::as_mut_slice)).collect();
        matmul_many(&cpu, &x, m, &mut outputs);
        for (matrix, together) in matrices.iter().zip(&together) {
            let mut single = vec![0.0; together.len()];
            matmul(&cpu, &x, m, matrix, &mut single);
            assert_eq!(bits(&single), bits(together));
        }
    }
}

#[test]
fn a_product_added_to_its_output_and_a_transposed_matrix_agree_with_f64() {
    for cpu in cpus(&[2]) {
        for (m, n, k) in [(1, 1, 1), (5, 17, 33), (70, 40, 96)] {
            for format in [Format::F32, Format::Bf16] {
                let (x, w, y0) = (numbers(1, m * k), numbers(2, k * n), numbers(3, m * n));
                // w is (k, n) row-major, so its transpose is the (n, k) that `matmul` takes.
                let matrix = Matrix::transposed_from_f32(&cpu, format, k, n, &w);
                let mut y = y0.clone();
                matmul_add(&cpu, &x, m, &matrix, &mut y);
                let (xr, wr) = (rounded(&x, format), rounded(&w, format));
                let sum = |f: &dyn Fn(f64) -> f64, at: usize| {
                    let (i, j) = (at / n, at % n);
                    (0..k).map(|l| f(xr[i * k + l] * wr[l * n + j])).sum::<f64>()
                        + f(f64::from(y0[at]))
                };
                let want: Vec<f64> = (0..m * n).map(|at| sum(&|x| x, at)).collect();
                let magnitude: Vec<f64> = (0..m * n).map(|at| sum(&f64::abs, at)).collect();
                let what = format!("{:?} {format:?} {m}x{n}x{k}", cpu.isa());
                assert_close(&what, &y, &want, &magnitude, k);
            }
        }
    }
}

#[test]
fn gemm_agrees_with_f64_in_every_layout_and_does_not_depend_on_threads() {
    let sizes = [(1, 1, 1), (3, 17, 5), (16, 16, 32), (31, 100, 33), (64, 48, 65), (100, 33, 16)];
    let large = [(257, 130, 700), (40, 500, 2100), (5, 7, 0), (290, 64, 64)];
    for (m, n, k) in sizes.into_iter().chain(large) {
        for layout in [Layout::Nn, Layout::Nt, Layout::Tn] {
            for (compute, format) in [(Compute::F32, FORMATS[0]), (Compute::Bf16, FORMATS[1])] {
                for accumulate in [false, true] {
                    let shape = GemmShape { m, n, k, layout, compute, accumulate };
                    let (a, b, c) = (numbers(9, m * k), numbers(10, k * n), numbers(11, m * n));
                    let (ar, br) = (rounded(&a, format), rounded(&b, format));
                    let mut want = rounded(&c, Format::F32);
                    let mut size = abs(&want);
                    reference::gemm::gemm(shape, &ar, &br, &mut want);
                    reference::gemm::gemm(shape, &abs(&ar), &abs(&br), &mut size);
                    for isa in Isa::available() {
                        let mut first = Vec::new();
                        for threads in [1, 2, 3] {
                            let mut got = c.clone();
                            gemm(&Cpu::new(isa, threads), shape, &a, &b, &mut got);
                            assert_close(&format!("{isa:?} {shape:?}"), &got, &want, &size, k);
                            if threads == 1 {
                                first = bits(&got);
                            }
                            assert_eq!(first, bits(&got), "{isa:?} {shape:?} {threads} threads");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn not_a_number_and_infinity_reach_exactly_the_outputs_they_belong_to() {
    let (m, n, k) = (20, 35, 50);
    for cpu in cpus(&[1, 2]) {
        for format in FORMATS {
            let (mut x, mut w) = (numbers(12, m * k), numbers(13, n * k));
            x[3 * k + 49] = f32::NAN;
            w[34 * k + 7] = f32::INFINITY;
            let matrix = Matrix::from_f32(&cpu, format, n, k, &w);
            let mut y = vec![0.0; m * n];
            matmul(&cpu, &x, m, &matrix, &mut y);
            for (i, row) in y.chunks_exact(n).enumerate() {
                for (j, y) in row.iter().enumerate() {
                    let what = format!("{cpu:?} {format:?} ({i}, {j}) is {y}");
                    match (i, j) {
                        (3, _) => assert!(y.is_nan(), "{what}"),
                        (_, 34) => assert!(y.is_infinite(), "{what}"),
                        _ => assert!(y.is_finite(), "{what}"),
                    }
                }
            }
        }
    }
}

#[test]
fn weights_round_to_the_nearest_bf16_ties_to_even() {
    let mut special = vec![
        0.0,
        -0.0,
        1.0,
        1.0 + 1.0 / 256.0,
        1.0 + 3.0 / 256.0,
        1.003_906_3,
        65504.0,
        f32::MAX,
        f32::MIN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::MIN_POSITIVE,
        1e-40,
        -1e-45,
        3.0e38,
    ];
    special.extend((0..4000_u32).map(|i| f32::from_bits(i.wrapping_mul(1_048_573))));
    let (n, k) = (special.len().div_ceil(50), 50);
    special.resize(n * k, 1.0);
    let want: Vec<u16> = special.iter().map(|&x| to_bf16(x)).collect();
    for cpu in cpus(&[1, 2]) {
        let from_f32 = Matrix::from_f32(&cpu, Format::Bf16, n, k, &special);
        let from_bits = Matrix::from_bf16(&cpu, n, k, &want);
        let whole = Matrix::from_f32(&cpu, Format::F32, n, k, &special);
        let mut row = vec![0.0; k];
        for r in 0..n {
            let range = r * k..(r + 1) * k;
            let expected: Vec<f32> = want[range.clone()].iter().map(|&b| from_bf16(b)).collect();
            from_f32.row(r, &mut row);
            assert_eq!(
                bits(&row),
                bits(&expected),
                "{cpu:?} row {r} of {:?}",
                &special[range.clone()]
            );
            from_bits.row(r, &mut row);
            assert_eq!(bits(&row), bits(&expected), "{cpu:?} row {r} from bits");
            whole.row(r, &mut row);
            assert_eq!(bits(&row), bits(&special[range]), "{cpu:?} row {r} in f32");
        }
    }
}

#[test]
fn a_squeezed_matrix_is_the_same_to_the_bit_in_less_memory() {
    // Normally distributed weights, with some that no code is left for: large ones, tiny ones, infinities, zeros.
    let rare = [0.0, -0.0, 3.0e38, -1.0e30, 1e-40, f32::INFINITY, f32::NEG_INFINITY, 7.0e-20];
    for (n, k) in [(16, 32), (200, 352), (33, 70), (1600, 96), (48, 2400), (129, 1030)] {
        let mut weights = numbers(20, n * k);
        for (i, w) in weights.iter_mut().enumerate() {
            *w *= 0.02;
            if i % 1499 == 7 {
                *w = rare[i / 1499 % rare.len()];
            }
        }
        let words: Vec<u16> = weights.iter().map(|&w| to_bf16(w)).collect();
        let x = numbers(21, 300 * k);
        for cpu in cpus(&[1, 2]) {
            let plain = Matrix::from_bf16(&cpu, n, k, &words);
            let squeezed = plain.clone().squeezed(&cpu);
            assert!(squeezed.bytes() * 5 < plain.bytes() * 4, "{n} x {k}: {}", squeezed.bytes());
            let (mut a, mut b) = (vec![0.0; k], vec![0.0; k]);
            for row in 0..n {
                plain.row(row, &mut a);
                squeezed.row(row, &mut b);
                assert_eq!(bits(&a), bits(&b), "{cpu:?} row {row} of {n} x {k}");
            }
            for m in [1, 2, 3, 7, 8, 9, 17, 33, 300] {
                let (mut a, mut b) = (vec![0.0; m * n], vec![0.0; m * n]);
                matmul(&cpu, &x[..m * k], m, &plain, &mut a);
                matmul(&cpu, &x[..m * k], m, &squeezed, &mut b);
                assert_eq!(bits(&a), bits(&b), "{cpu:?} m={m} {n} x {k}");
            }
        }
    }
}

#[test]
fn a_matrix_whose_weights_take_too_many_powers_of_two_stays_as_it_is() {
    let words: Vec<u16> =
        (0..64 * 64_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 16) as u16).collect();
    for cpu in cpus(&[1]) {
        let plain = Matrix::from_bf16(&cpu, 64, 64, &words);
        assert_eq!(plain.clone().squeezed(&cpu).bytes(), plain.bytes());
        let f32s = Matrix::from_f32(&cpu, Format::F32, 64, 64, &numbers(22, 64 * 64));
        assert_eq!(f32s.clone().squeezed(&cpu).bytes(), f32s.bytes());
    }
}

#[test]
fn activations_of_a_bf16_product_are_rounded_to_nearest_even() {
    // One column of weights at 1: the output is the rounded activation itself.
    let x: Vec<f32> =
        numbers(14, 64).into_iter().chain([1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0]).collect();
    for cpu in cpus(&[1]) {
        for m in [1, 11, 66] {
            let one = Matrix::from_f32(&cpu, Format::Bf16, 1, 1, &[1.0]);
            let mut y = vec![0.0; m];
            matmul(&cpu, &x[..m], m, &one, &mut y);
            let want: Vec<f32> = x[..m].iter().map(|&x| from_bf16(to_bf16(x))).collect();
            assert_eq!(y, want, "{cpu:?}");
        }
    }
}
