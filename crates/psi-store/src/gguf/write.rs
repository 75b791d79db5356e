//! Writes GGUF files: metadata and tensor descriptions first, then the tensors' bytes in any order.

use std::path::Path;

use super::parse::{ALIGNMENT_KEY, DEFAULT_ALIGNMENT, MAX_ALIGNMENT, MAX_DIMS, MAX_KEY};
use super::value::{Kind, Value, encode_str};
use crate::error::{At, Result, StoreError};
use crate::sink::{Slot, TensorSink};
use crate::tensor::TensorSpec;

/// llama.cpp keeps names in 64 bytes with a terminator.
const MAX_WRITTEN_NAME: usize = 63;

/// Collects metadata and tensor descriptions for a GGUF file (version 3 unless told otherwise).
///
/// What cannot be written (a name too long, a type GGML lacks, ...) is reported by
/// [`Writer::create`].
#[derive(Debug)]
pub struct Writer {
    version: u32,
    /// Keys and encoded values, type number included.
    kv: Vec<(String, Vec<u8>)>,
    tensors: Vec<TensorSpec>,
    alignment: u64,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// An empty file of version 3 with the default alignment of 32.
    pub fn new() -> Self {
        Self { version: 3, kv: Vec::new(), tensors: Vec::new(), alignment: DEFAULT_ALIGNMENT }
    }

    /// Writes version 2 instead, for old readers. The two differ in the number only (version 3
    /// added big-endian files).
    pub fn version_2(&mut self) -> &mut Self {
        self.version = 2;
        self
    }

    /// Sets `key`; a second value for a key replaces the first. `general.alignment` also sets the
    /// alignment used for this file.
    pub fn put(&mut self, key: &str, value: Value<'_>) -> &mut Self {
        if let (ALIGNMENT_KEY, Value::U32(a)) = (key, value) {
            self.alignment = a.into();
        }
        let mut encoded = value.kind().id().to_le_bytes().to_vec();
        value.encode(&mut encoded);
        self.put_encoded(key, encoded)
    }

    /// Sets `key` to text.
    pub fn put_str(&mut self, key: &str, text: &str) -> &mut Self {
        self.put(key, Value::Str(text))
    }

    /// Sets `key` to a `u32`, the usual kind of a count or dimension.
    pub fn put_u32(&mut self, key: &str, value: u32) -> &mut Self {
        self.put(key, Value::U32(value))
    }

    /// Sets `key` to an `f32`.
    pub fn put_f32(&mut self, key: &str, value: f32) -> &mut Self {
        self.put(key, Value::F32(value))
    }

    /// Sets `key` to a truth value.
    pub fn put_bool(&mut self, key: &str, value: bool) -> &mut Self {
        self.put(key, Value::Bool(value))
    }

    /// Sets `key` to an array of strings given as bytes.
    pub fn put_strings(&mut self, key: &str, items: &mut dyn Iterator<Item = &[u8]>) -> &mut Self {
        let mut encoded = Kind::Array.id().to_le_bytes().to_vec();
        encoded.extend(Kind::Str.id().to_le_bytes());
        let count_at = encoded.len();
        encoded.extend(0u64.to_le_bytes());
        let mut n = 0u64;
        for item in items {
            encode_str(item, &mut encoded);
            n += 1;
        }
        encoded[count_at..count_at + 8].copy_from_slice(&n.to_le_bytes());
        self.put_encoded(key, encoded)
    }

    /// Sets `key` to an array of text.
    pub fn put_strs(&mut self, key: &str, items: &[&str]) -> &mut Self {
        self.put_strings(key, &mut items.iter().map(|s| s.as_bytes()))
    }

    /// Adds a tensor. Tensors lie in the file in the order in which they were added.
    pub fn add(&mut self, spec: TensorSpec) -> &mut Self {
        self.tensors.push(spec);
        self
    }

    /// Starts the file. It takes its name when the sink is finished with every tensor written.
    ///
    /// # Errors
    /// [`StoreError::Unwritable`] for keys and tensors that the format (or llama.cpp) would refuse.
    pub fn create(self, path: &Path) -> Result<TensorSink> {
        self.check(path)?;
        let mut header = b"GGUF".to_vec();
        header.extend(self.version.to_le_bytes());
        header.extend((self.tensors.len() as u64).to_le_bytes());
        header.extend((self.kv.len() as u64).to_le_bytes());
        for (key, value) in &self.kv {
            encode_str(key.as_bytes(), &mut header);
            header.extend(value);
        }

        let mut offset = 0u64;
        let mut slots = Vec::with_capacity(self.tensors.len());
        for t in &self.tensors {
            let (id, n_bytes) = self.check_tensor(path, t)?;
            encode_str(t.name.as_bytes(), &mut header);
            header.extend((t.shape.len() as u32).to_le_bytes()); // at most 4
            t.shape.iter().rev().for_each(|&d| header.extend((d as u64).to_le_bytes()));
            header.extend(id.to_le_bytes());
            header.extend(offset.to_le_bytes());
            slots.push(Slot::new(t.name.clone(), 0, offset, n_bytes));
            offset = (n_bytes as u64)
                .checked_next_multiple_of(self.alignment)
                .and_then(|padded| offset.checked_add(padded))
                .ok_or_else(|| StoreError::unwritable(path, At::File, "more than 2^64 bytes"))?;
        }
        if !slots.is_empty() {
            let padded = header.len().next_multiple_of(self.alignment as usize); // at most 1 MiB
            header.resize(padded, 0);
        }
        TensorSink::new(vec![(path.to_owned(), header, offset)], slots)
    }

    fn put_encoded(&mut self, key: &str, encoded: Vec<u8>) -> &mut Self {
        match self.kv.iter_mut().find(|(k, _)| k == key) {
            Some((_, old)) => *old = encoded,
            None => self.kv.push((key.to_owned(), encoded)),
        }
        self
    }

    fn check(&self, path: &Path) -> Result<()> {
        let at = || At::Key(ALIGNMENT_KEY.into());
        if !self.alignment.is_power_of_two() || self.alignment > MAX_ALIGNMENT {
            let what = format!("{} is not a power of two up to {MAX_ALIGNMENT}", self.alignment);
            return Err(StoreError::unwritable(path, at(), what));
        }
        for (key, value) in &self.kv {
            if key.is_empty() || key.len() > MAX_KEY || key.contains('\0') {
                let what = "keys have 1 to 65535 bytes, none of them zero";
                return Err(StoreError::unwritable(path, At::Key(key.clone()), what));
            }
            if key == ALIGNMENT_KEY && !value.starts_with(&Kind::U32.id().to_le_bytes()) {
                return Err(StoreError::unwritable(path, at(), "must be a u32"));
            }
        }
        Ok(())
    }

    /// GGML's number for the tensor's type, and its size.
    fn check_tensor(&self, path: &Path, t: &TensorSpec) -> Result<(u32, usize)> {
        let refuse =
            |what: String| Err(StoreError::unwritable(path, At::Tensor(t.name.clone()), what));
        if t.name.is_empty() || t.name.len() > MAX_WRITTEN_NAME || t.name.contains('\0') {
            return refuse(format!("names have 1 to {MAX_WRITTEN_NAME} bytes, none of them zero"));
        }
        let Some(id) = t.dtype.ggml_id() else {
            return refuse(format!("GGUF has no type {}", t.dtype));
        };
        if t.shape.len() > MAX_DIMS || t.shape.contains(&0) {
            return refuse(format!(
                "shape {:?}: GGUF has 1 to {MAX_DIMS} dimensions, none zero",
                t.shape
            ));
        }
        match t.n_bytes() {
            Some(n) => Ok((id, n)),
            None => refuse(format!(
                "shape {:?} is no whole number of {} blocks of {}",
                t.shape,
                t.dtype,
                t.dtype.block_len()
            )),
        }
    }
}

/// Defines a method for arrays of one numeric kind.
macro_rules! put_numbers {
    ($($method:ident($ty:ty) $kind:ident;)*) => {
        /// Arrays of numbers, one method per kind.
        impl Writer {
            $(
                #[doc = concat!("Sets `key` to an array of `", stringify!($ty), "`.")]
                pub fn $method(&mut self, key: &str, items: &[$ty]) -> &mut Self {
                    let mut encoded = Kind::Array.id().to_le_bytes().to_vec();
                    encoded.extend(Kind::$kind.id().to_le_bytes());
                    encoded.extend((items.len() as u64).to_le_bytes());
                    items.iter().for_each(|&x| Value::$kind(x).encode(&mut encoded));
                    self.put_encoded(key, encoded)
                }
            )*
        }
    };
}

put_numbers! {
    put_u8s(u8) U8;
    put_i8s(i8) I8;
    put_u16s(u16) U16;
    put_i16s(i16) I16;
    put_u32s(u32) U32;
    put_i32s(i32) I32;
    put_u64s(u64) U64;
    put_i64s(i64) I64;
    put_f32s(f32) F32;
    put_f64s(f64) F64;
    put_bools(bool) Bool;
}
