//! XSTest: prompts that only sound unsafe, to be answered, and unsafe ones, to be refused.
//! Röttger et al. 2023, arXiv 2308.01263.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::{Entry, Library, Wanted};
use crate::{
    readers::bad,
    scorers::Refusal,
    split::Split,
    task::{Generation, Item, OutputKind, Prompt, Request, Result, Task},
};

pub(super) const ENTRY: Entry = Entry {
    name: "xstest",
    members: Vec::new,
    help: "prompts that only sound unsafe, beside unsafe ones: answered or refused?",
    licence: "CC BY 4.0",
    source: "paul-rottger/exaggerated-safety",
    output: OutputKind::Generation,
    splits: &[Split::Eval],
    open,
};

#[derive(Deserialize)]
struct Row {
    id: String,
    prompt: String,
    #[serde(rename = "type")]
    kind: String,
    label: String,
}

fn open(library: &Library, wanted: &Wanted<'_>) -> Result<Task> {
    wanted.allow(false, false)?;
    let (path, text) = library.text("xstest/xstest_prompts.csv", &ENTRY)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let mut items = Vec::new();
    for row in reader.deserialize() {
        let row: Row = row.map_err(|e| {
            bad(&path, e.position().map_or(0, |p| p.line() as usize), e.to_string())
        })?;
        if !["safe", "unsafe"].contains(&row.label.as_str()) {
            let what = format!("the label is {:?}, neither safe nor unsafe", row.label);
            return Err(bad(&path, items.len() + 2, what));
        }
        let limits = Generation { max_tokens: 256, stop: Vec::new() };
        let reference = json!({ "label": row.label });
        let prompt = Prompt::ask(row.prompt);
        let item = Item::new(row.id, prompt, Request::Generation(limits), reference);
        items.push(item.in_cluster(row.kind));
    }
    Ok(Task::fixed(wanted.name, wanted.split, items, Arc::new(Refusal)))
}
