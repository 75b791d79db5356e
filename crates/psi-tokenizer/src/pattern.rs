//! Split patterns: the regular expressions of pre-tokenizers, matched in linear time where they allow it.
//!
//! Three engines share one interface:
//! - [`Scanner`](crate::scanner::Scanner)s, written by hand, for the patterns most models use;
//! - a lazy DFA (`regex-automata`) for every pattern without look-around. The one look-around that
//!   nearly all of them contain, the alternative `\s+(?!\S)`, needs none: it matches a whole run of
//!   white space that ends the text, and all but the last character of any other;
//! - a backtracking engine (`fancy-regex`) for the rest.

use std::sync::Mutex;

use regex_automata::meta;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

use crate::error::{TokenizerError, quoted};
use crate::scanner::Scanner;

/// Longest pattern psi compiles; the longest in use (DeepSeek LLM) has about 1,500 bytes.
const MAX_PATTERN_LEN: usize = 16 << 10;
/// Upper bound of a compiled pattern in bytes (`\p{L}{1,1000}` must not take the machine down).
const MAX_COMPILED_LEN: usize = 16 << 20;
/// Steps the backtracking engine may take for one match.
const BACKTRACK_LIMIT: usize = 2_000_000;

/// A compiled split pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    source: PatternSource,
    engine: Engine,
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PatternSource {
    /// A literal string.
    Literal(String),
    /// A regular expression in Oniguruma's dialect.
    Regex(String),
}

#[derive(Debug)]
enum Engine {
    Literal(String),
    Scanner(Scanner),
    Automaton(Box<Automaton>),
    Backtracking(Box<fancy_regex::Regex>),
}

impl Pattern {
    /// Compiles a literal.
    pub(crate) fn literal(text: &str) -> Self {
        Self {
            source: PatternSource::Literal(text.to_owned()),
            engine: Engine::Literal(text.to_owned()),
        }
    }

    /// Compiles a regular expression.
    ///
    /// # Errors
    /// Too long, too large when compiled, or not valid.
    pub(crate) fn regex(source: &str, place: &str) -> Result<Self, TokenizerError> {
        let engine = match Scanner::for_regex(source) {
            Some(scanner) => Engine::Scanner(scanner),
            None => compile(&with_oniguruma_words(source), place)?,
        };
        Ok(Self { source: PatternSource::Regex(source.to_owned()), engine })
    }

    /// `\w+|[^\w\s]+` in the sense of the `regex` crate, whose `\w` is not Oniguruma's.
    pub(crate) fn words_and_symbols() -> Self {
        const SOURCE: &str = r"\w+|[^\w\s]+";
        let engine = Automaton::new(SOURCE).map(|a| Engine::Automaton(Box::new(a)));
        Self {
            source: PatternSource::Regex(SOURCE.to_owned()),
            engine: engine.expect("a pattern written in this crate"),
        }
    }

    /// The same pattern without the hand-written scanner: the slow thing beside the fast one.
    #[cfg(test)]
    pub(crate) fn regex_without_scanner(source: &str) -> Self {
        Self {
            source: PatternSource::Regex(source.to_owned()),
            engine: compile(source, "test").expect("a valid pattern"),
        }
    }

    pub(crate) fn source(&self) -> &PatternSource {
        &self.source
    }

    /// Calls `found(start, end)` for every non-empty, non-overlapping match from left to right.
    pub(crate) fn each_match(&self, text: &str, mut found: impl FnMut(usize, usize)) {
        match &self.engine {
            Engine::Literal(needle) if needle.is_empty() => {}
            Engine::Literal(needle) => {
                for (start, part) in text.match_indices(needle.as_str()) {
                    found(start, start + part.len());
                }
            }
            Engine::Scanner(scanner) => {
                let mut at = 0;
                while at < text.len() {
                    let end = scanner.next(text, at);
                    found(at, end);
                    at = end;
                }
            }
            Engine::Automaton(automaton) => automaton.each_match(text, found),
            Engine::Backtracking(regex) => each_backtracking_match(regex, text, found),
        }
    }
}

fn compile(source: &str, place: &str) -> Result<Engine, TokenizerError> {
    if source.len() > MAX_PATTERN_LEN {
        return Err(TokenizerError::invalid(
            place,
            format!("a pattern of {} bytes exceeds {MAX_PATTERN_LEN}", source.len()),
        ));
    }
    if let Some(automaton) = Automaton::new(source) {
        return Ok(Engine::Automaton(Box::new(automaton)));
    }
    fancy_regex::RegexBuilder::new(source)
        .multi_line(true)
        .backtrack_limit(BACKTRACK_LIMIT)
        .delegate_size_limit(MAX_COMPILED_LEN)
        .delegate_dfa_size_limit(MAX_COMPILED_LEN)
        .build()
        .map(|regex| Engine::Backtracking(Box::new(regex)))
        .map_err(|e| {
            TokenizerError::invalid(
                place,
                format!("{} is not a valid pattern: {e}", quoted(source)),
            )
        })
}

/// Oniguruma's `\w` is letters, marks, all numbers and connectors; `regex-syntax` takes only decimal
/// digits but adds the join controls. The class is written out.
fn with_oniguruma_words(source: &str) -> String {
    const WORD: &str = r"\p{L}\p{M}\p{N}\p{Pc}";
    let mut out = String::with_capacity(source.len());
    let mut class = 0usize;
    let mut chars = source.chars();
    while let Some(c) = chars.next() {
        match c {
            '[' => class += 1,
            ']' => class = class.saturating_sub(1),
            '\\' => {
                match chars.next() {
                    Some('w') if class > 0 => out.push_str(WORD),
                    Some('w') => out.extend(["[", WORD, "]"]),
                    Some('W') => out.extend(["[^", WORD, "]"]),
                    Some(other) => out.extend(['\\', other]),
                    None => out.push('\\'),
                }
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    out
}

/// Alternatives compiled into one automaton, tried in order at each position.
#[derive(Debug)]
struct Automaton {
    regex: meta::Regex,
    /// Working storage of searches, reused: making it anew costs more than a short text.
    caches: Mutex<Vec<meta::Cache>>,
    /// For each alternative: is it `\s+(?!\S)`, compiled as `\s+`?
    trims_last: Vec<bool>,
}

impl Automaton {
    /// `None` if the pattern needs backtracking or is not valid.
    fn new(source: &str) -> Option<Self> {
        let mut trims_last = Vec::new();
        let mut alternatives = Vec::new();
        for alternative in top_level_alternatives(source) {
            let trims = alternative == r"\s+(?!\S)";
            let plain = if trims { r"\s+" } else { alternative };
            if needs_backtracking(plain) {
                return None;
            }
            trims_last.push(trims);
            alternatives.push(plain);
        }
        let regex = meta::Regex::builder()
            // In Oniguruma's Ruby dialect `^` and `$` always match at line ends.
            .syntax(syntax::Config::new().multi_line(true).nest_limit(100))
            .configure(
                meta::Config::new()
                    .nfa_size_limit(Some(MAX_COMPILED_LEN))
                    .hybrid_cache_capacity(4 << 20),
            )
            .build_many(&alternatives)
            .ok()?;
        Some(Self { regex, caches: Mutex::new(Vec::new()), trims_last })
    }

    fn each_match(&self, text: &str, found: impl FnMut(usize, usize)) {
        let pooled = self.caches.lock().ok().and_then(|mut pool| pool.pop());
        let mut cache = pooled.unwrap_or_else(|| self.regex.create_cache());
        self.each_match_with(&mut cache, text, found);
        if let Ok(mut pool) = self.caches.lock() {
            pool.push(cache);
        }
    }

    fn each_match_with(
        &self,
        cache: &mut meta::Cache,
        text: &str,
        mut found: impl FnMut(usize, usize),
    ) {
        let mut at = 0;
        while at < text.len() {
            let input = Input::new(text).range(at..);
            let Some(hit) = self.regex.search_with(cache, &input) else { return };
            let (start, mut end) = (hit.start(), hit.end());
            if self.trims_last[hit.pattern().as_usize()] && end < text.len() {
                // The run is followed by something that is not white space.
                let last = text[start..end].chars().next_back().map_or(1, char::len_utf8);
                if end - start > last {
                    end -= last;
                } else {
                    // A single space: this alternative fails, a later one may match here.
                    match self.later_alternative(cache, text, start, hit.pattern().as_usize()) {
                        Some(other) => end = other,
                        None => {
                            at = end;
                            continue;
                        }
                    }
                }
            }
            if end > start {
                found(start, end);
                at = end;
            } else {
                at = end + text[end..].chars().next().map_or(1, char::len_utf8);
            }
        }
    }

    /// The end of the first match at `start` of an alternative after `index`.
    fn later_alternative(
        &self,
        cache: &mut meta::Cache,
        text: &str,
        start: usize,
        index: usize,
    ) -> Option<usize> {
        (index + 1..self.trims_last.len()).find_map(|i| {
            let pattern = regex_automata::PatternID::must(i);
            let input = Input::new(text).range(start..).anchored(Anchored::Pattern(pattern));
            self.regex.search_with(cache, &input).map(|m| m.end()).filter(|&end| end > start)
        })
    }
}

/// Splits at each `|` that is outside groups and classes.
fn top_level_alternatives(source: &str) -> Vec<&str> {
    let bytes = source.as_bytes();
    let (mut parts, mut start, mut depth, mut class, mut at) = (Vec::new(), 0, 0usize, 0usize, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'[' => class += 1,
            b']' => class = class.saturating_sub(1),
            b'(' if class == 0 => depth += 1,
            b')' if class == 0 => depth = depth.saturating_sub(1),
            b'|' if class == 0 && depth == 0 => {
                parts.push(&source[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(&source[start..]);
    parts
}

/// Whether the pattern uses something a finite automaton cannot do, or that `regex-syntax` reads
/// differently from Oniguruma: look-around, atomic groups, possessive quantifiers, references,
/// flags for the rest of the pattern, and the escapes outside the shared set.
fn needs_backtracking(source: &str) -> bool {
    let bytes = source.as_bytes();
    let mut at = 0;
    let mut class = 0usize;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => {
                at += 1;
                let shared = b"pPsSwWdDnrtfvxu";
                match bytes.get(at) {
                    Some(c) if c.is_ascii_alphanumeric() && !shared.contains(c) => return true,
                    None => return true,
                    // The brace of `\p{L}` is no repetition.
                    Some(b'p' | b'P' | b'x' | b'u') if bytes.get(at + 1) == Some(&b'{') => {
                        at += bytes[at..].iter().position(|&b| b == b'}').unwrap_or(0);
                    }
                    Some(_) => {}
                }
            }
            b'[' => class += 1,
            b']' => class = class.saturating_sub(1),
            b'(' if class == 0 && bytes.get(at + 1) == Some(&b'?') => {
                let scoped = source[at..].starts_with("(?:")
                    || source[at..].starts_with("(?i:")
                    || source[at..].starts_with("(?-i:");
                if !scoped {
                    return true;
                }
                at += 1;
            }
            b'?' | b'*' | b'+' | b'}' if class == 0 && bytes.get(at + 1) == Some(&b'+') => {
                return true;
            }
            _ => {}
        }
        at += 1;
    }
    false
}

/// Past this many bytes without a result under [`BACKTRACK_LIMIT`], the window is cut.
const FIRST_WINDOW: usize = 64 << 10;

fn each_backtracking_match(
    regex: &fancy_regex::Regex,
    text: &str,
    mut found: impl FnMut(usize, usize),
) {
    let mut at = 0;
    while at < text.len() {
        let (start, end) = match bounded_find(regex, text, at) {
            Some(span) => span,
            None => return,
        };
        if end > start {
            found(start, end);
        }
        at =
            if end > at { end } else { end + text[end..].chars().next().map_or(1, char::len_utf8) };
    }
}

/// The next match at or after `at`. Where the pattern backtracks beyond its limit, the text is looked
/// at through a shorter and shorter window, so that a hostile text costs bounded time; it is then
/// split differently from an engine without limits, but never lost.
fn bounded_find(regex: &fancy_regex::Regex, text: &str, at: usize) -> Option<(usize, usize)> {
    match regex.find_from_pos(text, at) {
        Ok(hit) => return hit.map(|m| (m.start(), m.end())),
        Err(_) if text.len() - at <= 16 => return None,
        Err(_) => {}
    }
    let mut window = FIRST_WINDOW.min(text.len() - at);
    loop {
        let end = text.floor_char_boundary(at + window);
        match regex.find_from_pos(&text[..end], at) {
            Ok(Some(m)) => return Some((m.start(), m.end())),
            Ok(None) => return Some((at, end)),
            Err(_) if window <= 16 => return Some((at, end)),
            Err(_) => window = (window / 8).max(16),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split<'t>(pattern: &Pattern, text: &'t str) -> Vec<&'t str> {
        let mut parts = Vec::new();
        pattern.each_match(text, |start, end| parts.push(&text[start..end]));
        parts
    }

    #[test]
    fn trailing_negative_look_ahead_needs_no_backtracking() {
        let pattern = Pattern::regex(r"\p{L}+| ?[^\s\p{L}]+|\s+(?!\S)", "t").expect("valid");
        assert!(matches!(pattern.engine, Engine::Automaton(_)));
        assert_eq!(split(&pattern, "a  b \n!  "), ["a", " ", "b", " ", "!", "  "]);
        let with_rest = Pattern::regex(r"\p{L}+|\s+(?!\S)|\s+", "t").expect("valid");
        assert_eq!(split(&with_rest, "a b   c"), ["a", " ", "b", "  ", " ", "c"]);
    }

    #[test]
    fn automaton_and_backtracking_agree() {
        let patterns = [
            r"'s|'t| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
            r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            r"\s?\p{L}+|\s+$|[0-9]{2}",
        ];
        let texts =
            ["", " ", "a", "it's  12345\r\n\r\n  x\t\u{a0}é!! ", "\n \n", "漢字かな 1½ٱ\u{301}"];
        for source in patterns {
            let fast = Pattern::regex_without_scanner(source);
            let slow =
                fancy_regex::RegexBuilder::new(source).multi_line(true).build().expect("valid");
            for text in texts {
                let expected: Vec<&str> =
                    slow.find_iter(text).map(|m| m.expect("short").as_str()).collect();
                assert_eq!(split(&fast, text), expected, "{source} on {text:?}");
            }
        }
    }

    #[test]
    fn hostile_patterns_are_errors() {
        let long = "a".repeat(MAX_PATTERN_LEN + 1);
        let deep = "(".repeat(5000);
        for bad in [
            "(",
            "[a",
            r"\p{Nonsense}",
            "foo**+(",
            r"(\p{L}{1000}){1000}",
            long.as_str(),
            deep.as_str(),
        ] {
            assert!(Pattern::regex(bad, "t").is_err(), "{}", quoted(bad));
        }
    }

    #[test]
    fn catastrophic_backtracking_ends() {
        let pattern = Pattern::regex(r"(?=(a+)+$)(a|aa)+", "t").expect("valid");
        let text = "a".repeat(2000) + "b";
        let parts = split(&pattern, &text);
        assert!(parts.iter().map(|p| p.len()).sum::<usize>() <= text.len());
    }
}
