//! Embeddings: the model's features of a text, pooled to one vector.

use std::sync::mpsc::Sender;

use psi_kernels::kv::KV_BLOCK;
use psi_model::Config;
use psi_tokenizer::TokenId;

use super::{SubmitError, stream::check_tokens};
use crate::{Engine, Sequence, Want, Work};

/// How the features of a text's tokens become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// Those of the last token, which has seen all others.
    Last,
}

/// A text whose embedding is being computed.
#[derive(Debug)]
pub(super) struct Embedding {
    tokens: Vec<TokenId>,
    pooling: Pooling,
    sequence: Sequence,
    /// Sum of the features that count.
    sum: Vec<f64>,
    reply: Sender<Result<Vec<f32>, SubmitError>>,
}

impl Embedding {
    pub(super) fn new(
        tokens: Vec<TokenId>,
        pooling: Pooling,
        reply: Sender<Result<Vec<f32>, SubmitError>>,
        (config, limit): (&Config, usize),
    ) -> Result<Self, SubmitError> {
        check_tokens("input", &tokens, config.vocab_size)?;
        let n_prompt = tokens.len();
        if n_prompt == 0 {
            return Err(SubmitError::bad("input", "is empty"));
        }
        if n_prompt > limit {
            return Err(SubmitError::ContextOverflow { n_prompt, max_tokens: 0, limit });
        }
        let sequence = Sequence::new(n_prompt);
        let sum = vec![0.0; config.d_model];
        Ok(Self { tokens, pooling, sequence, sum, reply })
    }

    /// Cache blocks that it still needs.
    pub(super) fn n_new_blocks(&self) -> usize {
        self.tokens.len().div_ceil(KV_BLOCK) - self.sequence.len().div_ceil(KV_BLOCK)
    }

    pub(super) fn is_done(&self) -> bool {
        self.sequence.len() == self.tokens.len()
    }

    /// Its place in the cache, to be given back, and what answers whoever asked.
    pub(super) fn close(self) -> (Sequence, impl FnOnce()) {
        let answer = match self.is_done() {
            true => Ok(normalised(&self.sum)),
            false => Err(SubmitError::Stopped),
        };
        let reply = self.reply;
        // Whoever asked may be gone.
        (self.sequence, move || drop(reply.send(answer)))
    }
}

/// Computes the next `budget` tokens of several texts, the first ones first.
pub(super) fn advance(engine: &mut Engine, texts: &mut [Embedding], mut budget: usize) {
    let mut work = Vec::new();
    let mut sums = Vec::new();
    for text in texts {
        let from = text.sequence.len();
        let tokens = &text.tokens[from..text.tokens.len().min(from + budget)];
        budget -= tokens.len();
        let want = match text.pooling {
            Pooling::Mean => Want::All,
            Pooling::Last if from + tokens.len() == text.tokens.len() => Want::Last,
            Pooling::Last => Want::Nothing,
        };
        let n_rows = match want {
            Want::Nothing => 0,
            Want::Last => tokens.len().min(1),
            Want::All => tokens.len(),
        };
        if !tokens.is_empty() {
            work.push(Work { sequence: &mut text.sequence, tokens, want });
            sums.push((n_rows, &mut text.sum));
        }
    }
    // Requests may have taken the room; then nothing changes until some of them end or pause.
    let Ok(features) = engine.features(&mut work) else { return };
    let d = engine.model().config().d_model;
    let mut rows = features.chunks_exact(d.max(1));
    for (n_rows, sum) in sums {
        for row in rows.by_ref().take(n_rows) {
            sum.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
        }
    }
}

/// v / |v|; zeros stay zeros.
fn normalised(sum: &[f64]) -> Vec<f32> {
    let norm = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
    let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
    sum.iter().map(|x| (x * scale) as f32).collect()
}
