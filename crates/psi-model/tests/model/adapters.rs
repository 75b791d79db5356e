//! Adapters beside frozen matrices, quantised ones included.

use psi_kernels::{Cpu, Format, quant::BlockType};
use psi_model::{Config, Decoder};
use psi_tensor::{Gradients, Graph, Lora, ParamId, Weight};
use psi_testkit::Rng;

use crate::{gradients::loss, run};

const RANK: usize = 4;

fn model(cpu: &Cpu, format: Format) -> Decoder {
    let config = Config { d_ff: 256, ..Config::llama(256, 2, 4, 64) };
    let mut rng = Rng::new(11);
    let mut values = |n: usize, std: f32| rng.normals(n, std);
    // Every format starts from what Q8_0 can hold, so that all bases are the same model.
    let base = Decoder::from_values(cpu, &config, Format::Quant(BlockType::Q8_0), |info| {
        let norm = if info.id.role.is_norm() { 1.0 } else { 0.0 };
        let std = if info.id.role.is_vector() { 0.1 } else { (info.k as f32).powf(-0.5) };
        values(info.n * info.k, std).into_iter().map(|x| x + norm).collect()
    });
    let mut base = base;
    Decoder::from_values(cpu, &config, format, |info| base.parameter(info.id).to_f32(cpu))
}

/// Attaches an adapter to every layer; B starts at `b` times noise. Returns the number of parameters.
fn attach(cpu: &Cpu, model: &mut Decoder, b: f32) -> u32 {
    let mut rng = Rng::new(5);
    let mut next = 0;
    model.for_each_linear(&mut |_, linear| {
        let (n, k) = (linear.weight.n(), linear.weight.k());
        let mut trainable = |shape: (usize, usize), std: f32| {
            let values = rng.normals(shape.0 * shape.1, std);
            next += 1;
            Weight::trainable(cpu, ParamId(next - 1), Format::F32, shape, values)
        };
        let a = trainable((RANK, k), (k as f32).powf(-0.5));
        let b = trainable((n, RANK), b);
        linear.adapter = Some(Lora { a, b, scale: 2.0 });
    });
    next
}

fn tokens() -> Vec<u32> {
    (0..40).map(|i| (i * 13 + 5) % 64).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn an_adapter_whose_b_is_zero_changes_no_bit() {
    let cpu = run::cpu();
    for format in [Format::F32, Format::Bf16, Format::Quant(BlockType::Q8_0)] {
        let mut model = model(&cpu, format);
        let before = run::logits(&cpu, &model, &tokens());
        attach(&cpu, &mut model, 0.0);
        let after = run::logits(&cpu, &model, &tokens());
        assert!(bits(&before) == bits(&after), "{format:?}");
        attach(&cpu, &mut model, 0.1);
        let changed = run::logits(&cpu, &model, &tokens());
        assert!(bits(&before) != bits(&changed), "{format:?}");
    }
}

#[test]
fn gradients_of_adapters_beside_quantised_weights_are_those_beside_f32() {
    let cpu = run::cpu();
    let gradients = |format: Format| {
        let mut model = model(&cpu, format);
        let n = attach(&cpu, &mut model, 0.1);
        let graph = Graph::train(&cpu);
        let mut gradients = Gradients::new();
        graph.backward(loss(&graph, &model, &tokens()), &mut gradients);
        // Only the adapters are trained.
        assert_eq!(gradients.iter().count() as u32, n);
        gradients
    };
    let exact = gradients(Format::F32);
    for (format, least) in [(Format::Bf16, 0.995), (Format::Quant(BlockType::Q8_0), 0.995)] {
        for (id, got) in gradients(format).iter() {
            let want = exact.get(id).expect("the same parameters");
            let dot = |a: &[f32], b: &[f32]| -> f64 {
                a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
            };
            let cosine = dot(got, want) / (dot(got, got) * dot(want, want)).sqrt();
            assert!(cosine > least, "{format:?} {id:?}: cosine {cosine}");
        }
    }
}
