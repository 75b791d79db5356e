//! The generated conversations: deterministic, right by their own tools, and with nothing shared between
//! the splits.

use std::collections::HashSet;

use psi_eval::{
    skills::{Check, Conversation, Message, Mix, generate, generate_ending_in, tools::Tool},
    split::Split,
};

fn conversations(split: Split, n: u64) -> Vec<Conversation> {
    (0..n).map(|index| generate(split, 11, index, &Mix::default())).collect()
}

fn user_texts(conversations: &[Conversation]) -> Vec<&str> {
    let all = conversations.iter().flat_map(|c| &c.messages);
    all.filter_map(|m| match m {
        Message::User(text) => Some(text.as_str()),
        _ => None,
    })
    .collect()
}

#[test]
fn the_same_address_gives_the_same_conversation() {
    for split in [Split::Train, Split::Eval] {
        for index in 0..200 {
            let (a, b) = (
                generate(split, 3, index, &Mix::default()),
                generate(split, 3, index, &Mix::default()),
            );
            assert_eq!(a.to_json().to_string(), b.to_json().to_string());
        }
    }
}

#[test]
fn every_call_fits_its_schema_and_every_answer_is_what_the_tool_says() {
    for split in [Split::Train, Split::Eval] {
        for kind in Mix::names() {
            for index in 0..150 {
                let conversation = generate_ending_in(kind, split, 5, index).expect("a known kind");
                replay(&conversation);
            }
        }
    }
}

/// Plays the scored exchange in the world it happened in.
fn replay(conversation: &Conversation) {
    let mut world = conversation.world.clone();
    let mut answers = Vec::new();
    for message in &conversation.messages[conversation.scored_from..] {
        match message {
            Message::Assistant(turn) => {
                for call in &turn.calls {
                    let tool = Tool::find(&call.name).expect("a known tool");
                    tool.check(&call.arguments).expect("its arguments");
                    answers.push(world.run(call));
                }
                if turn.calls.is_empty() {
                    match &conversation.check {
                        Check::Reply(accepted) => assert!(accepted.contains(&turn.content)),
                        Check::Problem(problem) => assert!(problem.verify(&turn.content)),
                    }
                }
            }
            Message::Tool(text) => {
                assert_eq!(*text, answers.remove(0), "{conversation:?}");
                assert!(!text.starts_with("error"), "{conversation:?}");
            }
            other => panic!("{other:?} in an answer"),
        }
    }
}

#[test]
fn what_a_fact_is_asked_for_by_is_found_in_the_answer() {
    for split in [Split::Train, Split::Eval] {
        for kind in ["recall", "recall-later"] {
            for index in 0..400 {
                let conversation = generate_ending_in(kind, split, 9, index).expect("a known kind");
                let answer = &conversation.messages[conversation.scored_from..];
                let [_, Message::Tool(found), Message::Assistant(last)] = answer else {
                    panic!("{answer:?}");
                };
                let said =
                    last.content.trim_start_matches("You told me that ").trim_end_matches('.');
                // "your" is "my" again; the last words of a fact are never turned.
                let tail = said.rsplit(' ').next().expect("some word");
                let known = found == "nothing found" || !last.content.starts_with("You told me");
                assert!(known || found.contains(tail), "{found} / {}", last.content);
            }
        }
    }
}

#[test]
fn no_user_message_of_the_evaluation_split_occurs_in_training() {
    let plain = |text: &str| -> String {
        text.to_lowercase().chars().filter(|c| c.is_alphanumeric() || *c == ' ').collect()
    };
    let (train, eval) = (conversations(Split::Train, 20_000), conversations(Split::Eval, 4_000));
    let seen: HashSet<String> = user_texts(&train).into_iter().map(plain).collect();
    for text in user_texts(&eval) {
        assert!(!seen.contains(&plain(text)), "{text}");
    }
}

#[test]
fn numbers_and_rare_words_of_the_evaluation_split_do_not_occur_in_training() {
    let (train, eval) = (conversations(Split::Train, 6_000), conversations(Split::Eval, 2_000));
    // Names are capitalised words inside a sentence; numbers from 20 on belong to one split.
    let owned = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
        let number = |w: &&str| w.len() >= 3 && w.bytes().all(|b| b.is_ascii_digit());
        words.filter(number).map(str::to_owned).collect()
    };
    let sums = |all: &[Conversation]| -> HashSet<String> {
        let scored = all.iter().filter(|c| c.skill.name() == "calculation");
        scored
            .filter_map(|c| match &c.messages[c.scored_from - 1] {
                Message::User(text) => Some(owned(text)),
                _ => None,
            })
            .flatten()
            .collect()
    };
    let (train, eval) = (sums(&train), sums(&eval));
    assert!(train.len() > 200 && eval.len() > 50, "{} {}", train.len(), eval.len());
    // Roots are squares of numbers that may be anyone's; all other numbers are apart.
    let shared: Vec<_> = train.intersection(&eval).collect();
    assert!(shared.is_empty(), "{shared:?}");
}
