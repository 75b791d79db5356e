//! MATH-500: competition problems with a final answer. Hendrycks et al. 2021, arXiv 2103.03874; the 500 of
//! Lightman et al. 2023, arXiv 2305.20050.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::{Entry, Library, Wanted};
use crate::{
    readers::Line,
    scorers::Math,
    split::Split,
    task::{Generation, Item, OutputKind, Prompt, Request, Result, Task},
};

pub(super) const ENTRY: Entry = Entry {
    name: "math500",
    members: Vec::new,
    help: "competition mathematics, answers compared by what they mean",
    licence: "MIT",
    source: "openai/prm800k",
    output: OutputKind::Generation,
    splits: &[Split::Eval],
    open,
};

#[derive(Deserialize)]
struct Row {
    problem: String,
    solution: String,
    answer: String,
    subject: String,
    level: u8,
    unique_id: String,
}

fn open(library: &Library, wanted: &Wanted<'_>) -> Result<Task> {
    wanted.allow(false, false)?;
    let rows: Vec<Line<Row>> = library.rows("math500/test.jsonl", &ENTRY)?;
    let items = rows.into_iter().map(|Line { value: row, .. }| {
        let prompt = Prompt::ask(format!(
            "{}\n\nReason step by step, and put the final answer within \\boxed{{}}.",
            row.problem
        ));
        let request = Request::Generation(Generation { max_tokens: 2048, stop: Vec::new() });
        let reference = json!({
            "answer": row.answer, "solution": row.solution,
            "subject": row.subject, "level": row.level,
        });
        Item::new(row.unique_id, prompt, request, reference)
    });
    Ok(Task::fixed(wanted.name, wanted.split, items.collect(), Arc::new(Math)))
}
