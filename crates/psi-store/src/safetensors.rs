//! safetensors, Hugging Face's weights format: one file, or sharded with an index.
//!
//! Format: <https://github.com/huggingface/safetensors>. A file is a `u64` header length, a JSON
//! header and the tensors' bytes without gaps. psi parses the header itself so that every refusal
//! can name the file, the tensor and the byte, and refuses what the format's own library refuses.

mod header;
mod index;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{At, Result, StoreError};
use crate::mapped::Bytes;
use crate::nearest::nearest;
use crate::sniff;
use crate::tensor::TensorView;
use header::{Header, Info};

pub use write::{Writer, write};

/// Name of the weights in a folder that holds them in one file.
pub(crate) const SINGLE: &str = "model.safetensors";
/// Name of the list of shards in a folder that holds several files.
pub(crate) const INDEX: &str = "model.safetensors.index.json";

/// An open safetensors checkpoint: one file, or all shards of one.
#[derive(Debug)]
pub struct SafeTensors {
    path: PathBuf,
    files: Vec<File>,
    metadata: BTreeMap<String, String>,
    tensors: Vec<Info>,
    /// Positions in `tensors`, by name.
    by_name: Vec<u32>,
}

/// A file's name and bytes.
#[derive(Debug)]
struct File {
    path: PathBuf,
    bytes: Bytes,
}

impl SafeTensors {
    /// Opens a `.safetensors` file, a `*.safetensors.index.json`, or a folder that holds
    /// `model.safetensors`, else `model.safetensors.index.json`, else exactly one `.safetensors`
    /// file.
    ///
    /// # Errors
    /// Anything that breaks the format's rules, with the tensor or byte at fault; an index that
    /// names files outside its folder or tensors its shards do not hold; pickles and other kinds of
    /// files.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return match index::weights_in(path)? {
                file if index::is_index(&file) => index::open(path, &file),
                file => Self::open_files(path, vec![file]),
            };
        }
        if index::is_index(path) {
            return index::open(path, path);
        }
        sniff::refuse_by_name(path)?;
        Self::open_files(path, vec![path.to_owned()])
    }

    /// Reads a safetensors file that is already in memory; `label` stands for its path in messages.
    pub fn from_bytes(label: &Path, bytes: Vec<u8>) -> Result<Self> {
        let header = Header::parse(label, &bytes, 0)?;
        let file = File { path: label.to_owned(), bytes: Bytes::Owned(bytes) };
        Self::assemble(label, vec![(file, header)])
    }

    fn open_files(path: &Path, files: Vec<PathBuf>) -> Result<Self> {
        let mut parts = Vec::with_capacity(files.len());
        for (i, path) in files.into_iter().enumerate() {
            let file = File { bytes: Bytes::map(&path)?, path };
            let header = Header::parse(&file.path, &file.bytes, i)?;
            parts.push((file, header));
        }
        Self::assemble(path, parts)
    }

    fn assemble(path: &Path, parts: Vec<(File, Header)>) -> Result<Self> {
        let mut this = Self {
            path: path.to_owned(),
            files: Vec::new(),
            metadata: BTreeMap::new(),
            tensors: Vec::new(),
            by_name: Vec::new(),
        };
        for (file, header) in parts {
            this.files.push(file);
            this.tensors.extend(header.tensors);
            for (key, value) in header.metadata {
                this.metadata.entry(key).or_insert(value);
            }
        }
        let names = |i: &u32| &*this.tensors[*i as usize].name;
        // A header is at most 100 MB, so the number of tensors fits in u32.
        let mut order: Vec<u32> = (0..this.tensors.len() as u32).collect();
        order.sort_by_key(|i| names(i));
        if let Some(w) = order.windows(2).find(|w| names(&w[0]) == names(&w[1])) {
            let what = "the tensor is in two files of the checkpoint";
            return Err(StoreError::malformed(path, At::Tensor(names(&w[0]).into()), what));
        }
        this.by_name = order;
        Ok(this)
    }

    /// The path given to [`SafeTensors::open`].
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every file of the checkpoint.
    pub fn paths(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.files.iter().map(|f| f.path.as_path())
    }

    /// Bytes of all files.
    pub fn n_bytes(&self) -> u64 {
        self.files.iter().map(|f| f.bytes.len() as u64).sum()
    }

    /// The free-form metadata of the header; for a sharded checkpoint that of all shards, the first
    /// one's value winning.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Number of tensors.
    pub fn n_tensors(&self) -> usize {
        self.tensors.len()
    }

    /// Tensor names, in the order of their data.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.tensors.iter().map(|t| &*t.name)
    }

    /// All tensors, in the order of their data.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = TensorView<'_>> {
        self.tensors.iter().map(|t| self.view(t))
    }

    /// The tensor called `name`.
    pub fn tensor(&self, name: &str) -> Option<TensorView<'_>> {
        self.info(name).map(|t| self.view(t))
    }

    /// The tensor called `name`, or an error that names the checkpoint and a similar tensor.
    pub fn require(&self, name: &str) -> Result<TensorView<'_>> {
        self.tensor(name).ok_or_else(|| StoreError::MissingTensor {
            path: self.path.clone(),
            name: name.to_owned(),
            nearest: nearest(name, &mut self.names(), 1).first().map(|&n| n.to_owned()),
        })
    }

    /// Asks the system to read the tensor's bytes ahead of their use. Best effort.
    pub fn prefetch(&self, name: &str) {
        if let Some(t) = self.info(name) {
            self.files[t.file].bytes.prefetch(t.start, t.end - t.start);
        }
    }

    fn info(&self, name: &str) -> Option<&Info> {
        let found = self.by_name.binary_search_by(|&i| (*self.tensors[i as usize].name).cmp(name));
        Some(&self.tensors[self.by_name[found.ok()?] as usize])
    }

    fn view<'a>(&'a self, t: &'a Info) -> TensorView<'a> {
        let data = &self.files[t.file].bytes[t.start..t.end];
        TensorView { name: &t.name, dtype: t.dtype, shape: &t.shape, data }
    }
}
