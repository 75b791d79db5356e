//! The engine on the golden checkpoints: greedy tokens, same bits, limits, stops, log-probabilities.

mod batching;
mod chatting;
mod generating;
mod grammars;
mod json_schema;
mod masks;
mod scoring;
mod serving;

use std::{path::PathBuf, sync::Arc};

use psi_infer::{Engine, EngineOptions};
use psi_kernels::{Cpu, Format, Isa, kv::KvDtype};
use psi_model::{Decoder, LoadOptions};
use psi_testkit::golden_dir;

/// A case of golden.json.
struct Case {
    ids: Vec<u32>,
    greedy: Vec<u32>,
    needs_recompute: bool,
}

fn folder(model: &str) -> PathBuf {
    golden_dir().join("models").join(model)
}

fn cases(model: &str) -> Vec<Case> {
    let text = std::fs::read_to_string(folder(model).join("golden.json")).expect("golden.json");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let ids = |value: &serde_json::Value| -> Vec<u32> {
        let ids = value.as_array().expect("a list");
        ids.iter().map(|id| id.as_u64().expect("an id") as u32).collect()
    };
    let cases = json["cases"].as_array().expect("cases");
    let case = |c: &serde_json::Value| Case {
        ids: ids(&c["ids"]),
        greedy: ids(&c["greedy"]),
        needs_recompute: c["greedy_needs_recompute"].as_bool().unwrap_or(false),
    };
    cases.iter().map(case).collect()
}

fn cpu(n_threads: usize) -> Arc<Cpu> {
    Arc::new(Cpu::new(Isa::from_env().expect("PSI_ISA"), n_threads))
}

fn engine(cpu: &Arc<Cpu>, model: &str, format: Option<Format>, options: EngineOptions) -> Engine {
    let loaded = Decoder::load(cpu, &folder(model), &LoadOptions { format }).expect("a model");
    Engine::new(cpu, Arc::new(loaded), options)
}

fn f32_options() -> EngineOptions {
    EngineOptions { kv: KvDtype::F32, n_positions: 1024, chunk: 512 }
}
