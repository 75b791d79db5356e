//! Many ways to say one thing: patterns with alternatives and slots, and the habits of people who type.
//!
//! A pattern is text with `[a|b|]` for alternatives (they nest) and `{slot}` for what is put in. A mark
//! (`=:`, `*:`, `?:`, `&:`, `!:`) says that the rest is the core of a sentence; see [`frames`].

mod frames;

use crate::{
    draws::Draws,
    skills::words,
    split::{self, Split},
};

/// Patterns by split: a wording is used in training or in evaluation, never in both. One of the training
/// patterns is kept for validation where there are enough of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wordings {
    pub(crate) train: &'static [&'static str],
    pub(crate) eval: &'static [&'static str],
}

impl Wordings {
    /// From this number of training patterns on one is kept for validation.
    const ENOUGH: usize = 5;

    /// A pattern of the split that is drawn for.
    pub(crate) fn draw(&self, draws: &mut Draws) -> String {
        let pattern = self.of(draws);
        #[cfg(test)]
        drawn::note(&pattern);
        pattern
    }

    fn of(&self, draws: &mut Draws) -> String {
        if draws.split() == Split::Eval {
            return draws.pick(self.eval).to_owned();
        }
        let kept = self.train.iter().copied().min_by_key(|p| split::fnv1a(p)).unwrap_or_default();
        let pattern = match (draws.split(), self.train.len() >= Self::ENOUGH) {
            (Split::Validation, true) => kept,
            (_, true) => draws.until(|draws| Some(draws.pick(self.train)).filter(|p| *p != kept)),
            (_, false) => draws.pick(self.train),
        };
        frames::framed(pattern, draws)
    }
}

/// Every pattern that was drawn, for the test that no wording is in two splits.
#[cfg(test)]
pub(crate) mod drawn {
    use std::{cell::RefCell, collections::BTreeSet};

    thread_local! {
        static PATTERNS: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
    }

    pub(super) fn note(pattern: &str) {
        PATTERNS.with_borrow_mut(|all| all.insert(pattern.to_owned()));
    }

    /// The patterns drawn in this thread since the last call.
    pub(crate) fn take() -> BTreeSet<String> {
        PATTERNS.take()
    }
}

/// How one person types.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Style {
    lower: bool,
    no_end: bool,
    typo: bool,
    garbled: bool,
}

impl Style {
    pub(crate) fn draw(draws: &mut Draws) -> Self {
        let (lower, no_end) = (draws.chance(0.3), draws.chance(0.3));
        Self { lower, no_end, typo: draws.chance(0.12), garbled: false }
    }

    /// Lower case or a missing full stop at times, but no slips.
    pub(crate) fn tidy(draws: &mut Draws) -> Self {
        let (lower, no_end) = (draws.chance(0.2), draws.chance(0.2));
        Self { lower, no_end, typo: false, garbled: false }
    }

    /// The same person where some words are lost and others are not the ones that were meant.
    pub(crate) fn garbled(self) -> Self {
        Self { garbled: true, ..self }
    }

    /// What this person makes of a name or phrase: what is copied must be copied as it was typed.
    pub(crate) fn cased(self, text: &str) -> String {
        if self.lower { text.to_lowercase() } else { text.to_owned() }
    }

    /// A pattern as this person types it. Slots go in as they are; only words between them get typos.
    pub(crate) fn say(self, pattern: &str, slots: &[(&str, &str)], draws: &mut Draws) -> String {
        let company;
        let pattern = match draws.split() {
            Split::Eval => pattern,
            Split::Train | Split::Validation => {
                company = frames::in_company(pattern, draws);
                &company
            }
        };
        let mut pieces = Vec::new();
        expand(pattern, draws, &mut pieces);
        if self.typo {
            misspell(&mut pieces, draws);
        }
        if self.garbled {
            garble(&mut pieces, draws);
        }
        let mut text = String::new();
        for piece in &pieces {
            match piece {
                Piece::Text(words) => text.push_str(&self.cased(words)),
                Piece::Slot(name) => text.push_str(slot(slots, name)),
            }
        }
        let text = text.trim();
        let text = if self.lower { text.to_owned() } else { capitalised(text) };
        match self.no_end {
            true => text.trim_end_matches(['.', '!', '?']).to_owned(),
            false => text,
        }
    }
}

/// A pattern with its slots filled, as psi itself writes.
pub(crate) fn fill(pattern: &str, slots: &[(&str, &str)], draws: &mut Draws) -> String {
    let mut pieces = Vec::new();
    expand(pattern, draws, &mut pieces);
    let text = |piece: &Piece<'_>| match piece {
        Piece::Text(words) => words.clone(),
        Piece::Slot(name) => slot(slots, name).to_owned(),
    };
    with_articles(&pieces.iter().map(text).collect::<String>())
}

/// "an" before a vowel, where a slot has made it wrong.
pub(crate) fn with_articles(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let mut rest = text;
    while let Some(at) = rest.find(" a ") {
        let (before, after) = rest.split_at(at + 3);
        let is_vowel = after.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']);
        // "a ukulele" begins with a consonant to the ear.
        let needs_n = is_vowel && !after.starts_with("uk");
        out.push_str(if needs_n { &before[..before.len() - 1] } else { before });
        out.push_str(if needs_n { "n " } else { "" });
        rest = after;
    }
    out + rest
}

/// The text with a capital first letter.
pub(crate) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn slot<'a>(slots: &[(&str, &'a str)], name: &str) -> &'a str {
    let found = slots.iter().find(|(key, _)| *key == name);
    found.unwrap_or_else(|| panic!("a pattern asks for {{{name}}}, which nobody gives")).1
}

enum Piece<'p> {
    Text(String),
    Slot(&'p str),
}

fn expand<'p>(pattern: &'p str, draws: &mut Draws, out: &mut Vec<Piece<'p>>) {
    let Some(at) = pattern.find(['[', '{']) else {
        return push_text(out, pattern);
    };
    push_text(out, &pattern[..at]);
    let rest = &pattern[at + 1..];
    if pattern.as_bytes()[at] == b'{' {
        let end = rest.find('}').unwrap_or_else(|| panic!("`{pattern}`: a slot without its end"));
        out.push(Piece::Slot(&rest[..end]));
        return expand(&rest[end + 1..], draws, out);
    }
    let (options, end) = alternatives(rest);
    expand(draws.pick(&options), draws, out);
    expand(&rest[end..], draws, out);
}

fn push_text(out: &mut Vec<Piece<'_>>, text: &str) {
    match out.last_mut() {
        Some(Piece::Text(last)) => last.push_str(text),
        _ => out.push(Piece::Text(text.to_owned())),
    }
}

/// The alternatives of a bracket whose inside starts at `text`, and where the text after it starts.
fn alternatives(text: &str) -> (Vec<&str>, usize) {
    let (mut options, mut depth, mut from) = (Vec::new(), 0, 0);
    for (i, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            '|' if depth == 0 => {
                options.push(&text[from..i]);
                from = i + 1;
            }
            ']' if depth == 0 => {
                options.push(&text[from..i]);
                return (options, i + 1);
            }
            ']' => depth -= 1,
            _ => {}
        }
    }
    panic!("`{text}`: alternatives without their end");
}

/// One slip of the finger in one longer word.
fn misspell(pieces: &mut [Piece<'_>], draws: &mut Draws) {
    let texts: Vec<&mut String> = pieces
        .iter_mut()
        .filter_map(|piece| match piece {
            Piece::Text(text) => Some(text),
            Piece::Slot(_) => None,
        })
        .collect();
    let mut places = Vec::new();
    for (t, text) in texts.iter().enumerate() {
        let mut start = 0;
        for word in text.split_inclusive(|c: char| !c.is_ascii_alphabetic()) {
            let letters = word.bytes().take_while(u8::is_ascii_alphabetic).count();
            if letters >= 5 {
                places.push((t, start, letters));
            }
            start += word.len();
        }
    }
    if places.is_empty() {
        return;
    }
    let (t, start, letters) = draws.pick(&places);
    let at = start + 1 + draws.below(letters - 2);
    let mut texts = texts;
    let text = &mut *texts[t];
    match draws.below(3) {
        0 => {
            text.remove(at);
        }
        1 => {
            let c = text.remove(at);
            text.insert(at - 1, c);
        }
        _ => {
            let c = text.remove(at);
            text.insert(at, c);
            text.insert(at, c);
        }
    }
}

/// One word in seven is another one, one in ten is missing; what is in slots stays.
fn garble(pieces: &mut [Piece<'_>], draws: &mut Draws) {
    for piece in pieces {
        let Piece::Text(text) = piece else { continue };
        let mut garbled = String::with_capacity(text.len());
        for part in text.split_inclusive(|c: char| !c.is_alphabetic() && c != '\'') {
            let word = part.trim_end_matches(|c: char| !c.is_alphabetic());
            match (word.is_empty(), draws.chance(0.14), draws.chance(0.1)) {
                (false, true, _) => garbled.push_str(&words::unheard(draws)),
                (false, false, true) => {}
                _ => garbled.push_str(word),
            }
            garbled.push_str(&part[word.len()..]);
        }
        *text = garbled;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skills::{Mix, generate};
    use std::collections::{BTreeMap, BTreeSet};

    /// A pattern with one choice of its alternatives: words in lower case and slots.
    fn one_of(pattern: &str, draws: &mut Draws) -> String {
        let mut pieces = Vec::new();
        expand(pattern, draws, &mut pieces);
        let piece = |piece: &Piece<'_>| match piece {
            Piece::Text(words) => words.to_lowercase(),
            Piece::Slot(name) => format!("{{{name}}}"),
        };
        let text: String = pieces.iter().map(piece).collect();
        let kept = |c: char| c.is_alphanumeric() || "{}%*+/^".contains(c);
        let words = text.split(|c: char| !kept(c)).filter(|w| !w.is_empty());
        words.collect::<Vec<_>>().join(" ")
    }

    fn patterns(split: Split, n: u64) -> BTreeSet<String> {
        drawn::take();
        for index in 0..n {
            generate(split, 3, index, &Mix::default());
        }
        drawn::take()
    }

    #[test]
    fn no_wording_of_evaluation_is_trained_on_even_with_words_around_it() {
        let mut held_out: BTreeMap<String, String> = BTreeMap::new();
        for pattern in patterns(Split::Eval, 4_000) {
            for index in 0..40 {
                let one = one_of(&pattern, &mut Draws::new(Split::Eval, 1, index));
                // A slot alone is no wording.
                if one.split(' ').any(|w| !w.starts_with('{')) {
                    held_out.insert(one, pattern.clone());
                }
            }
        }
        assert!(held_out.len() > 300, "{}", held_out.len());
        let (mut leaks, mut n_seen) = (BTreeSet::new(), BTreeSet::new());
        for pattern in patterns(Split::Train, 12_000) {
            for index in 0..6 {
                let mut draws = Draws::new(Split::Train, 2, index);
                let company = frames::in_company(&pattern, &mut draws);
                for text in [&pattern, &company] {
                    let one = one_of(text, &mut draws);
                    if held_out.contains_key(&one) {
                        leaks.insert(format!("{one} ({pattern})"));
                    }
                    n_seen.insert(one);
                }
            }
        }
        assert!(leaks.is_empty(), "{leaks:#?}");
        assert!(n_seen.len() > 50_000, "{} wordings", n_seen.len());
    }

    #[test]
    fn validation_is_asked_in_patterns_that_training_has_not() {
        let plain = Wordings { train: &["v", "w", "x", "y", "z"], eval: &["f"] };
        let all = |split| -> BTreeSet<String> {
            (0..400).map(|index| plain.draw(&mut Draws::new(split, 1, index))).collect()
        };
        let (train, validation) = (all(Split::Train), all(Split::Validation));
        assert_eq!((train.len(), validation.len()), (4, 1));
        assert!(train.is_disjoint(&validation));
    }

    #[test]
    fn alternatives_nest_and_slots_are_filled() {
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..200 {
            let mut draws = Draws::new(Split::Train, 1, index);
            seen.insert(fill("[a|b[c|]] {x}", &[("x", "7")], &mut draws));
        }
        let seen: Vec<&str> = seen.iter().map(String::as_str).collect();
        assert_eq!(seen, ["a 7", "b 7", "bc 7"]);
    }

    #[test]
    fn articles_go_with_the_next_word() {
        assert_eq!(with_articles("I have a exam"), "I have an exam");
        assert_eq!(with_articles("is a a b"), "is an a b");
        assert_eq!(with_articles("has a ukulele, a cat"), "has a ukulele, a cat");
    }

    #[test]
    fn a_style_never_touches_a_slot() {
        for index in 0..500 {
            let mut draws = Draws::new(Split::Train, 2, index);
            let style = Style::draw(&mut draws);
            let text =
                style.say("please remember {fact} carefully.", &[("fact", "QxZ")], &mut draws);
            assert!(text.contains("QxZ"), "{text}");
        }
    }

    #[test]
    fn garbling_changes_the_words_between_slots_and_keeps_the_spaces() {
        let (mut n_words, mut n_kept) = (0, 0);
        for index in 0..400 {
            let mut draws = Draws::new(Split::Train, 2, index);
            let mut pieces = Vec::new();
            expand("what's the largest of {list}, please?", &mut draws, &mut pieces);
            garble(&mut pieces, &mut draws);
            let [Piece::Text(before), Piece::Slot("list"), Piece::Text(after)] = &pieces[..] else {
                panic!("the slot has moved");
            };
            assert!(before.ends_with(' ') && after.starts_with(", ") && after.ends_with('?'));
            n_words += 4;
            let said = before.split(' ').chain(after.split([' ', '?']));
            n_kept += said.filter(|w| ["what's", "the", "largest", "of"].contains(w)).count();
        }
        let share = n_kept as f64 / f64::from(n_words);
        assert!((0.7..0.85).contains(&share), "{share}");
    }
}
