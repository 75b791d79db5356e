//! Reading a Hugging Face `tokenizer.json`.

use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::TokenId;
use crate::added::AddedToken;
use crate::error::{TokenizerError, quoted};
use crate::model::bpe::BpeOptions;
use crate::model::{Bpe, Model, Unigram, WordPiece};
use crate::post_processor::Template;
use crate::pre_tokenizer::PreTokenizer;
use crate::special::SpecialTokens;
use crate::tokenizer::{Config, Parts, Tokenizer};
use crate::vocab::Vocab;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "version")]
    _version: Value,
    // How batches are cut and filled is the caller's business; psi neither truncates nor pads.
    #[serde(default, rename = "truncation")]
    _truncation: Value,
    #[serde(default, rename = "padding")]
    _padding: Value,
    #[serde(default)]
    added_tokens: Option<Vec<AddedJson>>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    decoder: Value,
    model: ModelJson,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddedJson {
    id: u64,
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    normalized: Option<bool>,
    #[serde(default)]
    special: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelJson {
    #[serde(rename = "type")]
    kind: Option<String>,
    vocab: RawVocab,
    merges: Option<RawMerges>,
    unk_token: Option<String>,
    unk_id: Option<u64>,
    dropout: Option<f32>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    fuse_unk: Option<bool>,
    byte_fallback: Option<bool>,
    ignore_merges: Option<bool>,
    max_input_chars_per_word: Option<usize>,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`. `path` is only used in messages.
    ///
    /// BOS and EOS are taken from the post-processor; [`apply_config`](Self::apply_config) sets them as
    /// `tokenizer_config.json` says.
    ///
    /// # Errors
    /// Bytes that are not JSON, a component or setting psi does not have, merges of unknown tokens, ids
    /// or texts given twice, ids out of range, invalid patterns.
    pub fn from_json(bytes: &[u8], path: &Path) -> Result<Self, TokenizerError> {
        read(bytes).map_err(|e| e.in_file(path))
    }
}

fn read(bytes: &[u8]) -> Result<Tokenizer, TokenizerError> {
    let file: File = serde_json::from_slice(bytes).map_err(|e| {
        TokenizerError::syntax("", format!("not a tokenizer.json: {e}")).with_source(e)
    })?;
    let config = Config {
        normalizer: file.normalizer,
        pre_tokenizer: file.pre_tokenizer,
        post_processor: file.post_processor,
        decoder: file.decoder,
    };
    let (normalizers, pre_tokenizers) = (config.normalizers()?, config.pre_tokenizers()?);
    let added_json = file.added_tokens.unwrap_or_default();
    let mut vocab = read_vocab(&file.model.vocab, added_json.len())?;
    let added = read_added(added_json, &mut vocab, file.model.vocab.len())?;
    let model = read_model(file.model, &vocab, &pre_tokenizers)?;
    let template = Template::parse(&config.post_processor, "post_processor", &vocab)?;
    let special = SpecialTokens {
        bos: template.bos(),
        eos: template.eos(),
        cls: template.cls,
        sep: template.sep,
        unk: model.unk(),
        ..SpecialTokens::default()
    };
    Tokenizer::assemble(Parts {
        vocab,
        model,
        added,
        config,
        special,
        prefix: template.prefix,
        suffix: template.suffix,
        normalizers,
        pre_tokenizers,
    })
}

fn read_vocab(raw: &RawVocab, n_added: usize) -> Result<Vocab, TokenizerError> {
    let n_tokens = raw.len() + n_added;
    let mut vocab = Vocab::with_capacity(n_tokens, raw.texts.len());
    for (i, text) in raw.iter().enumerate() {
        vocab.insert(text, raw.ids[i], n_tokens, "model.vocab")?;
    }
    Ok(vocab)
}

fn read_added(
    list: Vec<AddedJson>,
    vocab: &mut Vocab,
    n_model: usize,
) -> Result<Vec<AddedToken>, TokenizerError> {
    let n_tokens = n_model + list.len();
    let mut out: Vec<AddedToken> = Vec::with_capacity(list.len());
    let mut seen = hashbrown::HashSet::with_capacity(list.len());
    for (i, token) in list.into_iter().enumerate() {
        let place = format!("added_tokens[{i}]");
        let id = match vocab.id(&token.content) {
            Some(id) if u64::from(id) == token.id => id,
            Some(id) => {
                return Err(TokenizerError::invalid(
                    place,
                    format!("{} has id {}, in the model {id}", quoted(&token.content), token.id),
                ));
            }
            None => vocab.insert(&token.content, token.id, n_tokens, &place)?,
        };
        if !seen.insert(id) {
            return Err(TokenizerError::invalid(
                place,
                format!("{} is listed twice", quoted(&token.content)),
            ));
        }
        out.push(AddedToken {
            id,
            single_word: token.single_word,
            lstrip: token.lstrip,
            rstrip: token.rstrip,
            normalized: token.normalized.unwrap_or(!token.special),
            special: token.special,
            content: token.content,
        });
    }
    Ok(out)
}

/// Whether pieces reach the model as bytes: the last step spells bytes, and nothing in the model
/// looks at the spelling.
fn reads_bytes(model: &ModelJson, pre_tokenizers: &[PreTokenizer]) -> bool {
    let affix = |text: &Option<String>| text.as_deref().is_some_and(|t| !t.is_empty());
    matches!(pre_tokenizers.last(), Some(PreTokenizer::ByteLevel { .. }))
        && !affix(&model.continuing_subword_prefix)
        && !affix(&model.end_of_word_suffix)
        && !model.byte_fallback.unwrap_or(false)
        && pre_tokenizers.iter().filter(|p| matches!(p, PreTokenizer::ByteLevel { .. })).count()
            == 1
}

fn read_model(
    mut model: ModelJson,
    vocab: &Vocab,
    pre_tokenizers: &[PreTokenizer],
) -> Result<Model, TokenizerError> {
    if model.dropout.is_some_and(|p| p != 0.0) {
        return Err(TokenizerError::unsupported("model.dropout", "BPE dropout"));
    }
    let scores = std::mem::take(&mut model.vocab.scores);
    let kind = match &model.kind {
        Some(kind) => kind.as_str(),
        None if model.merges.is_some() => "BPE",
        None if !scores.is_empty() => "Unigram",
        None if model.max_input_chars_per_word.is_some() => "WordPiece",
        None => "WordLevel",
    };
    let unk_name = model.unk_token.clone().filter(|t| !t.is_empty());
    let unk = unk_name.as_deref().and_then(|t| vocab.id(t));
    let missing_unk = || {
        TokenizerError::invalid(
            "model.unk_token",
            format!("{} is not in the vocabulary", quoted(unk_name.as_deref().unwrap_or_default())),
        )
    };
    match kind {
        "BPE" => {
            if unk_name.is_some() && unk.is_none() {
                return Err(missing_unk());
            }
            let options = BpeOptions {
                byte_level: reads_bytes(&model, pre_tokenizers),
                prefix: model.continuing_subword_prefix.unwrap_or_default(),
                suffix: model.end_of_word_suffix.unwrap_or_default(),
                byte_fallback: model.byte_fallback.unwrap_or(false),
                ignore_merges: model.ignore_merges.unwrap_or(false),
                unk,
                fuse_unk: model.fuse_unk.unwrap_or(false),
            };
            let merges = model.merges.unwrap_or_default();
            Ok(Model::Bpe(Bpe::new(vocab, merges.iter(), options, "model.merges")?))
        }
        "WordPiece" => {
            let unk_token = model.unk_token.unwrap_or_else(|| "[UNK]".to_owned());
            Ok(Model::WordPiece(WordPiece {
                unk: vocab.id(&unk_token).ok_or_else(missing_unk)?,
                unk_token,
                prefix: model.continuing_subword_prefix.unwrap_or_else(|| "##".to_owned()),
                max_chars: model.max_input_chars_per_word.unwrap_or(100),
            }))
        }
        "WordLevel" => {
            let unk_token = model.unk_token.unwrap_or_else(|| "<unk>".to_owned());
            Ok(Model::WordLevel { unk: vocab.id(&unk_token), unk_token })
        }
        "Unigram" => read_unigram(&model, vocab, scores),
        other => Err(TokenizerError::unsupported("model.type", format!("the model {other:?}"))),
    }
}

fn read_unigram(
    model: &ModelJson,
    vocab: &Vocab,
    scores: Vec<f64>,
) -> Result<Model, TokenizerError> {
    let n_listed = scores.len();
    if n_listed != model.vocab.len() {
        let reason = "expected a list of [token, score]";
        return Err(TokenizerError::invalid("model.vocab", reason));
    }
    let unk = match model.unk_id {
        None => None,
        Some(id) if id < n_listed as u64 => Some(id as TokenId),
        Some(id) => {
            let reason = format!("id {id} is not one of the {n_listed} tokens");
            return Err(TokenizerError::invalid("model.unk_id", reason));
        }
    };
    let byte_fallback = model.byte_fallback.unwrap_or(false);
    let is_listed = |id| (id as usize) < n_listed;
    Ok(Model::Unigram(Unigram::new(vocab, scores, unk, byte_fallback, is_listed)?))
}

impl Model {
    /// The token for what has none.
    pub(crate) fn unk(&self) -> Option<TokenId> {
        match self {
            Self::Bpe(bpe) => bpe.unk,
            Self::Spm(spm) => spm.unk,
            Self::WordPiece(wordpiece) => Some(wordpiece.unk),
            Self::Unigram(unigram) => unigram.unk,
            Self::WordLevel { unk, .. } => *unk,
        }
    }
}

/// Token texts in one string, with ids or with scores (then the id is the position).
#[derive(Default)]
struct RawVocab {
    texts: String,
    ends: Vec<usize>,
    ids: Vec<u64>,
    scores: Vec<f64>,
}

impl RawVocab {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        spans(&self.ends).map(|(start, end)| &self.texts[start..end])
    }
}

fn spans(ends: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    std::iter::once(&0).chain(ends).zip(ends).map(|(&start, &end)| (start, end))
}

/// Appends a JSON string to a `String`, without a string of its own.
struct Append<'s>(&'s mut String);

impl<'de> DeserializeSeed<'de> for Append<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Append<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token text")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.0.push_str(text);
        Ok(())
    }
}

impl<'de> Deserialize<'de> for RawVocab {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct VocabVisitor;
        impl<'de> Visitor<'de> for VocabVisitor {
            type Value = RawVocab;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a vocabulary: {token: id} or [[token, score]]")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawVocab, A::Error> {
                let mut raw = RawVocab::default();
                while map.next_key_seed(Append(&mut raw.texts))?.is_some() {
                    raw.ends.push(raw.texts.len());
                    raw.ids.push(map.next_value()?);
                }
                Ok(raw)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawVocab, A::Error> {
                let mut raw = RawVocab::default();
                while let Some((text, score)) = seq.next_element::<(String, f64)>()? {
                    raw.texts.push_str(&text);
                    raw.ids.push(raw.ends.len() as u64);
                    raw.ends.push(raw.texts.len());
                    raw.scores.push(score);
                }
                Ok(raw)
            }
        }
        deserializer.deserialize_any(VocabVisitor)
    }
}

/// Pairs of texts in one string: left ends and right ends alternate.
#[derive(Default)]
struct RawMerges {
    texts: String,
    ends: Vec<usize>,
}

impl RawMerges {
    fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        (0..self.ends.len() / 2).map(|i| {
            let start = if i == 0 { 0 } else { self.ends[2 * i - 1] };
            let (middle, end) = (self.ends[2 * i], self.ends[2 * i + 1]);
            (&self.texts[start..middle], &self.texts[middle..end])
        })
    }
}

/// One merge: `"left right"` or `["left", "right"]`.
struct AppendMerge<'m>(&'m mut RawMerges);

impl<'de> DeserializeSeed<'de> for AppendMerge<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AppendMerge<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a merge: \"left right\" or [left, right]")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        let pair = text.split_once(' ').filter(|(_, right)| !right.contains(' '));
        let Some((left, right)) = pair else {
            return Err(E::custom(format!("the merge {} is not two tokens", quoted(text))));
        };
        for part in [left, right] {
            self.0.texts.push_str(part);
            self.0.ends.push(self.0.texts.len());
        }
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        for i in 0..2 {
            let part = seq.next_element_seed(Append(&mut self.0.texts))?;
            part.ok_or_else(|| de::Error::invalid_length(i, &"a merge of two tokens"))?;
            self.0.ends.push(self.0.texts.len());
        }
        match seq.next_element::<de::IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(de::Error::invalid_length(3, &"a merge of two tokens")),
        }
    }
}

impl<'de> Deserialize<'de> for RawMerges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MergesVisitor;
        impl<'de> Visitor<'de> for MergesVisitor {
            type Value = RawMerges;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of merges")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawMerges, A::Error> {
                let mut raw = RawMerges::default();
                while seq.next_element_seed(AppendMerge(&mut raw))?.is_some() {}
                Ok(raw)
            }
        }
        deserializer.deserialize_seq(MergesVisitor)
    }
}
