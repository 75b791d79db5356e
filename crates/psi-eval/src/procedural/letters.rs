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
                "=:the letter count of {w}",
                "=:the size of {w} in letters",
                "!:tell how many characters {w} is made of",
                "?:how many characters {w} consists of",
                "?:how many letters it takes to spell {w}",
                "if i spell {w} letter by letter, how many letters do i say?",
                "the word is {w}. how many letters long is it?",
                "{w} is how many letters long?",
                "{w} has how many letters?",
                "{w} - number of letters[?|.]",
                "letters in {w}?",
                "length of {w}[?|.]",
                "how many tiles do i need to lay {w} in a word game?",
                "i want to know the length of a word: {w}.",
                "for a crossword: how many letters does {w} take up?",
                "how many characters does {w} consist of?",
                "how many letters go into {w}?",
                "out of how many letters is {w} made?",
                "please count for me: {w}, how many letters?",
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
                "=:the count of {c} [in|inside] {w}",
                "=:how frequent {c} is in {w}",
                "?:how many letters {c} occur in {w}",
                "!:find how many {c} are hidden in {w}",
                "!:go through {w} and count every {c}",
                "the word is {w}. how many {c} are in it?",
                "look at the word {w}: how many times do you see {c}?",
                "{w} contains how many {c}?",
                "{w} has {c} how many times?",
                "how many of the letters in {w} are {c}?",
                "{c} in {w}: how many?",
                "{c} in {w} - how often?",
                "number of {c} in {w}[?|.]",
                "when i spell {w}, how often do i say {c}?",
                "in {w}, how often does {c} show up?",
                "in {w}, how many times is {c} used?",
                "how frequently does {c} appear in {w}?",
                "count: {c} in {w}.",
                "what is the number of {c} in {w}?",
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
                "=:letter number {n} of {w}",
                "=:the character in {n} [place|position] of {w}",
                "?:which character of {w} comes {n}",
                "!:name the {n} letter of {w}",
                "!:write down the {n} letter of {w}",
                "the word is {w}. what is its {n} letter?",
                "in {w}, which letter is the {n} one?",
                "in {w}, what is the {n} letter?",
                "look at {w}: which letter stands {n}?",
                "{w} - {n} letter[?|.]",
                "{n} letter of {w}[?|.]",
                "the {n} letter in {w} is?",
                "if you spell out {w}, which letter do you say {n}?",
                "which letter of {w} is in [the |]{n} [place|position]?",
                "what letter do you find in {n} position in {w}?",
                "reading {w} from the left, which letter comes {n}?",
                "take the word {w} and give me only its {n} letter.",
                "which character is the {n} in {w}?",
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
                "=:{w} read from right to left",
                "=:{w} from the end to the start",
                "=:the letters of {w} in reverse order",
                "=:the letters of {w} in the opposite order",
                "=:the mirror image of {w}",
                "?:what {w} becomes when it is reversed",
                "?:what you get when you reverse {w}",
                "!:turn {w} around",
                "!:turn {w} back to front",
                "!:put the letters of {w} in reverse order",
                "!:invert [the word |]{w}",
                "!:spell {w} in reverse",
                "!:spell {w} starting with the last letter",
                "!:give {w} the other way round",
                "if you [read|spell|write] {w} backwards, what do you get?",
                "what do you get if you reverse {w}?",
                "what does {w} look like backwards?",
                "what does {w} become [backwards|when reversed|in reverse]?",
                "the word is {w}. [spell|write|say] it backwards.",
                "take {w} and reverse it.",
                "take the word {w} and turn its letters around.",
                "backwards: {w}.",
                "reversed: {w}.",
                "reverse spelling of {w}[?|.]",
                "{w} in reverse[?| please|]",
                "{w}, but backwards.",
                "{w} - the other way round[?|.]",
                "start at the end of {w} and [spell|write|read] it to the beginning.",
                "read {w} from right to left.",
                "how would {w} read [in a mirror|from the end]?",
                "my friend writes words backwards. how does she write {w}?",
                "what is {w} when it is spelled from the end?",
                "say the letters of {w} from the last to the first.",
                "what word comes out if {w} is read from behind?",
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
                "=:the letter you find {n} {side} {c}",
                "=:the alphabet's letter {n} {side} {c}",
                "?:what letter you get {n} {side} {c}",
                "!:count in the alphabet to the letter {n} {side} {c}",
                "which letter of the alphabet stands {n} {side} {c}?",
                "which letter do you reach {n} {side} {c}?",
                "what comes {n} {side} {c} in the alphabet?",
                "in the abc, what is {n} {side} {c}?",
                "alphabet: {n} {side} {c}?",
                "the letter {n} {side} {c} is?",
                "think of the alphabet: which letter is {n} {side} {c}?",
                "the letter is {c}. which one is {n} {side} it?",
                "if i stand at {c} in the alphabet, which letter is {n} {side} it?",
                "{c}: the letter {n} {side} it[?|.]",
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
