//! Writing a tokenizer: as `tokenizer.json`, and as the metadata of a GGUF file.

use serde_json::{Map, Value, json};

use crate::TokenId;
use crate::byte_level;
use crate::model::bpe::Symbols;
use crate::model::{Bpe, Model, Spm};
use crate::tokenizer::Tokenizer;

impl Tokenizer {
    /// A `tokenizer.json` that Hugging Face `tokenizers` loads.
    ///
    /// A SentencePiece model of a GGUF file (merges by score) is written as ranked merges, as
    /// `transformers` converts it: every way to put a token together from two, best score first. The two
    /// differ only where equal scores meet.
    pub fn to_json(&self) -> String {
        let mut file = Map::new();
        file.insert("version".into(), json!("1.0"));
        file.insert("truncation".into(), Value::Null);
        file.insert("padding".into(), Value::Null);
        file.insert("added_tokens".into(), self.added_to_json());
        file.insert("normalizer".into(), self.config.normalizer.clone());
        file.insert("pre_tokenizer".into(), self.config.pre_tokenizer.clone());
        file.insert("post_processor".into(), self.config.post_processor.clone());
        file.insert("decoder".into(), self.config.decoder.clone());
        file.insert("model".into(), self.model_to_json());
        Value::Object(file).to_string()
    }

    fn added_to_json(&self) -> Value {
        let mut list: Vec<_> = self.added.list.iter().collect();
        list.sort_by_key(|t| t.id);
        let entry = |t: &&crate::AddedToken| {
            json!({
                "id": t.id, "content": t.content, "single_word": t.single_word, "lstrip": t.lstrip,
                "rstrip": t.rstrip, "normalized": t.normalized, "special": t.special,
            })
        };
        Value::Array(list.iter().map(entry).collect())
    }

    /// Token texts to ids, in id order. Added tokens stay in it, as they are tokens of the model too.
    fn vocab_to_json(&self) -> Value {
        let in_model = |&(id, text): &(TokenId, &str)| {
            // An added token that the model's own file does not list may not be listed here either: its
            // text could be out of the model's alphabet. Listing it is harmless for every model but
            // Unigram, whose vocabulary is positional.
            let _ = text;
            (id as usize) < self.vocab.size()
        };
        Value::Object(
            self.vocab.iter().filter(in_model).map(|(id, t)| (t.to_owned(), json!(id))).collect(),
        )
    }

    fn text(&self, id: TokenId) -> &str {
        self.vocab.text(id).unwrap_or_default()
    }

    fn unk_text(&self, unk: Option<TokenId>) -> Value {
        unk.map_or(Value::Null, |id| json!(self.text(id)))
    }

    fn merges_to_json(&self, pairs: &[(TokenId, TokenId)]) -> Value {
        Value::Array(pairs.iter().map(|&(l, r)| json!([self.text(l), self.text(r)])).collect())
    }

    fn model_to_json(&self) -> Value {
        match &self.model {
            Model::Bpe(bpe) => self.bpe_to_json(bpe),
            Model::Spm(spm) => json!({
                "type": "BPE", "dropout": null, "unk_token": self.unk_text(spm.unk),
                "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": true,
                "byte_fallback": true, "ignore_merges": false,
                "vocab": self.vocab_to_json(),
                "merges": self.merges_to_json(&self.merges_by_score(spm)),
            }),
            Model::WordPiece(w) => json!({
                "type": "WordPiece", "unk_token": w.unk_token,
                "continuing_subword_prefix": w.prefix, "max_input_chars_per_word": w.max_chars,
                "vocab": self.vocab_to_json(),
            }),
            Model::WordLevel { unk_token, .. } => json!({
                "type": "WordLevel", "unk_token": unk_token, "vocab": self.vocab_to_json(),
            }),
            Model::Unigram(u) => {
                let listed = u.scores.iter().enumerate();
                let vocab: Vec<Value> =
                    listed.map(|(id, score)| json!([self.text(id as TokenId), score])).collect();
                json!({
                    "type": "Unigram", "unk_id": u.unk, "byte_fallback": u.has_byte_fallback(),
                    "vocab": vocab,
                })
            }
        }
    }

    fn bpe_to_json(&self, bpe: &Bpe) -> Value {
        let affix = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
        let (prefix, suffix, byte_fallback) = match &bpe.symbols {
            Symbols::Bytes(_) => (Value::Null, Value::Null, false),
            Symbols::Chars { prefix, suffix, fallback } => {
                (affix(prefix), affix(suffix), fallback.is_some())
            }
        };
        json!({
            "type": "BPE", "dropout": null, "unk_token": self.unk_text(bpe.unk),
            "continuing_subword_prefix": prefix, "end_of_word_suffix": suffix,
            "fuse_unk": bpe.fuse_unk, "byte_fallback": byte_fallback,
            "ignore_merges": bpe.ignore_merges,
            "vocab": self.vocab_to_json(), "merges": self.merges_to_json(&bpe.merge_list),
        })
    }

    /// Ranked merges equivalent to merges by score: sorted by the score of the product, then by where
    /// the product is cut.
    pub(crate) fn merges_by_score(&self, spm: &Spm) -> Vec<(TokenId, TokenId)> {
        let mut merges = Vec::new();
        for (id, text) in self.vocab.iter() {
            let Some(rank) = spm.rank(id) else { continue };
            for (cut, _) in text.char_indices().skip(1) {
                let (left, right) = (self.vocab.id(&text[..cut]), self.vocab.id(&text[cut..]));
                if let (Some(left), Some(right)) = (left, right)
                    && spm.rank(left).is_some()
                    && spm.rank(right).is_some()
                {
                    merges.push((rank, left, right));
                }
            }
        }
        merges.sort_unstable();
        merges.into_iter().map(|(_, left, right)| (left, right)).collect()
    }
}

/// Whether every character of a token is in the byte-level alphabet.
pub(crate) fn is_byte_level_text(text: &str) -> bool {
    byte_level::decode(text).is_some()
}
