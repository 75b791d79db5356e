//! Files that must be refused: with path and reason, and without the memory they ask for.
//!
//! The lists follow the published attacks on GGUF and safetensors readers. Every row starts from a
//! good file and spoils one thing; the good files themselves must open, so a row cannot pass for
//! the wrong reason.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]
#![expect(unsafe_code, reason = "a counting allocator must implement GlobalAlloc")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use psi_store::{Gguf, SafeTensors, StoreError};

/// Counts what this thread holds and the most it has held.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    LIVE.set(LIVE.get() + change);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

// SAFETY: every call is passed on to the system allocator unchanged; counting touches only
// thread-local cells, which need no allocation and no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that refusing a file may take.
const MEMORY_LIMIT: isize = 16 << 20;

/// Runs `open`, which must fail with `fragment` in the message, naming `path`, within the memory
/// limit.
fn assert_refused<T>(
    name: &str,
    path: &Path,
    fragment: &str,
    open: impl Fn(&Path) -> Result<T, StoreError>,
) {
    PEAK.set(LIVE.get());
    let before = LIVE.get();
    let result = open(path);
    let used = PEAK.get() - before;
    let Err(err) = result else { panic!("{name}: the file was accepted") };
    let text = err.to_string();
    assert!(text.contains(fragment), "{name}: '{text}' does not say '{fragment}'");
    assert!(text.contains(path.to_str().unwrap()), "{name}: '{text}' does not name the file");
    assert!(text.len() < 1000, "{name}: {} characters of message", text.len());
    assert!(used < MEMORY_LIMIT, "{name}: {used} bytes allocated");
}

fn write(path: &Path, bytes: &[u8]) {
    fs::File::create(path).unwrap().write_all(bytes).unwrap();
}

// ---- GGUF --------------------------------------------------------------------------------------

/// The pieces of a GGUF file, each of which a row can spoil.
#[derive(Clone)]
struct Parts {
    magic: [u8; 4],
    version: u32,
    n_tensors: u64,
    n_kv: u64,
    kv: Vec<Vec<u8>>,
    tensors: Vec<Vec<u8>>,
    alignment: usize,
    data: usize,
}

fn string(s: &[u8]) -> Vec<u8> {
    [&(s.len() as u64).to_le_bytes(), s].concat()
}

fn kv(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    [&string(key.as_bytes())[..], &kind.to_le_bytes(), value].concat()
}

fn array(element: u32, len: u64, bytes: &[u8]) -> Vec<u8> {
    [&element.to_le_bytes()[..], &len.to_le_bytes(), bytes].concat()
}

fn tensor(name: &str, ne: &[u64], dtype: u32, offset: u64) -> Vec<u8> {
    let mut out = string(name.as_bytes());
    out.extend((ne.len() as u32).to_le_bytes());
    ne.iter().for_each(|d| out.extend(d.to_le_bytes()));
    out.extend(dtype.to_le_bytes());
    out.extend(offset.to_le_bytes());
    out
}

const U8: u32 = 0;
const U16: u32 = 2;
const U32: u32 = 4;
const I32: u32 = 5;
const BOOL: u32 = 7;
const STR: u32 = 8;
const ARRAY: u32 = 9;
const F64: u32 = 12;
const TYPE_F32: u32 = 0;
const TYPE_Q4_K: u32 = 12;
const TYPE_I8: u32 = 24;
const TYPE_I64: u32 = 27;

/// Two tensors of 5 and 4 floats, some metadata.
fn good_gguf() -> Parts {
    Parts {
        magic: *b"GGUF",
        version: 3,
        n_tensors: 2,
        n_kv: 3,
        kv: vec![
            kv("general.architecture", STR, &string(b"llama")),
            kv("llama.block_count", U32, &5u32.to_le_bytes()),
            kv("tokens", ARRAY, &array(STR, 2, &[string(b"a"), string(b"bc")].concat())),
        ],
        tensors: vec![tensor("first", &[5], TYPE_F32, 0), tensor("second", &[2, 2], TYPE_F32, 32)],
        alignment: 32,
        data: 32 + 16,
    }
}

impl Parts {
    fn header(&self) -> Vec<u8> {
        let mut out = self.magic.to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend(self.n_tensors.to_le_bytes());
        out.extend(self.n_kv.to_le_bytes());
        self.kv.iter().chain(&self.tensors).for_each(|part| out.extend(part));
        out
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = self.header();
        out.resize(out.len().next_multiple_of(self.alignment) + self.data, 7);
        out
    }

    /// One more metadata entry.
    fn with_kv(mut self, entry: Vec<u8>) -> Self {
        self.kv.push(entry);
        self.n_kv += 1;
        self
    }

    /// Another first tensor; the second is dropped.
    fn with_tensor(mut self, info: Vec<u8>) -> Self {
        self.tensors = vec![info];
        self.n_tensors = 1;
        self
    }
}

/// `(name, spoiled file, what the message must say)`
type Row = (&'static str, Vec<u8>, &'static str);

fn gguf_header_rows() -> Vec<Row> {
    let g = good_gguf;
    let head = |change: &dyn Fn(&mut Parts)| {
        let mut parts = g();
        change(&mut parts);
        parts.bytes()
    };
    vec![
        ("empty file", vec![], "the file is empty"),
        ("three bytes", b"GGU".to_vec(), "not a GGUF file: it begins with 'GGU'"),
        ("magic only", b"GGUF".to_vec(), "ends inside the version"),
        ("counts cut off", g().bytes()[..20].to_vec(), "ends inside the number of metadata"),
        ("bad magic", head(&|p| p.magic = *b"FUGG"), "begins with 'FUGG'"),
        ("version 0", head(&|p| p.version = 0), "unknown GGUF version 0"),
        ("version 1", head(&|p| p.version = 1), "version 1 is not supported"),
        ("version 4", head(&|p| p.version = 4), "unknown GGUF version 4"),
        ("big endian", head(&|p| p.version = 3u32.swap_bytes()), "big-endian"),
        (
            "2^64-1 tensors",
            head(&|p| p.n_tensors = u64::MAX),
            "claims 18446744073709551615 tensors",
        ),
        ("2^63 tensors", head(&|p| p.n_tensors = 1 << 63), "hold at most"),
        ("one tensor too many", head(&|p| p.n_tensors = 3), "tensor 2"),
        ("2^64-1 entries", head(&|p| p.n_kv = u64::MAX), "18446744073709551615 metadata entries"),
        ("2^40 entries", head(&|p| p.n_kv = 1 << 40), "hold at most"),
        ("one entry too many", head(&|p| p.n_kv = 4), "the name of tensor 0 is empty"),
        ("pickle", b"\x80\x02}q\x00X\x05\x00\x00\x00modelq\x01.".to_vec(), "a Python pickle"),
        ("zip", b"PK\x03\x04archive/data.pkl".to_vec(), "pickled PyTorch"),
        ("LFS pointer", b"version https://git-lfs.github.com/spec/v1\noid".to_vec(), "Git LFS"),
        ("web page", b"<!DOCTYPE html><html>".to_vec(), "a web page"),
        ("safetensors", b"\x10\0\0\0\0\0\0\0{\"a\":{}}        ".to_vec(), "a safetensors file"),
        ("ancient GGML", b"tjgg\x03\0\0\0".to_vec(), "before GGUF"),
    ]
}

fn gguf_metadata_rows() -> Vec<Row> {
    let with = |entry: Vec<u8>| good_gguf().with_kv(entry).bytes();
    let value = |kind, bytes: &[u8]| with(kv("bad.key", kind, bytes));
    let long_key = [&u64::MAX.to_le_bytes()[..], b"key"].concat();
    let max = u64::MAX.to_le_bytes();
    let alignment = |kind, bytes: &[u8]| with(kv("general.alignment", kind, bytes));
    vec![
        (
            "key of 2^64-1 bytes",
            with(long_key),
            "length of the key of metadata entry 3 is 18446744073709551615",
        ),
        ("key of 64 KiB", with(kv(&"k".repeat(65_536), U8, &[1])), "at most 65535"),
        ("empty key", with(kv("", U8, &[1])), "key of metadata entry 3 is empty"),
        (
            "key not UTF-8",
            with([&string(b"\xff\xfe")[..], &[0, 0, 0, 0, 1]].concat()),
            "is not UTF-8",
        ),
        ("key with a zero byte", with(kv("a\0b", U8, &[1])), "contains a zero byte"),
        ("duplicate key", with(kv("llama.block_count", U8, &[1])), "the key appears twice"),
        ("value type 13", value(13, &[0; 8]), "unknown value type 13 (key 'bad.key')"),
        ("value type -1", value(u32::MAX, &[0; 8]), "unknown value type 4294967295"),
        ("text of 2^63 bytes", value(STR, &(1u64 << 63).to_le_bytes()), "the value of 'bad.key'"),
        ("text of 2 GiB", value(STR, &(1u64 << 31).to_le_bytes()), "2147483648 bytes needed"),
        ("text not UTF-8", value(STR, &string(b"\xc3\x28")), "not UTF-8 (key 'bad.key')"),
        ("truth value 2", value(BOOL, &[2]), "stored as 2"),
        (
            "array of 2^40",
            value(ARRAY, &array(U8, 1 << 40, &[1; 9])),
            "array of 1099511627776 x u8",
        ),
        ("array of 2^61+1 doubles", value(ARRAY, &array(F64, (1 << 61) + 1, &[0; 8])), "x f64"),
        ("array of 2^64-1 strings", value(ARRAY, &array(STR, u64::MAX, &[0; 8])), "x string"),
        (
            "string of 2^64-1 in an array",
            value(ARRAY, &array(STR, 1, &max)),
            "string 0 of the array claims",
        ),
        (
            "token of 2 GiB",
            value(
                ARRAY,
                &array(STR, 2, &[string(b"a"), (1u64 << 31).to_le_bytes().to_vec()].concat()),
            ),
            "string 1 of the array claims 2147483648 bytes",
        ),
        ("array of arrays", value(ARRAY, &array(ARRAY, 1, &array(U8, 1, &[1]))), "array of arrays"),
        ("array of type 99", value(ARRAY, &array(99, 1, &[1])), "unknown value type 99"),
        ("truth value 255 in an array", value(ARRAY, &array(BOOL, 2, &[1, 255])), "stored as 255"),
        ("alignment 0", alignment(U32, &[0; 4]), "the alignment is 0"),
        ("alignment 3", alignment(U32, &3u32.to_le_bytes()), "the alignment is 3"),
        ("alignment 13", alignment(U32, &13u32.to_le_bytes()), "must be a power of two"),
        (
            "alignment 2^31",
            alignment(U32, &(1u32 << 31).to_le_bytes()),
            "the alignment is 2147483648",
        ),
        ("alignment as i32", alignment(I32, &32u32.to_le_bytes()), "must be a u32, not i32"),
        ("alignment as text", alignment(STR, &string(b"32")), "must be a u32, not string"),
        ("split of 2, other name", value2("split.count", 2), "its name does not end in"),
        ("split of 65535", value2("split.count", 65_535), "at most 9999"),
        (
            "split.count as text",
            with(kv("split.count", STR, &string(b"2"))),
            "'split.count' should be",
        ),
    ]
}

fn value2(key: &str, n: u16) -> Vec<u8> {
    good_gguf().with_kv(kv(key, U16, &n.to_le_bytes())).bytes()
}

fn gguf_tensor_rows() -> Vec<Row> {
    let one = |info: Vec<u8>| good_gguf().with_tensor(info).bytes();
    let shape = |ne: &[u64], dtype| one(tensor("bad.tensor", ne, dtype, 0));
    let second = |name: &str, offset| {
        let mut parts = good_gguf();
        parts.tensors[1] = tensor(name, &[2, 2], TYPE_F32, offset);
        parts.bytes()
    };
    let five_dims = [&string(b"t")[..], &5u32.to_le_bytes(), &[1; 60]].concat();
    let all_dims = [&string(b"t")[..], &u32::MAX.to_le_bytes(), &[1; 60]].concat();
    let long_name = [&(1u64 << 63).to_le_bytes()[..], &[b'n'; 60]].concat();
    let tight = {
        let mut parts = good_gguf();
        parts.tensors[1] = tensor("second", &[2, 2], TYPE_F32, 20); // as if the alignment were 1
        parts.bytes()
    };
    let overflow = {
        let mut parts = good_gguf();
        let huge = 0x7FFF_FFFF_FFFF_FFC0;
        parts.tensors[0] = tensor("first", &[huge], TYPE_I8, 0);
        parts.tensors[1] = tensor("second", &[huge], TYPE_I8, huge);
        parts.bytes()
    };
    let aligned = good_gguf().with_kv(kv("general.alignment", U32, &4096u32.to_le_bytes()));
    vec![
        ("name of 2^63 bytes", one(long_name), "length of the name of tensor 0"),
        ("name of 65 bytes", one(tensor(&"n".repeat(65), &[1], TYPE_F32, 0)), "at most 64"),
        ("empty name", one(tensor("", &[1], TYPE_F32, 0)), "name of tensor 0 is empty"),
        ("five dimensions", one(five_dims), "5 dimensions"),
        ("2^32-1 dimensions", one(all_dims), "4294967295 dimensions"),
        ("zero dimension", shape(&[2, 0], TYPE_F32), "dimension 1 is zero (tensor 'bad.tensor')"),
        ("dimension of -1", shape(&[u64::MAX], TYPE_F32), "dimension 0 is 18446744073709551615"),
        ("dimension of 2^63", shape(&[1 << 63], TYPE_F32), "more than can be counted"),
        (
            "elements overflow",
            shape(&[1 << 32, 1 << 32], TYPE_I8),
            "more elements than can be counted",
        ),
        ("elements overflow i64", shape(&[1 << 32, 1 << 31], TYPE_I8), "more elements"),
        ("bytes overflow", shape(&[1 << 62], TYPE_I64), "more bytes than can be counted"),
        ("rows not whole blocks", shape(&[128, 2], TYPE_Q4_K), "Q4_K comes in blocks of 256"),
        ("type 999", shape(&[1], 999), "unknown tensor type 999"),
        ("type -1", shape(&[1], u32::MAX), "unknown tensor type 4294967295"),
        ("withdrawn type", shape(&[32], 4), "unknown tensor type 4"),
        ("duplicate name", second("first", 32), "the tensor appears twice (tensor 'first')"),
        (
            "offset misaligned",
            second("second", 33),
            "offset 33 is not a multiple of the alignment 32",
        ),
        (
            "offset overlaps",
            second("second", 0),
            "offset is 0, but the tensors before it end at 32",
        ),
        ("offset leaves a gap", second("second", 64), "offset is 64"),
        ("offset past the end", second("second", 1 << 40), "offset is 1099511627776"),
        ("offset wraps", second("second", u64::MAX - 31), "offset is 18446744073709551584"),
        ("offsets of another alignment", tight, "offset 20 is not a multiple"),
        ("sizes add up to 2^64", overflow, "reach past the end of the file"),
        ("alignment moves the data out", aligned.bytes(), "starts at byte 4096"),
        (
            "first tensor larger than the file",
            shape(&[1 << 40], TYPE_F32),
            "its 4398046511104 bytes",
        ),
        ("no data at all", good_gguf().header(), "reach past the end"),
        ("last byte missing", cut(1), "(tensor 'second')"),
        ("description cut off", good_gguf().header()[..210].to_vec(), "the file ends inside"),
    ]
}

/// The good file without its last `n` bytes.
fn cut(n: usize) -> Vec<u8> {
    let mut bytes = good_gguf().bytes();
    bytes.truncate(bytes.len() - n);
    bytes
}

#[test]
fn bad_gguf_files_are_refused_with_path_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.gguf");
    let rows = [gguf_header_rows(), gguf_metadata_rows(), gguf_tensor_rows()].concat();
    assert!(rows.len() >= 70, "{} rows", rows.len());
    for (name, bytes, fragment) in rows {
        write(&path, &bytes);
        assert_refused(name, &path, fragment, Gguf::open);
        assert_refused(name, &path, fragment, |p| Gguf::from_bytes(p, bytes.clone()));
    }
    write(&path, &good_gguf().bytes());
    let good = Gguf::open(&path).unwrap();
    assert_eq!(good.tensor("second").unwrap().shape, [2, 2]);
    let aligned = Parts { alignment: 1, data: 36, ..good_gguf() }.with_kv(kv(
        "general.alignment",
        U32,
        &1u32.to_le_bytes(),
    ));
    let mut aligned = aligned;
    aligned.tensors[1] = tensor("second", &[2, 2], TYPE_F32, 20);
    Gguf::from_bytes(&path, aligned.bytes()).unwrap();
}

#[test]
fn every_prefix_of_a_gguf_file_is_refused() {
    let bytes = good_gguf().bytes();
    for n in 0..bytes.len() {
        let result = Gguf::from_bytes(Path::new("prefix.gguf"), bytes[..n].to_vec());
        assert!(result.is_err(), "{n} of {} bytes were accepted", bytes.len());
    }
}

#[test]
fn a_changed_byte_never_panics_and_what_opens_can_be_read() {
    let bytes = good_gguf().bytes();
    for i in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[i] = value;
            let Ok(gguf) = Gguf::from_bytes(Path::new("changed.gguf"), changed) else { continue };
            assert!(gguf.tensors().all(|t| t.data.len() <= bytes.len()));
            assert!(gguf.metadata().all(|(_, v)| !v.to_string().is_empty()));
        }
    }
}

// ---- safetensors -------------------------------------------------------------------------------

fn st_bytes(json: &str, data: usize) -> Vec<u8> {
    st_raw(json.as_bytes(), data)
}

fn st_raw(json: &[u8], data: usize) -> Vec<u8> {
    let mut out = (json.len() as u64).to_le_bytes().to_vec();
    out.extend(json);
    out.resize(out.len() + data, 7);
    out
}

const GOOD: &str = concat!(
    r#"{"__metadata__":{"format":"pt"},"#,
    r#""a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"#,
    r#""b":{"dtype":"U8","shape":[3],"data_offsets":[16,19]}}"#,
);

/// The good header with `from` replaced by `to`.
fn swap(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(GOOD.matches(from).count(), 1, "{from}");
    st_bytes(&GOOD.replace(from, to), 19)
}

fn header_len(n: u64) -> Vec<u8> {
    let mut bytes = st_bytes(GOOD, 19);
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    bytes
}

fn st_header_rows() -> Vec<Row> {
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let deep_metadata =
        format!(r#"{{"__metadata__":{}1{}}}"#, r#"{"a":"#.repeat(50_000), "}".repeat(50_000));
    let deep_shape =
        GOOD.replace("[2,2]", &format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)));
    let many_dims = format!("[{}1]", "1,".repeat(64));
    let mut not_utf8 = GOOD.as_bytes().to_vec();
    let a = GOOD.find(r#""a""#).unwrap() + 1;
    not_utf8[a] = 0xff;
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(1_000_000));
    vec![
        ("empty file", vec![], "the file is empty"),
        ("seven bytes", vec![1; 7], "has 7 bytes"),
        ("header longer than the file", header_len(1000), "claims 1000 bytes, but only"),
        ("header over 100 MB", header_len(100_000_001), "at most 100000000"),
        ("header of 2^64-1 bytes", header_len(u64::MAX), "claims 18446744073709551615 bytes"),
        ("header of 0 bytes", header_len(0), "does not begin with '{'"),
        ("header cut short", header_len(60), "is not valid: EOF"),
        ("header with spaces first", st_bytes(&format!(" {GOOD}"), 19), "does not begin with '{'"),
        (
            "header with a byte order mark",
            st_bytes(&format!("\u{feff}{GOOD}"), 19),
            "does not begin",
        ),
        ("text after the header", st_bytes(&format!("{GOOD}x"), 19), "trailing characters"),
        ("not an object", st_bytes("{]", 0), "is not valid"),
        ("not UTF-8", st_raw(&not_utf8, 19), "is not valid"),
        ("deep nesting", st_bytes(&deep, 0), "header entry 'a' is not valid"),
        ("deep metadata", st_bytes(&deep_metadata, 0), "'__metadata__' is not valid"),
        ("deep shape", st_bytes(&deep_shape, 19), "header entry 'a' is not valid"),
        ("65 dimensions", swap("[2,2]", &many_dims), "more than 64 numbers"),
        (
            "a long string for a tensor",
            st_bytes(&long, 0),
            "header entry 'a' is not valid: invalid type",
        ),
        ("duplicate tensor", swap(r#""b""#, r#""a""#), "the key appears twice"),
        ("duplicate by escape", swap(r#""b""#, r#""\u0061""#), "the key appears twice"),
        (
            "duplicate field",
            swap(r#""dtype":"U8""#, r#""dtype":"U8","dtype":"I8""#),
            "the field 'dtype' appears twice",
        ),
        (
            "duplicate metadata key",
            swap(r#""format":"pt""#, r#""format":"pt","format":"np""#),
            "the key 'format' appears twice",
        ),
        (
            "metadata twice",
            swap(r#","a""#, r#","__metadata__":{},"a""#),
            "'__metadata__' is not valid: the key appears twice",
        ),
        ("metadata not text", swap(r#""pt""#, "1"), "'__metadata__' is not valid"),
        (
            "tensor called like metadata",
            swap(r#""b""#, r#""__metadata__""#),
            "the key appears twice",
        ),
        ("zip", b"PK\x03\x04\x14\0\0\0archive/data.pkl".to_vec(), "a zip archive"),
        ("pickle", b"\x80\x04\x95\x10\x20\x30\x40\x50cmodel".to_vec(), "a Python pickle"),
        ("GGUF", good_gguf().bytes(), "a GGUF file"),
        ("LFS pointer", b"version https://git-lfs.github.com/spec/v1\n".to_vec(), "Git LFS"),
        ("web page", b"<html><head></head></html>".to_vec(), "a web page"),
    ]
}

fn st_tensor_rows() -> Vec<Row> {
    let max = u64::MAX.to_string();
    vec![
        ("unknown dtype", swap("U8", "Q4_0"), "unknown dtype 'Q4_0'"),
        ("unknown field", swap(r#""dtype":"U8""#, r#""dtype":"U8","x":1"#), "unknown field 'x'"),
        ("missing field", swap(r#""dtype":"U8","#, ""), "missing field `dtype`"),
        (
            "tensor is a list",
            swap(r#"{"dtype":"U8","shape":[3],"data_offsets":[16,19]}"#, "[]"),
            "entry 'b'",
        ),
        ("negative dimension", swap("[3]", "[-3]"), "entry 'b' is not valid"),
        ("fractional dimension", swap("[3]", "[3.0]"), "entry 'b' is not valid"),
        ("dimension of 2^64", swap("[3]", "[18446744073709551616]"), "entry 'b' is not valid"),
        ("elements overflow", swap("[3]", &format!("[{max},{max}]")), "that can be counted"),
        ("bytes overflow", swap("[2,2]", &format!("[{max}]")), "that can be counted"),
        ("shape too large", swap("[3]", "[4]"), "span 3 bytes, but U8 [4] takes 4"),
        ("shape too small", swap("[2,2]", "[2]"), "span 16 bytes, but F32 [2] takes 8"),
        ("zero dimension with data", swap("[3]", "[0]"), "takes 0"),
        (
            "part of a byte",
            swap(r#""U8","shape":[3]"#, r#""F4","shape":[3]"#),
            "no size in whole bytes",
        ),
        ("offsets reversed", swap("[16,19]", "[19,16]"), "end before they begin"),
        ("one offset", swap("[16,19]", "[16]"), "1 numbers instead of 2"),
        ("three offsets", swap("[16,19]", "[16,19,20]"), "more than 2 numbers"),
        ("offsets past the end", swap("[16,19]", "[17,20]"), "reaches past the 19 bytes"),
        ("offset near 2^64", swap("[16,19]", &format!("[{},{max}]", u64::MAX - 3)), "reaches past"),
        ("overlap", swap("[16,19]", "[15,18]"), "overlaps that of 'a'"),
        (
            "same data twice",
            swap(
                r#""U8","shape":[3],"data_offsets":[16,19]"#,
                r#""F32","shape":[4],"data_offsets":[0,16]"#,
            ),
            "overlaps",
        ),
        ("hole before the first", swap("[0,16]", "[1,17]"), "the 1 bytes before its data"),
        (
            "hole between",
            st_bytes(&GOOD.replace("[16,19]", "[17,20]"), 20),
            "the 1 bytes before its data belong to no tensor (tensor 'b')",
        ),
        (
            "data after the last",
            st_bytes(GOOD, 20),
            "20 bytes of data, but its tensors take only 19",
        ),
        ("no tensors but data", st_bytes("{}", 1), "tensors take only 0"),
        ("data missing", st_bytes(GOOD, 18), "reaches past the 18 bytes"),
        ("no data", st_bytes(GOOD, 0), "reaches past the 0 bytes"),
    ]
}

#[test]
fn bad_safetensors_files_are_refused_with_path_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.safetensors");
    let rows = [st_header_rows(), st_tensor_rows()].concat();
    assert!(rows.len() >= 50, "{} rows", rows.len());
    for (name, bytes, fragment) in rows {
        write(&path, &bytes);
        assert_refused(name, &path, fragment, SafeTensors::open);
    }
    write(&path, &st_bytes(GOOD, 19));
    assert_eq!(SafeTensors::open(&path).unwrap().tensor("b").unwrap().data, [7; 3]);
    write(&path, &st_bytes("{}      ", 0));
    assert_eq!(SafeTensors::open(&path).unwrap().n_tensors(), 0);
}

#[test]
fn every_prefix_of_a_safetensors_file_is_refused() {
    let bytes = st_bytes(GOOD, 19);
    for n in 0..bytes.len() {
        let result = SafeTensors::from_bytes(Path::new("prefix.safetensors"), bytes[..n].to_vec());
        assert!(result.is_err(), "{n} of {} bytes were accepted", bytes.len());
    }
}

// ---- names, folders and indexes ----------------------------------------------------------------

#[test]
fn pickled_weights_are_refused_by_type_with_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["m.pt", "m.pth", "m.bin", "M.CKPT", "m.pkl", "m.h5", "m.onnx"] {
        let path = dir.path().join(name);
        write(&path, &st_bytes(GOOD, 19)); // even good content does not help
        assert_refused(name, &path, "not load", SafeTensors::open);
        assert_refused(name, &path, "not load", Gguf::open);
        let hint = SafeTensors::open(&path).unwrap_err().hint().unwrap();
        assert!(hint.contains("safetensors and GGUF only"), "{hint}");
    }
}

#[test]
fn what_is_not_a_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("none.gguf");
    assert_refused("missing", &missing, "opening failed", Gguf::open);
    assert_refused("missing", &missing, "opening failed", SafeTensors::open);
    assert_refused("folder", dir.path(), "is a folder", Gguf::open);
    #[cfg(unix)]
    assert_refused("device", Path::new("/dev/zero"), "not a regular file", Gguf::open);
    assert_refused("empty folder", dir.path(), "holds no weights", SafeTensors::open);
}

/// A folder with one good shard `s.safetensors` and the given index.
fn indexed(dir: &Path, index: &str) -> PathBuf {
    write(&dir.join("s.safetensors"), &st_bytes(GOOD, 19));
    write(&dir.join("model.safetensors.index.json"), index.as_bytes());
    dir.join("model.safetensors.index.json")
}

#[test]
fn a_bad_index_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let other = r#"{"c":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
    write(&dir.path().join("t.safetensors"), &st_bytes(other, 1));
    let clash = r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
    write(&dir.path().join("u.safetensors"), &st_bytes(clash, 1));
    let map = |map: &str| format!(r#"{{"metadata":{{"total_size":19}},"weight_map":{{{map}}}}}"#);
    let good = r#""a":"s.safetensors","b":"s.safetensors""#;
    let not_a_name = "is not the name of a .safetensors file";
    let rows = [
        ("not JSON", "weights".to_owned(), "the index is not valid"),
        ("no map", "{}".to_owned(), "missing field `weight_map`"),
        ("map twice", r#"{"weight_map":{},"weight_map":{}}"#.to_owned(), "appears twice"),
        ("a list", "[]".to_owned(), "the index is not valid"),
        ("deep", format!(r#"{{"metadata":{}"#, "[".repeat(100_000)), "the index is not valid"),
        ("name twice", map(&format!(r#"{good},"a":"s.safetensors""#)), "'a' appears twice"),
        ("parent", map(r#""a":"../s.safetensors""#), not_a_name),
        ("absolute", map(r#""a":"/etc/s.safetensors""#), not_a_name),
        ("subfolder", map(r#""a":"d/s.safetensors""#), not_a_name),
        ("backslash", map(r#""a":"d\\s.safetensors""#), not_a_name),
        ("drive", map(r#""a":"c:s.safetensors""#), not_a_name),
        ("hidden", map(r#""a":".s.safetensors""#), not_a_name),
        ("pickle", map(r#""a":"pytorch_model.bin""#), not_a_name),
        ("zero byte", map(r#""a":"s\u0000.safetensors""#), not_a_name),
        (
            "wrong shard",
            map(r#""a":"t.safetensors","b":"s.safetensors","c":"t.safetensors""#),
            "does not hold it (tensor 'a')",
        ),
        (
            "absent tensor",
            map(&format!(r#"{good},"z":"s.safetensors""#)),
            "does not hold it (tensor 'z')",
        ),
        ("unlisted tensor", map(r#""a":"s.safetensors""#), "does not list it (tensor 'b')"),
    ];
    for (name, index, fragment) in rows {
        let path = indexed(dir.path(), &index);
        assert_refused(name, &path, fragment, |_| SafeTensors::open(dir.path()));
        assert_refused(name, &path, fragment, SafeTensors::open);
    }
    indexed(dir.path(), &map(r#""a":"none.safetensors""#));
    let none = dir.path().join("none.safetensors");
    assert_refused("missing shard", &none, "opening failed", |_| SafeTensors::open(dir.path()));
    indexed(dir.path(), &map(&format!(r#"{good},"a2":"u.safetensors""#)));
    assert_refused("tensor in two shards", dir.path(), "in two files", SafeTensors::open);
    indexed(dir.path(), &map(good));
    assert_eq!(SafeTensors::open(dir.path()).unwrap().n_tensors(), 2);
}

#[test]
fn a_folder_without_usable_weights_says_what_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("pytorch_model.bin"), b"\x80\x02");
    let bin = dir.path().join("pytorch_model.bin");
    assert_refused("pickle", &bin, "pickled or raw", |_| SafeTensors::open(dir.path()));
    write(&dir.path().join("a.safetensors"), &st_bytes(GOOD, 19));
    SafeTensors::open(dir.path()).unwrap();
    write(&dir.path().join("b.safetensors"), &st_bytes(GOOD, 19));
    assert_refused("two", dir.path(), "2 .safetensors files but no", SafeTensors::open);
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("m.gguf"), &good_gguf().bytes());
    assert_refused("gguf", dir.path(), "a folder of GGUF files", SafeTensors::open);
}

// ---- seeds for the fuzzers ---------------------------------------------------------------------

/// A GGUF file with every kind of value and several types of tensors.
fn rich_gguf(dir: &Path) -> Vec<u8> {
    use psi_store::gguf::{Value, Writer};
    use psi_store::{DType, TensorSpec};
    let mut w = Writer::new();
    w.put_str("s", "text").put_bool("b", true).put("f", Value::F64(0.5)).put_f32("g", 1.0);
    w.put("i", Value::I8(-1)).put("j", Value::I16(-1)).put("k", Value::I64(-1)).put_u32("l", 1);
    w.put_strs("ss", &["a", "b"])
        .put_bools("bs", &[true])
        .put_f32s("fs", &[0.5])
        .put_i32s("is", &[1]);
    w.put_u8s("us", &[1, 2]).put_i16s("js", &[1]).put_u64s("ks", &[1]).put_f64s("gs", &[1.0]);
    for dtype in [DType::F16, DType::Q4_0, DType::Mxfp4, DType::I64] {
        w.add(TensorSpec::new(dtype.name(), dtype, &[2, dtype.block_len()]));
    }
    let path = dir.join("rich.gguf");
    let mut sink = w.create(&path).unwrap();
    for dtype in [DType::F16, DType::Q4_0, DType::Mxfp4, DType::I64] {
        sink.write(dtype.name(), &vec![1; 2 * dtype.block_bytes()]).unwrap();
    }
    sink.finish().unwrap();
    fs::read(path).unwrap()
}

/// Files above 64 KiB teach a fuzzer nothing that small ones do not.
const MAX_SEED: usize = 64 << 10;

#[test]
fn the_fuzzers_start_from_these_files() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let tmp = tempfile::tempdir().unwrap();
    let good = [("good", good_gguf().bytes(), ""), ("rich", rich_gguf(tmp.path()), "")];
    let gguf = [gguf_header_rows(), gguf_metadata_rows(), gguf_tensor_rows(), good.to_vec()];
    let st = [st_header_rows(), st_tensor_rows(), vec![("good", st_bytes(GOOD, 19), "")]];
    for (target, rows) in [("gguf", gguf.concat()), ("safetensors", st.concat())] {
        let dir = corpus.join(target);
        if let Err(e) = fs::create_dir_all(&dir) {
            eprintln!("skipped: cannot create {}: {e}", dir.display());
            return;
        }
        for (name, bytes, _) in rows.iter().filter(|(_, bytes, _)| bytes.len() <= MAX_SEED) {
            let file = format!("seed-{}", name.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
            write(&dir.join(file), bytes);
        }
        assert!(fs::read_dir(&dir).unwrap().count() > 40);
    }
}
