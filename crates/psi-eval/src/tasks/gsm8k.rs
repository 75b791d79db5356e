//! GSM8K: grade-school word problems whose solution ends in a number. Cobbe et al. 2021, arXiv 2110.14168.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::{Entry, Library, Wanted};
use crate::{
    readers::Line,
    scorers::Gsm8k,
    split::Split,
    task::{Generation, Item, OutputKind, Prompt, Request, Result, Shot, Task},
};

pub(super) const ENTRY: Entry = Entry {
    name: "gsm8k",
    members: Vec::new,
    help: "grade-school word problems with a number as the answer",
    licence: "MIT",
    source: "openai/grade-school-math",
    output: OutputKind::Generation,
    splits: &[Split::Train, Split::Eval],
    open,
};

const TRAIN: &str = "gsm8k/train.jsonl";
const TEST: &str = "gsm8k/test.jsonl";
/// Solved examples in the prompt, as everywhere this task is reported.
const SHOTS: usize = 5;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    question: String,
    answer: String,
}

fn open(library: &Library, wanted: &Wanted<'_>) -> Result<Task> {
    wanted.allow(true, false)?;
    let n_shots = wanted.options.shots.unwrap_or(SHOTS);
    let train: Vec<Line<Row>> = if n_shots > 0 || wanted.split == Split::Train {
        library.rows(TRAIN, &ENTRY)?
    } else {
        Vec::new()
    };
    if n_shots > train.len() {
        return Err(wanted.refuse(format!("has {} solved examples", train.len())));
    }
    let shots: Vec<Shot> = train[..n_shots]
        .iter()
        .map(|line| Shot {
            id: format!("train/{}", line.number),
            ask: ask(&line.value),
            answer: line.value.answer.clone(),
        })
        .collect();
    // The examples are no items of the training split: their answer would stand in the prompt.
    let (side, lines) = match wanted.split {
        Split::Train | Split::Validation => ("train", train.into_iter().skip(n_shots).collect()),
        Split::Eval => ("test", library.rows(TEST, &ENTRY)?),
    };
    let items = lines.iter().map(|line| {
        let prompt = Prompt {
            shots: shots.clone(),
            ask: ask(&line.value),
            delimiter: " ".to_owned(),
            ..Prompt::default()
        };
        let request = Request::Generation(Generation {
            max_tokens: 512,
            stop: ["Question:", "</s>", "<|im_end|>"].map(str::to_owned).to_vec(),
        });
        let reference = json!({ "answer": line.value.answer });
        Item::new(format!("{side}/{}", line.number), prompt, request, reference)
    });
    Ok(Task::fixed(wanted.name, wanted.split, items.collect(), Arc::new(Gsm8k)))
}

fn ask(row: &Row) -> String {
    format!("Question: {}\nAnswer:", row.question)
}
