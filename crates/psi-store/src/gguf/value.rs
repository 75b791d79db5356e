//! Typed metadata values, borrowed from the file: arrays stay encoded until they are asked for.

use std::fmt;

use crate::error::Clipped;

/// The type of a metadata value; the numbers are the file's own (GGUF specification,
/// `gguf_metadata_value_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Kind {
    /// Unsigned 8-bit integer.
    U8 = 0,
    /// Signed 8-bit integer.
    I8 = 1,
    /// Unsigned 16-bit integer.
    U16 = 2,
    /// Signed 16-bit integer.
    I16 = 3,
    /// Unsigned 32-bit integer.
    U32 = 4,
    /// Signed 32-bit integer.
    I32 = 5,
    /// IEEE binary32.
    F32 = 6,
    /// One byte, 0 or 1.
    Bool = 7,
    /// A length and that many bytes of UTF-8.
    Str = 8,
    /// Values of one other kind.
    Array = 9,
    /// Unsigned 64-bit integer.
    U64 = 10,
    /// Signed 64-bit integer.
    I64 = 11,
    /// IEEE binary64.
    F64 = 12,
}

impl Kind {
    /// All thirteen, by number.
    pub const ALL: [Self; 13] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::F32,
        Self::Bool,
        Self::Str,
        Self::Array,
        Self::U64,
        Self::I64,
        Self::F64,
    ];

    /// The kind with number `id`.
    pub fn from_id(id: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(id).ok()?).copied()
    }

    /// The number in the file.
    pub const fn id(self) -> u32 {
        self as u32
    }

    /// Bytes of one value; `None` for strings and arrays, whose length is in the file.
    pub const fn fixed_bytes(self) -> Option<usize> {
        match self {
            Self::U8 | Self::I8 | Self::Bool => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::Str | Self::Array => None,
        }
    }

    /// The name in messages: `u32`, `string`, `array`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::F32 => "f32",
            Self::Bool => "bool",
            Self::Str => "string",
            Self::Array => "array",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F64 => "f64",
        }
    }
}

/// One metadata value. `Display` shows it on one line, long strings cut short.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Unsigned 8-bit integer.
    U8(u8),
    /// Signed 8-bit integer.
    I8(i8),
    /// Unsigned 16-bit integer.
    U16(u16),
    /// Signed 16-bit integer.
    I16(i16),
    /// Unsigned 32-bit integer.
    U32(u32),
    /// Signed 32-bit integer.
    I32(i32),
    /// IEEE binary32.
    F32(f32),
    /// Truth value.
    Bool(bool),
    /// Text.
    Str(&'a str),
    /// Values of one other kind.
    Array(Array<'a>),
    /// Unsigned 64-bit integer.
    U64(u64),
    /// Signed 64-bit integer.
    I64(i64),
    /// IEEE binary64.
    F64(f64),
}

impl<'a> Value<'a> {
    /// The value's kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::U8(_) => Kind::U8,
            Self::I8(_) => Kind::I8,
            Self::U16(_) => Kind::U16,
            Self::I16(_) => Kind::I16,
            Self::U32(_) => Kind::U32,
            Self::I32(_) => Kind::I32,
            Self::F32(_) => Kind::F32,
            Self::Bool(_) => Kind::Bool,
            Self::Str(_) => Kind::Str,
            Self::Array(_) => Kind::Array,
            Self::U64(_) => Kind::U64,
            Self::I64(_) => Kind::I64,
            Self::F64(_) => Kind::F64,
        }
    }

    /// Any integer that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::U64(v) => Some(v),
            _ => u64::try_from(self.as_i64()?).ok(),
        }
    }

    /// Any integer up to `i64::MAX`.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::U8(v) => Some(v.into()),
            Self::I8(v) => Some(v.into()),
            Self::U16(v) => Some(v.into()),
            Self::I16(v) => Some(v.into()),
            Self::U32(v) => Some(v.into()),
            Self::I32(v) => Some(v.into()),
            Self::U64(v) => i64::try_from(v).ok(),
            Self::I64(v) => Some(v),
            _ => None,
        }
    }

    /// Either float; integers are not floats.
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::F32(v) => Some(v.into()),
            Self::F64(v) => Some(v),
            _ => None,
        }
    }

    /// A truth value.
    pub fn as_bool(&self) -> Option<bool> {
        match *self {
            Self::Bool(v) => Some(v),
            _ => None,
        }
    }

    /// Text.
    pub fn as_str(&self) -> Option<&'a str> {
        match *self {
            Self::Str(v) => Some(v),
            _ => None,
        }
    }

    /// An array.
    pub fn as_array(&self) -> Option<Array<'a>> {
        match *self {
            Self::Array(v) => Some(v),
            _ => None,
        }
    }

    /// Decodes a value of a fixed size from its bytes, which must be exactly that many.
    pub(crate) fn decode_fixed(kind: Kind, b: &[u8]) -> Option<Value<'static>> {
        Some(match kind {
            Kind::U8 => Value::U8(u8::from_le_bytes(b.try_into().ok()?)),
            Kind::I8 => Value::I8(i8::from_le_bytes(b.try_into().ok()?)),
            Kind::U16 => Value::U16(u16::from_le_bytes(b.try_into().ok()?)),
            Kind::I16 => Value::I16(i16::from_le_bytes(b.try_into().ok()?)),
            Kind::U32 => Value::U32(u32::from_le_bytes(b.try_into().ok()?)),
            Kind::I32 => Value::I32(i32::from_le_bytes(b.try_into().ok()?)),
            Kind::F32 => Value::F32(f32::from_le_bytes(b.try_into().ok()?)),
            Kind::U64 => Value::U64(u64::from_le_bytes(b.try_into().ok()?)),
            Kind::I64 => Value::I64(i64::from_le_bytes(b.try_into().ok()?)),
            Kind::F64 => Value::F64(f64::from_le_bytes(b.try_into().ok()?)),
            Kind::Bool => Value::Bool(*b.first()? != 0),
            Kind::Str | Kind::Array => return None,
        })
    }

    /// Appends the value as a file stores it (without its type number).
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Self::U8(v) => out.push(v),
            Self::I8(v) => out.extend(v.to_le_bytes()),
            Self::U16(v) => out.extend(v.to_le_bytes()),
            Self::I16(v) => out.extend(v.to_le_bytes()),
            Self::U32(v) => out.extend(v.to_le_bytes()),
            Self::I32(v) => out.extend(v.to_le_bytes()),
            Self::F32(v) => out.extend(v.to_le_bytes()),
            Self::Bool(v) => out.push(v.into()),
            Self::Str(v) => encode_str(v.as_bytes(), out),
            Self::Array(v) => {
                out.extend(v.kind.id().to_le_bytes());
                out.extend((v.len as u64).to_le_bytes());
                out.extend(v.bytes);
            }
            Self::U64(v) => out.extend(v.to_le_bytes()),
            Self::I64(v) => out.extend(v.to_le_bytes()),
            Self::F64(v) => out.extend(v.to_le_bytes()),
        }
    }
}

/// A string as a file stores it: `u64` length, bytes.
pub(crate) fn encode_str(s: &[u8], out: &mut Vec<u8>) {
    out.extend((s.len() as u64).to_le_bytes());
    out.extend(s);
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::U8(v) => write!(f, "{v}"),
            Self::I8(v) => write!(f, "{v}"),
            Self::U16(v) => write!(f, "{v}"),
            Self::I16(v) => write!(f, "{v}"),
            Self::U32(v) => write!(f, "{v}"),
            Self::I32(v) => write!(f, "{v}"),
            Self::F32(v) => write!(f, "{v}"),
            Self::Bool(v) => write!(f, "{v}"),
            Self::Str(v) => write!(f, "\"{}\"", Clipped(v)),
            Self::Array(v) => write!(f, "[{} x {}]", v.len, v.kind.name()),
            Self::U64(v) => write!(f, "{v}"),
            Self::I64(v) => write!(f, "{v}"),
            Self::F64(v) => write!(f, "{v}"),
        }
    }
}

/// An array in a file, still encoded. Its length and the bounds of its strings were checked when
/// the file was opened.
#[derive(Clone, Copy, PartialEq)]
pub struct Array<'a> {
    pub(crate) kind: Kind,
    pub(crate) len: usize,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Array<'a> {
    /// The kind of the elements, never [`Kind::Array`].
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The strings as raw bytes: a vocabulary may hold pieces that are no UTF-8 by themselves.
    /// `None` if the elements are not strings.
    pub fn strings(&self) -> Option<Strings<'a>> {
        (self.kind == Kind::Str).then_some(Strings { rest: self.bytes, left: self.len })
    }

    /// The elements that are not strings, decoded one by one; `None` for an array of strings.
    pub fn values(&self) -> Option<impl ExactSizeIterator<Item = Value<'static>> + 'a> {
        let (kind, size) = (self.kind, self.kind.fixed_bytes()?);
        // The length of `bytes` is a multiple of `size`, so no chunk fails to decode.
        let decode = move |b| Value::decode_fixed(kind, b).unwrap_or(Value::U8(0));
        Some(self.bytes.chunks_exact(size).map(decode))
    }

    /// All elements as `i64`; `None` if one is not an integer or does not fit.
    pub fn to_i64s(&self) -> Option<Vec<i64>> {
        self.values()?.map(|v| v.as_i64()).collect()
    }

    /// All elements as `u64`; `None` if one is not an integer or is negative.
    pub fn to_u64s(&self) -> Option<Vec<u64>> {
        self.values()?.map(|v| v.as_u64()).collect()
    }

    /// All elements as `f32` (an `f64` is rounded); `None` if they are not floats.
    pub fn to_f32s(&self) -> Option<Vec<f32>> {
        self.values()?.map(|v| v.as_f64().map(|x| x as f32)).collect()
    }

    /// All elements as truth values; `None` if they are something else.
    pub fn to_bools(&self) -> Option<Vec<bool>> {
        self.values()?.map(|v| v.as_bool()).collect()
    }
}

impl fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} x {}]", self.len, self.kind.name())
    }
}

/// Iterator over the strings of an [`Array`].
#[derive(Clone, Debug)]
pub struct Strings<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Iterator for Strings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (len, rest) = self.rest.split_first_chunk::<8>()?;
        let (text, rest) =
            rest.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
        self.rest = rest;
        Some(text)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Strings<'_> {}
