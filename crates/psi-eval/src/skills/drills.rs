//! Exercises of what every other skill is made of: to copy what was said, and to find what stands beside a
//! word, or that it stands nowhere. Nearly every word of an answer is told by the conversation alone, so a
//! small model learns here what in talk of people is hidden among words that it can guess.

use super::{
    Skill,
    notes::search,
    scene::{Outcome, Scene},
    words,
};
use crate::{draws::Draws, wording::Wordings};

const COPY: Wordings = Wordings {
    train: &[
        "[repeat|copy|echo|write|type|say] [this|it|the words|the line|exactly this][:| -] {text}",
        "[say|write|repeat] after me: {text}",
        "[can you |please |now |]repeat: {text}",
        "[tell me|give me|show me] this [again|once more|back]: {text}",
        "repeat word for word: {text}",
        "[again|once more|back to me]: {text}",
    ],
    eval: &["please echo these words: {text}", "say exactly: {text}"],
};

const LIST: Wordings = Wordings {
    train: &[
        "[note|list|table|here|text|look|entries]: {list}\n\n[what about|and|now|what is with|look up|find] {key}?",
        "{list}\n\n{key}?",
        "[i have|there is|here is] a list: {list}\n\n[what stands beside|what is beside|what goes with|what belongs to] {key}?",
        "[what goes with|what stands at|look up|find] {key}?\n\nnote: {list}",
    ],
    eval: &["see this list: {list}\n\nwhat is next to {key}?"],
};

const LOOK_ON: Wordings = Wordings {
    train: &["{key}?", "and {key}?", "[what about|now|look up|find|what is with] {key}?"],
    eval: &["then {key}?"],
};

/// Words to be said again.
pub(super) fn copy(scene: &mut Scene) -> Outcome {
    let n = 2 + scene.draws.below(4) + scene.draws.weighted(&[3.0, 2.0, 1.0]) * 8;
    let parts: Vec<String> = (0..n).map(|_| part(&mut scene.draws)).collect();
    let between = scene.draws.weighted(&[6.0, 1.0, 1.0]);
    let text = parts.join([" ", ", ", " - "][between]);
    let pattern = COPY.draw(&mut scene.draws);
    scene.user(&pattern, &[("text", &text)]);
    scene.reply(Skill::Copying, vec![format!("You said: {text}")])
}

/// A list of pairs, and up to four questions about it.
pub(super) fn look_up(scene: &mut Scene) -> Outcome {
    let n = 3 + scene.draws.below(5);
    let keys = different(&mut scene.draws, n + 3);
    let values = different(&mut scene.draws, n);
    let (sign, end) = (
        scene.draws.pick(&[": ", " = ", " is ", " - ", " has ", " at "]),
        scene.draws.pick(&[". ", "; ", ", ", "\n"]),
    );
    let lines: Vec<String> =
        keys.iter().zip(&values).map(|(key, value)| format!("{key}{sign}{value}")).collect();
    let list = lines.join(end);
    let mut order: Vec<usize> = (0..n + 3).collect();
    scene.draws.shuffle(&mut order);
    let n_asked = 1 + scene.draws.below(4);
    let mut asked = order.into_iter().take(n_asked);
    let first = asked.next().expect("at least one");
    let pattern = LIST.draw(&mut scene.draws);
    scene.user(&pattern, &[("list", &list), ("key", &keys[first])]);
    let mut outcome = answer(scene, &keys, &values, first);
    for at in asked {
        let pattern = LOOK_ON.draw(&mut scene.draws);
        scene.user(&pattern, &[("key", &keys[at])]);
        outcome = answer(scene, &keys, &values, at);
    }
    outcome
}

/// As a note is answered.
fn answer(scene: &mut Scene, keys: &[String], values: &[String], at: usize) -> Outcome {
    let passed = keys[..at.min(values.len())].iter().cloned();
    let thought = search(&keys[at], passed, values.get(at).map(String::as_str));
    scene.reply_from_note(Skill::LookingUp, thought, values.get(at).cloned())
}

/// One or two words, none of them twice.
fn different(draws: &mut Draws, n: usize) -> Vec<String> {
    let mut all: Vec<String> = Vec::with_capacity(n);
    while all.len() < n {
        let next = draws.until(|draws| {
            let text = match draws.below(3) {
                0 => format!("{} {}", part(draws), part(draws)),
                _ => part(draws),
            };
            (!all.contains(&text)).then_some(text)
        });
        all.push(next);
    }
    all
}

/// A word, a number, a time or a code.
fn part(draws: &mut Draws) -> String {
    match draws.weighted(&[10.0, 1.5, 1.0, 1.0]) {
        0 => words::unheard(draws),
        1 => {
            let n_digits = 1 + draws.below(5) as u32;
            draws.until(|draws| {
                let n = draws.between(0, 10_i64.pow(n_digits) - 1);
                let text = n.to_string();
                (n < 20 || draws.split().owns(&text)).then_some(text)
            })
        }
        2 => format!("{}:{:02}", draws.between(0, 23), draws.between(0, 59)),
        _ => draws.until(|draws| {
            let letter = |draws: &mut Draws| char::from(b'A' + draws.below(26) as u8);
            let code = format!("{}{}{}", letter(draws), draws.between(10, 99), letter(draws));
            draws.split().owns(&code).then_some(code)
        }),
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        skills::{Check, Message, generate_ending_in},
        split::Split,
    };

    #[test]
    fn what_is_to_be_copied_stands_in_the_question_and_what_is_found_in_the_list() {
        let mut n_absent = 0;
        for index in 0..300 {
            for (name, is_list) in [("copy", false), ("look-up", true)] {
                let made = generate_ending_in(name, Split::Train, 3, index).unwrap();
                let Check::Reply(accepted) = &made.check else { panic!("{:?}", made.check) };
                let said = |m: &Message| match m {
                    Message::User(text) => Some(text.clone()),
                    _ => None,
                };
                let all: Vec<String> = made.messages.iter().filter_map(said).collect();
                let answer = accepted[0].trim_start_matches("The note says: ");
                let answer = answer.trim_start_matches("You said: ");
                if is_list && answer == "The note does not say." {
                    n_absent += 1;
                    continue;
                }
                let answer = if is_list { answer.trim_end_matches('.') } else { answer };
                assert!(all.iter().any(|text| text.contains(answer)), "{answer:?} in {all:?}");
            }
        }
        assert!((60..200).contains(&n_absent), "{n_absent}");
    }
}
