//! Sentences of English text: Punkt's procedure (Kiss and Strunk 2006, Computational Linguistics 32(4)) with words of
//! our own in the place of the ones that it learned.
//!
//! Punkt looks at a period, the word before and the word after. What it learned from newspapers was which words are
//! abbreviations, which ones begin sentences, and which are written with a small letter unless they do. The
//! lists below are common knowledge, kept where the published English model decides the same; `golden/sentences.py`
//! says on how many real texts both find as many sentences.

use std::{collections::HashSet, sync::LazyLock};

use fancy_regex::Regex;

/// Words whose period is part of them.
static ABBREVIATIONS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let words = "
        dr mr mrs ms messrs prof st jr sr adm gen lt maj sen rep reps
        a.d a.m p.m vs v d.c n.y n.j n.c n.h n.m u.k u.n u.s u.s.a u.s.s.r ph.d m.b.a
        co corp cos bros inc ltd cie b.v n.v s.a s.p.a ave ft yr
        jan feb aug sep sept oct nov dec tues wed fri
        ariz calif colo conn fla ga ill kan ky mich minn nev okla ore pa tenn va vt w.va wash wis
        c d e f g h j k l m n p r s t w";
    words.split_whitespace().collect()
});

/// Words that begin a sentence where they stand after an abbreviation with a capital letter.
static STARTERS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let words = "
        the he they it i this these there some many most both
        but so yet nor neither thus therefore moreover furthermore however though although unless unlike whereas
        if when while since because in under among within without towards despite via instead following including
        always sometimes typically finally unfortunately meanwhile yesterday tomorrow according
        please thanks yes remember consider note ensure check choose wait try understand learn listen
        contact gather determine mix prepare provide practice remove
        someone everyone whom whether nothing either";
    words.split_whitespace().collect()
});

/// Words that are no names, whatever letter they begin with; the starters are not repeated.
static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let words = "
        a an she we you me us him her them my your his its our their mine yours hers ours theirs
        myself yourself himself herself itself ourselves themselves that those here then now next last once
        and or as at by for from into of on to with about above across after against along around before behind
        being below between during over per through toward until up down out off
        also even ever just never not no only often perhaps maybe still such too usually generally originally
        nearly overall additionally instead ok well sure hello
        is are was were am be been do does did have has had will would can could may might must shall should
        let make take use keep give get see look go come find ask tell say know think want need like read write
        speak talk seek stop start open close buy sell send show share save avoid build call create develop encourage
        explain explore finish focus hire identify increase inform invest maintain manage monitor offer plan
        present promote protect raise reduce remain report request research respond review set state support train
        update visit place add cut wash pour heat cook eat drink based given
        who whose which what where why how all any another every each few much more several other others one two
        three four five six seven eight nine ten hundred thousand million first second third
        people man men woman women child children person day days week weeks month months year years time times
        today life world country city state home house school family friend work job game team company
        group member president number name part end side way thing case point points fact idea word question
        answer problem reason result example step steps item list section chapter page figure table type types
        money business market law history war art health food water story book movie song music
        new old good bad big small long short high low great little own right left early late young important
        large national public best better past able something anything everything everybody nobody
        distraction option options";
    words.split_whitespace().collect()
});

/// Words that go on after a number with its period: "No. 1 insider". A habit of the published model, which matters in
/// lists ("2. Review the contract").
const AFTER_NUMBERS: &[&str] =
    &["business", "credit", "insider", "international", "past", "review"];

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
        let known = |word: &str| ABBREVIATIONS.contains(word);
        let is_known = |b: &str| known(b) || b.rsplit('-').next().is_some_and(known);
        let is_abbreviation = ends && (bare.is_some_and(is_known) || is_two_initials(text));
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
        let is_sign = self.text.chars().count() == 1 && ";:,.!?".contains(&self.text);
        if is_sign || self.begins(char::is_lowercase) {
            return Some(false);
        }
        let starts = STARTERS.contains(self.without_break());
        (starts && self.begins(char::is_uppercase)).then_some(true)
    }

    /// Whether it can be a name.
    fn is_name(&self) -> bool {
        let word = self.without_break();
        self.begins(char::is_uppercase) && !STARTERS.contains(word) && !COMMON.contains(word)
    }
}

/// `J.K.`: but what comes after a postscript's sign is a sentence of its own.
fn is_two_initials(text: &str) -> bool {
    text != "P.S." && matches!(text.as_bytes(), [b'A'..=b'Z', b'.', b'A'..=b'Z', b'.'])
}

/// Decides about a token ending in a period by the one after it.
fn reconsider(token: &mut Token, next: &Token) {
    if !token.text.ends_with('.') {
        return;
    }
    let is_number = token.without_period() == NUMBER;
    let is_initial = token.is_initial();
    let goes_on = if is_number && AFTER_NUMBERS.contains(&next.without_break()) {
        true
    } else if is_initial || is_number {
        next.is_first() == Some(false) || (is_initial && next.is_name())
    } else {
        token.is_break |=
            (token.is_abbreviation || token.is_ellipsis) && next.is_first() == Some(true);
        false
    };
    if goes_on {
        (token.is_break, token.is_abbreviation) = (false, true);
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

    /// The texts of a data file in order: a column of a table, or a field of every line.
    fn texts(path: &std::path::Path) -> Vec<String> {
        if path.extension().is_some_and(|e| e == "csv") {
            let mut rows = csv::Reader::from_path(path).unwrap();
            let column = rows.headers().unwrap().iter().position(|h| h == "completion").unwrap();
            return rows.records().map(|row| row.unwrap()[column].to_owned()).collect();
        }
        let text = std::fs::read_to_string(path).unwrap();
        let of = |line| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            row["question"].as_str().or(row["prompt"].as_str()).unwrap().to_owned()
        };
        text.lines().map(of).collect()
    }

    #[test]
    fn real_texts_have_as_many_sentences_as_the_published_model_finds() {
        let Some(data) = psi_testkit::shared_data() else { return };
        let golden = psi_testkit::golden_dir().join("sentences.json");
        let golden: std::collections::BTreeMap<String, Vec<usize>> =
            serde_json::from_str(&std::fs::read_to_string(golden).unwrap()).unwrap();
        let (mut n, mut others) = (0, Vec::new());
        for (file, counts) in golden {
            let texts = texts(&data.join("evals").join(&file));
            assert_eq!(texts.len(), counts.len(), "{file}");
            for (i, (text, expected)) in texts.iter().zip(counts).enumerate() {
                let found = split(text).len();
                n += 1;
                if found != expected {
                    others.push(format!("{file} {i}: {found}, {expected} expected"));
                }
            }
        }
        assert_eq!(n, 4110);
        assert!(others.len() <= MOST_OTHERS, "{}: {others:#?}", others.len());
    }

    /// Texts where an initial, a title or "P.S." is read otherwise, of 4,110.
    const MOST_OTHERS: usize = 10;
}
