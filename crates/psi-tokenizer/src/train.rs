//! Training a byte-level BPE tokenizer: the most frequent pair of neighbours becomes a token, again and
//! again (Sennrich et al. 2016), with pair counts kept up to date instead of counted anew.
//!
//! Ties are broken as Hugging Face's `BpeTrainer` does - the pair with the smaller ids first - so both
//! make the same vocabulary from the same text.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use hashbrown::{HashMap, HashSet};
use serde_json::json;

use crate::added::AddedToken;
use crate::error::{TokenizerError, quoted};
use crate::model::bpe::BpeOptions;
use crate::model::{Bpe, Model};
use crate::pattern::Pattern;
use crate::special::SpecialTokens;
use crate::tiktoken::split_then_bytes;
use crate::tokenizer::{Config, Parts, Tokenizer};
use crate::vocab::Vocab;
use crate::{TokenId, byte_level, scanner};

/// What [`train_bpe`] makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainOptions {
    /// Number of tokens in all: special tokens, 256 bytes, merges. Training ends earlier if no pair
    /// reaches `min_frequency`.
    pub vocab_size: usize,
    /// The split pattern; merges never cross its matches.
    pub pattern: String,
    /// Texts of special tokens; they get the first ids, in order.
    pub special_tokens: Vec<String>,
    /// A pair seen less often is not merged.
    pub min_frequency: u64,
    /// Longest token in bytes, or no limit.
    pub max_token_bytes: Option<usize>,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            vocab_size: 32_768,
            pattern: scanner::source::LLAMA3.to_owned(),
            special_tokens: vec!["<|endoftext|>".to_owned()],
            min_frequency: 2,
            max_token_bytes: None,
        }
    }
}

impl TrainOptions {
    /// The split pattern of words as in the default, with every digit a piece of its own: a small model
    /// copies and compares numbers digit by digit.
    pub const SINGLE_DIGITS: &str = scanner::source::QWEN2;
}

/// Trains on `documents`. The result depends on the multiset of documents only, not on their order.
///
/// # Errors
/// An invalid pattern, a special token given twice or empty, a vocabulary too small for the special
/// tokens and 256 bytes.
pub fn train_bpe<'d>(
    documents: &mut dyn Iterator<Item = std::borrow::Cow<'d, str>>,
    options: &TrainOptions,
) -> Result<Tokenizer, TokenizerError> {
    let pattern = Pattern::regex(&options.pattern, "pattern")?;
    let mut vocab = initial_vocab(options)?;
    let first_byte = options.special_tokens.len() as TokenId;
    let mut words = count_words(documents, &pattern, options, &vocab);
    let mut pairs = PairCounts::new(&words);
    let mut merges: Vec<(TokenId, TokenId, TokenId)> = Vec::new();
    let mut lengths = vec![1usize; first_byte as usize + 256];
    while vocab.size() < options.vocab_size {
        let Some((pair, count)) = pairs.most_frequent() else { break };
        if count < options.min_frequency.max(1) {
            break;
        }
        let text = [vocab.text(pair.0), vocab.text(pair.1)].map(Option::unwrap_or_default).concat();
        let length = lengths[pair.0 as usize] + lengths[pair.1 as usize];
        if options.max_token_bytes.is_some_and(|max| length > max) {
            pairs.forget(pair);
            continue;
        }
        // Two pairs can spell the same text; the second one merges into the token of the first.
        let product = match vocab.id(&text) {
            Some(id) => id,
            None => {
                lengths.push(length);
                let id = vocab.size();
                vocab.insert(&text, id as u64, options.vocab_size, "vocabulary")?
            }
        };
        merges.push((pair.0, pair.1, product));
        pairs.merge(&mut words, pair, product);
    }
    assemble(vocab, merges, options)
}

fn initial_vocab(options: &TrainOptions) -> Result<Vocab, TokenizerError> {
    let n_special = options.special_tokens.len();
    if options.vocab_size < n_special + 256 {
        return Err(TokenizerError::invalid(
            "vocab_size",
            format!(
                "{} is too small for 256 bytes and {n_special} special tokens",
                options.vocab_size
            ),
        ));
    }
    let mut vocab = Vocab::with_capacity(options.vocab_size, options.vocab_size * 8);
    for (id, text) in options.special_tokens.iter().enumerate() {
        let place = format!("special_tokens[{id}]");
        if text.is_empty() || crate::export::is_byte_level_text(text) && text.chars().count() == 1 {
            let reason = format!("{} cannot be a special token", quoted(text));
            return Err(TokenizerError::invalid(place, reason));
        }
        vocab.insert(text, id as u64, options.vocab_size, &place)?;
    }
    // In the order of the characters that spell them, as the reference implementation sorts them.
    let mut alphabet = byte_level::BYTE_TO_CHAR;
    alphabet.sort_unstable();
    for c in alphabet {
        let id = vocab.size() as u64;
        vocab.insert(c.encode_utf8(&mut [0; 4]), id, options.vocab_size, "alphabet")?;
    }
    Ok(vocab)
}

/// A distinct piece of the corpus and how often it occurs.
#[derive(Debug)]
struct Word {
    symbols: Vec<TokenId>,
    count: u64,
}

fn count_words<'d>(
    documents: &mut dyn Iterator<Item = std::borrow::Cow<'d, str>>,
    pattern: &Pattern,
    options: &TrainOptions,
    vocab: &Vocab,
) -> Vec<Word> {
    let mut counts: HashMap<Box<str>, u64> = HashMap::new();
    let special = special_matcher(options);
    for document in documents {
        let mut add = |text: &str| {
            let mut done = 0;
            let mut count = |piece: &str| match counts.get_mut(piece) {
                _ if piece.is_empty() => {}
                Some(n) => *n += 1,
                None => {
                    counts.insert(piece.into(), 1);
                }
            };
            pattern.each_match(text, |start, end| {
                count(&text[done..start]);
                count(&text[start..end]);
                done = end;
            });
            count(&text[done..]);
        };
        // A special token in the text is a border, not something to learn.
        let mut done = 0;
        if let Some(special) = &special {
            for hit in special.find_iter(document.as_ref()) {
                add(&document[done..hit.start()]);
                done = hit.end();
            }
        }
        add(&document[done..]);
    }
    let byte_id = |b: u8| vocab.id(byte_level::BYTE_TO_CHAR[b as usize].encode_utf8(&mut [0; 4]));
    let ids: Vec<Option<TokenId>> = (0..=255).map(byte_id).collect();
    let mut words: Vec<(Box<str>, u64)> = counts.into_iter().collect();
    // The map's order is random; nothing below may depend on it.
    words.sort_unstable();
    let symbols = |text: &str| text.bytes().filter_map(|b| ids[b as usize]).collect();
    words.iter().map(|(text, count)| Word { symbols: symbols(text), count: *count }).collect()
}

fn special_matcher(options: &TrainOptions) -> Option<aho_corasick::AhoCorasick> {
    if options.special_tokens.is_empty() {
        return None;
    }
    aho_corasick::AhoCorasick::builder()
        .match_kind(aho_corasick::MatchKind::LeftmostLongest)
        .build(&options.special_tokens)
        .ok()
}

type Pair = (TokenId, TokenId);

/// Counts of all pairs with the words they occur in, and a queue of candidates.
struct PairCounts {
    counts: HashMap<Pair, i64>,
    /// indices of words that contain, or once contained, the pair
    places: HashMap<Pair, Vec<u32>>,
    queue: BinaryHeap<Candidate>,
}

#[derive(Debug, PartialEq, Eq)]
struct Candidate {
    count: i64,
    pair: Pair,
}

impl Ord for Candidate {
    /// More frequent is greater; of equals the smaller pair is.
    fn cmp(&self, other: &Self) -> Ordering {
        self.count.cmp(&other.count).then_with(|| other.pair.cmp(&self.pair))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PairCounts {
    fn new(words: &[Word]) -> Self {
        let mut counts: HashMap<Pair, i64> = HashMap::new();
        let mut places: HashMap<Pair, Vec<u32>> = HashMap::new();
        for (index, word) in (0u32..).zip(words) {
            for w in word.symbols.windows(2) {
                let pair = (w[0], w[1]);
                *counts.entry(pair).or_insert(0) += word.count as i64;
                let list = places.entry(pair).or_default();
                if list.last() != Some(&index) {
                    list.push(index);
                }
            }
        }
        let queue = counts.iter().map(|(&pair, &count)| Candidate { count, pair }).collect();
        Self { counts, places, queue }
    }

    /// The pair to merge next, with its count. Counts only fall between entries: an entry that is out
    /// of date is put back with the right count.
    fn most_frequent(&mut self) -> Option<(Pair, u64)> {
        while let Some(top) = self.queue.pop() {
            let now = self.counts.get(&top.pair).copied().unwrap_or(0);
            if now == top.count && now > 0 {
                return Some((top.pair, now as u64));
            }
            if now > 0 && now < top.count {
                self.queue.push(Candidate { count: now, pair: top.pair });
            }
        }
        None
    }

    /// Drops a pair that may not merge.
    fn forget(&mut self, pair: Pair) {
        self.counts.remove(&pair);
        self.places.remove(&pair);
    }

    /// Replaces `pair` by `product` in every word and updates the counts of the neighbours.
    fn merge(&mut self, words: &mut [Word], pair: Pair, product: TokenId) {
        let mut indices = self.places.remove(&pair).unwrap_or_default();
        indices.sort_unstable();
        indices.dedup();
        self.counts.remove(&pair);
        let mut grown: HashSet<Pair> = HashSet::new();
        for index in indices {
            let word = &mut words[index as usize];
            let count = word.count as i64;
            merge_in_word(&mut word.symbols, pair, product, |changed, by| {
                if changed == pair {
                    return;
                }
                *self.counts.entry(changed).or_insert(0) += by * count;
                if by > 0 {
                    let list = self.places.entry(changed).or_default();
                    if list.last() != Some(&index) {
                        list.push(index);
                    }
                    grown.insert(changed);
                }
            });
        }
        for pair in grown {
            if let Some(&count) = self.counts.get(&pair).filter(|&&c| c > 0) {
                self.queue.push(Candidate { count, pair });
            }
        }
    }
}

/// Merges from left to right; `change(pair, +1 or -1)` reports neighbours that appear and vanish.
fn merge_in_word(
    symbols: &mut Vec<TokenId>,
    pair: Pair,
    product: TokenId,
    mut change: impl FnMut(Pair, i64),
) {
    let mut at = 0;
    while at + 1 < symbols.len() {
        if (symbols[at], symbols[at + 1]) != pair {
            at += 1;
            continue;
        }
        if at > 0 {
            change((symbols[at - 1], pair.0), -1);
            change((symbols[at - 1], product), 1);
        }
        if let Some(&next) = symbols.get(at + 2) {
            change((pair.1, next), -1);
            change((product, next), 1);
        }
        symbols[at] = product;
        symbols.remove(at + 1);
        at += 1;
    }
}

fn assemble(
    vocab: Vocab,
    merges: Vec<(TokenId, TokenId, TokenId)>,
    options: &TrainOptions,
) -> Result<Tokenizer, TokenizerError> {
    let bpe_options = BpeOptions { byte_level: true, ..BpeOptions::default() };
    let model = Model::Bpe(Bpe::from_ids(&vocab, merges.into_iter(), bpe_options));
    let special_ids = (0..).zip(&options.special_tokens);
    let added = special_ids.map(|(id, text)| AddedToken::special(id, text.as_str())).collect();
    let config = Config {
        pre_tokenizer: split_then_bytes(&[&options.pattern]),
        decoder: json!({
            "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true
        }),
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
