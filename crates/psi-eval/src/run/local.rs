//! The player in this process: a model, its tokenizer and, if it has one, its chat template.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Instant,
};

use psi_infer::{
    Engine, EngineError, EngineOptions,
    service::{Service, ServiceError},
};
use psi_kernels::{Cpu, kv::KvDtype};
use psi_model::{Adapter, Decoder};
use psi_tokenizer::{ChatTemplate, TokenId, Tokenizer};
use serde_json::{Map, Value};

use super::{
    RunError,
    generation::{ADAPTER, Generator},
    likelihood::{self, Choices},
    player::{Identity, Overlong, PlayError, Played, Player, Settings, Sink},
};
use crate::task::{Generation, Item, LogLikelihood, Output, OutputKind, Request};

/// Memory of the key/value cache for log-likelihoods, unless one sequence needs more.
const CACHE_BYTES: usize = 256 << 20;
/// Positions that the cache has use for.
const MAX_POSITIONS: usize = 1 << 16;
/// Items asked at once: enough for full passes, few enough that little is lost by a kill.
const APPETITE: usize = 512;

/// Items in one forward pass.
const PIECE: usize = 64;
/// A model that reads at most this much per token has an engine for each thread: its matrices are too small to be
/// shared out, so the items are.
const SMALL_BYTES: f64 = 64e6;

/// What a local player is made of.
#[derive(Debug)]
pub struct LocalParts {
    /// The processor.
    pub cpu: Arc<Cpu>,
    /// The weights.
    pub decoder: Arc<Decoder>,
    /// What is laid on them.
    pub adapter: Option<Arc<Adapter>>,
    /// The tokenizer.
    pub tokenizer: Arc<Tokenizer>,
    /// The chat template, compiled.
    pub template: Option<ChatTemplate>,
    /// Type of the key/value cache.
    pub kv: KvDtype,
    /// Most generations at a time.
    pub batch: usize,
    /// What the answers are kept under.
    pub identity: Identity,
}

/// A model in this process.
#[derive(Debug)]
pub struct Local {
    parts: LocalParts,
    engine: Option<Engine>,
    generator: Option<Generator>,
}

impl Local {
    /// A player; caches are made when they are first needed.
    pub fn new(parts: LocalParts) -> Self {
        Self { parts, engine: None, generator: None }
    }

    fn context(&self) -> usize {
        self.parts.decoder.config().max_seq_len
    }

    fn engine(&mut self) -> &mut Engine {
        let LocalParts { cpu, decoder, kv, .. } = &self.parts;
        self.engine.get_or_insert_with(|| engine(cpu, decoder, *kv))
    }

    /// The prompt of a generation: as text, and as tokens.
    pub(super) fn prompt(
        &self,
        item: &Item,
        settings: &Settings,
    ) -> Result<(String, Vec<TokenId>), PlayError> {
        let tokenizer = &self.parts.tokenizer;
        match (&self.parts.template, settings.chat) {
            (None, Some(true)) => {
                Err(PlayError::Cannot { what: "the model has no chat template".to_owned() })
            }
            (Some(template), None | Some(true)) => {
                let messages = Value::Array(item.prompt.messages());
                let tools = Value::Array(item.prompt.tools.clone());
                let tools = (!item.prompt.tools.is_empty()).then_some(&tools);
                let text = template.render(&messages, tools, true, &Map::new());
                let text = text.map_err(PlayError::Template)?;
                let tokens = tokenizer.encode(&text, false, true);
                Ok((text, tokens))
            }
            (_, _) => {
                let text = item.prompt.text();
                let mut tokens = tokenizer.prefix_ids().to_vec();
                tokens.extend(tokenizer.encode(&text, false, true));
                if tokens.is_empty() {
                    tokens.extend(tokenizer.bos().or(tokenizer.eos()));
                }
                Ok((text, tokens))
            }
        }
    }

    /// Whether the item's answer goes through the chat template.
    pub(super) fn chats(&self, settings: &Settings) -> bool {
        settings.chat.unwrap_or(self.parts.template.is_some())
    }

    /// What it is made of.
    pub fn parts(&self) -> &LocalParts {
        &self.parts
    }

    /// The service that writes its answers, started when it is first needed, and the name of the adapter there.
    ///
    /// # Errors
    /// When the service refuses its options.
    pub fn service(&mut self) -> Result<(Service, Option<&'static str>), ServiceError> {
        let adapter = self.parts.adapter.is_some().then_some(ADAPTER);
        Ok((self.generator()?.service().clone(), adapter))
    }

    /// The part that writes answers, started when it is first needed.
    pub(super) fn generator(&mut self) -> Result<&Generator, ServiceError> {
        if self.generator.is_none() {
            self.generator = Some(Generator::start(&self.parts)?);
        }
        Ok(self.generator.as_ref().expect("made above"))
    }

    /// The choices of the items of these indices.
    fn choices(
        &mut self,
        items: &[&Item],
        indices: &[usize],
        sink: &mut Sink<'_>,
    ) -> super::Result<()> {
        let LocalParts { cpu, decoder, tokenizer, adapter, kv, .. } = &self.parts;
        let asker = Asker { tokenizer: tokenizer.clone(), adapter: adapter.clone(), items };
        let is_small = decoder.footprint().bytes <= SMALL_BYTES;
        let n_threads = if is_small { cpu.n_threads() } else { 1 };
        if n_threads.min(indices.len().div_ceil(PIECE)) > 1 {
            let (isa, decoder, kv) = (cpu.isa(), decoder.clone(), *kv);
            let alone = || engine(&Arc::new(Cpu::new(isa, 1)), &decoder, kv);
            return asker.shared_out(indices, n_threads, &alone, sink);
        }
        for piece in indices.chunks(PIECE) {
            asker.keep(piece, asker.answer(self.engine(), piece), sink)?;
        }
        Ok(())
    }

    fn rolling(&mut self, item: &Item, text: &str) -> super::Result<(LogLikelihood, usize)> {
        let tokenizer = Arc::clone(&self.parts.tokenizer);
        let start = tokenizer.prefix_ids().first().copied().or(tokenizer.bos()).or(tokenizer.eos());
        let tokens = tokenizer.encode(text, false, true);
        let adapter = self.parts.adapter.clone();
        let found = likelihood::rolling(self.engine(), adapter.as_ref(), start, &tokens);
        Ok((found.map_err(|e| failed(item, e))?, tokens.len()))
    }
}

fn engine(cpu: &Arc<Cpu>, decoder: &Arc<Decoder>, kv: KvDtype) -> Engine {
    let block = psi_kernels::kv::KvArena::bytes_per_block(decoder.kv_shape(), kv);
    let one = block / psi_kernels::kv::KV_BLOCK;
    let max_seq_len = decoder.config().max_seq_len;
    let n_positions = (CACHE_BYTES / one.max(1)).min(MAX_POSITIONS).max(max_seq_len + 1);
    let options = EngineOptions { kv, n_positions, ..EngineOptions::default() };
    Engine::new(cpu, Arc::clone(decoder), options)
}

/// Puts items with choices to engines.
struct Asker<'a> {
    tokenizer: Arc<Tokenizer>,
    adapter: Option<Arc<Adapter>>,
    items: &'a [&'a Item],
}

type Answers = Result<Vec<Played>, EngineError>;

impl Asker<'_> {
    fn answer(&self, engine: &mut Engine, indices: &[usize]) -> Answers {
        let started = Instant::now();
        let prompts: Vec<String> = indices.iter().map(|&i| self.items[i].prompt.text()).collect();
        let pairs = indices.iter().zip(&prompts);
        let tokens: Vec<Choices> =
            pairs.map(|(&i, text)| choices_of(&self.tokenizer, self.items[i], text)).collect();
        let found = likelihood::choices(engine, self.adapter.as_ref(), &tokens)?;
        let seconds = started.elapsed().as_secs_f64() / indices.len() as f64;
        let played = |((prompt, tokens), found): ((String, &Choices), Vec<LogLikelihood>)| {
            let n_prompt = tokens.tokens.iter().map(Vec::len).sum();
            let n_answer = found.iter().map(|f| f.n_tokens).sum();
            Played { prompt, output: Output::Choices(found), n_prompt, n_answer, seconds }
        };
        Ok(prompts.into_iter().zip(&tokens).zip(found).map(played).collect())
    }

    fn keep(&self, indices: &[usize], found: Answers, sink: &mut Sink<'_>) -> super::Result<()> {
        let found = found.map_err(|e| failed(self.items[indices[0]], e))?;
        indices.iter().zip(found).try_for_each(|(&i, played)| sink(i, played))
    }

    /// Pieces to whichever thread is free, each with an engine of its own; the answers are kept in order.
    fn shared_out(
        &self,
        indices: &[usize],
        n_threads: usize,
        engine: &(dyn Fn() -> Engine + Sync),
        sink: &mut Sink<'_>,
    ) -> super::Result<()> {
        let pieces: Vec<&[usize]> = indices.chunks(PIECE).collect();
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let (sender, answers) = mpsc::channel();
            for _ in 0..n_threads.min(pieces.len()) {
                let (sender, pieces, next) = (sender.clone(), &pieces, &next);
                let work = move || {
                    let mut engine = engine();
                    loop {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        let Some(piece) = pieces.get(n) else { return };
                        if sender.send((n, self.answer(&mut engine, piece))).is_err() {
                            return; // nobody wants the rest
                        }
                    }
                };
                let named = std::thread::Builder::new().name("psi-eval".to_owned());
                named.spawn_scoped(scope, work).expect("the system gives a thread");
            }
            drop(sender);
            let mut early = BTreeMap::new();
            let mut kept = 0;
            for (n, found) in answers {
                early.insert(n, found);
                while let Some(found) = early.remove(&kept) {
                    self.keep(pieces[kept], found, sink)?;
                    kept += 1;
                }
            }
            Ok(())
        })
    }
}

/// The choices of an item as tokens; of one that has none, nothing.
fn choices_of(tokenizer: &Tokenizer, item: &Item, text: &str) -> Choices {
    match &item.request {
        Request::Choices { choices, span } => Choices::new(tokenizer, text, choices, *span),
        _ => Choices::new(tokenizer, text, &[], crate::task::Span::Continuation),
    }
}

pub(super) fn failed(item: &Item, source: impl Into<PlayError>) -> RunError {
    RunError::Play { item: item.id.clone(), source: source.into() }
}

/// Most tokens of the item's answer.
pub(super) fn max_tokens(limits: &Generation, settings: &Settings) -> usize {
    settings.max_tokens.unwrap_or(limits.max_tokens)
}

impl Player for Local {
    fn identity(&self) -> &Identity {
        &self.parts.identity
    }

    fn appetite(&self) -> usize {
        APPETITE
    }

    fn overlong(&self, item: &Item, settings: &Settings) -> Result<Option<Overlong>, PlayError> {
        let limit = self.context();
        let n_tokens = match &item.request {
            // The last token is predicted, not read.
            Request::Choices { .. } => {
                let text = item.prompt.text();
                choices_of(&self.parts.tokenizer, item, &text).longest().saturating_sub(1)
            }
            Request::Rolling { .. } => 0,
            Request::Generation(limits) => {
                self.prompt(item, settings)?.1.len() + max_tokens(limits, settings)
            }
            Request::MultiTurn { .. } => return Err(no_conversation()),
        };
        Ok((n_tokens > limit).then(|| Overlong { id: item.id.clone(), n_tokens, limit }))
    }

    fn play(
        &mut self,
        items: &[&Item],
        settings: &Settings,
        sink: &mut Sink<'_>,
    ) -> super::Result<()> {
        let of = |kind: OutputKind| -> Vec<usize> {
            (0..items.len()).filter(|&i| items[i].request.kind() == kind).collect()
        };
        let choices = of(OutputKind::Choices);
        self.choices(items, &choices, sink)?;
        for i in of(OutputKind::Rolling) {
            let Request::Rolling { text } = &items[i].request else { continue };
            let started = Instant::now();
            let (found, n_prompt) = self.rolling(items[i], text)?;
            let seconds = started.elapsed().as_secs_f64();
            let (prompt, output) = (text.clone(), Output::Rolling(found));
            sink(i, Played { prompt, output, n_prompt, n_answer: found.n_tokens, seconds })?;
        }
        let generations = of(OutputKind::Generation);
        if !generations.is_empty() {
            super::generation::generate(self, items, &generations, settings, sink)?;
        }
        match of(OutputKind::MultiTurn).first() {
            Some(&i) => Err(failed(items[i], no_conversation())),
            None => Ok(()),
        }
    }
}

fn no_conversation() -> PlayError {
    let what = "this player does not play the assistant";
    PlayError::Cannot { what: what.to_owned() }
}
