//! tiktoken rank files: one line per token, its bytes in base64 and its rank, which is also its id.

use std::path::Path;

use serde_json::json;

use crate::added::AddedToken;
use crate::error::TokenizerError;
use crate::merge::{MergeBuffer, NO_MERGE};
use crate::model::bpe::BpeOptions;
use crate::model::{Bpe, Model};
use crate::pair_table::PairTable;
use crate::special::SpecialTokens;
use crate::tokenizer::{Config, Parts, Tokenizer};
use crate::vocab::Vocab;
use crate::{TokenId, base64, byte_level};

impl Tokenizer {
    /// Reads a rank file. The split pattern and the special tokens are not in it: `pattern` is the
    /// regular expression (see [`CL100K_PATTERN`](Self::CL100K_PATTERN)), `special` the tokens to add.
    ///
    /// Any pair of neighbours whose bytes are a token merges, lowest rank first; a piece that is a token
    /// is not taken apart. Both are expressed as ranked merges: within the bytes of a token the merges
    /// of lower rank always end in the same two parts, so one merge per token is enough.
    ///
    /// # Errors
    /// Lines that are not base64 and a rank, ranks or bytes given twice, an invalid pattern.
    pub fn from_tiktoken(
        bytes: &[u8],
        pattern: &str,
        special: &[(&str, TokenId)],
        path: &Path,
    ) -> Result<Self, TokenizerError> {
        read(bytes, pattern, special).map_err(|e| e.in_file(path))
    }

    /// The split pattern of cl100k_base, in the form Llama 3 and others use.
    pub const CL100K_PATTERN: &str = crate::scanner::source::LLAMA3;

    /// The split pattern of o200k_base.
    pub const O200K_PATTERN: &str = crate::scanner::source::O200K;
}

fn read(
    bytes: &[u8],
    pattern: &str,
    special: &[(&str, TokenId)],
) -> Result<Tokenizer, TokenizerError> {
    let mut ranked = read_lines(bytes)?;
    ranked.sort_unstable_by_key(|(rank, _)| *rank);
    let n_tokens = ranked.len() + special.len();
    let mut vocab = Vocab::with_capacity(n_tokens, bytes.len());
    for (rank, token) in &ranked {
        vocab.insert(&byte_level::encode(token), *rank, n_tokens, "ranks")?;
    }
    let merges = merges_of(&vocab, &ranked);
    let mut added = Vec::with_capacity(special.len());
    for &(text, id) in special {
        vocab.insert(text, id.into(), n_tokens, "special tokens")?;
        added.push(AddedToken::special(id, text));
    }
    let options = BpeOptions { byte_level: true, ignore_merges: true, ..BpeOptions::default() };
    let model = Model::Bpe(Bpe::from_ids(&vocab, merges.into_iter(), options));
    let config = Config {
        pre_tokenizer: split_then_bytes(&[pattern]),
        decoder: json!({"type": "ByteLevel"}),
        ..Config::default()
    };
    Tokenizer::assemble(Parts {
        normalizers: Vec::new(),
        pre_tokenizers: config.pre_tokenizers()?,
        special: SpecialTokens { eos: vocab.id("<|endoftext|>"), ..SpecialTokens::default() },
        vocab,
        model,
        added,
        config,
        prefix: Vec::new(),
        suffix: Vec::new(),
    })
}

/// The pre-tokenizer that isolates the matches of each pattern in turn and then spells bytes.
pub(crate) fn split_then_bytes(patterns: &[&str]) -> serde_json::Value {
    let mut steps: Vec<serde_json::Value> = patterns
        .iter()
        .map(|p| {
            json!({"type": "Split", "pattern": {"Regex": p}, "behavior": "Isolated", "invert": false})
        })
        .collect();
    steps.push(json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false
    }));
    json!({"type": "Sequence", "pretokenizers": steps})
}

fn read_lines(bytes: &[u8]) -> Result<Vec<(u64, Vec<u8>)>, TokenizerError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|e| TokenizerError::syntax("", "not a rank file: not text").with_source(e))?;
    let mut ranked = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.is_empty()) {
        let parsed = line
            .split_once(' ')
            .and_then(|(token, rank)| Some((rank.parse().ok()?, base64::decode(token)?)));
        ranked.push(parsed.ok_or_else(|| {
            TokenizerError::syntax(format!("line {}", i + 1), "expected base64, a space and a rank")
        })?);
    }
    Ok(ranked)
}

/// For every token in rank order the two parts that the merges before it leave of its bytes.
fn merges_of(vocab: &Vocab, ranked: &[(u64, Vec<u8>)]) -> Vec<(TokenId, TokenId, TokenId)> {
    let byte_id = |b: u8| vocab.id(byte_level::BYTE_TO_CHAR[b as usize].encode_utf8(&mut [0; 4]));
    let byte_ids: Vec<Option<TokenId>> = (0..=255).map(byte_id).collect();
    let mut table = PairTable::with_capacity(ranked.len());
    let mut buffer: MergeBuffer<TokenId> = MergeBuffer::default();
    let mut merges = Vec::with_capacity(ranked.len());
    for (rank, token) in ranked.iter().filter(|(_, token)| token.len() > 1) {
        buffer.symbols.clear();
        buffer.symbols.extend(token.iter().filter_map(|&b| byte_ids[b as usize]));
        if buffer.symbols.len() != token.len() {
            continue;
        }
        buffer.merge(|left, right| table.get(left, right));
        // A token left in more parts than two cannot arise by merging; only as a whole piece.
        if let &[left, right] = buffer.symbols.as_slice() {
            let id = *rank as TokenId;
            debug_assert!(id != NO_MERGE);
            table.insert(left, right, merges.len() as u32, id);
            merges.push((left, right, id));
        }
    }
    merges
}
