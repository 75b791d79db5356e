//! The result of a run: `model/`, and `adapter/` where one was trained.

use std::path::{Path, PathBuf};

use psi_kernels::Cpu;
use psi_model::{Decoder, Layout, TensorId, stored_tensors};
use psi_store::{AtomicDir, DType, TensorSpec, safetensors, write_atomic};
use serde_json::{Value, json};

use super::{
    method::{LoraConfig, Method, merge, peft_name},
    text::TextFiles,
};
use crate::{Result, TrainError, data::Rows, run::RunDir};

/// Writes the folders, over those of an earlier end of the same run. Returns `model/`.
pub(crate) fn write(
    cpu: &Cpu,
    run: &RunDir,
    mut decoder: Decoder,
    (method, dtype): (&Method, DType),
    files: &TextFiles,
) -> Result<PathBuf> {
    if let Method::Lora(lora) = method {
        replace(&run.file("adapter"), &mut |dir| write_adapter(cpu, dir, &mut decoder, lora))?;
    }
    let model = run.file("model");
    write_model(cpu, &model, decoder, (method, dtype), files)?;
    Ok(model)
}

/// Writes the model with its adapters merged, and its text files.
pub(crate) fn write_model(
    cpu: &Cpu,
    path: &Path,
    mut decoder: Decoder,
    (method, dtype): (&Method, DType),
    files: &TextFiles,
) -> Result<()> {
    if !method.is_full() {
        merge(cpu, &mut decoder);
    }
    replace(path, &mut |dir| {
        decoder.save_hf(cpu, dir, dtype)?;
        files.write(dir)
    })
}

/// A micro-batch as a line of JSON.
pub(crate) fn rows_to_json(step: u64, rows: &Rows) -> Value {
    json!({
        "step": step,
        "tokens": rows.tokens,
        "targets": rows.targets,
        "segments": rows.segments,
    })
}

/// Fills a folder under another name and lets it take the place of `path`.
fn replace(path: &Path, fill: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
    let old = path.with_file_name(".psi-old.tmp");
    let named = path.with_file_name(".psi-new");
    // AtomicDir refuses a name that is taken, so the new folder first gets one of its own.
    for stale in [&old, &named] {
        if stale.exists() {
            std::fs::remove_dir_all(stale).map_err(|e| TrainError::io(stale, "removing", e))?;
        }
    }
    let dir = AtomicDir::create(&named)?;
    fill(dir.staging())?;
    dir.commit()?;
    let rename = |from: &Path, to: &Path| {
        std::fs::rename(from, to).map_err(|e| TrainError::io(from, "renaming", e))
    };
    if path.exists() {
        rename(path, &old)?;
    }
    rename(&named, path)?;
    if old.exists() {
        std::fs::remove_dir_all(&old).map_err(|e| TrainError::io(&old, "removing", e))?;
    }
    Ok(())
}

/// The adapter as PEFT reads it.
fn write_adapter(cpu: &Cpu, dir: &Path, decoder: &mut Decoder, lora: &LoraConfig) -> Result<()> {
    let config = decoder.config().clone();
    let hf_name = |id: TensorId| {
        let stored = stored_tensors(&config, Layout::Hf);
        let found = stored.into_iter().find(|t| t.parts().any(|p| p.id == id));
        found.map_or_else(|| id.to_string(), |t| t.name)
    };
    let mut tensors: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
    decoder.for_each_linear(&mut |id, linear| {
        let Some(adapter) = &linear.adapter else { return };
        for (part, weight) in [("lora_A", &adapter.a), ("lora_B", &adapter.b)] {
            let name = peft_name(&hf_name(id), part);
            tensors.push((name, vec![weight.n(), weight.k()], weight.to_f32(cpu)));
        }
        if let Some(magnitude) = &linear.magnitude {
            let name = peft_name(&hf_name(id), "lora_magnitude_vector");
            tensors.push((name, vec![linear.weight.n()], magnitude.m.values().to_vec()));
        }
    });
    let mut writer = safetensors::Writer::new();
    for (name, shape, _) in &tensors {
        writer.add(TensorSpec::new(name, DType::F32, shape));
    }
    std::fs::create_dir_all(dir).map_err(|e| TrainError::io(dir, "making the folder", e))?;
    let mut sink = writer.create(&dir.join("adapter_model.safetensors"))?;
    for (name, _, values) in &tensors {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        sink.write(name, &bytes)?;
    }
    sink.finish()?;
    let modules: Vec<String> = lora.target_names.iter().map(|n| module(n)).collect();
    let config = json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": 0.0,
        "target_modules": modules,
        "use_dora": lora.dora,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
    });
    Ok(write_atomic(&dir.join("adapter_config.json"), format!("{config:#}\n").as_bytes())?)
}

/// The module's name in Llama-like models of transformers.
fn module(target: &str) -> String {
    format!("{target}_proj")
}
