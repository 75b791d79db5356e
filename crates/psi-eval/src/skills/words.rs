//! Words for training that no pool knows: plain English ones and invented ones, so that a model learns to
//! copy what it is given instead of names it has seen.

use std::sync::LazyLock;

use crate::{
    draws::Draws,
    split::{self, Split},
    wording::capitalised,
};

/// Words that hold a phrase together and stay as they are.
#[rustfmt::skip]
const KEPT: &[&str] = &[
    "a", "and", "at", "behind", "beside", "best", "by", "friend", "house", "in", "in-law", "law", "left", "my", "name", "next",
    "number", "of", "on", "parents'", "room", "hall", "code", "password", "the", "to", "top", "under", "with",
];

/// Everyday words, and the words and beginnings of words that are one token of psi-nano's vocabulary: a token that is never
/// written in training drifts away, and can be neither copied nor read afterwards.
static PLAIN: LazyLock<Vec<&str>> =
    LazyLock::new(|| include_str!("words.txt").split_whitespace().collect());

#[rustfmt::skip]
const ONSETS: &[&str] = &[
    "b", "bl", "br", "c", "ch", "cl", "cr", "d", "dr", "f", "fl", "fr", "g", "gl", "gr", "h", "j", "k", "kn", "l", "m", "n", "p",
    "ph", "pl", "pr", "qu", "r", "s", "sc", "sh", "sk", "sl", "sm", "sn", "sp", "st", "str", "sw", "t", "th", "tr", "tw", "v", "w",
    "wh", "y", "z", "",
];
const VOWELS: &[&str] =
    &["a", "e", "i", "o", "u", "a", "e", "i", "o", "u", "ai", "ea", "ee", "ie", "oa", "oo", "ou"];
#[rustfmt::skip]
const CODAS: &[&str] = &[
    "", "", "b", "ck", "ct", "d", "ft", "g", "l", "ll", "lt", "m", "mp", "n", "nd", "ng", "nk", "nt", "p", "r", "rd", "rk", "rn",
    "rt", "s", "sh", "ss", "st", "t", "th", "tch", "w", "x",
];
#[rustfmt::skip]
const ENDINGS: &[&str] = &[
    "", "", "", "", "", "", "er", "ing", "ed", "y", "le", "ion", "ish", "ment", "ness", "ful", "al", "ous", "en", "ery", "ard", "ow",
];

/// An English or an invented word that belongs to the split.
pub(crate) fn unheard(draws: &mut Draws) -> String {
    draws.until(|draws| {
        let word = match draws.weighted(&[6.0, 1.5, 2.5]) {
            0 => draws.pick(&PLAIN).to_owned(),
            1 => draws.pick(&PLAIN).to_owned() + draws.pick(&["s", "er", "ing", "ly"]),
            _ => invented(draws),
        };
        let wanted = is_kept(&word) == (draws.split() == Split::Validation);
        (wanted && draws.split().owns(&word)).then_some(word)
    })
}

/// Whether an unheard word is kept for validation, which shares the pools with training: one in twenty.
fn is_kept(word: &str) -> bool {
    split::fnv1a(word).is_multiple_of(20)
}

/// Something like a word, of one to three syllables.
fn invented(draws: &mut Draws) -> String {
    draws.until(|draws| {
        let mut word = String::new();
        for _ in 0..1 + draws.weighted(&[2.0, 3.0, 1.0]) {
            for part in [ONSETS, VOWELS, CODAS] {
                word.push_str(draws.pick(part));
            }
        }
        word.push_str(draws.pick(ENDINGS));
        (3..=11).contains(&word.len()).then_some(word)
    })
}

/// Something of the pool; outside evaluation half of the time a phrase of its shape in unheard words.
pub(crate) fn of(draws: &mut Draws, pool: &[&'static str]) -> String {
    let known = draws.word(pool);
    if draws.split() == Split::Eval || draws.chance(0.45) {
        return known.to_owned();
    }
    draws.until(|draws| {
        let words: Vec<String> = known.split(' ').map(|w| renewed(w, draws)).collect();
        let phrase = words.join(" ");
        draws.split().owns(&phrase).then_some(phrase)
    })
}

/// `n` different ones.
pub(crate) fn several(draws: &mut Draws, pool: &[&'static str], n: usize) -> Vec<String> {
    let mut all: Vec<String> = Vec::with_capacity(n);
    while all.len() < n {
        let next = draws.until(|draws| Some(of(draws, pool)).filter(|w| !all.contains(w)));
        all.push(next);
    }
    all
}

fn renewed(word: &str, draws: &mut Draws) -> String {
    if KEPT.contains(&word) || word.starts_with(|c: char| c.is_ascii_digit()) {
        return word.to_owned();
    }
    let new = unheard(draws);
    if word.starts_with(char::is_uppercase) { capitalised(&new) } else { new }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn training_hears_words_of_its_own_and_evaluation_only_the_pools() {
        let pool = crate::skills::pools::PLACES;
        let phrases = |split| -> BTreeSet<String> {
            (0..300).map(|index| of(&mut Draws::new(split, 1, index), pool)).collect()
        };
        assert!(phrases(Split::Eval).iter().all(|p| pool.contains(&p.as_str())));
        let unknown = phrases(Split::Train).iter().filter(|p| !pool.contains(&p.as_str())).count();
        assert!(unknown > 100, "{unknown}");
    }

    #[test]
    fn validation_has_unheard_words_of_its_own() {
        let words = |split| -> BTreeSet<String> {
            (0..2_000).map(|index| unheard(&mut Draws::new(split, 1, index))).collect()
        };
        let (train, validation) = (words(Split::Train), words(Split::Validation));
        assert!(train.len() > 1_000 && validation.len() > 100, "{}", validation.len());
        assert!(train.is_disjoint(&validation));
    }

    #[test]
    fn every_plain_word_stands_once() {
        let unique: BTreeSet<_> = PLAIN.iter().collect();
        assert_eq!(unique.len(), PLAIN.len());
    }
}
