//! One step after another: which requests run, which of their tokens are computed, what comes of it.

use std::sync::{Arc, atomic::Ordering};

use psi_kernels::kv::KV_BLOCK;

use super::{Door, Finish, ServiceOptions, queue::FairQueue, stream::Stream, worker::Setup};
use crate::{Engine, EngineOptions, Want, Work};

/// Prompt tokens per step while log-probabilities of prompts are wanted: every row then has logits,
/// and 128 rows of a vocabulary of 150,000 are 77 MB.
const SCORED_ROWS: usize = 128;

/// The requests of a service and the engine that runs them.
pub(super) struct Scheduler {
    engine: Engine,
    options: ServiceOptions,
    door: Arc<Door>,
    waiting: FairQueue,
    /// In the order in which they came to run.
    running: Vec<Box<Stream>>,
    n_blocks: usize,
}

/// A run of one stream's tokens in a step.
struct Piece {
    stream: usize,
    n_tokens: usize,
    want: Want,
}

impl Scheduler {
    pub(super) fn new(setup: &Setup) -> Self {
        let scheduler = Self {
            engine: engine(setup),
            options: setup.options.clone(),
            door: Arc::clone(&setup.door),
            waiting: FairQueue::default(),
            running: Vec::new(),
            n_blocks: setup.n_blocks,
        };
        scheduler.report(|_| {});
        scheduler
    }

    /// Fails what runs and begins with an empty cache.
    pub(super) fn restart(&mut self, setup: &Setup, why: &str) {
        for mut stream in std::mem::take(&mut self.running) {
            stream.fail(why.to_owned());
            drop(stream.close());
            self.door.leave();
        }
        self.engine = engine(setup);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    pub(super) fn push(&mut self, stream: Box<Stream>) {
        self.waiting.push(stream);
    }

    /// One forward pass over what runs, and everything around it.
    pub(super) fn step(&mut self) {
        self.drop_cancelled();
        self.admit();
        let pieces = self.plan();
        if !pieces.is_empty() {
            self.compute(&pieces);
        }
        self.close_ended();
    }

    fn drop_cancelled(&mut self) {
        let aborted = self.door.aborted.load(Ordering::Relaxed);
        let wanted = |stream: &Stream| !aborted && !stream.is_cancelled();
        for stream in self.waiting.remove(&wanted) {
            self.end(stream);
        }
        for stream in &mut self.running {
            if !wanted(stream) {
                stream.finish(Finish::Cancelled);
            }
        }
        self.close_ended();
    }

    /// Lets waiting requests run while there is room for all that they may become.
    fn admit(&mut self) {
        let blocks = |stream: &Stream| stream.cost().div_ceil(KV_BLOCK);
        let mut reserved: usize = self.running.iter().map(|s| blocks(s)).sum();
        while self.running.len() < self.options.max_batch
            && let Some(next) = self.waiting.peek()
            && reserved + blocks(next) <= self.n_blocks
        {
            let Some(mut stream) = self.waiting.pop() else { return };
            reserved += blocks(&stream);
            stream.start();
            let n_prompt = stream.n_prompt() as u64;
            let n_cached = stream.sequence.len() as u64;
            self.running.push(stream);
            self.report(|status| {
                status.n_prompt_tokens += n_prompt;
                status.n_cached_tokens += n_cached;
            });
        }
    }

    /// Every decoding stream's next token, and prompt tokens of the others, the oldest first.
    fn plan(&self) -> Vec<Piece> {
        let is_scored = self.running.iter().any(|s| s.scores_prompt());
        let chunk = self.options.prefill_chunk;
        let mut budget = if is_scored { chunk.min(SCORED_ROWS) } else { chunk };
        let mut pieces = Vec::new();
        for (i, stream) in self.running.iter().enumerate() {
            let n_left = stream.history.len() - stream.sequence.len();
            let n_tokens = if stream.is_decoding() { 1 } else { n_left.min(budget) };
            if n_tokens == 0 || stream.has_ended() {
                continue;
            }
            if !stream.is_decoding() {
                budget -= n_tokens;
            }
            let want = match (stream.scores_prompt(), n_tokens == n_left) {
                (true, _) => Want::All,
                (false, true) => Want::Last,
                (false, false) => Want::Nothing,
            };
            pieces.push(Piece { stream: i, n_tokens, want });
        }
        pieces
    }

    fn compute(&mut self, pieces: &[Piece]) {
        let starts: Vec<usize> =
            pieces.iter().map(|p| self.running[p.stream].sequence.len()).collect();
        let mut work = Vec::with_capacity(pieces.len());
        let mut next = pieces.iter().peekable();
        for (i, stream) in self.running.iter_mut().enumerate() {
            let Some(piece) = next.next_if(|p| p.stream == i) else { continue };
            let from = stream.sequence.len();
            let Stream { sequence, history, .. } = &mut **stream;
            let tokens = &history[from..from + piece.n_tokens];
            work.push(Work { sequence, tokens, want: piece.want });
        }
        let mut logits = match self.engine.forward(&mut work) {
            Ok(logits) => logits,
            Err(e) => {
                // Admission leaves room for everything and requests are checked: a bug, said aloud.
                pieces.iter().for_each(|p| self.running[p.stream].fail(e.to_string()));
                return;
            }
        };
        let mut row = 0;
        let mut n_generated = 0;
        for (piece, start) in pieces.iter().zip(starts) {
            let positions = match piece.want {
                Want::Nothing => continue,
                Want::Last => start + piece.n_tokens - 1..start + piece.n_tokens,
                Want::All => start..start + piece.n_tokens,
            };
            let stream = &mut self.running[piece.stream];
            for position in positions {
                n_generated += stream.take_row(self.engine.cpu(), position, logits.row_mut(row));
                row += 1;
            }
        }
        self.report(|status| {
            status.n_steps += 1;
            status.n_generated_tokens += n_generated as u64;
        });
    }

    fn close_ended(&mut self) {
        let (ended, running): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.running).into_iter().partition(|s| s.has_ended());
        self.running = running;
        ended.into_iter().for_each(|stream| self.end(stream));
    }

    fn end(&mut self, stream: Box<Stream>) {
        let sequence = stream.close();
        self.engine.release(sequence);
        self.report(|status| status.n_ended += 1);
        self.door.leave();
    }

    fn report(&self, change: impl FnOnce(&mut super::Status)) {
        let mut state = self.door.lock();
        let status = &mut state.status;
        change(status);
        status.n_running = self.running.len();
        status.n_queued = self.waiting.len();
        status.n_blocks = self.n_blocks;
        status.n_blocks_used = self.n_blocks - self.engine.n_free() / KV_BLOCK;
        status.block_len = KV_BLOCK;
        status.cache_bytes = self.engine.cache_bytes();
    }
}

fn engine(setup: &Setup) -> Engine {
    let options = EngineOptions {
        kv: setup.options.kv_dtype,
        n_positions: setup.n_blocks * KV_BLOCK,
        chunk: setup.options.prefill_chunk + setup.options.max_batch,
    };
    Engine::new(&setup.cpu, Arc::clone(&setup.model), options)
}
