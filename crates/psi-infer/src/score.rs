//! Log-probabilities of given tokens: of a prompt, and of long texts in windows.

use psi_kernels::softmax::log_sum_exp;
use psi_tokenizer::TokenId;

use crate::{Engine, EngineError, Sequence, Want, Work};

/// Natural-log probability of each token given the ones before it; the first has none.
///
/// # Errors
/// [`EngineError`] when the tokens do not fit.
pub fn log_probs(engine: &mut Engine, tokens: &[TokenId]) -> Result<Vec<f32>, EngineError> {
    /// Rows of logits held at a time: 128 rows of a vocabulary of 150,000 are 77 MB.
    const ROWS: usize = 128;
    let vocab_size = engine.model().config().vocab_size;
    if let Some(&token) = tokens.iter().find(|&&t| t as usize >= vocab_size) {
        return Err(EngineError::UnknownToken { token, vocab_size });
    }
    let mut sequence = Sequence::new(tokens.len());
    let mut out = Vec::with_capacity(tokens.len().saturating_sub(1));
    let inputs = &tokens[..tokens.len().saturating_sub(1)];
    for (chunk, targets) in inputs.chunks(ROWS).zip(tokens.get(1..).unwrap_or(&[]).chunks(ROWS)) {
        let work = Work { sequence: &mut sequence, tokens: chunk, want: Want::All };
        let logits = match engine.forward(&mut [work]) {
            Ok(logits) => logits,
            Err(e) => {
                engine.release(sequence);
                return Err(e);
            }
        };
        let mut lse = vec![0.0; chunk.len()];
        log_sum_exp(engine.cpu(), logits.values(), vocab_size, &mut lse);
        let of_target = |(i, &t): (usize, &TokenId)| logits.row(i)[t as usize] - lse[i];
        out.extend(targets.iter().enumerate().map(of_target));
    }
    engine.release(sequence);
    Ok(out)
}

/// How a long text is cut.
#[derive(Clone, Copy, Debug)]
pub struct ScoreOptions {
    /// Most tokens in one window.
    pub window: usize,
    /// Tokens already scored that a window repeats as context, beside the one it starts from.
    pub overlap: usize,
}

/// The likelihood of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Tokens that were predicted.
    pub n_scored: usize,
    /// Sum of -ln p over them, in nats.
    pub nll_sum: f64,
}

/// Scores `tokens` in windows: each is predicted exactly once.
///
/// The first window starts with `prefix` (the beginning-of-text token, if the model has one; else
/// the first token is not predicted), each later one with the last `overlap + 1` tokens before
/// it: lm-eval's rolling log-likelihood, which has overlap 0. `on_progress` is told how many
/// tokens are done.
///
/// # Errors
/// [`EngineError`] when a window does not fit.
///
/// # Panics
/// When the window has no room for a token beside the overlap.
pub fn score(
    engine: &mut Engine,
    prefix: Option<TokenId>,
    tokens: &[TokenId],
    options: ScoreOptions,
    on_progress: &mut dyn FnMut(usize),
) -> Result<Score, EngineError> {
    assert!(options.window > options.overlap + 1, "no room to predict in {options:?}");
    let all: Vec<TokenId> = prefix.into_iter().chain(tokens.iter().copied()).collect();
    let n_prefix = all.len() - tokens.len();
    let mut total = Score { n_scored: 0, nll_sum: 0.0 };
    let mut next = 1; // the first token of `all` not yet predicted
    while next < all.len() {
        let first = next.saturating_sub(options.overlap + 1);
        let last = all.len().min(first + options.window);
        let scored = log_probs(engine, &all[first..last])?;
        let new = &scored[next - first - 1..];
        total.nll_sum -= new.iter().map(|&p| f64::from(p)).sum::<f64>();
        total.n_scored += new.len();
        next = last;
        on_progress(next - n_prefix);
    }
    Ok(total)
}
