//! Writes models: Hugging Face folders that transformers loads, and GGUF files that llama.cpp loads.

mod mix;
mod stored;

use std::path::{Path, PathBuf};

use psi_kernels::{
    Cpu,
    quant::{BlockType, quantize_parallel},
};
use psi_store::{DType, StoreError, TensorSpec, gguf, safetensors, write_atomic};

pub use self::mix::FileType;
pub use self::stored::{Layout, StoredTensor, stored_tensors};
use crate::{
    Checkpoint, Config, Decoder, ModelError, Result, TensorInfo, config, load::block_type,
};

/// Where the f32 values (n, k) of a tensor come from.
type Values<'a> = &'a mut dyn FnMut(&TensorInfo) -> Result<Vec<f32>>;

/// Files of a Hugging Face folder are cut at this size, as transformers does.
const MAX_SHARD_BYTES: u64 = 5_000_000_000;

/// What was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// The files.
    pub files: Vec<PathBuf>,
    /// What other programs will not read out of them.
    pub notes: Vec<String>,
}

impl Decoder {
    /// Writes `config.json` and safetensors of `dtype` (F32, F16 or BF16) into folder `dir`, made if need
    /// be. The values are the masters' where there are masters.
    ///
    /// # Errors
    /// [`ModelError`] when the architecture's `config.json` cannot say what this model is, or the disk
    /// fails; what was in the folder before is then still whole.
    pub fn save_hf(&mut self, cpu: &Cpu, dir: &Path, dtype: DType) -> Result<Written> {
        let config = self.config().clone();
        write_hf(dir, &config, dtype, &mut |info| Ok(self.parameter(info.id).to_f32(cpu)))
    }

    /// Writes a GGUF file. `metadata` adds keys: name, tokenizer, chat template. Returns the files.
    ///
    /// # Errors
    /// [`ModelError`] when GGUF cannot express the architecture, or the disk fails.
    pub fn save_gguf(
        &mut self,
        cpu: &Cpu,
        path: &Path,
        file_type: FileType,
        metadata: &mut dyn FnMut(&mut gguf::Writer),
    ) -> Result<Written> {
        let config = self.config().clone();
        let mut values = |info: &TensorInfo| Ok(self.parameter(info.id).to_f32(cpu));
        write_gguf(cpu, path, &config, file_type, metadata, &mut values)
    }
}

impl Checkpoint {
    /// Converts to a Hugging Face folder; see [`Decoder::save_hf`]. The tokenizer's files are the caller's.
    ///
    /// # Errors
    /// As [`Decoder::save_hf`].
    pub fn write_hf(&self, dir: &Path, dtype: DType) -> Result<Written> {
        write_hf(dir, self.config(), dtype, &mut |info| self.values(info))
    }

    /// Converts to a GGUF file; see [`Decoder::save_gguf`].
    ///
    /// # Errors
    /// As [`Decoder::save_gguf`].
    pub fn write_gguf(
        &self,
        cpu: &Cpu,
        path: &Path,
        file_type: FileType,
        metadata: &mut dyn FnMut(&mut gguf::Writer),
    ) -> Result<Written> {
        let mut values = |info: &TensorInfo| self.values(info);
        write_gguf(cpu, path, self.config(), file_type, metadata, &mut values)
    }
}

fn write_hf(dir: &Path, config: &Config, dtype: DType, values: Values<'_>) -> Result<Written> {
    let config_path = dir.join("config.json");
    if !matches!(dtype, DType::F32 | DType::F16 | DType::BF16) {
        let why = format!("{dtype} is not a dtype of Hugging Face weights");
        return Err(ModelError::unwritable(dir, why).with_hint("choose f32, f16 or bf16"));
    }
    let text = config::hf_text(&config_path, config, dtype)?;
    std::fs::create_dir_all(dir).map_err(|source| StoreError::Io {
        path: dir.to_owned(),
        doing: "making the folder",
        source,
    })?;
    let tensors = stored_tensors(config, Layout::Hf);
    let mut writer = safetensors::Writer::new();
    for t in &tensors {
        writer.add(TensorSpec::new(&t.name, dtype, &t.shape));
    }
    let mut sink = writer.create_sharded(dir, MAX_SHARD_BYTES)?;
    // One thread: the disk is slower than rounding.
    let cpu = Cpu::single();
    for t in &tensors {
        let all = t.assemble(config, values)?;
        sink.write(&t.name, &encode(&cpu, dtype, &all))?;
    }
    // The configuration first: a folder with new weights never has an old one.
    write_atomic(&config_path, text.as_bytes())?;
    let mut files = sink.finish()?;
    files.push(config_path);
    Ok(Written { files, notes: Vec::new() })
}

fn write_gguf(
    cpu: &Cpu,
    path: &Path,
    config: &Config,
    file_type: FileType,
    metadata: &mut dyn FnMut(&mut gguf::Writer),
    values: Values<'_>,
) -> Result<Written> {
    let mut writer = gguf::Writer::new();
    let extra = config::gguf_metadata(path, config, &mut writer)?;
    let config::GgufExtra { tensors: small, notes } = extra;
    writer.put_u32("general.file_type", file_type.number());
    writer.put_u32("general.quantization_version", 2);
    metadata(&mut writer);
    let tensors = stored_tensors(config, Layout::Gguf);
    for (name, values) in &small {
        writer.add(TensorSpec::new(name, DType::F32, &[values.len()]));
    }
    for t in &tensors {
        writer.add(TensorSpec::new(&t.name, file_type.dtype(config, t), &t.shape));
    }
    let mut sink = writer.create(path)?;
    for (name, values) in &small {
        let values: Vec<f32> = values.iter().map(|&x| x as f32).collect();
        sink.write(name, &encode(cpu, DType::F32, &values))?;
    }
    for t in &tensors {
        let all = t.assemble(config, values)?;
        sink.write(&t.name, &encode(cpu, file_type.dtype(config, t), &all))?;
    }
    Ok(Written { files: sink.finish()?, notes })
}

/// The bytes of `values` as `dtype`, one of those psi writes.
fn encode(cpu: &Cpu, dtype: DType, values: &[f32]) -> Vec<u8> {
    let block = block_type(dtype).unwrap_or(BlockType::F32);
    let mut bytes = vec![0; block.bytes_for(values.len())];
    quantize_parallel(cpu, block, values, &mut bytes);
    bytes
}
