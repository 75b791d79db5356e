//! Every element-wise and row-wise kernel, on every tier of this machine, against f64.

use psi_kernels::{
    Cpu, Isa,
    activation::{Activation, activate, activate_backward, gated, gated_backward},
    elementwise, norm, reference,
    rope::{RopeRows, rope},
    softmax::{cross_entropy_backward, log_sum_exp, softmax},
};

const ACTIVATIONS: [Activation; 4] =
    [Activation::Silu, Activation::GeluTanh, Activation::GeluErf, Activation::ReluSquared];
/// 0, 1, around one and four vectors of lanes, odd, and big enough to be split between threads.
const LENGTHS: [usize; 12] = [0, 1, 15, 16, 17, 31, 63, 64, 65, 100, 1023, 70_001];
const WIDTHS: [usize; 9] = [1, 7, 15, 16, 17, 64, 65, 576, 2049];

/// Numbers in -2 .. 2 that depend on `seed` only (a linear congruential generator).
fn numbers(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u32 << 22) as f32 - 2.0
    };
    (0..n).map(|_| next()).collect()
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

#[track_caller]
fn assert_near(got: &[f32], want: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    let scale = want.iter().fold(1.0, |a: f64, b| a.max(b.abs()));
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(*g) - w).abs() / scale;
        assert!(error <= tolerance, "{what}[{i}]: {g} instead of {w} ({error:e})");
    }
}

/// Runs `check` with one and three threads on every tier.
fn on_every_cpu(check: impl Fn(&Cpu, &str)) {
    for isa in Isa::available() {
        for n_threads in [1, 3] {
            check(&Cpu::new(isa, n_threads), &format!("{} x{n_threads}", isa.tier()));
        }
    }
}

/// Asserts that `f` gives the same bits with 1, 2 and 3 threads.
fn same_with_any_threads(isa: Isa, f: impl Fn(&Cpu) -> Vec<f32>) {
    let bits = |n| f(&Cpu::new(isa, n)).iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let one = bits(1);
    for n in [2, 3] {
        assert!(bits(n) == one, "{n} threads on {}", isa.tier());
    }
}

#[test]
fn activations_and_their_slopes_match_f64() {
    on_every_cpu(|cpu, on| {
        for n in LENGTHS {
            let x: Vec<f32> = numbers(n, 1).iter().map(|x| 4.0 * x).collect();
            let d_y = numbers(n, 2);
            for act in ACTIVATIONS {
                let (mut y, mut d_x) = (vec![0.0; n], vec![0.0; n]);
                activate(cpu, act, &x, &mut y);
                activate_backward(cpu, act, &x, &d_y, &mut d_x);
                let want: Vec<f64> =
                    wide(&x).iter().map(|&x| reference::activation::value(act, x)).collect();
                assert_near(&y, &want, 4e-7, &format!("{act:?} of {n} on {on}"));
                let want: Vec<f64> = wide(&x)
                    .iter()
                    .zip(&d_y)
                    .map(|(&x, &d)| f64::from(d) * reference::activation::slope(act, x))
                    .collect();
                assert_near(&d_x, &want, 2e-6, &format!("{act:?} backward of {n} on {on}"));
            }
        }
    });
}

#[test]
fn gated_activations_match_their_parts() {
    on_every_cpu(|cpu, on| {
        for n in LENGTHS {
            let (gate, up, d_y) = (numbers(n, 1), numbers(n, 2), numbers(n, 3));
            for act in ACTIVATIONS {
                let (mut y, mut d_gate, mut d_up) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
                gated(cpu, act, &gate, &up, &mut y);
                gated_backward(cpu, act, &gate, &up, &d_y, &mut d_gate, &mut d_up);
                let value: Vec<f64> =
                    wide(&gate).iter().map(|&x| reference::activation::value(act, x)).collect();
                let slope: Vec<f64> =
                    wide(&gate).iter().map(|&x| reference::activation::slope(act, x)).collect();
                let (up, d_y) = (wide(&up), wide(&d_y));
                let product = |a: &[f64], b: &[f64]| {
                    a.iter().zip(b).map(|(a, b)| a * b).collect::<Vec<f64>>()
                };
                let what = format!("{act:?} of {n} on {on}");
                assert_near(&y, &product(&value, &up), 4e-7, &what);
                assert_near(&d_gate, &product(&product(&slope, &up), &d_y), 2e-6, &what);
                assert_near(&d_up, &product(&value, &d_y), 4e-7, &what);
            }
        }
    });
}

#[test]
fn activations_are_right_far_from_zero() {
    for isa in Isa::available() {
        let cpu = Cpu::new(isa, 1);
        let x = [-1e4, -120.0, -90.0, -20.0, 0.0, -0.0, 20.0, 90.0, 120.0, 1e4, f32::NAN];
        for act in ACTIVATIONS {
            let mut y = [0.0; 11];
            activate(&cpu, act, &x, &mut y);
            assert!(y[10].is_nan(), "{act:?}: {y:?}");
            for (x, y) in x.iter().zip(y).take(10) {
                let want = reference::activation::value(act, f64::from(*x));
                assert!(
                    (f64::from(y) - want).abs() <= 3e-7 * want.abs().max(1.0),
                    "{act:?}({x}) = {y}"
                );
            }
        }
    }
}

#[test]
fn rms_norm_matches_f64_with_and_without_weights() {
    on_every_cpu(|cpu, on| {
        for (d, rows) in WIDTHS.iter().flat_map(|&d| [0, 1, 3, 70].map(|rows| (d, rows))) {
            let (x, w, delta) = (numbers(d * rows, 1), numbers(d, 2), numbers(d * rows, 3));
            let what = format!("({rows}, {d}) on {on}");
            let want = |x: &[f32], w: &[f64]| -> Vec<f64> {
                x.chunks(d).flat_map(|x| reference::norm::rms_norm(&wide(x), w, 1e-5)).collect()
            };
            let with_offset: Vec<f64> = wide(&w).iter().map(|w| w + 1.0).collect();
            let mut y = vec![0.0; d * rows];
            norm::rms_norm(cpu, &x, &w, 1.0, 1e-5, &mut y);
            assert_near(&y, &want(&x, &with_offset), 1e-6, &what);
            norm::rms_normalize(cpu, &x, d, 1e-5, &mut y);
            assert_near(&y, &want(&x, &vec![1.0; d]), 1e-6, &what);

            let (mut sum, mut fused) = (x.clone(), vec![0.0; d * rows]);
            norm::add_rms_norm(cpu, &mut sum, &delta, &w, 0.0, 1e-5, &mut fused);
            let mut apart = x.clone();
            elementwise::add_assign(cpu, &mut apart, &delta);
            norm::rms_norm(cpu, &apart, &w, 0.0, 1e-5, &mut y);
            assert!(sum == apart && fused == y, "fused {what}");
        }
    });
}

#[test]
fn layer_norm_matches_f64_with_and_without_weights_and_bias() {
    on_every_cpu(|cpu, on| {
        for (d, rows) in WIDTHS.iter().flat_map(|&d| [1, 5].map(|rows| (d, rows))) {
            let (x, w, b) = (numbers(d * rows, 1), numbers(d, 2), numbers(d, 3));
            let x: Vec<f32> = x.iter().map(|x| x + 10.0).collect();
            let what = format!("({rows}, {d}) on {on}");
            let want = |w: &[f64], b: &[f64]| -> Vec<f64> {
                x.chunks(d)
                    .flat_map(|x| reference::norm::layer_norm(&wide(x), w, b, 1e-5))
                    .collect()
            };
            let (zeros, ones) = (vec![0.0; d], vec![1.0; d]);
            let mut y = vec![0.0; d * rows];
            norm::layer_norm(cpu, &x, &w, &b, 1e-5, &mut y);
            assert_near(&y, &want(&wide(&w), &wide(&b)), 1e-5, &what);
            norm::layer_norm(cpu, &x, &w, &[], 1e-5, &mut y);
            assert_near(&y, &want(&wide(&w), &zeros), 1e-5, &what);
            norm::layer_normalize(cpu, &x, d, 1e-5, &mut y);
            assert_near(&y, &want(&ones, &zeros), 1e-5, &what);
        }
    });
}

/// Central differences in f64 of sum(f(x) d_y) by every x.
fn differences(x: &[f64], d_y: &[f64], f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let h = 1e-5;
    let loss = |x: &[f64]| f(x).iter().zip(d_y).map(|(a, b)| a * b).sum::<f64>();
    (0..x.len())
        .map(|i| {
            let mut moved = x.to_vec();
            moved[i] = x[i] + h;
            let up = loss(&moved);
            moved[i] = x[i] - h;
            (up - loss(&moved)) / (2.0 * h)
        })
        .collect()
}

#[test]
fn gradients_of_norms_match_differences() {
    on_every_cpu(|cpu, on| {
        for (d, rows) in [(2, 3), (16, 2), (17, 130), (40, 1)] {
            let (x, w, d_y) = (numbers(d * rows, 1), numbers(d, 2), numbers(d * rows, 3));
            let (x64, w64, d_y64) = (wide(&x), wide(&w), wide(&d_y));
            let by_rows = |x: &[f64], f: &dyn Fn(&[f64]) -> Vec<f64>| -> Vec<f64> {
                x.chunks(d).flat_map(f).collect()
            };
            let what = format!("({rows}, {d}) on {on}");

            let rms = |x: &[f64], w: &[f64]| {
                let w: Vec<f64> = w.iter().map(|w| w + 1.0).collect();
                by_rows(x, &|x| reference::norm::rms_norm(x, &w, 1e-5))
            };
            let (mut d_x, mut d_w) = (vec![0.0; d * rows], vec![1.0; d]);
            norm::rms_norm_backward(cpu, &x, &w, 1.0, 1e-5, &d_y, &mut d_x, &mut d_w);
            assert_near(&d_x, &differences(&x64, &d_y64, |x| rms(x, &w64)), 1e-5, &what);
            let want: Vec<f64> =
                differences(&w64, &d_y64, |w| rms(&x64, w)).iter().map(|d| d + 1.0).collect();
            assert_near(&d_w, &want, 1e-5, &what);

            let ones = vec![1.0; d];
            norm::rms_normalize_backward(cpu, &x, d, 1e-5, &d_y, &mut d_x);
            let plain = |x: &[f64]| by_rows(x, &|x| reference::norm::rms_norm(x, &ones, 1e-5));
            assert_near(&d_x, &differences(&x64, &d_y64, plain), 1e-5, &what);

            let zeros = vec![0.0; d];
            let layer = |x: &[f64], w: &[f64], b: &[f64]| {
                by_rows(x, &|x| reference::norm::layer_norm(x, w, b, 1e-5))
            };
            let (mut d_w, mut d_b) = (vec![1.0; d], vec![2.0; d]);
            norm::layer_norm_backward(cpu, &x, &w, 1e-5, &d_y, &mut d_x, &mut d_w, &mut d_b);
            assert_near(&d_x, &differences(&x64, &d_y64, |x| layer(x, &w64, &zeros)), 1e-5, &what);
            let want: Vec<f64> = differences(&w64, &d_y64, |w| layer(&x64, w, &zeros))
                .iter()
                .map(|d| d + 1.0)
                .collect();
            assert_near(&d_w, &want, 1e-5, &what);
            let want: Vec<f64> = differences(&zeros, &d_y64, |b| layer(&x64, &w64, b))
                .iter()
                .map(|d| d + 2.0)
                .collect();
            assert_near(&d_b, &want, 1e-5, &what);
            norm::layer_normalize_backward(cpu, &x, d, 1e-5, &d_y, &mut d_x);
            assert_near(&d_x, &differences(&x64, &d_y64, |x| layer(x, &ones, &zeros)), 1e-5, &what);
        }
    });
}

#[test]
fn rope_turns_pairs_and_turns_them_back() {
    on_every_cpu(|cpu, on| {
        for (h, d_head, n_heads) in [(1, 2, 1), (4, 8, 3), (16, 32, 2), (20, 64, 2), (64, 128, 5)] {
            let positions = [0, 1, 2, 77, 4095, 131_071];
            let inv_freq: Vec<f64> =
                (0..h).map(|i| 10_000f64.powf(-(i as f64) / h as f64)).collect();
            let tables = RopeRows::new(&positions, &inv_freq, 1.0);
            let x = numbers(positions.len() * n_heads * d_head, 1);
            let mut want = wide(&x);
            for (i, head) in want.chunks_exact_mut(d_head).enumerate() {
                reference::rope::rope(head, f64::from(positions[i / n_heads]), &inv_freq);
            }
            let mut y = x.clone();
            rope(cpu, &mut y, d_head, &tables, false);
            assert_near(&y, &want, 2e-7, &format!("{h} pairs of {d_head} on {on}"));
            rope(cpu, &mut y, d_head, &tables, true);
            assert_near(&y, &wide(&x), 3e-7, &format!("{h} pairs of {d_head} back on {on}"));
        }
    });
}

#[test]
fn softmax_log_sum_exp_and_cross_entropy_match_f64() {
    on_every_cpu(|cpu, on| {
        for (d, rows) in WIDTHS.iter().flat_map(|&d| [0, 1, 4, 30].map(|rows| (d, rows))) {
            let x: Vec<f32> = numbers(d * rows, 1).iter().map(|x| 15.0 * x).collect();
            let what = format!("({rows}, {d}) on {on}");
            let p: Vec<f64> =
                x.chunks(d).flat_map(|x| reference::softmax::softmax(&wide(x))).collect();
            let mut y = x.clone();
            softmax(cpu, &mut y, d);
            assert_near(&y, &p, 1e-6, &what);

            let want: Vec<f64> =
                x.chunks(d).map(|x| reference::softmax::log_sum_exp(&wide(x))).collect();
            let mut lse = vec![0.0; rows];
            log_sum_exp(cpu, &x, d, &mut lse);
            assert_near(&lse, &want, 2e-7, &what);

            let targets: Vec<u32> =
                (0..rows).map(|i| if i == 2 { u32::MAX } else { (i * 7 % d) as u32 }).collect();
            let scale: Vec<f32> =
                (0..rows).map(|i| if i == 2 { 0.0 } else { 0.25 + i as f32 }).collect();
            let mut want = p;
            for (i, row) in want.chunks_exact_mut(d).enumerate() {
                if i != 2 {
                    row[targets[i] as usize] -= 1.0;
                }
                row.iter_mut().for_each(|x| *x *= f64::from(scale[i]));
            }
            let mut d_x = x;
            cross_entropy_backward(cpu, &mut d_x, d, &targets, &lse, &scale);
            assert_near(&d_x, &want, 1e-5, &what);
        }
    });
}

#[test]
fn log_sum_exp_is_right_for_minus_infinity_and_nan() {
    for isa in Isa::available() {
        let cpu = Cpu::new(isa, 1);
        let mut out = [0.0; 3];
        let x = [f32::NEG_INFINITY, f32::NEG_INFINITY, 3.0, f32::NEG_INFINITY, f32::NAN, 1.0];
        log_sum_exp(&cpu, &x, 2, &mut out);
        assert_eq!((out[0], out[1]), (f32::NEG_INFINITY, 3.0));
        assert!(out[2].is_nan());
    }
}

#[test]
fn sums_scales_and_soft_caps_match_f64() {
    on_every_cpu(|cpu, on| {
        for n in LENGTHS {
            let (x, y) = (numbers(n, 1), numbers(n, 2));
            let mut z = x.clone();
            elementwise::add_scaled(cpu, &mut z, 0.3, &y);
            elementwise::scale(cpu, &mut z, 7.0);
            let want: Vec<f64> = x
                .iter()
                .zip(&y)
                .map(|(x, y)| 7.0 * (f64::from(*x) + f64::from(0.3f32) * f64::from(*y)))
                .collect();
            assert_near(&z, &want, 2e-7, &format!("{n} on {on}"));

            let x: Vec<f32> = x.iter().map(|x| 30.0 * x).collect();
            let mut z = x.clone();
            elementwise::soft_cap(cpu, &mut z, 30.0);
            let want: Vec<f64> = wide(&x).iter().map(|x| 30.0 * (x / 30.0).tanh()).collect();
            assert_near(&z, &want, 3e-7, &format!("{n} on {on}"));
            let mut d = y.clone();
            elementwise::soft_cap_backward(cpu, &z, 30.0, &mut d);
            let want: Vec<f64> = x
                .iter()
                .zip(&y)
                .map(|(x, y)| f64::from(*y) / (f64::from(*x) / 30.0).cosh().powi(2))
                .collect();
            assert_near(&d, &want, 1e-6, &format!("{n} on {on}"));
        }
    });
}

#[test]
fn threads_and_neighbouring_rows_change_no_bit() {
    for isa in Isa::available() {
        let (d, rows) = (576, 200);
        let (x, w, d_y) = (numbers(d * rows, 1), numbers(d, 2), numbers(d * rows, 3));
        let normed = |cpu: &Cpu, x: &[f32]| {
            let mut y = vec![0.0; x.len()];
            norm::rms_norm(cpu, x, &w, 0.0, 1e-6, &mut y);
            y
        };
        same_with_any_threads(isa, |cpu| normed(cpu, &x));
        let cpu = Cpu::new(isa, 2);
        assert!(normed(&cpu, &x)[d * 100..d * 101] == normed(&cpu, &x[d * 100..d * 101])[..]);
        same_with_any_threads(isa, |cpu| {
            let (mut d_x, mut d_w) = (vec![0.0; d * rows], vec![0.0; d]);
            norm::rms_norm_backward(cpu, &x, &w, 0.0, 1e-6, &d_y, &mut d_x, &mut d_w);
            d_x.extend(d_w);
            d_x
        });
        same_with_any_threads(isa, |cpu| {
            let (mut d_x, mut d_w, mut d_b) = (vec![0.0; d * rows], vec![0.0; d], vec![0.0; d]);
            norm::layer_norm_backward(cpu, &x, &w, 1e-6, &d_y, &mut d_x, &mut d_w, &mut d_b);
            d_x.extend(d_w.into_iter().chain(d_b));
            d_x
        });
        same_with_any_threads(isa, |cpu| {
            let (mut y, mut lse) = (x.clone(), vec![0.0; rows]);
            gated(cpu, Activation::Silu, &x, &d_y, &mut y);
            log_sum_exp(cpu, &x, d, &mut lse);
            y.extend(lse);
            y
        });
    }
}
