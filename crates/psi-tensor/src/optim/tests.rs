//! AdamW against f64, against PyTorch, and against itself on other threads.

use psi_kernels::{Cpu, Format, Isa, Matrix};
use psi_testkit::{Rng, assert_close, golden_dir};
use serde_json::Value;

use super::*;
use crate::{Vector, Weight};

const RATE: Rate = Rate { lr: 0.01, weight_decay: 0.1, grad_scale: 0.5 };
const BETAS: [f32; 2] = [0.9, 0.95];

fn gradients(id: ParamId, values: &[f32]) -> Gradients {
    let mut gradients = Gradients::new();
    gradients.slot(id, values.len()).copy_from_slice(values);
    gradients
}

/// The paper's algorithm in f64.
fn reference(w: &mut [f64], g: &[f32], m: &mut [f64], v: &mut [f64], t: i32) {
    let [b1, b2] = BETAS.map(f64::from);
    let (lr, decay) = (f64::from(RATE.lr), f64::from(RATE.weight_decay));
    for i in 0..w.len() {
        let g = f64::from(g[i]) * f64::from(RATE.grad_scale);
        m[i] = b1 * m[i] + (1.0 - b1) * g;
        v[i] = b2 * v[i] + (1.0 - b2) * g * g;
        let (m, v) = (m[i] / (1.0 - b1.powi(t)), v[i] / (1.0 - b2.powi(t)));
        w[i] -= lr * decay * w[i] + lr * m / (v.sqrt() + 1e-8);
    }
}

#[test]
fn a_matrix_and_a_vector_follow_the_reference_in_f64_on_every_tier() {
    for isa in Isa::available() {
        let cpu = Cpu::new(isa, 2);
        for shape in [(1, 1), (3, 5), (16, 32), (37, 70)] {
            let n = shape.0 * shape.1;
            let start = Rng::new(n as u64).normals(n, 1.0);
            let mut weight =
                Weight::trainable(&cpu, ParamId(0), Format::Bf16, shape, start.clone());
            let mut vector = Vector::new(start.clone());
            vector.train(ParamId(0));
            let mut want: Vec<f64> = start.iter().map(|&x| f64::from(x)).collect();
            let (mut m, mut v) = (vec![0.0; n], vec![0.0; n]);
            let (mut of_weight, mut of_vector) = (AdamW::new(BETAS, 1e-8), AdamW::new(BETAS, 1e-8));
            for t in 1..=4 {
                let g = Rng::new(99 + t as u64).normals(n, 0.3);
                reference(&mut want, &g, &mut m, &mut v, t);
                let g = gradients(ParamId(0), &g);
                of_weight.begin_step();
                of_weight.update(&cpu, &mut Parameter::Weight(&mut weight), &g, RATE);
                of_vector.begin_step();
                of_vector.update(&cpu, &mut Parameter::Vector(&mut vector), &g, RATE);
            }
            let want: Vec<f32> = want.iter().map(|&x| x as f32).collect();
            assert_close("weight", &weight.to_f32(&cpu), &want, 1e-6);
            assert_eq!(vector.values(), weight.to_f32(&cpu));
            let fresh = Weight::trainable(&cpu, ParamId(0), Format::Bf16, shape, want);
            let close = |a: &Matrix, b: &Matrix| {
                let (mut x, mut y) = (vec![0.0; a.k()], vec![0.0; a.k()]);
                for i in 0..a.n() {
                    a.row(i, &mut x);
                    b.row(i, &mut y);
                    assert_close("a row of the panels", &x, &y, 0.01);
                }
            };
            close(weight.matrix(), fresh.matrix());
            close(&weight.transposed(&cpu), &fresh.transposed(&cpu));
        }
    }
}

#[test]
fn five_clipped_steps_are_pytorchs() {
    let text = std::fs::read_to_string(golden_dir().join("adamw.json")).expect("golden file");
    let golden: Value = serde_json::from_str(&text).expect("JSON");
    let floats = |v: &Value| -> Vec<f32> {
        let values = v.as_array().expect("a list").iter();
        values.map(|x| x.as_f64().expect("a number") as f32).collect()
    };
    let cpu = Cpu::new(Isa::best(), 2);
    let mut w = Vector::new(floats(&golden["start"]));
    w.train(ParamId(3));
    let mut optimiser = AdamW::new(BETAS, 1e-8);
    for step in golden["steps"].as_array().expect("steps") {
        let g = gradients(ParamId(3), &floats(&step["gradient"]));
        let norm = global_norm(&cpu, &g);
        assert!((norm / step["norm"].as_f64().expect("norm") - 1.0).abs() < 1e-6);
        let grad_scale = clip_factor(norm, golden["max_norm"].as_f64().expect("max_norm"));
        let rate = Rate { lr: 0.02, weight_decay: 0.1, grad_scale };
        optimiser.begin_step();
        optimiser.update(&cpu, &mut Parameter::Vector(&mut w), &g, rate);
        assert_close("w", w.values(), &floats(&step["w"]), 2e-6);
    }
}

#[test]
fn steps_and_norms_have_the_same_bits_on_any_number_of_threads() {
    let shape = (300, 129);
    let n = shape.0 * shape.1;
    let (start, g) = (Rng::new(1).normals(n, 1.0), Rng::new(2).normals(n, 1.0));
    let g = gradients(ParamId(0), &g);
    let run = |n_threads| {
        let cpu = Cpu::new(Isa::best(), n_threads);
        let mut weight = Weight::trainable(&cpu, ParamId(0), Format::F32, shape, start.clone());
        let mut optimiser = AdamW::new(BETAS, 1e-8);
        optimiser.begin_step();
        optimiser.update(&cpu, &mut Parameter::Weight(&mut weight), &g, RATE);
        let mut row = vec![0.0; shape.1];
        weight.matrix().row(299, &mut row);
        assert_eq!(row, weight.to_f32(&cpu)[299 * 129..]);
        let transposed = weight.transposed(&cpu);
        let mut column = vec![0.0; shape.0];
        transposed.row(128, &mut column);
        let want: Vec<f32> = weight.to_f32(&cpu).chunks(129).map(|row| row[128]).collect();
        assert_eq!(column, want);
        (weight.to_f32(&cpu), global_norm(&cpu, &g), optimiser.moments(ParamId(0)).cloned())
    };
    let one = run(1);
    assert_eq!(run(2), one);
    assert_eq!(run(3), one);
    let exact = g.iter().flat_map(|(_, g)| g).map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
    assert!((one.1 / exact.sqrt() - 1.0).abs() < 1e-6);
}

#[test]
fn a_restored_optimiser_goes_on_with_the_same_bits() {
    let cpu = Cpu::new(Isa::best(), 1);
    let g = gradients(ParamId(0), &[0.3, -0.2, 0.1]);
    let mut w = Vector::new(vec![1.0, 2.0, 3.0]);
    w.train(ParamId(0));
    let mut optimiser = AdamW::new(BETAS, 1e-8);
    let step = |optimiser: &mut AdamW, w: &mut Vector| {
        optimiser.begin_step();
        optimiser.update(&cpu, &mut Parameter::Vector(w), &g, RATE);
    };
    step(&mut optimiser, &mut w);
    let mut copy = AdamW::new(BETAS, 1e-8);
    copy.restore(optimiser.steps());
    copy.restore_moments(ParamId(0), optimiser.moments(ParamId(0)).expect("moments").clone());
    let mut twin = w.clone();
    step(&mut optimiser, &mut w);
    step(&mut copy, &mut twin);
    assert_eq!(w.values(), twin.values());
}

#[test]
fn a_parameter_without_id_or_gradient_stays() {
    let cpu = Cpu::new(Isa::best(), 1);
    let mut optimiser = AdamW::new(BETAS, 1e-8);
    optimiser.begin_step();
    let mut frozen = Vector::new(vec![1.0]);
    let g = gradients(ParamId(0), &[1.0]);
    optimiser.update(&cpu, &mut Parameter::Vector(&mut frozen), &g, RATE);
    frozen.train(ParamId(1));
    optimiser.update(&cpu, &mut Parameter::Vector(&mut frozen), &g, RATE);
    assert_eq!(frozen.values(), [1.0]);
    assert!(optimiser.moments(ParamId(1)).is_none());
    assert_eq!((clip_factor(0.5, 1.0), clip_factor(4.0, 1.0)), (1.0, 0.25));
}
