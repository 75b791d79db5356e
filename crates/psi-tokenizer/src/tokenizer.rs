//! The tokenizer: text to ids and back, whatever file it came from.

use std::borrow::Cow;
use std::sync::{Mutex, OnceLock};

use serde_json::Value;

use crate::TokenId;
use crate::added::{AddedToken, AddedTokens, Part};
use crate::decoder::{Decoder, Detokenizer};
use crate::error::TokenizerError;
use crate::model::{Model, Scratch, each_marked_word};
use crate::normalizer::{self, Normalizer};
use crate::pre_tokenizer::{self, Pieces, PreTokenizer};
use crate::special::SpecialTokens;
use crate::vocab::{Arena, Vocab};

/// A tokenizer, loaded from a `tokenizer.json` ([`from_json`](Self::from_json)), from the metadata of a
/// GGUF file ([`from_gguf`](Self::from_gguf)) or from a tiktoken rank file
/// ([`from_tiktoken`](Self::from_tiktoken)), or trained ([`train_bpe`](crate::train_bpe)).
///
/// It is immutable and can be shared by threads; each call borrows working storage from a pool.
#[derive(Debug)]
pub struct Tokenizer {
    pub(crate) vocab: Vocab,
    pub(crate) model: Model,
    pub(crate) added: AddedTokens,
    pub(crate) normalizers: Vec<Normalizer>,
    pub(crate) pre_tokenizers: Vec<PreTokenizer>,
    pub(crate) config: Config,
    pub(crate) special: SpecialTokens,
    /// ids that `add_special` puts before and after the text
    pub(crate) prefix: Vec<TokenId>,
    pub(crate) suffix: Vec<TokenId>,
    decoder: Decoder,
    /// by id: is it an added token, is it special
    flags: Vec<u8>,
    token_bytes: OnceLock<Arena>,
    #[expect(clippy::vec_box, reason = "moved in and out of the pool per call; large")]
    pool: Mutex<Vec<Box<Scratch>>>,
}

const ADDED: u8 = 1;
const SPECIAL: u8 = 2;

/// The parts of a `tokenizer.json` besides its vocabulary, as they are written back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    pub(crate) normalizer: Value,
    pub(crate) pre_tokenizer: Value,
    pub(crate) post_processor: Value,
    pub(crate) decoder: Value,
}

/// What a loader has read.
pub(crate) struct Parts {
    pub(crate) vocab: Vocab,
    pub(crate) model: Model,
    pub(crate) added: Vec<AddedToken>,
    pub(crate) config: Config,
    pub(crate) special: SpecialTokens,
    pub(crate) prefix: Vec<TokenId>,
    pub(crate) suffix: Vec<TokenId>,
    pub(crate) normalizers: Vec<Normalizer>,
    pub(crate) pre_tokenizers: Vec<PreTokenizer>,
}

impl Config {
    /// The steps of the normalizer.
    pub(crate) fn normalizers(&self) -> Result<Vec<Normalizer>, TokenizerError> {
        let mut steps = Vec::new();
        normalizer::parse(&self.normalizer, "normalizer", &mut steps)?;
        Ok(steps)
    }

    /// The steps of the pre-tokenizer.
    pub(crate) fn pre_tokenizers(&self) -> Result<Vec<PreTokenizer>, TokenizerError> {
        let mut steps = Vec::new();
        pre_tokenizer::parse(&self.pre_tokenizer, "pre_tokenizer", &mut steps)?;
        Ok(steps)
    }
}

impl Tokenizer {
    /// Compiles what a loader has read.
    pub(crate) fn assemble(parts: Parts) -> Result<Self, TokenizerError> {
        let Parts { vocab, model, added, config, special, prefix, suffix, .. } = parts;
        let (normalizers, pre_tokenizers) = (parts.normalizers, parts.pre_tokenizers);
        let decoder = Decoder::parse(&config.decoder, "decoder")?;
        let mut flags = vec![0; vocab.size()];
        for token in &added {
            flags[token.id as usize] |= if token.special { ADDED | SPECIAL } else { ADDED };
        }
        let added = AddedTokens::new(added, |text| {
            let text = Cow::Borrowed(text);
            normalizers.iter().fold(text, |t, n| n.apply(t)).into_owned()
        })?;
        let mut tokenizer = Self {
            vocab,
            model,
            added,
            normalizers,
            pre_tokenizers,
            config,
            special,
            prefix,
            suffix,
            decoder,
            flags,
            token_bytes: OnceLock::new(),
            pool: Mutex::new(Vec::new()),
        };
        tokenizer.special.find_well_known(&tokenizer.vocab, &tokenizer.added.list);
        Ok(tokenizer)
    }

    /// The ids of `text`.
    ///
    /// `add_special` puts BOS, EOS, CLS, ... around them as the file says; `parse_special` lets the text
    /// contain special tokens (`<|im_end|>`): set it for rendered chat templates, never for text from
    /// outside. Added tokens that are not special are always recognised. Any text has ids: characters
    /// without a token become `unk`, or nothing if the file has none.
    pub fn encode(&self, text: &str, add_special: bool, parse_special: bool) -> Vec<TokenId> {
        let mut scratch = self.take_scratch();
        let mut out = Vec::with_capacity(text.len() / 3 + 4);
        if add_special {
            out.extend_from_slice(&self.prefix);
        }
        self.added.split_raw(text, parse_special, |part| match part {
            Part::Token(id) => out.push(id),
            Part::Text(start, text) => {
                self.encode_stretch(text, start == 0, parse_special, &mut scratch, &mut out);
            }
        });
        if add_special {
            out.extend_from_slice(&self.suffix);
        }
        self.give_back(scratch);
        out
    }

    fn take_scratch(&self) -> Box<Scratch> {
        let pooled = self.pool.lock().ok().and_then(|mut pool| pool.pop());
        pooled.unwrap_or_else(|| Box::new(Scratch::new()))
    }

    fn give_back(&self, scratch: Box<Scratch>) {
        if let Ok(mut pool) = self.pool.lock() {
            pool.push(scratch);
        }
    }

    /// Text between added tokens of the input: normalise, then look for the other added tokens.
    fn encode_stretch(
        &self,
        text: &str,
        at_start: bool,
        parse_special: bool,
        scratch: &mut Scratch,
        out: &mut Vec<TokenId>,
    ) {
        let normal = self.normalizers.iter().fold(Cow::Borrowed(text), |t, n| n.apply(t));
        if !self.added.has_normalized(parse_special) {
            self.encode_normal(normal, at_start, scratch, out);
            return;
        }
        self.added.split_normalized(&normal, parse_special, |part| match part {
            Part::Token(id) => out.push(id),
            Part::Text(start, text) => {
                self.encode_normal(Cow::Borrowed(text), at_start && start == 0, scratch, out);
            }
        });
    }

    fn encode_normal(
        &self,
        text: Cow<'_, str>,
        at_start: bool,
        scratch: &mut Scratch,
        out: &mut Vec<TokenId>,
    ) {
        let Self { vocab, model, .. } = self;
        if let Some(pattern) = self.streaming_pattern() {
            // The common case, one pattern that isolates its matches: no list of pieces is made.
            let mut done = 0;
            pattern.each_match(&text, |start, end| {
                if start > done {
                    model.encode(vocab, &text[done..start], scratch, out);
                }
                model.encode(vocab, &text[start..end], scratch, out);
                done = end;
            });
            if done < text.len() {
                model.encode(vocab, &text[done..], scratch, out);
            }
            return;
        }
        let keep_bytes = matches!(model, Model::Bpe(bpe) if bpe.is_byte_level());
        let mut pieces = Pieces::whole(text, std::mem::take(&mut scratch.ranges));
        for step in &self.pre_tokenizers {
            step.apply(&mut pieces, at_start, keep_bytes);
        }
        let cuts = model.cuts_at_word_marks();
        for &(start, end) in &pieces.ranges {
            let piece = &pieces.text[start..end];
            if cuts {
                each_marked_word(piece, |word| model.encode(vocab, word, scratch, out));
            } else {
                model.encode(vocab, piece, scratch, out);
            }
        }
        scratch.ranges = pieces.ranges;
    }

    /// The one pattern of a byte-level tokenizer whose pre-tokenizer only isolates its matches.
    fn streaming_pattern(&self) -> Option<&crate::pattern::Pattern> {
        if !matches!(&self.model, Model::Bpe(bpe) if bpe.is_byte_level()) {
            return None;
        }
        let isolated = pre_tokenizer::Behavior::Isolated;
        match self.pre_tokenizers.as_slice() {
            [PreTokenizer::ByteLevel { add_prefix_space: false, pattern: Some(pattern) }] => {
                Some(pattern)
            }
            [
                PreTokenizer::Split { pattern, behavior, invert: false },
                PreTokenizer::ByteLevel { add_prefix_space: false, pattern: None },
            ] if *behavior == isolated => Some(pattern),
            _ => None,
        }
    }

    /// The text of `ids`; `skip_special` leaves special tokens out. Bytes that are not UTF-8 become
    /// U+FFFD, ids outside the vocabulary nothing.
    pub fn decode(&self, ids: &[TokenId], skip_special: bool) -> String {
        match String::from_utf8(self.decode_bytes(ids, skip_special)) {
            Ok(text) => text,
            Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
        }
    }

    /// The bytes of `ids`, which need not be UTF-8.
    pub fn decode_bytes(&self, ids: &[TokenId], skip_special: bool) -> Vec<u8> {
        let mut detokenizer = Detokenizer::new(skip_special);
        let mut out = Vec::with_capacity(ids.len() * 4);
        for &id in ids {
            detokenizer.push_bytes(self, id, &mut out);
        }
        out
    }

    /// The bytes a token adds in the middle of a text; empty outside the vocabulary.
    pub fn token_bytes(&self, id: TokenId) -> &[u8] {
        let arena = self.token_bytes.get_or_init(|| {
            let mut arena = Arena::with_capacity(self.vocab.size(), self.vocab.size() * 6);
            for id in 0..self.vocab.size() as TokenId {
                let text = self.vocab.text(id);
                let bytes = text.map(|t| self.decoder.token_bytes(t, false, self.is_added(id)));
                arena.push(&bytes.unwrap_or_default());
            }
            arena
        });
        arena.get(id as usize).unwrap_or_default()
    }

    /// One more than the largest id. A model's embedding may have more rows, for padding.
    pub fn vocab_size(&self) -> usize {
        self.vocab.size()
    }

    /// The token's text as the file spells it (`Ġthe`, `▁the`, `<0x0A>`).
    pub fn token(&self, id: TokenId) -> Option<&str> {
        self.vocab.text(id)
    }

    /// The id of a token, spelled as in the file.
    pub fn id_of(&self, token: &str) -> Option<TokenId> {
        self.vocab.id(token)
    }

    /// Whether the token steers the model and is left out of text shown to people.
    pub fn is_special(&self, id: TokenId) -> bool {
        self.flags.get(id as usize).is_some_and(|f| f & SPECIAL != 0)
    }

    pub(crate) fn is_added(&self, id: TokenId) -> bool {
        self.flags.get(id as usize).is_some_and(|f| f & ADDED != 0)
    }

    pub(crate) fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// All added tokens, special or not.
    pub fn added_tokens(&self) -> &[AddedToken] {
        &self.added.list
    }

    /// The tokens with a role: BOS, EOS, end of turn, ...
    pub fn special_tokens(&self) -> &SpecialTokens {
        &self.special
    }

    /// The ids that `add_special` puts before a text.
    pub fn prefix_ids(&self) -> &[TokenId] {
        &self.prefix
    }

    /// The ids that `add_special` puts after a text.
    pub fn suffix_ids(&self) -> &[TokenId] {
        &self.suffix
    }

    /// Beginning of sequence.
    pub fn bos(&self) -> Option<TokenId> {
        self.special.bos
    }

    /// End of sequence.
    pub fn eos(&self) -> Option<TokenId> {
        self.special.eos
    }

    /// End of turn, where the model has one besides EOS.
    pub fn eot(&self) -> Option<TokenId> {
        self.special.eot
    }

    /// Stands for what has no token.
    pub fn unk(&self) -> Option<TokenId> {
        self.special.unk
    }

    /// Padding.
    pub fn pad(&self) -> Option<TokenId> {
        self.special.pad
    }

    /// Every id that ends a generation: EOS, end of turn, end of message and their kin, sorted.
    pub fn end_of_generation(&self) -> &[TokenId] {
        &self.special.end_of_generation
    }
}
