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
    data::{DataConfig, Loader, Resources},
    recipe::{RunConfig, Settings, data_config, new_model},
    run::{Loaded, RunDir, has_checkpoint, load, newest},
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
    let dir = run_dir(&settings)?;
    let begun = has_checkpoint(&dir)?;
    if begun && !resume {
        let error = TrainError::run(&dir, "holds a run already");
        return Err(error.with_hint(format!(
            "go on with it by --resume {}, or give this run another run.dir",
            dir.display()
        )));
    }
    let from = settings.text("model.from").map(PathBuf::from);
    let data = data_config(&mut settings)?;
    let run = RunDir::open(&dir)?;
    let text = open_text(&run, &settings, &data, on_event)?;
    let model = model_config(&mut settings, &text, from.as_deref())?;
    let loader = open_loader(&settings, &data, &text, &cache(environment, &run), environment.cpu, on_event)?;
    let mut epoch = || Ok(loader.epoch_tokens());
    let config = RunConfig::derive(&mut settings, environment.cpu, &model, &mut epoch)?;
    run.keep_settings(&settings, begun)?;
    let checkpoint = newest(&run.checkpoints())?;
    let loaded = checkpoint.map(|path| load(&path)).transpose()?;
    Ok(Prepared { run, config, text, model, from, loader, loaded })
}

/// Settings, model, configuration and tokens of a micro-batch, without a run folder.
pub(crate) fn plan(
    mut settings: Settings,
    environment: &Environment<'_>,
) -> Result<(Settings, Config, RunConfig, usize)> {
    let from = settings.text("model.from").map(PathBuf::from);
    let data = data_config(&mut settings)?;
    let text = Text::origin(&settings).map(|path| Text::open(&path)).transpose()?;
    let model = match (&text, &from) {
        (Some(text), _) => model_config(&mut settings, text, from.as_deref())?,
        (None, _) => {
            let vocab_size = settings.count("tokenizer.vocab_size");
            new_model(&mut settings, vocab_size, SpecialTokens::default())?
        }
    };
    let mut epoch = || {
        // Only reached where model.from names a model, and with it a tokenizer.
        let Some(text) = &text else { return Ok(0) };
        let cache = environment.datasets.clone().unwrap_or_else(std::env::temp_dir);
        let loader =
            open_loader(&settings_seed(&data), &data, text, &cache, environment.cpu, &mut |_| {})?;
        Ok(loader.epoch_tokens())
    };
    let config = RunConfig::derive(&mut settings, environment.cpu, &model, &mut epoch)?;
    let micro_tokens = data.batch_rows * data.seq_len;
    Ok((settings, model, config, micro_tokens))
}
