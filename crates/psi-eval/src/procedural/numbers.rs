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
                "=:the {w} value among {list}",
                "=:the {w} among {list}",
                "?:which of {list} is [the |]{w}",
                "!:name the {w} [number |]in {list}",
                "!:give the {w} of these [numbers|values]: {list}",
                "out of {list}, which [number |]is the {w}?",
                "of the numbers {list}, which is the {w}?",
                "of {list}, what is the {w}?",
                "given {list}, which is the {w}?",
                "look at {list}. what is the {w} number?",
                "here are some numbers: {list}. which is the {w}?",
                "the numbers are {list}. what is the {w}?",
                "compare {list}: which is the {w}?",
                "compare these: {list}. the {w} is?",
                "which number is {w}: {list}?",
                "which value is the {w}: {list}?",
                "find the {w}: {list}.",
                "{w} of {list}[?|.]",
                "{w} number: {list}[?|.]",
                "{list} - the {w}[?|.]",
                "they scored {list}. which score is the {w}?",
                "the prices are {list}. which one is the {w}?",
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
                "is {n} an odd or an even number?",
                "would you say {n} is odd or even?",
                "do you call {n} even or odd?",
                "?:what kind of number {n} is, even or odd",
                "!:say whether {n} is odd or even",
                "!:tell even from odd: {n}",
                "!:classify {n} as even or odd",
                "!:determine whether {n} is even or odd",
                "odd or even: {n}?",
                "odd or even, {n}?",
                "the number is {n}. even or odd?",
                "the number is {n}. is it odd or even?",
                "take {n}. is it even or odd?",
                "{n} - even or odd?",
                "{n}, is that even or odd?",
                "{n}, an even number or an odd one?",
                "parity of {n}[?|.]",
                "what is the parity of {n}?",
                "is {n} divisible by two, so is it even or odd?",
                "can {n} be halved evenly: is it even or odd?",
                "house number {n}: is that even or odd?",
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
                "=:the count of {w} numbers in {list}",
                "=:how many {w} numbers {list} has",
                "?:how many {w} numbers {list} contains",
                "!:find how many numbers in {list} are {w}",
                "!:go through {list} and count the {w} numbers",
                "out of {list}, how many are {w}?",
                "among {list}, how many are {w}?",
                "of the numbers {list}, how many are {w}?",
                "of {list}, how many [are|would be] {w}?",
                "given {list}, how many are {w}?",
                "here are some numbers: {list}. how many of them are {w}?",
                "look at {list}. how many {w} numbers are there?",
                "the numbers are {list}. how many are {w}?",
                "how many numbers in {list} are {w}?",
                "how many {w} numbers does {list} have?",
                "how many {w} numbers do you count in {list}?",
                "what is the number of {w} numbers in {list}?",
                "count the {w}: {list}.",
                "{w} ones among {list}: how many?",
                "{list} - how many {w} numbers?",
                "{list} - count of {w} numbers[?|.]",
                "number of {w} values in {list}[?|.]",
                "the tickets are {list}. how many tickets are {w}?",
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

const SEQUENCE: Wordings = Wordings {
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
        "=:the following number of {list}",
        "=:the missing last number of {list}, ...",
        "=:the number after the last one in {list}",
        "=:the next term of {list}",
        "=:the next term in the sequence {list}",
        "?:what number should come next in {list}",
        "?:how {list} goes on",
        "?:how the [series|sequence|row] {list} continues",
        "!:give the next [term|number|value] of {list}",
        "!:predict the next number: {list}",
        "!:complete the sequence: {list}, ...",
        "!:complete the pattern: {list}, ...",
        "!:write the number that follows {list}",
        "!:work out which number follows {list}",
        "here is a sequence: {list}. what comes next?",
        "here is a row of numbers: {list}. which one is next?",
        "look at the pattern {list}. what is the next number?",
        "the sequence starts {list}. [how does it go on|what is the next term|what is next]?",
        "the series goes {list}. what follows?",
        "the numbers go {list}. which number is next?",
        "given {list}, what is the next [number|term]?",
        "in the sequence {list}, which number comes next?",
        "in the row {list}, what comes after the last number?",
        "{list}, ... which number goes on?",
        "{list}, ... what is the next one?",
        "{list}, ?",
        "{list}, __",
        "{list} and so on: what is the next number?",
        "{list}: what follows?",
        "{list}: next number[?|.]",
        "next number: {list}[?|.]",
        "next term: {list}, ...",
        "how does this go on: {list}?",
        "how does the sequence continue: {list}, ...?",
        "what would be next after {list}?",
        "what should come after {list}?",
        "which number belongs after {list}?",
        "if it goes {list}, what is the number after that?",
        "someone counts {list}. what does she say next?",
    ],
    eval: &["how does it go on: {list}?", "after {list} follows which number?"],
};

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
        asked: SEQUENCE,
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
                "=:the total of the digits of {n}",
                "=:the digits of {n} added [up|together]",
                "=:the sum you get from the digits of {n}",
                "?:what you get when you add the digits of {n}",
                "?:what the sum of the digits in {n} is",
                "!:take the digits of {n} and add them",
                "!:total the digits of {n}",
                "!:work out the digit sum of {n}",
                "!:find the digit sum of {n}",
                "the number is {n}. what is the sum of its digits?",
                "the number is {n}. add up its digits.",
                "add up the single digits of {n}.",
                "if i add the digits of {n}, what do i get?",
                "what do the digits of {n} sum to?",
                "what do you get if you add all digits of {n}?",
                "what is the total of the digits in {n}?",
                "sum of digits: {n}[?|.]",
                "digits of {n}, summed[?|.]",
                "{n}: digit sum[?|.]",
                "{n}: add the digits.",
                "take {n} apart and add its digits: what comes out?",
                "how much do the digits of {n} make?",
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
                "there are {n} {things} for {p} [people|guests|children]. after sharing evenly, how many are left over?",
                "{p} [people|guests|children|pupils] divide {n} {things} equally. what remains?",
                "{n} {things} are dealt out evenly to {p} [players|people|children]. how many are left?",
                "{n} {things} are handed out fairly to {p} [people|children]. how many remain?",
                "if {p} [people|children] share {n} {things} fairly, how many are left over?",
                "if you give the same number of {things} to each of {p} people and have {n}, how many are left?",
                "divide {n} {things} into {p} equal [parts|piles|groups]. how many are left over?",
                "{n} {things} go into {p} equal piles. how many do not fit?",
                "{n} {things}, {p} per [box|bag|row]. how many are left at the end?",
                "packing {p} {things} in each box, how many of {n} are left over?",
                "i have {n} {things} and fill bags with {p} each. how many are left over?",
                "=:the number of {things} left over when {n} are shared by {p} people",
                "=:what remains when {n} {things} are divided among {p}",
                "?:how many {things} remain when {n} are divided among {p} people",
                "!:divide {n} {things} among {p} people and give the remainder",
                "a teacher gives {n} {things} to {p} pupils, each gets equally many. how many stay with her?",
                "{n} {things} shared by {p}: remainder[?|.]",
                "what is left if {n} {things} are split evenly [between|among] {p} people?",
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
                "given that {facts} who has the {w} {things}?",
                "here is what we know: {facts} who has the {w}?",
                "{facts} which person has the {w}[ {things}|]?",
                "{facts} which of them has the {w}[ {things}|]?",
                "{facts} tell me who has the {w}.",
                "{facts} name the person with the {w} {things}.",
                "{facts} who owns the {w} {things}?",
                "{facts} who ends up with the {w} {things}?",
                "{facts} who holds the {w}?",
                "{facts} the {w} belongs to?",
                "{facts} the person with the {w} {things} is?",
                "find the one with the {w} {things}: {facts}",
                "compare them: {facts} who has the {w}?",
                "{facts} ?:which of them has the {w}[ {things}|]",
                "{facts} !:name the one who has the {w}[ {things}|]",
                "{facts} =:the one who has the {w}",
                "look: {facts} and who has the {w} {things}?",
                "{facts} of all of them, who has the {w}?",
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
                "given that {facts} how many {things} are there in all?",
                "{facts} how many {things} is that altogether?",
                "{facts} how many {things} do they own altogether?",
                "{facts} altogether, how many {things} do they have?",
                "{facts} in total, how many {things} are there?",
                "{facts} what is the total?",
                "{facts} what is the total number of {things}?",
                "{facts} what do they have in total?",
                "{facts} count all the {things}: how many?",
                "{facts} how many {things} does the whole group have?",
                "{facts} all in all, how many {things} are there?",
                "{facts} how many {things} would be in one box if all of them were put in?",
                "find the total: {facts}",
                "add it up: {facts} how many {things}?",
                "{facts} ?:how many {things} they have altogether",
                "{facts} ?:what the total is",
                "{facts} =:the total",
                "{facts} !:find the total number of {things}",
                "{facts} !:count all {things}",
                "{facts} taken together, how many {things} is that?",
                "{facts} as a group, they have how many {things}?",
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
                "the clock shows {t}. what will it show in {n} minutes?",
                "the clock says {t}. what does it say {n} minutes later?",
                "my watch shows {t}. what time will it be in {n} minutes?",
                "right now it is {t}. what time will it be {n} minutes from now?",
                "starting at {t}, what time is it after {n} minutes?",
                "starting from {t}, {n} minutes pass. what time is it?",
                "if it is {t} now, what time is it in {n} minutes?",
                "if something begins at {t} and takes {n} minutes, when does it end?",
                "the train leaves at {t} and takes {n} minutes. when does it arrive?",
                "the bus leaves at {t} and needs {n} minutes. what time does it arrive?",
                "a lesson starts at {t} and goes on for {n} minutes. what time is it over?",
                "she goes for a run at {t} and is back {n} minutes later. when is she back?",
                "i set a timer for {n} minutes at {t}. when does it ring?",
                "at {t} i said: in {n} minutes. what time did i mean?",
                "=:the clock time {n} minutes from {t}",
                "=:the time {n} minutes later than {t}",
                "?:what the clock shows {n} minutes after {t}",
                "!:move {t} forward by {n} minutes",
                "!:find the time {n} minutes after {t}",
                "{t}, {n} minutes later[?| - what time?]",
                "{t} and {n} minutes more: what time?",
                "which time is {n} minutes after {t}?",
                "time {n} minutes after {t}[?|.]",
                "what is {t} plus {n} minutes?",
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
