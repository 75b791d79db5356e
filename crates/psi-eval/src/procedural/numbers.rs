//! Problems about numbers: comparing, adding, sharing, continuing.

use super::{Draft, listed};
use crate::{draws::Draws, skills::pools, wording::Wordings};

/// The largest or smallest of some numbers.
pub(super) fn compare(draws: &mut Draws, level: usize) -> Draft {
    let numbers = draws.numbers(1, [50, 100, 1000][level], level + 2);
    let largest = draws.chance(0.5);
    let word = if largest { "largest" } else { "smallest" };
    let better = |a: i64, b: i64| if largest { a > b } else { a < b };
    let mut best = numbers[0];
    let mut steps = vec![format!("{word} so far {best}.")];
    for &n in &numbers[1..] {
        if better(n, best) {
            best = n;
            steps.push(format!("{n} yes: {best}."));
        } else {
            steps.push(format!("{n} no: {best}."));
        }
    }
    Draft {
        asked: Wordings {
            train: &[
                "which [number |]is the {w}: {list}?",
                "[find|give me|tell me] the {w} of {list}.",
                "what is the {w} number in {list}?",
                "{list}: which is {w}?",
            ],
            eval: &["among {list}, which is the {w}?", "here are numbers: {list}. name the {w}."],
        },
        slots: vec![("w", word.to_owned()), ("list", listed(&numbers))],
        reasoning: steps.join(" "),
        answer: best.to_string(),
    }
}

/// Whether a number is even or odd.
pub(super) fn parity(draws: &mut Draws, level: usize) -> Draft {
    let n = draws.number(20, [99, 999, 99_999][level]);
    let (digit, word) = (n % 10, parity_of(n));
    Draft {
        asked: Wordings {
            train: &[
                "is {n} even or odd?",
                "is {n} an even or an odd number?",
                "{n}: even or odd?",
                "[tell me|say] whether {n} is even or odd.",
            ],
            eval: &["would you call {n} even, or odd?", "odd or even, what is {n}?"],
        },
        slots: vec![("n", n.to_string())],
        reasoning: format!("{n} ends in {digit}. {digit} is {word}."),
        answer: word.to_owned(),
    }
}

fn parity_of(n: i64) -> &'static str {
    if n % 2 == 0 { "even" } else { "odd" }
}

/// How many numbers of a list are even.
pub(super) fn even_numbers(draws: &mut Draws, level: usize) -> Draft {
    let numbers = draws.numbers(1, 99, level + 3);
    let word = if draws.chance(0.5) { "even" } else { "odd" };
    let mut count = 0;
    let mut steps = Vec::new();
    for &n in &numbers {
        let is_hit = parity_of(n) == word;
        count += usize::from(is_hit);
        let found = if is_hit { format!(" {count}") } else { String::new() };
        steps.push(format!("{n} {}{found}", parity_of(n)));
    }
    Draft {
        asked: Wordings {
            train: &[
                "how many of {list} are {w}?",
                "how many {w} numbers are in {list}?",
                "count the {w} numbers: {list}.",
                "{list}: how many are {w}?",
            ],
            eval: &[
                "what is the count of {w} numbers among {list}?",
                "look at {list}. how many {w} ones?",
            ],
        },
        slots: vec![("w", word.to_owned()), ("list", listed(&numbers))],
        reasoning: format!("{}.", steps.join(", ")),
        answer: count.to_string(),
    }
}

/// The next number of a sequence.
pub(super) fn sequence(draws: &mut Draws, level: usize) -> Draft {
    let step = draws.between(2, [5, 9, 12][level]);
    let start = draws.between(1, [10, 30, 60][level]);
    let (values, sign) = match level {
        2 if draws.chance(0.5) => ((0..4).map(|i| start + (4 - i) * step).collect::<Vec<_>>(), "-"),
        _ => ((0..4).map(|i| start + i * step).collect(), "+"),
    };
    let last = values[3];
    let next = if sign == "+" { last + step } else { last - step };
    Draft {
        asked: Wordings {
            train: &[
                "what comes next: {list}?",
                "which number comes next[ in|:] {list}?",
                "continue: {list}, ...",
                "{list}, what is the next number?",
            ],
            eval: &["how does it go on: {list}?", "after {list} follows which number?"],
        },
        slots: vec![("list", listed(&values))],
        reasoning: format!("step {sign} {step}. {last} {sign} {step} = {next}."),
        answer: next.to_string(),
    }
}

/// Sum of the digits of a number.
pub(super) fn digit_sum(draws: &mut Draws, level: usize) -> Draft {
    let n = draws.number([20, 100, 1000][level], [99, 999, 9999][level]);
    let digits: Vec<i64> = n.to_string().bytes().map(|b| i64::from(b - b'0')).collect();
    let mut sum = digits[0];
    let mut steps = Vec::new();
    for &digit in &digits[1..] {
        steps.push(format!("{sum} + {digit} = {}.", sum + digit));
        sum += digit;
    }
    let spelled: Vec<String> = digits.iter().map(ToString::to_string).collect();
    Draft {
        asked: Wordings {
            train: &[
                "what is the digit sum of {n}?",
                "add the digits of {n}.",
                "what is the sum of the digits of {n}?",
                "digit sum of {n}?",
            ],
            eval: &["what do the digits of {n} add up to?", "take {n} and add its digits."],
        },
        slots: vec![("n", n.to_string())],
        reasoning: format!("{}: {}", spelled.join(" "), steps.join(" ")),
        answer: sum.to_string(),
    }
}

/// What is left when things are shared.
pub(super) fn left_over(draws: &mut Draws, level: usize) -> Draft {
    let people = draws.between(2, [4, 6, 9][level]);
    let n = draws.number(people + 1, [15, 30, 50][level]);
    let multiples: Vec<i64> = (1..=n / people).map(|i| i * people).collect();
    let (most, rest) = (n / people * people, n % people);
    let thing = draws.pick(&["sweets", "apples", "cards", "coins", "nuts", "pens"]);
    Draft {
        asked: Wordings {
            train: &[
                "{n} {things} are shared among {p} children. how many are left over?",
                "share {n} {things} equally among {p} people. how many remain?",
                "{p} friends share {n} {things}. how many are left over?",
            ],
            eval: &[
                "{p} kids divide {n} {things} fairly. what is the rest?",
                "of {n} {things}, how many stay when {p} people take equal shares?",
            ],
        },
        slots: vec![("n", n.to_string()), ("p", people.to_string()), ("things", thing.to_owned())],
        reasoning: format!("{}. {n} - {most} = {rest}.", listed(&multiples)),
        answer: rest.to_string(),
    }
}

/// Who has the most or the fewest.
pub(super) fn most(draws: &mut Draws, level: usize) -> Draft {
    let names = draws.words(pools::NAMES, level + 2);
    let numbers = draws.numbers(1, [20, 50, 99][level], level + 2);
    let word = if draws.chance(0.5) { "most" } else { "fewest" };
    let thing = draws.pick(&["apples", "books", "coins", "stamps", "marbles", "cards", "pens"]);
    let facts: Vec<String> =
        names.iter().zip(&numbers).map(|(name, n)| format!("{name} has {n} {thing}.")).collect();
    let pick = if word == "most" { numbers.iter().max() } else { numbers.iter().min() };
    let best = pick.copied().expect("there are at least two");
    let at = numbers.iter().position(|&n| n == best).expect("it is one of them");
    let steps: Vec<String> =
        names.iter().zip(&numbers).map(|(name, n)| format!("{name} {n}")).collect();
    Draft {
        asked: Wordings {
            train: &[
                "{facts} who has the {w}?",
                "{facts} who has the {w} {things}?",
                "who has the {w} {things}? {facts}",
            ],
            eval: &["{facts} which of them owns the {w}?", "{facts} name the one with the {w}."],
        },
        slots: vec![
            ("facts", facts.join(" ")),
            ("w", word.to_owned()),
            ("things", thing.to_owned()),
        ],
        reasoning: format!("{}. {word}: {best}, {}.", steps.join(", "), names[at]),
        answer: names[at].to_owned(),
    }
}

/// How many in all.
pub(super) fn total(draws: &mut Draws, level: usize) -> Draft {
    let names = draws.words(pools::NAMES, if level == 2 { 3 } else { 2 });
    let high = [9, 19, 30][level];
    let numbers: Vec<i64> = names.iter().map(|_| draws.number(1, high)).collect();
    let thing = draws.pick(&["apples", "books", "coins", "stamps", "marbles", "cards", "pens"]);
    let facts: Vec<String> =
        names.iter().zip(&numbers).map(|(name, n)| format!("{name} has {n} {thing}.")).collect();
    let mut sum = numbers[0];
    let mut steps = Vec::new();
    for n in &numbers[1..] {
        steps.push(format!("{sum} + {n} = {}.", sum + n));
        sum += n;
    }
    Draft {
        asked: Wordings {
            train: &[
                "{facts} how many [{things} |]do they have [together|in all|in total]?",
                "{facts} how many {things} is that in all?",
            ],
            eval: &["{facts} what is their total?", "{facts} count all their {things}."],
        },
        slots: vec![("facts", facts.join(" ")), ("things", thing.to_owned())],
        reasoning: steps.join(" "),
        answer: sum.to_string(),
    }
}

/// A time some minutes later.
pub(super) fn clock(draws: &mut Draws, level: usize) -> Draft {
    let (hour, minute) = (draws.between(1, 11), 5 * draws.between(0, 11));
    let added = match level {
        0 => 5 * draws.between(1, 6),
        1 => 5 * draws.between(2, 11),
        _ => draws.between(2, 59),
    };
    let sum = minute + added;
    let (later_hour, later_minute) = (hour + sum / 60, sum % 60);
    let carry = match sum >= 60 {
        true => format!(" {sum} - 60 = {later_minute}. {hour} + 1 = {later_hour}."),
        false => String::new(),
    };
    Draft {
        asked: Wordings {
            train: &[
                "it is {t}. what time is it in {n} minutes?",
                "it is {t}. what time is it {n} minutes later?",
                "what time is it {n} minutes after {t}?",
                "the film starts at {t} and lasts {n} minutes. when does it end?",
            ],
            eval: &[
                "the clock shows {t}. what will it show {n} minutes from then?",
                "i leave at {t} and walk {n} minutes. when am i there?",
            ],
        },
        slots: vec![("t", format!("{hour}:{minute:02}")), ("n", added.to_string())],
        reasoning: format!("{hour}:{minute:02}. {minute} + {added} = {sum}.{carry}"),
        answer: format!("{later_hour}:{later_minute:02}"),
    }
}
