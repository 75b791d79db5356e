//! One step after another: which requests run, which of their tokens are computed, what comes of it.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Arc, atomic::Ordering},
};

use psi_kernels::kv::KV_BLOCK;
use psi_model::Decoder;
use psi_tokenizer::TokenId;

use super::{
    Door, Finish, ServiceOptions,
    embed::{self, Embedding},
    queue::FairQueue,
    stream::Stream,
    worker::Setup,
};
use crate::{
    Engine, EngineOptions, Speculation, Want, Work,
    speculation::{Drafter, lookup},
};

/// Prompt tokens per step while log-probabilities of prompts are wanted: every row then has logits,
/// and 128 rows of a vocabulary of 150,000 are 77 MB.
const SCORED_ROWS: usize = 128;

/// The requests of a service and the engine that runs them.
pub(super) struct Scheduler {
    engine: Engine,
    drafter: Option<Drafter>,
    options: ServiceOptions,
    door: Arc<Door>,
    waiting: FairQueue,
    /// Those that ran and had to give their place up; the one that waits longest first. They go on
    /// before anyone else begins.
    paused: VecDeque<Stream>,
    /// In the order in which they came to run.
    running: Vec<Stream>,
    /// Texts to embed; the first of them that fit into the cache are being computed.
    embeddings: Vec<Embedding>,
    n_embedding: usize,
    n_blocks: usize,
}

/// Steps that a prompt may need before it lets shorter ones pass.
const LONG_PROMPT: usize = 4;

/// Rows of decoding requests up to which tokens are guessed: beyond, a row more costs as much as a token
/// that is certain.
const GUESSED_ROWS: usize = 32;

/// A run of one stream's tokens in a step.
struct Piece {
    /// Index of the stream among those that run.
    stream: usize,
    /// Position of the first token.
    start: usize,
    tokens: Vec<TokenId>,
    is_decoding: bool,
    /// How many of the tokens, at their end, are guesses.
    n_guessed: usize,
    want: Want,
}

impl Piece {
    /// Blocks that it adds to its sequence.
    fn n_new_blocks(&self) -> usize {
        (self.start + self.tokens.len()).div_ceil(KV_BLOCK) - self.start.div_ceil(KV_BLOCK)
    }

    /// Positions of the tokens after which logits are computed.
    fn positions(&self) -> Range<usize> {
        let end = self.start + self.tokens.len();
        match self.want {
            Want::Nothing => end..end,
            Want::Last => end - 1..end,
            Want::All => self.start..end,
        }
    }
}

impl Scheduler {
    pub(super) fn new(setup: &Setup) -> Self {
        let scheduler = Self {
            engine: engine(setup, &setup.model),
            drafter: drafter(setup),
            options: setup.options.clone(),
            door: Arc::clone(&setup.door),
            waiting: FairQueue::default(),
            paused: VecDeque::new(),
            running: Vec::new(),
            embeddings: Vec::new(),
            n_embedding: 0,
            n_blocks: setup.n_blocks,
        };
        scheduler.report(|_| {});
        scheduler
    }

    /// Fails what runs and begins with an empty cache.
    pub(super) fn restart(&mut self, setup: &Setup, why: &str) {
        for mut stream in std::mem::take(&mut self.running) {
            stream.fail(why.to_owned());
            stream.close();
            self.door.leave();
        }
        let begun = self.embeddings.drain(..std::mem::take(&mut self.n_embedding));
        for embedding in begun {
            let (_, answer) = embedding.close();
            answer();
            self.door.leave();
        }
        self.engine = engine(setup, &setup.model);
        self.drafter = drafter(setup);
        self.paused.iter_mut().for_each(Stream::forget);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty()
            && self.paused.is_empty()
            && self.waiting.is_empty()
            && self.embeddings.is_empty()
    }

    pub(super) fn push(&mut self, stream: Stream) {
        self.waiting.push(stream);
    }

    pub(super) fn embed(&mut self, embedding: Embedding) {
        self.embeddings.push(embedding);
    }

    /// One forward pass over what runs, and everything around it.
    pub(super) fn step(&mut self) {
        self.drop_cancelled();
        self.step_embeddings();
        self.admit();
        let mut pieces = self.make_room();
        self.guess(&mut pieces);
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
        if aborted {
            self.n_embedding = 0;
            let all = std::mem::take(&mut self.embeddings);
            all.into_iter().for_each(|embedding| self.end_embedding(embedding));
        }
        for stream in self.running.iter_mut().chain(&mut self.paused) {
            if !wanted(stream) {
                stream.finish(Finish::Cancelled);
            }
        }
        self.close_ended();
    }

    /// Computes a chunk of the texts to embed.
    fn step_embeddings(&mut self) {
        let begun = self.embeddings[..self.n_embedding].iter();
        let mut n_blocks: usize = begun.map(Embedding::n_new_blocks).sum();
        while let Some(next) = self.embeddings.get(self.n_embedding)
            && (n_blocks + next.n_new_blocks()) * KV_BLOCK <= self.engine.n_free()
        {
            n_blocks += next.n_new_blocks();
            self.n_embedding += 1;
        }
        let begun = &mut self.embeddings[..self.n_embedding];
        embed::advance(&mut self.engine, begun, self.options.prefill_chunk);
        let (done, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.embeddings).into_iter().partition(Embedding::is_done);
        self.embeddings = left;
        self.n_embedding -= done.len();
        done.into_iter().for_each(|embedding| self.end_embedding(embedding));
    }

    fn end_embedding(&mut self, embedding: Embedding) {
        let (sequence, answer) = embedding.close();
        self.engine.release(sequence);
        self.report(|status| status.n_ended += 1);
        answer();
        self.door.leave();
    }

    /// Lets requests run while there is a place and room for what they have so far; paused ones first.
    fn admit(&mut self) {
        let next_embeddings = self.embeddings.iter().take(self.n_embedding + 1);
        let n_for_embeddings: usize = next_embeddings.map(Embedding::n_new_blocks).sum();
        while self.running.len() < self.options.max_batch {
            let from_paused = !self.paused.is_empty();
            let next = match from_paused {
                true => self.paused.front(),
                false => self.waiting.peek(),
            };
            // Beside that, every running request keeps a block to go on with.
            let Some(next) = next else { return };
            let own = next.history.len().div_ceil(KV_BLOCK);
            let needed = own + self.running.len() + n_for_embeddings;
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
            let n_new: usize = pieces.iter().map(Piece::n_new_blocks).sum();
            if n_new * KV_BLOCK <= self.engine.n_free() {
                return pieces;
            }
            let Some(mut stream) = self.running.pop() else { return pieces };
            self.engine.release(stream.pause());
            self.paused.push_front(stream);
            self.report(|status| status.n_paused += 1);
        }
    }

    /// Every decoding stream's next token, and prompt tokens of the others, as many as a step may have.
    fn plan(&mut self) -> Vec<Piece> {
        let is_scored = self.running.iter().any(Stream::scores_prompt);
        let chunk = self.options.prefill_chunk;
        let mut budget = if is_scored { chunk.min(SCORED_ROWS) } else { chunk };
        let mut pieces = Vec::new();
        let mut running = std::mem::take(&mut self.running);
        for (i, most) in in_order_of_prefill(&running, chunk) {
            let stream = &mut running[i];
            if stream.has_ended() {
                continue;
            }
            if budget > 0 && !stream.is_decoding() {
                // Another request may have computed it meanwhile.
                self.adopt(stream);
            }
            let stream = &running[i];
            let start = stream.sequence.len();
            let rest = &stream.history[start..];
            let is_decoding = stream.is_decoding();
            let n_tokens = if is_decoding { 1 } else { rest.len().min(most).min(budget) };
            let is_computed =
                |p: &Piece| !p.is_decoding && self.computes_for(&running[p.stream], stream);
            if n_tokens == 0 || !is_decoding && pieces.iter().any(is_computed) {
                continue;
            }
            budget -= if is_decoding { 0 } else { n_tokens };
            let want = match (stream.scores_prompt(), n_tokens == rest.len()) {
                (true, _) => Want::All,
                (false, true) => Want::Last,
                (false, false) => Want::Nothing,
            };
            let tokens = rest[..n_tokens].to_vec();
            pieces.push(Piece { stream: i, start, tokens, is_decoding, n_guessed: 0, want });
        }
        self.running = running;
        // Rows of one adapter lie together, so that they are multiplied together.
        let adapter = |p: &Piece| self.running[p.stream].sequence.adapter().map_or(0, |a| a.id());
        pieces.sort_by_key(adapter);
        pieces
    }

    fn computes_for(&self, first: &Stream, second: &Stream) -> bool {
        let is_wanted = !second.scores_prompt();
        let [first, second] = [first, second].map(|s| (&s.sequence, &s.history[..]));
        is_wanted && self.engine.computes_for(first, second)
    }

    /// Adds guesses to the pieces of decoding streams, as far as they are cheap and there is room.
    fn guess(&mut self, pieces: &mut [Piece]) {
        let max_draft = self.options.speculation.max_draft();
        let n_decoding = pieces.iter().filter(|p| p.is_decoding).count();
        let n_rows = GUESSED_ROWS.saturating_sub(n_decoding) / n_decoding.max(1);
        let n_each = n_rows.min(max_draft);
        if n_each == 0 {
            return;
        }
        let mut n_new: usize = pieces.iter().map(Piece::n_new_blocks).sum();
        for (i, draft) in self.drafts(n_each) {
            let Some(piece) = pieces.iter_mut().find(|p| p.stream == i) else { continue };
            let before = piece.n_new_blocks();
            piece.tokens.extend(&draft);
            let after = piece.n_new_blocks();
            if (n_new + after - before) * KV_BLOCK > self.engine.n_free() {
                piece.tokens.truncate(1);
                continue;
            }
            n_new += after - before;
            piece.n_guessed = draft.len();
            piece.want = Want::All;
        }
    }

    /// Up to `n` guesses for each decoding stream, by its index.
    fn drafts(&mut self, n: usize) -> Vec<(usize, Vec<TokenId>)> {
        let decoding = self.running.iter_mut().enumerate().filter(|(_, s)| s.is_decoding());
        let Some(drafter) = &mut self.drafter else {
            let found = decoding.map(|(i, s)| (i, lookup(&s.history, n.min(s.n_to_guess()))));
            return found.map(|(i, draft)| (i, draft.to_vec())).collect();
        };
        let (indices, mut draftees): (Vec<_>, Vec<_>) =
            decoding.map(|(i, stream)| (i, stream.draftee(n))).unzip();
        drafter.draft(&mut draftees);
        indices.into_iter().zip(draftees.into_iter().map(|d| d.draft)).collect()
    }

    fn compute(&mut self, pieces: &[Piece]) {
        let mut sequences: Vec<_> =
            self.running.iter_mut().map(|stream| Some(&mut stream.sequence)).collect();
        let take = |piece| -> Option<Work<'_>> {
            let Piece { stream, tokens, want, .. }: &Piece = piece;
            Some(Work { sequence: sequences[*stream].take()?, tokens, want: *want })
        };
        let mut work: Vec<Work<'_>> = pieces.iter().filter_map(take).collect();
        let mut logits = match self.engine.forward(&mut work) {
            Ok(logits) => logits,
            Err(e) => {
                // Room was made and requests are checked: a bug, said aloud.
                pieces.iter().for_each(|p| self.running[p.stream].fail(e.to_string()));
                return;
            }
        };
        let mut row = 0;
        let (mut n_generated, mut n_drafted, mut n_accepted) = (0, 0, 0);
        for piece in pieces {
            let stream = &mut self.running[piece.stream];
            for position in piece.positions() {
                // After a wrong guess nothing counts.
                let n_fed = position + 1 - piece.start;
                let is_right = stream.n_right(piece.start, &piece.tokens[..n_fed]) == n_fed;
                if is_right && !stream.has_ended() {
                    n_generated +=
                        stream.take_row(self.engine.cpu(), position, logits.row_mut(row));
                }
                row += 1;
            }
            let n_right = stream.n_right(piece.start, &piece.tokens);
            let n_certain = piece.tokens.len() - piece.n_guessed;
            stream.confidence.learn(piece.n_guessed, n_right - n_certain);
            n_drafted += piece.n_guessed;
            n_accepted += n_right - n_certain;
            let Stream { sequence, draft_sequence, history, .. } = stream;
            self.engine.truncate(sequence, piece.start + n_right);
            self.engine.publish(sequence, history);
            if let Some(drafter) = &mut self.drafter
                && piece.n_guessed > 0
            {
                drafter.truncate(draft_sequence, piece.start + n_right);
            }
        }
        self.engine.recycle(logits);
        self.report(|status| {
            status.n_steps += 1;
            status.n_generated_tokens += n_generated as u64;
            status.n_drafted_tokens += n_drafted as u64;
            status.n_accepted_tokens += n_accepted as u64;
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

    /// Who hears the end finds the status that holds after it; who waits for the door finds all ends heard.
    fn end(&mut self, mut stream: Stream) {
        let (sequence, draft_sequence) = stream.take_places();
        self.engine.release(sequence);
        if let Some(drafter) = &mut self.drafter {
            drafter.release(draft_sequence);
        }
        self.report(|status| status.n_ended += 1);
        stream.close();
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

/// Streams in the order in which their prompts are computed, and the most tokens of each: as they came,
/// but prompts that need many steps let those pass that need few. The first of the many still gets a
/// quarter of each step.
fn in_order_of_prefill(running: &[Stream], chunk: usize) -> Vec<(usize, usize)> {
    let n_left = |i: usize| running[i].history.len() - running[i].sequence.len();
    let (long, mut order): (Vec<_>, Vec<_>) =
        (0..running.len()).map(|i| (i, chunk)).partition(|&(i, _)| n_left(i) > LONG_PROMPT * chunk);
    let is_passed = order.iter().any(|&(i, _)| !running[i].is_decoding());
    for (rank, (i, most)) in long.into_iter().enumerate() {
        match rank {
            0 if is_passed => order.insert(0, (i, most.div_ceil(4))),
            _ => order.push((i, most)),
        }
    }
    order
}

fn engine(setup: &Setup, model: &Arc<Decoder>) -> Engine {
    let options = EngineOptions {
        kv: setup.options.kv_dtype,
        n_positions: setup.n_blocks * KV_BLOCK,
        chunk: setup.options.prefill_chunk + setup.options.max_batch + GUESSED_ROWS,
    };
    Engine::new(&setup.cpu, Arc::clone(model), options)
}

fn drafter(setup: &Setup) -> Option<Drafter> {
    let Speculation::Draft { model, .. } = &setup.options.speculation else { return None };
    Some(Drafter::new(engine(setup, model), setup.options.prefill_chunk))
}
