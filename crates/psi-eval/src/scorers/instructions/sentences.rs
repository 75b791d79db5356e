//! Sentences of English text: Punkt with its published English model. Kiss and Strunk 2006, Computational
//! Linguistics 32(4).

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use fancy_regex::Regex;

use super::language::unpacked;

static MODEL: LazyLock<Model> = LazyLock::new(Model::load);

/// What was learned from newspapers.
#[derive(Default)]
struct Model {
    abbreviations: HashSet<String>,
    collocations: HashSet<(String, String)>,
    starters: HashSet<String>,
    /// In which positions and cases a word was seen; bits as below.
    contexts: HashMap<String, u8>,
}

const BEGIN_UPPER: u8 = 1 << 1;
const MIDDLE_UPPER: u8 = 1 << 2;
const UNKNOWN_UPPER: u8 = 1 << 3;
const BEGIN_LOWER: u8 = 1 << 4;
const MIDDLE_LOWER: u8 = 1 << 5;
const UNKNOWN_LOWER: u8 = 1 << 6;
const UPPER: u8 = BEGIN_UPPER | MIDDLE_UPPER | UNKNOWN_UPPER;
const LOWER: u8 = BEGIN_LOWER | MIDDLE_LOWER | UNKNOWN_LOWER;

impl Model {
    fn load() -> Self {
        let mut model = Self::default();
        let text = unpacked(include_bytes!("../../../data/punkt_english.tsv.gz"));
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            match fields[..] {
                ["abbreviation", word] => drop(model.abbreviations.insert(word.to_owned())),
                ["collocation", a, b] => drop(model.collocations.insert((a.into(), b.into()))),
                ["starter", word] => drop(model.starters.insert(word.to_owned())),
                ["context", word, bits] => {
                    model.contexts.insert(word.to_owned(), bits.parse().expect("bits"));
                }
                _ => unreachable!("the crate's own data has no line {line:?}"),
            }
        }
        model
    }

    fn context(&self, word: &str) -> u8 {
        self.contexts.get(word).copied().unwrap_or(0)
    }
}

/// A word of the text around a possible end.
struct Token {
    text: String,
    /// In lower case; numbers are all one.
    kind: String,
    is_break: bool,
    is_abbreviation: bool,
    is_ellipsis: bool,
}

const NUMBER: &str = "##number##";

impl Token {
    /// A token with what its own form says about it.
    fn new(text: &str) -> Self {
        static NUMERIC: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"^-?[\.,]?\d[\d,\.-]*\.?$").expect("a pattern"));
        let lower = text.to_lowercase();
        let is_number = NUMERIC.is_match(&lower).unwrap_or(false);
        let bare = lower.strip_suffix('.');
        let is_ellipsis = text.len() > 1 && text.chars().all(|c| c == '.');
        let is_end = [".", "?", "!"].contains(&text);
        let ends = !is_end && !is_ellipsis && bare.is_some_and(|b| !b.ends_with('.'));
        let known = |word: &str| MODEL.abbreviations.contains(word);
        let is_abbreviation =
            ends && bare.is_some_and(|b| known(b) || b.rsplit('-').next().is_some_and(known));
        Self {
            kind: if is_number { NUMBER.to_owned() } else { lower },
            text: text.to_owned(),
            is_break: is_end || (ends && !is_abbreviation),
            is_abbreviation,
            is_ellipsis,
        }
    }

    fn without_period(&self) -> &str {
        self.kind.strip_suffix('.').filter(|k| !k.is_empty()).unwrap_or(&self.kind)
    }

    fn without_break(&self) -> &str {
        if self.is_break { self.without_period() } else { &self.kind }
    }

    fn is_initial(&self) -> bool {
        let mut chars = self.text.chars();
        let is_letter = chars.next().is_some_and(char::is_alphabetic);
        is_letter && chars.as_str() == "."
    }

    fn begins(&self, case: fn(char) -> bool) -> bool {
        self.text.chars().next().is_some_and(case)
    }

    /// Whether it begins a sentence, by how its word is usually written; `None` when that does not tell.
    fn is_first(&self) -> Option<bool> {
        if self.text.chars().count() == 1 && ";:,.!?".contains(&self.text) {
            return Some(false);
        }
        let seen = MODEL.context(self.without_break());
        let is_upper = self.begins(char::is_uppercase);
        if is_upper && seen & LOWER != 0 && seen & MIDDLE_UPPER == 0 {
            return Some(true);
        }
        let is_lower = self.begins(char::is_lowercase);
        if is_lower && (seen & UPPER != 0 || seen & BEGIN_LOWER == 0) {
            return Some(false);
        }
        None
    }
}

/// Decides about a token ending in a period by the one after it.
fn reconsider(token: &mut Token, next: &Token) {
    if !token.text.ends_with('.') {
        return;
    }
    let (kind, next_kind) = (token.without_period().to_owned(), next.without_break());
    if MODEL.collocations.contains(&(kind.clone(), next_kind.to_owned())) {
        (token.is_break, token.is_abbreviation) = (false, true);
        return;
    }
    let is_initial = token.is_initial();
    let next_is_upper = next.begins(char::is_uppercase);
    if (token.is_abbreviation || token.is_ellipsis) && !is_initial {
        let starts = next_is_upper && MODEL.starters.contains(next_kind);
        if next.is_first() == Some(true) || starts {
            token.is_break = true;
            return;
        }
    }
    if is_initial || kind == NUMBER {
        let is_name = is_initial && next_is_upper && MODEL.context(next_kind) & LOWER == 0;
        match next.is_first() {
            Some(false) => (token.is_break, token.is_abbreviation) = (false, true),
            None if is_name => (token.is_break, token.is_abbreviation) = (false, true),
            _ => {}
        }
    }
}

/// What cannot be inside a word.
const NON_WORD: &str = r#"[)";}\]*:@'({\[‘’“”«»?!]"#;
/// Hyphens and ellipses.
const MULTI: &str = r"(?:-{2,}|\.{2,}|(?:\.\s){2,}\.)";

fn tokens(text: &str) -> Vec<Token> {
    static WORD: LazyLock<Regex> = LazyLock::new(|| {
        let start = r#"[^("`{\[:;&#*@)}\]\-,]"#;
        let end = format!(r"(?=\s|$|{NON_WORD}|{MULTI}|,(?=$|\s|{NON_WORD}|{MULTI}))");
        Regex::new(&format!(r"{MULTI}|(?={start})\S+?{end}|\S")).expect("a pattern")
    });
    let found = text.split('\n').flat_map(|line| WORD.find_iter(line).flatten());
    found.map(|word| Token::new(word.as_str())).collect()
}

/// Whether a possible end with the words around it is an end.
fn is_break(context: &str) -> bool {
    let mut tokens = tokens(context);
    for i in 1..tokens.len() {
        let (before, after) = tokens.split_at_mut(i);
        reconsider(&mut before[i - 1], &after[0]);
    }
    let n = tokens.len();
    tokens.iter().take(n.saturating_sub(1)).any(|token| token.is_break)
}

/// A place where a sentence may end.
struct Candidate {
    /// The sign itself.
    sign: usize,
    /// Where what follows it ends, and where the next word begins, if one follows.
    context_end: usize,
    next: Option<usize>,
}

fn candidates(text: &str) -> Vec<Candidate> {
    let non_word = |c: char| r#")";}]*:@'({[‘’“”«»?!"#.contains(c);
    let mut found = Vec::new();
    for (sign, _) in text.match_indices(['.', '?', '!']) {
        let rest = &text[sign + 1..];
        let Some(first) = rest.chars().next() else { continue };
        if non_word(first) {
            let context_end = sign + 1 + first.len_utf8();
            found.push(Candidate { sign, context_end, next: None });
        } else if first.is_whitespace() {
            let word = rest.trim_start();
            let next = sign + 1 + rest.len() - word.len();
            let length = word.find(char::is_whitespace).unwrap_or(word.len());
            if length > 0 {
                found.push(Candidate { sign, context_end: next + length, next: Some(next) });
            }
        }
    }
    found
}

/// The sentences of a text.
pub(super) fn split(text: &str) -> Vec<&str> {
    realigned(text, &pieces(text))
}

/// The ranges between ends.
fn pieces(text: &str) -> Vec<(usize, usize)> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut decide = |word: (usize, usize), end: &Candidate| {
        if is_break(&text[word.0..end.context_end]) {
            pieces.push((start, end.sign + 1));
            start = end.next.unwrap_or(end.sign + 1);
        }
    };
    // The word before a sign; signs that belong to one word are decided together, at the last of them.
    let mut word = (0, 0);
    let mut last: Option<Candidate> = None;
    for candidate in candidates(text) {
        let before = &text[word.1..candidate.sign];
        let space = before.rfind([' ', '\n', '\t', '\r', '\x0b', '\x0c']).filter(|&i| i > 0);
        let next = (space.map_or(word.0, |i| word.1 + i + 1), candidate.sign);
        if let Some(end) = last.take_if(|_| word.1 <= next.0) {
            decide(word, &end);
        }
        (word, last) = (next, Some(candidate));
    }
    if let Some(end) = last {
        decide(word, &end);
    }
    pieces.push((start, text.trim_end().len()));
    pieces
}

/// Gives closing quotes and brackets back to the sentence that they close.
fn realigned<'a>(text: &'a str, pieces: &[(usize, usize)]) -> Vec<&'a str> {
    static CLOSING: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r#"(?m)\A["')\]}‘’“”«»]+?(?:\s+|(?=--)|$)"#;
        Regex::new(pattern).expect("a pattern")
    });
    let mut sentences = Vec::new();
    let mut moved = 0;
    for (i, &(start, end)) in pieces.iter().enumerate() {
        let start = start + moved;
        moved = 0;
        let following = pieces.get(i + 1).and_then(|&(from, to)| text.get(from..to));
        let closing = following.and_then(|next| CLOSING.find(next).ok().flatten());
        if let (Some(closing), Some(&(next, _))) = (closing, pieces.get(i + 1)) {
            sentences.push(&text[start..next + closing.as_str().trim_end().len()]);
            moved = closing.end();
        } else if let Some(sentence) = text.get(start..end).filter(|s| !s.is_empty()) {
            sentences.push(sentence);
        }
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abbreviations_initials_and_numbers_end_no_sentence() {
        let cases = [
            ("Hello. How are you? Fine!", 3),
            ("Dr. Smith met J. Bach at 3.5 p.m. in the U.S. on Monday. They ate.", 2),
            ("He said \"Stop!\" and left. (She stayed.) Why?", 4),
            ("Wait... what? Yes.", 2),
            ("Very bad acting!!! I promise.", 2),
            ("no end", 1),
            ("", 0),
        ];
        for (text, n) in cases {
            assert_eq!(split(text).len(), n, "{:?}", split(text));
        }
    }
}
