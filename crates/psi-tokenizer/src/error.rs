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
        Self::new(place, TokenizerErrorKind::Syntax(reason.into()))
    }

    pub(crate) fn invalid(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(place, TokenizerErrorKind::Invalid(reason.into()))
    }

    pub(crate) fn unsupported(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(place, TokenizerErrorKind::Unsupported(what.into()))
    }

    fn new(place: impl Into<String>, kind: TokenizerErrorKind) -> Self {
        Self { path: PathBuf::new(), place: place.into(), kind, hint: None, source: None }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
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

/// Shortens a token for a message, so that a hostile file cannot flood the terminal.
pub(crate) fn quoted(text: &str) -> String {
    const LIMIT: usize = 40;
    let mut short: String = text.chars().take(LIMIT).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}
