//! Writes safetensors files, one or sharded with an index, in a stream.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{INDEX, SINGLE};
use crate::error::{At, Result, StoreError};
use crate::sink::{Slot, TensorSink, spec_bytes};
use crate::tensor::{TensorSpec, TensorView};

/// Writes `tensors` to one file, atomically. `metadata` is added to `format: pt` (see
/// [`Writer::new`]).
pub fn write(
    path: &Path,
    tensors: &mut dyn Iterator<Item = TensorView<'_>>,
    metadata: &[(&str, &str)],
) -> Result<()> {
    let views: Vec<TensorView<'_>> = tensors.collect();
    let mut writer = Writer::new();
    metadata.iter().for_each(|(key, value)| {
        writer.put(key, value);
    });
    views.iter().for_each(|t| {
        writer.add(t.spec());
    });
    let mut sink = writer.create(path)?;
    for t in &views {
        sink.write(t.name, t.data)?;
    }
    sink.finish().map(|_| ())
}

/// Collects metadata and tensor descriptions for a safetensors checkpoint.
#[derive(Debug)]
pub struct Writer {
    metadata: BTreeMap<String, String>,
    tensors: Vec<TensorSpec>,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// No tensors, and the metadata `format: pt`, without which `transformers` refuses a file.
    pub fn new() -> Self {
        Self { metadata: BTreeMap::from([("format".into(), "pt".into())]), tensors: Vec::new() }
    }

    /// Sets a metadata entry; a second value for a key replaces the first.
    pub fn put(&mut self, key: &str, value: &str) -> &mut Self {
        self.metadata.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Adds a tensor.
    pub fn add(&mut self, spec: TensorSpec) -> &mut Self {
        self.tensors.push(spec);
        self
    }

    /// Starts one file at `path`. In the file, types of wider elements come first, so that every
    /// tensor is aligned to its elements.
    ///
    /// # Errors
    /// [`StoreError::Unwritable`] for quantised types, sizes that cannot be computed and equal
    /// names.
    pub fn create(self, path: &Path) -> Result<TensorSink> {
        let mut slots = Vec::with_capacity(self.tensors.len());
        let (header, len) = plan_file(path, &self.metadata, &self.tensors, 0, &mut slots)?;
        TensorSink::new(vec![(path.to_owned(), header, len)], slots)
    }

    /// Starts a checkpoint in folder `dir`, which must exist: `model.safetensors` if all tensors
    /// fit in `max_shard_bytes`, else `model-00001-of-0000N.safetensors` with an index. Tensors
    /// fill shards in the order in which they were added; one larger than the limit gets a shard of
    /// its own.
    ///
    /// A checkpoint that was in the folder is replaced when the sink finishes. A crash between the
    /// renames of several shards leaves a folder that [`super::SafeTensors::open`] refuses as
    /// incomplete; where the old checkpoint must survive that, fill a [`crate::AtomicDir`] instead.
    pub fn create_sharded(self, dir: &Path, max_shard_bytes: u64) -> Result<TensorSink> {
        let shards = self.shards(dir, max_shard_bytes)?;
        let old = old_files(dir)?;
        if let [_] = shards[..] {
            let mut sink = self.create(&dir.join(SINGLE))?;
            let superseded = old.into_iter().chain([dir.join(INDEX)]).collect();
            sink.set_removals(None, superseded);
            return Ok(sink);
        }
        let mut files = Vec::with_capacity(shards.len());
        let mut slots = Vec::with_capacity(self.tensors.len());
        let mut weight_map = BTreeMap::new();
        let mut total = 0;
        for (i, specs) in shards.iter().enumerate() {
            let name = format!("model-{:05}-of-{:05}.safetensors", i + 1, shards.len());
            let path = dir.join(&name);
            let (header, len) = plan_file(&path, &self.metadata, specs, i, &mut slots)?;
            specs.iter().for_each(|t| {
                weight_map.insert(t.name.clone(), name.clone());
            });
            total += len;
            files.push((path, header, len));
        }
        let index = json!({ "metadata": { "total_size": total }, "weight_map": weight_map });
        let superseded = old.into_iter().filter(|p| files.iter().all(|(f, ..)| f != p));
        let superseded = superseded.chain([dir.join(SINGLE)]).collect();
        let mut sink = TensorSink::new(files, slots)?;
        sink.set_index(dir.join(INDEX), format!("{index:#}\n").into_bytes());
        sink.set_removals(Some(dir.join(INDEX)), superseded);
        Ok(sink)
    }

    /// The tensors cut into shards; at least one shard, maybe empty.
    fn shards(&self, dir: &Path, max_bytes: u64) -> Result<Vec<&[TensorSpec]>> {
        let mut shards = Vec::new();
        let (mut start, mut bytes) = (0, 0u64);
        for (i, t) in self.tensors.iter().enumerate() {
            let n = spec_bytes(dir, t)? as u64;
            if i > start && bytes.saturating_add(n) > max_bytes {
                shards.push(&self.tensors[start..i]);
                (start, bytes) = (i, 0);
            }
            bytes = bytes.saturating_add(n);
        }
        shards.push(&self.tensors[start..]);
        Ok(shards)
    }
}

/// Shards of an earlier checkpoint in `dir`.
fn old_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let fail = |e| StoreError::io(dir, "listing", e);
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
        let middle = name.strip_prefix("model-").and_then(|n| n.strip_suffix(".safetensors"));
        if let Some((number, count)) = middle.and_then(|m| m.split_once("-of-")) {
            let five = |s: &str| s.len() == 5 && s.bytes().all(|b| b.is_ascii_digit());
            if five(number) && five(count) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// Lays out one file: its header (length prefix and padding included) and the bytes of data; adds a
/// slot per tensor.
fn plan_file(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    specs: &[TensorSpec],
    file: usize,
    slots: &mut Vec<Slot>,
) -> Result<(Vec<u8>, u64)> {
    let mut order: Vec<&TensorSpec> = specs.iter().collect();
    order.sort_by_key(|t| std::cmp::Reverse(t.dtype.block_bytes()));
    let mut json = format!("{{\"__metadata__\":{}", json!(metadata));
    let mut offset = 0u64;
    for t in order {
        let refuse =
            |what: String| Err(StoreError::unwritable(path, At::Tensor(t.name.clone()), what));
        let Some(dtype) = t.dtype.safetensors_name() else {
            return refuse(format!("safetensors has no type {}; only GGUF has", t.dtype));
        };
        if t.name == "__metadata__" {
            return refuse("the name is reserved".into());
        }
        let n_bytes = spec_bytes(path, t)?;
        let Some(end) = offset.checked_add(n_bytes as u64) else {
            return refuse("more than 2^64 bytes".into());
        };
        let entry = json!({ "dtype": dtype, "shape": t.shape, "data_offsets": [offset, end] });
        json.push_str(&format!(",{}:{entry}", Value::from(t.name.as_str())));
        slots.push(Slot::new(t.name.clone(), file, offset, n_bytes));
        offset = end;
    }
    json.push('}');
    // Spaces up to a multiple of 8 align the data.
    let padded = json.len().next_multiple_of(8);
    let mut header = (padded as u64).to_le_bytes().to_vec();
    header.extend(json.as_bytes());
    header.resize(8 + padded, b' ');
    Ok((header, offset))
}
