//! From the command line to what `psi eval run` and `psi gate` need: tasks, a player, settings.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use psi_eval::{
    run::{Identity, Local, LocalParts, Player, Remote, RemoteParts, Settings},
    split::Split,
    task::Task,
    tasks::{Library, TaskOptions, expand},
};
use psi_infer::SamplingParams;
use psi_model::Adapter;
use psi_sandbox::{Python, Sandbox};
use psi_store::{Home, Served};

use super::assistant::Assisted;
use crate::{
    cli::{Answers, ModelArgs, TasksFrom},
    env,
    error::{Failure, Outcome, unusable},
    model::{Runner, resolve},
};

/// The library of tasks: the folders given, else the data sets in PSI_HOME.
pub(crate) fn library(from: &TasksFrom) -> Library {
    let home = || env::home().map(|home| Home::at(&home).datasets()).into_iter().collect();
    let folders = if from.data.is_empty() { home() } else { from.data.clone() };
    // Programs that models write are run by psi itself, started anew inside a sandbox.
    match std::env::current_exe() {
        Ok(psi) => {
            let python = Sandbox::new(&psi).and_then(|sandbox| Python::find(&sandbox, "python3"));
            Library::new(folders).with_python(python)
        }
        Err(_) => Library::new(folders),
    }
}

/// The tasks of these names, families unfolded.
pub(crate) fn tasks(names: &[String], from: &TasksFrom) -> Outcome<Vec<Task>> {
    let library = library(from);
    let options = TaskOptions { shots: from.shots, level: from.level };
    let mut tasks: Vec<Task> = Vec::new();
    for name in names {
        for name in expand(name).map_err(unusable)? {
            if tasks.iter().all(|t| t.name() != name) {
                tasks.push(library.open(&name, Split::Eval, options).map_err(unusable)?);
            }
        }
    }
    Ok(tasks)
}

/// How answers are made.
pub(crate) fn settings(answers: &Answers, seed: u64) -> Outcome<Settings> {
    let sampling = SamplingParams {
        temperature: answers.temperature,
        top_p: answers.top_p,
        seed,
        ..SamplingParams::default()
    };
    sampling.validate(usize::MAX).map_err(|e| Failure::input(e.to_string()))?;
    let chat = (answers.chat || answers.raw).then_some(answers.chat);
    Ok(Settings { sampling, max_tokens: answers.max_tokens, chat })
}

/// Whether --model is a server's address.
pub(crate) fn is_url(model: &Path) -> bool {
    model.to_str().is_some_and(|m| m.starts_with("http://") || m.starts_with("https://"))
}

/// A model in this process.
pub(crate) fn local(
    model: &ModelArgs,
    adapter: Option<&Path>,
    answers: &Answers,
) -> Outcome<Local> {
    let hash = Served::at(&resolve(&model.model)?, adapter).map_err(unusable)?.hash();
    let runner = Runner::load(model)?;
    let loaded = adapter
        .map(|folder| Adapter::load(&runner.cpu, &runner.decoder, folder).map(Arc::new))
        .transpose()
        .map_err(unusable)?;
    let template = if answers.raw { None } else { runner.text.chat()? };
    let weights = runner.decoder.footprint().format;
    let tier = runner.cpu.isa().tier().name();
    let identity = Identity {
        model: model.model.display().to_string(),
        adapter: adapter.map(|path| path.display().to_string()),
        hash,
        engine: format!("{weights:?} weights, {:?} cache, {tier}", runner.kv),
    };
    Ok(Local::new(LocalParts {
        cpu: runner.cpu,
        decoder: runner.decoder,
        adapter: loaded,
        tokenizer: Arc::new(runner.text.0.tokenizer),
        template,
        kv: runner.kv,
        batch: answers.batch as usize,
        identity,
    }))
}

/// The player that --model names.
pub(crate) fn player(
    model: &ModelArgs,
    adapter: Option<&Path>,
    name: Option<&str>,
    answers: &Answers,
) -> Outcome<Box<dyn Player>> {
    if !is_url(&model.model) {
        return Ok(Box::new(Assisted::new(local(model, adapter, answers)?)));
    }
    if adapter.is_some() {
        return Err(Failure::input("--adapter: a server has its own adapters")
            .hint("--name says which of its models answers"));
    }
    let parts = RemoteParts {
        url: model.model.display().to_string(),
        model: name.unwrap_or("default").to_owned(),
        key: env::server_key(),
        batch: answers.batch as usize,
    };
    Ok(Box::new(Remote::new(parts)))
}

/// The folder of kept answers. Answers of a server are not kept: it may serve another model tomorrow.
pub(crate) fn cache(model: &Path, answers: &Answers) -> Option<PathBuf> {
    let home = env::home().filter(|_| !answers.no_cache && !is_url(model))?;
    Some(Home::at(&home).evals().join("cache"))
}
