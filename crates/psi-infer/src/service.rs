//! The service: one thread that owns an [`Engine`](crate::Engine) and serves many requests at once.
//!
//! Requests come and go at every step (continuous batching); long prompts are computed in chunks beside
//! the others' decoding. What a request gets never depends on what runs beside it.

mod constraint;
mod embed;
mod error;
mod queue;
mod request;
mod scheduler;
mod stream;
mod worker;

use std::{
    collections::BTreeMap,
    fmt,
    path::Path,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Sender},
    },
    time::{Duration, Instant},
};

use psi_kernels::{
    Cpu,
    kv::{KV_BLOCK, KvArena, KvDtype},
};
use psi_model::{Adapter, Decoder, ModelError};
use psi_tokenizer::TokenId;

pub(crate) use constraint::apply;
pub use constraint::{Constraint, ConstraintError};
pub use embed::Pooling;
pub use error::{ServiceError, SubmitError};
pub use request::{Completion, Event, EventSink, Finish, Request, Ticket, TokenScore, Usage};

use crate::Speculation;
use embed::Embedding;
use stream::Stream;
use worker::Command;

/// How a service is set up.
#[derive(Clone, Debug)]
pub struct ServiceOptions {
    /// Most requests that run at once.
    pub max_batch: usize,
    /// Most requests that wait beside them; one more is refused.
    pub max_queue: usize,
    /// Most tokens of one request, prompt and answer; `None`: what the model was made for.
    pub max_context: Option<usize>,
    /// Memory for keys and values, of all requests and of prefixes kept for later ones.
    pub cache_bytes: usize,
    /// Most prompt tokens computed in one step. Answers do not depend on it.
    pub prefill_chunk: usize,
    /// How keys and values are stored.
    pub kv_dtype: KvDtype,
    /// How tokens are guessed ahead. Answers do not depend on it.
    pub speculation: Speculation,
}

impl Default for ServiceOptions {
    fn default() -> Self {
        Self {
            max_batch: 32,
            max_queue: 256,
            max_context: None,
            cache_bytes: 1 << 30,
            prefill_chunk: 256,
            kv_dtype: KvDtype::Bf16,
            speculation: Speculation::Off,
        }
    }
}

/// A model that answers requests. Clones are handles of the same service; its thread ends when the
/// last one is dropped and the last request is answered.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

struct Shared {
    cpu: Arc<Cpu>,
    model: Arc<Decoder>,
    adapters: Mutex<BTreeMap<String, Arc<Adapter>>>,
    max_context: usize,
    commands: Sender<Command>,
    door: Arc<Door>,
}

/// What the service's handles and its thread both see.
#[derive(Debug, Default)]
struct Door {
    state: Mutex<DoorState>,
    /// Told when a request ends.
    ended: Condvar,
    /// Whether running requests are to be cancelled.
    aborted: AtomicBool,
}

#[derive(Debug, Default)]
struct DoorState {
    /// Requests taken and not yet ended.
    n_open: usize,
    /// Requests that there may be.
    max_open: usize,
    closed: bool,
    status: Status,
}

impl Door {
    fn lock(&self) -> MutexGuard<'_, DoorState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request in, if there is room for it.
    fn enter(&self) -> Result<(), SubmitError> {
        let mut state = self.lock();
        if state.closed {
            return Err(SubmitError::Stopped);
        }
        if state.n_open >= state.max_open {
            return Err(SubmitError::QueueFull { n_open: state.n_open });
        }
        state.n_open += 1;
        Ok(())
    }

    /// Counts a request out.
    fn leave(&self) {
        self.lock().n_open -= 1;
        self.ended.notify_all();
    }
}

/// What a service is doing and has done since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Requests that run.
    pub n_running: usize,
    /// Requests that wait, to begin or to go on.
    pub n_queued: usize,
    /// Cache blocks that running requests hold.
    pub n_blocks_used: usize,
    /// Cache blocks that hold prefixes for later requests.
    pub n_blocks_kept: usize,
    /// Cache blocks there are.
    pub n_blocks: usize,
    /// Positions per block.
    pub block_len: usize,
    /// Bytes of the cache.
    pub cache_bytes: usize,
    /// Requests ended, in whatever way.
    pub n_ended: u64,
    /// How often a running request had to wait again because the cache was full.
    pub n_paused: u64,
    /// Prompt tokens of requests that were started.
    pub n_prompt_tokens: u64,
    /// Tokens whose keys and values were found in the cache.
    pub n_cached_tokens: u64,
    /// Tokens generated.
    pub n_generated_tokens: u64,
    /// Tokens guessed ahead.
    pub n_drafted_tokens: u64,
    /// Those of them that were right.
    pub n_accepted_tokens: u64,
    /// Forward passes.
    pub n_steps: u64,
}

impl Service {
    /// Starts a service of `model` on a thread of its own.
    ///
    /// # Errors
    /// [`ServiceError`] when the options cannot work or no thread can be started.
    pub fn start(
        cpu: &Arc<Cpu>,
        model: Arc<Decoder>,
        options: ServiceOptions,
    ) -> Result<Self, ServiceError> {
        let (n_blocks, max_context) = plan_cache(&model, &options)?;
        let door = Arc::new(Door::default());
        door.lock().max_open = options.max_batch + options.max_queue;
        let (commands, received) = mpsc::channel();
        let setup = worker::Setup {
            cpu: Arc::clone(cpu),
            model: Arc::clone(&model),
            n_blocks,
            options,
            door: Arc::clone(&door),
        };
        std::thread::Builder::new()
            .name("psi-service".to_owned())
            .spawn(move || worker::run(&setup, &received))
            .map_err(ServiceError::Thread)?;
        let (cpu, adapters) = (Arc::clone(cpu), Mutex::default());
        let shared = Shared { cpu, model, adapters, max_context, commands, door };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The model it serves.
    pub fn model(&self) -> &Arc<Decoder> {
        &self.shared.model
    }

    /// Most tokens of one request, prompt and answer.
    pub fn max_context(&self) -> usize {
        self.shared.max_context
    }

    /// Takes a request: its events go to `sink`, on the service's thread, which must not be held up.
    /// The last one is [`Event::Finished`] or [`Event::Failed`], and one of them always comes.
    ///
    /// # Errors
    /// [`SubmitError`]; then `sink` is never called.
    pub fn submit(&self, request: Request, sink: EventSink) -> Result<Ticket, SubmitError> {
        let cancelled = Arc::new(AtomicBool::new(false));
        let adapter = match &request.adapter {
            None => None,
            Some(name) => match self.adapters_by_name().get(name) {
                Some(adapter) => Some(Arc::clone(adapter)),
                None => return Err(SubmitError::UnknownAdapter(name.clone())),
            },
        };
        let limits = (self.shared.model.config(), self.shared.max_context);
        let stream = Stream::new(request, sink, &cancelled, adapter, limits)?;
        self.send(Command::Submit(Box::new(stream)))?;
        Ok(Ticket::new(cancelled))
    }

    /// Sends what counts as a request.
    fn send(&self, command: Command) -> Result<(), SubmitError> {
        let Shared { door, commands, .. } = &*self.shared;
        door.enter()?;
        commands.send(command).map_err(|_| {
            door.leave();
            SubmitError::Stopped
        })
    }

    /// Runs a request to its end.
    ///
    /// # Errors
    /// [`SubmitError`] when it is not taken.
    pub fn complete(&self, request: Request) -> Result<Completion, SubmitError> {
        let (sink, events) = mpsc::channel();
        // A receiver that is gone has had all it wants.
        let sink: EventSink = Box::new(move |event| drop(sink.send(event)));
        let _ticket = self.submit(request, sink)?;
        Ok(Completion::collect(events))
    }

    /// One vector of length 1 for a text: the pooled features of its tokens.
    ///
    /// # Errors
    /// [`SubmitError`] when the text is not taken, or the service is drained meanwhile.
    pub fn embed(&self, tokens: Vec<TokenId>, pooling: Pooling) -> Result<Vec<f32>, SubmitError> {
        let limits = (self.shared.model.config(), self.shared.max_context);
        let (reply, answer) = mpsc::channel();
        self.send(Command::Embed(Embedding::new(tokens, pooling, reply, limits)?))?;
        answer.recv().unwrap_or(Err(SubmitError::Stopped))
    }

    /// Loads an adapter of the model from a folder as PEFT writes it. One that had the name is replaced:
    /// requests that run keep what they began with.
    ///
    /// # Errors
    /// [`ModelError`] when the folder holds no adapter of this model.
    pub fn load_adapter(&self, name: &str, folder: &Path) -> Result<(), ModelError> {
        let Shared { cpu, model, .. } = &*self.shared;
        let adapter = Adapter::load(cpu, model, folder)?;
        self.add_adapter(name, Arc::new(adapter));
        Ok(())
    }

    /// [`Service::load_adapter`] for an adapter of the model that is loaded.
    pub fn add_adapter(&self, name: &str, adapter: Arc<Adapter>) {
        self.adapters_by_name().insert(name.to_owned(), adapter);
    }

    /// Takes an adapter away from new requests; returns whether there was one.
    pub fn unload_adapter(&self, name: &str) -> bool {
        self.adapters_by_name().remove(name).is_some()
    }

    /// Names of the adapters that requests can ask for.
    pub fn adapters(&self) -> Vec<String> {
        self.adapters_by_name().keys().cloned().collect()
    }

    fn adapters_by_name(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Adapter>>> {
        self.shared.adapters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the service is doing.
    pub fn status(&self) -> Status {
        self.shared.door.lock().status
    }

    /// Refuses new requests and waits until those taken have ended; what still runs after `limit` is
    /// cancelled. Returns whether all came to their own end.
    pub fn drain(&self, limit: Duration) -> bool {
        let door = &self.shared.door;
        let deadline = Instant::now() + limit;
        let mut state = door.lock();
        state.closed = true;
        while state.n_open > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = door.ended.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let in_time = state.n_open == 0;
        door.aborted.store(true, Ordering::Relaxed);
        while state.n_open > 0 {
            state = door.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        in_time
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Service({:?})", self.status())
    }
}

/// Number of blocks, and the most tokens of one request.
fn plan_cache(model: &Decoder, options: &ServiceOptions) -> Result<(usize, usize), ServiceError> {
    let zero = [("max_batch", options.max_batch), ("prefill_chunk", options.prefill_chunk)];
    if let Some((field, _)) = zero.iter().find(|(_, value)| *value == 0) {
        return Err(ServiceError::Option { field, why: "must be at least 1".to_owned() });
    }
    if let Speculation::Draft { model: draft, .. } = &options.speculation {
        let (n, n_draft) = (model.config().vocab_size, draft.config().vocab_size);
        if n != n_draft {
            let why = format!("has a draft model of {n_draft} tokens for a model of {n}");
            return Err(ServiceError::Option { field: "speculation", why });
        }
    }
    let longest = model.config().max_seq_len;
    let wanted = options.max_context.unwrap_or(longest);
    if wanted == 0 || wanted > longest {
        let why = format!("is {wanted}, but the model was made for 1 to {longest} tokens");
        return Err(ServiceError::Option { field: "max_context", why });
    }
    let per_block = KvArena::bytes_per_block(model.kv_shape(), options.kv_dtype);
    let useful = options.max_batch.saturating_mul(wanted.div_ceil(KV_BLOCK) + 1);
    let n_blocks = (options.cache_bytes / per_block).min(useful);
    if n_blocks == 0 {
        return Err(ServiceError::CacheTooSmall { bytes: options.cache_bytes, per_block });
    }
    Ok((n_blocks, wanted.min(n_blocks * KV_BLOCK)))
}
