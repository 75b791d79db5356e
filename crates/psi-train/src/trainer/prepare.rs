//! From settings to everything a run needs: folder, tokenizer, data, model, and the checkpoint to go on from.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use psi_kernels::Cpu;
use psi_model::{Config, SpecialTokens};

use super::{Event, text::Text};
use crate::{
    Result, TrainError,
    data::{DataConfig, Loader, Progress, Resources},
    recipe::{RunConfig, Settings, data_config, new_model},
    run::{Loaded, RunDir, load, newest},
};

/// Where a run takes place.
pub struct Environment<'a> {
    /// What it computes on.
    pub cpu: &'a Arc<Cpu>,
    /// The cache of tokenised data; else the run folder.
    pub datasets: Option<PathBuf>,
}

impl fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("datasets", &self.datasets).finish_non_exhaustive()
    }
}

/// A run about to start or to go on.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) run: RunDir,
    pub(crate) config: RunConfig,
    pub(crate) text: Text,
    pub(crate) model: Config,
    pub(crate) from: Option<PathBuf>,
    pub(crate) loader: Loader,
    pub(crate) loaded: Option<Loaded>,
}

/// Opens everything. A folder that holds a checkpoint is gone on from only if `resume` says so.
pub(crate) fn prepare(
    mut settings: Settings,
    environment: &Environment<'_>,
    resume: bool,
    on_event: &mut dyn FnMut(Event),
) -> Result<Prepared> {
    let from = settings.text("model.from").map(PathBuf::from);
    let data = data_config(&mut settings)?;
    let (run, begun) = RunDir::begin(&settings, resume)?;
    let text = open_text(&run, &settings, &data, on_event)?;
    let model = model_config(&mut settings, &text, from.as_deref())?;
    let seed = settings.count("run.seed") as u64;
    let cache = environment.datasets.clone().unwrap_or_else(|| run.file("tokens"));
    let loader = open_loader(&data, &text, seed, (&cache, environment.cpu), on_event)?;
    let mut epoch = || Ok(loader.epoch_tokens());
    let config = RunConfig::derive(&mut settings, environment.cpu, &model, &mut epoch)?;
    run.keep_settings(&settings, begun)?;
    let loaded = newest(&run.checkpoints())?.map(|path| load(&path)).transpose()?;
    Ok(Prepared { run, config, text, model, from, loader, loaded })
}

/// A run that is not to start.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    pub(crate) model: Config,
    pub(crate) config: RunConfig,
    /// Positions of a micro-batch.
    pub(crate) micro_tokens: usize,
}

/// Resolves everything without a run folder.
pub(crate) fn plan(mut settings: Settings, environment: &Environment<'_>) -> Result<Plan> {
    let from = settings.text("model.from").map(PathBuf::from);
    let data = data_config(&mut settings)?;
    let text = Text::origin(&settings).map(|path| Text::open(&path)).transpose()?;
    let model = match &text {
        Some(text) => model_config(&mut settings, text, from.as_deref())?,
        None => {
            let vocab_size = settings.count("tokenizer.vocab_size");
            new_model(&mut settings, vocab_size, SpecialTokens::default())?
        }
    };
    let seed = settings.count("run.seed") as u64;
    let mut epoch = || {
        // Asked for only where model.from names a model, and with it a tokenizer.
        let (Some(text), Some(cache)) = (&text, &environment.datasets) else {
            let error = TrainError::key("--dry-run", "train.steps", "follows from the data");
            return Err(
                error.with_hint("set train.steps or train.tokens, or PSI_HOME for the data")
            );
        };
        let loader = open_loader(&data, text, seed, (cache, environment.cpu), &mut |_| {})?;
        Ok(loader.epoch_tokens())
    };
    let config = RunConfig::derive(&mut settings, environment.cpu, &model, &mut epoch)?;
    Ok(Plan { settings, model, config, micro_tokens: data.batch_rows * data.seq_len })
}

/// The tokenizer that the run has kept, else the one the settings name, else one trained on the data.
fn open_text(
    run: &RunDir,
    settings: &Settings,
    data: &DataConfig,
    on_event: &mut dyn FnMut(Event),
) -> Result<Text> {
    let kept = run.file("tokenizer");
    if kept.join("tokenizer.json").exists() {
        return Text::open(&kept);
    }
    let template = settings.text("tokenizer.chat_template").map(PathBuf::from);
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).map_err(|e| TrainError::io(path, "reading", e))
    };
    let source = template.as_ref().map(read).transpose()?;
    let mut text = match Text::origin(settings) {
        Some(path) => Text::open(&path)?,
        None => {
            let vocab_size = settings.count("tokenizer.vocab_size");
            on_event(Event::Note(format!("training a tokenizer of {vocab_size} tokens")));
            Text::train(settings, data, source.as_deref())?
        }
    };
    if let (Some(path), Some(source)) = (&template, &source) {
        text = text.with_template(path, source)?;
    }
    text.files.write(&kept)?;
    // As a resumed run will read it.
    Text::open(&kept)
}

/// The model to train: that of a checkpoint, or a new one for the tokenizer.
fn model_config(settings: &mut Settings, text: &Text, from: Option<&Path>) -> Result<Config> {
    let Some(from) = from else {
        let special = SpecialTokens { eos: text.eos(), ..SpecialTokens::default() };
        return new_model(settings, text.tokenizer.vocab_size(), special);
    };
    if let Some(key) = NEW_MODEL_KEYS.iter().find(|key| settings.is_given(key)) {
        let error = settings.refuse(key, "model.from already decides the model");
        return Err(error.with_hint("leave out one of the two"));
    }
    let (config, _) = Config::read(from)?;
    let seq_len = settings.count("data.seq_len");
    if seq_len > config.max_seq_len {
        let why = format!("{} was made for {} positions", from.display(), config.max_seq_len);
        return Err(settings.refuse("data.seq_len", why));
    }
    if text.tokenizer.vocab_size() > config.vocab_size {
        let (n, v) = (text.tokenizer.vocab_size(), config.vocab_size);
        let why = format!("a tokenizer of {n} tokens for a model of {v}");
        return Err(settings.refuse("tokenizer.from", why));
    }
    Ok(config)
}

/// Keys that say what a new model is.
const NEW_MODEL_KEYS: [&str; 10] = [
    "model.depth",
    "model.family",
    "model.n_layers",
    "model.d_model",
    "model.d_head",
    "model.n_heads",
    "model.n_kv_heads",
    "model.d_ff",
    "model.max_seq_len",
    "model.tied",
];

fn open_loader(
    data: &DataConfig,
    text: &Text,
    seed: u64,
    (cache, cpu): (&Path, &Cpu),
    on_event: &mut dyn FnMut(Event),
) -> Result<Loader> {
    let resources = Resources {
        tokenizer: &text.tokenizer,
        template: text.template.as_ref(),
        cache,
        n_threads: cpu.n_threads(),
    };
    let mut progress = |p: Progress<'_>| {
        let Progress { source, done, total } = p;
        on_event(Event::Reading { source: source.to_owned(), done, total });
    };
    Ok(Loader::open(data, &resources, seed, &mut progress)?)
}
