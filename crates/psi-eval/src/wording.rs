//! Many ways to say one thing: patterns with alternatives and slots, and the habits of people who type.
//!
//! A pattern is text with `[a|b|]` for alternatives (they nest) and `{slot}` for what is put in.

use crate::{draws::Draws, split::Split};

/// Patterns by split: a wording is used in training or in evaluation, never in both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wordings {
    pub(crate) train: &'static [&'static str],
    pub(crate) eval: &'static [&'static str],
}

impl Wordings {
    pub(crate) fn of(&self, split: Split) -> &'static [&'static str] {
        match split {
            Split::Train => self.train,
            Split::Eval => self.eval,
        }
    }

    pub(crate) fn draw(&self, draws: &mut Draws) -> &'static str {
        draws.pick(self.of(draws.split()))
    }
}

/// How one person types.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Style {
    lower: bool,
    no_end: bool,
    typo: bool,
}

impl Style {
    pub(crate) fn draw(draws: &mut Draws) -> Self {
        Self { lower: draws.chance(0.3), no_end: draws.chance(0.3), typo: draws.chance(0.12) }
    }

    /// Lower case or a missing full stop at times, but no slips.
    pub(crate) fn tidy(draws: &mut Draws) -> Self {
        Self { lower: draws.chance(0.2), no_end: draws.chance(0.2), typo: false }
    }

    /// What this person makes of a name or phrase: what is copied must be copied as it was typed.
    pub(crate) fn cased(self, text: &str) -> String {
        if self.lower { text.to_lowercase() } else { text.to_owned() }
    }

    /// A pattern as this person types it. Slots go in as they are; only words between them get typos.
    pub(crate) fn say(self, pattern: &str, slots: &[(&str, &str)], draws: &mut Draws) -> String {
        let mut pieces = Vec::new();
        expand(pattern, draws, &mut pieces);
        if self.typo {
            misspell(&mut pieces, draws);
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
