//! Problems about lists: sorting, counting, places, cycles.

use super::{Draft, listed};
use crate::{
    draws::Draws,
    skills::{calendar::WEEKDAYS, pools},
    wording::Wordings,
};

/// Numbers in order.
pub(super) fn sort_numbers(draws: &mut Draws, level: usize) -> Draft {
    let numbers = draws.numbers(1, [30, 99, 200][level], level + 3);
    let up = draws.chance(0.7);
    let (word, pick) = if up { ("smallest", "ascending") } else { ("largest", "descending") };
    let mut rest = numbers.clone();
    let mut sorted = Vec::new();
    let mut steps = Vec::new();
    while rest.len() > 1 {
        let next = if up { rest.iter().min() } else { rest.iter().max() };
        let next = *next.expect("the list is not empty");
        steps.push(format!("{}: {word} {next}.", listed(&rest)));
        rest.retain(|&n| n != next);
        sorted.push(next);
    }
    steps.push(format!("{}.", rest[0]));
    sorted.push(rest[0]);
    let (from, to) = if up { ("small", "large") } else { ("large", "small") };
    Draft {
        asked: Wordings {
            train: &[
                "sort [these numbers |]from {from} to {to}: {list}.",
                "sort in {order} order: {list}.",
                "put these in {order} order: {list}.",
                "{list}: sort from {from} to {to}.",
            ],
            eval: &["bring {list} into {order} order.", "line up {list}, from {from} to {to}."],
        },
        slots: vec![
            ("list", listed(&numbers)),
            ("from", from.to_owned()),
            ("to", to.to_owned()),
            ("order", pick.to_owned()),
        ],
        reasoning: steps.join(" "),
        answer: listed(&sorted),
    }
}

/// Words in alphabetical order; their first letters differ.
pub(super) fn sort_words(draws: &mut Draws, level: usize) -> Draft {
    let words = draws.until(|draws| {
        let words = draws.words(pools::WORDS, level + 2);
        let mut initials: Vec<u8> = words.iter().map(|w| w.as_bytes()[0]).collect();
        initials.sort_unstable();
        initials.dedup();
        (initials.len() == words.len()).then_some(words)
    });
    let mut sorted = words.clone();
    sorted.sort_unstable();
    let initial = |w: &&str| format!("{} {w}", &w[..1]);
    let before: Vec<String> = words.iter().map(initial).collect();
    let after: Vec<String> = sorted.iter().map(|w| w[..1].to_owned()).collect();
    Draft {
        asked: Wordings {
            train: &[
                "sort [these words |]alphabetically: {list}.",
                "put these words in alphabetical order: {list}.",
                "{list}: sort from a to z.",
            ],
            eval: &[
                "bring these into the order of the alphabet: {list}.",
                "how would a dictionary order {list}?",
            ],
        },
        slots: vec![("list", listed(&words))],
        reasoning: format!("{}. {}.", before.join(", "), after.join(" ")),
        answer: listed(&sorted),
    }
}

/// How often a word occurs in a list.
pub(super) fn count(draws: &mut Draws, level: usize) -> Draft {
    let words = draws.words(pools::WORDS, 3);
    let n = [4, 6, 8][level];
    let list: Vec<&str> = (0..n).map(|_| words[draws.weighted(&[2.0, 1.0, 1.0])]).collect();
    let wanted = words[draws.weighted(&[3.0, 1.0, 0.0])];
    let mut count = 0;
    let mut steps = Vec::new();
    for &word in &list {
        count += usize::from(word == wanted);
        steps.push(if word == wanted { format!("{word} {count}") } else { word.to_owned() });
    }
    Draft {
        asked: Wordings {
            train: &[
                "how [often|many times] does {w} occur in this list: {list}?",
                "how many times is {w} in: {list}?",
                "count {w} in {list}.",
            ],
            eval: &[
                "in {list}, how many times do you see {w}?",
                "the list is {list}. how many {w}?",
            ],
        },
        slots: vec![("w", wanted.to_owned()), ("list", listed(&list))],
        reasoning: format!("{wanted}: {}.", steps.join(", ")),
        answer: count.to_string(),
    }
}

const PLACES: [&str; 6] = ["first", "second", "third", "fourth", "fifth", "sixth"];

/// The n-th member of a list.
pub(super) fn place(draws: &mut Draws, level: usize) -> Draft {
    let n = level + 3;
    let words = draws.words(pools::WORDS, n);
    let last = draws.chance(0.2);
    let place = if last { n - 1 } else { draws.below(n) };
    let name = if last { "last" } else { PLACES[place] };
    let steps: Vec<String> =
        words[..=place].iter().zip(1..).map(|(w, i)| format!("{w} {i}")).collect();
    Draft {
        asked: Wordings {
            train: &[
                "what is the {n} word in this list: {list}?",
                "which word comes {n}: {list}?",
                "{list}: what is the {n} word?",
            ],
            eval: &["in {list}, which stands {n}?", "name the {n} of these: {list}."],
        },
        slots: vec![("n", name.to_owned()), ("list", listed(&words))],
        reasoning: format!("{name}: {}.", steps.join(", ")),
        answer: words[place].to_owned(),
    }
}

/// A list backwards.
pub(super) fn reverse(draws: &mut Draws, level: usize) -> Draft {
    let words = draws.words(pools::WORDS, level + 2);
    let numbered: Vec<String> = words.iter().zip(1..).map(|(w, i)| format!("{i} {w}")).collect();
    let reversed: Vec<&str> = words.iter().rev().copied().collect();
    Draft {
        asked: Wordings {
            train: &[
                "reverse this list: {list}.",
                "[say|write] this list backwards: {list}.",
                "{list}: reverse the order.",
            ],
            eval: &[
                "turn the order of {list} around.",
                "from the end to the start, how does {list} read?",
            ],
        },
        slots: vec![("list", listed(&words))],
        reasoning: format!("{}.", numbered.join(", ")),
        answer: listed(&reversed),
    }
}

/// The next member of something that repeats.
pub(super) fn pattern(draws: &mut Draws, level: usize) -> Draft {
    let period = 2 + usize::from(level > 0);
    let unit = draws.words(pools::WORDS, period);
    let n = period * 2 + draws.below(period + 1);
    let list: Vec<&str> = (0..n).map(|i| unit[i % period]).collect();
    let next = unit[n % period];
    Draft {
        asked: Wordings {
            train: &[
                "what comes next: {list}?",
                "continue the pattern: {list}, ...",
                "{list}: which word comes next?",
            ],
            eval: &["how does this pattern go on: {list}?", "after {list} follows which word?"],
        },
        slots: vec![("list", listed(&list))],
        reasoning: format!("{} repeats. after {}: {next}.", listed(&unit), list[n - 1]),
        answer: next.to_owned(),
    }
}

/// A weekday some days later or earlier.
pub(super) fn weekday(draws: &mut Draws, level: usize) -> Draft {
    let start = draws.below(7);
    let n = draws.between([2, 4, 7][level], [5, 8, 13][level]) as usize;
    let later = level == 0 || draws.chance(0.6);
    let day = |i: usize| WEEKDAYS[if later { start + i } else { start + 14 - i } % 7];
    let steps: Vec<String> = (1..=n).map(|i| format!("{} {i}", day(i))).collect();
    let asked = match later {
        true => Wordings {
            train: &[
                "today is {d}. what day is it in {n} days?",
                "if today is {d}, what day is it {n} days later?",
                "what day is {n} days after {d}?",
            ],
            eval: &[
                "we have {d}. which day do we have {n} days on?",
                "{n} days after {d}: which weekday?",
            ],
        },
        false => Wordings {
            train: &[
                "today is {d}. what day was it {n} days ago?",
                "if today is {d}, what day was it {n} days before?",
                "what day is {n} days before {d}?",
            ],
            eval: &[
                "we have {d}. which day did we have {n} days back?",
                "{n} days before {d}: which weekday?",
            ],
        },
    };
    Draft {
        asked,
        slots: vec![("d", WEEKDAYS[start].to_owned()), ("n", n.to_string())],
        reasoning: format!("{}.", steps.join(", ")),
        answer: day(n).to_owned(),
    }
}
