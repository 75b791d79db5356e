//! `psi inspect`: what a checkpoint or GGUF file holds, without loading it.

use std::path::Path;

use psi_store::{Gguf, SafeTensors, TensorView};
use serde_json::{Value, json};

use crate::{
    cli::Inspect,
    error::{Failure, Outcome, unusable},
    model::{read, resolve},
    out::{out, outln},
    table::{bytes, columns, count, pairs},
};

/// Longest metadata text shown.
const MAX_TEXT: usize = 60;

pub(crate) fn run(args: &Inspect) -> Outcome {
    let path = resolve(&args.path)?;
    let is_gguf = path.is_file() && path.extension().is_some_and(|e| e == "gguf");
    let summary = if is_gguf { gguf(&path)? } else { safetensors(&path)? };
    if args.json {
        outln!("{:#}", summary.json(&path));
    } else {
        summary.print(&path, args.tensors);
    }
    Ok(())
}

/// What both formats have in common.
struct Summary {
    format: String,
    n_bytes: u64,
    metadata: Vec<(String, Value)>,
    tensors: Vec<Tensor>,
}

struct Tensor {
    name: String,
    dtype: &'static str,
    shape: Vec<usize>,
    n_elements: u64,
    n_bytes: u64,
}

impl Tensor {
    fn new(view: &TensorView<'_>) -> Self {
        Self {
            name: view.name.to_owned(),
            dtype: view.dtype.name(),
            shape: view.shape.to_vec(),
            n_elements: view.n_elements() as u64,
            n_bytes: view.data.len() as u64,
        }
    }
}

fn gguf(path: &Path) -> Outcome<Summary> {
    let file = Gguf::open(path).map_err(unusable)?;
    let metadata = file.metadata().map(|(key, value)| (key.to_owned(), value_json(&value)));
    Ok(Summary {
        format: format!("GGUF v{}", file.version()),
        n_bytes: file.n_bytes(),
        metadata: metadata.collect(),
        tensors: file.tensors().map(|t| Tensor::new(&t)).collect(),
    })
}

/// A metadata value; arrays as their length and element type.
fn value_json(value: &psi_store::gguf::Value<'_>) -> Value {
    if let Some(array) = value.as_array() {
        return json!({"array": array.kind().name(), "length": array.len()});
    }
    let number = || value.as_i64().map(Value::from).or_else(|| value.as_u64().map(Value::from));
    let text = || value.as_str().map(Value::from);
    let flag = || value.as_bool().map(Value::from);
    text().or_else(flag).or_else(number).unwrap_or_else(|| json!(value.as_f64()))
}

fn safetensors(path: &Path) -> Outcome<Summary> {
    let file = SafeTensors::open(path).map_err(unusable)?;
    let mut metadata: Vec<(String, Value)> =
        file.metadata().iter().map(|(k, v)| (k.clone(), json!(v))).collect();
    let config = path.join("config.json");
    if config.exists() {
        let map: serde_json::Map<String, Value> =
            serde_json::from_slice(&read(&config)?).map_err(|e| {
                Failure::input(format!("{}: not a JSON object", config.display())).because(e)
            })?;
        metadata.extend(map);
    }
    Ok(Summary {
        format: "safetensors".to_owned(),
        n_bytes: file.n_bytes(),
        metadata,
        tensors: file.tensors().map(|t| Tensor::new(&t)).collect(),
    })
}

impl Summary {
    fn n_parameters(&self) -> u64 {
        self.tensors.iter().map(|t| t.n_elements).sum()
    }

    /// Number of tensors, parameters and bytes by type, most bytes first.
    fn by_type(&self) -> Vec<(&'static str, u64, u64, u64)> {
        let mut types: Vec<(&'static str, u64, u64, u64)> = Vec::new();
        for t in &self.tensors {
            let at = types.iter().position(|x| x.0 == t.dtype).unwrap_or_else(|| {
                types.push((t.dtype, 0, 0, 0));
                types.len() - 1
            });
            types[at].1 += 1;
            types[at].2 += t.n_elements;
            types[at].3 += t.n_bytes;
        }
        types.sort_by_key(|t| std::cmp::Reverse(t.3));
        types
    }

    fn json(&self, path: &Path) -> Value {
        let tensors: Vec<Value> = self
            .tensors
            .iter()
            .map(
                |t| json!({"name": t.name, "dtype": t.dtype, "shape": t.shape, "bytes": t.n_bytes}),
            )
            .collect();
        let metadata: serde_json::Map<String, Value> = self.metadata.iter().cloned().collect();
        json!({
            "path": path,
            "format": self.format,
            "bytes": self.n_bytes,
            "parameters": self.n_parameters(),
            "metadata": metadata,
            "tensors": tensors,
        })
    }

    fn print(&self, path: &Path, all_tensors: bool) {
        outln!("{}", path.display());
        outln!(
            "{}, {}, {} parameters in {} tensors\n",
            self.format,
            bytes(self.n_bytes),
            count(self.n_parameters()),
            self.tensors.len()
        );
        let mut rows = vec![["type", "tensors", "parameters", "size"].map(str::to_owned).to_vec()];
        for (name, n, parameters, size) in self.by_type() {
            rows.push(vec![name.to_owned(), n.to_string(), count(parameters), bytes(size)]);
        }
        outln!("{}", columns(&rows));
        let rows: Vec<_> = self.metadata.iter().map(|(k, v)| (k.clone(), short(v))).collect();
        out!("{}", pairs(&rows));
        if all_tensors {
            let row =
                |t: &Tensor| vec![t.name.clone(), t.dtype.to_owned(), format!("{:?}", t.shape)];
            outln!("\n{}", columns(&self.tensors.iter().map(row).collect::<Vec<_>>()));
        }
    }
}

/// A value on one line, cut at a length.
fn short(value: &Value) -> String {
    let text = match value {
        Value::String(s) => s.replace('\n', "\\n"),
        Value::Object(o) if o.contains_key("array") => {
            let kind = o["array"].as_str().unwrap_or_default();
            format!("[{} x {kind}]", o["length"])
        }
        other => other.to_string(),
    };
    if text.chars().count() <= MAX_TEXT {
        return text;
    }
    let cut: String = text.chars().take(MAX_TEXT - 1).collect();
    format!("{cut}…")
}
