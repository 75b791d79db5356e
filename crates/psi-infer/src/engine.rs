//! The engine: a model, its cache of key/value blocks, and forward passes over batches of sequences.

use std::{fmt, sync::Arc};

use psi_kernels::{
    Cpu,
    kv::{KV_BLOCK, KvArena, KvDtype, Segment},
};
use psi_model::{Adapter, Batch, Decoder};
use psi_tensor::Graph;
use psi_tokenizer::TokenId;

use crate::prefix::{Blocks, Root};

/// How an engine is set up.
#[derive(Clone, Copy, Debug)]
pub struct EngineOptions {
    /// Storage type of the key/value cache.
    pub kv: KvDtype,
    /// Positions the cache holds, over all sequences (rounded up to whole blocks).
    pub n_positions: usize,
    /// Most rows in one forward pass; longer prompts are cut. Results do not depend on it.
    pub chunk: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { kv: KvDtype::Bf16, n_positions: 4096, chunk: 512 }
    }
}

/// A model ready to run.
pub struct Engine {
    cpu: Arc<Cpu>,
    model: Arc<Decoder>,
    graph: Graph,
    arena: KvArena,
    blocks: Blocks,
    chunk: usize,
}

/// One sequence's place in the cache. Give it back with [`Engine::release`].
#[derive(Debug)]
pub struct Sequence {
    blocks: Vec<u32>,
    len: usize,
    limit: usize,
    /// The first blocks that other sequences may use too: nothing changes them any more.
    n_published: usize,
    adapter: Option<Arc<Adapter>>,
}

impl Sequence {
    /// An empty sequence that may grow to `limit` tokens.
    ///
    /// RoPE scalings that depend on a sequence's length (`dynamic`, `longrope`) go by `limit`: it is
    /// fixed, so the cache never holds keys of two scalings and cutting a prompt changes nothing.
    pub fn new(limit: usize) -> Self {
        Self::with_adapter(limit, None)
    }

    /// [`Sequence::new`] that runs with an adapter of the engine's model.
    pub fn with_adapter(limit: usize, adapter: Option<Arc<Adapter>>) -> Self {
        Self { blocks: Vec::new(), len: 0, limit, n_published: 0, adapter }
    }

    /// The adapter it runs with.
    pub fn adapter(&self) -> Option<&Arc<Adapter>> {
        self.adapter.as_ref()
    }

    /// Number of positions that the cache holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Number of tokens it may grow to.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Whether the cache holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Which rows of a piece of work need logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// None: the prompt's earlier pieces.
    Nothing,
    /// The last token's.
    Last,
    /// Every token's.
    All,
}

/// Tokens to append to one sequence.
#[derive(Debug)]
pub struct Work<'a> {
    /// The sequence.
    pub sequence: &'a mut Sequence,
    /// What follows it.
    pub tokens: &'a [TokenId],
    /// Which logits are needed.
    pub want: Want,
}

/// Rows of logits (rows, V), in the order of the work and its tokens.
#[derive(Clone, Debug, Default)]
pub struct Logits {
    values: Vec<f32>,
    vocab_size: usize,
}

impl Logits {
    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.values.len().checked_div(self.vocab_size).unwrap_or(0)
    }

    /// Row `i`.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.vocab_size..(i + 1) * self.vocab_size]
    }

    /// Row `i`, to change.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row_mut(&mut self, i: usize) -> &mut [f32] {
        &mut self.values[i * self.vocab_size..(i + 1) * self.vocab_size]
    }

    /// All rows one after another.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

/// Why a batch cannot run. Nothing was computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineError {
    /// A sequence would be longer than its limit, or than the model was made for.
    ContextOverflow {
        /// Its length with the new tokens.
        n_tokens: usize,
        /// The most there may be.
        n_context: usize,
    },
    /// The cache has too few free blocks.
    CacheFull {
        /// Positions that are needed.
        n_needed: usize,
        /// Positions that are free.
        n_free: usize,
    },
    /// A token id outside the vocabulary.
    UnknownToken {
        /// The id.
        token: TokenId,
        /// Number of tokens in the vocabulary.
        vocab_size: usize,
    },
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContextOverflow { n_tokens, n_context } => {
                write!(f, "{n_tokens} tokens do not fit the context of {n_context}")
            }
            Self::CacheFull { n_needed, n_free } => {
                write!(f, "the cache needs {n_needed} more positions and has {n_free} free")
            }
            Self::UnknownToken { token, vocab_size } => {
                write!(f, "token {token} is outside the vocabulary of {vocab_size}")
            }
        }
    }
}

impl std::error::Error for EngineError {}

impl Engine {
    /// An engine with an empty cache.
    pub fn new(cpu: &Arc<Cpu>, model: Arc<Decoder>, options: EngineOptions) -> Self {
        let n_blocks = options.n_positions.div_ceil(KV_BLOCK).max(1);
        let arena = KvArena::new(model.config().kv_shape(), options.kv, n_blocks);
        let blocks = Blocks::new(n_blocks);
        let graph = Graph::infer(cpu);
        Self { cpu: Arc::clone(cpu), model, graph, arena, blocks, chunk: options.chunk.max(1) }
    }

    /// The CPU it runs on.
    pub fn cpu(&self) -> &Arc<Cpu> {
        &self.cpu
    }

    /// The model it runs.
    pub fn model(&self) -> &Arc<Decoder> {
        &self.model
    }

    /// Bytes of the key/value cache.
    pub fn cache_bytes(&self) -> usize {
        self.arena.bytes()
    }

    /// Bytes of the key/value cache per position.
    pub fn cache_bytes_per_position(&self) -> usize {
        self.arena.bytes() / (self.arena.n_blocks() * KV_BLOCK)
    }

    /// Positions that can still be stored (whole blocks), in place of kept prefixes too.
    pub fn n_free(&self) -> usize {
        self.blocks.n_free() * KV_BLOCK
    }

    /// Blocks of prefixes that no sequence uses.
    pub fn n_kept_blocks(&self) -> usize {
        self.blocks.n_kept()
    }

    /// Gives a sequence's blocks back; what was published of it is kept while there is room.
    pub fn release(&mut self, sequence: Sequence) {
        sequence.blocks.into_iter().for_each(|b| self.blocks.release(b));
    }

    /// Forgets the positions from `len` on.
    ///
    /// # Panics
    /// When one of them was published.
    pub fn truncate(&mut self, sequence: &mut Sequence, len: usize) {
        if len < sequence.len {
            let n_published = sequence.n_published;
            assert!(len >= n_published * KV_BLOCK, "{len} tokens, {n_published} blocks published");
            sequence.len = len;
            let rest = sequence.blocks.drain(len.div_ceil(KV_BLOCK)..);
            rest.for_each(|b| self.blocks.release(b));
        }
    }

    /// Keeps the whole blocks of a sequence, whose tokens `history` begins with, for others that begin
    /// alike. Sharing changes no bit: a block holds the same whoever computed it.
    pub fn publish(&mut self, sequence: &mut Sequence, history: &[TokenId]) {
        let root = self.root(sequence);
        for i in sequence.n_published..sequence.len / KV_BLOCK {
            let parent = i.checked_sub(1).map(|p| sequence.blocks[p]);
            let tokens = &history[i * KV_BLOCK..(i + 1) * KV_BLOCK];
            let block = sequence.blocks[i];
            sequence.blocks[i] = self.blocks.publish(root, parent, tokens, block);
            sequence.n_published = i + 1;
        }
    }

    /// Extends a sequence by the published blocks that continue it as `tokens` goes on, but leaves at
    /// least the last of `tokens` to be computed. Does nothing in the middle of a block.
    pub fn adopt(&mut self, sequence: &mut Sequence, tokens: &[TokenId]) {
        let root = self.root(sequence);
        while sequence.len == sequence.n_published * KV_BLOCK
            && sequence.len + KV_BLOCK < tokens.len()
        {
            let parent = sequence.blocks.last().copied();
            let next = &tokens[sequence.len..sequence.len + KV_BLOCK];
            let Some(block) = self.blocks.find(root, parent, next) else { return };
            sequence.blocks.push(block);
            sequence.len += KV_BLOCK;
            sequence.n_published += 1;
        }
    }

    /// Whether computing what is left of `first` publishes the block that `second` needs next: it had
    /// better wait for it. Each comes with its tokens.
    pub(crate) fn computes_for(
        &self,
        (first, first_tokens): (&Sequence, &[TokenId]),
        (second, second_tokens): (&Sequence, &[TokenId]),
    ) -> bool {
        let end = second.len + KV_BLOCK;
        second.len.is_multiple_of(KV_BLOCK)
            && first.len < end
            && end < second_tokens.len()
            && first_tokens.get(..end) == Some(&second_tokens[..end])
            && self.root(first) == self.root(second)
    }

    /// What a sequence's first token comes after.
    fn root(&self, sequence: &Sequence) -> Root {
        let config = self.model.config();
        // A short sequence's frequencies, the longest one's, or those of its very length.
        let known = [1, config.max_seq_len];
        let rope = known.into_iter().find(|&len| config.cache_survives(len, sequence.limit));
        let adapter = sequence.adapter.as_ref().map_or(0, |a| a.id());
        Root { adapter, rope: rope.unwrap_or(sequence.limit) }
    }

    /// Appends tokens to sequences and returns the logits that were asked for.
    ///
    /// A sequence's logits are the same bits whatever else is in `work` and however its tokens are
    /// spread over calls.
    ///
    /// # Errors
    /// [`EngineError`] when a sequence would become too long, the cache is too small or a token is not
    /// in the vocabulary; then nothing has changed.
    pub fn forward(&mut self, work: &mut [Work<'_>]) -> Result<Logits, EngineError> {
        let values = self.append(work, Output::Logits)?;
        Ok(Logits { values, vocab_size: self.model.config().vocab_size })
    }

    /// Gives back the memory of logits that are done with: a step of many sequences has megabytes of them, and
    /// fresh ones would be paged in each time.
    pub fn recycle(&self, logits: Logits) {
        self.graph.recycle(logits.values);
    }

    /// [`Engine::forward`] up to the output head: the normed residual stream (rows, d_model).
    ///
    /// # Errors
    /// As [`Engine::forward`].
    pub fn features(&mut self, work: &mut [Work<'_>]) -> Result<Vec<f32>, EngineError> {
        self.append(work, Output::Features)
    }

    fn append(&mut self, work: &mut [Work<'_>], output: Output) -> Result<Vec<f32>, EngineError> {
        self.check(work)?;
        for item in work.iter_mut() {
            let n_blocks = (item.sequence.len + item.tokens.len()).div_ceil(KV_BLOCK);
            while item.sequence.blocks.len() < n_blocks {
                // `check` has counted the free blocks.
                item.sequence.blocks.extend(self.blocks.take());
            }
        }
        let mut values = Vec::new();
        let mut pieces = Pieces::new(work);
        while let Some(batch) = pieces.next_batch(self.chunk) {
            self.run(&batch, output, &mut values);
        }
        for item in work.iter_mut() {
            item.sequence.len += item.tokens.len();
        }
        Ok(values)
    }

    fn check(&self, work: &[Work<'_>]) -> Result<(), EngineError> {
        let config = self.model.config();
        let mut n_needed = 0;
        for item in work {
            let n_tokens = item.sequence.len + item.tokens.len();
            let n_context = config.max_seq_len.min(item.sequence.limit);
            if n_tokens > n_context {
                return Err(EngineError::ContextOverflow { n_tokens, n_context });
            }
            if let Some(&token) = item.tokens.iter().find(|&&t| t as usize >= config.vocab_size) {
                return Err(EngineError::UnknownToken { token, vocab_size: config.vocab_size });
            }
            n_needed += n_tokens.div_ceil(KV_BLOCK) - item.sequence.blocks.len();
        }
        match n_needed <= self.blocks.n_free() {
            true => Ok(()),
            false => {
                Err(EngineError::CacheFull { n_needed: n_needed * KV_BLOCK, n_free: self.n_free() })
            }
        }
    }

    fn run(&mut self, batch: &[Piece<'_>], output: Output, values: &mut Vec<f32>) {
        let mut tokens = Vec::new();
        let mut segments = Vec::new();
        let mut rope_lens = Vec::new();
        let mut adapters = Vec::new();
        let mut rows = Vec::new();
        for piece in batch {
            let row0 = tokens.len();
            tokens.extend_from_slice(piece.tokens);
            let n_rows = piece.tokens.len();
            segments.push(Segment { row0, n_rows, pos0: piece.pos0, blocks: piece.blocks });
            rope_lens.push(piece.limit);
            adapters.push(piece.adapter);
            match piece.want {
                Want::Nothing => {}
                Want::Last => rows.push((row0 + n_rows - 1) as u32),
                Want::All => rows.extend((row0..row0 + n_rows).map(|r| r as u32)),
            }
        }
        let batch = Batch {
            tokens: &tokens,
            segments: &segments,
            rope_lens: &rope_lens,
            adapters: &adapters,
        };
        self.graph.reset();
        if rows.is_empty() {
            self.model.hidden(&self.graph, &batch, &mut self.arena);
        } else {
            let want = psi_model::Want::Rows(&rows);
            let (graph, arena) = (&self.graph, &mut self.arena);
            let out = match output {
                Output::Logits => self.model.forward(graph, &batch, arena, want),
                Output::Features => self.model.features(graph, &batch, arena, want),
            };
            match values.is_empty() {
                true => *values = self.graph.take(out),
                false => values.extend_from_slice(&out.data()),
            }
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({} of {} blocks free)", self.blocks.n_free(), self.arena.n_blocks())
    }
}

/// What is computed of the rows that are wanted.
#[derive(Clone, Copy)]
enum Output {
    Logits,
    Features,
}

/// A run of one sequence's tokens inside one forward pass.
struct Piece<'a> {
    tokens: &'a [TokenId],
    pos0: usize,
    blocks: &'a [u32],
    limit: usize,
    adapter: Option<&'a Adapter>,
    want: Want,
}

/// Cuts work into forward passes of at most a number of rows, in order.
struct Pieces<'a> {
    work: &'a [Work<'a>],
    item: usize,
    done: usize,
}

impl<'a> Pieces<'a> {
    fn new(work: &'a [Work<'a>]) -> Self {
        Self { work, item: 0, done: 0 }
    }

    fn next_batch(&mut self, limit: usize) -> Option<Vec<Piece<'a>>> {
        let mut batch = Vec::new();
        let mut left = limit;
        while let Some(item) = self.work.get(self.item)
            && left > 0
        {
            let n = left.min(item.tokens.len() - self.done);
            let is_end = self.done + n == item.tokens.len();
            let want = if item.want == Want::Last && !is_end { Want::Nothing } else { item.want };
            if n > 0 {
                batch.push(Piece {
                    tokens: &item.tokens[self.done..self.done + n],
                    pos0: item.sequence.len + self.done,
                    blocks: &item.sequence.blocks,
                    limit: item.sequence.limit,
                    adapter: item.sequence.adapter.as_deref(),
                    want,
                });
            }
            left -= n;
            self.done += n;
            if is_end {
                self.item += 1;
                self.done = 0;
            }
        }
        (!batch.is_empty()).then_some(batch)
    }
}
