//! Problems about lists: sorting, counting, places, cycles.

use super::{Draft, listed};
use crate::{
    draws::Draws,
    skills::{calendar::WEEKDAYS, pools, words},
    wording::Wordings,
};

const SORT_NUMBERS: Wordings = Wordings {
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
        "!:organise {list} from {from} to {to}",
        "!:rearrange {list} in {order} order",
        "!:line up {list} from {from} to {to}",
        "!:bring these [numbers |]into {order} order: {list}",
        "!:write these numbers from {from} to {to}: {list}",
        "!:list these [numbers |]in {order} order: {list}",
        "!:give {list} in {order} order",
        "!:put {list} in order from {from} to {to}",
        "!:put these numbers in order, from {from} to {to}: {list}",
        "!:sort the numbers {list} in {order} order",
        "!:sort these values in {order} order: {list}",
        "=:the sorted list of {list}, in {order} order",
        "=:{list} ordered from {from} to {to}",
        "=:{list} arranged in {order} order",
        "=:the numbers {list} in {order} order",
        "?:how {list} is ordered from {from} to {to}",
        "?:what {list} becomes when sorted in {order} order",
        "here are some numbers: {list}. put them in {order} order.",
        "here are some numbers: {list}. what are they from {from} to {to}?",
        "the numbers are {list}. write them in {order} order.",
        "the numbers are {list}. sort them from {from} to {to}.",
        "given {list}, sort them in {order} order.",
        "given the numbers {list}, what is the {order} order?",
        "take {list} and sort from {from} to {to}.",
        "what is {list} in {order} order?",
        "what is {list} sorted from {from} to {to}?",
        "what is the {order} order of {list}?",
        "what order do {list} come in from {from} to {to}?",
        "in which order do {list} come, from {from} to {to}?",
        "how do you sort {list} in {order} order?",
        "how would {list} look in {order} order?",
        "from {from} to {to}: {list}.",
        "in {order} order: {list}.",
        "{order} order: {list}.",
        "{order}: {list}.",
        "{list} in {order} order[, please|].",
        "{list} sorted from {from} to {to}[?|.]",
        "{list} - put in {order} order.",
        "{list}. now from {from} to {to}.",
        "{list} are mixed up. put them in {order} order.",
        "my cards show {list}. how do i hold them from {from} to {to}?",
        "the scores were {list}. list them in {order} order.",
        "sorting {list} in {order} order gives what?",
        "i need {list} in {order} order.",
        "i want these numbers from {from} to {to}: {list}.",
    ],
    eval: &["bring {list} into {order} order.", "line up {list}, from {from} to {to}."],
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
        asked: SORT_NUMBERS,
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

const SORT_WORDS: Wordings = Wordings {
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
        "!:organise {list} alphabetically",
        "!:alphabetize {list}",
        "!:alphabetise {list}",
        "!:rearrange {list} in alphabetical order",
        "!:bring {list} into alphabetical order",
        "!:sort the words {list} by the alphabet",
        "!:sort [these |the |]words by first letter: {list}",
        "!:write {list} in alphabetical order",
        "!:write these words in alphabetical order: {list}",
        "!:give {list} in abc order",
        "!:line up {list} by the alphabet",
        "=:{list} ordered by the alphabet",
        "=:{list} sorted from a to z",
        "=:the words {list} sorted alphabetically",
        "?:how {list} is ordered alphabetically",
        "?:in which order {list} stand in a dictionary",
        "here are some words: {list}. put them in alphabetical order.",
        "the words are {list}. sort them from a to z.",
        "the words are {list}. what is their alphabetical order?",
        "given {list}, sort them alphabetically.",
        "take {list} and put them in alphabetical order.",
        "what is {list} in alphabetical order?",
        "what is the alphabetical order of {list}?",
        "what order do {list} come in alphabetically?",
        "in which order would {list} stand in a dictionary?",
        "in which order do you find {list} in a dictionary?",
        "how do you sort {list} alphabetically?",
        "how would {list} be ordered by the alphabet?",
        "alphabetically: {list}.",
        "in alphabetical order: {list}.",
        "abc order: {list}.",
        "{list} in alphabetical order[?|.]",
        "{list} from a to z[?|.]",
        "{list}, alphabetically[?|.]",
        "{list} - sort by the alphabet.",
        "{list} are mixed up. put them in abc order.",
        "i file names by the alphabet: {list}. in which order?",
        "i need {list} in alphabetical order.",
    ],
    eval: &[
        "bring these into the order of the alphabet: {list}.",
        "how would a dictionary order {list}?",
    ],
};

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
        asked: SORT_WORDS,
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
                "=:the count of {w} in {list}",
                "=:how frequent {w} is in {list}",
                "?:how frequently {w} shows up in {list}",
                "!:find how many times {w} is in {list}",
                "!:go through {list} and count {w}",
                "here is a list: {list}. how many times does {w} occur?",
                "here is a list: {list}. how many {w} are on it?",
                "the list is {list}. how often is {w} on it?",
                "given {list}, how many are {w}?",
                "look at {list}. how often do you see {w}?",
                "look at {list}: how many times does it say {w}?",
                "among {list}, how many are {w}?",
                "out of {list}, how many are {w}?",
                "in {list}, how often does {w} appear?",
                "in {list}, how many times do you find {w}?",
                "in {list}, how many {w} are there?",
                "how frequently does {w} appear in {list}?",
                "how many of {list} are {w}?",
                "how many of these are {w}: {list}?",
                "what is the number of {w} in {list}?",
                "count {w}: {list}.",
                "number of {w} in {list}[?|.]",
                "{w} in {list}: how many times?",
                "{w}: how many in {list}?",
                "{list} - count of {w}[?|.]",
                "{list} contains {w} how many times?",
                "my basket holds {list}. how many times is {w} in it?",
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
                "=:word number {n} of {list}",
                "=:the word in {n} [place|position] of {list}",
                "=:the {n} element of {list}",
                "?:which [word|one] of {list} is the {n}",
                "!:name the {n} [word|item] of {list}",
                "!:give only the {n} [word|item] of {list}",
                "!:tell which word is {n} in {list}",
                "here is a list: {list}. what is the {n} word?",
                "here is a list: {list}. name the {n} item.",
                "the list is {list}. what comes {n}?",
                "the list is {list}. what is the {n} item?",
                "look at the list {list}. what is in {n} place?",
                "given {list}, what is the {n} one?",
                "in {list}, which word is [the |]{n}?",
                "in {list}, what comes {n}?",
                "in the list {list}, what is in [the |]{n} position?",
                "of {list}, which is the {n}?",
                "of {list}, what is the {n} word?",
                "what is [the |]{n} in {list}?",
                "what stands in {n} place in {list}?",
                "what is the {n} item of {list}?",
                "what is the {n} entry in {list}?",
                "who or what comes {n} in {list}?",
                "counting from the start, which is the {n} of {list}?",
                "{n} word: {list}[?|.]",
                "{n} of {list}[?|.]",
                "{list} - {n} word[?|.]",
                "{list}: what is in {n} place?",
                "{list}: name the {n}.",
                "waiting in a row: {list}. which one is {n}?",
            ],
            eval: &["in {list}, which stands {n}?", "name the {n} of these: {list}."],
        },
        slots: vec![("n", name.to_owned()), ("list", listed(&words))],
        reasoning: format!("{name}: {}.", steps.join(", ")),
        answer: words[place].clone(),
    }
}

const REVERSE: Wordings = Wordings {
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
        "=:{list} from last to first",
        "=:{list} from the end to the start",
        "=:{list} the other way round",
        "=:{list} in the opposite order",
        "=:the words {list} in reverse",
        "=:the reversed list of {list}",
        "?:how {list} goes backwards",
        "?:what {list} becomes when reversed",
        "?:what you get when you reverse {list}",
        "!:turn {list} around",
        "!:turn the list around: {list}",
        "!:invert {list}",
        "!:invert the order of {list}",
        "!:rewrite {list} in reverse",
        "!:rewrite {list} starting with the last",
        "!:give {list} in reverse order",
        "!:list {list} from the last to the first",
        "!:name {list} in the opposite order",
        "!:repeat {list} from the end",
        "here is a list: {list}. give it backwards.",
        "here is a list: {list}. what is it in reverse order?",
        "here are some words: {list}. write them in reverse order.",
        "the list is {list}. turn it around.",
        "the list is {list}. start from the end.",
        "the order is {list}. what is the reverse order?",
        "given {list}, reverse the order.",
        "take {list} and turn the order around.",
        "what is {list} in reverse[ order|]?",
        "what is {list} backwards?",
        "what is the reverse order of {list}?",
        "what does {list} look like reversed?",
        "what do you get if you reverse {list}?",
        "how does {list} read from the end?",
        "how would you say {list} backwards?",
        "in reverse[ order|]: {list}.",
        "backwards: {list}.",
        "reversed: {list}.",
        "last to first: {list}.",
        "from back to front: {list}.",
        "{list} in reverse order[, please|].",
        "{list} reversed[?|.]",
        "{list}, but the other way round.",
        "{list} - from the end to the start.",
        "{list}. now backwards.",
        "start with the last and end with the first: {list}.",
        "i put in {list} one after the other. i take them out from the top. in which order do they come out?",
        "{list} stand in a row. they turn around. what is the order now?",
        "undo {list} in reverse order: which order is that?",
    ],
    eval: &["turn the order of {list} around.", "from the end to the start, how does {list} read?"],
};

/// A list backwards.
pub(super) fn reverse(draws: &mut Draws, level: usize) -> Draft {
    let words = words::several(draws, pools::WORDS, level + 2);
    let numbered: Vec<String> = words.iter().zip(1..).map(|(w, i)| format!("{i} {w}")).collect();
    let reversed: Vec<&str> = words.iter().rev().map(String::as_str).collect();
    Draft {
        asked: REVERSE,
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
                "=:the word after the last one in {list}",
                "=:the next one in the pattern {list}",
                "=:the next item of {list}",
                "?:how {list} goes on",
                "?:how the pattern {list} continues",
                "!:complete the pattern: {list}, ...",
                "!:give the next one of {list}, ...",
                "!:say what follows {list}",
                "!:go on with {list}, ...",
                "here is a pattern: {list}. what comes next?",
                "look at the pattern: {list}. which word is next?",
                "the pattern is {list}. what follows?",
                "the row goes {list}. what is the next one?",
                "given {list}, what comes next?",
                "in the pattern {list}, what comes next?",
                "what follows {list}?",
                "what should come after {list}?",
                "what would be next after {list}?",
                "which word belongs after {list}?",
                "which one continues {list}?",
                "how does this go on: {list}, ...?",
                "how does the pattern continue: {list}?",
                "{list}, ... what follows?",
                "{list}, ... which word goes on?",
                "{list}, ?",
                "{list}, __",
                "{list}: next[?|.]",
                "next: {list}, ...",
                "{list} and so on: what is the next word?",
                "if it goes {list}, what is next?",
                "a chain of beads: {list}. which bead is next?",
                "someone repeats {list}. what does she say next?",
            ],
            eval: &["how does this pattern go on: {list}?", "after {list} follows which word?"],
        },
        slots: vec![("list", listed(&list))],
        reasoning: format!("{} repeats. after {}: {next}.", listed(&unit), list[n - 1]),
        answer: next,
    }
}

const WEEKDAY_AFTER: Wordings = Wordings {
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
        "today it is {d}. which weekday will it be in {n} days?",
        "suppose today is {d}. what day comes {n} days later?",
        "suppose it is {d}. what will be the day in {n} days?",
        "if it is {d} now, which day of the week is it in {n} days?",
        "starting on {d}, which day is {n} days later?",
        "starting from {d}, go {n} days forward. what day is it?",
        "{n} days from {d}[?| is what day?]",
        "{n} days after {d}[?| is what day?]",
        "{d}, {n} days later[?| - which day?]",
        "in {n} days from {d}, what day is it?",
        "the meeting was on {d}. the next one is {n} days later. on which day?",
        "a parcel sent on {d} needs {n} days. on what day does it arrive?",
        "i ordered it on {d} and it comes {n} days later. which day is that?",
        "on {d} i said: in {n} days. which day did i mean?",
        "what day of the week is {n} days after {d}?",
        "which day of the week comes {n} days after {d}?",
        "which weekday follows {n} days after {d}?",
        "=:the day of the week {n} days after {d}",
        "?:what weekday it is {n} days after {d}",
        "!:go {n} days forward from {d}",
        "!:add {n} days to {d}",
        "!:find the weekday {n} days after {d}",
    ],
    eval: &["we have {d}. which day do we have {n} days on?", "{n} days after {d}: which weekday?"],
};

const WEEKDAY_BEFORE: Wordings = Wordings {
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
        "today it is {d}. which weekday was it {n} days ago?",
        "suppose today is {d}. what day was {n} days earlier?",
        "suppose it is {d}. what was the day {n} days ago?",
        "if it is {d} now, which day of the week was it {n} days ago?",
        "starting from {d}, go {n} days back. what day is it?",
        "{n} days before {d}[?| is what day?]",
        "{n} days earlier than {d}[?| is what day?]",
        "{d}, {n} days earlier[?| - which day?]",
        "it happened {n} days before {d}. on which day?",
        "a parcel came on {d} after {n} days. on what day was it sent?",
        "i got it on {d} and ordered it {n} days before. which day was that?",
        "on {d} i said: {n} days ago. which day did i mean?",
        "what day of the week is {n} days before {d}?",
        "which day of the week comes {n} days before {d}?",
        "which weekday was {n} days before {d}?",
        "=:the day of the week {n} days before {d}",
        "?:what weekday it was {n} days before {d}",
        "!:go {n} days back from {d}",
        "!:take {n} days from {d}",
        "!:find the weekday {n} days before {d}",
        "today is {d}. the trip was {n} days ago. on which day?",
    ],
    eval: &[
        "we have {d}. which day did we have {n} days back?",
        "{n} days before {d}: which weekday?",
    ],
};

/// A weekday some days later or earlier.
pub(super) fn weekday(draws: &mut Draws, level: usize) -> Draft {
    let start = draws.below(7);
    let n = draws.between([2, 4, 7][level], [5, 8, 13][level]) as usize;
    let later = level == 0 || draws.chance(0.6);
    let day = |i: usize| WEEKDAYS[if later { start + i } else { start + 14 - i } % 7];
    let steps: Vec<String> = (1..=n).map(|i| format!("{} {i}", day(i))).collect();
    Draft {
        asked: if later { WEEKDAY_AFTER } else { WEEKDAY_BEFORE },
        slots: vec![("d", WEEKDAYS[start].to_owned()), ("n", n.to_string())],
        reasoning: format!("{}.", steps.join(", ")),
        answer: day(n).to_owned(),
    }
}
