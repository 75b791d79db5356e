//! Problems about lists: sorting, counting, places, cycles.

use super::{Draft, listed};
use crate::{
    draws::Draws,
    skills::{calendar::WEEKDAYS, pools, words},
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
                "!:sort [these numbers |these |them |]from {from} to {to}: {list}",
                "!:sort in {order} order: {list}",
                "!:sort {list} from {from} to {to}",
                "!:sort {list} in {order} order",
                "!:put [these|these numbers|them] in {order} order: {list}",
                "!:put {list} in {order} order",
                "!:order [these numbers |these |]from {from} to {to}: {list}",
                "!:arrange [these numbers |these |]from {from} to {to}: {list}",
                "!:arrange {list} in {order} order",
                "!:rank [these |]from {from} to {to}: {list}",
                "!:write {list} in {order} order",
                "!:list {list} from {from} to {to}",
                "=:{list} [sorted |]in {order} order",
                "=:{list} from {from} to {to}",
                "=:the {order} order of {list}",
                "{list}: sort from {from} to {to}.",
                "{list}: {order} order[, please| please|].",
                "[i have|here are|these are] the numbers {list}. [sort|order|arrange] them from {from} to {to}.",
                "?:what {list} looks like in {order} order",
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
        let words = words::several(draws, pools::WORDS, level + 2);
        let mut initials: Vec<u8> = words.iter().map(|w| w.as_bytes()[0]).collect();
        initials.sort_unstable();
        initials.dedup();
        (initials.len() == words.len()).then_some(words)
    });
    let mut sorted = words.clone();
    sorted.sort_unstable();
    let initial = |w: &String| format!("{} {w}", &w[..1]);
    let before: Vec<String> = words.iter().map(initial).collect();
    let after: Vec<String> = sorted.iter().map(|w| w[..1].to_owned()).collect();
    Draft {
        asked: Wordings {
            train: &[
                "!:sort [these words |these |]alphabetically: {list}",
                "!:sort {list} [alphabetically|from a to z|by the alphabet|by their first letters]",
                "!:put these [words |]in alphabetical order: {list}",
                "!:put {list} in alphabetical order",
                "!:order [these |these words |]alphabetically: {list}",
                "!:arrange {list} [alphabetically|in alphabetical order|from a to z]",
                "!:list {list} [alphabetically|in alphabetical order|from a to z]",
                "=:{list} in alphabetical order",
                "=:the alphabetical order of {list}",
                "{list}: sort from a to z.",
                "{list}: alphabetical order[, please|].",
                "from a to z: {list}[.|]",
                "[here are|i have|these are] the words {list}. sort them [alphabetically|from a to z|by the alphabet].",
                "?:what {list} looks like in alphabetical order",
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
    let words = words::several(draws, pools::WORDS, 3);
    let n = [4, 6, 8][level];
    let list: Vec<&str> =
        (0..n).map(|_| words[draws.weighted(&[2.0, 1.0, 1.0])].as_str()).collect();
    let wanted = words[draws.weighted(&[3.0, 1.0, 0.0])].as_str();
    let mut count = 0;
    let mut steps = Vec::new();
    for &word in &list {
        count += usize::from(word == wanted);
        steps.push(if word == wanted { format!("{word} {count}") } else { word.to_owned() });
    }
    Draft {
        asked: Wordings {
            train: &[
                "=:the number of [times |]{w} in {list}",
                "?:how [often|many times] {w} [occurs|appears|is] in {list}",
                "?:how many {w} [are|there are] in {list}",
                "!:count {w} in {list}",
                "!:count how often {w} [occurs|appears] in {list}",
                "how [often|many times] does {w} [occur|appear|come] in [this list|the list]: {list}?",
                "how [often|many times] does {w} [occur|appear] in {list}?",
                "how many times is {w} in[ the list|:] {list}?",
                "{list}: how [often|many times] {w}?",
                "{list}: how many {w} are there?",
                "how many {w} are in {list}?",
                "[i see|we have|i bought] {list}. how many times {w}?",
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
    let words = words::several(draws, pools::WORDS, n);
    let last = draws.chance(0.2);
    let place = if last { n - 1 } else { draws.below(n) };
    let name = if last { "last" } else { PLACES[place] };
    let steps: Vec<String> =
        words[..=place].iter().zip(1..).map(|(w, i)| format!("{w} {i}")).collect();
    Draft {
        asked: Wordings {
            train: &[
                "=:the {n} word [of|in] {list}",
                "=:the {n} word in [this|the] list: {list}",
                "=:the {n} [one|item|entry|member] of {list}",
                "?:[what|which] word [is|comes] {n}[:| in] {list}",
                "?:what the {n} word [of|in] {list} is",
                "!:find the {n} word [of|in] {list}",
                "!:pick the {n} [word|one|item] [of|from] {list}",
                "what is the {n} word in [this list: |]{list}?",
                "which word [comes|is] {n}: {list}?",
                "which word [comes|is] {n} in {list}?",
                "{list}: what is the {n} word?",
                "{list}: the {n} [one|word|item] please[.|]",
                "[i have|here is] a list: {list}. which word is {n}?",
                "which of {list} is {n}?",
            ],
            eval: &["in {list}, which stands {n}?", "name the {n} of these: {list}."],
        },
        slots: vec![("n", name.to_owned()), ("list", listed(&words))],
        reasoning: format!("{name}: {}.", steps.join(", ")),
        answer: words[place].clone(),
    }
}

/// A list backwards.
pub(super) fn reverse(draws: &mut Draws, level: usize) -> Draft {
    let words = words::several(draws, pools::WORDS, level + 2);
    let numbered: Vec<String> = words.iter().zip(1..).map(|(w, i)| format!("{i} {w}")).collect();
    let reversed: Vec<&str> = words.iter().rev().map(String::as_str).collect();
    Draft {
        asked: Wordings {
            train: &[
                "!:reverse [this list|the list|these words|the order of these]: {list}",
                "!:reverse {list}",
                "!:[say|write|read|list|give] [this list|these words|the list] backwards: {list}",
                "!:[say|write|read|list] {list} backwards",
                "!:flip [the list |the order of |]{list}",
                "!:put {list} in reverse order",
                "!:write {list} from [last to first|back to front]",
                "=:{list} backwards",
                "=:{list} in reverse order",
                "=:the reverse of {list}",
                "{list}: reverse the order.",
                "{list}: backwards[, please|].",
                "?:what {list} is backwards",
                "[here is|i have] a list: {list}. [reverse it|say it backwards|the last one first, please].",
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
    let unit = words::several(draws, pools::WORDS, period);
    let n = period * 2 + draws.below(period + 1);
    let list: Vec<&str> = (0..n).map(|i| unit[i % period].as_str()).collect();
    let next = unit[n % period].clone();
    Draft {
        asked: Wordings {
            train: &[
                "=:the next word[ in|:| of| after] {list}",
                "=:the word that comes next[ in|:| after] {list}",
                "?:what comes next[ in|:| after] {list}",
                "?:which word [comes next|is next|follows][ in|:| after] {list}",
                "!:continue the pattern: {list}, ...",
                "!:continue {list}, ...",
                "!:find the next word: {list}, ...",
                "what comes next: {list}?",
                "which word [comes next|is next][:| in| after] {list}?",
                "{list}: which word comes next?",
                "{list}: what is next?",
                "{list}, and then?",
                "{list}, ... what now?",
                "it repeats: {list}, ... what is next?",
            ],
            eval: &["how does this pattern go on: {list}?", "after {list} follows which word?"],
        },
        slots: vec![("list", listed(&list))],
        reasoning: format!("{} repeats. after {}: {next}.", listed(&unit), list[n - 1]),
        answer: next,
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
                "today is {d}. ?:what day it is in {n} days",
                "today is {d}. [what|which] day [is it|will it be|do we have] in {n} days?",
                "if today is {d}, [what|which] day is it {n} days later?",
                "if today is {d}, [what|which] day is it in {n} days?",
                "it is {d} [today|now]. [what|which] day is it in {n} days?",
                "it is {d}. {n} days later it is [what|which day]?",
                "=:the day {n} days after {d}",
                "=:the weekday {n} days [later than|past] {d}",
                "?:[what|which] day is {n} days after {d}",
                "!:count {n} days on from {d}",
                "what day is {n} days after {d}?",
                "{d} plus {n} days[?| is which day?]",
                "from {d} {n} days [on|forward], [what|which] day is that?",
                "[i leave|it starts|we begin] on {d} and [come back|it ends|we finish] {n} days later. [which|what] day is that?",
            ],
            eval: &[
                "we have {d}. which day do we have {n} days on?",
                "{n} days after {d}: which weekday?",
            ],
        },
        false => Wordings {
            train: &[
                "today is {d}. ?:what day it was {n} days ago",
                "today is {d}. [what|which] day was [it |]{n} days ago?",
                "if today is {d}, [what|which] day was it {n} days before?",
                "if today is {d}, [what|which] day was it {n} days ago?",
                "it is {d} [today|now]. [what|which] day was it {n} days ago?",
                "it is {d}. {n} days earlier it was [what|which day]?",
                "=:the day {n} days before {d}",
                "=:the weekday {n} days [earlier than|ahead of] {d}",
                "?:[what|which] day is {n} days before {d}",
                "!:count {n} days back from {d}",
                "what day is {n} days before {d}?",
                "{d} minus {n} days[?| is which day?]",
                "from {d} {n} days back, [what|which] day is that?",
                "it [ended|was over] on {d} after {n} days. [which|what] day did it start?",
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
