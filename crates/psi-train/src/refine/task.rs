//! What is practised: problems with one answer, and exchanges over several turns with tools.

use psi_eval::{
    draws::Draws,
    procedural::{FAMILIES, LEVELS, Problem},
    skills::{Conversation, Mix, Play, generate_ending_in, tools::definitions, turn::Turn},
    split::Split,
};
use psi_infer::rng;
use serde_json::{Value, json};

/// A source of prompts with a verifier; the same objects that evaluation uses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Task {
    /// Index into [`FAMILIES`].
    Problems(usize),
    /// The name of a kind of exchange.
    Exchanges(&'static str),
}

impl PartialEq for Task {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Task {
    pub(crate) fn named(name: &str) -> Option<Self> {
        let family = FAMILIES.iter().position(|f| f.name == name).map(Self::Problems);
        let kind = || Mix::names().into_iter().find(|n| *n == name).map(Self::Exchanges);
        family.or_else(kind)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Problems(i) => FAMILIES[i].name,
            Self::Exchanges(name) => name,
        }
    }

    /// How many levels of difficulty there are to choose from.
    pub(crate) fn levels(self) -> usize {
        match self {
            Self::Problems(_) => LEVELS,
            Self::Exchanges(_) => 1,
        }
    }

    /// Prompt `index` of the training stream `seed`; a problem is asked in garbled words with probability
    /// `garbled`.
    pub(crate) fn practice(self, seed: u64, index: u64, level: usize, garbled: f64) -> Prompt {
        match self {
            Self::Problems(i) if rng::uniform(rng::mix(seed), index) < garbled => {
                let mut draws = Draws::new(Split::Train, seed, index);
                Prompt::Problem(FAMILIES[i].garbled(&mut draws, level))
            }
            _ => self.prompt(Split::Train, seed, index, level),
        }
    }

    /// Prompt `index` of the stream (`split`, `seed`).
    pub(crate) fn prompt(self, split: Split, seed: u64, index: u64, level: usize) -> Prompt {
        match self {
            Self::Problems(i) => {
                let mut draws = Draws::new(split, seed, index);
                Prompt::Problem(FAMILIES[i].problem(&mut draws, level))
            }
            Self::Exchanges(name) => {
                let conversation = generate_ending_in(name, split, seed, index);
                // Every name of the mix has conversations.
                Prompt::Exchange(Box::new(conversation.expect("a kind of the mix")))
            }
        }
    }
}

/// Something to answer.
#[derive(Clone, Debug)]
pub(crate) enum Prompt {
    Problem(Problem),
    Exchange(Box<Conversation>),
}

/// One attempt at a prompt.
#[derive(Clone, Debug)]
pub(crate) enum Attempt {
    Problem { problem: Problem, messages: Vec<Value>, written: Option<String> },
    Exchange { conversation: Box<Conversation>, play: Box<Play>, last: String },
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The verifier's.
    pub(crate) is_correct: bool,
    /// Tags are closed, and there was a thought before the answer (in an exchange: before, or no
    /// thought was needed).
    pub(crate) is_formed: bool,
}

impl Attempt {
    pub(crate) fn new(prompt: &Prompt) -> Self {
        match prompt {
            Prompt::Problem(problem) => Self::Problem {
                messages: vec![json!({ "role": "user", "content": problem.question })],
                problem: problem.clone(),
                written: None,
            },
            Prompt::Exchange(conversation) => Self::Exchange {
                play: Box::new(Play::new(conversation)),
                conversation: conversation.clone(),
                last: String::new(),
            },
        }
    }

    /// What has been said.
    pub(crate) fn messages(&self) -> Value {
        match self {
            Self::Problem { messages, .. } => Value::Array(messages.clone()),
            Self::Exchange { play, .. } => Value::Array(play.messages().to_vec()),
        }
    }

    /// The tools that may be called.
    pub(crate) fn tools(&self) -> Option<Value> {
        matches!(self, Self::Exchange { .. }).then(definitions)
    }

    /// Takes a turn of the model; whether it is to write another one (after results of tools).
    pub(crate) fn take(&mut self, text: String) -> bool {
        match self {
            Self::Problem { written, .. } => {
                *written = Some(text);
                false
            }
            Self::Exchange { play, last, .. } => {
                last.clone_from(&text);
                play.take(text);
                !play.is_done()
            }
        }
    }

    pub(crate) fn judge(self) -> Verdict {
        match self {
            Self::Problem { problem, written, .. } => {
                let turn = written.and_then(|text| Turn::parse(&text).ok());
                Verdict {
                    is_correct: turn.as_ref().is_some_and(|t| problem.verify(&t.content)),
                    is_formed: turn.is_some_and(|t| t.reasoning.is_some()),
                }
            }
            Self::Exchange { conversation, play, last } => {
                let is_done = play.is_done();
                let answer = play.judge(&conversation);
                Verdict {
                    is_correct: answer.calls_right && answer.reply_right,
                    is_formed: is_done && Turn::parse(&last).is_ok(),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_family_or_a_kind_is_a_task_and_others_are_not() {
        for name in FAMILIES.iter().map(|f| f.name).chain(Mix::names()) {
            assert_eq!(Task::named(name).unwrap().name(), name);
        }
        assert!(Task::named("chess").is_none());
    }

    #[test]
    fn the_right_answer_with_a_thought_is_correct_and_formed() {
        let task = Task::named("compare").unwrap();
        let prompt = task.prompt(Split::Train, 1, 5, 2);
        let Prompt::Problem(problem) = &prompt else { unreachable!() };
        let verdict = |text: String| {
            let mut attempt = Attempt::new(&prompt);
            assert!(!attempt.take(text));
            attempt.judge()
        };
        let right = verdict(format!("<think>so</think>\n{}", problem.reply()));
        assert_eq!(right, Verdict { is_correct: true, is_formed: true });
        let bare = verdict(problem.reply());
        assert_eq!(bare, Verdict { is_correct: true, is_formed: false });
        let half = verdict(format!("<think>{}", problem.reply()));
        assert_eq!(half, Verdict { is_correct: false, is_formed: false });
    }

    #[test]
    fn an_exchange_goes_on_after_a_call_and_is_judged_by_its_calls_and_its_end() {
        let prompt = Task::named("calculation").unwrap().prompt(Split::Train, 3, 0, 0);
        let Prompt::Exchange(conversation) = &prompt else { unreachable!() };
        let mut attempt = Attempt::new(&prompt);
        let mut texts = Vec::new();
        for message in &conversation.messages[conversation.scored_from..] {
            if let psi_eval::skills::Message::Assistant(turn) = message {
                let calls = turn.calls.iter().map(|call| {
                    let call = json!({ "name": call.name, "arguments": call.arguments });
                    format!("<tool_call>{call}</tool_call>")
                });
                texts.push(format!("{}{}", turn.content, calls.collect::<String>()));
            }
        }
        let n = texts.len();
        for (i, text) in texts.into_iter().enumerate() {
            assert_eq!(attempt.take(text), i + 1 < n);
        }
        assert_eq!(attempt.judge(), Verdict { is_correct: true, is_formed: true });
    }
}
