//! CORE-18: 18 of the 22 tasks of the CORE score for base models (without HellaSwag twice, SQuAD and CoQA).
//! Li et al. 2024, arXiv 2406.11794; baselines of its second version.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::{Entry, Library, Wanted};
use crate::{
    draws::Draws,
    readers::{Line, bad},
    scorers::{AllGreedy, By, Highest},
    split::Split,
    task::{Choice, Item, OutputKind, Prompt, Request, Result, Scorer, Shot, Span, Task},
};

pub(super) const ENTRY: Entry = Entry {
    name: "core18",
    members: || MEMBERS.iter().map(|m| m.name.to_owned()).collect(),
    help: "18 tasks of the CORE score for base models, by likelihood",
    licence: "each set its own; jeopardy_all and agi_eval_lsat_ar for local use only",
    source: "mosaicml/llm-foundry",
    output: OutputKind::Choices,
    splits: &[Split::Eval],
    open,
};

struct Member {
    name: &'static str,
    folder: &'static str,
    shots: usize,
    /// Accuracy of guessing, or of the commonest answer.
    baseline: f64,
    /// Stands before the answer.
    delimiter: &'static str,
}

const fn member(
    folder: &'static str,
    name: &'static str,
    shots: usize,
    baseline: f64,
    delimiter: &'static str,
) -> Member {
    Member { name, folder, shots, baseline, delimiter }
}

const COMMONSENSE: &str = "commonsense_reasoning";
const KNOWLEDGE: &str = "world_knowledge";
const LANGUAGE: &str = "language_understanding";
const READING: &str = "reading_comprehension";
const SYMBOLIC: &str = "symbolic_problem_solving";
const ANSWER: &str = "\nAnswer: ";

const MEMBERS: &[Member] = &[
    member(SYMBOLIC, "agi_eval_lsat_ar", 3, 0.25, " "),
    member(KNOWLEDGE, "arc_challenge", 10, 0.25, ANSWER),
    member(KNOWLEDGE, "arc_easy", 10, 0.25, ANSWER),
    member(SYMBOLIC, "bigbench_cs_algorithms", 10, 0.0, " "),
    member(SYMBOLIC, "bigbench_dyck_languages", 10, 0.0, " "),
    member(LANGUAGE, "bigbench_language_identification", 10, 0.25, " "),
    member(SYMBOLIC, "bigbench_operators", 10, 0.0, " "),
    member(KNOWLEDGE, "bigbench_qa_wikidata", 10, 0.0, " "),
    member(SYMBOLIC, "bigbench_repeat_copy_logic", 10, 0.0, " "),
    member(READING, "boolq", 10, 0.62, ANSWER),
    member(COMMONSENSE, "commonsense_qa", 10, 0.403, " "),
    member(COMMONSENSE, "copa", 0, 0.5, " "),
    member(KNOWLEDGE, "jeopardy_all", 10, 0.0, ANSWER),
    member(LANGUAGE, "lambada_openai", 0, 0.0, " "),
    member(COMMONSENSE, "openbook_qa", 0, 0.25, " "),
    member(COMMONSENSE, "piqa", 10, 0.5, ANSWER),
    member(LANGUAGE, "winograd_wsc", 0, 0.5, " "),
    member(LANGUAGE, "winogrande", 0, 0.5, " "),
];

/// The three forms of a row.
#[derive(Deserialize)]
#[serde(untagged)]
enum Row {
    Choices { query: String, choices: Vec<String>, gold: usize },
    Schema { context_options: Vec<String>, continuation: String, gold: usize },
    Text { context: String, continuation: String },
}

impl Row {
    fn is_sound(&self) -> bool {
        match self {
            Self::Choices { choices, gold, .. } => *gold < choices.len(),
            Self::Schema { context_options, gold, .. } => *gold < context_options.len(),
            Self::Text { continuation, .. } => !continuation.is_empty(),
        }
    }

    /// The question and its right answer, as an example.
    fn solved(&self) -> (&str, &str) {
        match self {
            Self::Choices { query, choices, gold } => (query, &choices[*gold]),
            Self::Schema { context_options, continuation, gold } => {
                (&context_options[*gold], continuation)
            }
            Self::Text { context, continuation } => (context, continuation),
        }
    }

    /// What is asked before all choices, and the request.
    fn request(&self, delimiter: &str) -> (String, Request) {
        // What precedes the answer is given; the space before a word belongs to its token.
        let given = delimiter.trim_end_matches(' ');
        let space = &delimiter[given.len()..];
        let choice = |context: &str, continuation: &str| Choice {
            context: format!("{context}{given}"),
            continuation: format!("{space}{continuation}"),
        };
        let (ask, choices, span) = match self {
            Self::Choices { query, choices, .. } => {
                let choices = choices.iter().map(|c| choice("", c)).collect();
                (query.as_str(), choices, Span::AfterCommonPrefix)
            }
            Self::Schema { context_options, continuation, .. } => {
                let choices = context_options.iter().map(|c| choice(c, continuation)).collect();
                ("", choices, Span::CommonSuffix)
            }
            Self::Text { context, continuation } => {
                (context.as_str(), vec![choice("", continuation)], Span::Continuation)
            }
        };
        (ask.to_owned(), Request::Choices { choices, span })
    }

    fn gold(&self) -> usize {
        match self {
            Self::Choices { gold, .. } | Self::Schema { gold, .. } => *gold,
            Self::Text { .. } => 0,
        }
    }
}

/// Seed of the examples; with the item's number it addresses the draw.
const SHOT_SEED: u64 = 1234;

fn open(library: &Library, wanted: &Wanted<'_>) -> Result<Task> {
    wanted.allow(true, false)?;
    let member = MEMBERS.iter().find(|m| m.name == wanted.member).expect("a member");
    let file = format!("core18/{}/{}.jsonl", member.folder, member.name);
    let rows: Vec<Line<Row>> = library.rows(&file, &ENTRY)?;
    if let Some(line) = rows.iter().find(|line| !line.value.is_sound()) {
        return Err(bad(file.as_ref(), line.number, "the right answer is none of the choices"));
    }
    let n_shots = wanted.options.shots.unwrap_or(member.shots);
    if n_shots >= rows.len() {
        return Err(wanted.refuse(format!("has {} rows to take examples from", rows.len())));
    }
    let items = rows.iter().enumerate().map(|(i, Line { value: row, .. })| {
        let (ask, request) = row.request(member.delimiter);
        let prompt = Prompt {
            shots: shots(&rows, i, n_shots),
            ask,
            delimiter: member.delimiter.to_owned(),
            ..Prompt::default()
        };
        Item::new(i.to_string(), prompt, request, json!({ "gold": row.gold() }))
    });
    let baseline = member.baseline;
    let scorer: Arc<dyn Scorer> = match rows[0].value {
        Row::Text { .. } => Arc::new(AllGreedy),
        _ => Arc::new(Highest { by: By::Mean, baseline }),
    };
    let task = Task::fixed(wanted.name, wanted.split, items.collect(), scorer);
    Ok(task.with_baseline(baseline))
}

/// Other rows of the same file, drawn for this item.
fn shots(rows: &[Line<Row>], item: usize, n: usize) -> Vec<Shot> {
    let mut draws = Draws::new(Split::Eval, SHOT_SEED, item as u64);
    let mut chosen = Vec::with_capacity(n);
    while chosen.len() < n {
        let i = draws.below(rows.len());
        if i != item && !chosen.contains(&i) {
            chosen.push(i);
        }
    }
    let shot = |i: usize| {
        let (ask, answer) = rows[i].value.solved();
        Shot { id: i.to_string(), ask: ask.to_owned(), answer: answer.to_owned() }
    };
    chosen.into_iter().map(shot).collect()
}
