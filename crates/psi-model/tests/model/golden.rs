//! Every architecture against transformers: logits and greedy tokens of tiny random checkpoints.

use std::path::{Path, PathBuf};

use psi_kernels::Format;
use psi_model::{Decoder, LoadOptions};
use psi_store::SafeTensors;
use psi_testkit::{assert_close, golden_dir};
use serde_json::Value;

use crate::run;

/// Largest difference of logits, relative to the largest.
const TOLERANCE: f64 = 2e-4;

/// f32, as the golden logits were computed, whatever dtype the checkpoint stores.
pub(crate) const F32: LoadOptions = LoadOptions { format: Some(Format::F32) };

pub(crate) fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub(crate) fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).expect("token ids")
}

pub(crate) fn f32s(file: &SafeTensors, name: &str) -> Vec<f32> {
    let view = file.require(name).unwrap_or_else(|e| panic!("{e}"));
    view.data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// Every folder of `golden/models`.
pub(crate) fn models() -> Vec<PathBuf> {
    let dir = golden_dir().join("models");
    let mut models: Vec<PathBuf> =
        std::fs::read_dir(&dir).expect("golden/models").map(|e| e.expect("entry").path()).collect();
    models.sort();
    assert!(models.len() >= 20, "{} models in {}", models.len(), dir.display());
    models
}

#[test]
fn every_architecture_has_the_logits_of_transformers() {
    let cpu = run::cpu();
    for dir in models() {
        let name = dir.file_name().expect("a name").to_string_lossy().into_owned();
        let model = Decoder::load(&cpu, &dir, &F32).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(model.notes().is_empty(), "{name}: {:?}", model.notes());
        let golden = SafeTensors::open(&dir.join("golden.safetensors")).expect("golden logits");
        let cases = json(&dir.join("golden.json"))["cases"].as_array().expect("cases").clone();
        for (i, case) in cases.iter().enumerate() {
            let got = run::logits(&cpu, &model, &ids(&case["ids"]));
            let want = f32s(&golden, &format!("logits.{i}"));
            assert_close(&format!("{name}, case {i}"), &got, &want, TOLERANCE);
        }
    }
}

#[test]
fn every_architecture_has_the_greedy_tokens_of_transformers() {
    let cpu = run::cpu();
    for dir in models() {
        let name = dir.file_name().expect("a name").to_string_lossy().into_owned();
        let model = Decoder::load(&cpu, &dir, &F32).unwrap_or_else(|e| panic!("{name}: {e}"));
        let cases = json(&dir.join("golden.json"))["cases"].as_array().expect("cases").clone();
        for (i, case) in cases.iter().enumerate() {
            let want = ids(&case["greedy"]);
            let got = run::greedy(&cpu, &model, &ids(&case["ids"]), want.len());
            assert_eq!(got, want, "{name}, case {i}");
        }
    }
}
