//! A tokenizer's vocabulary as `llguidance` walks it: a trie of the bytes that each token writes.

use std::{collections::HashSet, sync::Arc};

use llguidance::toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};
use psi_tokenizer::{TokenId, Tokenizer};

use super::GrammarError;

/// Longer tokens do not fit the trie; no grammar lets them through.
const MAX_TOKEN_BYTES: usize = 1000;

/// The vocabulary of a model with `vocab_size` logits.
///
/// Special tokens and tags write no text that a grammar's terminals could match; a grammar names them by
/// their id. Every way of cutting a text into tokens is allowed: the model chooses.
pub(super) fn environment(
    tokenizer: &Tokenizer,
    vocab_size: usize,
) -> Result<TokEnv, GrammarError> {
    let ends: Vec<TokenId> = tokenizer.end_of_generation().to_vec();
    let ends: Vec<TokenId> = ends.into_iter().filter(|&id| (id as usize) < vocab_size).collect();
    let Some(&end) = ends.first() else { return Err(GrammarError::NoEnd) };
    let marks = marks(tokenizer);
    let word = |id: TokenId| {
        let bytes = tokenizer.token_bytes(id);
        if marks.contains(&id) {
            [&[TokTrie::SPECIAL_TOKEN_MARKER], bytes].concat()
        } else if bytes.len() > MAX_TOKEN_BYTES || bytes.first() == Some(&0xff) {
            Vec::new()
        } else {
            bytes.to_vec()
        }
    };
    let words: Vec<Vec<u8>> = (0..vocab_size as TokenId).map(word).collect();
    let trie = TokTrie::from(&TokRxInfo::new(vocab_size as u32, end), &words);
    Ok(Arc::new(ApproximateTokEnv::new(trie.with_eos_tokens(&ends))))
}

/// The tokens that steer instead of writing: special ones, and added ones that look like tags
/// (`<tool_call>` is not special in Qwen's files).
fn marks(tokenizer: &Tokenizer) -> HashSet<TokenId> {
    let is_tag = |text: &str| {
        (text.starts_with('<') && text.ends_with('>') && text.len() > 2)
            || (text.starts_with('[') && text.ends_with(']') && text.len() > 2)
    };
    let added = tokenizer.added_tokens().iter();
    added.filter(|t| t.special || is_tag(&t.content)).map(|t| t.id).collect()
}
