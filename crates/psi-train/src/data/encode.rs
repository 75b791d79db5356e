//! Rows to documents: parsed, checked, tokenised, each token marked as trained on or not.

use psi_store::ContentHash;
use psi_tokenizer::{ChatTemplate, Renderer, TokenId, Tokenizer};
use serde_json::Value;

use super::chat::{self, Conversation, Rendered};
use super::config::{DataConfig, SourceConfig, Turns};
use super::error::{DataError, Result};
use super::read::{Body, Row};

/// Set in a stored token that a loss falls on.
pub(crate) const TRAINED: u32 = 1 << 31;

/// A tokenised document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// Ids, with [`TRAINED`] set where the model learns to write the token.
    pub(crate) tokens: Vec<u32>,
    /// Bytes of text.
    pub(crate) bytes: u64,
    /// Of the content; decides the split.
    pub(crate) hash: u64,
    pub(crate) is_chat: bool,
}

/// What a row says, before it is tokenised.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    Text(String),
    Chat {
        /// Several if each turn is learned by itself.
        rendered: Vec<Rendered>,
        /// The conversation in one form, whatever the template makes of it.
        canonical: String,
    },
}

/// What reads the content of rows; each thread has its own.
#[derive(Debug)]
pub(crate) struct Contents<'a> {
    column: &'a str,
    renderer: Option<Renderer<'a>>,
    turns: Turns,
}

impl<'a> Contents<'a> {
    /// For the rows of `source`.
    pub(crate) fn new(
        source: &'a SourceConfig,
        template: Option<&'a ChatTemplate>,
        config: &DataConfig,
    ) -> Result<Self> {
        let renderer = template.map(|t| t.renderer(&config.template_vars)).transpose();
        let renderer = renderer.map_err(|e| DataError::config("template_vars", e.to_string()))?;
        Ok(Self { column: source.column(), renderer, turns: config.turns })
    }

    /// The content of a row, or why it has none.
    pub(crate) fn of(&self, row: Row) -> std::result::Result<Content, String> {
        match row.body {
            Body::Text(bytes) => text(utf8(bytes)?),
            Body::Json(bytes) => {
                let value = serde_json::from_slice(&bytes).map_err(|e| not_json(&bytes, &e))?;
                self.record(&value)
            }
            Body::Record(value) => self.record(&value),
            Body::Bad(reason) => Err(reason),
        }
    }

    /// An object with a text or a conversation.
    fn record(&self, value: &Value) -> std::result::Result<Content, String> {
        let Value::Object(object) = value else {
            return Err(format!("expected an object, found {}", kind(value)));
        };
        if let Some(messages) = object.get("messages") {
            return self.chat(messages, object.get("tools").filter(|t| !t.is_null()));
        }
        match object.get(self.column) {
            Some(Value::String(content)) => text(content.clone()),
            Some(other) => Err(format!("'{}' is {}, not a text", self.column, kind(other))),
            None => {
                let keys: Vec<&str> = object.keys().take(8).map(String::as_str).collect();
                let keys = keys.join(", ");
                Err(format!("neither '{}' nor 'messages' among the keys ({keys})", self.column))
            }
        }
    }

    fn chat(
        &self,
        messages: &Value,
        tools: Option<&Value>,
    ) -> std::result::Result<Content, String> {
        let Some(renderer) = &self.renderer else {
            return Err("a conversation, but the tokenizer has no chat template".to_owned());
        };
        let conversation = Conversation::check(messages, tools)?;
        let rendered = chat::render(&conversation, renderer, self.turns)?;
        Ok(Content::Chat { rendered, canonical: conversation.canonical() })
    }
}

/// A text that says something.
fn text(text: String) -> std::result::Result<Content, String> {
    if text.trim().is_empty() {
        Err("the text is empty".to_owned())
    } else {
        Ok(Content::Text(text))
    }
}

/// What turns rows into documents; each thread has its own.
#[derive(Debug)]
pub(crate) struct Encoder<'a> {
    pub(crate) contents: Contents<'a>,
    pub(crate) tokenizer: &'a Tokenizer,
    /// Follows each text.
    pub(crate) end: TokenId,
}

impl Encoder<'_> {
    /// The documents of a row, or why there is none.
    pub(crate) fn encode(&self, row: Row) -> std::result::Result<Vec<Document>, String> {
        match self.contents.of(row)? {
            Content::Text(text) => Ok(vec![self.text(&text)]),
            Content::Chat { rendered, canonical } => {
                let hash = short_hash(canonical.as_bytes());
                rendered.iter().map(|one| self.chat(one, hash)).collect()
            }
        }
    }

    /// A text is trained on from its first token to the end token after it.
    fn text(&self, text: &str) -> Document {
        let start = self.tokenizer.prefix_ids().iter().copied();
        let ids = self.tokenizer.encode(text, false, false);
        Document {
            tokens: start.chain(ids).chain([self.end]).map(|id| id | TRAINED).collect(),
            bytes: text.len() as u64,
            hash: short_hash(text.as_bytes()),
            is_chat: false,
        }
    }

    fn chat(&self, rendered: &Rendered, hash: u64) -> std::result::Result<Document, String> {
        let tokens = chat::tokenize(rendered, self.tokenizer)?;
        Ok(Document { tokens, bytes: rendered.text.len() as u64, hash, is_chat: true })
    }
}

/// The token after each text.
pub(crate) fn end_token(config: &DataConfig, tokenizer: &Tokenizer) -> Result<TokenId> {
    let special = |text: &str| tokenizer.id_of(text).filter(|&id| tokenizer.is_special(id));
    match &config.end_token {
        Some(text) => special(text).ok_or_else(|| {
            DataError::config("end_token", format!("'{text}' is no special token of the tokenizer"))
        }),
        None => special("<|endoftext|>").or(tokenizer.eos()).ok_or_else(|| {
            DataError::config("end_token", "the tokenizer names no end-of-text token")
                .with_hint("set data.end_token to the special token that ends a document")
        }),
    }
}

fn short_hash(bytes: &[u8]) -> u64 {
    let hash = ContentHash::of_bytes(bytes);
    u64::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes"))
}

fn utf8(bytes: Vec<u8>) -> std::result::Result<String, String> {
    String::from_utf8(bytes)
        .map_err(|e| format!("not UTF-8 (byte {})", e.utf8_error().valid_up_to()))
}

fn not_json(bytes: &[u8], error: &serde_json::Error) -> String {
    if let Err(e) = std::str::from_utf8(bytes) {
        return format!("not UTF-8 (byte {})", e.valid_up_to());
    }
    // The parser knows one line only; what it says of lines is noise here.
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    format!("not JSON: {what} (column {})", error.column())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
