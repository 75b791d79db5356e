//! Round trips of both formats, and the same files seen by psi and by the reference packages.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use psi_store::gguf::{Kind, Value, Writer};
use psi_store::{ContentHash, DType, Gguf, SafeTensors, TensorSpec, safetensors};
use psi_testkit::shared_data;
use serde_json::{Map, Value as Json, json};

/// Runs reference.py with the `python3` on the path, if that has the packages.
fn reference(args: &[&Path], mode: &str) -> Option<Vec<Json>> {
    let python = psi_testkit::python(&["gguf", "safetensors", "numpy"])?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference.py");
    let out = Command::new(python).arg(script).arg(mode).args(args).output().unwrap();
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "reference.py {mode} failed: {stderr}");
    let text = String::from_utf8(out.stdout).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn tensor_json(name: &str, shape: &[usize], data: &[u8]) -> Json {
    json!([name, shape, ContentHash::of_bytes(data).to_string()])
}

/// What reference.py prints for a safetensors file.
fn describe_safetensors(path: &Path) -> Json {
    let st = SafeTensors::open(path).unwrap();
    let tensors: Map<String, Json> = st
        .tensors()
        .map(|t| (t.name.into(), tensor_json(t.dtype.safetensors_name().unwrap(), t.shape, t.data)))
        .collect();
    json!({ "metadata": st.metadata(), "tensors": tensors })
}

/// Python's `repr` of a number or string, as reference.py hashes array elements.
fn python_repr(v: &Value<'_>) -> String {
    match v {
        Value::F32(x) => python_float(f64::from(*x)),
        Value::F64(x) => python_float(*x),
        Value::Bool(b) => if *b { "True" } else { "False" }.into(),
        other => other.to_string(),
    }
}

fn python_float(x: f64) -> String {
    let abs = x.abs();
    if abs != 0.0 && !(1e-4..1e16).contains(&abs) {
        // Python: 1e-05, 1e+16; Rust: 1e-5, 1e16
        let text = format!("{x:e}");
        let (mantissa, exp) = text.split_once('e').unwrap();
        let (sign, digits) = match exp.strip_prefix('-') {
            Some(d) => ('-', d),
            None => ('+', exp),
        };
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    format!("{x:?}")
}

fn python_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::U8 => "UINT8",
        Kind::I8 => "INT8",
        Kind::U16 => "UINT16",
        Kind::I16 => "INT16",
        Kind::U32 => "UINT32",
        Kind::I32 => "INT32",
        Kind::F32 => "FLOAT32",
        Kind::Bool => "BOOL",
        Kind::Str => "STRING",
        Kind::Array => "ARRAY",
        Kind::U64 => "UINT64",
        Kind::I64 => "INT64",
        Kind::F64 => "FLOAT64",
    }
}

/// What reference.py prints for a GGUF file.
fn describe_gguf(path: &Path) -> Json {
    let gguf = Gguf::open(path).unwrap();
    let metadata: Map<String, Json> = gguf
        .metadata()
        .map(|(key, value)| {
            let seen = match value {
                Value::Array(a) => {
                    let items: Vec<String> = match a.strings() {
                        Some(s) => s.map(|b| String::from_utf8_lossy(b).into_owned()).collect(),
                        None => a.values().unwrap().map(|v| python_repr(&v)).collect(),
                    };
                    let hash = ContentHash::of_bytes(items.join("\0").as_bytes()).to_string();
                    // The package reports no element type for an empty array.
                    json!([python_kind(a.kind()), a.len(), hash])
                }
                Value::Str(s) => json!(["STRING", s]),
                Value::Bool(b) => json!(["BOOL", b]),
                v => json!([python_kind(v.kind()), python_repr(&v)]),
            };
            (key.to_owned(), seen)
        })
        .collect();
    let tensors: Map<String, Json> = gguf
        .tensors()
        .map(|t| (t.name.into(), tensor_json(t.dtype.name(), t.shape, t.data)))
        .collect();
    json!({ "version": gguf.version(), "metadata": metadata, "tensors": tensors })
}

/// Compares two descriptions piece by piece, so that a failure is readable.
fn assert_same(path: &Path, ours: &Json, theirs: &Json) {
    for part in ["version", "metadata", "tensors"] {
        let (a, b) = (&ours[part], &theirs[part]);
        if let (Some(a), Some(b)) = (a.as_object(), b.as_object()) {
            for (key, value) in b {
                assert_eq!(a.get(key), Some(value), "{}: {part} {key}", path.display());
            }
            assert_eq!(a.len(), b.len(), "{}: number of {part}", path.display());
        } else {
            assert_eq!(a, b, "{}: {part}", path.display());
        }
    }
}

#[test]
fn the_shared_models_read_as_the_reference_packages_read_them() {
    let Some(models) = shared_data().map(|d| d.join("models/stories260K")) else { return };
    let st = models.join("hf/model.safetensors");
    let gguf = models.join("stories260K-f32.gguf");
    // Known without any package: 47 tensors, 260,032 parameters.
    let open = SafeTensors::open(&models.join("hf")).unwrap();
    assert_eq!(open.tensor("model.embed_tokens.weight").unwrap().shape, [512, 64]);
    assert_eq!(open.tensors().map(|t| t.n_elements()).sum::<usize>(), 260_032);
    let open = Gguf::open(&gguf).unwrap();
    assert_eq!(open.n_tensors(), 47);
    assert_eq!(open.get_str("general.architecture").unwrap(), "llama");
    assert_eq!(open.get_u32("llama.block_count").unwrap(), 5);
    assert_eq!(open.get_strs("tokenizer.ggml.tokens").unwrap().len(), 512);
    assert_eq!(open.tensor("token_embd.weight").unwrap().shape, [512, 64]);

    let Some(seen) = reference(&[&st, &gguf], "read") else { return };
    assert_same(&st, &describe_safetensors(&st), &seen[0]);
    assert_same(&gguf, &describe_gguf(&gguf), &seen[1]);
}

#[test]
fn the_same_weights_lie_in_both_shared_files() {
    let Some(models) = shared_data().map(|d| d.join("models/stories260K")) else { return };
    let st = SafeTensors::open(&models.join("hf")).unwrap();
    let gguf = Gguf::open(&models.join("stories260K-f32.gguf")).unwrap();
    for (hf, ggml) in [
        ("model.embed_tokens.weight", "token_embd.weight"),
        ("model.norm.weight", "output_norm.weight"),
        ("model.layers.4.mlp.down_proj.weight", "blk.4.ffn_down.weight"),
        ("model.layers.0.self_attn.v_proj.weight", "blk.0.attn_v.weight"),
    ] {
        let (a, b) = (st.require(hf).unwrap(), gguf.require(ggml).unwrap());
        assert_eq!((a.shape, a.data), (b.shape, b.data), "{hf}");
    }
    let hint = st.require("model.embed_token.weight").unwrap_err().hint().unwrap();
    assert!(hint.contains("model.embed_tokens.weight"), "{hint}");
}

#[test]
fn the_shared_vocabularies_read_as_the_gguf_package_reads_them() {
    let Some(dir) = shared_data().map(|d| d.join("tokenizers/ggml-vocab")) else { return };
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "gguf"));
    files.sort_by_key(|p| std::fs::metadata(p).unwrap().len());
    assert!(files.len() >= 10, "{files:?}");
    for file in &files {
        let gguf = Gguf::open(file).unwrap();
        let n = gguf.get_array("tokenizer.ggml.tokens").unwrap().len();
        assert!(n > 10_000, "{}: {n} tokens", file.display());
        assert_eq!(gguf.get_strings("tokenizer.ggml.tokens").unwrap().count(), n);
    }
    // The package takes seconds per file: the four smallest have one of each kind of tokenizer.
    let args: Vec<&Path> = files.iter().take(4).map(PathBuf::as_path).collect();
    let Some(seen) = reference(&args, "read") else { return };
    for (file, theirs) in files.iter().zip(&seen) {
        assert_same(file, &describe_gguf(file), theirs);
    }
}

#[test]
fn files_written_by_the_reference_packages_open() {
    let dir = tempfile::tempdir().unwrap();
    if reference(&[dir.path()], "write").is_none() {
        return;
    }
    let (st, gguf) = (dir.path().join("np.safetensors"), dir.path().join("v3.gguf"));
    let seen = reference(&[&st, &gguf], "read").unwrap();
    assert_same(&st, &describe_safetensors(&st), &seen[0]);
    assert_same(&gguf, &describe_gguf(&gguf), &seen[1]);
    let gguf = Gguf::open(&gguf).unwrap();
    assert_eq!(gguf.alignment(), 64);
    assert_eq!(gguf.get("t.u64"), Some(Value::U64(u64::MAX)));
    assert_eq!(gguf.get("t.i64"), Some(Value::I64(i64::MIN)));
    assert_eq!(gguf.tensor("w.Q8_0").unwrap().shape, [3, 512]);
}

#[test]
fn the_manual_lists_every_type_with_its_numbers() {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats.md");
    let manual = std::fs::read_to_string(manual).unwrap();
    for &d in DType::ALL {
        let id = d.ggml_id().map_or("-".into(), |id| id.to_string());
        let st = if d.safetensors_name().is_some() { "yes" } else { "-" };
        let row = format!("| {d} | {id} | {st} | {} | {} |", d.block_len(), d.block_bytes());
        assert!(manual.lines().any(|line| line.starts_with(&row)), "docs/formats.md lacks '{row}'");
    }
}

/// Bytes that differ from tensor to tensor.
fn pattern(n: usize, seed: u8) -> Vec<u8> {
    (0..n).map(|i| (i as u8).wrapping_mul(31).wrapping_add(seed)).collect()
}

/// Writes one tensor of every GGML type and metadata of every kind.
fn write_everything(path: &Path, version_2: bool) -> Vec<(TensorSpec, Vec<u8>)> {
    let mut w = Writer::new();
    if version_2 {
        w.version_2();
    }
    w.put_str("general.architecture", "llama").put("general.alignment", Value::U32(128));
    w.put("k.u8", Value::U8(255)).put("k.i8", Value::I8(-128));
    w.put("k.u16", Value::U16(65535)).put("k.i16", Value::I16(-32768));
    w.put_u32("k.u32", u32::MAX).put("k.i32", Value::I32(i32::MIN));
    w.put("k.u64", Value::U64(u64::MAX)).put("k.i64", Value::I64(i64::MIN));
    w.put_f32("k.f32", 1e-5).put("k.f64", Value::F64(-1.0 / 3.0)).put_bool("k.bool", true);
    w.put_str("k.str", "héllo\nworld").put_str("k.empty", "");
    w.put_strs("a.strs", &["a", "", "ß"]).put_bools("a.bools", &[true, false]);
    w.put_u8s("a.u8", &[1, 2]).put_i8s("a.i8", &[-1]).put_u16s("a.u16", &[7, 8, 9]);
    w.put_i16s("a.i16", &[-7]).put_u32s("a.u32", &[1 << 31]).put_i32s("a.i32", &[-5, 5]);
    w.put_u64s("a.u64", &[u64::MAX]).put_i64s("a.i64", &[i64::MIN]);
    w.put_f32s("a.f32", &[0.5, -2.0]).put_f64s("a.f64", &[1e300]);
    let mut tensors = Vec::new();
    // Q2_0 is newer than the reference package.
    let known = |d: &&DType| d.ggml_id().is_some() && **d != DType::Q2_0;
    for &dtype in DType::ALL.iter().filter(known) {
        let spec = TensorSpec::new(&format!("t.{dtype}"), dtype, &[3, 2 * dtype.block_len()]);
        let data = pattern(spec.n_bytes().unwrap(), dtype.ggml_id().unwrap() as u8);
        w.add(spec.clone());
        tensors.push((spec, data));
    }
    let mut sink = w.create(path).unwrap();
    // In another order than announced.
    for (spec, data) in tensors.iter().rev() {
        sink.write(&spec.name, data).unwrap();
    }
    assert_eq!(sink.finish().unwrap(), [path]);
    tensors
}

#[test]
fn a_gguf_file_of_every_type_reads_back_in_both_versions() {
    let dir = tempfile::tempdir().unwrap();
    for version in [2, 3] {
        let path = dir.path().join(format!("v{version}.gguf"));
        let tensors = write_everything(&path, version == 2);
        let gguf = Gguf::open(&path).unwrap();
        assert_eq!((gguf.version(), gguf.alignment()), (version, 128));
        assert!(gguf.names().eq(tensors.iter().map(|(spec, _)| spec.name.as_str())));
        for (spec, data) in &tensors {
            let t = gguf.require(&spec.name).unwrap();
            assert_eq!((t.spec(), t.data), (spec.clone(), data.as_slice()));
        }
        assert_eq!(gguf.get_strs("a.strs").unwrap(), ["a", "", "ß"]);
        assert_eq!(gguf.get_f32s("a.f64").unwrap(), [f32::INFINITY]);
        assert_eq!(gguf.get_i64s("a.i64").unwrap(), [i64::MIN]);
        assert_eq!(gguf.opt_u64_or_array("a.u64").unwrap(), Some(vec![u64::MAX]));
        assert_eq!(gguf.opt_u64_or_array("k.u8").unwrap(), Some(vec![255]));
    }
}

#[test]
fn the_gguf_package_reads_what_psi_writes() {
    let dir = tempfile::tempdir().unwrap();
    let (v2, v3) = (dir.path().join("v2.gguf"), dir.path().join("v3.gguf"));
    write_everything(&v2, true);
    write_everything(&v3, false);
    let Some(seen) = reference(&[&v2, &v3], "read") else { return };
    assert_same(&v2, &describe_gguf(&v2), &seen[0]);
    assert_same(&v3, &describe_gguf(&v3), &seen[1]);
}

#[test]
fn a_wrong_or_missing_key_is_an_error_that_names_it_and_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.gguf");
    write_everything(&path, false);
    let gguf = Gguf::open(&path).unwrap();
    let missing = gguf.get_u64("llama.block_count").unwrap_err().to_string();
    assert!(missing.contains("m.gguf") && missing.contains("'llama.block_count' is missing"));
    for (err, expected, found) in [
        (gguf.get_u64("k.str").unwrap_err(), "an integer of at least 0", "string \"héllo"),
        (gguf.get_u64("k.i8").unwrap_err(), "an integer of at least 0", "i8 -128"),
        (gguf.get_u32("k.u64").unwrap_err(), "an integer from 0 to", "u64 18446744073709551615"),
        (gguf.get_f32("k.u32").unwrap_err(), "a float", "u32 4294967295"),
        (gguf.get_bool("k.u8").unwrap_err(), "a bool", "u8 255"),
        (gguf.get_str("a.strs").unwrap_err(), "a string", "an array of 3 string"),
        (gguf.get_strs("a.u8").unwrap_err(), "an array of strings", "an array of 2 u8"),
        (gguf.get_i64s("a.u64").unwrap_err(), "an array of integers", "an array of 1 u64"),
    ] {
        let text = err.to_string();
        assert!(
            text.contains("m.gguf") && text.contains(expected) && text.contains(found),
            "{text}"
        );
    }
    assert_eq!(gguf.opt_str("no.such").unwrap(), None);
    assert!(gguf.opt_str("k.u8").is_err(), "present but wrong is not absent");
}

#[test]
fn the_safetensors_package_reads_what_psi_writes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    let mut w = safetensors::Writer::new();
    w.put("note", "ä \"quoted\" \\ text");
    let mut data = Vec::new();
    for (i, &dtype) in DType::ALL.iter().filter(|d| d.safetensors_name().is_some()).enumerate() {
        let spec = TensorSpec::new(&format!("t.{dtype}"), dtype, &[3, 4]);
        data.push((spec.name.clone(), pattern(spec.n_bytes().unwrap(), i as u8)));
        w.add(spec);
    }
    w.add(TensorSpec::new("scalar", DType::F32, &[]));
    w.add(TensorSpec::new("empty", DType::F32, &[0, 7]));
    data.push(("scalar".into(), vec![1, 2, 3, 4]));
    data.push(("empty".into(), Vec::new()));
    let mut sink = w.create(&path).unwrap();
    for (name, bytes) in &data {
        sink.write_with(name, &mut |out| bytes.chunks(5).try_for_each(|c| out.write_all(c)))
            .unwrap();
    }
    sink.finish().unwrap();
    let st = SafeTensors::open(&path).unwrap();
    for (name, bytes) in &data {
        assert_eq!(st.require(name).unwrap().data, bytes.as_slice(), "{name}");
    }
    // C64 and the 4- and 6-bit types have no NumPy counterpart, but the package still lists them.
    let Some(seen) = reference(&[&path], "read") else { return };
    assert_same(&path, &describe_safetensors(&path), &seen[0]);
}

#[test]
fn a_sharded_checkpoint_reads_back_and_replaces_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let names = || {
        let mut v: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        v.sort();
        v
    };
    let save = |seed: u8, limit: u64| {
        let mut w = safetensors::Writer::new();
        (0..5).for_each(|i| {
            w.add(TensorSpec::new(&format!("t{i}"), DType::F32, &[10]));
        });
        let mut sink = w.create_sharded(dir, limit).unwrap();
        (0..5).rev().for_each(|i| sink.write(&format!("t{i}"), &pattern(40, seed + i)).unwrap());
        sink.finish().unwrap();
        let st = SafeTensors::open(dir).unwrap();
        assert_eq!(st.n_tensors(), 5);
        (0..5).for_each(|i| {
            assert_eq!(st.require(&format!("t{i}")).unwrap().data, pattern(40, seed + i));
        });
    };
    save(1, 1000);
    assert_eq!(names(), ["model.safetensors"]);
    save(2, 80);
    let index = "model.safetensors.index.json";
    let shard = |i, n| format!("model-{i:05}-of-{n:05}.safetensors");
    assert_eq!(names(), [&shard(1, 3), &shard(2, 3), &shard(3, 3), index]);
    save(3, 1); // smaller than a tensor: one each
    assert_eq!(names().len(), 6);
    SafeTensors::open(&dir.join(index)).unwrap();
    save(4, u64::MAX);
    assert_eq!(names(), ["model.safetensors"]);
}

#[test]
fn a_split_model_opens_from_its_first_file_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = |i| dir.path().join(format!("m-{i:05}-of-00003.gguf"));
    for i in 0..3u16 {
        let mut w = Writer::new();
        w.put("split.no", Value::U16(i)).put("split.count", Value::U16(3));
        w.put("split.tensors.count", Value::I32(3));
        if i == 0 {
            w.put_str("general.architecture", "llama");
        }
        let name = format!("t{i}");
        w.add(TensorSpec::new(&name, DType::F16, &[2, 2]));
        let mut sink = w.create(&path(i + 1)).unwrap();
        sink.write(&name, &pattern(8, i as u8)).unwrap();
        sink.finish().unwrap();
    }
    let gguf = Gguf::open(&path(1)).unwrap();
    assert_eq!(gguf.names().collect::<Vec<_>>(), ["t0", "t1", "t2"]);
    assert_eq!(gguf.require("t2").unwrap().data, pattern(8, 2));
    assert_eq!(gguf.paths().len(), 3);

    let err = Gguf::open(&path(2)).unwrap_err();
    assert!(err.hint().unwrap().contains("m-00001-of-00003.gguf"), "{err}");
    std::fs::remove_file(path(3)).unwrap();
    let err = Gguf::open(&path(1)).unwrap_err();
    assert_eq!(err.path(), Some(path(3).as_path()));
    std::fs::copy(path(2), path(3)).unwrap();
    let err = Gguf::open(&path(1)).unwrap_err().to_string();
    assert!(err.contains("00003-of-00003") && err.contains("should be 2"), "{err}");
}

#[test]
fn a_sink_insists_on_every_tensor_once_and_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    let start = || {
        let mut w = safetensors::Writer::new();
        w.add(TensorSpec::new("a", DType::U8, &[4])).add(TensorSpec::new("b", DType::U8, &[2]));
        w.create(&path).unwrap()
    };
    let mut sink = start();
    assert_eq!(sink.total_bytes(), 6);
    assert!(sink.write("a", &[0; 3]).unwrap_err().to_string().contains("3 bytes given, 4"));
    assert!(sink.write("c", &[]).unwrap_err().to_string().contains("not announced"));
    assert!(sink.write_with("a", &mut |w| w.write_all(&[0; 5])).is_err());
    assert!(sink.write_with("a", &mut |w| w.write_all(&[0; 3])).is_err());
    sink.write("a", &[1; 4]).unwrap();
    assert!(sink.write("a", &[1; 4]).unwrap_err().to_string().contains("twice"));
    let err = sink.finish().unwrap_err().to_string();
    assert!(err.contains("never written") && err.contains("'b'"), "{err}");
    drop(start());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing may be left behind");
}

#[test]
fn what_a_format_cannot_hold_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    let st = |spec: &TensorSpec| {
        let mut w = safetensors::Writer::new();
        w.add(spec.clone());
        w.create(&path).unwrap_err().to_string()
    };
    let gguf = |spec: &TensorSpec| {
        let mut w = Writer::new();
        w.add(spec.clone());
        w.create(&path).unwrap_err().to_string()
    };
    let spec = TensorSpec::new;
    assert!(st(&spec("q", DType::Q4K, &[256])).contains("no type Q4_K"));
    assert!(st(&spec("__metadata__", DType::F32, &[1])).contains("reserved"));
    assert!(st(&spec("odd", DType::F4, &[3])).contains("whole number"));
    assert!(gguf(&spec("u", DType::U8, &[1])).contains("no type U8"));
    assert!(gguf(&spec("q", DType::Q8_0, &[33])).contains("blocks of 32"));
    assert!(gguf(&spec("d", DType::F32, &[1, 1, 1, 1, 1])).contains("dimensions"));
    assert!(gguf(&spec("z", DType::F32, &[0])).contains("none zero"));
    assert!(gguf(&spec(&"n".repeat(64), DType::F32, &[1])).contains("63 bytes"));
    assert!(gguf(&spec("big", DType::F32, &[usize::MAX])).contains("whole number"));
    for (key, value) in [("", Value::U8(1)), ("general.alignment", Value::U32(3))] {
        assert!(Writer::new().put(key, value).check_error(&path), "{key}");
    }
    let twice = [spec("t", DType::F32, &[1]), spec("t", DType::F32, &[1])];
    let mut w = Writer::new();
    w.add(twice[0].clone()).add(twice[1].clone());
    assert!(w.create(&path).unwrap_err().to_string().contains("two tensors"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// `create` takes the writer by value; this lets a chained `&mut` be checked.
trait CheckError {
    fn check_error(&mut self, path: &Path) -> bool;
}

impl CheckError for Writer {
    fn check_error(&mut self, path: &Path) -> bool {
        std::mem::take(self).create(path).is_err()
    }
}

/// Names that are hard on JSON and file formats alike.
fn names() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::btree_set("[a-z\"\\\\/ é\n.]{1,12}", 0..6)
        .prop_map(|set| set.into_iter().collect())
}

fn plain_dtype() -> impl Strategy<Value = DType> {
    let both: Vec<DType> = DType::ALL
        .iter()
        .copied()
        .filter(|d| d.ggml_id().is_some() && d.safetensors_name().is_some())
        .collect();
    proptest::sample::select(both)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_tensors_and_metadata_survive_both_formats(
        names in names(),
        dtypes in proptest::collection::vec(plain_dtype(), 6),
        shapes in proptest::collection::vec(proptest::collection::vec(1usize..5, 0..4), 6),
        keys in names(),
        texts in proptest::collection::vec(".{0,20}", 6),
        numbers in proptest::collection::vec(any::<i64>(), 0..8),
        alignment in 0u32..10,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let specs: Vec<TensorSpec> = names.iter().zip(&dtypes).zip(&shapes)
            .map(|((n, d), s)| TensorSpec::new(n, *d, s)).collect();
        let data: Vec<Vec<u8>> = specs.iter().enumerate()
            .map(|(i, s)| pattern(s.n_bytes().unwrap(), i as u8)).collect();

        let path = dir.path().join("p.gguf");
        let mut w = Writer::new();
        w.put("general.alignment", Value::U32(1 << alignment));
        w.put_i64s("numbers", &numbers);
        for (k, t) in keys.iter().zip(&texts) {
            w.put_str(&format!("k{k}"), t);
        }
        specs.iter().for_each(|s| { w.add(s.clone()); });
        let mut sink = w.create(&path).unwrap();
        for (s, d) in specs.iter().zip(&data) {
            sink.write(&s.name, d).unwrap();
        }
        sink.finish().unwrap();
        let gguf = Gguf::open(&path).unwrap();
        prop_assert_eq!(gguf.get_i64s("numbers").unwrap(), numbers);
        for (k, t) in keys.iter().zip(&texts) {
            prop_assert_eq!(gguf.get_str(&format!("k{k}")).unwrap(), t);
        }

        let path = dir.path().join("p.safetensors");
        let metadata: Vec<(&str, &str)> =
            keys.iter().zip(&texts).map(|(k, t)| (k.as_str(), t.as_str())).collect();
        safetensors::write(&path, &mut gguf.tensors(), &metadata).unwrap();
        let st = SafeTensors::open(&path).unwrap();
        for (key, text) in metadata {
            prop_assert_eq!(st.metadata()[key].as_str(), text);
        }
        prop_assert_eq!(st.n_tensors(), specs.len());
        for (s, d) in specs.iter().zip(&data) {
            let (a, b) = (st.require(&s.name).unwrap(), gguf.require(&s.name).unwrap());
            prop_assert_eq!(a.spec(), s.clone());
            prop_assert_eq!(b.spec(), s.clone());
            prop_assert_eq!(a.data, d.as_slice());
            prop_assert_eq!(b.data, d.as_slice());
        }
    }
}
