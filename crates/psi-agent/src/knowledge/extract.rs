//! The text of a file, whatever kind of file it is.

use super::pdf;
use crate::html;

/// Largest text of one file.
const MAX_TEXT_BYTES: usize = 16 << 20;

/// What a file was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    Text,
    Html,
    Pdf,
}

impl FileKind {
    /// By the end of the name, and for HTML and PDF by what it begins with.
    pub(super) fn of(path: &str, bytes: &[u8]) -> Self {
        let lower = path.to_ascii_lowercase();
        let ends = |endings: &[&str]| endings.iter().any(|e| lower.ends_with(e));
        if bytes.starts_with(b"%PDF-") || ends(&[".pdf"]) {
            Self::Pdf
        } else if ends(&[".html", ".htm", ".xhtml"]) {
            Self::Html
        } else {
            Self::Text
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Html => "html",
            Self::Pdf => "pdf",
        }
    }
}

/// What was found in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Extracted {
    /// Its text: one piece, or one for each page.
    Pages(Vec<String>),
    /// Pages without a word: a scan.
    NoText(String),
    /// Not a file of text at all.
    NotText,
    /// It could not be read.
    Failed(String),
}

/// Reads a file's text.
pub(super) fn extract(path: &str, bytes: &[u8]) -> Extracted {
    match FileKind::of(path, bytes) {
        FileKind::Pdf => match pdf::pages(bytes) {
            Ok(pages) if pages.iter().all(|p| p.trim().is_empty()) => {
                let n = pages.len();
                let why = format!(
                    "its {n} pages hold no text, only pictures: a scan; psi does not read pictures"
                );
                Extracted::NoText(why)
            }
            Ok(pages) => Extracted::Pages(pages),
            Err(why) => Extracted::Failed(why),
        },
        FileKind::Html => match std::str::from_utf8(bytes).map(html::to_text) {
            Ok(Ok(text)) => Extracted::Pages(vec![text]),
            Ok(Err(why)) => Extracted::Failed(why),
            Err(_) => Extracted::Failed("it is not in UTF-8".to_owned()),
        },
        FileKind::Text => match std::str::from_utf8(bytes) {
            Ok(text) if text.len() > MAX_TEXT_BYTES => {
                Extracted::Failed(format!("it has more than {MAX_TEXT_BYTES} bytes of text"))
            }
            Ok(text) if !text.contains('\0') => Extracted::Pages(vec![text.to_owned()]),
            _ => Extracted::NotText,
        },
    }
}
