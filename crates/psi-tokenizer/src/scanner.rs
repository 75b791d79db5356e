//! Hand-written splitters for the three pattern families that most models use.
//!
//! Each is the same function as its regular expression; a property test holds them together.

use crate::unicode::{
    ClassTable, LETTER, LOWER_OR_UNCASED, MARK, NUMBER, SPACE, UPPER_OR_UNCASED, classes,
};

/// A splitter that covers the whole text: every position starts a match.
#[derive(Debug)]
pub(crate) struct Scanner {
    table: &'static ClassTable,
    rules: Rules,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rules {
    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
    Gpt2,
    /// `(?i:'s|…)|[^\r\n\p{L}\p{N}]?W+|\p{N}{1,n}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
    /// with W = `\p{L}` or, with marks (then also excluded from the symbols), `[\p{L}\p{M}]`.
    Cl100k { max_digits: usize, marks: bool },
    /// Cased words: `[^\r\n\p{L}\p{N}]?U*L+(?i:'s|…)?|[^\r\n\p{L}\p{N}]?U+L*(?i:'s|…)?|\p{N}{1,n}|
    /// ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`, contractions optional.
    O200k { max_digits: usize, contractions: bool },
}

/// The regular expressions that have a scanner.
pub(crate) mod source {
    /// GPT-2 (Radford et al. 2019).
    pub(crate) const GPT2: &str =
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
    /// cl100k as Llama 3 writes it: up to three digits.
    pub(crate) const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    /// Qwen 2: single digits.
    pub(crate) const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    /// Qwen 3.5: marks belong to words.
    pub(crate) const QWEN35: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    /// o200k (GPT-4o, Llama 4).
    pub(crate) const O200K: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    /// Tekken (Mistral Nemo): o200k without contractions, single digits.
    pub(crate) const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
}

impl Scanner {
    /// The scanner that equals `regex`, if there is one.
    pub(crate) fn for_regex(regex: &str) -> Option<Self> {
        let rules = match regex {
            source::GPT2 => Rules::Gpt2,
            source::LLAMA3 => Rules::Cl100k { max_digits: 3, marks: false },
            source::QWEN2 => Rules::Cl100k { max_digits: 1, marks: false },
            source::QWEN35 => Rules::Cl100k { max_digits: 1, marks: true },
            source::O200K => Rules::O200k { max_digits: 3, contractions: true },
            source::TEKKEN => Rules::O200k { max_digits: 1, contractions: false },
            _ => return None,
        };
        Some(Self { table: classes(), rules })
    }

    /// The end of the match that starts at `at`, which is a character boundary before the end.
    #[inline]
    pub(crate) fn next(&self, text: &str, at: usize) -> usize {
        let cursor = Cursor { table: self.table, text };
        match self.rules {
            Rules::Gpt2 => cursor.gpt2(at),
            Rules::Cl100k { max_digits, marks } => cursor.cl100k(at, max_digits, marks),
            Rules::O200k { max_digits, contractions } => cursor.o200k(at, max_digits, contractions),
        }
    }
}

struct Cursor<'t> {
    table: &'static ClassTable,
    text: &'t str,
}

impl Cursor<'_> {
    /// Class flags and length in bytes of the character at `at`; (0, 0) at the end.
    #[inline]
    fn peek(&self, at: usize) -> (u8, usize) {
        let Some(&byte) = self.text.as_bytes().get(at) else { return (0, 0) };
        if byte < 128 { (self.table.of_ascii(byte), 1) } else { self.peek_wide(at) }
    }

    #[cold]
    fn peek_wide(&self, at: usize) -> (u8, usize) {
        match self.text[at..].chars().next() {
            Some(c) => (self.table.of(c), c.len_utf8()),
            None => (0, 0),
        }
    }

    #[inline]
    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }

    /// The end of the run of characters from `at` that have one of `wanted`.
    #[inline]
    fn run(&self, mut at: usize, wanted: u8) -> usize {
        loop {
            let (class, len) = self.peek(at);
            if len == 0 || class & wanted == 0 {
                return at;
            }
            at += len;
        }
    }

    /// The end of the run of characters from `at` that have none of `unwanted`.
    #[inline]
    fn run_without(&self, mut at: usize, unwanted: u8) -> usize {
        loop {
            let (class, len) = self.peek(at);
            if len == 0 || class & unwanted != 0 {
                return at;
            }
            at += len;
        }
    }

    /// `\s+(?!\S)|\s+` at a white space character.
    #[inline]
    fn white_space(&self, at: usize) -> usize {
        let mut end = at;
        let mut last = at;
        loop {
            let (class, len) = self.peek(end);
            if len == 0 {
                return end;
            }
            if class & SPACE == 0 {
                return if last > at { last } else { end };
            }
            last = end;
            end += len;
        }
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+` at a white space character.
    #[inline]
    fn lines_or_white_space(&self, at: usize) -> usize {
        let mut end = at;
        let mut last = at;
        let mut line_end = None;
        loop {
            let (class, len) = self.peek(end);
            if len == 0 || class & SPACE == 0 {
                return match line_end {
                    Some(line_end) => line_end,
                    None if len == 0 || last == at => end,
                    None => last,
                };
            }
            if matches!(self.byte(end), b'\r' | b'\n') {
                line_end = Some(end + 1);
            }
            last = end;
            end += len;
        }
    }

    /// The end of `'s|'t|'re|'ve|'m|'ll|'d` at `at`, case-sensitive.
    #[inline]
    fn contraction(&self, at: usize) -> Option<usize> {
        if self.byte(at) != b'\'' {
            return None;
        }
        match (self.byte(at + 1), self.byte(at + 2)) {
            (b's' | b't' | b'm' | b'd', _) => Some(at + 2),
            (b'r', b'e') | (b'v', b'e') | (b'l', b'l') => Some(at + 3),
            _ => None,
        }
    }

    /// The same under `(?i:…)`; U+017F (long s) folds to s.
    #[inline]
    fn contraction_any_case(&self, at: usize) -> Option<usize> {
        if self.byte(at) != b'\'' {
            return None;
        }
        let (first, second) = (self.byte(at + 1) | 0x20, self.byte(at + 2) | 0x20);
        match (first, second) {
            (b's' | b't' | b'm' | b'd', _) if self.byte(at + 1).is_ascii_alphabetic() => {
                Some(at + 2)
            }
            (b'r', b'e') | (b'v', b'e') | (b'l', b'l')
                if self.byte(at + 1).is_ascii_alphabetic()
                    && self.byte(at + 2).is_ascii_alphabetic() =>
            {
                Some(at + 3)
            }
            _ if self.text[at + 1..].starts_with('\u{17f}') => Some(at + 3),
            _ => None,
        }
    }

    fn digits(&self, mut at: usize, max: usize) -> usize {
        for _ in 0..max {
            let (class, len) = self.peek(at);
            if class & NUMBER == 0 {
                break;
            }
            at += len;
        }
        at
    }

    fn gpt2(&self, at: usize) -> usize {
        if let Some(end) = self.contraction(at) {
            return end;
        }
        let (first, len) = self.peek(at);
        let (class, start) = if self.byte(at) == b' ' {
            let (class, next_len) = self.peek(at + 1);
            // A space before white space or the end belongs to the run.
            if next_len == 0 || class & SPACE != 0 {
                return self.white_space(at);
            }
            (class, at + 1)
        } else {
            (first, at)
        };
        if class & LETTER != 0 {
            self.run(start, LETTER)
        } else if class & NUMBER != 0 {
            self.run(start, NUMBER)
        } else if class & SPACE != 0 {
            self.white_space(at)
        } else {
            self.run_without(
                start.max(at + usize::from(start == at) * len),
                SPACE | LETTER | NUMBER,
            )
        }
    }

    fn cl100k(&self, at: usize, max_digits: usize, marks: bool) -> usize {
        if let Some(end) = self.contraction_any_case(at) {
            return end;
        }
        let word = if marks { LETTER | MARK } else { LETTER };
        let byte = self.byte(at);
        let (first, len) = self.peek(at);
        // [^\r\n\p{L}\p{N}]?W+: the prefix is optional, a mark can be prefix or word.
        if first & LETTER != 0 {
            return self.run(at + len, word);
        }
        if byte != b'\r' && byte != b'\n' && first & NUMBER == 0 {
            let end = self.run(at + len, word);
            if end > at + len || first & word != 0 {
                return end;
            }
        }
        if first & NUMBER != 0 {
            return self.digits(at, max_digits);
        }
        self.symbols(at, word, |b| matches!(b, b'\r' | b'\n'))
            .unwrap_or_else(|| self.lines_or_white_space(at))
    }

    /// ` ?[^\s\p{N}W]+` and then the run of `tail` bytes.
    #[inline]
    fn symbols(&self, at: usize, word: u8, tail: impl Fn(u8) -> bool) -> Option<usize> {
        let start = at + usize::from(self.byte(at) == b' ');
        let mut end = self.run_without(start, SPACE | NUMBER | word);
        if end == start {
            return None;
        }
        while tail(self.byte(end)) {
            end += 1;
        }
        Some(end)
    }

    fn o200k(&self, at: usize, max_digits: usize, contractions: bool) -> usize {
        let byte = self.byte(at);
        let (first, len) = self.peek(at);
        let may_prefix =
            len > 0 && byte != b'\r' && byte != b'\n' && first & (LETTER | NUMBER) == 0;
        let word_end = may_prefix
            .then(|| self.cased_lower(at + len))
            .flatten()
            .or_else(|| self.cased_lower(at))
            .or_else(|| may_prefix.then(|| self.cased_upper(at + len)).flatten())
            .or_else(|| self.cased_upper(at));
        if let Some(end) = word_end {
            let tail = if contractions { self.contraction_any_case(end) } else { None };
            return tail.unwrap_or(end);
        }
        if first & NUMBER != 0 {
            return self.digits(at, max_digits);
        }
        self.symbols(at, LETTER, |b| matches!(b, b'\r' | b'\n' | b'/'))
            .unwrap_or_else(|| self.lines_or_white_space(at))
    }

    /// `U*L+` at `at`. U and L share the uncased letters and marks, so U* may have to give some back.
    fn cased_lower(&self, at: usize) -> Option<usize> {
        let upper_end = self.run(at, UPPER_OR_UNCASED);
        let end = self.run(upper_end, LOWER_OR_UNCASED);
        if end > upper_end {
            return Some(end);
        }
        // Nothing lower follows: give back down to the last uncased character of the upper run,
        // which L+ then takes together with the uncased ones after it (there are none).
        self.text[at..upper_end]
            .char_indices()
            .rev()
            .find(|&(_, c)| self.table.of(c) & LOWER_OR_UNCASED != 0)
            .map(|(i, c)| at + i + c.len_utf8())
    }

    /// `U+L*` at `at`.
    fn cased_upper(&self, at: usize) -> Option<usize> {
        let upper_end = self.run(at, UPPER_OR_UNCASED);
        (upper_end > at).then(|| self.run(upper_end, LOWER_OR_UNCASED))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::source;
    use crate::pattern::Pattern;

    fn split(pattern: &Pattern, text: &str) -> Vec<(usize, usize)> {
        let mut parts = Vec::new();
        pattern.each_match(text, |start, end| parts.push((start, end)));
        parts
    }

    /// Characters that decide between rules: cases, uncased letters, marks, digits, spaces, line
    /// ends, apostrophes with contraction letters in both cases, symbols, astral planes.
    fn hard_text() -> impl Strategy<Value = String> {
        let alphabet: Vec<char> =
            "aAsStTlLrRvVeEmMdDé漢ʰǅ\u{301}\u{903}1½٣ \u{a0}\u{3000}\t\r\n\n''ſK.,/!😀\u{200d}_"
                .chars()
                .collect();
        prop_oneof![
            4 => prop::collection::vec(prop::sample::select(alphabet), 0..24)
                .prop_map(|v| v.into_iter().collect()),
            1 => ".{0,24}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn scanners_equal_their_regular_expressions(text in hard_text()) {
            use std::sync::OnceLock;
            static PAIRS: OnceLock<Vec<(Pattern, Pattern)>> = OnceLock::new();
            let pairs = PAIRS.get_or_init(|| {
                [source::GPT2, source::LLAMA3, source::QWEN2, source::QWEN35, source::O200K, source::TEKKEN]
                    .iter()
                    .map(|s| (Pattern::regex(s, "t").expect("valid"), Pattern::regex_without_scanner(s)))
                    .collect()
            });
            for (fast, slow) in pairs {
                prop_assert_eq!(split(fast, &text), split(slow, &text), "{:?} {:?}", slow.source(), text);
            }
        }
    }
}
