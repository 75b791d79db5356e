//! The HTTP API: OpenAI's and Anthropic's routes, and psi's own, over the models of one process.
//!
//! [`routes::ROUTES`] declares every route once: the router, the access rules, the OpenAPI document and
//! the tests go by that list. [`gate`] stands before all of them.

mod access_log;
mod adapters;
mod body;
mod chat;
mod completions;
mod conversation;
mod conversations;
mod embeddings;
mod error;
mod gate;
mod health;
mod host;
mod jobs;
mod keys;
mod lines;
mod messages;
mod metrics;
mod model_list;
mod models;
mod openapi;
mod padding;
mod responses;
mod routes;
mod sampling;
mod sse;
mod store;
mod stored_chat;
mod text;
mod text_or;

use std::{
    fmt,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

pub use keys::KeysError;
pub use models::{CurrentModel, LoadError, LoadModel, ModelSpec, ServedModels};

use keys::Keys;
use lines::{LineWriter, Sink};
use metrics::Metrics;
use models::Models;
use store::Store;

/// How the API is set up.
pub struct ApiOptions {
    /// The models it serves.
    pub models: ServedModels,
    /// Who may ask; without a file everyone who reaches the server.
    pub keys: Option<PathBuf>,
    /// The folder that LoRA adapters may be loaded from.
    pub adapters: Option<PathBuf>,
    /// Where completions and responses are kept that clients ask to be stored; `None`: in memory.
    pub store: Option<PathBuf>,
    /// Where each request's token counts are appended, on the disk before the next batch is.
    pub ledger: Option<PathBuf>,
    /// Where a line per request goes, without its contents.
    pub access_log: AccessLog,
    /// What the server tells its owner: models that cannot be loaded, panics.
    pub report: Report,
    /// Names by which the server may be called beside loopback ones; empty where it listens on another
    /// address: any.
    pub hosts: Vec<String>,
    /// Other sites whose pages may ask (`https://app.example`).
    pub origins: Vec<String>,
    /// What a request may be.
    pub limits: Limits,
    /// The time of day.
    pub clock: fn() -> SystemTime,
}

/// Takes a line for the server's owner.
pub type Report = Arc<dyn Fn(&str) + Send + Sync>;

/// Where the access log goes.
pub enum AccessLog {
    /// Nowhere.
    Off,
    /// To a file, which is appended to.
    File(PathBuf),
    /// To standard error, say.
    Stream(Box<dyn Write + Send>),
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("Off"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

impl fmt::Debug for ApiOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("ApiOptions");
        out.field("models", &self.models).field("keys", &self.keys).field("limits", &self.limits);
        out.finish_non_exhaustive()
    }
}

/// What a request may be; beyond it is an error, never a cut.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest body in bytes.
    pub body_bytes: usize,
    /// Longest time for a body to arrive.
    pub body_time: Duration,
    /// Most prompts times answers of one request.
    pub n_answers: usize,
    /// Most messages of a conversation.
    pub n_messages: usize,
    /// Most tools.
    pub n_tools: usize,
    /// Time between two signs of life in a stream.
    pub keep_alive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 16 << 20,
            body_time: Duration::from_secs(30),
            n_answers: 1024,
            n_messages: 4096,
            n_tools: 128,
            keep_alive: Duration::from_secs(10),
        }
    }
}

/// The API of one process. Clones are handles of the same one.
#[derive(Clone)]
pub struct Api {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) models: Models,
    pub(crate) keys: Keys,
    pub(crate) hosts: host::Allowed,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) store: Store,
    pub(crate) adapters: Option<PathBuf>,
    pub(crate) last_answer: health::LastAnswer,
    ledger: Option<LineWriter>,
    access_log: Option<LineWriter>,
    report: Report,
    clock: fn() -> SystemTime,
    started: Instant,
    draining: AtomicBool,
    n_requests: AtomicU64,
    /// Distinguishes the ids of this process from those of others.
    nonce: u64,
}

/// Why the API cannot be set up.
#[derive(Debug)]
#[non_exhaustive]
pub enum ApiSetupError {
    /// No model to serve, or two of one name.
    Models(String),
    /// The keys file cannot be used.
    Keys(KeysError),
    /// A log cannot be opened or read.
    Log {
        /// The file.
        path: PathBuf,
        /// The line that is wrong, from 1; 0: the file itself.
        line: usize,
        /// Why.
        source: io::Error,
    },
    /// The system refuses a thread or randomness.
    System(io::Error),
}

impl fmt::Display for ApiSetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Models(why) => f.write_str(why),
            Self::Keys(error) => write!(f, "the keys file: {error}"),
            Self::Log { path, line: 0, source } => write!(f, "{}: {source}", path.display()),
            Self::Log { path, line, source } => {
                write!(f, "{}: line {line}: {source}", path.display())
            }
            Self::System(source) => write!(f, "starting the API: {source}"),
        }
    }
}

impl std::error::Error for ApiSetupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Models(_) => None,
            Self::Keys(error) => Some(error),
            Self::Log { source, .. } | Self::System(source) => Some(source),
        }
    }
}

impl Api {
    /// Sets the API up; models are loaded when they are first asked for.
    ///
    /// # Errors
    /// [`ApiSetupError`] when a file or a name of the options cannot be used.
    pub fn new(options: ApiOptions) -> Result<Self, ApiSetupError> {
        let keys = match &options.keys {
            None => Keys::open(),
            Some(path) => Keys::read(path).map_err(ApiSetupError::Keys)?,
        };
        if let Some(path) = &options.ledger {
            restore_usage(&keys, path, (options.clock)())?;
        }
        let report = Arc::clone(&options.report);
        let open = |path: PathBuf, sync| {
            let sink = Sink::append(&path, sync);
            let sink = sink.map_err(|source| ApiSetupError::Log { path, line: 0, source })?;
            writer(sink, &report)
        };
        let access_log = match options.access_log {
            AccessLog::Off => None,
            AccessLog::File(path) => Some(open(path, false)?),
            AccessLog::Stream(stream) => Some(writer(Sink::Stream(stream), &report)?),
        };
        let ledger = options.ledger.map(|path| open(path, true)).transpose()?;
        let models = Models::new(options.models).map_err(ApiSetupError::Models)?;
        let store = Store::open(options.store);
        let store = store.map_err(|(path, source)| ApiSetupError::Log { path, line: 0, source })?;
        let mut nonce = [0; 8];
        getrandom::fill(&mut nonce)
            .map_err(|e| ApiSetupError::System(io::Error::other(e.to_string())))?;
        let shared = Shared {
            models,
            keys,
            hosts: host::Allowed::new(options.hosts, options.origins),
            limits: options.limits,
            metrics: Metrics::default(),
            store,
            adapters: options.adapters,
            last_answer: health::LastAnswer::default(),
            ledger,
            access_log,
            report,
            clock: options.clock,
            started: Instant::now(),
            draining: AtomicBool::new(false),
            n_requests: AtomicU64::new(0),
            nonce: u64::from_le_bytes(nonce),
        };
        let shared = Arc::new(shared);
        models::watch_idle(&shared).map_err(ApiSetupError::System)?;
        Ok(Self { shared })
    }

    /// Loads the first model now, so that the first request need not wait.
    ///
    /// # Errors
    /// Why it cannot be loaded.
    pub fn preload(&self) -> Result<(), LoadError> {
        self.shared.models.preload()
    }

    /// Lets a name mean the model at `path` from now on, without dropping an answer: what is being
    /// written ends with the model that it began with.
    ///
    /// # Errors
    /// Why the new model cannot be loaded; then the old one goes on.
    pub fn replace(&self, name: &str, path: &Path) -> Result<(), LoadError> {
        self.shared.models.replace(name, path)
    }

    /// Whether a key is needed: a server that others reach must have keys.
    pub fn needs_keys(&self) -> bool {
        self.shared.keys.are_needed()
    }

    /// The router of every route.
    pub(crate) fn router(&self) -> axum::Router {
        routes::router(&self.shared)
    }

    /// The same with an answer for every other path.
    pub(crate) fn router_with_fallback(&self) -> axum::Router {
        let shared = Arc::clone(&self.shared);
        self.router().fallback(move |request| routes::unknown(Arc::clone(&shared), request))
    }

    /// Goes on with the batches that the last process did not end. Called on the server's runtime.
    pub(crate) fn resume_batches(&self) {
        messages::batches::resume(&self.shared);
    }

    /// Refuses new requests and lets running ones end, for at most `limit`; then they are cancelled.
    pub fn drain(&self, limit: Duration) {
        self.shared.draining.store(true, Ordering::Relaxed);
        self.shared.models.drain(limit);
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Api({} requests so far)", self.shared.n_requests.load(Ordering::Relaxed))
    }
}

impl Shared {
    /// Seconds since 1970.
    pub(crate) fn unix_s(&self) -> u64 {
        let since = (self.clock)().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |d| d.as_secs())
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// 24 hexadecimal digits that name one request, or one thing made for it.
    pub(crate) fn new_id(&self) -> String {
        let n = self.n_requests.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}{n:08x}", self.nonce)
    }

    /// A seed for a request that gave none.
    pub(crate) fn draw_seed(&self) -> u64 {
        let mut bytes = [0; 8];
        match getrandom::fill(&mut bytes) {
            Ok(()) => u64::from_le_bytes(bytes),
            // Still another one each time.
            Err(_) => self.nonce ^ self.n_requests.load(Ordering::Relaxed),
        }
    }

    /// Appends a line to the usage ledger.
    pub(crate) fn account(&self, line: &serde_json::Value) {
        if let Some(ledger) = &self.ledger {
            ledger.put(line);
        }
    }

    /// Tells the server's owner.
    pub(crate) fn report(&self, line: &str) {
        (self.report)(line);
    }
}

fn writer(sink: Sink, report: &Report) -> Result<LineWriter, ApiSetupError> {
    let report = Arc::clone(report);
    LineWriter::start(sink, Box::new(move |why| report(&why))).map_err(ApiSetupError::System)
}

/// Counts what the ledger says the keys have used today, so that a restart gives no new quota.
fn restore_usage(
    keys: &Keys,
    path: &std::path::Path,
    now: SystemTime,
) -> Result<(), ApiSetupError> {
    let now_s = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let today = now_s / 86_400;
    let read = lines::read_lines(path, &mut |line| {
        let number = |name: &str| line[name].as_u64().unwrap_or(0);
        if number("time") / 86_400 == today
            && let Some(key) = line["key"].as_str().and_then(|name| keys.named(name))
        {
            key.restore(number("prompt_tokens") + number("completion_tokens"), now_s);
        }
    });
    read.map_err(|(line, source)| ApiSetupError::Log { path: path.to_owned(), line, source })
}
