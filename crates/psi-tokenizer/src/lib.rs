//! Tokenizers, their training, and chat templates.
//!
//! One engine serves Hugging Face `tokenizer.json` files, the tokenizers embedded in GGUF files and
//! tiktoken rank files: a loader reads the file into the same parts - added tokens, normalizers,
//! pre-tokenizers, a model, a decoder - and [`Tokenizer`] runs them. What a file asks for and psi does
//! not have is an error that names it, never something left out.

mod added;
mod base64;
mod byte_level;
mod charsmap;
mod chat;
mod component;
mod config;
mod decoder;
mod error;
mod export;
mod gguf;
mod json;
mod merge;
mod model;
mod normalizer;
mod pair_table;
mod pattern;
mod post_processor;
mod pre_tokenizer;
mod scanner;
mod special;
mod tiktoken;
mod tokenizer;
mod train;
mod unicode;
mod vocab;
mod word_cache;

pub use added::AddedToken;
pub use chat::{ChatTemplate, NOW, Renderer, TemplateError, TemplateErrorKind, TemplateLimits};
pub use config::TokenizerConfig;
pub use decoder::Detokenizer;
pub use error::{TokenizerError, TokenizerErrorKind};
pub use gguf::{GgufVocab, TokenType};
pub use special::SpecialTokens;
pub use tokenizer::Tokenizer;
pub use train::{TrainOptions, train_bpe};

/// The number of a token.
pub type TokenId = u32;
