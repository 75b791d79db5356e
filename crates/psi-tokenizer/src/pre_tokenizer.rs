//! Pre-tokenizers: how normalised text is split into the pieces a model sees.

use std::borrow::Cow;

use serde_json::Value;

use crate::byte_level;
use crate::component::Component;
use crate::error::TokenizerError;
use crate::normalizer::parse_pattern;
use crate::pattern::{Pattern, PatternSource};
use crate::scanner;
use crate::unicode::is_bert_punctuation;

/// One splitting step.
#[derive(Debug)]
pub(crate) enum PreTokenizer {
    /// GPT-2: optional space in front, optional pattern; then bytes as printable characters.
    ByteLevel {
        add_prefix_space: bool,
        pattern: Option<Pattern>,
    },
    Split {
        pattern: Pattern,
        behavior: Behavior,
        invert: bool,
    },
    /// `▁` for spaces, and a split before each.
    Metaspace {
        replacement: char,
        prepend: Prepend,
        split: bool,
    },
    /// Splits at characters of a class.
    Chars {
        class: CharClass,
        behavior: Behavior,
    },
}

/// What becomes of the text a pattern matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behavior {
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// Where Metaspace puts a mark in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prepend {
    Always,
    First,
    Never,
}

/// A class of characters that a pre-tokenizer splits at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CharClass {
    WhiteSpace,
    Numeric,
    Punctuation,
    One(char),
}

impl CharClass {
    fn contains(self, c: char) -> bool {
        match self {
            Self::WhiteSpace => c.is_whitespace(),
            Self::Numeric => c.is_numeric(),
            Self::Punctuation => is_bert_punctuation(c),
            Self::One(it) => c == it,
        }
    }
}

/// Reads a pre-tokenizer and appends its steps; `null` adds none.
pub(crate) fn parse(
    value: &Value,
    place: &str,
    out: &mut Vec<PreTokenizer>,
) -> Result<(), TokenizerError> {
    if value.is_null() {
        return Ok(());
    }
    let mut c = Component::new(value, place)?;
    match c.kind {
        "Sequence" => {
            for (i, part) in c.list("pretokenizers")?.iter().enumerate() {
                parse(part, &format!("{place}.pretokenizers[{i}]"), out)?;
            }
        }
        "ByteLevel" => {
            c.ignore(&["trim_offsets"]);
            let use_regex = c.bool_or("use_regex", true)?;
            let pattern = use_regex.then(|| Pattern::regex(scanner::source::GPT2, place));
            out.push(PreTokenizer::ByteLevel {
                add_prefix_space: c.bool_or("add_prefix_space", true)?,
                pattern: pattern.transpose()?,
            });
        }
        "Split" => out.push(PreTokenizer::Split {
            pattern: parse_pattern(&mut c)?,
            behavior: parse_behavior(&mut c, None)?,
            invert: c.bool_or("invert", false)?,
        }),
        "Whitespace" => out.push(PreTokenizer::Split {
            pattern: Pattern::words_and_symbols(),
            behavior: Behavior::Removed,
            invert: true,
        }),
        "WhitespaceSplit" => out.push(chars(CharClass::WhiteSpace, Behavior::Removed)),
        "BertPreTokenizer" => {
            out.push(chars(CharClass::WhiteSpace, Behavior::Removed));
            out.push(chars(CharClass::Punctuation, Behavior::Isolated));
        }
        "Punctuation" => {
            let behavior = parse_behavior(&mut c, Some("Isolated"))?;
            out.push(chars(CharClass::Punctuation, behavior));
        }
        "Digits" => {
            let individual = c.bool_or("individual_digits", false)?;
            let behavior = if individual { Behavior::Isolated } else { Behavior::Contiguous };
            out.push(chars(CharClass::Numeric, behavior));
        }
        "CharDelimiterSplit" => {
            let delimiter = CharClass::One(c.char_or("delimiter", ' ')?);
            out.push(chars(delimiter, Behavior::Removed));
        }
        "Metaspace" => out.push(parse_metaspace(&mut c)?),
        _ => return Err(c.unknown("pre-tokenizer")),
    }
    c.finish()
}

fn chars(class: CharClass, behavior: Behavior) -> PreTokenizer {
    PreTokenizer::Chars { class, behavior }
}

fn parse_behavior(
    c: &mut Component<'_>,
    default: Option<&'static str>,
) -> Result<Behavior, TokenizerError> {
    let name = match default {
        Some(default) => c.str_or("behavior", default)?,
        None => c.str("behavior")?,
    };
    Ok(match name {
        "Removed" => Behavior::Removed,
        "Isolated" => Behavior::Isolated,
        "MergedWithPrevious" => Behavior::MergedWithPrevious,
        "MergedWithNext" => Behavior::MergedWithNext,
        "Contiguous" => Behavior::Contiguous,
        other => {
            let place = format!("{}.behavior", c.place);
            return Err(TokenizerError::unsupported(place, format!("the behavior {other:?}")));
        }
    })
}

/// The settings of Metaspace, old files included: `add_prefix_space` became `prepend_scheme`.
pub(crate) fn parse_metaspace(c: &mut Component<'_>) -> Result<PreTokenizer, TokenizerError> {
    c.ignore(&["str_rep"]);
    let replacement = c.char_or("replacement", '▁')?;
    let legacy = c.optional_bool("add_prefix_space")?;
    let default = if legacy == Some(false) { "never" } else { "always" };
    let prepend = match c.str_or("prepend_scheme", default)? {
        "always" => Prepend::Always,
        "first" => Prepend::First,
        "never" => Prepend::Never,
        other => {
            let place = format!("{}.prepend_scheme", c.place);
            return Err(TokenizerError::unsupported(place, format!("the scheme {other:?}")));
        }
    };
    Ok(PreTokenizer::Metaspace { replacement, prepend, split: c.bool_or("split", true)? })
}

/// A text and the ranges of it that are pieces so far.
pub(crate) struct Pieces<'t> {
    pub(crate) text: Cow<'t, str>,
    pub(crate) ranges: Vec<(usize, usize)>,
}

impl PreTokenizer {
    /// Refines the pieces. `at_start` says that the text starts the whole input; `keep_bytes` that the
    /// model reads bytes itself, so the byte-level spelling is skipped.
    pub(crate) fn apply(&self, pieces: &mut Pieces<'_>, at_start: bool, keep_bytes: bool) {
        match self {
            Self::Split { pattern, behavior, invert } => {
                pieces.split(*behavior, *invert, |text, found| pattern.each_match(text, found));
            }
            Self::Chars { class, behavior } => {
                pieces.split(*behavior, false, |text, found| {
                    for (i, c) in text.char_indices().filter(|&(_, c)| class.contains(c)) {
                        found(i, i + c.len_utf8());
                    }
                });
            }
            Self::ByteLevel { add_prefix_space, pattern } => {
                if *add_prefix_space {
                    pieces.rewrite(|_, text, out| {
                        out.push_str(if text.starts_with(' ') { "" } else { " " });
                        out.push_str(text);
                    });
                }
                if let Some(pattern) = pattern {
                    pieces.split(Behavior::Isolated, false, |text, found| {
                        pattern.each_match(text, found);
                    });
                }
                if !keep_bytes {
                    pieces
                        .rewrite(|_, text, out| out.push_str(&byte_level::encode(text.as_bytes())));
                }
            }
            Self::Metaspace { replacement, prepend, split } => {
                let (mark, prepend) = (*replacement, *prepend);
                pieces.rewrite(|start, text, out| {
                    let wanted = match prepend {
                        Prepend::Always => true,
                        Prepend::First => at_start && start == 0,
                        Prepend::Never => false,
                    };
                    if wanted && !text.starts_with([' ', mark]) {
                        out.push(mark);
                    }
                    out.extend(text.chars().map(|c| if c == ' ' { mark } else { c }));
                });
                if *split {
                    let mut utf8 = [0; 4];
                    let mark = &*mark.encode_utf8(&mut utf8);
                    pieces.split(Behavior::MergedWithNext, false, |text, found| {
                        text.match_indices(mark).for_each(|(i, m)| found(i, i + m.len()));
                    });
                }
            }
        }
    }
}

impl<'t> Pieces<'t> {
    /// One piece: all of it.
    pub(crate) fn whole(text: Cow<'t, str>, mut ranges: Vec<(usize, usize)>) -> Self {
        ranges.clear();
        if !text.is_empty() {
            ranges.push((0, text.len()));
        }
        Self { text, ranges }
    }

    /// Replaces the text of every piece.
    fn rewrite(&mut self, each: impl Fn(usize, &str, &mut String)) {
        let mut text = String::with_capacity(self.text.len() + self.text.len() / 2 + 8);
        for range in &mut self.ranges {
            let start = text.len();
            each(range.0, &self.text[range.0..range.1], &mut text);
            *range = (start, text.len());
        }
        self.text = Cow::Owned(text);
    }

    /// Splits every piece at the matches that `matches(text, found)` reports.
    fn split(
        &mut self,
        behavior: Behavior,
        invert: bool,
        matches: impl Fn(&str, &mut dyn FnMut(usize, usize)),
    ) {
        let mut out = Vec::with_capacity(self.ranges.len() * 2 + self.text.len() / 5);
        // (end, is a match) of consecutive parts of the piece
        let mut parts: Vec<(usize, bool)> = Vec::new();
        for &(start, end) in &self.ranges {
            let text = &self.text[start..end];
            if behavior == Behavior::Isolated {
                let mut done = 0;
                matches(text, &mut |from, to| {
                    if from > done {
                        out.push((start + done, start + from));
                    }
                    out.push((start + from, start + to));
                    done = to;
                });
                if done < text.len() {
                    out.push((start + done, end));
                }
                continue;
            }
            parts.clear();
            let mut done = 0;
            matches(text, &mut |from, to| {
                if from > done {
                    parts.push((from, invert));
                }
                parts.push((to, !invert));
                done = to;
            });
            if done < text.len() {
                parts.push((text.len(), invert));
            }
            join(&parts, behavior, start, &mut out);
        }
        self.ranges = out;
    }
}

/// Joins parts as the behavior says and appends the pieces, moved by `offset`.
fn join(parts: &[(usize, bool)], behavior: Behavior, offset: usize, out: &mut Vec<(usize, usize)>) {
    let first = out.len();
    let mut start = 0;
    for (i, &(end, is_match)) in parts.iter().enumerate() {
        let previous_match = i > 0 && parts[i - 1].1;
        let joins_last = match behavior {
            Behavior::MergedWithPrevious => is_match && !previous_match,
            // From the right: a part joins the match on its left, unless it is a match itself.
            Behavior::MergedWithNext => previous_match && !is_match,
            Behavior::Contiguous => is_match == previous_match,
            Behavior::Removed | Behavior::Isolated => false,
        };
        let keeps = behavior != Behavior::Removed || !is_match;
        if joins_last && out.len() > first {
            if let Some(last) = out.last_mut() {
                last.1 = offset + end;
            }
        } else if keeps {
            out.push((offset + start, offset + end));
        }
        start = end;
    }
}

/// The patterns of steps that only isolate matches, if that is all they do. GGUF names such lists.
pub(crate) fn isolating_patterns(steps: &[PreTokenizer]) -> Option<Vec<&str>> {
    let mut out = Vec::new();
    for (i, step) in steps.iter().enumerate() {
        match step {
            PreTokenizer::Split { pattern, behavior: Behavior::Isolated, invert: false } => {
                match pattern.source() {
                    PatternSource::Regex(source) => out.push(source.as_str()),
                    PatternSource::Literal(_) => return None,
                }
            }
            PreTokenizer::Chars { class: CharClass::Numeric, behavior: Behavior::Isolated } => {
                out.push(r"\p{N}");
            }
            PreTokenizer::ByteLevel { add_prefix_space: false, pattern }
                if i + 1 == steps.len() =>
            {
                if pattern.is_some() {
                    out.push(scanner::source::GPT2);
                }
            }
            _ => return None,
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn split(config: &Value, text: &str) -> Vec<String> {
        let mut steps = Vec::new();
        parse(config, "pre_tokenizer", &mut steps).expect("valid");
        let mut pieces = Pieces::whole(Cow::Borrowed(text), Vec::new());
        for step in &steps {
            step.apply(&mut pieces, true, false);
        }
        pieces.ranges.iter().map(|&(s, e)| pieces.text[s..e].to_owned()).collect()
    }

    #[test]
    fn every_behavior_treats_matches_as_documented() {
        // The example of the Hugging Face documentation: "the-final--countdown" split at "-".
        let cases = [
            ("Removed", vec!["the", "final", "countdown"]),
            ("Isolated", vec!["the", "-", "final", "-", "-", "countdown"]),
            ("MergedWithPrevious", vec!["the-", "final-", "-", "countdown"]),
            ("MergedWithNext", vec!["the", "-final", "-", "-countdown"]),
            ("Contiguous", vec!["the", "-", "final", "--", "countdown"]),
        ];
        for (behavior, expected) in cases {
            let config = json!({"type": "Split", "pattern": {"String": "-"}, "behavior": behavior});
            assert_eq!(split(&config, "the-final--countdown"), expected, "{behavior}");
        }
    }

    #[test]
    fn metaspace_marks_words_and_byte_level_spells_bytes() {
        let config = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"});
        assert_eq!(split(&config, "a bc  d"), ["▁a", "▁bc", "▁", "▁d"]);
        let config = json!({"type": "ByteLevel", "add_prefix_space": true});
        assert_eq!(split(&config, "a é"), ["Ġa", "ĠÃ©"]);
    }

    #[test]
    fn unknown_components_and_settings_are_named() {
        for (config, name) in [
            (json!({"type": "UnicodeScripts"}), "UnicodeScripts"),
            (json!({"type": "Digits", "speed": 9}), "speed"),
            (json!({"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated"}), "("),
            (json!({"type": "Split", "pattern": {"String": "a"}, "behavior": "Eaten"}), "Eaten"),
            (json!({"kind": "Split"}), "type"),
        ] {
            let error = parse(&config, "pre_tokenizer", &mut Vec::new()).expect_err("refused");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
