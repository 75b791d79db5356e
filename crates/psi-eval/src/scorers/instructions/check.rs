//! One instruction and whether a text follows it.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::{language, sentences, words};

/// "less than" or "at least" some number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    n: usize,
    is_upper: bool,
}

impl Bound {
    fn holds(self, count: usize) -> bool {
        if self.is_upper { count < self.n } else { count >= self.n }
    }
}

/// An instruction with its arguments.
#[derive(Clone, Debug)]
pub(super) enum Check {
    Keywords(Vec<Regex>),
    KeywordFrequency(Regex, Bound),
    Forbidden(Vec<Regex>),
    Letter(char, Bound),
    Language(String),
    Sentences(Bound),
    Paragraphs(usize),
    Words(Bound),
    NthParagraph { n_paragraphs: usize, nth: usize, first_word: String },
    Placeholders(usize),
    Postscript(Regex),
    Bullets(usize),
    OneOfThree,
    Highlights(usize),
    Sections(Regex, usize),
    Json,
    Title,
    TwoResponses,
    RepeatPrompt(String),
    EndPhrase(String),
    CapitalWords(Bound),
    AllCapital,
    AllLower,
    NoComma,
    Quoted,
}

/// The arguments of one instruction.
struct Arguments<'a>(&'a Value);

impl Arguments<'_> {
    fn number(&self, key: &str) -> Result<usize, String> {
        self.0[key].as_u64().map(|n| n as usize).ok_or_else(|| format!("{key} is no number"))
    }

    fn text(&self, key: &str) -> Result<&str, String> {
        self.0[key].as_str().ok_or_else(|| format!("{key} is no text"))
    }

    fn bound(&self, number: &str, relation: &str) -> Result<Bound, String> {
        let is_upper = match self.text(relation)? {
            "less than" => true,
            "at least" => false,
            other => return Err(format!("{relation} is {other:?}")),
        };
        Ok(Bound { n: self.number(number)?, is_upper })
    }

    /// Each of a list of words as a pattern, which is what the reference takes them for.
    fn patterns(&self, key: &str, edge: &str) -> Result<Vec<Regex>, String> {
        let list = self.0[key].as_array().ok_or_else(|| format!("{key} is no list"))?;
        let word = |w: &Value| w.as_str().map(|w| pattern(&format!("(?i){edge}{w}{edge}")));
        list.iter().map(|w| word(w).ok_or_else(|| format!("{key} holds {w}"))?).collect()
    }
}

fn pattern(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|e| e.to_string())
}

/// A fixed pattern, compiled once.
macro_rules! fixed {
    ($text:literal) => {{
        static PATTERN: LazyLock<Regex> = LazyLock::new(|| Regex::new($text).expect("a pattern"));
        &*PATTERN
    }};
}

impl Check {
    /// The instruction of this name.
    pub(super) fn new(name: &str, arguments: &Value) -> Result<Self, String> {
        let given = Arguments(arguments);
        Ok(match name {
            "keywords:existence" => Self::Keywords(given.patterns("keywords", "")?),
            "keywords:frequency" => Self::KeywordFrequency(
                pattern(&format!("(?i){}", given.text("keyword")?.trim()))?,
                given.bound("frequency", "relation")?,
            ),
            "keywords:forbidden_words" => {
                Self::Forbidden(given.patterns("forbidden_words", r"\b")?)
            }
            "keywords:letter_frequency" => {
                let letter = given.text("letter")?.to_lowercase();
                let letter = letter.chars().next().ok_or("letter is empty")?;
                Self::Letter(letter, given.bound("let_frequency", "let_relation")?)
            }
            "language:response_language" => Self::Language(given.text("language")?.to_owned()),
            "length_constraints:number_sentences" => {
                Self::Sentences(given.bound("num_sentences", "relation")?)
            }
            "length_constraints:number_paragraphs" => {
                Self::Paragraphs(given.number("num_paragraphs")?)
            }
            "length_constraints:number_words" => Self::Words(given.bound("num_words", "relation")?),
            "length_constraints:nth_paragraph_first_word" => Self::NthParagraph {
                n_paragraphs: given.number("num_paragraphs")?,
                nth: given.number("nth_paragraph")?,
                first_word: given.text("first_word")?.to_lowercase(),
            },
            _ => Self::of_form(name, &given)?,
        })
    }

    /// The instructions about marks and forms.
    fn of_form(name: &str, given: &Arguments<'_>) -> Result<Self, String> {
        Ok(match name {
            "detectable_content:number_placeholders" => {
                Self::Placeholders(given.number("num_placeholders")?)
            }
            "detectable_content:postscript" => {
                let marker = given.text("postscript_marker")?.trim();
                Self::Postscript(pattern(&match marker {
                    "P.P.S" => r"(?m)\s*p\.\s?p\.\s?s.*$".to_owned(),
                    "P.S." => r"(?m)\s*p\.\s?s\..*$".to_owned(),
                    other => format!(r"(?m)\s*{}.*$", other.to_lowercase()),
                })?)
            }
            "detectable_format:number_bullet_lists" => Self::Bullets(given.number("num_bullets")?),
            "detectable_format:constrained_response" => Self::OneOfThree,
            "detectable_format:number_highlighted_sections" => {
                Self::Highlights(given.number("num_highlights")?)
            }
            "detectable_format:multiple_sections" => {
                let mark = given.text("section_spliter")?.trim();
                Self::Sections(
                    pattern(&format!(r"\s?{mark}\s?\d+\s?"))?,
                    given.number("num_sections")?,
                )
            }
            "detectable_format:json_format" => Self::Json,
            "detectable_format:title" => Self::Title,
            "combination:two_responses" => Self::TwoResponses,
            "combination:repeat_prompt" => {
                Self::RepeatPrompt(given.text("prompt_to_repeat")?.trim().to_lowercase())
            }
            "startend:end_checker" => {
                Self::EndPhrase(given.text("end_phrase")?.trim().to_lowercase())
            }
            "startend:quotation" => Self::Quoted,
            "change_case:capital_word_frequency" => {
                Self::CapitalWords(given.bound("capital_frequency", "capital_relation")?)
            }
            "change_case:english_capital" => Self::AllCapital,
            "change_case:english_lowercase" => Self::AllLower,
            "punctuation:no_comma" => Self::NoComma,
            other => return Err(format!("{other} is no instruction that can be checked")),
        })
    }

    /// Whether a text follows the instruction.
    pub(super) fn holds(&self, text: &str) -> bool {
        match self {
            Self::Keywords(all) => all.iter().all(|k| k.is_match(text)),
            Self::KeywordFrequency(keyword, bound) => bound.holds(keyword.find_iter(text).count()),
            Self::Forbidden(words) => !words.iter().any(|w| w.is_match(text)),
            Self::Letter(letter, bound) => {
                bound.holds(text.to_lowercase().chars().filter(|c| c == letter).count())
            }
            Self::Language(name) => language::detect(text).is_none_or(|found| found == *name),
            Self::Sentences(bound) => bound.holds(sentences::split(text).len()),
            Self::Paragraphs(n) => n_paragraphs(text) == Some(*n),
            Self::Words(bound) => bound.holds(fixed!(r"[\p{L}\p{N}_]+").find_iter(text).count()),
            Self::NthParagraph { n_paragraphs, nth, first_word } => {
                nth_paragraph(text, *nth) == Some((*n_paragraphs, first_word.clone()))
            }
            Self::CapitalWords(bound) => {
                let words = words::split(text);
                bound.holds(words.iter().filter(|w| is_upper(w)).count())
            }
            Self::AllCapital => is_upper(text) && is_english(text),
            Self::AllLower => is_lower(text) && is_english(text),
            _ => self.has_form(text),
        }
    }

    fn has_form(&self, text: &str) -> bool {
        match self {
            Self::Placeholders(n) => fixed!(r"\[.*?\]").find_iter(text).count() >= *n,
            Self::Postscript(mark) => mark.is_match(&text.to_lowercase()),
            Self::Bullets(n) => {
                let stars = fixed!(r"(?m)^\s*\*[^\*].*$").find_iter(text).count();
                stars + fixed!(r"(?m)^\s*-.*$").find_iter(text).count() == *n
            }
            Self::OneOfThree => ["yes", "no", "maybe"]
                .iter()
                .any(|answer| text.contains(&format!("My answer is {answer}."))),
            Self::Highlights(n) => n_highlights(text) >= *n,
            Self::Sections(mark, n) => mark.find_iter(text).count() >= *n,
            Self::Json => is_json(text),
            Self::Title => {
                let is_named = |title: &str| {
                    let inside = title.trim_start_matches('<').trim_end_matches('>');
                    !inside.trim().is_empty()
                };
                fixed!(r"<<[^\n]+>>").find_iter(text).any(|title| is_named(title.as_str()))
            }
            Self::TwoResponses => is_two_responses(text),
            Self::RepeatPrompt(prompt) => text.trim().to_lowercase().starts_with(prompt.as_str()),
            Self::EndPhrase(phrase) => {
                text.trim().trim_matches('"').to_lowercase().ends_with(phrase.as_str())
            }
            Self::NoComma => !text.contains(','),
            Self::Quoted => {
                let text = text.trim();
                text.chars().count() > 1 && text.starts_with('"') && text.ends_with('"')
            }
            _ => unreachable!("the other kinds are judged before"),
        }
    }
}

/// Paragraphs between `***`; `None` when one in the middle is empty.
fn n_paragraphs(text: &str) -> Option<usize> {
    let parts: Vec<&str> = fixed!(r"\s?\*\*\*\s?").split(text).collect();
    let is_empty = |part: &&str| part.trim().is_empty();
    let inner = parts.get(1..parts.len() - 1).unwrap_or_default();
    let n_edges = if parts.len() == 1 { 1 } else { 2 };
    let edges = [parts[0], parts[parts.len() - 1]];
    let n_empty = edges[..n_edges].iter().filter(|part| is_empty(part)).count();
    (!inner.iter().any(is_empty)).then(|| parts.len() - n_empty)
}

/// The number of paragraphs between blank lines, and the first word of one of them.
fn nth_paragraph(text: &str, nth: usize) -> Option<(usize, String)> {
    let parts: Vec<&str> = text.split("\n\n").collect();
    let n = parts.iter().filter(|part| !part.trim().is_empty()).count();
    // The empty ones are not counted, but they are numbered.
    let paragraph = parts.get(nth.checked_sub(1)?).filter(|_| nth <= n)?;
    let word = paragraph.split_whitespace().next()?;
    let word = word.trim_start_matches('\'').trim_start_matches('"');
    let end = word.find(['.', ',', '?', '!', '\'', '"']).unwrap_or(word.len());
    Some((n, word[..end].to_lowercase()))
}

fn n_highlights(text: &str) -> usize {
    let single = fixed!(r"\*[^\n\*]*\*").find_iter(text);
    let double = fixed!(r"\*\*[^\n\*]*\*\*").find_iter(text);
    let inside = |mark: &str| {
        let start = mark.strip_prefix("**").unwrap_or(mark);
        !start.strip_suffix("**").unwrap_or(start).trim().is_empty()
    };
    single.filter(|m| !m.as_str().trim_matches('*').trim().is_empty()).count()
        + double.filter(|m| inside(m.as_str())).count()
}

fn is_json(text: &str) -> bool {
    let mut text = text.trim();
    for fence in ["```json", "```Json", "```JSON", "```"] {
        text = text.strip_prefix(fence).unwrap_or(text);
    }
    let text = text.strip_suffix("```").unwrap_or(text).trim();
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn is_two_responses(text: &str) -> bool {
    let parts: Vec<&str> = text.split("******").collect();
    let last = parts.len() - 1;
    let is_empty = |part: &str| part.trim().is_empty();
    if parts.iter().enumerate().any(|(i, part)| is_empty(part) && i != 0 && i != last) {
        return false;
    }
    let full: Vec<&str> = parts.into_iter().filter(|part| !is_empty(part)).collect();
    full.len() == 2 && full[0].trim() != full[1].trim()
}

/// Some letter has a case, and none is small.
fn is_upper(text: &str) -> bool {
    text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase)
}

/// Some letter has a case, and none is large.
fn is_lower(text: &str) -> bool {
    text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase)
}

fn is_english(text: &str) -> bool {
    language::detect(text).is_none_or(|found| found == "en")
}
