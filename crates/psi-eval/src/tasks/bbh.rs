//! BIG-Bench Hard: 27 tasks that were hard for models in 2022. Suzgun et al. 2022, arXiv 2210.09261.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::{Entry, Library, Wanted};
use crate::{
    readers::{self, bad},
    scorers::Bbh,
    split::Split,
    task::{Generation, Item, OutputKind, Prompt, Request, Result, Shot, Task},
};

pub(super) const ENTRY: Entry = Entry {
    name: "bbh",
    members,
    help: "hard tasks of BIG-Bench, three examples that think step by step",
    licence: "MIT",
    source: "suzgunmirac/BIG-Bench-Hard",
    output: OutputKind::Generation,
    splits: &[Split::Eval],
    open,
};

pub(super) const DIRECT: Entry = Entry {
    name: "bbh_direct",
    help: "hard tasks of BIG-Bench, three examples with the answer alone",
    ..ENTRY
};

const MEMBERS: &[&str] = &[
    "boolean_expressions",
    "causal_judgement",
    "date_understanding",
    "disambiguation_qa",
    "dyck_languages",
    "formal_fallacies",
    "geometric_shapes",
    "hyperbaton",
    "logical_deduction_five_objects",
    "logical_deduction_seven_objects",
    "logical_deduction_three_objects",
    "movie_recommendation",
    "multistep_arithmetic_two",
    "navigate",
    "object_counting",
    "penguins_in_a_table",
    "reasoning_about_colored_objects",
    "ruin_names",
    "salient_translation_error_detection",
    "snarks",
    "sports_understanding",
    "temporal_sequences",
    "tracking_shuffled_objects_five_objects",
    "tracking_shuffled_objects_seven_objects",
    "tracking_shuffled_objects_three_objects",
    "web_of_lies",
    "word_sorting",
];

fn members() -> Vec<String> {
    MEMBERS.iter().map(|&m| m.to_owned()).collect()
}

#[derive(Deserialize)]
struct File {
    examples: Vec<Example>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    input: String,
    target: String,
}

/// Begins every answer of the examples.
const STEPS: &str = "Let's think step by step.";

fn open(library: &Library, wanted: &Wanted<'_>) -> Result<Task> {
    wanted.allow(true, false)?;
    let thinks = wanted.name.starts_with("bbh/");
    let (path, text) = library.text(&format!("bbh/tasks/{}.json", wanted.member), &ENTRY)?;
    let file: File = readers::json(&path, &text)?;
    let (path, text) = library.text(&format!("bbh/cot-prompts/{}.txt", wanted.member), &ENTRY)?;
    let (intro, delimiter, mut shots) =
        prompt(&text, thinks).ok_or_else(|| bad(&path, 0, "it has no description and examples"))?;
    let n_shots = wanted.options.shots.unwrap_or(shots.len());
    if n_shots > shots.len() {
        return Err(wanted.refuse(format!("has {} solved examples", shots.len())));
    }
    shots.truncate(n_shots);
    let items = file.examples.into_iter().enumerate().map(|(i, example)| {
        let start = if thinks { format!("\nA: {STEPS}") } else { "\nA:".to_owned() };
        let prompt = Prompt {
            system: intro.clone(),
            shots: shots.clone(),
            ask: format!("Q: {}{start}", example.input),
            delimiter: delimiter.to_owned(),
            ..Prompt::default()
        };
        let limits = Generation {
            max_tokens: if thinks { 1024 } else { 64 },
            stop: vec!["\n\nQ:".to_owned(), if thinks { "\n\n" } else { "\n" }.to_owned()],
        };
        let reference = json!({ "answer": example.target });
        Item::new(i.to_string(), prompt, Request::Generation(limits), reference)
    });
    let scorer = Arc::new(Bbh { thinks });
    Ok(Task::fixed(wanted.name, wanted.split, items.collect(), scorer))
}

/// The description of a prompt file, what stands between question and answer, and the examples with their
/// thoughts or without.
fn prompt(text: &str, thinks: bool) -> Option<(String, &'static str, Vec<Shot>)> {
    let (_, body) = text.split_once("-----\n")?;
    let mut parts = body.split("\n\nQ: ");
    let intro = parts.next()?.trim().to_owned();
    let on_a_new_line = body.contains(&format!("{STEPS}\n"));
    let shots = parts.enumerate().map(|(i, part)| {
        let (question, answer) = part.split_once(&format!("\nA: {STEPS}"))?;
        let answer = answer.trim();
        let (ask, answer) = if thinks {
            (format!("Q: {question}\nA: {STEPS}"), answer.to_owned())
        } else {
            let last = answer.rsplit_once("the answer is ")?.1;
            (format!("Q: {question}\nA:"), last.strip_suffix('.').unwrap_or(last).to_owned())
        };
        Some(Shot { id: format!("prompt/{i}"), ask, answer })
    });
    let delimiter = if thinks && on_a_new_line { "\n" } else { " " };
    Some((intro, delimiter, shots.collect::<Option<_>>()?))
}
