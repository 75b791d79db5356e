//! Problems about letters: the model has to spell a word before it can answer.

use super::Draft;
use crate::{
    draws::Draws,
    skills::{pools, words},
    wording::Wordings,
};

/// A word of a level's length.
fn word(draws: &mut Draws, level: usize) -> String {
    let (low, high) = [(3, 5), (5, 6), (6, 9)][level];
    draws.until(|draws| {
        Some(words::of(draws, pools::WORDS)).filter(|w| (low..=high).contains(&w.len()))
    })
}

fn spelled(word: &str) -> String {
    word.chars().map(|c| c.to_string()).collect::<Vec<_>>().join(" ")
}

/// How many letters a word has.
pub(super) fn word_length(draws: &mut Draws, level: usize) -> Draft {
    let word = word(draws, level);
    let steps: Vec<String> = word.chars().zip(1..).map(|(c, i)| format!("{c} {i}")).collect();
    Draft {
        asked: Wordings {
            train: &[
                "=:the number of letters [of|that make up|used in] {w}",
                "=:the length of {w}[ in letters|]",
                "?:how many letters {w} has",
                "?:how many letters [are in|there are in|make up] {w}",
                "?:how long the word {w} is",
                "!:count the letters [of|in] [the word |]{w}",
                "!:count how many letters {w} has",
                "how many letters [are in|has|does] the word {w}[ have|]?",
                "how many letters [are in|has] {w}?",
                "how many letters does {w} have?",
                "how long is [the word |]{w}?",
                "{w}: how many letters?",
                "how many letters do i need to [write|spell] {w}?",
                "[i write|i type|take] {w}. how many letters is that?",
            ],
            eval: &[
                "what is the number of letters in {w}?",
                "{w} is spelled with how many letters?",
            ],
        },
        slots: vec![("w", format!("\"{word}\""))],
        reasoning: format!("{}.", steps.join(", ")),
        answer: word.len().to_string(),
    }
}

/// How often a letter occurs.
pub(super) fn letter_count(draws: &mut Draws, level: usize) -> Draft {
    let word = word(draws, level);
    let letter = match draws.chance(0.85) {
        true => draws.pick(&word.chars().collect::<Vec<_>>()),
        false => draws.pick(&['a', 'e', 'i', 'o', 'r', 's', 't']),
    };
    let mut count = 0;
    let mut steps = Vec::new();
    for c in word.chars() {
        count += usize::from(c == letter);
        steps.push(if c == letter { format!("{c} {count}") } else { c.to_string() });
    }
    Draft {
        asked: Wordings {
            train: &[
                "=:the number of {c} in {w}",
                "=:the number of times {c} [occurs|appears|is] in {w}",
                "?:how [often|many times] {c} [occurs|appears|is] in {w}",
                "?:how many {c} {w} has",
                "?:how many {c} [there are|are] in {w}",
                "!:count the [letter |letters |]{c} in [the word |]{w}",
                "!:count how often {c} [occurs|appears] in {w}",
                "how [often|many times] does [the letter |]{c} [occur|appear|come] in [the word |]{w}?",
                "how many {c} are [there |]in [the word |]{w}?",
                "how many {c} does {w} have?",
                "how many times is [there |]{c} in [the word |]{w}?",
                "{w}: how many {c}?",
                "how many letters of {w} are {c}?",
            ],
            eval: &["in {w}, how many {c} do you see?", "the word {w} has how many {c}?"],
        },
        slots: vec![("w", format!("\"{word}\"")), ("c", format!("\"{letter}\""))],
        reasoning: format!("{letter}: {}.", steps.join(", ")),
        answer: count.to_string(),
    }
}

/// The n-th letter.
pub(super) fn letter_place(draws: &mut Draws, level: usize) -> Draft {
    const PLACES: [&str; 6] = ["first", "second", "third", "fourth", "fifth", "sixth"];
    let word = word(draws, level);
    let place = draws.below(word.len().min(PLACES.len()));
    let letters: Vec<char> = word.chars().take(place + 1).collect();
    let steps: Vec<String> = letters.iter().zip(1..).map(|(c, i)| format!("{c} {i}")).collect();
    Draft {
        asked: Wordings {
            train: &[
                "=:the {n} letter of {w}",
                "=:the {n} letter in [the word |]{w}",
                "=:the letter that is {n} in {w}",
                "?:[what|which] the {n} letter of {w} is",
                "?:[what|which] letter [comes|is] {n} in {w}",
                "!:find the {n} letter of {w}",
                "!:pick the {n} letter of {w}",
                "what is the {n} letter [of|in] {w}?",
                "[which|what] letter [comes|is] {n} in [the word |]{w}?",
                "{w}: what is the {n} letter?",
                "[which|what] letter has {w} in {n} place?",
                "spell {w}. which letter is {n}?",
            ],
            eval: &["in {w}, what letter stands {n}?", "name the letter of {w} that is {n}."],
        },
        slots: vec![("w", format!("\"{word}\"")), ("n", PLACES[place].to_owned())],
        reasoning: format!("{}: {}.", spelled(&word), steps.join(", ")),
        answer: letters[place].to_string(),
    }
}

/// A word backwards.
pub(super) fn reverse_word(draws: &mut Draws, level: usize) -> Draft {
    let word = word(draws, level);
    let reversed: String = word.chars().rev().collect();
    Draft {
        asked: Wordings {
            train: &[
                "=:{w} [backwards|spelled backwards|in reverse|reversed]",
                "=:the reverse of {w}",
                "?:what {w} is backwards",
                "?:how {w} is [spelled|written] backwards",
                "!:[spell|write|say|read|type|print] {w} backwards",
                "!:reverse [the word |the letters of |]{w}",
                "!:flip [the word |the letters of |]{w}",
                "!:mirror [the word |]{w}",
                "!:write {w} from [back to front|right to left|the last letter to the first]",
                "what is {w} [backwards|in reverse|spelled backwards]?",
                "how do i [write|spell] {w} backwards?",
                "{w} backwards[?| please|]",
                "{w}: last letter first[.|]",
            ],
            eval: &["how does {w} read from the end?", "turn the letters of {w} around."],
        },
        slots: vec![("w", format!("\"{word}\""))],
        reasoning: format!("{}. {}.", spelled(&word), spelled(&reversed)),
        answer: reversed,
    }
}

/// A letter some places on in the alphabet.
pub(super) fn alphabet(draws: &mut Draws, level: usize) -> Draft {
    let steps = draws.between(1, [1, 3, 6][level]) as u8;
    let forward = draws.chance(0.6);
    let start = if forward {
        draws.between(0, 25 - i64::from(steps))
    } else {
        draws.between(i64::from(steps), 25)
    };
    let letter = |i: i64| char::from(b'A' + i as u8);
    let path: Vec<String> = (0..=i64::from(steps))
        .map(|i| letter(if forward { start + i } else { start - i }).to_string())
        .collect();
    let side = if forward { "after" } else { "before" };
    let many = match steps {
        1 => "one letter".to_owned(),
        n => format!("{n} letters"),
    };
    Draft {
        asked: Wordings {
            train: &[
                "=:the letter {n} {side} {c}[ in the alphabet|]",
                "=:the letter that [is|comes] {n} {side} {c}",
                "?:[which|what] letter [is|comes|stands] {n} {side} {c}",
                "!:go to the letter {n} {side} {c}",
                "!:find the letter {n} {side} {c}",
                "which letter is {n} {side} {c}[ in the alphabet|]?",
                "what letter [comes|is] {n} {side} {c}?",
                "in the alphabet, [what|which letter] is {n} {side} {c}?",
                "{n} {side} {c}, [which|what] letter is that?",
                "i am at {c} in the alphabet. what is {n} {side} it?",
            ],
            eval: &[
                "name the letter {n} {side} {c}.",
                "starting at {c}, which letter is {n} {side} it?",
            ],
        },
        slots: vec![("n", many), ("side", side.to_owned()), ("c", letter(start).to_string())],
        reasoning: format!("{side} {}.", path.join(", ")),
        answer: path.last().expect("the path has its start").clone(),
    }
}
