//! Packs a checkpoint's tensors, each once and straight from the mapped file, on all threads.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Mutex, PoisonError},
};

use psi_kernels::{Cpu, Format, Matrix, Tier, quant::BlockType};
use psi_store::{DType, TensorView};
use psi_tensor::{ParamId, Vector, Weight};

use crate::{
    Config, Decoder, ModelError, Result, TensorId, TensorInfo,
    config::Read,
    decoder::{Tensor, fitting},
    names::{Part, Place},
    source::Source,
};

/// How to load.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadOptions {
    /// Format of the matrices; `None` keeps what the file has: BF16 as bf16, F32 and F16 as f32 (bf16
    /// would lose three bits of an f16), quantised blocks as they are. Matrices whose rows are no whole
    /// number of a quantised format's blocks become bf16.
    pub format: Option<Format>,
}

/// Weights of a model from which on bf16 is squeezed: caches hold less, and there unpacking would only cost.
const SQUEEZE_FROM: usize = 32 << 20;

/// A checkpoint that is open but not loaded: what it is, and its values one tensor at a time.
#[derive(Debug)]
pub struct Checkpoint {
    source: Source,
    read: Read,
}

impl Checkpoint {
    /// Opens what [`Decoder::load`] would load and checks that every tensor is there and fits.
    ///
    /// # Errors
    /// As [`Decoder::load`].
    pub fn open(path: &Path) -> Result<Self> {
        let (source, read) = Source::open(path)?;
        plan(&source, &read.config)?;
        Ok(Self { source, read })
    }

    /// What the model is.
    pub fn config(&self) -> &Config {
        &self.read.config
    }

    /// Remarks for the user.
    pub fn notes(&self) -> &[String] {
        &self.read.notes
    }

    /// The smallest of F16, BF16 and F32 that holds every matrix as it is stored, without loss.
    ///
    /// # Errors
    /// [`ModelError`] if the file lacks a tensor.
    pub fn lossless_dtype(&self) -> Result<DType> {
        let mut found = None;
        for info in self.config().tensors().iter().filter(|t| !t.id.role.is_vector()) {
            let place = self.source.place(self.config(), info);
            let dtype = self.source.view(info, &place)?.dtype;
            match found {
                None if matches!(dtype, DType::F16 | DType::BF16) => found = Some(dtype),
                Some(d) if d == dtype => {}
                _ => return Ok(DType::F32),
            }
        }
        Ok(found.unwrap_or(DType::F32))
    }

    /// f32 values of a tensor of [`Config::tensors`], row-major (n, k).
    ///
    /// # Errors
    /// [`ModelError`] if the file has no such tensor.
    pub fn values(&self, info: &TensorInfo) -> Result<Vec<f32>> {
        let place = self.source.place(&self.read.config, info);
        let view = self.source.view(info, &place)?;
        let job = Job { info: *info, param: ParamId(0), place, view };
        Ok(job.to_f32(&job.rows()))
    }
}

impl Config {
    /// The configuration of the model at `path` (as [`Decoder::load`] takes it), and remarks.
    ///
    /// # Errors
    /// [`ModelError`] if the configuration cannot be read or psi has no such architecture.
    pub fn read(path: &Path) -> Result<(Self, Vec<String>)> {
        let (_, read) = Source::open(path)?;
        Ok((read.config, read.notes))
    }

    /// The configuration in a `config.json` alone (to train such a model from nothing), and remarks.
    ///
    /// # Errors
    /// [`ModelError`] if it cannot be read or psi has no such architecture.
    pub fn from_hf(config_json: &Path) -> Result<(Self, Vec<String>)> {
        let read = crate::source::read_config(config_json)?;
        Ok((read.config, read.notes))
    }
}

impl Decoder {
    /// Loads a Hugging Face folder (or its `.safetensors` file beside a `config.json`) or a GGUF file.
    ///
    /// # Errors
    /// [`ModelError`] with path and place: unreadable files, configurations that psi does not compute,
    /// tensors that are missing, unexpected or of another shape.
    pub fn load(cpu: &Cpu, path: &Path, options: &LoadOptions) -> Result<Self> {
        load(cpu, path, options, false)
    }

    /// [`Decoder::load`] for training: every tensor is a parameter, numbered as in [`Config::tensors`],
    /// with an f32 master from the file's own values (not from the panels').
    ///
    /// # Errors
    /// As [`Decoder::load`].
    pub fn load_trainable(cpu: &Cpu, path: &Path, options: &LoadOptions) -> Result<Self> {
        load(cpu, path, options, true)
    }
}

fn load(cpu: &Cpu, path: &Path, options: &LoadOptions, trainable: bool) -> Result<Decoder> {
    let (source, read) = Source::open(path)?;
    let jobs = plan(&source, &read.config)?;
    let tensors = run(cpu, &source, &jobs, options, trainable)?;
    let mut decoder = Decoder::assemble(read.config, tensors);
    decoder.notes = read.notes;
    Ok(decoder)
}

/// One tensor to load.
struct Job<'a> {
    info: TensorInfo,
    param: ParamId,
    place: Place,
    view: TensorView<'a>,
}

/// Finds and checks every tensor before any is packed.
fn plan<'a>(source: &'a Source, config: &Config) -> Result<Vec<Job<'a>>> {
    let mut jobs = Vec::new();
    for (i, info) in config.tensors().into_iter().enumerate() {
        let place = source.place(config, &info);
        let view = source.view(&info, &place)?;
        check_dtype(source, &view)?;
        jobs.push(Job { info, param: ParamId(i as u32), place, view });
    }
    let mut used: Vec<&str> = jobs.iter().map(|j| j.view.name).collect();
    used.dedup();
    source.check_all_used(config, &used)?;
    // The largest first, so that no thread starts the embedding when the others are done.
    jobs.sort_by_key(|j| std::cmp::Reverse(j.info.n * j.info.k));
    Ok(jobs)
}

fn check_dtype(source: &Source, view: &TensorView<'_>) -> Result<()> {
    if view.dtype == DType::F64 || block_type(view.dtype).is_some() {
        return Ok(());
    }
    let why = format!("psi does not compute with dtype {}", view.dtype);
    Err(ModelError::tensor(source.path(), view.name, why)
        .with_hint("use a checkpoint in F32, F16, BF16 or one of GGUF's Q and IQ4 types"))
}

/// The kernels' name of a stored type.
pub(crate) fn block_type(dtype: DType) -> Option<BlockType> {
    Some(match dtype {
        DType::F32 => BlockType::F32,
        DType::F16 => BlockType::F16,
        DType::BF16 => BlockType::BF16,
        DType::Q4_0 => BlockType::Q4_0,
        DType::Q4_1 => BlockType::Q4_1,
        DType::Q5_0 => BlockType::Q5_0,
        DType::Q5_1 => BlockType::Q5_1,
        DType::Q8_0 => BlockType::Q8_0,
        DType::Q2K => BlockType::Q2_K,
        DType::Q3K => BlockType::Q3_K,
        DType::Q4K => BlockType::Q4_K,
        DType::Q5K => BlockType::Q5_K,
        DType::Q6K => BlockType::Q6_K,
        DType::Iq4Nl => BlockType::IQ4_NL,
        DType::Iq4Xs => BlockType::IQ4_XS,
        DType::Mxfp4 => BlockType::MXFP4,
        _ => return None,
    })
}

fn run(
    cpu: &Cpu,
    source: &Source,
    jobs: &[Job<'_>],
    options: &LoadOptions,
    trainable: bool,
) -> Result<HashMap<TensorId, Tensor>> {
    let done: Mutex<HashMap<TensorId, Result<Tensor>>> = Mutex::default();
    let weights: usize = jobs.iter().map(|job| job.info.n * job.info.k).sum();
    let squeeze = weights >= SQUEEZE_FROM && cpu.isa().has(Tier::Avx2);
    cpu.pool().run(jobs.len(), &|i| {
        let tensor = jobs[i].load(cpu, source, options, trainable, squeeze);
        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
        done.insert(jobs[i].info.id, tensor);
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.into_iter().map(|(id, tensor)| tensor.map(|t| (id, t))).collect()
}

impl Job<'_> {
    fn load(
        &self,
        cpu: &Cpu,
        source: &Source,
        options: &LoadOptions,
        trainable: bool,
        squeeze: bool,
    ) -> Result<Tensor> {
        let bytes = self.rows();
        if self.info.id.role.is_vector() {
            let values = self.to_f32(&bytes);
            if let Some(x) = values.iter().find(|x| !x.is_finite()) {
                let why = format!("holds {x}");
                return Err(ModelError::tensor(source.path(), &self.place.name, why));
            }
            let mut vector = Vector::new(values);
            if trainable {
                vector.train(self.param);
            }
            return Ok(Tensor::Vector(vector));
        }
        let TensorInfo { n, k, .. } = self.info;
        let format = options.format.unwrap_or(self.stored_format());
        let format = fitting(format, k);
        if trainable {
            let values = self.to_f32(&bytes);
            return Ok(Tensor::Weight(Weight::trainable(cpu, self.param, format, (n, k), values)));
        }
        let matrix = self.pack(cpu, format, &bytes);
        Ok(Tensor::Weight(Weight::new(if squeeze { matrix.squeezed(cpu) } else { matrix })))
    }

    /// What the file's values are packed as unless the caller says otherwise.
    fn stored_format(&self) -> Format {
        match block_type(self.view.dtype) {
            Some(BlockType::BF16) => Format::Bf16,
            None | Some(BlockType::F32 | BlockType::F16) => Format::F32,
            Some(block) => Format::Quant(block),
        }
    }

    fn pack(&self, cpu: &Cpu, format: Format, bytes: &[u8]) -> Matrix {
        let TensorInfo { n, k, .. } = self.info;
        match (format, block_type(self.view.dtype)) {
            (Format::Quant(to), Some(from)) if to == from && !self.place.transposed => {
                Matrix::from_blocks(cpu, from, n, k, bytes)
            }
            (Format::Bf16, Some(BlockType::BF16)) if !self.place.transposed => {
                let bits: Vec<u16> =
                    bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
                Matrix::from_bf16(cpu, n, k, &bits)
            }
            _ => Matrix::from_f32(cpu, format, n, k, &self.to_f32(bytes)),
        }
    }

    /// The bytes of this tensor's own rows, in psi's order of rows.
    fn rows(&self) -> std::borrow::Cow<'_, [u8]> {
        let data = self.view.data;
        let n = self.info.n;
        let part = match self.place.part {
            Part::Whole => data,
            // Rows of a transposed tensor are columns: `to_f32` picks them.
            Part::Rows { .. } if self.place.transposed => data,
            Part::Rows { first, of } => {
                let row = data.len() / of;
                &data[first * row..(first + n) * row]
            }
            Part::Slab { index, of } => {
                let slab = data.len() / of;
                &data[index * slab..(index + 1) * slab]
            }
        };
        match self.place.interleaved_heads {
            None => part.into(),
            Some(heads) => split_halves(part, n, heads).into(),
        }
    }

    /// f32 values of `bytes`, row-major (n, k).
    fn to_f32(&self, bytes: &[u8]) -> Vec<f32> {
        let TensorInfo { n, k, .. } = self.info;
        let n_stored = match self.place.part {
            Part::Rows { of, .. } if self.place.transposed => of,
            _ => n,
        };
        let mut values = vec![0.0; n_stored * k];
        match block_type(self.view.dtype) {
            Some(block) => psi_kernels::quant::dequantize(block, bytes, &mut values),
            None => {
                for (x, b) in values.iter_mut().zip(bytes.as_chunks::<8>().0) {
                    *x = f64::from_le_bytes(*b) as f32;
                }
            }
        }
        if !self.place.transposed {
            return values;
        }
        let first = match self.place.part {
            Part::Rows { first, .. } => first,
            Part::Whole | Part::Slab { .. } => 0,
        };
        let mut rows = Vec::with_capacity(n * k);
        for row in first..first + n {
            rows.extend((0..k).map(|col| values[col * n_stored + row]));
        }
        rows
    }
}

/// Undoes GGUF's order of q and k rows: within each head, row 2 j + h there is row h d / 2 + j here, so
/// that the two halves of a head turn together.
fn split_halves(bytes: &[u8], n: usize, heads: usize) -> Vec<u8> {
    let row_len = bytes.len() / n;
    let d = n / heads;
    let mut out = Vec::with_capacity(bytes.len());
    for row in 0..n {
        let (head, i) = (row / d, row % d);
        let (half, j) = (i / (d / 2), i % (d / 2));
        let from = head * d + 2 * j + half;
        out.extend_from_slice(&bytes[from * row_len..(from + 1) * row_len]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interleaved_heads_are_split_into_halves() {
        let rows: Vec<u8> = (0..16).collect();
        let got = split_halves(&rows, 8, 2);
        assert_eq!(got, [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15]);
    }
}
