//! A tokenizer as the metadata of a GGUF file.

use crate::TokenId;
use crate::error::TokenizerError;
use crate::gguf::{GgufVocab, TokenType, pre};
use crate::model::bpe::Symbols;
use crate::model::{Bpe, Model};
use crate::normalizer::Normalizer;
use crate::pattern::PatternSource;
use crate::pre_tokenizer::{PreTokenizer, Prepend, isolating_patterns};
use crate::tokenizer::Tokenizer;
use crate::vocab::parse_byte_token;

type Result<T> = std::result::Result<T, TokenizerError>;

fn unsupported(place: &str, what: &str) -> TokenizerError {
    TokenizerError::unsupported(place, format!("{what} in a GGUF file"))
        .with_hint("keep the model as a Hugging Face folder")
}

impl Tokenizer {
    /// The `tokenizer.ggml.*` keys of this tokenizer.
    ///
    /// Three things a `tokenizer.json` can say have no key and are left out, as every converter does:
    /// the NFC normalizer, `lstrip`/`rstrip`/`single_word` of added tokens, and templates for pairs.
    ///
    /// # Errors
    /// A split pattern that GGUF has no name for, or a normalizer or template it cannot express.
    pub fn to_gguf_vocab(&self) -> Result<GgufVocab> {
        let mut gguf = self.tokens_for_gguf();
        match &self.model {
            Model::Bpe(bpe) if bpe.is_byte_level() => self.write_byte_level(bpe, &mut gguf)?,
            Model::Bpe(bpe) => self.write_char_bpe(bpe, &mut gguf)?,
            Model::Spm(spm) => {
                gguf.model = "llama".to_owned();
                gguf.scores = spm.scores.clone();
                gguf.add_space_prefix = Some(self.marks_first_word()?);
            }
            Model::WordPiece(wordpiece) => self.write_wordpiece(&wordpiece.prefix, &mut gguf)?,
            Model::Unigram(unigram) => {
                gguf.model = "t5".to_owned();
                gguf.scores = unigram.scores.iter().map(|&s| s as f32).collect();
                gguf.scores.resize(gguf.tokens.len(), 0.0);
                self.write_unigram_normalizer(&mut gguf)?;
            }
            Model::WordLevel { .. } => return Err(unsupported("model", "the model WordLevel")),
        }
        self.write_template(&mut gguf)?;
        Ok(gguf)
    }

    /// Texts, types and roles.
    fn tokens_for_gguf(&self) -> GgufVocab {
        let roles = &self.special;
        let mut gguf = GgufVocab {
            bos: roles.bos,
            eos: roles.eos,
            eot: roles.eot,
            eom: roles.eom,
            unk: roles.unk,
            sep: roles.sep,
            pad: roles.pad,
            cls: roles.cls,
            mask: roles.mask,
            ..GgufVocab::default()
        };
        for id in 0..self.vocab_size() as TokenId {
            let kind = match self.token(id) {
                None => TokenType::Unused,
                Some(_) if Some(id) == roles.unk => TokenType::Unknown,
                Some(_) if self.is_special(id) => TokenType::Control,
                Some(_) if self.is_added(id) => TokenType::UserDefined,
                Some(text) if self.has_byte_tokens() && parse_byte_token(text).is_some() => {
                    TokenType::Byte
                }
                Some(_) => TokenType::Normal,
            };
            let text = self.token(id).map_or_else(|| format!("[PAD{id}]"), str::to_owned);
            gguf.tokens.push(text);
            gguf.token_types.push(kind as i32);
        }
        gguf
    }

    fn has_byte_tokens(&self) -> bool {
        match &self.model {
            Model::Bpe(bpe) => matches!(bpe.symbols, Symbols::Chars { fallback: Some(_), .. }),
            Model::Spm(_) => true,
            Model::Unigram(unigram) => unigram.has_byte_fallback(),
            _ => false,
        }
    }

    fn write_byte_level(&self, bpe: &Bpe, gguf: &mut GgufVocab) -> Result<()> {
        if !matches!(self.normalizers.as_slice(), [] | [Normalizer::Nfc]) {
            return Err(unsupported("normalizer", "this normalizer"));
        }
        let patterns = isolating_patterns(&self.pre_tokenizers);
        let name = patterns.as_ref().and_then(|p| pre::name_of(p, bpe.ignore_merges));
        let name = name.ok_or_else(|| unsupported("pre_tokenizer", "this split pattern"))?;
        gguf.model = "gpt2".to_owned();
        gguf.pre = Some(name.to_owned());
        let text = |id: TokenId| self.token(id).unwrap_or_default();
        gguf.merges =
            bpe.merge_list.iter().map(|&(l, r)| format!("{} {}", text(l), text(r))).collect();
        Ok(())
    }

    /// Ranked merges over characters become scores: minus the rank of the first merge that makes a token.
    fn write_char_bpe(&self, bpe: &Bpe, gguf: &mut GgufVocab) -> Result<()> {
        let Symbols::Chars { prefix, suffix, fallback: Some(_) } = &bpe.symbols else {
            return Err(unsupported("model", "a BPE over characters without byte tokens"));
        };
        if !prefix.is_empty() || !suffix.is_empty() || bpe.ignore_merges {
            return Err(unsupported("model", "a BPE with affixes or ignore_merges"));
        }
        gguf.model = "llama".to_owned();
        gguf.pre = Some("default".to_owned());
        gguf.add_space_prefix = Some(self.marks_first_word()?);
        let n_merges = bpe.merge_list.len();
        gguf.scores = vec![-(n_merges as f32) - 1.0; gguf.tokens.len()];
        for (rank, &(left, right)) in bpe.merge_list.iter().enumerate().rev() {
            let text = [left, right].map(|id| self.token(id).unwrap_or_default()).concat();
            if let Some(id) = self.id_of(&text) {
                gguf.scores[id as usize] = -(rank as f32);
            }
        }
        for (id, &kind) in gguf.token_types.iter().enumerate() {
            if kind != TokenType::Normal as i32 {
                gguf.scores[id] = 0.0;
            }
        }
        Ok(())
    }

    /// Whether `▁` is put before the first word; an error if spaces are not escaped as SentencePiece does.
    fn marks_first_word(&self) -> Result<bool> {
        let is_escape = |n: &Normalizer| {
            matches!(n, Normalizer::Replace { pattern, content } if content == "▁"
                && matches!(pattern.source(), PatternSource::Literal(space) if space == " "))
        };
        let is_mark = |n: &Normalizer| matches!(n, Normalizer::Prepend(mark) if mark == "▁");
        match (self.normalizers.as_slice(), self.pre_tokenizers.as_slice()) {
            ([mark, escape], []) if is_mark(mark) && is_escape(escape) => Ok(true),
            ([escape], []) if is_escape(escape) => Ok(false),
            ([], [PreTokenizer::Metaspace { replacement: '▁', prepend, split: false }]) => {
                Ok(*prepend != Prepend::Never)
            }
            _ => Err(unsupported("normalizer", "this treatment of spaces")),
        }
    }

    fn write_wordpiece(&self, prefix: &str, gguf: &mut GgufVocab) -> Result<()> {
        let [Normalizer::Bert { clean_text: true, chinese_chars: true, strip_accents, lowercase }] =
            self.normalizers.as_slice()
        else {
            return Err(unsupported("normalizer", "a WordPiece model without BERT's normalizer"));
        };
        gguf.model = "bert".to_owned();
        gguf.lowercase = Some(*lowercase);
        gguf.strip_accents = Some(*strip_accents);
        for (text, &kind) in gguf.tokens.iter_mut().zip(&gguf.token_types) {
            if kind == TokenType::Normal as i32 {
                *text = match text.strip_prefix(prefix).filter(|rest| !rest.is_empty()) {
                    Some(rest) => rest.to_owned(),
                    None => format!("▁{text}"),
                };
            }
        }
        Ok(())
    }

    fn write_unigram_normalizer(&self, gguf: &mut GgufVocab) -> Result<()> {
        let mut merges_spaces = false;
        for step in &self.normalizers {
            match step {
                Normalizer::Precompiled(map) | Normalizer::PrecompiledPrefixes(map) => {
                    gguf.precompiled_charsmap = map.blob().to_vec();
                }
                Normalizer::SpaceRuns(rules) => {
                    gguf.add_space_prefix = Some(rules.add_prefix);
                    merges_spaces = rules.merge;
                }
                Normalizer::Replace { content, pattern }
                    if content == " "
                        && *pattern.source() == PatternSource::Regex(" {2,}".to_owned()) =>
                {
                    merges_spaces = true;
                }
                Normalizer::Strip { .. } => {}
                _ => return Err(unsupported("normalizer", "this normalizer")),
            }
        }
        match self.pre_tokenizers.as_slice() {
            [] => {}
            [PreTokenizer::Metaspace { replacement: '▁', prepend, .. }] => {
                gguf.add_space_prefix = Some(*prepend != Prepend::Never);
            }
            _ => return Err(unsupported("pre_tokenizer", "this pre-tokenizer")),
        }
        gguf.remove_extra_whitespaces = Some(merges_spaces);
        Ok(())
    }

    fn write_template(&self, gguf: &mut GgufVocab) -> Result<()> {
        let too_many = || unsupported("post_processor", "a template with several tokens on a side");
        let one = |ids: &[TokenId]| match ids {
            [] => Ok(None),
            [id] => Ok(Some(*id)),
            _ => Err(too_many()),
        };
        let (first, last) = (one(&self.prefix)?, one(&self.suffix)?);
        gguf.add_bos = Some(first.is_some());
        if gguf.model == "bert" {
            gguf.add_sep = Some(last.is_some());
            gguf.cls = first.or(gguf.cls);
            gguf.sep = last.or(gguf.sep);
            return Ok(());
        }
        gguf.add_eos = Some(last.is_some());
        // The file can name one BOS only: the one the template writes.
        gguf.bos = first.or(gguf.bos);
        gguf.eos = last.or(gguf.eos);
        Ok(())
    }
}
