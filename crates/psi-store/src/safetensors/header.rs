//! Parses and checks the JSON header of a safetensors file.
//!
//! The JSON is visited as a stream, not loaded as a tree: a key that appears twice is seen (a tree
//! would keep the last one in silence), and nothing is stored that the format does not know.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::dtype::DType;
use crate::error::{At, Clipped, Result, StoreError};
use crate::sniff;

/// The reference implementation's limit on the header.
const MAX_HEADER: u64 = 100_000_000;
/// PyTorch and NumPy stop at 64 dimensions.
const MAX_DIMS: usize = 64;

const TRUNCATED: &str =
    "the file may be cut off: compare its size with the source and fetch it again";

/// A checked header.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) metadata: BTreeMap<String, String>,
    /// In the order of their data.
    pub(super) tensors: Vec<Info>,
}

/// One tensor: where its data lies in the file.
#[derive(Debug)]
pub(super) struct Info {
    pub(super) name: Box<str>,
    pub(super) dtype: DType,
    pub(super) shape: Box<[usize]>,
    /// Which file of a sharded checkpoint.
    pub(super) file: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Header {
    pub(super) fn parse(path: &Path, bytes: &[u8], file: usize) -> Result<Self> {
        let json = json_part(path, bytes)
            .map_err(|e| sniff::refuse_by_content(path, bytes, "safetensors").unwrap_or(e))?;
        let mut state = State { file, ..State::default() };
        let mut de = serde_json::Deserializer::from_slice(json);
        let parsed = HeaderSeed(&mut state).deserialize(&mut de).and_then(|()| de.end());
        if let Err(e) = parsed {
            return Err(json_error(path, json, &e, &state.current));
        }
        let mut header = state.header;
        header.place_data(path, 8 + json.len(), bytes.len())?;
        Ok(header)
    }

    /// Checks that the tensors cover the data section exactly, without holes and overlaps, and
    /// turns their offsets into places in the file.
    fn place_data(&mut self, path: &Path, data_start: usize, file_len: usize) -> Result<()> {
        let data_len = file_len - data_start;
        self.tensors.sort_by_key(|t| (t.start, t.end));
        let mut expected = 0;
        for i in 0..self.tensors.len() {
            let t = &self.tensors[i];
            let refuse = |what: String| {
                Err(StoreError::malformed(path, At::Tensor(t.name.as_ref().into()), what))
            };
            let (start, end) = (t.start, t.end);
            if end > data_len {
                let what =
                    format!("its data {start}..{end} reaches past the {data_len} bytes of data");
                return refuse(what).map_err(|e| e.with_hint(TRUNCATED));
            }
            if start > expected {
                return refuse(format!(
                    "the {} bytes before its data belong to no tensor",
                    start - expected
                ));
            }
            if start < expected {
                let other = Clipped(&self.tensors[i - 1].name);
                return refuse(format!("its data {start}..{end} overlaps that of '{other}'"));
            }
            expected = end;
        }
        if expected != data_len {
            let what = format!(
                "the file has {data_len} bytes of data, but its tensors take only {expected}"
            );
            return Err(StoreError::malformed(
                path,
                At::Byte((data_start + expected) as u64),
                what,
            ));
        }
        for t in &mut self.tensors {
            t.start += data_start;
            t.end += data_start;
        }
        Ok(())
    }
}

/// The header's JSON: `u64` length, then that many bytes beginning with '{'.
fn json_part<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a [u8]> {
    let refuse = |at, what: String| Err(StoreError::malformed(path, At::Byte(at), what));
    let Some((len, rest)) = bytes.split_first_chunk::<8>() else {
        let what =
            format!("the file has {} bytes; a safetensors file has at least 10", bytes.len());
        return refuse(0, what).map_err(|e| e.with_hint(TRUNCATED));
    };
    let len = u64::from_le_bytes(*len);
    if len > MAX_HEADER {
        return refuse(
            0,
            format!("the header claims {len} bytes; at most {MAX_HEADER} are allowed"),
        );
    }
    if len > rest.len() as u64 {
        let what = format!("the header claims {len} bytes, but only {} follow", rest.len());
        return refuse(0, what).map_err(|e| e.with_hint(TRUNCATED));
    }
    let json = &rest[..len as usize]; // at most rest.len()
    if json.first() != Some(&b'{') {
        return refuse(8, "the header does not begin with '{'".into());
    }
    Ok(json)
}

/// A parse error with its place in the file; long quotations from the file are cut short.
fn json_error(path: &Path, json: &[u8], e: &serde_json::Error, current: &str) -> StoreError {
    let text = e.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(t, _)| t);
    let text: String = text.chars().take(200).collect();
    let line_start = json
        .split_inclusive(|&b| b == b'\n')
        .take(e.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum::<usize>();
    let byte = 8 + line_start + e.column().saturating_sub(1);
    let what = if current.is_empty() {
        format!("the header is not valid: {text}")
    } else {
        format!("the header entry '{}' is not valid: {text}", Clipped(current))
    };
    StoreError::malformed(path, At::Byte(byte as u64), what)
}

/// What the visitors fill.
#[derive(Default)]
struct State {
    header: Header,
    seen_metadata: bool,
    names: std::collections::HashSet<Box<str>>,
    file: usize,
    /// The entry being read, for messages.
    current: String,
}

/// `{"__metadata__": {...}, NAME: {...}, ...}`
struct HeaderSeed<'s>(&'s mut State);

impl<'de> DeserializeSeed<'de> for HeaderSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> std::result::Result<(), D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for HeaderSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let state = self.0;
        while let Some(key) = map.next_key::<String>()? {
            state.current = key;
            if state.current == "__metadata__" {
                if std::mem::replace(&mut state.seen_metadata, true) {
                    return Err(A::Error::custom("the key appears twice"));
                }
                map.next_value_seed(MetadataSeed(&mut state.header.metadata))?;
            } else {
                let name: Box<str> = state.current.as_str().into();
                if !state.names.insert(name.clone()) {
                    return Err(A::Error::custom("the key appears twice"));
                }
                let mut info = map.next_value_seed(TensorSeed(name))?;
                info.file = state.file;
                state.header.tensors.push(info);
            }
            state.current.clear();
        }
        Ok(())
    }
}

/// `{KEY: TEXT, ...}`
struct MetadataSeed<'s>(&'s mut BTreeMap<String, String>);

impl<'de> DeserializeSeed<'de> for MetadataSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> std::result::Result<(), D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MetadataSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some((key, value)) = map.next_entry::<String, String>()? {
            if self.0.contains_key(&key) {
                return Err(A::Error::custom(format!("the key '{}' appears twice", Clipped(&key))));
            }
            self.0.insert(key, value);
        }
        Ok(())
    }
}

/// `{"dtype": ..., "shape": [...], "data_offsets": [begin, end]}`
struct TensorSeed(Box<str>);

impl<'de> DeserializeSeed<'de> for TensorSeed {
    type Value = Info;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> std::result::Result<Info, D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for TensorSeed {
    type Value = Info;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with dtype, shape and data_offsets")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Info, A::Error> {
        let (mut dtype, mut shape, mut offsets) = (None, None, None);
        while let Some(field) = map.next_key::<String>()? {
            let twice = match field.as_str() {
                "dtype" => {
                    let name: String = map.next_value()?;
                    let known = DType::from_safetensors_name(&name).ok_or_else(|| {
                        A::Error::custom(format!("unknown dtype '{}'", Clipped(&name)))
                    })?;
                    dtype.replace(known).is_some()
                }
                "shape" => shape.replace(map.next_value_seed(Integers::<MAX_DIMS>)?).is_some(),
                "data_offsets" => offsets.replace(map.next_value_seed(Integers::<2>)?).is_some(),
                other => {
                    return Err(A::Error::custom(format!("unknown field '{}'", Clipped(other))));
                }
            };
            if twice {
                return Err(A::Error::custom(format!("the field '{field}' appears twice")));
            }
        }
        let missing = |field| move || A::Error::missing_field(field);
        let dtype = dtype.ok_or_else(missing("dtype"))?;
        let shape = shape.ok_or_else(missing("shape"))?;
        let offsets = offsets.ok_or_else(missing("data_offsets"))?;
        check_tensor(self.0, dtype, shape, &offsets).map_err(A::Error::custom)
    }
}

fn check_tensor(
    name: Box<str>,
    dtype: DType,
    shape: Vec<usize>,
    offsets: &[usize],
) -> std::result::Result<Info, String> {
    let &[start, end] = offsets else {
        return Err(format!("data_offsets has {} numbers instead of 2", offsets.len()));
    };
    let size = dtype.checked_shape_bytes(&shape).ok_or_else(|| {
        format!("the shape {shape:?} of {dtype} has no size in whole bytes that can be counted")
    })?;
    let range = end
        .checked_sub(start)
        .ok_or_else(|| format!("data_offsets {start}..{end} end before they begin"))?;
    if range != size {
        return Err(format!(
            "data_offsets {start}..{end} span {range} bytes, but {dtype} {shape:?} takes {size}"
        ));
    }
    Ok(Info { name, dtype, shape: shape.into(), file: 0, start, end })
}

/// A list of at most `MAX` non-negative integers.
struct Integers<const MAX: usize>;

impl<'de, const MAX: usize> DeserializeSeed<'de> for Integers<MAX> {
    type Value = Vec<usize>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> std::result::Result<Vec<usize>, D::Error> {
        d.deserialize_seq(self)
    }
}

impl<'de, const MAX: usize> Visitor<'de> for Integers<MAX> {
    type Value = Vec<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MAX} integers of at least 0")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Vec<usize>, A::Error> {
        let mut out = Vec::new();
        while let Some(n) = seq.next_element::<usize>()? {
            if out.len() == MAX {
                return Err(A::Error::custom(format!("a list of more than {MAX} numbers")));
            }
            out.push(n);
        }
        Ok(out)
    }
}
