//! Problems about what follows: order, kinship, sets, sentences.

use super::{Draft, listed};
use crate::{
    draws::Draws,
    skills::{pools, words},
    wording::{Wordings, with_articles},
};

/// Who is tallest (or shortest) in a chain of comparisons.
pub(super) fn taller(draws: &mut Draws, level: usize) -> Draft {
    let names = words::several(draws, pools::NAMES, level + 3);
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
    let (asked, answer) = if first { (most, &names[0]) } else { (least, &names[names.len() - 1]) };
    Draft {
        asked: Wordings {
            train: &[
                "{facts} ?:who [is|would be] the {w}",
                "{facts} =:the [name of the |]{w}[ of them| one| person|]",
                "{facts} !:find the {w}[ of them|]",
                "{facts} who is [the |]{w}[ of all| of them all|]?",
                "{facts} who of them is the {w}?",
                "{facts} so who is the {w}?",
                "{facts} who must be the {w}?",
                "who is the {w}[ of them|]? {facts}",
                "who is the {w} if {facts}",
                "[tell me|say] who is the {w}. {facts}",
                "{facts} the {w} is who?",
                "given that {facts} who is the {w}?",
                "here is what we know: {facts} who is the {w}?",
                "{facts} can you [say|tell] who the {w} is?",
                "{facts} from this, who is the {w}?",
                "{facts} which name is the {w}?",
                "{facts} conclude who is the {w}.",
                "{facts} we want to know the {w}. who is it?",
                "find out who is the {w}: {facts}",
                "work out the {w}: {facts}",
                "{facts} the {w} of them is called?",
                "{facts} and the {w} is?",
                "{facts} who comes out as the {w}?",
                "a puzzle: {facts} who is the {w}?",
                "read this: {facts} which one of them is the {w}?",
                "{facts} !:work out who is the {w}",
            ],
            eval: &["{facts} which of them is the {w}?", "{facts} name the {w}."],
        },
        slots: vec![("facts", facts.join(" ")), ("w", asked.to_owned())],
        reasoning: format!("{}. {asked}: {answer}.", names.join(" > ")),
        answer: answer.clone(),
    }
}

const KINSHIP: Wordings = Wordings {
    train: &[
        "{facts} ?:[what|who] {a} is to {c}",
        "{facts} ?:how {a} is related to {c}",
        "{facts} ?:what {a} and {c} are: {a} is the ... of {c}",
        "{facts} what is {a} to {c}?",
        "{facts} who is {a} to {c}?",
        "{facts} how is {a} related to {c}?",
        "{facts} {a} is the ... of {c}?",
        "{facts} {a} is [what|who] [of|to] {c}?",
        "{facts} what [relation|family] is {a} [to|of] {c}?",
        "{facts} {c} and {a}: what is {a} to {c}?",
        "[what|who] is {a} to {c} if {facts}",
        "{facts} so what is {a} to {c}?",
        "{facts} so {a} is {c}'s what?",
        "{facts} {a} is {c}'s ...?",
        "{facts} in what way is {a} related to {c}?",
        "{facts} what kind of relative is {a} to {c}?",
        "{facts} what is the relation of {a} to {c}?",
        "{facts} what is the relationship between {a} and {c}? {a} is the ...",
        "{facts} name the relation of {a} to {c}.",
        "given that {facts} what is {a} to {c}?",
        "a family puzzle: {facts} what is {a} to {c}?",
        "{facts} =:the relation of {a} to {c}",
        "{facts} ?:which relative {a} is to {c}",
        "{facts} !:say how {a} is related to {c}",
        "{facts} for {c}, who is {a}?",
        "{facts} then {a} must be which relative of {c}?",
        "how are they related, {a} and {c}? {facts} {a} is the ...",
    ],
    eval: &["{facts} which relative of {c} is {a}?", "{facts} what does {c} call {a}?"],
};

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
    let names = words::several(draws, pools::NAMES, 3);
    let (a, b, c) = (&names[0], &names[1], &names[2]);
    let (first, second, result) = draws.pick([EASY, MORE, MOST][level]);
    let mut facts = [format!("{a} is the {first} of {b}."), format!("{b} is the {second} of {c}.")];
    if draws.chance(0.3) {
        facts.swap(0, 1);
    }
    Draft {
        asked: KINSHIP,
        slots: vec![("facts", facts.join(" ")), ("a", a.clone()), ("c", c.clone())],
        reasoning: format!(
            "{a} {first} of {b}, {b} {second} of {c}. {first} of {second}: {result}."
        ),
        answer: result.to_owned(),
    }
}

/// Whether something is in a list.
pub(super) fn member(draws: &mut Draws, level: usize) -> Draft {
    let n = [3, 5, 7][level];
    let words = words::several(draws, pools::WORDS, n + 1);
    let list = &words[..n];
    let wanted = if draws.chance(0.5) { &list[draws.below(n)] } else { &words[n] };
    let mut steps = Vec::new();
    let mut answer = "no";
    for word in list {
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
                "?:whether {w} is in [this list: |]{list}",
                "?:if {w} is [one of|in|part of|among] {list}",
                "!:check if {w} is [in|one of|among] {list}",
                "!:look for {w} in {list}",
                "is {w} in [this list|the list|these words]: {list}?",
                "is {w} [one of|part of|in] {list}?",
                "{list}: is {w} [one of them|there|in it|included]?",
                "does {w} [occur|appear] in {list}?",
                "does [the list|this list] {list} [have|contain|include] {w}?",
                "[i have|we have|there are] {list}. do [i|we] have {w}?",
                "can you see {w} in {list}?",
                "{list}. {w} too?",
                "!:say whether {list} has {w}",
                "!:find out whether {w} is among {list}",
                "?:whether {list} contains {w}",
                "?:if {w} can be found in {list}",
                "can {w} be found in {list}?",
                "can {w} be found among {list}?",
                "is {w} among {list}?",
                "is {w} among these: {list}?",
                "is {w} on this list: {list}?",
                "is {w} mentioned in {list}?",
                "is {w} contained in {list}?",
                "is {w} a member of {list}?",
                "does {list} include {w}?",
                "does {list} contain {w}?",
                "here is a list: {list}. is {w} on it?",
                "here is a list: {list}. does it contain {w}?",
                "the list is {list}. is {w} on it?",
                "given {list}, is {w} there?",
                "my list says {list}. did i write down {w}?",
                "the box holds {list}. is {w} inside?",
                "in the bag are {list}. is {w} one of them?",
                "{w}: is it in {list}?",
                "{w} in {list}, yes or no?",
                "{w} - part of {list} or not?",
                "yes or no: is {w} in {list}?",
            ],
            eval: &["among {list}, is there {w}?", "do you find {w} in {list}?"],
        },
        slots: vec![("w", wanted.clone()), ("list", listed(list))],
        reasoning: format!("{wanted}: {}.", steps.join(", ")),
        answer: answer.to_owned(),
    }
}

/// What two lists share.
pub(super) fn both_lists(draws: &mut Draws, level: usize) -> Draft {
    let n = level + 2;
    let words = words::several(draws, pools::NAMES, 2 * n - 1);
    let shared = &words[0];
    let mut first = words[..n].to_vec();
    let mut second = words[n..].to_vec();
    second.insert(0, shared.clone());
    draws.shuffle(&mut first);
    draws.shuffle(&mut second);
    let mut steps = Vec::new();
    for name in &first {
        steps.push(format!("{name} {}", if name == shared { "yes" } else { "no" }));
        if name == shared {
            break;
        }
    }
    Draft {
        asked: Wordings {
            train: &[
                "=:the name in both lists: {one} and {two}",
                "?:which name is in both {one} and {two}",
                "?:who is in [both lists|the two lists]: {one} and {two}",
                "!:find the name in both lists: {one} and {two}",
                "which name is in both [lists: |]{one} and {two}?",
                "list one: {one}. list two: {two}. who is [in both|on both|in the two lists]?",
                "{one}. {two}. which name [occurs|appears|comes] twice?",
                "[the first|one] [team|group|class] is {one}. the [second|other] is {two}. who is in both?",
                "a: {one}. b: {two}. [which name is in both|who is in a and b]?",
                "{one} and {two}: what do they have in common?",
                "{one} / {two} - the common name[?|]",
                "who is in {one} and also in {two}?",
                "=:the common name of {one} and {two}",
                "=:the name shared by {one} and {two}",
                "=:the person on both lists: {one} and {two}",
                "?:who belongs to both {one} and {two}",
                "!:compare {one} with {two} and find the common name",
                "!:name the person who is in both {one} and {two}",
                "what name do {one} and {two} share?",
                "which name do the two lists have in common: {one} and {two}?",
                "here are two lists: {one}; {two}. who is on both?",
                "group a: {one}. group b: {two}. who belongs to both groups?",
                "team one: {one}. team two: {two}. who plays in both teams?",
                "one club has {one}, the other one has {two}. who is a member of both?",
                "invited were {one}. present were {two}. who was invited and present?",
                "{one} - {two}: who is in both?",
                "first {one}, then {two}. which name is repeated?",
                "who appears in the first list and in the second: {one}; {two}?",
                "the overlap of {one} and {two}?",
                "the intersection of {one} and {two}[?|.]",
                "which person is listed twice: {one} and {two}?",
                "{one} and {two} have one name in common. which?",
            ],
            eval: &[
                "on monday came {one}; on tuesday came {two}. who came on both days?",
                "compare {one} with {two}: which name do they share?",
            ],
        },
        slots: vec![("one", listed(&first)), ("two", listed(&second))],
        reasoning: format!("{}.", steps.join(", ")),
        answer: shared.clone(),
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
                "=:the odd one [out |][in|of] {list}",
                "=:the one that does not belong[ here|]: {list}",
                "?:which [one |]does not belong[ here|]: {list}",
                "?:which is the odd one out: {list}",
                "!:find the odd one out: {list}",
                "!:pick [what|the one that] does not belong: {list}",
                "which one [does not belong|is different|is wrong here|should go]: {list}?",
                "which is the odd one out: {list}?",
                "{list}: which one is [different|not of the same kind|the odd one out]?",
                "{list}: which one does not belong?",
                "{list} - which of these is [another kind|something else]?",
                "all but one of {list} are [the same kind|of a kind]. [which one is not|which is the other]?",
                "=:the word that does not fit: {list}",
                "=:the stranger in {list}",
                "=:the item that is different from the rest: {list}",
                "?:which word does not fit with the others: {list}",
                "?:which of them is not like the others: {list}",
                "!:spot the odd one out: {list}",
                "!:name the word that does not fit: {list}",
                "!:say which one is out of place: {list}",
                "which word doesn't fit: {list}?",
                "which one doesn't belong: {list}?",
                "which of these is not like the others: {list}?",
                "which of these doesn't match the rest: {list}?",
                "what is out of place here: {list}?",
                "here are some words: {list}. which one does not fit?",
                "look at {list}. which is the odd one?",
                "{list}: one does not fit. which?",
                "{list}: which word is out of place?",
                "{list}: find the one that is different.",
                "{list} - who is the outsider?",
                "{list}. three go together, one does not: which?",
                "one of these is different: {list}. which one?",
                "in {list}, which one is not like the rest?",
                "which one would you take away so that the rest belong together: {list}?",
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
    let name = words::of(draws, pools::NAMES);
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
                "{facts} is {name} {k}: yes, no or not known?",
                "{facts} is {name} {k}? yes, no, not known?",
                "{facts} is it true that {name} is {k}? [answer|reply|choose] yes, no or not known.",
                "{facts} does it follow that {name} is {k}? (yes, no, not known)",
                "{facts} ?:whether {name} is {k}: yes, no or not known",
                "{facts} must {name} be {k}? [answer|reply] yes, no or not known.",
                "{facts} {name} is {k}: yes, no or not known?",
                "yes, no or not known: is {name} {k}? {facts}",
                "{facts} then {name} is {k} - yes, no or not known?",
                "suppose that {facts} is {name} {k}? say yes, no or not known.",
                "we know this: {facts} is {name} {k}? yes, no or not known?",
                "given these facts, {facts} is {name} {k}? (yes / no / not known)",
                "{facts} is {name} {k}, then? yes, no or not known.",
                "{facts} would {name} be {k}? yes, no or not known.",
                "{facts} do we know that {name} is {k}? say yes, no or not known.",
                "{facts} decide: is {name} {k}? yes, no or not known.",
                "{facts} question: is {name} {k}? possible answers: yes, no, not known.",
                "{facts} what follows: is {name} {k}? (yes, no or not known)",
                "{facts} from this, is {name} {k}? answer with yes, no or not known.",
                "{facts} therefore {name} is {k}: yes, no or not known?",
                "{facts} {name} has to be {k}: yes, no or not known?",
                "is {name} {k} (yes, no or not known)? {facts}",
                "a logic question: {facts} is {name} {k}: yes, no or not known?",
                "choose yes, no or not known: is {name} {k}? {facts}",
            ],
            eval: &[
                "{facts} can we say that {name} is {k}: yes, no or not known?",
                "{facts} would {name} be {k}? say yes, no or not known.",
            ],
        },
        slots: vec![
            ("facts", with_articles(&facts.join(" "))),
            ("name", name.clone()),
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
            train: &[
                "is this true or false: {s}?",
                "what is {s}? true or false?",
                "!:[evaluate|compute|work out|solve|decide|calculate|find the value of] {s}",
                "=:the value of {s}",
                "=:the truth of {s}",
                "?:whether {s} is true or false",
                "?:what {s} is, true or false",
                "?:what {s} gives",
                "{s} - true, or is it false?",
                "{s} is true or false?",
                "{s}: is it true or false?",
                "{s}: is that true?",
                "true or false: {s}[?|]",
                "does {s} hold?",
                "does {s} come out true or false?",
                "is {s} true?",
                "is {s} true or false?",
                "is {s} false or true?",
                "=:the result of {s}",
                "=:the truth value of {s}",
                "?:if {s} is true",
                "!:simplify {s}",
                "!:determine [whether|if] {s} is true or false",
                "!:say [whether|if] {s} is true",
                "what does {s} give?",
                "what does {s} evaluate to?",
                "what is the result of {s}?",
                "what is the truth value of {s}?",
                "what do i get for {s}?",
                "{s} =",
                "{s} = ?",
                "{s}: true/false?",
                "{s} evaluates to?",
                "{s} comes out as what?",
                "logic: {s}?",
                "in logic, what is {s}?",
                "compute: {s}.",
                "evaluate: {s}.",
                "true/false: {s}?",
            ],
            eval: &["say whether {s} comes out true or false.", "{s}: true, or false?"],
        },
        slots: vec![("s", said)],
        reasoning: steps.join(" "),
        answer: value(result).to_owned(),
    }
}
