//! Reads a GGUF header: every count is bounded by the bytes that remain before anything is stored
//! for it.

use std::path::Path;

use super::value::{Array, Kind, Value};
use crate::dtype::{DType, checked_elements};
use crate::error::{At, Clipped, Result, StoreError};
use crate::sniff;

/// `GGML_MAX_DIMS`.
pub(super) const MAX_DIMS: usize = 4;
/// The specification's limit on tensor names; llama.cpp stores 63 bytes and a terminator.
pub(super) const MAX_NAME: usize = 64;
/// The specification's limit on keys.
pub(super) const MAX_KEY: usize = 65_535;
/// Larger alignments are nowhere in use and would let a header push the data out of any file.
pub(super) const MAX_ALIGNMENT: u64 = 1 << 20;
pub(super) const DEFAULT_ALIGNMENT: u64 = 32;
pub(super) const ALIGNMENT_KEY: &str = "general.alignment";

const TRUNCATED: &str =
    "the file may be cut off: compare its size with the source and fetch it again";

/// A parsed header: everything but the bytes it points into.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) alignment: u64,
    pub(super) kv: Vec<Kv>,
    /// Positions in `kv`, by key.
    pub(super) kv_by_key: Vec<u32>,
    pub(super) tensors: Vec<Info>,
}

/// One metadata entry: where its value lies.
#[derive(Debug)]
pub(super) struct Kv {
    pub(super) key: Box<str>,
    pub(super) kind: Kind,
    /// Kind of the elements if `kind` is an array.
    element: Kind,
    /// Number of elements if `kind` is an array.
    len: usize,
    start: usize,
    end: usize,
}

impl Kv {
    /// The value, decoded from the same bytes that were parsed.
    pub(super) fn value<'a>(&self, bytes: &'a [u8]) -> Value<'a> {
        let bytes = &bytes[self.start..self.end];
        match self.kind {
            Kind::Array => Value::Array(Array { kind: self.element, len: self.len, bytes }),
            // Checked when the file was opened; a file changed since then reads as empty.
            Kind::Str => Value::Str(std::str::from_utf8(bytes).unwrap_or_default()),
            kind => Value::decode_fixed(kind, bytes).unwrap_or(Value::U8(0)),
        }
    }
}

/// One tensor: where its data lies.
#[derive(Debug)]
pub(super) struct Info {
    pub(super) name: Box<str>,
    pub(super) dtype: DType,
    n_dims: usize,
    dims: [usize; MAX_DIMS],
    /// Which file of a split model.
    pub(super) file: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Info {
    /// Row-major, outermost first.
    pub(super) fn shape(&self) -> &[usize] {
        &self.dims[..self.n_dims]
    }
}

impl Header {
    pub(super) fn parse(path: &Path, bytes: &[u8], file: usize) -> Result<Self> {
        let mut c = Cursor { path, bytes, pos: 0 };
        let version = c.magic_and_version()?;
        let n_tensors = c.u64("the number of tensors")?;
        let n_kv = c.u64("the number of metadata entries")?;
        // key length, key of one byte, type, value of one byte
        c.bound(n_kv, 8 + 1 + 4 + 1, "metadata entries")?;
        // name length, name of one byte, number of dimensions, type, offset
        c.bound(n_tensors, 8 + 1 + 4 + 4 + 8, "tensors")?;

        let mut kv = Vec::new();
        for i in 0..n_kv {
            kv.push(c.kv(i)?);
        }
        let kv_by_key = sorted_unique(&kv, |e| &e.key)
            .map_err(|k| c.error_at(At::Key(k.into()), "the key appears twice"))?;
        let mut header = Self { version, alignment: 0, kv, kv_by_key, tensors: Vec::new() };
        header.alignment = header.read_alignment(path, bytes)?;

        for i in 0..n_tensors {
            header.tensors.push(c.tensor(i, file)?);
        }
        sorted_unique(&header.tensors, |t| &t.name)
            .map_err(|n| c.error_at(At::Tensor(n.into()), "the tensor appears twice"))?;
        header.place_data(&c)?;
        Ok(header)
    }

    /// The value of `key`.
    pub(super) fn get<'a>(&self, bytes: &'a [u8], key: &str) -> Option<Value<'a>> {
        let i = self.kv_by_key.binary_search_by(|&i| (*self.kv[i as usize].key).cmp(key)).ok()?;
        Some(self.kv[self.kv_by_key[i] as usize].value(bytes))
    }

    fn read_alignment(&self, path: &Path, bytes: &[u8]) -> Result<u64> {
        let refuse =
            |what: String| StoreError::malformed(path, At::Key(ALIGNMENT_KEY.into()), what);
        match self.get(bytes, ALIGNMENT_KEY) {
            None => Ok(DEFAULT_ALIGNMENT),
            Some(Value::U32(a)) if a.is_power_of_two() && u64::from(a) <= MAX_ALIGNMENT => {
                Ok(a.into())
            }
            Some(Value::U32(a)) => Err(refuse(format!(
                "the alignment is {a}, but must be a power of two up to {MAX_ALIGNMENT}"
            ))),
            Some(v) => Err(refuse(format!("the alignment must be a u32, not {}", v.kind().name()))),
        }
    }

    /// Turns offsets in the data section into places in the file. As llama.cpp does, tensors must
    /// follow one another in the order of the header, each padded to the alignment: then none can
    /// overlap.
    fn place_data(&mut self, c: &Cursor<'_>) -> Result<()> {
        if self.tensors.is_empty() {
            return Ok(());
        }
        // Headers end within the file and the alignment is at most 1 MiB: this cannot overflow.
        let data_start = (c.pos as u64).next_multiple_of(self.alignment);
        let file_len = c.bytes.len() as u64;
        let mut expected = 0u64;
        for t in &mut self.tensors {
            let at = || At::Tensor(t.name.as_ref().into());
            let (offset, n_bytes) = (t.start as u64, t.end as u64);
            if !offset.is_multiple_of(self.alignment) {
                let what = format!(
                    "offset {offset} is not a multiple of the alignment {}",
                    self.alignment
                );
                return Err(c.error_at(at(), what));
            }
            if offset != expected {
                let what =
                    format!("offset is {offset}, but the tensors before it end at {expected}");
                return Err(c.error_at(at(), what));
            }
            let end =
                data_start.checked_add(offset).and_then(|s| Some((s, s.checked_add(n_bytes)?)));
            let (start, end) = match end {
                Some((s, e)) if e <= file_len => (s, e),
                _ => {
                    let what = format!(
                        "its {n_bytes} bytes at offset {offset} of the data section (which starts \
                         at byte {data_start}) reach past the end of the file ({file_len} bytes)"
                    );
                    return Err(c.error_at(at(), what).with_hint(TRUNCATED));
                }
            };
            // Both are at most the length of a slice, so they fit.
            (t.start, t.end) = (start as usize, end as usize);
            // `end <= file_len <= isize::MAX`, so padding by at most 1 MiB cannot overflow.
            expected = (offset + n_bytes).next_multiple_of(self.alignment);
        }
        Ok(())
    }
}

/// Positions of `items` in the order of their names, or the name that appears twice.
pub(super) fn sorted_unique<T>(
    items: &[T],
    name: fn(&T) -> &str,
) -> std::result::Result<Vec<u32>, &str> {
    // At 14 bytes of file per entry, more than u32::MAX entries are 60 GB of header.
    let mut order: Vec<u32> = (0..u32::try_from(items.len()).unwrap_or(u32::MAX)).collect();
    order.sort_by_key(|&i| name(&items[i as usize]));
    let same = |w: &&[u32]| name(&items[w[0] as usize]) == name(&items[w[1] as usize]);
    match order.windows(2).find(same) {
        Some(w) => Err(name(&items[w[0] as usize])),
        None => Ok(order),
    }
}

/// A place in the header, moving forward.
struct Cursor<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    pos: usize,
}

impl<'a> Cursor<'a> {
    fn remaining(&self) -> u64 {
        (self.bytes.len() - self.pos) as u64
    }

    fn error(&self, what: impl Into<String>) -> StoreError {
        self.error_at(At::Byte(self.pos as u64), what)
    }

    fn error_at(&self, at: At, what: impl Into<String>) -> StoreError {
        StoreError::malformed(self.path, at, what)
    }

    /// The next `n` bytes. The error says what they were for.
    fn take(&mut self, n: u64, what: &str) -> Result<&'a [u8]> {
        if n > self.remaining() {
            let left = self.remaining();
            let text = format!("the file ends inside {what}: {n} bytes needed, {left} left");
            return Err(self.error(text).with_hint(TRUNCATED));
        }
        let start = self.pos;
        self.pos += n as usize; // n <= remaining, so it fits
        Ok(&self.bytes[start..self.pos])
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N as u64, what)?);
        Ok(out)
    }

    fn u32(&mut self, what: &str) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    fn u64(&mut self, what: &str) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// Refuses a count of things of at least `min_bytes` each that the rest of the file cannot
    /// hold.
    fn bound(&self, count: u64, min_bytes: u64, things: &str) -> Result<()> {
        let most = self.remaining() / min_bytes;
        if count > most {
            let what = format!(
                "the header claims {count} {things}, but the {} bytes that follow hold at most \
                 {most}",
                self.remaining()
            );
            return Err(self.error(what).with_hint(TRUNCATED));
        }
        Ok(())
    }

    fn magic_and_version(&mut self) -> Result<u32> {
        if !self.bytes.starts_with(b"GGUF") {
            if let Some(err) = sniff::refuse_by_content(self.path, self.bytes, "GGUF") {
                return Err(err);
            }
            let head = self.bytes[..self.bytes.len().min(4)].escape_ascii();
            return Err(self.error(format!("not a GGUF file: it begins with '{head}'")));
        }
        self.pos = 4;
        let version = self.u32("the version")?;
        match version {
            2 | 3 => Ok(version),
            1 => Err(StoreError::unsupported(
                self.path,
                "GGUF version 1 is not supported (32-bit counts, 2023)",
                "get a version 2 or 3 file of the model",
            )),
            // 2 and 3 with their bytes in the other order
            0x0200_0000 | 0x0300_0000 => Err(StoreError::unsupported(
                self.path,
                "a big-endian GGUF file",
                "get the little-endian file of the model, or convert it with llama.cpp's \
                 gguf_convert_endian.py",
            )),
            v => {
                self.pos = 4;
                Err(self.error(format!("unknown GGUF version {v}; psi reads 2 and 3")))
            }
        }
    }

    /// A length-prefixed name that must be UTF-8, not empty, and at most `limit` bytes.
    fn name(&mut self, limit: usize, what: &str) -> Result<Box<str>> {
        let start = self.pos;
        let fail = |c: &Self, text: String| Err(c.error_at(At::Byte(start as u64), text));
        let len = self.u64(what)?;
        if len > limit as u64 {
            return fail(
                self,
                format!("the length of {what} is {len} bytes; at most {limit} are allowed"),
            );
        }
        let raw = self.take(len, what)?;
        match std::str::from_utf8(raw) {
            Ok("") => fail(self, format!("{what} is empty")),
            Ok(s) if s.contains('\0') => fail(self, format!("{what} contains a zero byte")),
            Ok(s) => Ok(s.into()),
            Err(_) => fail(self, format!("{what} is not UTF-8")),
        }
    }

    fn kv(&mut self, i: u64) -> Result<Kv> {
        let key = self.name(MAX_KEY, &format!("the key of metadata entry {i}"))?;
        let kind = self.kind(&key)?;
        let what = format!("the value of '{}'", Clipped(&key));
        let at = || At::Key(key.as_ref().into());
        let (mut element, mut len, mut start) = (kind, 1, self.pos);
        match kind {
            Kind::Array => {
                element = self.kind(&key)?;
                len = self.u64(&what)?;
                if element == Kind::Array {
                    return Err(self.error_at(at(), "an array of arrays, which psi does not read"));
                }
                start = self.pos;
                self.skip_elements(element, len, &key)?;
            }
            Kind::Str => {
                let n_bytes = self.u64(&what)?;
                start = self.pos;
                if std::str::from_utf8(self.take(n_bytes, &what)?).is_err() {
                    return Err(self.error_at(at(), "the text is not UTF-8"));
                }
            }
            Kind::Bool => self.bools(1, &key)?,
            fixed => {
                self.take(fixed.fixed_bytes().unwrap_or(0) as u64, &what)?;
            }
        }
        // Every element took at least one byte, so their number fits in usize.
        Ok(Kv { key, kind, element, len: len as usize, start, end: self.pos })
    }

    fn kind(&mut self, key: &str) -> Result<Kind> {
        let id = self.u32("a value type")?;
        let at = || At::Key(key.to_owned());
        Kind::from_id(id).ok_or_else(|| self.error_at(at(), format!("unknown value type {id}")))
    }

    /// Walks over the elements of an array, checking that they are all there.
    fn skip_elements(&mut self, element: Kind, len: u64, key: &str) -> Result<()> {
        let min_bytes = element.fixed_bytes().unwrap_or(8) as u64;
        let most = self.remaining() / min_bytes;
        if len > most {
            let what = format!(
                "an array of {len} x {}, but the {} bytes that follow hold at most {most}",
                element.name(),
                self.remaining()
            );
            return Err(self.error_at(At::Key(key.into()), what).with_hint(TRUNCATED));
        }
        match element {
            Kind::Str => {
                for i in 0..len {
                    let n = self.u64("an array of strings")?;
                    if n > self.remaining() {
                        let left = self.remaining();
                        let what =
                            format!("string {i} of the array claims {n} bytes, {left} are left");
                        let err = self.error_at(At::Key(key.into()), what);
                        return Err(err.with_hint(TRUNCATED));
                    }
                    self.pos += n as usize;
                }
                Ok(())
            }
            Kind::Bool => self.bools(len, key),
            _ => self.take(len * min_bytes, "an array").map(|_| ()),
        }
    }

    fn bools(&mut self, n: u64, key: &str) -> Result<()> {
        match self.take(n, "truth values")?.iter().find(|&&b| b > 1) {
            Some(b) => {
                let what = format!("a truth value is stored as {b}; only 0 and 1 are allowed");
                Err(self.error_at(At::Key(key.into()), what))
            }
            None => Ok(()),
        }
    }

    /// One tensor's description; `start` is its offset in the data section and `end` its size until
    /// [`Header::place_data`] has run.
    fn tensor(&mut self, i: u64, file: usize) -> Result<Info> {
        let name = self.name(MAX_NAME, &format!("the name of tensor {i}"))?;
        let path = self.path;
        let refuse =
            |text: String| Err(StoreError::malformed(path, At::Tensor(name.as_ref().into()), text));
        let what = "the description of a tensor";

        let n_dims = self.u32(what)? as usize;
        if n_dims > MAX_DIMS {
            return refuse(format!("{n_dims} dimensions; at most {MAX_DIMS} are allowed"));
        }
        let mut dims = [1usize; MAX_DIMS];
        for i in 0..n_dims {
            let ne = self.u64(what)?;
            match usize::try_from(ne) {
                Ok(0) => return refuse(format!("dimension {i} is zero")),
                // GGML counts in i64
                Ok(d) if i64::try_from(ne).is_ok() => dims[n_dims - 1 - i] = d,
                _ => return refuse(format!("dimension {i} is {ne}, more than can be counted")),
            }
        }
        let shape = &dims[..n_dims];
        if checked_elements(shape).is_none_or(|n| i64::try_from(n).is_err()) {
            return refuse(format!("the shape {shape:?} has more elements than can be counted"));
        }

        let id = self.u32(what)?;
        let Some(dtype) = DType::from_ggml_id(id) else {
            return refuse(format!("unknown tensor type {id}"));
        };
        let Some(n_bytes) = dtype.checked_shape_bytes(shape) else {
            let row = shape.last().copied().unwrap_or(1);
            return refuse(if row.is_multiple_of(dtype.block_len()) {
                format!("the shape {shape:?} of {dtype} has more bytes than can be counted")
            } else {
                let block = dtype.block_len();
                format!("rows of {row} elements, but {dtype} comes in blocks of {block}")
            });
        };
        let offset = self.u64(what)?;
        let Ok(start) = usize::try_from(offset) else {
            return refuse(format!("offset {offset} is more than this machine can address"));
        };
        Ok(Info { name, dtype, n_dims, dims, file, start, end: n_bytes })
    }
}
