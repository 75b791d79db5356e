//! The generated reasoning problems as tasks: any number of items, three levels, no data needed.

use std::sync::Arc;

use serde_json::json;

use super::{Entry, Library, Wanted};
use crate::{
    draws::Draws,
    procedural::{FAMILIES, Family, LEVELS},
    scorers::Stated,
    split::Split,
    task::{Generation, Generator, Item, OutputKind, Prompt, Request, Result, Task},
};

pub(super) const ENTRY: Entry = Entry {
    name: "procedural",
    members: || FAMILIES.iter().map(task_name).collect(),
    help: "reasoning problems made from a seed, with strict verifiers",
    licence: "MIT",
    source: "psi",
    output: OutputKind::Generation,
    splits: &[Split::Train, Split::Eval],
    open,
};

fn task_name(family: &Family) -> String {
    family.name.replace(' ', "_")
}

fn open(_: &Library, wanted: &Wanted<'_>) -> Result<Task> {
    wanted.allow(false, true)?;
    let level = wanted.options.level;
    if level.is_some_and(|level| level >= LEVELS) {
        return Err(wanted.refuse(format!("has the levels 0 to {}", LEVELS - 1)));
    }
    let family = FAMILIES.iter().find(|f| task_name(f) == wanted.member).expect("a member");
    let problems = Problems { family, split: wanted.split, level };
    Ok(Task::generated(wanted.name, wanted.split, Arc::new(problems), Arc::new(Stated)))
}

/// A family's problems of one split, at one level or at all in turn.
#[derive(Debug)]
struct Problems {
    family: &'static Family,
    split: Split,
    level: Option<usize>,
}

impl Generator for Problems {
    fn item(&self, seed: u64, index: u64) -> Item {
        let level = self.level.unwrap_or((index % LEVELS as u64) as usize);
        let problem = self.family.problem(&mut Draws::new(self.split, seed, index), level);
        let request = Request::Generation(Generation { max_tokens: 256, stop: Vec::new() });
        let reference = json!({ "answer": problem.answer, "level": level });
        let id = format!("{}/{seed}/{level}/{index}", self.split);
        Item::new(id, Prompt::ask(problem.question), request, reference)
    }
}
