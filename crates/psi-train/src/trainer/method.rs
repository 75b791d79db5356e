//! What is trained, and how it starts: all weights, or adapters beside frozen ones.

use std::{collections::HashMap, path::Path};

use psi_kernels::{Cpu, Format, Matrix};
use psi_model::{Checkpoint, Config, Decoder, LoadOptions, Role, TensorId, TensorInfo};
use psi_tensor::{Linear, Lora, ParamId, Weight};

use super::{
    init::{Init, normals},
    parameters::{Group, for_each_trained},
};
use crate::{Result, TrainError, recipe::Settings, run::Loaded};

/// The recipe's `train.method`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Method {
    /// Every tensor.
    Full,
    /// Low-rank adapters. Hu et al. 2021.
    Lora(LoraConfig),
}

/// The recipe's `[lora]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LoraConfig {
    pub(crate) rank: usize,
    pub(crate) alpha: f64,
    /// With DoRA's magnitudes.
    pub(crate) dora: bool,
    pub(crate) targets: Vec<Role>,
    /// By their names in the recipe.
    pub(crate) target_names: Vec<String>,
}

/// Linear layers by their names in a recipe.
const TARGETS: [(&str, &[Role]); 7] = [
    ("q", &[Role::Q]),
    ("k", &[Role::K]),
    ("v", &[Role::V]),
    ("o", &[Role::O]),
    ("gate", &[Role::Gate, Role::ExpertGate]),
    ("up", &[Role::Up, Role::ExpertUp]),
    ("down", &[Role::Down, Role::ExpertDown]),
];

/// Streams of random numbers of adapters: far from those of tensors.
const ADAPTER_STREAM: u64 = 1 << 20;

impl Method {
    /// What the settings say.
    pub(crate) fn read(settings: &Settings) -> Result<Self> {
        if settings.text("train.method") == Some("full") {
            return Ok(Self::Full);
        }
        if settings.text("model.from").is_none() {
            let error = settings.refuse("train.method", "adapters need a model to stand beside");
            return Err(error.with_hint("set model.from, or train.method = \"full\""));
        }
        let rank = settings.count("lora.rank");
        if rank == 0 {
            return Err(settings.refuse("lora.rank", "an adapter has at least rank 1"));
        }
        let target_names = settings.texts("lora.targets");
        let mut targets = Vec::new();
        for name in &target_names {
            let Some((_, roles)) = TARGETS.iter().find(|(n, _)| n == name) else {
                let error = settings.refuse("lora.targets", format!("there is no '{name}'"));
                return Err(error.with_hint("q, k, v, o, gate, up and down can be adapted"));
            };
            targets.extend_from_slice(roles);
        }
        if targets.is_empty() {
            return Err(settings.refuse("lora.targets", "nothing would be trained"));
        }
        let alpha = settings.number("lora.alpha");
        let dora = settings.text("train.method") == Some("dora");
        Ok(Self::Lora(LoraConfig { rank, alpha, dora, targets, target_names }))
    }

    /// Whether the model's own weights change.
    pub(crate) fn is_full(&self) -> bool {
        *self == Self::Full
    }
}

/// The model at the start of a run, or at a checkpoint of it; what is trained has ids.
pub(crate) fn start(
    cpu: &Cpu,
    config: &Config,
    from: Option<&Path>,
    (method, format, init): (&Method, Format, Init),
    loaded: &mut Option<Loaded>,
) -> Result<Decoder> {
    match method {
        Method::Full => start_full(cpu, config, from, (format, init), loaded),
        Method::Lora(lora) => {
            // The settings demand a model for adapters.
            let from = from.unwrap_or(Path::new(""));
            let mut decoder = Decoder::load(cpu, from, &LoadOptions::default())?;
            attach(cpu, &mut decoder, lora, (format, init.seed));
            if let Some(loaded) = loaded {
                restore(cpu, &mut decoder, loaded)?;
                refresh(cpu, &mut decoder, method);
            }
            Ok(decoder)
        }
    }
}

fn start_full(
    cpu: &Cpu,
    config: &Config,
    from: Option<&Path>,
    (format, init): (Format, Init),
    loaded: &mut Option<Loaded>,
) -> Result<Decoder> {
    let stored = match (&loaded, from) {
        (Some(loaded), _) => Some(Checkpoint::open(&loaded.path.join("model"))?),
        (None, Some(from)) => Some(Checkpoint::open(from)?),
        (None, None) => None,
    };
    let mut values: HashMap<TensorId, Vec<f32>> = HashMap::new();
    for (i, info) in config.tensors().iter().enumerate() {
        let of_tensor = match &stored {
            Some(stored) => stored.values(info)?,
            None => init.values(i, info),
        };
        values.insert(info.id, of_tensor);
    }
    let all = |info: &TensorInfo| values[&info.id].clone();
    let mut decoder = Decoder::from_values(cpu, config, format, all);
    let mut next = 0;
    decoder.for_each_parameter(&mut |info, mut parameter| {
        parameter.train(cpu, ParamId(next));
        next += 1;
        // The master is the value itself, not what the panels have kept of it.
        parameter.update(cpu, |master| master.copy_from_slice(&values[&info.id]));
    });
    if let Some(loaded) = loaded {
        restore(cpu, &mut decoder, loaded)?;
    }
    Ok(decoder)
}

/// Puts an adapter beside every target: A random, B zero, so that nothing changes at first.
fn attach(cpu: &Cpu, decoder: &mut Decoder, lora: &LoraConfig, (format, seed): (Format, u64)) {
    let mut next = 0;
    decoder.for_each_linear(&mut |id, linear: &mut Linear| {
        if !lora.targets.contains(&id.role) {
            return;
        }
        let (n, k) = (linear.weight.n(), linear.weight.k());
        let stream = ADAPTER_STREAM + u64::from(next);
        let a = normals(seed, stream, lora.rank * k, (k as f64).powf(-0.5));
        let a = Weight::trainable(cpu, ParamId(next), format, (lora.rank, k), a);
        let zeros = vec![0.0; n * lora.rank];
        let b = Weight::trainable(cpu, ParamId(next + 1), format, (n, lora.rank), zeros);
        next += 2;
        linear.adapter = Some(Lora { a, b, scale: (lora.alpha / lora.rank as f64) as f32 });
        if lora.dora {
            linear.add_magnitude(cpu, ParamId(next));
            next += 1;
        }
    });
}

/// The trained values that a checkpoint keeps beside `model/`: adapters, and vectors (which some formats
/// store shifted, and so not exactly).
pub(crate) fn beside_model(cpu: &Cpu, decoder: &mut Decoder) -> Vec<(String, Vec<f32>)> {
    let mut kept = Vec::new();
    for_each_trained(decoder, &mut |name, group, parameter| {
        if group == Group::Vector || name.contains(".lora_") {
            kept.push((format!("{name}.value"), parameter.to_f32(cpu)));
        }
    });
    kept
}

/// Sets what [`beside_model`] gave.
fn restore(cpu: &Cpu, decoder: &mut Decoder, loaded: &mut Loaded) -> Result<()> {
    let mut wrong = None;
    for_each_trained(decoder, &mut |name, group, parameter| {
        let kept = group == Group::Vector || name.contains(".lora_");
        let (n, k) = parameter.shape();
        match loaded.tensors.remove(&format!("{name}.value")) {
            Some(values) if values.len() == n * k => {
                parameter.update(cpu, |w| w.copy_from_slice(&values));
            }
            None if !kept => {}
            _ => wrong = Some(name.to_owned()),
        }
    });
    match wrong {
        None => Ok(()),
        Some(name) => {
            let why = format!("'{name}' is missing or of another size");
            Err(TrainError::run(&loaded.path, why))
        }
    }
}

/// What follows from the trained values and is kept beside them: DoRA's norms.
pub(crate) fn refresh(cpu: &Cpu, decoder: &mut Decoder, method: &Method) {
    if matches!(method, Method::Lora(lora) if lora.dora) {
        decoder.for_each_linear(&mut |_, linear| linear.refresh_norms(cpu));
    }
}

/// Replaces every adapted matrix by one without adapter: a model for programs that know none.
pub(crate) fn merge(cpu: &Cpu, decoder: &mut Decoder) {
    decoder.for_each_linear(&mut |_, linear| {
        if linear.adapter.is_some() {
            let (n, k) = (linear.weight.n(), linear.weight.k());
            let matrix = Matrix::from_f32(cpu, Format::F32, n, k, &linear.merged(cpu));
            linear.weight = Weight::new(matrix);
            (linear.adapter, linear.magnitude) = (None, None);
        }
    });
}

/// The name of a part of an adapter in PEFT's files.
pub(crate) fn peft_name(hf_name: &str, part: &str) -> String {
    let stem = hf_name.strip_suffix(".weight").unwrap_or(hf_name);
    format!("base_model.model.{stem}.{part}.weight")
}
