//! From tokens to text as they come: whole characters only, stop strings held back.

mod files;

use std::sync::Arc;

use psi_tokenizer::{Detokenizer, TokenId, Tokenizer};

use crate::StopMatcher;

pub use files::{ModelText, TextError};

/// Turns the tokens of one answer into pieces of text.
///
/// A piece never ends inside a character, and text that may still become a stop string waits. All
/// pieces together are the answer, whatever its tokens were.
///
/// ```no_run
/// # fn f(tokenizer: std::sync::Arc<psi_tokenizer::Tokenizer>, tokens: &[u32]) {
/// let mut text = psi_infer::text::TextStream::new(tokenizer, &["\n\n".to_owned()]);
/// for &token in tokens {
///     let piece = text.push(token);
///     // show `piece`
///     if text.stopped_by().is_some() {
///         break;
///     }
/// }
/// let rest = text.finish();
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TextStream {
    tokenizer: Arc<Tokenizer>,
    detokenizer: Detokenizer,
    shown: Vec<TokenId>,
    stops: StopMatcher,
    stopped_by: Option<String>,
}

impl TextStream {
    /// A stream at the start of an answer that ends before one of the texts `stop`.
    pub fn new(tokenizer: Arc<Tokenizer>, stop: &[String]) -> Self {
        Self {
            tokenizer,
            detokenizer: Detokenizer::new(false),
            shown: Vec::new(),
            stops: StopMatcher::new(stop.iter().cloned()),
            stopped_by: None,
        }
    }

    /// The same stream with special tokens that are part of the text (`<think>`, `[TOOL_CALLS]`);
    /// all others are left out.
    pub fn showing(mut self, special: &[TokenId]) -> Self {
        self.shown = special.to_vec();
        self
    }

    /// The text that became certain with `token`, possibly none. After a stop string: none.
    pub fn push(&mut self, token: TokenId) -> String {
        if self.stopped_by.is_some()
            || (self.tokenizer.is_special(token) && !self.shown.contains(&token))
        {
            return String::new();
        }
        let piece = self.detokenizer.push(&self.tokenizer, token);
        self.release(&piece)
    }

    /// The text that was still held back. A character that never became whole is U+FFFD.
    pub fn finish(&mut self) -> String {
        if self.stopped_by.is_some() {
            return String::new();
        }
        let piece = self.detokenizer.finish();
        let mut text = self.release(&piece);
        text.push_str(&self.stops.finish());
        text
    }

    /// The stop string that ended the answer.
    pub fn stopped_by(&self) -> Option<&str> {
        self.stopped_by.as_deref()
    }

    fn release(&mut self, piece: &str) -> String {
        let step = self.stops.push(piece);
        self.stopped_by = step.stopped_by;
        step.text
    }
}
