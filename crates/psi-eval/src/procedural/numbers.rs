//! Problems about numbers: comparing, adding, sharing, continuing.

use super::{Draft, listed};
use crate::{
    draws::Draws,
    skills::{pools, words},
    wording::Wordings,
};

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
                "=:the {w} [number |one |value |]of {list}",
                "=:the {w} number in {list}",
                "=:the {w} of these: {list}",
                "?:which [number |one |]is the {w}[ one|]: {list}",
                "?:what the {w} number in {list} is",
                "!:find the {w} [number |]of {list}",
                "!:pick [out |]the {w} of {list}",
                "!:choose the {w} [number |]from {list}",
                "which [number |one |]is [the |]{w}[ here|]: {list}?",
                "what is the {w} number [in|of] {list}?",
                "{list}: which is [the |]{w}?",
                "{list}. which one is the {w}?",
                "which of {list} is the {w}?",
                "[i have|there are|we see] the numbers {list}. which is the {w}?",
                "the {w}: {list}?",
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
                "?:[whether|if] {n} is even or odd",
                "!:[decide|check|find out] [whether|if] {n} is even or odd",
                "is {n} even or odd?",
                "is {n} odd or even?",
                "is {n} an even or an odd number?",
                "is the number {n} even[ or odd| or is it odd|]?",
                "{n}: even or odd?",
                "{n} - odd or even?",
                "{n} is even or odd?",
                "even or odd: {n}?",
                "is {n} odd?",
                "what is {n}: even or odd?",
                "does {n} count as even or as odd?",
                "the number {n}, even or odd?",
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
                "=:the number of {w} [numbers|ones] in {list}",
                "?:how many of {list} are {w}",
                "?:how many {w} numbers [are in|there are in] {list}",
                "!:count the {w} [numbers|ones][ in|:| of] {list}",
                "how many of {list} are {w}?",
                "how many of these are {w}: {list}?",
                "how many {w} numbers are [there |]in {list}?",
                "{list}: how many are {w}?",
                "{list}. how many of them are {w}?",
                "how many {w} ones do you see in {list}?",
                "[i have|there are] {list}. how many are {w}?",
                "{w} numbers in {list}: how many?",
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
                "=:the next number[ in| of| after|:] {list}",
                "=:the number that comes next[ in|:| after] {list}",
                "?:what comes next[ in|:| after] {list}",
                "?:which number [comes next|follows|is next][ in|:| after] {list}",
                "!:continue[ the row| the series| the sequence|]: {list}, ...",
                "!:find the next number[ in|:| after] {list}",
                "!:extend {list} by one number",
                "what comes next: {list}?",
                "which number comes next[ in|:| after] {list}?",
                "{list}, what is the next number?",
                "{list}, ...?",
                "{list} - and then?",
                "{list}, and what next?",
                "what number [follows|is missing at the end]: {list}, ...?",
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
                "=:the digit sum of {n}",
                "=:the sum of [the |all |]digits of {n}",
                "=:[the cross sum|the sum of the figures] of {n}",
                "?:what the digit sum of {n} is",
                "?:what the digits of {n} [give|make|are] together",
                "!:add [up |][all |]the digits of {n}",
                "!:sum [up |][all |]the digits of {n}",
                "!:add the figures of {n}",
                "what is the [digit sum|sum of the digits] of {n}?",
                "digit sum of {n}[?|]",
                "{n}: what is the sum of its digits?",
                "how much are the digits of {n} together?",
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
                "{n} {things} are shared among {p} [children|people|friends|girls|boys|players]. how many are left over?",
                "{n} {things} are [split|divided] [among|between] {p} [children|people|friends|players]. how many [are left|remain|are left over|stay behind]?",
                "share {n} {things} equally among {p} [people|children|friends]. how many remain?",
                "{p} [friends|children|people|players|sisters] share {n} {things}[ equally|]. how many are left[ over|]?",
                "{n} {things} for {p} [children|people|friends], each gets the same. what [is left|is left over|remains]?",
                "i [put|pack] {n} {things} into [bags|groups|rows|boxes] of {p}. how many are left over?",
                "{n} {things} in [groups|rows|bags] of {p}: how many [are left|remain|do not fit]?",
                "?:how many {things} are left if {p} people share {n}",
                "=:the [rest|remainder] when {n} {things} are shared by {p}",
                "!:share {n} {things} among {p} children and [tell me|say] how many are left",
                "[we have|i have|there are] {n} {things} and {p} [children|people]. everybody gets the same. how many are left over?",
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
    let names = words::several(draws, pools::NAMES, level + 2);
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
                "{facts} ?:who has the {w}[ {things}| of all|]",
                "{facts} =:the [name of the |]person with the {w}[ {things}|]",
                "{facts} !:find who has the {w}[ {things}|]",
                "{facts} who has the {w}?",
                "{facts} who has the {w} {things}?",
                "{facts} who [of them|of these people|among them] has the {w}[ {things}|]?",
                "{facts} so who has the {w}?",
                "who has the {w} {things}? {facts}",
                "who has the {w}? {facts}",
                "{facts} the {w} {things}: who has them?",
                "{facts} whose number is the {w}?",
            ],
            eval: &["{facts} which of them owns the {w}?", "{facts} name the one with the {w}."],
        },
        slots: vec![
            ("facts", facts.join(" ")),
            ("w", word.to_owned()),
            ("things", thing.to_owned()),
        ],
        reasoning: format!("{}. {word}: {best}, {}.", steps.join(", "), names[at]),
        answer: names[at].clone(),
    }
}

/// How many in all.
pub(super) fn total(draws: &mut Draws, level: usize) -> Draft {
    let names = words::several(draws, pools::NAMES, if level == 2 { 3 } else { 2 });
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
                "{facts} ?:how many [{things} |]they have [together|in all|in total]",
                "{facts} ?:how many {things} there are [together|in all|in total]",
                "{facts} =:the [sum|total number of {things}|number of all {things}]",
                "{facts} !:add [them|the {things}|these] [up|together]",
                "{facts} how many [{things} |]do they have [together|in all|in total|all together]?",
                "{facts} how many {things} [is that|are there|are those] [in all|together|in total]?",
                "{facts} [all {things} together|in sum|together], how many?",
                "how many {things} do they have [together|in all|in total]? {facts}",
                "{facts} if they put them together, how many {things} are there?",
                "{facts} what is the sum of their {things}?",
                "{facts} together that makes how many?",
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
                "it is {t}. ?:what time it is in {n} minutes",
                "it is {t}. what time [is it|will it be] in {n} minutes?",
                "it is {t}. what time is it {n} minutes later?",
                "it is {t} now. in {n} minutes it [is|will be] what time?",
                "now it is {t}. how late is it [in|after] {n} minutes?",
                "=:the time {n} minutes after {t}",
                "?:what time it is {n} minutes after {t}",
                "!:add {n} minutes to {t}",
                "what time is it {n} minutes [after|past|later than] {t}?",
                "the [film|class|meeting|ride|bus trip|game] [starts|begins] at {t} and [lasts|takes] {n} minutes. when [does it end|is it over]?",
                "[the cake|the bread|the pizza] goes in at {t} and [needs|takes] {n} minutes. when is it [done|ready]?",
                "{t} plus {n} minutes[?| is what time?]",
                "{n} minutes after {t}[?| is when?]",
                "[i wait|we wait|she waits] from {t} on for {n} minutes. until when?",
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
