//! The assistant's own suite: exchanges that want tools, memory, a note or honesty. They are played by the whole
//! assistant, its loop, tools and memory, not by the model alone.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Entry, Library, Wanted};
use crate::{
    scorers::Assisted,
    skills::{Check, Conversation, Message, Skill, generate_ending_in},
    split::Split,
    task::{Generation, Generator, Item, OutputKind, Prompt, Request, Result, Task},
};

pub(super) const ENTRY: Entry = Entry {
    name: "product",
    members: || SKILLS.iter().map(|s| s.0.to_owned()).collect(),
    help: "what the assistant is for, played by its own loop with real tools and memory",
    licence: "MIT",
    source: "psi",
    output: OutputKind::MultiTurn,
    splits: &[Split::Eval],
    open,
};

/// A kind of exchange, as the generator names it, and which of its exchanges are meant.
type Kind = (&'static str, fn(Skill) -> bool);

/// The tasks and their kinds of exchanges, asked in turn.
const SKILLS: &[(&str, &[Kind])] = &[
    (
        "tools",
        &[
            ("calculation", |_| true),
            ("units", |_| true),
            ("clock", |_| true),
            ("calendar", |_| true),
        ],
    ),
    (
        "memory",
        &[
            ("remember", |_| true),
            ("recall", |_| true),
            ("recall-later", |_| true),
            ("correct", |_| true),
            ("forget", |_| true),
        ],
    ),
    ("reading", &[("reading", |s| s == Skill::Reading)]),
    (
        "honesty",
        &[
            ("reading", |s| s == Skill::NotInNote),
            ("unknown", |_| true),
            ("talk", |s| s == Skill::Decline),
        ],
    ),
];

fn open(_: &Library, wanted: &Wanted<'_>) -> Result<Task> {
    wanted.allow(false, false)?;
    let skill = SKILLS.iter().find(|s| s.0 == wanted.member).expect("a member");
    let exchanges = Exchanges { kinds: skill.1, split: wanted.split };
    Ok(Task::generated(wanted.name, wanted.split, Arc::new(exchanges), Arc::new(Assisted)))
}

/// The exchanges of one task.
#[derive(Debug)]
struct Exchanges {
    kinds: &'static [Kind],
    split: Split,
}

/// Conversations that are drawn, at most, to find one that ends in what is meant: every kind has one within a few.
const MOST_DRAWS: u64 = 1 << 12;

impl Generator for Exchanges {
    fn item(&self, seed: u64, index: u64) -> Item {
        let (kind, is_meant) = self.kinds[(index % self.kinds.len() as u64) as usize];
        let draws = (0..MOST_DRAWS).filter_map(|draw| {
            generate_ending_in(kind, self.split, seed, index * MOST_DRAWS + draw)
        });
        let found = draws.into_iter().find(|c| is_meant(c.skill));
        item(format!("{}/{seed}/{index}", self.split), &found.expect("the kind has such exchanges"))
    }
}

/// Longest answer in tokens, all its steps together.
const MAX_TOKENS: usize = 1024;

/// The last exchange of a conversation, with what came before it as history.
fn item(id: String, conversation: &Conversation) -> Item {
    let before = &conversation.messages[..conversation.scored_from];
    let (asked, before) = before.split_last().expect("a conversation has a question");
    let mut prompt = Prompt::default();
    for message in before {
        match message {
            Message::System(line) => prompt.system.clone_from(line),
            said => prompt.history.push(said.to_json()),
        }
    }
    let Message::User(question) = asked else { unreachable!("the last message is the user's") };
    let limits = Generation { max_tokens: MAX_TOKENS, stop: Vec::new() };
    let request = Request::MultiTurn { turns: vec![question.clone()], limits };
    let accepted = match &conversation.check {
        Check::Reply(accepted) => accepted.clone(),
        Check::Problem(problem) => vec![problem.reply()],
    };
    let world = &conversation.world;
    let call = |c: &crate::skills::tools::Call| json!({ "name": c.name, "arguments": c.arguments });
    let calls: Value = conversation.expected_calls().into_iter().map(call).collect();
    let reference = json!({
        "skill": conversation.skill.name(),
        "now": format!("{}T{:02}:{:02}", world.now.date, world.now.hour, world.now.minute),
        "facts": world.memory.facts(),
        "calls": calls,
        "accepted": accepted,
    });
    Item::new(id, prompt, request, reference)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Output;

    fn tasks() -> Vec<Task> {
        let library = Library::default();
        let open =
            |s: &(&str, _)| library.open(&format!("product/{}", s.0), Split::Eval, <_>::default());
        SKILLS.iter().map(|s| open(s).unwrap()).collect()
    }

    /// The messages of the right answer.
    fn right(item: &Item) -> Vec<Value> {
        let mut messages = Vec::new();
        for call in item.reference["calls"].as_array().unwrap() {
            let call = json!([{ "type": "function", "function": call }]);
            messages.push(json!({ "role": "assistant", "content": "", "tool_calls": call }));
            messages.push(json!({ "role": "tool", "content": "what the tool says" }));
        }
        let reply = &item.reference["accepted"][0];
        messages.push(json!({ "role": "assistant", "content": reply }));
        messages
    }

    #[test]
    fn right_answers_are_right_and_altered_ones_are_not() {
        for task in tasks() {
            for item in task.items(Some(24), 3) {
                let judge = |messages| task.score(&item, &Output::Messages(messages)).unwrap();
                assert!(judge(right(&item)).correct, "{item:?}");
                let mut longer = right(&item);
                let reply = longer.last_mut().unwrap();
                reply["content"] = json!(format!("{} Surely.", reply["content"]));
                assert!(!judge(longer).correct, "{item:?}");
                assert!(!judge(Vec::new()).correct);
                let only_said = right(&item).pop().unwrap();
                let writes = ["remember", "correct", "forget"];
                let has_effect = |c: &Value| writes.iter().any(|w| c["name"] == *w);
                let must_act = item.reference["calls"].as_array().unwrap().iter().any(has_effect);
                assert_eq!(judge(vec![only_said]).correct, !must_act, "{item:?}");
            }
        }
    }

    #[test]
    fn a_call_that_nothing_asks_for_is_wrong() {
        let honesty = &tasks()[3];
        let item = honesty.items(Some(1), 0).pop().unwrap();
        let mut messages = right(&item);
        let call = json!([{ "function": { "name": "now", "arguments": "{}" } }]);
        messages.insert(0, json!({ "role": "assistant", "content": "", "tool_calls": call }));
        assert!(!honesty.score(&item, &Output::Messages(messages)).unwrap().correct);
    }
}
