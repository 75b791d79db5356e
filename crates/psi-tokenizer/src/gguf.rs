//! The tokenizers that GGUF files carry in their metadata.

mod pre;
mod write;

use std::path::Path;

use serde_json::{Value, json};

use crate::TokenId;
use crate::added::AddedToken;
use crate::charsmap::Charsmap;
use crate::error::{TokenizerError, quoted};
use crate::model::bpe::BpeOptions;
use crate::model::{Bpe, Model, Spm, Unigram, WordPiece};
use crate::normalizer::{Normalizer, SpaceRuns};
use crate::special::SpecialTokens;
use crate::tiktoken::split_then_bytes;
use crate::tokenizer::{Config, Parts, Tokenizer};
use crate::vocab::{Vocab, parse_byte_token};

/// The `tokenizer.ggml.*` keys of a GGUF file, as they are. Field names are the key names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GgufVocab {
    /// `model`: `llama` (SentencePiece BPE), `gpt2` (byte-level BPE), `bert` (WordPiece), `t5` (Unigram).
    pub model: String,
    /// `pre`: the name of the pre-tokenizer of a `gpt2` model.
    pub pre: Option<String>,
    /// `tokens`.
    pub tokens: Vec<String>,
    /// `scores`, one per token, or empty.
    pub scores: Vec<f32>,
    /// `token_type`, one per token (see [`TokenType`]), or empty.
    pub token_types: Vec<i32>,
    /// `merges`, as `left right`.
    pub merges: Vec<String>,
    /// `bos_token_id`.
    pub bos: Option<TokenId>,
    /// `eos_token_id`.
    pub eos: Option<TokenId>,
    /// `eot_token_id`.
    pub eot: Option<TokenId>,
    /// `eom_token_id`.
    pub eom: Option<TokenId>,
    /// `unknown_token_id`.
    pub unk: Option<TokenId>,
    /// `seperator_token_id` (so spelled).
    pub sep: Option<TokenId>,
    /// `padding_token_id`.
    pub pad: Option<TokenId>,
    /// `cls_token_id`.
    pub cls: Option<TokenId>,
    /// `mask_token_id`.
    pub mask: Option<TokenId>,
    /// `add_bos_token`.
    pub add_bos: Option<bool>,
    /// `add_eos_token`.
    pub add_eos: Option<bool>,
    /// `add_sep_token`.
    pub add_sep: Option<bool>,
    /// `add_space_prefix`.
    pub add_space_prefix: Option<bool>,
    /// `remove_extra_whitespaces`.
    pub remove_extra_whitespaces: Option<bool>,
    /// `precompiled_charsmap`, or empty.
    pub precompiled_charsmap: Vec<u8>,
    /// `normalizer.lowercase` (WordPiece).
    pub lowercase: Option<bool>,
    /// `normalizer.strip_accents` (WordPiece).
    pub strip_accents: Option<bool>,
    /// `general.name`. Phi-3's tokens take the space after them, which no other key says.
    pub name: Option<String>,
}

/// The kinds of `tokenizer.ggml.token_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// Text.
    Normal = 1,
    /// Stands for what has no token.
    Unknown = 2,
    /// Steers the model.
    Control = 3,
    /// Added by the model's authors; recognised in any text.
    UserDefined = 4,
    /// Reserved.
    Unused = 5,
    /// One byte, spelled `<0xHH>`.
    Byte = 6,
}

impl TokenType {
    fn from_number(number: i32) -> Option<Self> {
        Some(match number {
            // 0 is "undefined" in the enumeration of llama.cpp and occurs in old files.
            0 | 1 => Self::Normal,
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            5 => Self::Unused,
            6 => Self::Byte,
            _ => return None,
        })
    }
}

type Result<T> = std::result::Result<T, TokenizerError>;

fn invalid(key: &str, reason: impl Into<String>) -> TokenizerError {
    TokenizerError::invalid(format!("tokenizer.ggml.{key}"), reason)
}

impl Tokenizer {
    /// Builds the tokenizer a GGUF file describes. `path` is only used in messages.
    ///
    /// # Errors
    /// An unknown model or pre-tokenizer, lists of different lengths, ids out of range, tokens given
    /// twice, merges of unknown tokens, byte tokens that are not `<0xHH>`.
    pub fn from_gguf(vocab: &GgufVocab, path: &Path) -> Result<Self> {
        Reader::new(vocab).and_then(Reader::build).map_err(|e| e.in_file(path))
    }
}

struct Reader<'g> {
    gguf: &'g GgufVocab,
    kinds: Vec<TokenType>,
}

impl<'g> Reader<'g> {
    fn new(gguf: &'g GgufVocab) -> Result<Self> {
        let n = gguf.tokens.len();
        if n == 0 {
            return Err(invalid("tokens", "the file has no tokens"));
        }
        if n > i32::MAX as usize {
            return Err(invalid("tokens", format!("{n} tokens are more than 2^31")));
        }
        for (key, len) in [("scores", gguf.scores.len()), ("token_type", gguf.token_types.len())] {
            if len != 0 && len != n {
                return Err(invalid(key, format!("{len} entries for {n} tokens")));
            }
        }
        let mut kinds = vec![TokenType::Normal; n];
        for (i, &number) in gguf.token_types.iter().enumerate() {
            kinds[i] = TokenType::from_number(number).ok_or_else(|| {
                invalid(&format!("token_type[{i}]"), format!("{number} is not a token type"))
            })?;
        }
        let roles = [
            ("bos_token_id", gguf.bos),
            ("eos_token_id", gguf.eos),
            ("eot_token_id", gguf.eot),
            ("eom_token_id", gguf.eom),
            ("unknown_token_id", gguf.unk),
            ("seperator_token_id", gguf.sep),
            ("padding_token_id", gguf.pad),
            ("cls_token_id", gguf.cls),
            ("mask_token_id", gguf.mask),
        ];
        for (key, id) in roles {
            if let Some(id) = id.filter(|&id| id as usize >= n) {
                return Err(invalid(key, format!("{id} is not the id of one of {n} tokens")));
            }
        }
        for (i, kind) in kinds.iter().enumerate().filter(|(_, k)| **k == TokenType::Byte) {
            if parse_byte_token(&gguf.tokens[i]).is_none() {
                let reason = format!(
                    "{} is no byte, {kind:?} tokens are <0x00> to <0xFF>",
                    quoted(&gguf.tokens[i])
                );
                return Err(invalid(&format!("tokens[{i}]"), reason));
            }
        }
        Ok(Self { gguf, kinds })
    }

    fn build(self) -> Result<Tokenizer> {
        let parts = match self.gguf.model.as_str() {
            "gpt2" => self.byte_level_bpe()?,
            "llama" => self.sentencepiece_bpe()?,
            "bert" => self.wordpiece()?,
            "t5" => self.unigram()?,
            other => {
                return Err(TokenizerError::unsupported(
                    "tokenizer.ggml.model",
                    format!("the tokenizer model {}", quoted(other)),
                )
                .with_hint("psi reads the models gpt2, llama, bert and t5"));
            }
        };
        Tokenizer::assemble(parts)
    }

    /// The vocabulary, with each token spelled by `spell`.
    fn vocab(&self, spell: impl Fn(usize, &'g str) -> String) -> Result<Vocab> {
        let tokens = &self.gguf.tokens;
        let bytes = tokens.iter().map(String::len).sum();
        let mut vocab = Vocab::with_capacity(tokens.len(), bytes);
        for (i, text) in tokens.iter().enumerate() {
            // llama.cpp's converter leaves unused rows empty.
            let text = if text.is_empty() { format!("[EMPTY_{i}]") } else { spell(i, text) };
            vocab.insert(&text, i as u64, tokens.len(), "tokenizer.ggml.tokens")?;
        }
        Ok(vocab)
    }

    /// Control, unknown and user-defined tokens.
    fn added(&self, vocab: &Vocab) -> Vec<AddedToken> {
        // Phi-3's template ends turns with a line break that its tokens take in.
        let name = self.gguf.name.as_deref().unwrap_or_default().to_lowercase();
        let is_phi3 = name.contains("phi-3") || name.contains("phi3");
        let mut added = Vec::new();
        for (id, kind) in (0..).zip(&self.kinds) {
            let special = match kind {
                TokenType::Control | TokenType::Unknown => true,
                TokenType::UserDefined => false,
                _ => continue,
            };
            let content = vocab.text(id).unwrap_or_default().to_owned();
            let rstrip = is_phi3 && !matches!(&*content, "<unk>" | "<s>" | "<|endoftext|>");
            added.push(AddedToken { special, rstrip, ..AddedToken::special(id, content) });
        }
        added
    }

    fn special(&self) -> SpecialTokens {
        let g = self.gguf;
        SpecialTokens {
            bos: g.bos,
            eos: g.eos,
            eot: g.eot,
            eom: g.eom,
            unk: g.unk,
            sep: g.sep,
            pad: g.pad,
            cls: g.cls,
            mask: g.mask,
            end_of_generation: Vec::new(),
        }
    }

    /// The ids around a text: `first` and `last` where the flags (or their defaults) say so.
    fn around(
        &self,
        first: (bool, Option<TokenId>),
        last: (bool, Option<TokenId>),
    ) -> Result<(Vec<TokenId>, Vec<TokenId>)> {
        let side = |(wanted, id): (bool, Option<TokenId>), flag: &str| match (wanted, id) {
            (false, _) => Ok(Vec::new()),
            (true, Some(id)) => Ok(vec![id]),
            (true, None) => Err(invalid(flag, "is set, but the file does not name the token")),
        };
        Ok((side(first, "add_bos_token")?, side(last, "add_eos_token")?))
    }

    fn byte_level_bpe(&self) -> Result<Parts> {
        let g = self.gguf;
        let recipe = pre::recipe(g.pre.as_deref())?;
        let vocab = self.vocab(|_, text| text.to_owned())?;
        let options = BpeOptions {
            byte_level: true,
            ignore_merges: recipe.ignore_merges,
            ..BpeOptions::default()
        };
        let model = Model::Bpe(self.bpe(&vocab, options)?);
        let added = self.added(&vocab);
        // Where no flag is set and the family's default asks for a BOS the file lacks, there is none.
        let add_bos = g.add_bos.unwrap_or(recipe.add_bos && g.bos.is_some());
        let (prefix, suffix) =
            self.around((add_bos, g.bos), (g.add_eos.unwrap_or(false), g.eos))?;
        let config = Config {
            pre_tokenizer: recipe.pre_tokenizer(),
            post_processor: template(&vocab, &prefix, &suffix),
            decoder: json!({"type": "ByteLevel"}),
            ..Config::default()
        };
        self.parts(vocab, model, added, config, (prefix, suffix))
    }

    fn bpe(&self, vocab: &Vocab, options: BpeOptions) -> Result<Bpe> {
        let g = self.gguf;
        if g.merges.is_empty() {
            return Err(invalid("merges", "the file has no merges")
                .with_hint("convert the model again with a current converter"));
        }
        let mut merges = Vec::with_capacity(g.merges.len());
        for (i, merge) in g.merges.iter().enumerate() {
            // A part may start with a space in vocabularies that are not spelled in bytes.
            let cut = merge.char_indices().skip(1).find(|&(_, c)| c == ' ').map(|(at, _)| at);
            let pair = cut.map(|at| (&merge[..at], &merge[at + 1..]));
            merges.push(pair.filter(|(_, right)| !right.is_empty()).ok_or_else(|| {
                invalid(&format!("merges[{i}]"), format!("{} is not two tokens", quoted(merge)))
            })?);
        }
        Bpe::new(vocab, merges.into_iter(), options, "tokenizer.ggml.merges")
    }

    fn sentencepiece_bpe(&self) -> Result<Parts> {
        let g = self.gguf;
        if g.scores.is_empty() {
            return Err(invalid("scores", "a SentencePiece vocabulary needs scores"));
        }
        if let Some(i) = g.scores.iter().position(|s| s.is_nan()) {
            return Err(invalid(&format!("scores[{i}]"), "the score is not a number"));
        }
        let vocab = self.vocab(|_, text| text.to_owned())?;
        let default_id = |id: TokenId| Some(id).filter(|&id| (id as usize) < g.tokens.len());
        let unk = g.unk.or(default_id(0));
        let forms = |id: TokenId| {
            let kind = self.kinds[id as usize];
            matches!(kind, TokenType::Normal | TokenType::UserDefined | TokenType::Unused)
        };
        let model = Model::Spm(Spm::new(&vocab, g.scores.clone(), forms, unk));
        let added = self.added(&vocab);
        let (bos, eos) = (g.bos.or(default_id(1)), g.eos.or(default_id(2)));
        let (prefix, suffix) =
            self.around((g.add_bos.unwrap_or(true), bos), (g.add_eos.unwrap_or(false), eos))?;
        let space_prefix = g.add_space_prefix.unwrap_or(true);
        let config = Config {
            normalizer: spaces_to_marks(space_prefix),
            post_processor: template(&vocab, &prefix, &suffix),
            decoder: marks_to_spaces(space_prefix),
            ..Config::default()
        };
        let mut parts = self.parts(vocab, model, added, config, (prefix, suffix))?;
        parts.special = SpecialTokens { bos, eos, unk, ..parts.special };
        Ok(parts)
    }

    fn wordpiece(&self) -> Result<Parts> {
        let g = self.gguf;
        // GGUF marks the tokens that start a word; the usual spelling marks those that continue one.
        let vocab = self.vocab(|i, text| match text.strip_prefix('▁') {
            Some(rest) if !rest.is_empty() => rest.to_owned(),
            _ if self.kinds[i] != TokenType::Normal => text.to_owned(),
            _ => format!("##{text}"),
        })?;
        let unk = g.unk.or_else(|| vocab.id("[UNK]"));
        let unk = unk.ok_or_else(|| invalid("unknown_token_id", "WordPiece needs the token"))?;
        let model = Model::WordPiece(WordPiece {
            unk,
            unk_token: vocab.text(unk).unwrap_or_default().to_owned(),
            prefix: "##".to_owned(),
            max_chars: 100,
        });
        let added = self.added(&vocab);
        let cls = g.cls.or(g.bos).or_else(|| vocab.id("[CLS]"));
        let sep = g.sep.or_else(|| vocab.id("[SEP]"));
        let (prefix, suffix) =
            self.around((g.add_bos.unwrap_or(true), cls), (g.add_sep.unwrap_or(true), sep))?;
        let lowercase = g.lowercase.unwrap_or(true);
        let config = Config {
            normalizer: json!({
                "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                "strip_accents": g.strip_accents.unwrap_or(lowercase), "lowercase": lowercase,
            }),
            pre_tokenizer: json!({"type": "BertPreTokenizer"}),
            post_processor: template(&vocab, &prefix, &suffix),
            decoder: json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
        };
        let mut parts = self.parts(vocab, model, added, config, (prefix, suffix))?;
        parts.special = SpecialTokens { cls, sep, unk: Some(unk), ..parts.special };
        Ok(parts)
    }

    fn unigram(&self) -> Result<Parts> {
        let g = self.gguf;
        if g.scores.is_empty() {
            return Err(invalid("scores", "a Unigram vocabulary needs scores"));
        }
        let vocab = self.vocab(|_, text| text.to_owned())?;
        let default_id = |id: TokenId| Some(id).filter(|&id| (id as usize) < g.tokens.len());
        let unk = g.unk.or(default_id(2));
        let scores = g.scores.iter().map(|&s| f64::from(s)).collect();
        let matches = |id: TokenId| {
            let kind = self.kinds[id as usize];
            matches!(kind, TokenType::Normal | TokenType::UserDefined | TokenType::Unused)
        };
        let has_bytes = self.kinds.contains(&TokenType::Byte);
        let model = Unigram::new(&vocab, scores, unk, has_bytes, matches)?;
        let added = self.added(&vocab);
        let eos = g.eos.or(default_id(1));
        let (prefix, suffix) =
            self.around((g.add_bos.unwrap_or(false), g.bos), (g.add_eos.unwrap_or(true), eos))?;
        let space_prefix = g.add_space_prefix.unwrap_or(true);
        let mut normalizers = Vec::new();
        if !g.precompiled_charsmap.is_empty() {
            let place = "tokenizer.ggml.precompiled_charsmap";
            let map = Charsmap::new(&g.precompiled_charsmap, place)?;
            normalizers.push(Normalizer::PrecompiledPrefixes(map));
        }
        normalizers.push(Normalizer::SpaceRuns(SpaceRuns {
            add_prefix: space_prefix,
            merge: g.remove_extra_whitespaces.unwrap_or(true),
            as_suffix: false,
        }));
        let config = Config {
            normalizer: sentencepiece_normalizer(g),
            pre_tokenizer: json!({
                "type": "Metaspace", "replacement": "▁", "split": true,
                "prepend_scheme": if space_prefix { "always" } else { "never" },
            }),
            post_processor: template(&vocab, &prefix, &suffix),
            decoder: json!({
                "type": "Metaspace", "replacement": "▁", "split": true,
                "prepend_scheme": if space_prefix { "always" } else { "never" },
            }),
        };
        let special = SpecialTokens { eos, unk, ..self.special() };
        Ok(Parts {
            vocab,
            model: Model::Unigram(model),
            added,
            config,
            special,
            prefix,
            suffix,
            normalizers,
            pre_tokenizers: Vec::new(),
        })
    }

    fn parts(
        &self,
        vocab: Vocab,
        model: Model,
        added: Vec<AddedToken>,
        config: Config,
        (prefix, suffix): (Vec<TokenId>, Vec<TokenId>),
    ) -> Result<Parts> {
        Ok(Parts {
            vocab,
            model,
            added,
            special: self.special(),
            prefix,
            suffix,
            normalizers: config.normalizers()?,
            pre_tokenizers: config.pre_tokenizers()?,
            config,
        })
    }
}

/// SentencePiece's escape of spaces as Llama's `tokenizer.json` writes it.
fn spaces_to_marks(space_prefix: bool) -> Value {
    let replace = json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"});
    if space_prefix {
        let prepend = json!({"type": "Prepend", "prepend": "▁"});
        json!({"type": "Sequence", "normalizers": [prepend, replace]})
    } else {
        json!({"type": "Sequence", "normalizers": [replace]})
    }
}

fn marks_to_spaces(space_prefix: bool) -> Value {
    let mut steps = vec![
        json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if space_prefix {
        steps.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    json!({"type": "Sequence", "decoders": steps})
}

/// What `tokenizer.json` can say of SentencePiece's normalisation (written, not run).
fn sentencepiece_normalizer(g: &GgufVocab) -> Value {
    let mut steps = Vec::new();
    if !g.precompiled_charsmap.is_empty() {
        let map = crate::base64::encode(&g.precompiled_charsmap);
        steps.push(json!({"type": "Precompiled", "precompiled_charsmap": map}));
    }
    if g.remove_extra_whitespaces.unwrap_or(true) {
        steps.push(json!({"type": "Strip", "strip_left": true, "strip_right": true}));
        steps.push(json!({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}));
    }
    json!({"type": "Sequence", "normalizers": steps})
}

/// The template that puts `prefix` before and `suffix` after a text, or null.
pub(crate) fn template(vocab: &Vocab, prefix: &[TokenId], suffix: &[TokenId]) -> Value {
    if prefix.is_empty() && suffix.is_empty() {
        return Value::Null;
    }
    let name = |id: &TokenId| vocab.text(*id).unwrap_or_default().to_owned();
    let special = |id: &TokenId| json!({"SpecialToken": {"id": name(id), "type_id": 0}});
    let mut single: Vec<Value> = prefix.iter().map(special).collect();
    single.push(json!({"Sequence": {"id": "A", "type_id": 0}}));
    single.extend(suffix.iter().map(special));
    let mut pair = single.clone();
    pair.push(json!({"Sequence": {"id": "B", "type_id": 1}}));
    let tokens: serde_json::Map<String, Value> = prefix
        .iter()
        .chain(suffix)
        .map(|id| {
            let entry = json!({"id": name(id), "ids": [id], "tokens": [name(id)]});
            (name(id), entry)
        })
        .collect();
    json!({"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": tokens})
}

impl pre::Recipe {
    fn pre_tokenizer(&self) -> Value {
        match self.patterns {
            [] => {
                json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false})
            }
            [only] if *only == crate::scanner::source::GPT2 => json!({
                "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true
            }),
            patterns => split_then_bytes(patterns),
        }
    }
}
