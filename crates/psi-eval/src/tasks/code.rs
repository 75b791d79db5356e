//! HumanEval and MBPP: functions to write in Python, judged by running their tests in the sandbox.
//! Chen et al. 2021, arXiv 2107.03374; Austin et al. 2021, arXiv 2108.07732.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::{Entry, Library, Wanted};
use crate::{
    readers::{Line, bad},
    scorers::Program,
    split::Split,
    task::{Generation, Item, OutputKind, Prompt, Request, Result, Shot, Task},
};

pub(super) const HUMANEVAL: Entry = Entry {
    name: "humaneval",
    members: Vec::new,
    help: "Python functions from their descriptions, judged by their tests",
    licence: "MIT",
    source: "openai/human-eval",
    output: OutputKind::Generation,
    splits: &[Split::Eval],
    open: humaneval,
};

pub(super) const MBPP: Entry = Entry {
    name: "mbpp",
    members: Vec::new,
    help: "short Python tasks with three assertions each, judged by running them",
    licence: "CC BY 4.0",
    source: "google-research/mbpp",
    output: OutputKind::Generation,
    splits: &[Split::Eval],
    open: mbpp,
};

#[derive(Deserialize)]
struct Problem {
    task_id: String,
    prompt: String,
    entry_point: String,
    test: String,
}

fn humaneval(library: &Library, wanted: &Wanted<'_>) -> Result<Task> {
    wanted.allow(false, false)?;
    let python = library.python(wanted.name)?;
    let rows: Vec<Line<Problem>> = library.rows("humaneval/HumanEval.jsonl.gz", &HUMANEVAL)?;
    let items = rows.into_iter().map(|Line { value: row, .. }| {
        let request = Request::Generation(Generation {
            max_tokens: 1024,
            stop: ["\nclass", "\ndef", "\n#", "\nif", "\nprint"].map(str::to_owned).to_vec(),
        });
        let reference = json!({
            "before": row.prompt,
            "entry_point": row.entry_point,
            "after": format!("{}\ncheck({})", row.test, row.entry_point),
        });
        Item::new(row.task_id, Prompt::ask(row.prompt), request, reference)
    });
    Ok(Task::fixed(wanted.name, wanted.split, items.collect(), Arc::new(Program::new(python))))
}

#[derive(Deserialize)]
struct Short {
    task_id: u32,
    text: String,
    code: String,
    test_list: Vec<String>,
    test_setup_code: String,
}

/// Ids of the test part, and of the examples in the prompt.
const TEST: std::ops::RangeInclusive<u32> = 11..=510;
const EXAMPLES: std::ops::RangeInclusive<u32> = 2..=4;

fn mbpp(library: &Library, wanted: &Wanted<'_>) -> Result<Task> {
    wanted.allow(true, false)?;
    let python = library.python(wanted.name)?;
    let (path, _) = library.text("mbpp/mbpp.jsonl", &MBPP)?;
    let rows: Vec<Line<Short>> = library.rows("mbpp/mbpp.jsonl", &MBPP)?;
    let examples = rows.iter().map(|line| &line.value).filter(|r| EXAMPLES.contains(&r.task_id));
    let shots: Vec<Shot> = examples
        .map(|row| Shot {
            id: row.task_id.to_string(),
            ask: ask(row),
            answer: format!("{}\n[DONE]", row.code),
        })
        .collect();
    let n_shots = wanted.options.shots.unwrap_or(shots.len());
    if n_shots > shots.len() {
        return Err(wanted.refuse(format!("has {} solved examples", shots.len())));
    }
    let mut items = Vec::new();
    for Line { number, value: row } in rows.iter().filter(|l| TEST.contains(&l.value.task_id)) {
        if row.test_list.is_empty() {
            return Err(bad(&path, *number, "there are no assertions"));
        }
        let prompt =
            Prompt { shots: shots[..n_shots].to_vec(), ask: ask(row), ..Prompt::default() };
        let limits = Generation { max_tokens: 512, stop: vec!["[DONE]".to_owned()] };
        let reference = json!({
            "before": "",
            "after": format!("{}\n{}", row.test_setup_code, row.test_list.join("\n")),
        });
        let id = row.task_id.to_string();
        items.push(Item::new(id, prompt, Request::Generation(limits), reference));
    }
    Ok(Task::fixed(wanted.name, wanted.split, items, Arc::new(Program::new(python))))
}

fn ask(row: &Short) -> String {
    format!(
        "You are an expert Python programmer, and here is your task: {} Your code should pass these \
         tests:\n\n{}\n[BEGIN]\n",
        row.text,
        row.test_list.join("\n")
    )
}
