//! Problems about what follows: order, kinship, sets, sentences.

use super::{Draft, listed};
use crate::{
    draws::Draws,
    skills::pools,
    wording::{Wordings, with_articles},
};

/// Who is tallest (or shortest) in a chain of comparisons.
pub(super) fn taller(draws: &mut Draws, level: usize) -> Draft {
    let names = draws.words(pools::NAMES, level + 3);
    let (word, least, most) = draws.pick(&[
        ("taller", "shortest", "tallest"),
        ("older", "youngest", "oldest"),
        ("faster", "slowest", "fastest"),
        ("richer", "poorest", "richest"),
    ]);
    let mut facts: Vec<String> =
        names.windows(2).map(|w| format!("{} is {word} than {}.", w[0], w[1])).collect();
    if level > 0 {
        draws.shuffle(&mut facts);
    }
    let first = draws.chance(0.5);
    let (asked, answer) = if first { (most, names[0]) } else { (least, names[names.len() - 1]) };
    Draft {
        asked: Wordings {
            train: &["{facts} who is the {w}?", "{facts} who is {w}?", "who is the {w}? {facts}"],
            eval: &["{facts} which of them is the {w}?", "{facts} name the {w}."],
        },
        slots: vec![("facts", facts.join(" ")), ("w", asked.to_owned())],
        reasoning: format!("{}. {asked}: {answer}.", names.join(" > ")),
        answer: answer.to_owned(),
    }
}

/// What one relative is to another over a third.
pub(super) fn kinship(draws: &mut Draws, level: usize) -> Draft {
    // (A is the .. of B, B is the .. of C, A is C's ..)
    const EASY: &[(&str, &str, &str)] = &[
        ("mother", "mother", "grandmother"),
        ("mother", "father", "grandmother"),
        ("father", "mother", "grandfather"),
        ("father", "father", "grandfather"),
    ];
    const MORE: &[(&str, &str, &str)] = &[
        ("sister", "mother", "aunt"),
        ("sister", "father", "aunt"),
        ("brother", "mother", "uncle"),
        ("brother", "father", "uncle"),
        ("son", "son", "grandson"),
        ("son", "daughter", "grandson"),
        ("daughter", "son", "granddaughter"),
        ("daughter", "daughter", "granddaughter"),
    ];
    const MOST: &[(&str, &str, &str)] = &[
        ("son", "brother", "nephew"),
        ("son", "sister", "nephew"),
        ("daughter", "brother", "niece"),
        ("daughter", "sister", "niece"),
        ("mother", "sister", "mother"),
        ("father", "brother", "father"),
        ("brother", "sister", "brother"),
        ("sister", "brother", "sister"),
    ];
    let names = draws.words(pools::NAMES, 3);
    let (a, b, c) = (names[0], names[1], names[2]);
    let (first, second, result) = draws.pick([EASY, MORE, MOST][level]);
    let mut facts = [format!("{a} is the {first} of {b}."), format!("{b} is the {second} of {c}.")];
    if draws.chance(0.3) {
        facts.swap(0, 1);
    }
    Draft {
        asked: Wordings {
            train: &[
                "{facts} what is {a} to {c}?",
                "{facts} how is {a} related to {c}?",
                "{facts} {a} is the ... of {c}?",
            ],
            eval: &["{facts} which relative of {c} is {a}?", "{facts} what does {c} call {a}?"],
        },
        slots: vec![("facts", facts.join(" ")), ("a", a.to_owned()), ("c", c.to_owned())],
        reasoning: format!(
            "{a} {first} of {b}, {b} {second} of {c}. {first} of {second}: {result}."
        ),
        answer: result.to_owned(),
    }
}

/// Whether something is in a list.
pub(super) fn member(draws: &mut Draws, level: usize) -> Draft {
    let n = [3, 5, 7][level];
    let words = draws.words(pools::WORDS, n + 1);
    let (list, stranger) = (&words[..n], words[n]);
    let wanted = if draws.chance(0.5) { draws.pick(list) } else { stranger };
    let mut steps = Vec::new();
    let mut answer = "no";
    for &word in list {
        if word == wanted {
            steps.push(format!("{word} yes"));
            answer = "yes";
            break;
        }
        steps.push(format!("{word} no"));
    }
    Draft {
        asked: Wordings {
            train: &[
                "is {w} in this list: {list}?",
                "{list}: is {w} one of them?",
                "does {w} occur in {list}?",
            ],
            eval: &["among {list}, is there {w}?", "do you find {w} in {list}?"],
        },
        slots: vec![("w", wanted.to_owned()), ("list", listed(list))],
        reasoning: format!("{wanted}: {}.", steps.join(", ")),
        answer: answer.to_owned(),
    }
}

/// What two lists share.
pub(super) fn both_lists(draws: &mut Draws, level: usize) -> Draft {
    let n = level + 2;
    let words = draws.words(pools::NAMES, 2 * n - 1);
    let shared = words[0];
    let mut first = words[..n].to_vec();
    let mut second = [&[shared], &words[n..]].concat();
    draws.shuffle(&mut first);
    draws.shuffle(&mut second);
    let mut steps = Vec::new();
    for &name in &first {
        steps.push(format!("{name} {}", if name == shared { "yes" } else { "no" }));
        if name == shared {
            break;
        }
    }
    Draft {
        asked: Wordings {
            train: &[
                "which name is in both lists: {one} and {two}?",
                "list one: {one}. list two: {two}. who is in both?",
                "{one}. {two}. which name occurs twice?",
            ],
            eval: &[
                "on monday came {one}; on tuesday came {two}. who came on both days?",
                "compare {one} with {two}: which name do they share?",
            ],
        },
        slots: vec![("one", listed(&first)), ("two", listed(&second))],
        reasoning: format!("{}.", steps.join(", ")),
        answer: shared.to_owned(),
    }
}

/// What does not belong with the others.
pub(super) fn odd_one_out(draws: &mut Draws, level: usize) -> Draft {
    let (main, other) = draws.until(|draws| {
        let (a, b) = (draws.pick(pools::KINDS), draws.pick(pools::KINDS));
        // Some oranges are a colour, and birds are animals.
        let alike = [("animal", "bird"), ("fruit", "colour"), ("fruit", "vegetable")];
        let clash = alike.contains(&(a.0, b.0)) || alike.contains(&(b.0, a.0));
        (a.0 != b.0 && !clash).then_some((a, b))
    });
    let mut members = main.1.to_vec();
    draws.shuffle(&mut members);
    members.truncate(level + 2);
    let odd = draws.pick(other.1);
    members.push(odd);
    draws.shuffle(&mut members);
    let steps: Vec<String> = members
        .iter()
        .map(|&m| format!("{m} {}", if m == odd { other.0 } else { main.0 }))
        .collect();
    Draft {
        asked: Wordings {
            train: &[
                "which one does not belong: {list}?",
                "which is the odd one out: {list}?",
                "{list}: which one is different?",
            ],
            eval: &[
                "one of {list} is not like the others. which?",
                "what does not fit in here: {list}?",
            ],
        },
        slots: vec![("list", listed(&members))],
        reasoning: format!("{}.", steps.join(", ")),
        answer: odd.to_owned(),
    }
}

/// All a are b; c is an a: is c a b?
pub(super) fn syllogism(draws: &mut Draws, level: usize) -> Draft {
    let mut kind = || pools::made_up_name(draws).to_lowercase();
    let (a, b, c) = (kind(), kind(), kind());
    let name = draws.word(pools::NAMES);
    let mut facts = vec![format!("{name} is a {a}.")];
    let (asked, reasoning, answer) = match draws.below(3) {
        0 if level > 0 => {
            facts.extend([format!("every {a} is a {b}."), format!("every {b} is a {c}.")]);
            (&c, format!("{name} {a}, {a} {b}, {b} {c}."), "yes")
        }
        0 => {
            facts.push(format!("every {a} is a {b}."));
            (&b, format!("{name} {a}, {a} {b}."), "yes")
        }
        1 => {
            facts.push(format!("no {a} is a {b}."));
            (&b, format!("{name} {a}, no {a} {b}."), "no")
        }
        _ => {
            facts.push(format!("every {b} is a {a}."));
            (&b, format!("{name} {a}, {b} {a}, but {a} {b} is not said."), "not known")
        }
    };
    if level == 2 {
        draws.shuffle(&mut facts);
    }
    Draft {
        asked: Wordings {
            train: &[
                "{facts} is {name} {k}? (yes, no or not known)",
                "{facts} so is {name} {k}? answer yes, no or not known.",
            ],
            eval: &[
                "{facts} can we say that {name} is {k}: yes, no or not known?",
                "{facts} would {name} be {k}? say yes, no or not known.",
            ],
        },
        slots: vec![
            ("facts", with_articles(&facts.join(" "))),
            ("name", name.to_owned()),
            ("k", with_articles(&format!(" a {asked}")).trim().to_owned()),
        ],
        reasoning,
        answer: answer.to_owned(),
    }
}

/// The value of a sentence of true, false, and, or, not.
pub(super) fn truth(draws: &mut Draws, level: usize) -> Draft {
    let value = |b: bool| if b { "true" } else { "false" };
    let mut result = draws.chance(0.5);
    let mut said = value(result).to_owned();
    let mut steps = Vec::new();
    for _ in 0..level + 1 {
        let (right, negated, and) = (draws.chance(0.5), draws.chance(0.3), draws.chance(0.5));
        let term = right != negated;
        let word = if and { "and" } else { "or" };
        let next = if and { result && term } else { result || term };
        let not = if negated { "not " } else { "" };
        said = format!("({said}) {word} {not}{}", value(right));
        if negated {
            steps.push(format!("not {} is {}.", value(right), value(term)));
        }
        steps.push(format!("{} {word} {} is {}.", value(result), value(term), value(next)));
        result = next;
    }
    let said = said.replacen("(true)", "true", 1).replacen("(false)", "false", 1);
    Draft {
        asked: Wordings {
            train: &["is this true or false: {s}?", "what is {s}? true or false?", "evaluate {s}."],
            eval: &["say whether {s} comes out true or false.", "{s}: true, or false?"],
        },
        slots: vec![("s", said)],
        reasoning: steps.join(" "),
        answer: value(result).to_owned(),
    }
}
