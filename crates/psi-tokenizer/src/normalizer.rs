//! Normalizers: what happens to text before it is split.

use std::borrow::Cow;

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::{is_nfc, is_nfd, is_nfkc, is_nfkd};

use crate::byte_level;
use crate::charsmap::Charsmap;
use crate::component::Component;
use crate::error::TokenizerError;
use crate::pattern::Pattern;
use crate::{base64, unicode};

/// One normalisation step.
#[derive(Debug)]
pub(crate) enum Normalizer {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
    Lowercase,
    Strip {
        left: bool,
        right: bool,
    },
    StripAccents,
    Bert {
        clean_text: bool,
        chinese_chars: bool,
        strip_accents: bool,
        lowercase: bool,
    },
    Prepend(String),
    Replace {
        pattern: Pattern,
        content: String,
    },
    Precompiled(Charsmap),
    /// the same table, applied as SentencePiece does (GGUF)
    PrecompiledPrefixes(Charsmap),
    ByteLevel,
    Nmt,
    /// SentencePiece's treatment of white space, which GGUF describes by flags.
    SpaceRuns(SpaceRuns),
}

/// How SentencePiece rewrites spaces before a unigram model sees the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpaceRuns {
    /// a space before the first word (or after the last)
    pub(crate) add_prefix: bool,
    /// runs of spaces become one, at the ends none
    pub(crate) merge: bool,
    /// the space goes after the last word, not before the first
    pub(crate) as_suffix: bool,
}

/// Reads a normalizer and appends its steps; `null` adds none.
pub(crate) fn parse(
    value: &Value,
    place: &str,
    out: &mut Vec<Normalizer>,
) -> Result<(), TokenizerError> {
    if value.is_null() {
        return Ok(());
    }
    let mut c = Component::new(value, place)?;
    let step = match c.kind {
        "Sequence" => {
            for (i, part) in c.list("normalizers")?.iter().enumerate() {
                parse(part, &format!("{place}.normalizers[{i}]"), out)?;
            }
            return c.finish();
        }
        "NFC" => Normalizer::Nfc,
        "NFD" => Normalizer::Nfd,
        "NFKC" => Normalizer::Nfkc,
        "NFKD" => Normalizer::Nfkd,
        "Lowercase" => Normalizer::Lowercase,
        "StripAccents" => Normalizer::StripAccents,
        "ByteLevel" => Normalizer::ByteLevel,
        "Nmt" => Normalizer::Nmt,
        "Strip" => Normalizer::Strip {
            left: c.bool_or("strip_left", true)?,
            right: c.bool_or("strip_right", true)?,
        },
        "BertNormalizer" => {
            let lowercase = c.bool_or("lowercase", true)?;
            Normalizer::Bert {
                clean_text: c.bool_or("clean_text", true)?,
                chinese_chars: c.bool_or("handle_chinese_chars", true)?,
                strip_accents: c.optional_bool("strip_accents")?.unwrap_or(lowercase),
                lowercase,
            }
        }
        "Prepend" => Normalizer::Prepend(c.str("prepend")?.to_owned()),
        "Replace" => Normalizer::Replace {
            pattern: parse_pattern(&mut c)?,
            content: c.str("content")?.to_owned(),
        },
        "Precompiled" => {
            let field = format!("{place}.precompiled_charsmap");
            let blob = base64::decode(c.str("precompiled_charsmap")?)
                .ok_or_else(|| TokenizerError::syntax(&field, "not base64"))?;
            Normalizer::Precompiled(Charsmap::new(&blob, &field)?)
        }
        _ => return Err(c.unknown("normalizer")),
    };
    c.finish()?;
    out.push(step);
    Ok(())
}

/// The `pattern` key: `{"String": …}` or `{"Regex": …}`.
pub(crate) fn parse_pattern(c: &mut Component<'_>) -> Result<Pattern, TokenizerError> {
    let place = format!("{}.pattern", c.place);
    let value = c.value("pattern")?;
    let field = |key: &str| value.get(key).and_then(Value::as_str);
    match (field("String"), field("Regex")) {
        (Some(text), None) => Ok(Pattern::literal(text)),
        (None, Some(source)) => Pattern::regex(source, &place),
        _ => Err(TokenizerError::invalid(place, "expected {\"String\": …} or {\"Regex\": …}")),
    }
}

impl Normalizer {
    /// The normalised text; borrowed where nothing changes.
    pub(crate) fn apply<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        match self {
            Self::Nfc if is_nfc(&text) => text,
            Self::Nfd if is_nfd(&text) => text,
            Self::Nfkc if is_nfkc(&text) => text,
            Self::Nfkd if is_nfkd(&text) => text,
            Self::Nfc => text.nfc().collect(),
            Self::Nfd => text.nfd().collect(),
            Self::Nfkc => text.nfkc().collect(),
            Self::Nfkd => text.nfkd().collect(),
            // By character: a final sigma stays σ, as in the reference implementation.
            Self::Lowercase => text.chars().flat_map(char::to_lowercase).collect(),
            Self::Strip { left, right } => Cow::Owned(
                match (left, right) {
                    (true, true) => text.trim(),
                    (true, false) => text.trim_start(),
                    (false, true) => text.trim_end(),
                    (false, false) => &text,
                }
                .to_owned(),
            ),
            Self::StripAccents => text.chars().filter(|&c| !unicode::is_mark(c)).collect(),
            Self::Bert { clean_text, chinese_chars, strip_accents, lowercase } => {
                Cow::Owned(bert(&text, *clean_text, *chinese_chars, *strip_accents, *lowercase))
            }
            Self::Prepend(_) if text.is_empty() => text,
            Self::Prepend(prefix) => Cow::Owned(format!("{prefix}{text}")),
            Self::Replace { pattern, content } => replace(pattern, content, text),
            Self::Precompiled(map) => Cow::Owned(map.normalize_clusters(&text)),
            Self::PrecompiledPrefixes(map) => Cow::Owned(map.normalize_prefixes(&text)),
            Self::ByteLevel => Cow::Owned(byte_level::encode(text.as_bytes())),
            Self::Nmt => text.chars().filter_map(nmt).collect(),
            Self::SpaceRuns(rules) => Cow::Owned(rules.apply(&text)),
        }
    }
}

fn replace<'t>(pattern: &Pattern, content: &str, text: Cow<'t, str>) -> Cow<'t, str> {
    let mut out: Option<String> = None;
    let mut done = 0;
    pattern.each_match(&text, |start, end| {
        let out = out.get_or_insert_with(|| String::with_capacity(text.len() + content.len()));
        out.push_str(&text[done..start]);
        out.push_str(content);
        done = end;
    });
    match out {
        None => text,
        Some(mut out) => {
            out.push_str(&text[done..]);
            Cow::Owned(out)
        }
    }
}

/// BERT's basic normalisation, in the reference order: clean, space around ideographs, strip accents
/// after NFD, lower case.
fn bert(
    text: &str,
    clean_text: bool,
    chinese_chars: bool,
    strip_accents: bool,
    lowercase: bool,
) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        let white = matches!(c, '\t' | '\n' | '\r') || c.is_whitespace();
        // Vertical tab and form feed are controls before they are white space.
        let control = !matches!(c, '\t' | '\n' | '\r') && unicode::is_other(c);
        if clean_text && (c == '\u{FFFD}' || control) {
            continue;
        }
        if chinese_chars && unicode::is_cjk(c) {
            out.extend([' ', c, ' ']);
        } else {
            out.push(if clean_text && white { ' ' } else { c });
        }
    }
    if strip_accents {
        out = out.nfd().filter(|&c| !unicode::is_nonspacing_mark(c)).collect();
    }
    if lowercase {
        out = out.chars().flat_map(char::to_lowercase).collect();
    }
    out
}

/// The character map of the NMT normalizer: control characters vanish, odd spaces become spaces.
fn nmt(c: char) -> Option<char> {
    match c as u32 {
        0x1..=0x8 | 0xB | 0xE..=0x1F | 0x7F | 0x8F | 0x9F => None,
        0x9
        | 0xA
        | 0xC
        | 0xD
        | 0x1680
        | 0x200B..=0x200F
        | 0x2028
        | 0x2029
        | 0x2581
        | 0xFEFF
        | 0xFFFD => Some(' '),
        _ => Some(c),
    }
}

impl SpaceRuns {
    /// Writes every kept space as `▁`.
    fn apply(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + text.len() / 4 + 3);
        let mut in_word = false;
        let mut prefixed = false;
        for c in text.chars() {
            if c == ' ' {
                in_word = false;
                if !self.merge {
                    out.push('▁');
                }
                continue;
            }
            if !in_word {
                in_word = true;
                let wants_prefix = self.add_prefix && !self.as_suffix && !prefixed;
                let joins = self.merge && (prefixed || !out.is_empty() || wants_prefix);
                if wants_prefix || joins {
                    out.push('▁');
                    prefixed = true;
                }
            }
            out.push(c);
        }
        // SentencePiece looks at the escaped text here: a `▁` of the input goes, too.
        while self.merge && out.ends_with('▁') {
            out.pop();
        }
        if self.add_prefix && self.as_suffix {
            out.push('▁');
        }
        out
    }
}
