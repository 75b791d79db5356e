//! The most probable continuation of many prompts at once.

use psi_infer::{Engine, EngineError, Sequence, Want, Work, sampling};
use psi_kernels::kv::KV_BLOCK;
use psi_tokenizer::TokenId;

/// How far to go, and what ends an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits<'a> {
    pub(crate) max_tokens: usize,
    pub(crate) stop: &'a [TokenId],
    pub(crate) batch: usize,
}

struct Running<'p> {
    index: usize,
    sequence: Sequence,
    reserved: usize,
    prompt: &'p [TokenId],
    written: Vec<TokenId>,
}

/// Continues every prompt greedily, without its stop token. A place that becomes free goes to the next
/// prompt; what a prompt gets does not depend on the others.
///
/// # Errors
/// [`EngineError`]: a prompt does not fit the model's context or the whole cache.
pub(crate) fn complete(
    engine: &mut Engine,
    prompts: &[Vec<TokenId>],
    limits: Limits<'_>,
) -> Result<Vec<Vec<TokenId>>, EngineError> {
    let mut free = engine.n_free();
    let n_context = engine.model().config().max_seq_len;
    let mut answers = vec![Vec::new(); prompts.len()];
    let mut waiting = prompts.iter().enumerate();
    let mut next = waiting.next();
    let mut running: Vec<Running<'_>> = Vec::new();
    loop {
        while let Some((index, prompt)) = next
            && running.len() < limits.batch
        {
            let length = (prompt.len() + limits.max_tokens).min(n_context);
            let reserved = length.next_multiple_of(KV_BLOCK);
            if reserved > free && !running.is_empty() {
                break;
            }
            free = free.saturating_sub(reserved);
            let sequence = Sequence::new(length);
            running.push(Running { index, sequence, reserved, prompt, written: Vec::new() });
            next = waiting.next();
        }
        if running.is_empty() {
            return Ok(answers);
        }
        let chosen = step(engine, &mut running);
        let chosen = match chosen {
            Ok(chosen) => chosen,
            Err(error) => {
                running.into_iter().for_each(|r| engine.release(r.sequence));
                return Err(error);
            }
        };
        let mut kept = Vec::new();
        for (mut item, token) in running.into_iter().zip(chosen) {
            let is_end = limits.stop.contains(&token);
            if !is_end {
                item.written.push(token);
            }
            let is_full = item.prompt.len() + item.written.len() >= n_context;
            if is_end || is_full || item.written.len() >= limits.max_tokens {
                free += item.reserved;
                engine.release(item.sequence);
                answers[item.index] = item.written;
            } else {
                kept.push(item);
            }
        }
        running = kept;
    }
}

/// The next token of every running sequence.
fn step(engine: &mut Engine, running: &mut [Running<'_>]) -> Result<Vec<TokenId>, EngineError> {
    let mut work = Vec::new();
    for item in running.iter_mut() {
        let tokens = item.written.last().map_or(item.prompt, std::slice::from_ref);
        work.push(Work { sequence: &mut item.sequence, tokens, want: Want::Last });
    }
    let logits = engine.forward(&mut work)?;
    // Weights that are not numbers have no best token; any token shows that in the answer.
    Ok((0..logits.n_rows()).map(|i| sampling::argmax(logits.row(i)).unwrap_or(0)).collect())
}
