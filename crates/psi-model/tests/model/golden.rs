//! Every architecture against transformers: logits and greedy tokens of tiny random checkpoints.

use std::path::{Path, PathBuf};

use psi_kernels::Format;
use psi_model::{Config, Decoder, LoadOptions};
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

#[test]
fn gguf_files_have_the_logits_their_format_can_express() {
    let cpu = run::cpu();
    let golden = golden_dir();
    let index = json(&golden.join("gguf/index.json"));
    let index = index.as_object().expect("an object");
    assert!(index.len() >= 12, "{} files", index.len());
    for (name, entry) in index {
        let path = |key: &str| golden.join(entry[key].as_str().expect("a path"));
        let model = Decoder::load(&cpu, &path("file"), &F32).unwrap_or_else(|e| panic!("{e}"));
        assert!(model.notes().is_empty(), "{name}: {:?}", model.notes());
        let prompt = ids(&json(&path("ids"))["cases"][0]["ids"]);
        let got = run::logits(&cpu, &model, &prompt);
        let expected = SafeTensors::open(&path("logits")).expect("golden logits");
        assert_close(name, &got, &f32s(&expected, "logits.0"), TOLERANCE);
    }
}

#[test]
fn both_layouts_of_config_json_mean_the_same() {
    for dir in models() {
        let scratch = tempfile::tempdir().expect("a folder");
        for file in std::fs::read_dir(&dir).expect("a model") {
            let path = file.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let to = match name.as_str() {
                "config.json" => continue,
                "config_v4.json" => "config.json",
                other => other,
            };
            if !name.starts_with("golden") {
                std::fs::copy(&path, scratch.path().join(to)).expect("a copy");
            }
        }
        let (new, notes) = Config::read(&dir).unwrap_or_else(|e| panic!("{e}"));
        let (old, old_notes) = Config::read(scratch.path()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(new, old, "{}", dir.display());
        assert!(notes.is_empty() && old_notes.is_empty(), "{notes:?} {old_notes:?}");
    }
}

#[test]
fn rope_frequencies_are_those_of_transformers() {
    let cases = json(&golden_dir().join("rope.json"));
    let cases = cases.as_array().expect("cases");
    assert!(cases.len() >= 15);
    for case in cases {
        let name = case["name"].as_str().expect("a name");
        let scratch = tempfile::tempdir().expect("a folder");
        let number = |key: &str| case[key].as_u64().expect("a number");
        let mut config = serde_json::json!({
            "model_type": "llama", "hidden_size": 64, "intermediate_size": 64,
            "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 8,
            "head_dim": number("head_dim"),
            "max_position_embeddings": number("max_position_embeddings"),
        });
        config["rope_parameters"] = case["rope_parameters"].clone();
        let path = scratch.path().join("config.json");
        psi_store::write_atomic(&path, config.to_string().as_bytes()).expect("written");
        let config = Config::from_hf(&path).unwrap_or_else(|e| panic!("{name}: {e}")).0;
        for expected in case["expected"].as_array().expect("expectations") {
            let length = expected["length"].as_u64().unwrap_or(1) as usize;
            let (got, factor) = config.rope.frequencies(length);
            let want: Vec<f64> =
                serde_json::from_value(expected["inv_freq"].clone()).expect("frequencies");
            assert_eq!(got.len(), want.len(), "{name}");
            for (g, w) in got.iter().zip(&want) {
                // transformers computes in f32.
                assert!((g - w).abs() <= 2e-6 * w, "{name} at {length}: {g} is not {w}");
            }
            let want = expected["factor"].as_f64().expect("a factor");
            assert!((factor - want).abs() < 1e-6, "{name}: factor {factor} is not {want}");
        }
    }
}
