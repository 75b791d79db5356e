//! One step after another: which requests run, which of their tokens are computed, what comes of it.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
};

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
    /// Those that ran and had to give their place up; the one that waits longest first. They go on
    /// before anyone else begins.
    paused: VecDeque<Stream>,
    /// In the order in which they came to run.
    running: Vec<Stream>,
    n_blocks: usize,
}

/// A run of one stream's tokens in a step.
struct Piece {
    stream: usize,
    n_tokens: usize,
    n_new_blocks: usize,
    want: Want,
}

impl Scheduler {
    pub(super) fn new(setup: &Setup) -> Self {
        let scheduler = Self {
            engine: engine(setup),
            options: setup.options.clone(),
            door: Arc::clone(&setup.door),
            waiting: FairQueue::default(),
            paused: VecDeque::new(),
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
        self.running.is_empty() && self.paused.is_empty() && self.waiting.is_empty()
    }

    pub(super) fn push(&mut self, stream: Stream) {
        self.waiting.push(stream);
    }

    /// One forward pass over what runs, and everything around it.
    pub(super) fn step(&mut self) {
        self.drop_cancelled();
        self.admit();
        let pieces = self.make_room();
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
        for stream in self.running.iter_mut().chain(&mut self.paused) {
            if !wanted(stream) {
                stream.finish(Finish::Cancelled);
            }
        }
        self.close_ended();
    }

    /// Lets requests run while there is a place and room for what they have so far; paused ones first.
    fn admit(&mut self) {
        while self.running.len() < self.options.max_batch {
            let from_paused = !self.paused.is_empty();
            let next = match from_paused {
                true => self.paused.front(),
                false => self.waiting.peek(),
            };
            // Beside that, every running request keeps a block to go on with.
            let Some(next) = next else { return };
            let needed = next.history.len().div_ceil(KV_BLOCK) + self.running.len();
            if needed * KV_BLOCK > self.engine.n_free() && !self.running.is_empty() {
                return;
            }
            let next = if from_paused { self.paused.pop_front() } else { self.waiting.pop() };
            let Some(mut stream) = next else { return };
            self.adopt(&mut stream);
            let n_prompt = stream.n_prompt() as u64;
            if stream.start() {
                self.report(|status| status.n_prompt_tokens += n_prompt);
            }
            self.running.push(stream);
        }
    }

    /// Uses what the cache has of a request's next tokens.
    fn adopt(&mut self, stream: &mut Stream) {
        // Where every token's logits are wanted, every token is computed.
        if !stream.scores_prompt() {
            let before = stream.sequence.len();
            self.engine.adopt(&mut stream.sequence, &stream.history);
            let n_found = stream.sequence.len() - before;
            stream.found_in_cache(n_found);
            self.report(|status| status.n_cached_tokens += n_found as u64);
        }
    }

    /// What the next step computes. Where the cache is too small for it, the requests that began last
    /// pause, so that the first always goes on.
    fn make_room(&mut self) -> Vec<Piece> {
        loop {
            let pieces = self.plan();
            let n_new: usize = pieces.iter().map(|p| p.n_new_blocks).sum();
            if n_new * KV_BLOCK <= self.engine.n_free() {
                return pieces;
            }
            let Some(mut stream) = self.running.pop() else { return pieces };
            let mut sequence = stream.pause();
            self.engine.publish(&mut sequence, &stream.history);
            self.engine.release(sequence);
            self.paused.push_front(stream);
            self.report(|status| status.n_paused += 1);
        }
    }

    /// Every decoding stream's next token, and prompt tokens of the others, the oldest first.
    fn plan(&mut self) -> Vec<Piece> {
        let is_scored = self.running.iter().any(Stream::scores_prompt);
        let chunk = self.options.prefill_chunk;
        let mut budget = if is_scored { chunk.min(SCORED_ROWS) } else { chunk };
        let mut pieces = Vec::new();
        let mut running = std::mem::take(&mut self.running);
        for (i, stream) in running.iter_mut().enumerate() {
            if stream.has_ended() {
                continue;
            }
            if budget > 0 && !stream.is_decoding() {
                // Another request may have computed it meanwhile.
                self.adopt(stream);
            }
            let len = stream.sequence.len();
            let n_left = stream.history.len() - len;
            let n_tokens = if stream.is_decoding() { 1 } else { n_left.min(budget) };
            if n_tokens == 0 {
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
            let n_new_blocks = (len + n_tokens).div_ceil(KV_BLOCK) - len.div_ceil(KV_BLOCK);
            pieces.push(Piece { stream: i, n_tokens, n_new_blocks, want });
        }
        self.running = running;
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
            let Stream { sequence, history, .. } = stream;
            let tokens = &history[from..from + piece.n_tokens];
            work.push(Work { sequence, tokens, want: piece.want });
        }
        let mut logits = match self.engine.forward(&mut work) {
            Ok(logits) => logits,
            Err(e) => {
                // Room was made and requests are checked: a bug, said aloud.
                pieces.iter().for_each(|p| self.running[p.stream].fail(e.to_string()));
                return;
            }
        };
        for piece in pieces {
            let Stream { sequence, history, .. } = &mut self.running[piece.stream];
            self.engine.publish(sequence, history);
        }
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
            std::mem::take(&mut self.running).into_iter().partition(Stream::has_ended);
        self.running = running;
        let (ended_paused, paused): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.paused).into_iter().partition(Stream::has_ended);
        self.paused = paused;
        ended.into_iter().chain(ended_paused).for_each(|stream| self.end(stream));
    }

    fn end(&mut self, stream: Stream) {
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
        status.n_queued = self.waiting.len() + self.paused.len();
        status.n_blocks = self.n_blocks;
        status.n_blocks_used = self.n_blocks - self.engine.n_free() / KV_BLOCK;
        status.n_blocks_kept = self.engine.n_kept_blocks();
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
