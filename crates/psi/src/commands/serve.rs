//! `psi serve`: models over HTTP, for OpenAI's and Anthropic's clients.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use psi_infer::{
    chat::ChatModel,
    grammar::GrammarLimits,
    service::{Service, ServiceOptions},
    text::ModelText,
};
use psi_kernels::Cpu;
use psi_model::{Decoder, LoadOptions};
use psi_server::{
    AccessLog, Api, ApiOptions, Limits, LoadModel, ModelSpec, ServeError, ServedModels, Server,
    ServerOptions,
};
use psi_store::{Home, Served};

use crate::{
    bundled,
    cli::Serve,
    commands::{database, served},
    cpu,
    error::{Failure, Outcome},
    model,
};

/// The name of what the assistant serves.
const ASSISTANT: &str = "assistant";
/// How often the signals' flag is looked at.
const POLL: Duration = Duration::from_millis(100);

pub(crate) fn run(args: &Serve) -> Outcome {
    let models = args.model.iter().map(|given| spec(given)).collect::<Outcome<Vec<_>>>()?;
    let follows = models.iter().any(|spec| spec.name == ASSISTANT);
    let options = ApiOptions {
        models: ServedModels::Named {
            models,
            load: loader(args)?,
            idle_unload: args.idle_unload.map(|minutes| Duration::from_secs(60 * minutes)),
        },
        keys: args.keys.clone(),
        adapters: args.adapters.clone(),
        store: args.store.clone(),
        ledger: args.ledger.clone(),
        access_log: access_log(args.access_log.as_deref()),
        report: Arc::new(|line| eprintln!("psi: {line}")),
        hosts: hosts(args),
        origins: args.allow_origin.clone(),
        limits: Limits { body_bytes: args.max_body << 20, ..Limits::default() },
        clock: now,
    };
    let api = Api::new(options).map_err(|e| Failure::input(e.to_string()))?;
    if !args.host.is_loopback() && !api.needs_keys() {
        return Err(Failure::input(format!("--host {}: others can reach this address", args.host))
            .hint("give --keys FILE, so that not everyone may use the models"));
    }
    if follows {
        follow(&api)?;
    }
    let stop = super::train::stop_on_signals()?;
    let server = ServerOptions { host: args.host, port: args.port, ..ServerOptions::default() };
    let server =
        Server::start(api.clone(), &server).map_err(|e| not_served("psi cannot serve", e))?;
    if !args.lazy {
        api.preload().map_err(|e| Failure::input("the first model cannot be loaded").because(e))?;
    }
    eprintln!("psi: serving at http://{}/v1", server.address());
    wait(&stop);
    eprintln!("psi: ending what runs, for at most {} s; again to end at once", args.drain);
    server.stop(Duration::from_secs(args.drain));
    Ok(())
}

/// Lets `assistant` mean what the assistant serves, after every promotion and rollback.
fn follow(api: &Api) -> Outcome {
    let (home, api) = (database::home()?, api.clone());
    let own = home.clone();
    let changed = move || {
        let replaced = match assistant(&own) {
            Ok(path) => api.replace(ASSISTANT, &path).map_err(|e| e.to_string()),
            Err(failure) => Err(failure.to_string()),
        };
        match replaced {
            Ok(()) => eprintln!("psi: {ASSISTANT} is another model by now"),
            Err(why) => eprintln!("psi: the old model goes on: {why}"),
        }
        true
    };
    served::follow(&home, changed)
        .map_err(|e| Failure::failed("promotions cannot be followed").because(e))
}

/// Where the model lies that the assistant serves.
fn assistant(home: &Home) -> Outcome<PathBuf> {
    match served::promoted(home)? {
        None => bundled::unpack(home),
        Some(Served { model, adapter: None }) => Ok(model.path),
        Some(Served { adapter: Some(adapter), .. }) => {
            let path = adapter.path.display();
            let error = Failure::input(format!("{path}: psi serve promotes no adapters by itself"));
            Err(error.hint("serve the model with --adapters, or merge the two"))
        }
    }
}

/// Why there is no server, and what to do about it.
pub(crate) fn not_served(what: &str, error: ServeError) -> Failure {
    let hint = error.hint();
    let failure = Failure::failed(what).because(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn wait(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(POLL);
    }
}

#[expect(clippy::disallowed_methods, reason = "the binary is the home of wall-clock time")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// `NAME=PATH`, or a path whose last part is the name.
fn spec(given: &str) -> Outcome<ModelSpec> {
    let (name, path) = match given.split_once('=') {
        Some((name, path)) if !Path::new(given).exists() => (Some(name), path),
        _ if given == ASSISTANT && !Path::new(given).exists() => {
            let path = assistant(&database::home()?)?;
            return Ok(ModelSpec { name: given.to_owned(), path });
        }
        _ => (None, given),
    };
    let path = model::resolve(Path::new(path))?;
    let last = || path.file_stem().map(|n| n.to_string_lossy().into_owned());
    let whole = || path.file_name().map(|n| n.to_string_lossy().into_owned());
    let own = if path.is_dir() { whole() } else { last() };
    let name = name.map(str::to_owned).or(own).unwrap_or_else(|| given.to_owned());
    Ok(ModelSpec { name, path })
}

fn loader(args: &Serve) -> Outcome<LoadModel> {
    let cpu: Arc<Cpu> = cpu::cpu(args.threads)?;
    let format = args.dtype.map(model::format).transpose()?;
    let template: Option<String> = match &args.chat_template {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path);
            Some(text.map_err(|e| model::unreadable(path, e))?)
        }
    };
    let service = ServiceOptions {
        max_batch: args.max_batch,
        max_queue: args.max_queue,
        max_context: args.context,
        cache_bytes: args.cache << 20,
        ..ServiceOptions::default()
    };
    let kv = args.kv;
    Ok(Arc::new(move |spec: &ModelSpec| {
        let mut text = ModelText::open(&spec.path)?;
        text.template = template.clone().or(text.template);
        let template = text.chat_template()?;
        let decoder = Decoder::load(&cpu, &spec.path, &LoadOptions { format })?;
        let kv_dtype = model::kv_dtype(kv, &decoder);
        let options = ServiceOptions { kv_dtype, ..service.clone() };
        let service = Service::start(&cpu, Arc::new(decoder), options)?;
        let limits = GrammarLimits::default();
        Ok(ChatModel::new(spec.name.clone(), service, Arc::new(text.tokenizer), template, limits)?)
    }))
}

fn access_log(path: Option<&Path>) -> AccessLog {
    match path {
        None => AccessLog::Off,
        Some(path) if path == Path::new("-") => AccessLog::Stream(Box::new(std::io::stderr())),
        Some(path) => AccessLog::File(PathBuf::from(path)),
    }
}

/// Beside loopback names: those given, or, where the server listens for others, any.
fn hosts(args: &Serve) -> Vec<String> {
    let own = |host: IpAddr| !host.is_loopback() && args.allow_host.is_empty();
    if own(args.host) { vec!["*".to_owned()] } else { args.allow_host.clone() }
}
