//! GGUF, llama.cpp's model files: versions 2 and 3, little endian, mapped and written in a stream.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>. Opening a file walks its
//! header once and stores where things lie; arrays (a vocabulary has 150,000 strings) are decoded
//! when asked for.

mod parse;
mod split;
mod value;
mod write;

use std::path::{Path, PathBuf};

use crate::error::{Result, StoreError};
use crate::mapped::Bytes;
use crate::nearest::nearest;
use crate::sniff;
use crate::tensor::TensorView;
use parse::{Header, Info, sorted_unique};

pub(crate) use split::{all_shards, shard_path};
pub use split::{is_later_shard, shard_of};
pub use value::{Array, Kind, Strings, Value};
pub use write::Writer;

/// An open GGUF model: one file, or all files of a split one.
#[derive(Debug)]
pub struct Gguf {
    files: Vec<File>,
    /// Header of the first file, with the tensors of all files.
    header: Header,
    /// Positions in `header.tensors`, by name.
    by_name: Vec<u32>,
}

/// A file's name and bytes.
#[derive(Debug)]
struct File {
    path: PathBuf,
    bytes: Bytes,
}

impl Gguf {
    /// Opens `path`, and if it is the first file of a split model (`NAME-00001-of-00003.gguf`) the
    /// others.
    ///
    /// # Errors
    /// Anything that breaks the format's rules, with the key, tensor or byte at fault; big-endian
    /// and version 1 files; pickles and other kinds of files. Nothing in the file can make this
    /// allocate more than a small multiple of the header's real size.
    pub fn open(path: &Path) -> Result<Self> {
        sniff::refuse_by_name(path)?;
        let first = File { path: path.to_owned(), bytes: Bytes::map(path)? };
        let header = Header::parse(path, &first.bytes, 0)?;
        let mut model = Self { files: vec![first], header, by_name: Vec::new() };
        for (i, path) in split::other_files(&model)?.into_iter().enumerate() {
            let file = File { bytes: Bytes::map(&path)?, path };
            let header = Header::parse(&file.path, &file.bytes, i + 1)?;
            split::check_part(&model, &file, &header, i + 1)?;
            model.header.tensors.extend(header.tensors);
            model.files.push(file);
        }
        split::check_total(&model)?;
        model.index()
    }

    /// Reads a GGUF file that is already in memory; `label` stands for its path in messages. Files
    /// of a split model are refused, as the others cannot be found.
    pub fn from_bytes(label: &Path, bytes: Vec<u8>) -> Result<Self> {
        let header = Header::parse(label, &bytes, 0)?;
        let file = File { path: label.to_owned(), bytes: Bytes::Owned(bytes) };
        let model = Self { files: vec![file], header, by_name: Vec::new() };
        if !split::other_files(&model)?.is_empty() {
            let hint = "open it by its path";
            return Err(StoreError::unsupported(label, "one file of a split model", hint));
        }
        model.index()
    }

    fn index(mut self) -> Result<Self> {
        self.by_name = match sorted_unique(&self.header.tensors, |t| &t.name) {
            Ok(order) => order,
            Err(name) => {
                let at = crate::At::Tensor(name.into());
                let what = "the tensor is in two files of the split model";
                return Err(StoreError::malformed(self.path(), at, what));
            }
        };
        Ok(self)
    }

    /// The path given to [`Gguf::open`].
    pub fn path(&self) -> &Path {
        &self.files[0].path
    }

    /// Every file of the model, in order.
    pub fn paths(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.files.iter().map(|f| f.path.as_path())
    }

    /// Bytes of all files.
    pub fn n_bytes(&self) -> u64 {
        self.files.iter().map(|f| f.bytes.len() as u64).sum()
    }

    /// The format version, 2 or 3.
    pub fn version(&self) -> u32 {
        self.header.version
    }

    /// The alignment of tensor data, in bytes.
    pub fn alignment(&self) -> u64 {
        self.header.alignment
    }

    /// All metadata, in the order of the (first) file.
    pub fn metadata(&self) -> impl ExactSizeIterator<Item = (&str, Value<'_>)> {
        let bytes = &self.files[0].bytes;
        self.header.kv.iter().map(move |e| (&*e.key, e.value(bytes)))
    }

    /// The value of `key`, whatever its kind.
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        self.header.get(&self.files[0].bytes, key)
    }

    /// Number of tensors.
    pub fn n_tensors(&self) -> usize {
        self.header.tensors.len()
    }

    /// Tensor names, in the order of the file.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.header.tensors.iter().map(|t| &*t.name)
    }

    /// All tensors, in the order of the file.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = TensorView<'_>> {
        self.header.tensors.iter().map(|t| self.view(t))
    }

    /// The tensor called `name`.
    pub fn tensor(&self, name: &str) -> Option<TensorView<'_>> {
        self.info(name).map(|t| self.view(t))
    }

    /// The tensor called `name`, or an error that names the file and a similar tensor.
    pub fn require(&self, name: &str) -> Result<TensorView<'_>> {
        self.tensor(name).ok_or_else(|| StoreError::MissingTensor {
            path: self.path().to_owned(),
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
        let tensors = &self.header.tensors;
        let i = self.by_name.binary_search_by(|&i| (*tensors[i as usize].name).cmp(name)).ok()?;
        Some(&tensors[self.by_name[i] as usize])
    }

    fn view<'a>(&'a self, t: &'a Info) -> TensorView<'a> {
        let data = &self.files[t.file].bytes[t.start..t.end];
        TensorView { name: &t.name, dtype: t.dtype, shape: t.shape(), data }
    }
}

/// Typed access to metadata. `get_*` needs the key; `opt_*` gives `None` if it is not there. Both
/// refuse a value of another type with an error that names file, key, and both types.
impl Gguf {
    /// Text.
    pub fn get_str(&self, key: &str) -> Result<&str> {
        self.needed(key, self.opt_str(key)?)
    }

    /// Text, if present.
    pub fn opt_str(&self, key: &str) -> Result<Option<&str>> {
        self.typed(key, "a string", |v| v.as_str())
    }

    /// Any integer that is not negative.
    pub fn get_u64(&self, key: &str) -> Result<u64> {
        self.needed(key, self.opt_u64(key)?)
    }

    /// Any integer that is not negative, if present.
    pub fn opt_u64(&self, key: &str) -> Result<Option<u64>> {
        self.typed(key, "an integer of at least 0", |v| v.as_u64())
    }

    /// Any integer that is not negative and fits in 32 bits: counts, dimensions and token ids.
    pub fn get_u32(&self, key: &str) -> Result<u32> {
        self.needed(key, self.opt_u32(key)?)
    }

    /// Any integer that is not negative and fits in 32 bits, if present.
    pub fn opt_u32(&self, key: &str) -> Result<Option<u32>> {
        let small = |v: Value<'_>| u32::try_from(v.as_u64()?).ok();
        self.typed(key, "an integer from 0 to 4294967295", small)
    }

    /// Any integer.
    pub fn get_i64(&self, key: &str) -> Result<i64> {
        self.needed(key, self.opt_i64(key)?)
    }

    /// Any integer, if present.
    pub fn opt_i64(&self, key: &str) -> Result<Option<i64>> {
        self.typed(key, "an integer", |v| v.as_i64())
    }

    /// Either float, an `f64` rounded.
    pub fn get_f32(&self, key: &str) -> Result<f32> {
        self.needed(key, self.opt_f32(key)?)
    }

    /// Either float, an `f64` rounded, if present.
    pub fn opt_f32(&self, key: &str) -> Result<Option<f32>> {
        self.typed(key, "a float", |v| v.as_f64().map(|x| x as f32))
    }

    /// A truth value.
    pub fn get_bool(&self, key: &str) -> Result<bool> {
        self.needed(key, self.opt_bool(key)?)
    }

    /// A truth value, if present.
    pub fn opt_bool(&self, key: &str) -> Result<Option<bool>> {
        self.typed(key, "a bool", |v| v.as_bool())
    }

    /// An array of any kind.
    pub fn get_array(&self, key: &str) -> Result<Array<'_>> {
        self.needed(key, self.opt_array(key)?)
    }

    /// An array of any kind, if present.
    pub fn opt_array(&self, key: &str) -> Result<Option<Array<'_>>> {
        self.typed(key, "an array", |v| v.as_array())
    }

    /// An array of strings as raw bytes, for vocabularies whose pieces need not be UTF-8.
    pub fn get_strings(&self, key: &str) -> Result<Strings<'_>> {
        let v = self.typed(key, "an array of strings", |v| v.as_array()?.strings())?;
        self.needed(key, v)
    }

    /// An array of strings as text.
    pub fn get_strs(&self, key: &str) -> Result<Vec<&str>> {
        self.needed(key, self.opt_strs(key)?)
    }

    /// An array of strings as text, if present.
    pub fn opt_strs(&self, key: &str) -> Result<Option<Vec<&str>>> {
        let strings = self.typed(key, "an array of strings", |v| v.as_array()?.strings())?;
        let Some(strings) = strings else { return Ok(None) };
        let mut out = Vec::with_capacity(strings.len());
        for (i, raw) in strings.enumerate() {
            out.push(std::str::from_utf8(raw).map_err(|_| StoreError::WrongType {
                path: self.path().to_owned(),
                key: key.to_owned(),
                expected: "an array of UTF-8 strings",
                found: format!("not UTF-8 at element {i}"),
            })?);
        }
        Ok(Some(out))
    }

    /// An array of floats.
    pub fn get_f32s(&self, key: &str) -> Result<Vec<f32>> {
        self.needed(key, self.opt_f32s(key)?)
    }

    /// An array of floats, if present.
    pub fn opt_f32s(&self, key: &str) -> Result<Option<Vec<f32>>> {
        self.typed(key, "an array of floats", |v| v.as_array()?.to_f32s())
    }

    /// An array of integers.
    pub fn get_i64s(&self, key: &str) -> Result<Vec<i64>> {
        self.needed(key, self.opt_i64s(key)?)
    }

    /// An array of integers, if present.
    pub fn opt_i64s(&self, key: &str) -> Result<Option<Vec<i64>>> {
        self.typed(key, "an array of integers", |v| v.as_array()?.to_i64s())
    }

    /// Integers of at least 0: one value, or an array with one per layer, as
    /// `*.attention.head_count_kv` and `*.feed_forward_length` may be. One value gives a vector of
    /// length 1.
    pub fn opt_u64_or_array(&self, key: &str) -> Result<Option<Vec<u64>>> {
        self.typed(key, "an integer of at least 0 or an array of them", |v| match v {
            Value::Array(a) => a.to_u64s(),
            one => one.as_u64().map(|n| vec![n]),
        })
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &'static str,
        convert: impl Fn(Value<'a>) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        convert(value).map(Some).ok_or_else(|| StoreError::WrongType {
            path: self.path().to_owned(),
            key: key.to_owned(),
            expected,
            found: match value {
                Value::Array(a) => format!("an array of {} {}", a.len(), a.kind().name()),
                v => format!("{} {v}", v.kind().name()),
            },
        })
    }

    fn needed<T>(&self, key: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| StoreError::MissingKey {
            path: self.path().to_owned(),
            key: key.to_owned(),
        })
    }
}
