//! Log-likelihoods of choices and of long texts, many items in one forward pass.
//!
//! What the choices of an item share is computed once: their common prefix goes through the model first,
//! then each choice's own tokens, after which the cache is cut back to the prefix.

use std::sync::Arc;

use psi_infer::{Engine, EngineError, Sequence, Want, Work, sampling};
use psi_kernels::{kv::KV_BLOCK, softmax::log_sum_exp};
use psi_model::Adapter;
use psi_tokenizer::{TokenId, Tokenizer};

use crate::task::{Choice, LogLikelihood, Span};

/// Logits held at a time: few enough (4 MB) that they, and what was computed for them, stay in the cache and their memory is
/// used again; more are asked for from the system every time.
const LOGITS: usize = 1 << 20;
/// Rows of a batch where the vocabulary is large: fewer would not keep the processor busy.
const MIN_ROWS: usize = 128;

/// Rows of logits held at a time.
fn max_rows(engine: &Engine) -> usize {
    (LOGITS / engine.model().config().vocab_size).max(MIN_ROWS)
}

/// The choices of one item as tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choices {
    /// Each choice: all its tokens, context first.
    pub(super) tokens: Vec<Vec<TokenId>>,
    /// Where each one's scored tokens begin.
    pub(super) from: Vec<usize>,
    /// Tokens that all of them start with; at least one less than the shortest has.
    shared: usize,
}

impl Choices {
    /// Puts `text` and each choice's context before its continuation.
    pub(super) fn new(tokenizer: &Tokenizer, text: &str, choices: &[Choice], span: Span) -> Self {
        let mut tokens = Vec::with_capacity(choices.len());
        let mut from = Vec::with_capacity(choices.len());
        for choice in choices {
            let (all, start) = pair(tokenizer, &format!("{text}{}", choice.context), choice);
            tokens.push(all);
            from.push(start);
        }
        let prefix = common(&tokens, &|t, i| t.get(i).copied());
        let shortest = tokens.iter().map(Vec::len).min().unwrap_or(0);
        match span {
            Span::Continuation => {}
            Span::AfterCommonPrefix => from.iter_mut().for_each(|f| *f = prefix.max(1)),
            Span::CommonSuffix => {
                let suffix = common(&tokens, &|t, i| t.len().checked_sub(i + 1).map(|i| t[i]));
                // The first token has no probability.
                let suffix = suffix.min(shortest.saturating_sub(1));
                from.iter_mut().zip(&tokens).for_each(|(f, t)| *f = t.len() - suffix);
            }
        }
        // Of a single choice the part before the scored tokens is shared with nobody, but wants no logits.
        let shared = if let [from] = from.as_slice() { *from } else { prefix };
        Self { shared: shared.min(shortest.saturating_sub(1)), tokens, from }
    }

    /// Tokens of the longest choice.
    pub(super) fn longest(&self) -> usize {
        self.tokens.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Tokens that are run once: all shared ones but the last, whose row predicts what follows it.
    fn split(&self) -> usize {
        self.shared.saturating_sub(1)
    }
}

/// Tokens of context and continuation, and where the continuation's begin: after as many tokens as the
/// context has alone. Spaces at the context's end count to the continuation, because most tokenizers put
/// them before a word. Special tokens that a text spells out (WikiText's `<unk>`) are read as such, as in
/// every harness whose figures are compared.
fn pair(tokenizer: &Tokenizer, context: &str, choice: &Choice) -> (Vec<TokenId>, usize) {
    let kept = context.trim_end();
    let spaces = &context[kept.len()..];
    let start: Vec<TokenId> = match tokenizer.prefix_ids() {
        [] if kept.is_empty() => tokenizer.bos().or(tokenizer.eos()).into_iter().collect(),
        ids => ids.to_vec(),
    };
    let with_start = |text: &str| {
        let mut ids = start.clone();
        ids.extend(tokenizer.encode(text, false, true));
        ids
    };
    let n_context = if kept.is_empty() { start.len() } else { with_start(kept).len() };
    let all = with_start(&format!("{kept}{spaces}{}", choice.continuation));
    // The first token of all has no probability.
    (all, n_context.max(1))
}

/// How many tokens are equal in all, counted by `at`.
fn common(tokens: &[Vec<TokenId>], at: &dyn Fn(&[TokenId], usize) -> Option<TokenId>) -> usize {
    let Some((first, rest)) = tokens.split_first() else { return 0 };
    let equal = |i: usize| {
        let token = at(first, i);
        token.is_some() && rest.iter().all(|t| at(t, i) == token)
    };
    (0..first.len()).take_while(|&i| equal(i)).count()
}

/// The log-likelihoods of every item's choices, in order.
///
/// # Errors
/// [`EngineError`] when an item does not fit; check with [`Choices::longest`] first.
pub(super) fn choices(
    engine: &mut Engine,
    adapter: Option<&Arc<Adapter>>,
    items: &[Choices],
) -> Result<Vec<Vec<LogLikelihood>>, EngineError> {
    let max_rows = max_rows(engine);
    let mut all = Vec::with_capacity(items.len());
    let mut rest = items;
    while !rest.is_empty() {
        let n = batch_of(rest, engine.n_free(), max_rows);
        let (batch, after) = rest.split_at(n);
        all.extend(scored(engine, adapter, batch)?);
        rest = after;
    }
    Ok(all)
}

/// How many items fit the cache and the logits together; at least one.
fn batch_of(items: &[Choices], n_free: usize, max_rows: usize) -> usize {
    let (mut positions, mut rows) = (0, 0);
    let fits = |item: &&Choices| {
        positions += item.longest().next_multiple_of(KV_BLOCK);
        rows += item.longest();
        positions <= n_free && rows <= max_rows
    };
    items.iter().take_while(fits).count().max(1)
}

fn scored(
    engine: &mut Engine,
    adapter: Option<&Arc<Adapter>>,
    items: &[Choices],
) -> Result<Vec<Vec<LogLikelihood>>, EngineError> {
    let sequence = |item: &Choices| Sequence::with_adapter(item.longest(), adapter.cloned());
    let mut sequences: Vec<Sequence> = items.iter().map(sequence).collect();
    let result = score_all(engine, items, &mut sequences);
    sequences.into_iter().for_each(|s| engine.release(s));
    result
}

fn score_all(
    engine: &mut Engine,
    items: &[Choices],
    sequences: &mut [Sequence],
) -> Result<Vec<Vec<LogLikelihood>>, EngineError> {
    let none = LogLikelihood { sum: 0.0, n_tokens: 0, is_greedy: true };
    // The shared part: scored where a choice counts tokens of it.
    let mut shared = Vec::new();
    for (item, sequence) in items.iter().zip(sequences.iter_mut()) {
        let split = item.split();
        if split > 0 {
            let is_scored = item.from.iter().any(|&f| f <= split);
            let want = if is_scored { Want::All } else { Want::Nothing };
            let tokens = &item.tokens[0];
            shared.push(Piece {
                sequence,
                tokens: &tokens[..split],
                want,
                next: &tokens[1..=split],
            });
        }
    }
    let shared = probabilities(engine, shared)?;
    let mut shared_of = Vec::with_capacity(items.len());
    let mut next = shared.into_iter();
    for item in items {
        shared_of.push(if item.split() > 0 { next.next().unwrap_or_default() } else { Vec::new() });
    }
    // Each choice's own part, all items at a time.
    let mut all: Vec<Vec<LogLikelihood>> = vec![Vec::new(); items.len()];
    let most = items.iter().map(|i| i.tokens.len()).max().unwrap_or(0);
    for c in 0..most {
        let mut pieces = Vec::new();
        let mut owners = Vec::new();
        for (i, (item, sequence)) in items.iter().zip(sequences.iter_mut()).enumerate() {
            let Some(tokens) = item.tokens.get(c) else { continue };
            let split = item.split();
            owners.push(i);
            let last = tokens.len().saturating_sub(1).max(split);
            pieces.push(Piece {
                sequence,
                tokens: &tokens[split..last],
                want: Want::All,
                next: tokens.get(split + 1..).unwrap_or_default(),
            });
        }
        let own = probabilities(engine, pieces)?;
        for (i, own) in owners.into_iter().zip(own) {
            let item = &items[i];
            let (split, from) = (item.split(), item.from[c]);
            let mut total = none;
            // Row r of the shared part is about token r + 1, row r of the own part about split + r + 1.
            let shared = shared_of[i].iter().skip(from.saturating_sub(1));
            let own = own.iter().skip(from.saturating_sub(split + 1));
            for &(log_prob, is_best) in shared.chain(own) {
                total.sum += f64::from(log_prob);
                total.n_tokens += 1;
                total.is_greedy &= is_best;
            }
            all[i].push(total);
            engine.truncate(&mut sequences[i], split);
        }
    }
    Ok(all)
}

/// Tokens to run and the tokens that follow each of them.
struct Piece<'a> {
    sequence: &'a mut Sequence,
    tokens: &'a [TokenId],
    want: Want,
    next: &'a [TokenId],
}

/// For every piece and each of its rows: the following token's log-probability, and whether it was the
/// likeliest. Nothing for pieces that want nothing.
fn probabilities(
    engine: &mut Engine,
    pieces: Vec<Piece<'_>>,
) -> Result<Vec<Vec<(f32, bool)>>, EngineError> {
    let mut wanted = Vec::with_capacity(pieces.len());
    let mut work = Vec::with_capacity(pieces.len());
    for piece in pieces {
        wanted.push(if piece.want == Want::All { piece.next } else { &[] });
        work.push(Work { sequence: piece.sequence, tokens: piece.tokens, want: piece.want });
    }
    if work.is_empty() {
        return Ok(Vec::new());
    }
    let logits = engine.forward(&mut work)?;
    let vocab_size = engine.model().config().vocab_size;
    let mut lse = vec![0.0; logits.n_rows()];
    log_sum_exp(engine.cpu(), logits.values(), vocab_size, &mut lse);
    let mut row = 0;
    let mut of_pieces = Vec::with_capacity(wanted.len());
    for next in wanted {
        let rows = next.iter().map(|&token| {
            let values = logits.row(row);
            let own = values[token as usize];
            let found = (own - lse[row], sampling::argmax(values) == Some(token));
            row += 1;
            found
        });
        of_pieces.push(rows.collect());
    }
    Ok(of_pieces)
}

/// The log-likelihood of a text in windows of the whole context: each token is predicted once, from as
/// many tokens before it as the window holds; the last window starts early enough to be full. The first
/// token is predicted from `start`.
pub(super) fn rolling(
    engine: &mut Engine,
    adapter: Option<&Arc<Adapter>>,
    start: Option<TokenId>,
    tokens: &[TokenId],
) -> Result<LogLikelihood, EngineError> {
    let max = engine.model().config().max_seq_len;
    // Nobody asks whether a whole text was the likeliest.
    let mut total = LogLikelihood { sum: 0.0, n_tokens: 0, is_greedy: false };
    let mut done = 0;
    while done < tokens.len() {
        let n = max.min(tokens.len() - done);
        let window: Vec<TokenId> = if done == 0 {
            start.into_iter().chain(tokens[..n].iter().copied()).collect()
        } else {
            tokens[done + n - max - 1..done + n].to_vec()
        };
        let mut sequence = Sequence::with_adapter(window.len(), adapter.cloned());
        let scored = window_scores(engine, &mut sequence, &window);
        engine.release(sequence);
        let scored = scored?;
        let new = &scored[scored.len().saturating_sub(n)..];
        total.sum += new.iter().map(|&p| f64::from(p)).sum::<f64>();
        total.n_tokens += new.len();
        done += n;
    }
    Ok(total)
}

/// The log-probability of every token of a window but the first.
fn window_scores(
    engine: &mut Engine,
    sequence: &mut Sequence,
    window: &[TokenId],
) -> Result<Vec<f32>, EngineError> {
    let rows = max_rows(engine);
    let mut scored = Vec::with_capacity(window.len());
    let last = window.len().saturating_sub(1);
    for from in (0..last).step_by(rows) {
        let to = last.min(from + rows);
        let (tokens, next) = (&window[from..to], &window[from + 1..=to]);
        let piece = Piece { sequence: &mut *sequence, tokens, want: Want::All, next };
        let found = probabilities(engine, vec![piece])?;
        scored.extend(found.into_iter().flatten().map(|(log_prob, _)| log_prob));
    }
    Ok(scored)
}

#[cfg(test)]
mod tests {
    use psi_infer::{EngineOptions, log_probs};
    use psi_kernels::{Cpu, Isa, kv::KvDtype};
    use psi_model::{Decoder, LoadOptions};

    use super::*;

    fn engine(model: &str, n_positions: usize) -> Engine {
        let cpu = Arc::new(Cpu::new(Isa::from_env().unwrap(), 1));
        let path = psi_testkit::golden_dir().join("models").join(model);
        let decoder = Decoder::load(&cpu, &path, &LoadOptions::default()).unwrap();
        let options = EngineOptions { kv: KvDtype::F32, n_positions, ..EngineOptions::default() };
        Engine::new(&cpu, Arc::new(decoder), options)
    }

    /// Items of one to four choices that share beginnings and endings of any length.
    fn items(vocab_size: u64) -> Vec<Choices> {
        let mut rng = psi_testkit::Rng::new(5);
        let mut ids =
            |n: u64| -> Vec<TokenId> { (0..n).map(|_| rng.below(vocab_size) as TokenId).collect() };
        (0..30_u64)
            .map(|i| {
                let (start, end) = (ids(1 + i % 19), ids(i % 4));
                let tokens: Vec<Vec<TokenId>> = (0..1 + i % 4)
                    .map(|c| [start.clone(), ids((c + i) % 6), end.clone()].concat())
                    .collect();
                let from = tokens.iter().map(|t| ((i as usize) % t.len()).max(1)).collect();
                let shared = start.len().min(tokens.iter().map(Vec::len).min().unwrap() - 1);
                Choices { tokens, from, shared }
            })
            .collect()
    }

    #[test]
    fn batches_and_shared_beginnings_change_no_bit() {
        for model in ["llama2", "gemma2", "qwen3"] {
            // A small cache, so that the items need several batches.
            let mut engine = engine(model, 512);
            let items = items(engine.model().config().vocab_size as u64);
            let found = choices(&mut engine, None, &items).unwrap();
            let free = engine.n_free();
            for (item, found) in items.iter().zip(&found) {
                for ((tokens, &from), got) in item.tokens.iter().zip(&item.from).zip(found) {
                    let alone = log_probs(&mut engine, tokens).unwrap();
                    let sum: f64 = alone[from - 1..].iter().map(|&p| f64::from(p)).sum();
                    assert_eq!((got.sum, got.n_tokens), (sum, tokens.len() - from), "{item:?}");
                }
            }
            assert_eq!(engine.n_free(), free, "every block is given back");
        }
    }

    #[test]
    fn greedy_is_what_the_model_would_write() {
        let mut engine = engine("llama2", 512);
        let mut tokens: Vec<TokenId> = vec![1, 5, 9];
        for _ in 0..6 {
            let mut sequence = Sequence::new(tokens.len());
            let work = Work { sequence: &mut sequence, tokens: &tokens, want: Want::Last };
            let best = sampling::argmax(engine.forward(&mut [work]).unwrap().row(0)).unwrap();
            engine.release(sequence);
            tokens.push(best);
        }
        let mut other = tokens.clone();
        other[7] = (other[7] + 1) % engine.model().config().vocab_size as TokenId;
        let item = Choices { tokens: vec![tokens, other], from: vec![3, 3], shared: 3 };
        let found = choices(&mut engine, None, &[item]).unwrap();
        assert_eq!([found[0][0].is_greedy, found[0][1].is_greedy], [true, false]);
    }

    #[test]
    fn every_token_of_a_long_text_is_predicted_once_from_a_full_window() {
        let mut engine = engine("llama2", 2048);
        let max = engine.model().config().max_seq_len;
        let vocab_size = engine.model().config().vocab_size as u64;
        let mut rng = psi_testkit::Rng::new(8);
        let text: Vec<TokenId> =
            (0..max * 2 + 7).map(|_| rng.below(vocab_size) as TokenId).collect();
        let found = rolling(&mut engine, None, Some(1), &text).unwrap();
        assert_eq!(found.n_tokens, text.len());
        let all: Vec<TokenId> = [&[1], text.as_slice()].concat();
        let mut sum = 0.0;
        // The last 7 tokens come from a window that ends with the text.
        for (from, new) in [(0, max), (max, max), (max + 7, 7)] {
            let scored = log_probs(&mut engine, &all[from..=from + max]).unwrap();
            sum += scored[max - new..].iter().map(|&p| f64::from(p)).sum::<f64>();
        }
        assert!((found.sum - sum).abs() < 1e-9, "{} {sum}", found.sum);
        let short = rolling(&mut engine, None, None, &text[..5]).unwrap();
        assert_eq!(short.n_tokens, 4, "without a start token the first is not predicted");
    }
}
