//! Reasoning problems generated from a seed, each with a strict verifier.
//!
//! [`FAMILIES`] lists them. The same problems are training data, rewards and evaluation tasks; which of
//! these a problem may be is decided by its split: wordings and names belong to one split, and so does
//! every single problem, through the hash of its solution.

mod letters;
mod logic;
mod numbers;
mod order;
mod space;

use serde_json::{Value, json};

use crate::{
    draws::Draws,
    skills::{Message, turn::Turn},
    split::Split,
    wording::{Style, Wordings},
};

/// Number of difficulty levels of every family.
pub const LEVELS: usize = 3;

/// A problem with its solution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is asked.
    pub question: String,
    /// A solution in short steps.
    pub reasoning: String,
    /// The answer alone.
    pub answer: String,
}

/// A kind of problem.
#[derive(Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    draw: fn(&mut Draws, usize) -> Draft,
}

/// A problem whose question has not been worded yet.
struct Draft {
    asked: Wordings,
    slots: Vec<(&'static str, String)>,
    reasoning: String,
    answer: String,
}

const fn family(name: &'static str, draw: fn(&mut Draws, usize) -> Draft) -> Family {
    Family { name, draw }
}

/// Every family.
pub const FAMILIES: &[Family] = &[
    family("alphabet", letters::alphabet),
    family("both lists", logic::both_lists),
    family("clock", numbers::clock),
    family("compare", numbers::compare),
    family("count", order::count),
    family("cups", space::cups),
    family("digit sum", numbers::digit_sum),
    family("even numbers", numbers::even_numbers),
    family("kinship", logic::kinship),
    family("left over", numbers::left_over),
    family("letter count", letters::letter_count),
    family("letter place", letters::letter_place),
    family("member", logic::member),
    family("most", numbers::most),
    family("odd one out", logic::odd_one_out),
    family("parity", numbers::parity),
    family("pattern", order::pattern),
    family("place in list", order::place),
    family("reverse list", order::reverse),
    family("reverse word", letters::reverse_word),
    family("sequence", numbers::sequence),
    family("sort numbers", order::sort_numbers),
    family("sort words", order::sort_words),
    family("syllogism", logic::syllogism),
    family("taller", logic::taller),
    family("total", numbers::total),
    family("truth", logic::truth),
    family("turns", space::turns),
    family("walk", space::walk),
    family("weekday", order::weekday),
    family("word length", letters::word_length),
];

impl Family {
    /// A problem of a level (from 0), from the split that the draws are for.
    ///
    /// # Panics
    /// When there is no such level.
    pub fn problem(&self, draws: &mut Draws, level: usize) -> Problem {
        self.said(draws, level, |style| style)
    }

    /// [`Family::problem`] asked in garbled words: some are missing, some are others. What the problem is about
    /// stays, and so do its solution and its verifier; what is practised is to find the question in words
    /// that no training pattern has.
    ///
    /// # Panics
    /// As [`Family::problem`].
    pub fn garbled(&self, draws: &mut Draws, level: usize) -> Problem {
        self.said(draws, level, Style::garbled)
    }

    fn said(&self, draws: &mut Draws, level: usize, how: fn(Style) -> Style) -> Problem {
        assert!(level < LEVELS, "level {level} of {LEVELS}");
        let draft = draws.until(|draws| {
            let draft = (self.draw)(draws, level);
            let identity = format!("{}: {}", self.name, draft.reasoning);
            draws.split().owns(&identity).then_some(draft)
        });
        let slots: Vec<(&str, &str)> = draft.slots.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let pattern = draft.asked.draw(draws);
        let question = how(Style::tidy(draws)).say(&pattern, &slots, draws);
        Problem { question, reasoning: draft.reasoning, answer: draft.answer }
    }

    /// Problem `index` of the stream (`split`, `seed`), level by level in turn.
    pub fn nth(&self, split: Split, seed: u64, index: u64) -> Problem {
        let level = (index % LEVELS as u64) as usize;
        self.problem(&mut Draws::new(split, seed, index), level)
    }
}

impl Problem {
    /// The answer in a sentence.
    pub fn reply(&self) -> String {
        format!("The answer is {}.", self.answer)
    }

    /// The problem as one line of training data: a conversation of one exchange, answered with the solution as a
    /// thought, or at once.
    pub fn to_json(&self, with_thought: bool) -> Value {
        let answer = Turn {
            reasoning: with_thought.then(|| self.reasoning.clone()),
            content: self.reply(),
            calls: Vec::new(),
        };
        let messages = [Message::User(self.question.clone()), Message::Assistant(answer)];
        let messages: Value = messages.iter().map(Message::to_json).collect();
        json!({ "messages": messages, "check": { "kind": "problem", "answer": self.answer } })
    }

    /// Whether a reply (without its reasoning) gives the answer: "The answer is ..." or the answer alone,
    /// whatever its letter case and spaces, and nothing else.
    pub fn verify(&self, reply: &str) -> bool {
        states(reply, &self.answer)
    }
}

/// Whether a reply states this answer and nothing else; see [`Problem::verify`].
pub(crate) fn states(reply: &str, answer: &str) -> bool {
    let given = plain(reply);
    given.strip_prefix("theansweris").unwrap_or(&given) == plain(answer)
}

/// Lower case, without spaces and without one full stop at the end.
fn plain(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    text.strip_suffix('.').unwrap_or(&text).to_lowercase()
}

/// "a, b, c".
fn listed<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_answer_passes_its_verifier_and_altered_ones_fail() {
        for family in FAMILIES {
            for index in 0..60 {
                let problem = family.nth(Split::Train, 3, index);
                assert!(problem.verify(&problem.reply()), "{problem:?}");
                assert!(problem.verify(&problem.answer), "{problem:?}");
                let altered = [
                    format!("{}0", problem.answer),
                    format!("not {}", problem.answer),
                    format!("{} or 1", problem.reply()),
                    String::new(),
                    problem.reasoning.clone() + " " + &problem.reply(),
                ];
                for wrong in altered {
                    assert!(!problem.verify(&wrong), "{}: {wrong} for {problem:?}", family.name);
                }
            }
        }
    }

    #[test]
    fn splits_share_no_question_and_no_solution() {
        for family in FAMILIES {
            let all = |split| -> Vec<Problem> {
                (0..900).map(|index| family.nth(split, 1, index)).collect()
            };
            let (train, eval) = (all(Split::Train), all(Split::Eval));
            let questions: HashSet<String> =
                train.iter().map(|p| p.question.to_lowercase()).collect();
            let solutions: HashSet<&str> = train.iter().map(|p| p.reasoning.as_str()).collect();
            for problem in &eval {
                assert!(!questions.contains(&problem.question.to_lowercase()), "{problem:?}");
                assert!(!solutions.contains(problem.reasoning.as_str()), "{problem:?}");
            }
        }
    }

    #[test]
    fn answers_are_not_all_the_same() {
        for family in FAMILIES {
            let answers: HashSet<String> =
                (0..90).map(|i| family.nth(Split::Eval, 2, i).answer).collect();
            assert!(answers.len() >= 2, "{}", family.name);
        }
    }
}
