//! What can be wrong with a tokenizer file, told with the file, the place in it and a way out.

use std::fmt;
use std::path::{Path, PathBuf};

/// A tokenizer that cannot be loaded, written or trained.
///
/// `Display` gives `path: place: reason`; [`TokenizerError::hint`] says what to do about it.
#[derive(Debug)]
pub struct TokenizerError {
    path: PathBuf,
    place: String,
    kind: TokenizerErrorKind,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The class of a [`TokenizerError`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenizerErrorKind {
    /// The bytes are not the format they should be (JSON syntax, UTF-8, base64).
    Syntax(String),
    /// The format is right, the content contradicts itself.
    Invalid(String),
    /// The file is well formed but names a component psi does not have.
    Unsupported(String),
}

impl TokenizerError {
    pub(crate) fn syntax(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(place, TokenizerErrorKind::Syntax(shortened(reason.into())))
    }

    pub(crate) fn invalid(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(place, TokenizerErrorKind::Invalid(shortened(reason.into())))
    }

    pub(crate) fn unsupported(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(place, TokenizerErrorKind::Unsupported(shortened(what.into())))
    }

    fn new(place: impl Into<String>, kind: TokenizerErrorKind) -> Self {
        let place = shortened(place.into());
        Self { path: PathBuf::new(), place, kind, hint: None, source: None }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the cause, unless its text repeats too much of the file.
    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let source = source.into();
        self.source = (source.to_string().len() <= LONGEST).then_some(source);
        self
    }

    /// Names the file; called once, where a public loader returns.
    pub(crate) fn in_file(mut self, path: &Path) -> Self {
        if self.path.as_os_str().is_empty() {
            self.path = path.to_path_buf();
        }
        self
    }

    /// The class of the error with its reason.
    pub fn kind(&self) -> &TokenizerErrorKind {
        &self.kind
    }

    /// The file, as the caller named it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where in the file, as a key path such as `model.merges[12]`.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What the owner of the file can do, if there is something.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for TokenizerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.as_os_str().is_empty() {
            write!(f, "{}: ", self.path.display())?;
        }
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        match &self.kind {
            TokenizerErrorKind::Syntax(reason) | TokenizerErrorKind::Invalid(reason) => {
                f.write_str(reason)
            }
            TokenizerErrorKind::Unsupported(what) => write!(f, "{what} is not supported"),
        }
    }
}

impl std::error::Error for TokenizerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }
}

/// Most bytes of a place, a reason or a cause: a parser's own message may repeat a key of any length.
const LONGEST: usize = 400;

fn shortened(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

/// Shortens a token for a message, so that a hostile file cannot flood the terminal.
pub(crate) fn quoted(text: &str) -> String {
    const LIMIT: usize = 40;
    let mut short: String = text.chars().take(LIMIT).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tokenizer;

    #[test]
    fn a_message_does_not_repeat_a_file() {
        let file = format!("{{\"{}\": 1}}", "é".repeat(5000));
        let error = Tokenizer::from_json(file.as_bytes(), Path::new("x.json")).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("x.json: not a tokenizer.json: unknown field"), "{text}");
        assert!(text.len() < 500 && text.ends_with('…'), "{text}");
        assert!(std::error::Error::source(&error).is_none(), "the cause has the same text");
    }
}
