//! IFEval: prompts whose instructions a program can check. Zhou et al. 2023, arXiv 2311.07911.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Entry, Library, Wanted};
use crate::{
    readers::{Line, bad},
    scorers::Instructions,
    split::Split,
    task::{Generation, Item, OutputKind, Prompt, Request, Result, Task},
};

pub(super) const ENTRY: Entry = Entry {
    name: "ifeval",
    members: Vec::new,
    help: "prompts with instructions that can be checked: 25 kinds, strict and loose",
    licence: "Apache-2.0",
    source: "google-research/instruction_following_eval",
    output: OutputKind::Generation,
    splits: &[Split::Eval],
    open,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    key: u32,
    prompt: String,
    instruction_id_list: Vec<String>,
    kwargs: Vec<Value>,
}

fn open(library: &Library, wanted: &Wanted<'_>) -> Result<Task> {
    wanted.allow(false, false)?;
    const FILE: &str = "ifeval/input_data.jsonl";
    let rows: Vec<Line<Row>> = library.rows(FILE, &ENTRY)?;
    let mut items = Vec::with_capacity(rows.len());
    for Line { number, value: row } in rows {
        let reference = json!({
            "prompt": row.prompt,
            "instructions": row.instruction_id_list,
            "kwargs": row.kwargs,
        });
        if let Err(what) = Instructions::understand(&reference) {
            return Err(bad(FILE.as_ref(), number, what));
        }
        let limits = Generation { max_tokens: 1280, stop: Vec::new() };
        let prompt = Prompt::ask(row.prompt);
        let id = row.key.to_string();
        items.push(Item::new(id, prompt, Request::Generation(limits), reference));
    }
    Ok(Task::fixed(wanted.name, wanted.split, items, Arc::new(Instructions)))
}
