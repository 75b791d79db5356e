//! `tokenizer_config.json`: which tokens play BOS, EOS, ..., and the chat template.

use std::path::Path;

use serde_json::Value;

use crate::TokenId;
use crate::error::{TokenizerError, quoted};
use crate::tokenizer::Tokenizer;

/// What psi uses of a `tokenizer_config.json` (or of `special_tokens_map.json`). The file is a bag of
/// arguments of a Python class; other keys do not change ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenizerConfig {
    /// Text of the BOS token.
    pub bos_token: Option<String>,
    /// Text of the EOS token.
    pub eos_token: Option<String>,
    /// Text of the unknown token.
    pub unk_token: Option<String>,
    /// Text of the padding token.
    pub pad_token: Option<String>,
    /// Whether `add_special` puts BOS first, where the file says so.
    pub add_bos_token: Option<bool>,
    /// Whether `add_special` puts EOS last, where the file says so.
    pub add_eos_token: Option<bool>,
    /// The chat template; where the file names several, the one called `default`.
    pub chat_template: Option<String>,
    /// The other templates by name, such as `tool_use`.
    pub named_templates: Vec<(String, String)>,
}

impl TokenizerConfig {
    /// Reads the file. `path` is only used in messages.
    ///
    /// # Errors
    /// Bytes that are not JSON, or keys of another type than they should have.
    pub fn from_json(bytes: &[u8], path: &Path) -> Result<Self, TokenizerError> {
        Self::read(bytes).map_err(|e| e.in_file(path))
    }

    fn read(bytes: &[u8]) -> Result<Self, TokenizerError> {
        let value: Value = serde_json::from_slice(bytes).map_err(|e| {
            TokenizerError::syntax("", format!("not a tokenizer_config.json: {e}")).with_source(e)
        })?;
        if !value.is_object() {
            return Err(TokenizerError::invalid("", "expected an object"));
        }
        let mut config = Self {
            bos_token: token_text(&value, "bos_token")?,
            eos_token: token_text(&value, "eos_token")?,
            unk_token: token_text(&value, "unk_token")?,
            pad_token: token_text(&value, "pad_token")?,
            add_bos_token: value.get("add_bos_token").and_then(Value::as_bool),
            add_eos_token: value.get("add_eos_token").and_then(Value::as_bool),
            ..Self::default()
        };
        match value.get("chat_template") {
            None | Some(Value::Null) => {}
            Some(Value::String(template)) => config.chat_template = Some(template.clone()),
            Some(Value::Array(list)) => {
                for (i, entry) in list.iter().enumerate() {
                    let field = |key: &str| entry.get(key).and_then(Value::as_str);
                    match (field("name"), field("template")) {
                        (Some("default"), Some(t)) => config.chat_template = Some(t.to_owned()),
                        (Some(name), Some(t)) => {
                            config.named_templates.push((name.to_owned(), t.to_owned()));
                        }
                        _ => {
                            let place = format!("chat_template[{i}]");
                            let reason = "expected {\"name\", \"template\"}";
                            return Err(TokenizerError::invalid(place, reason));
                        }
                    }
                }
            }
            Some(_) => {
                return Err(TokenizerError::invalid(
                    "chat_template",
                    "expected a string or a list",
                ));
            }
        }
        Ok(config)
    }
}

/// A token is a string or an object with `content`.
fn token_text(value: &Value, key: &str) -> Result<Option<String>, TokenizerError> {
    match value.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => match other.get("content").and_then(Value::as_str) {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(TokenizerError::invalid(key, "expected a token")),
        },
    }
}

impl Tokenizer {
    /// Sets the tokens with a role as a `tokenizer_config.json` says.
    ///
    /// # Errors
    /// A token that is not in the vocabulary.
    pub fn apply_config(&mut self, config: &TokenizerConfig) -> Result<(), TokenizerError> {
        let find = |key: &str, text: &Option<String>| -> Result<Option<TokenId>, TokenizerError> {
            let Some(text) = text.as_deref().filter(|t| !t.is_empty()) else { return Ok(None) };
            match self.id_of(text) {
                Some(id) => Ok(Some(id)),
                None => Err(TokenizerError::invalid(
                    key,
                    format!("{} is not in the vocabulary", quoted(text)),
                )),
            }
        };
        let bos = find("bos_token", &config.bos_token)?;
        let eos = find("eos_token", &config.eos_token)?;
        let pad = find("pad_token", &config.pad_token)?;
        let special = &mut self.special;
        special.bos = bos.or(special.bos);
        special.eos = eos.or(special.eos);
        special.pad = pad.or(special.pad);
        special.find_well_known(&self.vocab, &self.added.list);
        Ok(())
    }
}
