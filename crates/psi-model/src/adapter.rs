//! A LoRA or DoRA adapter apart from its model: rows of one batch can run with different ones.

use std::{
    collections::HashMap,
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use psi_kernels::{Cpu, Format, Matrix};
use psi_store::{DType, SafeTensors, StoreError, TensorView};
use psi_tensor::{Linear, Lora, Magnitude, Vector, Weight};
use serde_json::Value;

use crate::{
    Config, Decoder, ModelError, Result, TensorId, TensorInfo,
    load::block_type,
    names::{self, Part},
    tensors::Role,
};

/// Low-rank updates of a decoder's matrices. Hu et al. 2021 (LoRA); Liu et al. 2024 (DoRA).
pub struct Adapter {
    id: u64,
    linears: HashMap<(usize, Role), (Lora, Vec<f32>)>,
}

/// What an adapter adds to one matrix.
#[derive(Clone, Debug)]
pub struct AdapterPart {
    /// The matrix.
    pub matrix: TensorId,
    /// A, B and s.
    pub lora: Lora,
    /// The lengths of the adapted rows (DoRA).
    pub m: Option<Vec<f32>>,
}

impl Adapter {
    /// An adapter from the parts it adds to `decoder`'s matrices.
    ///
    /// # Panics
    /// When a part has no matrix in the blocks of `decoder`, or does not fit it.
    #[track_caller]
    pub fn new(cpu: &Cpu, decoder: &Decoder, parts: Vec<AdapterPart>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let mut parts: HashMap<_, _> = parts.into_iter().map(|p| (p.matrix, p)).collect();
        let mut linears = HashMap::new();
        decoder.clone().for_each_linear(&mut |id, linear| {
            let (Some(layer), Some(part)) = (id.layer, parts.remove(&id)) else { return };
            let AdapterPart { lora, m, .. } = part;
            let (n, k, rank) = (linear.weight.n(), linear.weight.k(), lora.a.n());
            assert!(lora.a.k() == k && lora.b.n() == n && lora.b.k() == rank, "adapter of '{id}'");
            let gains = m.map_or_else(Vec::new, |m| gains(cpu, linear, &lora, m));
            linears.insert((layer as usize, id.role), (lora, gains));
        });
        assert!(parts.is_empty(), "no place for {:?}", parts.keys());
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), linears }
    }

    /// Loads a folder as PEFT writes it: `adapter_config.json` and `adapter_model.safetensors`.
    ///
    /// # Errors
    /// [`ModelError`] with path and place: files that cannot be read, kinds of adapters that psi does not
    /// compute, tensors that do not fit `decoder`.
    pub fn load(cpu: &Cpu, decoder: &Decoder, folder: &Path) -> Result<Self> {
        let settings = Settings::read(&folder.join("adapter_config.json"))?;
        let tensors = SafeTensors::open(&folder.join("adapter_model.safetensors"))?;
        let file = File { cpu, tensors: &tensors, settings: &settings };
        let config = decoder.config();
        let mut used = Vec::new();
        let mut parts = Vec::new();
        for info in config.tensors().iter().filter(|info| is_adaptable(info)) {
            parts.extend(file.part(config, info, &mut used)?);
        }
        let left: Vec<&str> = tensors.names().filter(|n| !used.iter().any(|u| u == n)).collect();
        if parts.is_empty() && left.is_empty() {
            return Err(ModelError::tensor(tensors.path(), "lora_A", "the file holds no tensor"));
        }
        if !left.is_empty() {
            let names = left.iter().take(4).map(|&n| n.to_owned()).collect();
            let (path, count) = (tensors.path().to_owned(), left.len());
            return Err(ModelError::Unexpected { path, names, count });
        }
        Ok(Self::new(cpu, decoder, parts))
    }

    /// A number that no other adapter of this process has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Number of matrices it changes.
    pub fn n_linears(&self) -> usize {
        self.linears.len()
    }

    /// What it adds to one matrix: A and B, and DoRA's m / c (empty for LoRA).
    pub(crate) fn linear(&self, layer: usize, role: Role) -> Option<(&Lora, &[f32])> {
        self.linears.get(&(layer, role)).map(|(lora, gains)| (lora, &gains[..]))
    }
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Adapter({}, {} matrices)", self.id, self.linears.len())
    }
}

/// m / c, with c the norms of the rows of W + s B A.
fn gains(cpu: &Cpu, linear: &Linear, lora: &Lora, m: Vec<f32>) -> Vec<f32> {
    assert_eq!(m.len(), linear.weight.n(), "one length per row");
    let magnitude = Magnitude { m: Vector::new(m), norms: Arc::default() };
    let mut adapted = Linear {
        adapter: Some(lora.clone()),
        magnitude: Some(Box::new(magnitude)),
        ..Linear::new(linear.weight.clone())
    };
    adapted.refresh_norms(cpu);
    adapted.magnitude.map_or_else(Vec::new, |magnitude| magnitude.gains())
}

fn is_adaptable(info: &TensorInfo) -> bool {
    use Role::{Down, Gate, K, O, Q, Up, V};
    matches!(info.id.role, Q | K | V | O | Gate | Up | Down)
}

/// What `adapter_config.json` says.
struct Settings {
    rank: usize,
    scale: f32,
    is_dora: bool,
}

impl Settings {
    fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|source| StoreError::Io {
            path: path.to_owned(),
            doing: "reading",
            source,
        })?;
        let json: Value = serde_json::from_str(&text)
            .map_err(|e| ModelError::Json { path: path.to_owned(), why: e.to_string() })?;
        let refuse = |key: &str, why: &str| {
            Err(ModelError::key(path, key, json.get(key).unwrap_or(&Value::Null), why))
        };
        if json.get("peft_type").and_then(Value::as_str) != Some("LORA") {
            return refuse("peft_type", "psi runs LORA adapters, with or without use_dora");
        }
        for key in ["rank_pattern", "alpha_pattern", "modules_to_save", "layer_replication"] {
            let is_empty = |v: &Value| match v {
                Value::Null => true,
                Value::Object(map) => map.is_empty(),
                Value::Array(list) => list.is_empty(),
                _ => false,
            };
            if !json.get(key).is_none_or(is_empty) {
                return refuse(key, "psi has no such adapters");
            }
        }
        if json.get("bias").is_some_and(|bias| bias != "none") {
            return refuse("bias", "adapters that change biases are not supported");
        }
        let flag = |key: &str| json.get(key).and_then(Value::as_bool).unwrap_or(false);
        let Some(rank) = json.get("r").and_then(Value::as_u64).filter(|r| (1..=4096).contains(r))
        else {
            return refuse("r", "must be a number from 1 to 4096");
        };
        let Some(alpha) = json.get("lora_alpha").and_then(Value::as_f64).filter(|a| a.is_finite())
        else {
            return refuse("lora_alpha", "must be a number");
        };
        let divisor = if flag("use_rslora") { (rank as f64).sqrt() } else { rank as f64 };
        let scale = (alpha / divisor) as f32;
        Ok(Self { rank: rank as usize, scale, is_dora: flag("use_dora") })
    }
}

/// An adapter's open files.
struct File<'a> {
    cpu: &'a Cpu,
    tensors: &'a SafeTensors,
    settings: &'a Settings,
}

impl<'a> File<'a> {
    /// What the adapter adds to one matrix, if it does; the names it has been read from go to `used`.
    fn part(
        &self,
        config: &Config,
        info: &TensorInfo,
        used: &mut Vec<&'a str>,
    ) -> Result<Option<AdapterPart>> {
        let place = names::hf_place(config, info);
        let module = place.name.strip_suffix(".weight").unwrap_or(&place.name);
        let name = |part: &str| format!("base_model.model.{module}.{part}");
        let Some(a) = self.tensors.tensor(&name("lora_A.weight")) else { return Ok(None) };
        let b = self.tensors.require(&name("lora_B.weight"))?;
        // A fused projection's B has the rows of all its parts.
        let (first, n_stored) = match place.part {
            Part::Rows { first, of } => (first, of),
            Part::Whole | Part::Slab { .. } => (0, info.n),
        };
        let rank = self.settings.rank;
        let a_values = self.values(&a, &[rank, info.k])?;
        let b_values = self.values(&b, &[n_stored, rank])?;
        let b_rows = &b_values[first * rank..(first + info.n) * rank];
        used.extend([a.name, b.name]);
        let mut m = None;
        if self.settings.is_dora {
            // PEFT leaves ".weight" out of this one name.
            let short = name("lora_magnitude_vector");
            let long = format!("{short}.weight");
            let stored =
                self.tensors.tensor(&long).map_or_else(|| self.tensors.require(&short), Ok)?;
            used.push(stored.name);
            m = Some(self.values(&stored, &[n_stored])?[first..first + info.n].to_vec());
        }
        let weight = |n, k, values: &[f32]| {
            Weight::new(Matrix::from_f32(self.cpu, Format::F32, n, k, values))
        };
        let a = weight(rank, info.k, &a_values);
        let b = weight(info.n, rank, b_rows);
        let lora = Lora { a, b, scale: self.settings.scale };
        Ok(Some(AdapterPart { matrix: info.id, lora, m }))
    }

    /// The finite f32 values of a tensor of this shape.
    fn values(&self, view: &TensorView<'_>, shape: &[usize]) -> Result<Vec<f32>> {
        let refuse = |why: String| Err(ModelError::tensor(self.tensors.path(), view.name, why));
        if view.shape != shape {
            return refuse(format!("shape {:?}, but this model needs {shape:?}", view.shape));
        }
        let block = match view.dtype {
            DType::F32 | DType::F16 | DType::BF16 => block_type(view.dtype),
            _ => None,
        };
        let Some(block) = block else {
            return refuse(format!("psi reads adapters in F32, F16 and BF16, not {}", view.dtype));
        };
        let mut values = vec![0.0; view.n_elements()];
        psi_kernels::quant::dequantize(block, view.data, &mut values);
        match values.iter().find(|x| !x.is_finite()) {
            Some(x) => refuse(format!("holds {x}")),
            None => Ok(values),
        }
    }
}
