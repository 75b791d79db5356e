//! Adapters beside frozen matrices, quantised ones included.

use std::path::Path;

use psi_kernels::{
    Cpu, Format, Matrix,
    kv::{KvArena, KvDtype, Segment},
    quant::BlockType,
};
use psi_model::{Adapter, Batch, Config, Decoder, LoadOptions, Want};
use psi_store::{DType, TensorSpec, safetensors::Writer};
use psi_tensor::{Gradients, Graph, Lora, ParamId, Vector, Weight};
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

/// Writes a folder as PEFT does.
#[expect(clippy::disallowed_methods, reason = "a test's own folder")]
fn write_peft(dir: &Path, settings: &str, tensors: &[(String, Vec<usize>, Vec<f32>)]) {
    let mut writer = Writer::new();
    for (name, shape, _) in tensors {
        writer.add(TensorSpec::new(name, DType::F32, shape));
    }
    let mut sink = writer.create(&dir.join("adapter_model.safetensors")).expect("a file");
    for (name, _, values) in tensors {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        sink.write(name, &bytes).expect("written");
    }
    sink.finish().expect("finished");
    std::fs::write(dir.join("adapter_config.json"), settings).expect("written");
}

fn settings(is_dora: bool) -> String {
    format!(r#"{{"peft_type": "LORA", "r": {RANK}, "lora_alpha": 8, "use_dora": {is_dora}}}"#)
}

/// Attaches a random adapter to every matrix of `model` (fused ones as one) and writes it to `dir`.
fn attach_and_write(cpu: &Cpu, model: &mut Decoder, is_dora: bool, dir: &Path) {
    let mut rng = Rng::new(3);
    let mut tensors = Vec::new();
    let config = model.config().clone();
    for stored in psi_model::stored_tensors(&config, psi_model::Layout::Hf) {
        let is_linear = stored.name.ends_with("_proj.weight");
        let Some(stem) = stored.name.strip_suffix(".weight").filter(|_| is_linear) else {
            continue;
        };
        let (n, k) = (stored.shape[0], stored.shape[1]);
        let a = rng.normals(RANK * k, 0.1);
        let b = rng.normals(n * RANK, 0.1);
        let m: Vec<f32> = (0..n).map(|_| 1.0 + 0.1 * rng.uniform()).collect();
        let mut first = 0;
        for part in stored.parts() {
            let matrix = |n, k, values: &[f32]| {
                Weight::new(Matrix::from_f32(cpu, Format::F32, n, k, values))
            };
            let rows = first..first + part.n;
            first += part.n;
            let b = matrix(part.n, RANK, &b[rows.start * RANK..rows.end * RANK]);
            let lora = Lora { a: matrix(RANK, k, &a), b, scale: 8.0 / RANK as f32 };
            model.for_each_linear(&mut |id, linear| {
                if id == part.id {
                    linear.adapter = Some(lora.clone());
                    if is_dora {
                        linear.add_magnitude(cpu, ParamId(0));
                        let magnitude = linear.magnitude.as_mut().expect("just added");
                        magnitude.m = Vector::new(m[rows.clone()].to_vec());
                    }
                }
            });
        }
        let name = |part: &str| format!("base_model.model.{stem}.{part}");
        tensors.push((name("lora_A.weight"), vec![RANK, k], a));
        tensors.push((name("lora_B.weight"), vec![n, RANK], b));
        if is_dora {
            tensors.push((name("lora_magnitude_vector"), vec![n], m));
        }
    }
    write_peft(dir, &settings(is_dora), &tensors);
}

#[test]
fn rows_with_an_adapter_from_a_file_are_those_of_a_model_that_has_it_attached() {
    let cpu = run::cpu();
    let phi = psi_testkit::golden_dir().join("models/phi4_mini");
    let phi = Decoder::load(&cpu, &phi, &LoadOptions::default()).expect("a golden model");
    for (base, is_dora) in
        [(model(&cpu, Format::F32), false), (phi, false), (model(&cpu, Format::Bf16), true)]
    {
        let dir = tempfile::tempdir().expect("a folder");
        let mut attached = base.clone();
        attach_and_write(&cpu, &mut attached, is_dora, dir.path());
        let adapter = Adapter::load(&cpu, &base, dir.path()).expect("an adapter");
        let plain = run::logits(&cpu, &base, &tokens());
        let adapted = run::logits(&cpu, &attached, &tokens());
        assert!(bits(&plain) != bits(&adapted));
        // Three sequences of the same tokens: with, without and with the adapter.
        let n = tokens().len();
        let mut cache = KvArena::new(base.kv_shape(), KvDtype::F32, 3);
        let segment =
            |i: usize| Segment { row0: i * n, n_rows: n, pos0: 0, blocks: &[[0], [1], [2]][i] };
        let batch = Batch {
            tokens: &[tokens(), tokens(), tokens()].concat(),
            segments: &[segment(0), segment(1), segment(2)],
            rope_lens: &[],
            adapters: &[Some(&adapter), None, Some(&adapter)],
        };
        let graph = Graph::infer(&cpu);
        let got = base.forward(&graph, &batch, &mut cache, Want::All).to_vec();
        assert!(bits(&got) == bits(&[&adapted[..], &plain, &adapted].concat()), "DoRA: {is_dora}");
    }
}

#[test]
fn a_folder_that_holds_no_adapter_of_the_model_is_refused_with_the_place() {
    let cpu = run::cpu();
    let base = model(&cpu, Format::F32);
    let q = "base_model.model.model.layers.0.self_attn.q_proj";
    let k = 256;
    let tensor = |name: &str, shape: [usize; 2], x: f32| {
        (format!("{q}.{name}"), shape.to_vec(), vec![x; shape[0] * shape[1]])
    };
    let good = [tensor("lora_A.weight", [RANK, k], 0.1), tensor("lora_B.weight", [k, RANK], 0.1)];
    let refused = |settings: &str, tensors: &[(String, Vec<usize>, Vec<f32>)]| {
        let dir = tempfile::tempdir().expect("a folder");
        write_peft(dir.path(), settings, tensors);
        Adapter::load(&cpu, &base, dir.path()).err().map(|e| e.to_string())
    };
    assert_eq!(refused(&settings(false), &good), None);
    let says = |settings: &str, tensors: &[_], what: &str| {
        let why = refused(settings, tensors).expect("a refusal");
        assert!(why.contains(what), "{why}");
    };
    says("{", &good, "adapter_config.json");
    says(r#"{"peft_type": "IA3"}"#, &good, "'peft_type'");
    says(r#"{"peft_type": "LORA", "r": 0, "lora_alpha": 1}"#, &good, "'r'");
    says(r#"{"peft_type": "LORA", "r": 4}"#, &good, "'lora_alpha'");
    says(
        &settings(false).replace("use_dora", "rank_pattern\": {\"q\": 2}, \"x"),
        &good,
        "'rank_pattern'",
    );
    says(&settings(true), &good, "lora_magnitude_vector");
    says(&settings(false), &good[..1], "lora_B");
    says(&settings(false), &[], "no tensor");
    let [a, b] = good;
    says(
        &settings(false),
        &[tensor("lora_A.weight", [RANK, k - 1], 0.1), b.clone()],
        "shape [4, 255]",
    );
    says(&settings(false), &[tensor("lora_A.weight", [RANK, k], f32::NAN), b.clone()], "holds NaN");
    let other = ("base_model.model.lm_head.lora_A.weight".to_owned(), vec![1], vec![0.0]);
    says(&settings(false), &[a, b, other], "lm_head");
}
