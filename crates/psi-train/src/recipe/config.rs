//! The settings as the loop uses them: typed, complete, checked.

use psi_kernels::{Cpu, Format, Tier, gemm::Compute};
use psi_model::Config;
use psi_store::DType;
use toml::{Table, Value};

use super::{KEYS, Settings};
use crate::{
    Result,
    data::DataConfig,
    trainer::{Course, Init, LossConfig, Method, OptimConfig, Schedule},
};

/// Everything that decides a run beside the model, its tokenizer and the data themselves.
#[derive(Clone, Debug)]
pub(crate) struct RunConfig {
    pub(crate) steps: u64,
    pub(crate) seq_len: usize,
    /// Micro-batches per step.
    pub(crate) accumulation: usize,
    pub(crate) method: Method,
    /// Panels of what is trained.
    pub(crate) format: Format,
    pub(crate) init: Init,
    pub(crate) loss: LossConfig,
    /// Layers keep their inputs only.
    pub(crate) recompute: bool,
    pub(crate) optim: OptimConfig,
    pub(crate) schedule: Schedule,
    /// Decay of the average of the weights; 0: none.
    pub(crate) ema: f32,
    pub(crate) guard_z: f64,
    pub(crate) max_loss: f64,
    pub(crate) eval: EvalConfig,
    pub(crate) save: SaveConfig,
    pub(crate) log_every: u64,
    pub(crate) log_roof: bool,
    pub(crate) log_start: bool,
    pub(crate) log_rows: bool,
}

/// The recipe's `[eval]`.
#[derive(Clone, Debug)]
pub(crate) struct EvalConfig {
    pub(crate) every: u64,
    /// 0: all.
    pub(crate) batches: usize,
    pub(crate) prompts: Vec<String>,
    pub(crate) sample_tokens: usize,
}

/// The recipe's `[save]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SaveConfig {
    pub(crate) every: u64,
    pub(crate) keep: usize,
    pub(crate) dtype: DType,
}

/// The `[data]` part; also decides the rows of a micro-batch.
pub(crate) fn data_config(settings: &mut Settings) -> Result<DataConfig> {
    let seq_len = settings.count("data.seq_len");
    let batch_tokens = settings.count("train.batch_tokens");
    if seq_len < 2 {
        return Err(settings.refuse("data.seq_len", "a row needs at least 2 tokens"));
    }
    if batch_tokens == 0 || !batch_tokens.is_multiple_of(seq_len) {
        let why = format!("{batch_tokens} tokens are no whole number of rows of {seq_len}");
        let error = settings.refuse("train.batch_tokens", why);
        let next = batch_tokens.max(1).next_multiple_of(seq_len);
        return Err(error.with_hint(format!("train.batch_tokens={next} would be")));
    }
    let rows = batch_tokens / seq_len;
    let wanted = (4096 / seq_len).clamp(1, rows);
    let fitting = (1..=wanted).rev().find(|n| rows.is_multiple_of(*n)).unwrap_or(1);
    let how = "4096 / data.seq_len, a divisor of the rows of a batch";
    settings.derive("data.batch_rows", Value::Integer(fitting as i64), how);
    let batch_rows = settings.count("data.batch_rows");
    if batch_rows == 0 || !rows.is_multiple_of(batch_rows) {
        let why = format!("{batch_rows} rows do not divide the {rows} rows of train.batch_tokens");
        return Err(settings.refuse("data.batch_rows", why));
    }
    let mut table = Table::new();
    for key in KEYS {
        if let (Some(name), Some(setting)) =
            (key.name.strip_prefix("data."), settings.get(key.name))
        {
            table.insert(name.to_owned(), setting.value.clone());
        }
    }
    Value::Table(table).try_into().map_err(|e: toml::de::Error| {
        let error = settings.refuse("data.sources", e.message().trim().to_owned());
        error.with_hint(
            "a source has path, and may have name, weight, format, column, split_at, keep_cr",
        )
    })
}

impl RunConfig {
    /// What the settings say for `model`; what follows from it becomes a setting. `epoch_tokens` are the
    /// tokens of one pass over the data, asked for when the recipe does not bound the run.
    pub(crate) fn derive(
        settings: &mut Settings,
        cpu: &Cpu,
        model: &Config,
        epoch_tokens: &mut dyn FnMut() -> Result<u64>,
    ) -> Result<Self> {
        let format = format(settings, cpu);
        let steps = derive_steps(settings, model, epoch_tokens)?;
        derive_rates(settings, model);
        let tenth = Value::Integer((steps / 10).max(1) as i64);
        let warmup = Value::Integer((steps / 50).max(1) as i64);
        settings.derive("schedule.warmup", warmup, "1/50 of the steps");
        settings.derive("eval.every", tenth.clone(), "1/10 of the steps");
        settings.derive("save.every", tenth, "1/10 of the steps");
        let max_loss = 4.0 * (model.vocab_size as f64).ln();
        settings.derive("guard.max_loss", Value::Float(max_loss), "4 x ln(vocabulary)");
        let s = &*settings;
        check_ranges(s)?;
        let seed = s.count("run.seed") as u64;
        Ok(Self {
            steps,
            seq_len: s.count("data.seq_len"),
            accumulation: s.count("train.batch_tokens")
                / (s.count("data.seq_len") * s.count("data.batch_rows")),
            method: Method::read(s)?,
            format,
            init: Init {
                seed,
                gain: s.number("model.init_gain"),
                embed: s.number("model.init_embed"),
                zero_out: s.flag("model.zero_out"),
                n_layers: model.n_layers,
            },
            loss: LossConfig { z_loss: s.number("train.z_loss") as f32 },
            recompute: s.flag("train.recompute"),
            optim: optim(s, format),
            schedule: schedule(s, steps),
            ema: s.number("train.ema") as f32,
            guard_z: s.number("guard.z"),
            max_loss: s.number("guard.max_loss"),
            eval: EvalConfig {
                every: s.count("eval.every") as u64,
                batches: s.count("eval.batches"),
                prompts: s.texts("eval.prompts"),
                sample_tokens: s.count("eval.sample_tokens"),
            },
            save: SaveConfig {
                every: s.count("save.every") as u64,
                keep: s.count("save.keep").max(1),
                dtype: match (s.text("save.dtype"), format) {
                    (Some("bf16"), _) | (Some("auto"), Format::Bf16) => DType::BF16,
                    (Some("f16"), _) => DType::F16,
                    _ => DType::F32,
                },
            },
            log_every: s.count("log.every").max(1) as u64,
            log_roof: s.flag("log.roof"),
            log_start: s.flag("log.start"),
            log_rows: s.flag("log.rows"),
        })
    }
}

fn format(settings: &Settings, cpu: &Cpu) -> Format {
    match settings.text("train.dtype") {
        Some("bf16") => Format::Bf16,
        Some("auto") if cpu.isa().has(Tier::Avx512Vnni) => Format::Bf16,
        _ => Format::F32,
    }
}

fn derive_steps(
    settings: &mut Settings,
    model: &Config,
    epoch_tokens: &mut dyn FnMut() -> Result<u64>,
) -> Result<u64> {
    if settings.get("train.steps").is_none() {
        if settings.get("train.tokens").is_none() {
            let (tokens, how) = match settings.text("model.from") {
                Some(_) => (epoch_tokens()?, "one epoch of the data"),
                None => (20 * model.n_params(), "20 tokens per parameter"),
            };
            settings.derive("train.tokens", Value::Integer(tokens as i64), how);
        }
        let tokens = settings.count("train.tokens");
        let steps = tokens.div_ceil(settings.count("train.batch_tokens")).max(1);
        let how = "train.tokens / train.batch_tokens";
        settings.derive("train.steps", Value::Integer(steps as i64), how);
    }
    match settings.count("train.steps") {
        0 => Err(settings.refuse("train.steps", "a run has at least one step")),
        steps => Ok(steps as u64),
    }
}

fn derive_rates(settings: &mut Settings, model: &Config) {
    let by_width = 0.003 * (256.0 / model.d_model as f64).sqrt();
    let adapters = settings.text("train.method") != Some("full");
    let from = settings.text("model.from").is_some();
    let (lr, how) = match (adapters, from) {
        (true, _) => (2e-4, "adapters"),
        (_, true) => (1e-4, "from a checkpoint"),
        _ => (by_width, "0.003 x sqrt(256 / d_model)"),
    };
    settings.derive("optim.lr", Value::Float(lr), how);
    let (lr, how) = if from { (0.002, "from a checkpoint") } else { (0.02, "a new model") };
    settings.derive("optim.muon_lr", Value::Float(lr), how);
}

/// Refuses numbers outside what their formulas mean.
fn check_ranges(s: &Settings) -> Result<()> {
    let from_zero = [
        "optim.lr",
        "optim.muon_lr",
        "optim.weight_decay",
        "optim.clip",
        "train.z_loss",
        "guard.z",
        "guard.max_loss",
        "model.init_gain",
        "model.init_embed",
        "lora.alpha",
    ];
    let below_one = ["optim.momentum", "optim.beta1", "optim.beta2", "train.ema"];
    let up_to_one = ["schedule.decay", "schedule.floor", "data.validation_fraction"];
    let check = |names: &[&str], fits: &dyn Fn(f64) -> bool, range: &str| {
        let bad = names.iter().find(|name| !fits(s.number(name)));
        bad.map_or(Ok(()), |name| Err(s.refuse(name, format!("{} is not {range}", s.number(name)))))
    };
    check(&from_zero, &|x| x >= 0.0, "0 or more")?;
    check(&below_one, &|x| (0.0..1.0).contains(&x), "from 0 to below 1")?;
    check(&up_to_one, &|x| (0.0..=1.0).contains(&x), "from 0 to 1")?;
    check(&["optim.eps"], &|x| x > 0.0, "above 0")
}

fn optim(s: &Settings, format: Format) -> OptimConfig {
    OptimConfig {
        muon: s.text("optim.kind") == Some("muon"),
        lr: s.number("optim.lr"),
        muon_lr: s.number("optim.muon_lr"),
        momentum: s.number("optim.momentum") as f32,
        betas: [s.number("optim.beta1") as f32, s.number("optim.beta2") as f32],
        eps: s.number("optim.eps") as f32,
        weight_decay: s.number("optim.weight_decay") as f32,
        cautious: s.flag("optim.cautious"),
        clip: s.number("optim.clip"),
        compute: if format == Format::Bf16 { Compute::Bf16 } else { Compute::F32 },
    }
}

fn schedule(s: &Settings, steps: u64) -> Schedule {
    let course = match s.text("schedule.kind") {
        Some("cosine") => Course::Cosine,
        Some("linear") => Course::Linear,
        Some("constant") => Course::Constant,
        _ => Course::Wsd { decay: s.number("schedule.decay") },
    };
    let warmup = s.count("schedule.warmup") as u64;
    Schedule { course, warmup, steps, floor: s.number("schedule.floor") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_data_are_those_of_its_configuration_with_the_same_defaults() {
        let path = std::path::Path::new("r.toml");
        let mut settings = Settings::parse("", path, &[]).unwrap();
        let config = data_config(&mut settings).unwrap();
        let json = |config: &DataConfig| serde_json::to_value(config).unwrap();
        let default = DataConfig { batch_rows: config.batch_rows, ..DataConfig::default() };
        assert_eq!(json(&config), json(&default));
        let own = KEYS.iter().filter_map(|k| k.name.strip_prefix("data."));
        let mut own: Vec<&str> = own.collect();
        let all = json(&config);
        let mut fields: Vec<&str> = all.as_object().unwrap().keys().map(String::as_str).collect();
        own.sort_unstable();
        fields.sort_unstable();
        assert_eq!(own, fields);
    }
}
