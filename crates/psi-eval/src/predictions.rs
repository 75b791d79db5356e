//! Answers made elsewhere: read from files, matched with a task's items, judged.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    readers::{self, Line, bad},
    task::{Item, LogLikelihood, Metric, Output, Result, Task, TaskError, Verdict},
};

/// What becomes of items that nobody answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// They are an error.
    #[default]
    Refuse,
    /// They count as wrong.
    Wrong,
    /// They are left out, and the figures say of how many they are.
    Skip,
}

/// An answer of a file.
#[derive(Debug)]
pub struct Prediction {
    line: usize,
    id: Option<String>,
    question: Option<String>,
    output: Output,
}

/// Answers with the file that they come from.
#[derive(Debug)]
pub struct Predictions {
    path: PathBuf,
    all: Vec<Prediction>,
}

/// A judged answer.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Of the item.
    pub id: String,
    /// What the judge thinks.
    pub verdict: Verdict,
}

/// A task's score on given answers.
#[derive(Clone, Debug)]
pub struct Score {
    /// In the order of the items, several for an item with several answers.
    pub judged: Vec<Judged>,
    /// The task's figures.
    pub metrics: Vec<Metric>,
}

/// Fields that may hold an item's name, its question, and the answer as text.
const IDS: &[&str] = &["id", "task_id", "item", "key", "unique_id"];
const QUESTIONS: &[&str] = &["prompt", "question", "input", "problem", "query"];
const TEXTS: &[&str] =
    &["output", "prediction", "response", "completion", "answer", "solution", "text"];

impl Predictions {
    /// Reads a file: an object on each line, one JSON list, or a document with a list `outputs`. `field` is the
    /// path of the answer in a row (`model.solution`) where it has another name than the usual ones.
    ///
    /// # Errors
    /// When the file cannot be read or a row has no answer, with its line.
    pub fn read(path: &Path, field: Option<&str>) -> Result<Self> {
        let text = readers::text(path)?;
        let rows = rows(path, &text)?;
        let read = |row: Line<Value>| prediction(path, row, field);
        let all = rows.into_iter().map(read).collect::<Result<_>>()?;
        Ok(Self { path: path.to_owned(), all })
    }

    /// Judges the answers to these items of a task. They are matched by name; else by question; else, when there
    /// are as many as items and none has a name or a question, by order.
    ///
    /// # Errors
    /// When an answer belongs to no item, an item has none (and `missing` refuses that), or an answer cannot be
    /// judged.
    pub fn score(&self, task: &Task, items: &[Item], missing: Missing) -> Result<Score> {
        let mut answers: Vec<Vec<&Output>> = vec![Vec::new(); items.len()];
        let places = Places::new(items);
        for (i, prediction) in self.all.iter().enumerate() {
            let place = places.of(prediction).or_else(|| {
                let has_name = prediction.id.is_some() || prediction.question.is_some();
                (!has_name && self.all.len() == items.len()).then_some(i)
            });
            let place = place.ok_or_else(|| {
                let name = prediction.id.as_ref().or(prediction.question.as_ref());
                let name = name.map_or("an answer without a name".to_owned(), |n| shortened(n));
                bad(&self.path, prediction.line, format!("{name}: no item of {}", task.name()))
            })?;
            answers[place].push(&prediction.output);
        }
        let unanswered: Vec<&Item> = items
            .iter()
            .zip(&answers)
            .filter(|(_, a)| a.is_empty())
            .map(|(item, _)| item)
            .collect();
        if missing == Missing::Refuse
            && let Some(first) = unanswered.first()
        {
            let (n, of) = (unanswered.len(), items.len());
            let what = format!("{n} of {of} items have no answer, the first is {}", first.id);
            return Err(bad(&self.path, 0, what));
        }
        let mut pairs: Vec<(&Item, Verdict)> = Vec::new();
        for (item, outputs) in items.iter().zip(&answers) {
            for output in outputs {
                pairs.push((item, task.score(item, output)?));
            }
            if outputs.is_empty() && missing == Missing::Wrong {
                pairs.push((item, Verdict::binary(false, None).with("missing", true)));
            }
        }
        let borrowed: Vec<(&Item, &Verdict)> = pairs.iter().map(|(i, v)| (*i, v)).collect();
        let metrics = task.metrics(&borrowed);
        let judged = |(item, verdict): (&Item, Verdict)| Judged { id: item.id.clone(), verdict };
        Ok(Score { judged: pairs.into_iter().map(judged).collect(), metrics })
    }
}

/// The rows of a file in any of its forms.
fn rows(path: &Path, text: &str) -> Result<Vec<Line<Value>>> {
    let whole: std::result::Result<Value, _> = serde_json::from_str(text);
    let list = match whole {
        Ok(Value::Array(rows)) => Some(rows),
        Ok(Value::Object(mut document)) => match document.remove("outputs") {
            Some(Value::Array(rows)) => Some(rows),
            _ => None,
        },
        _ => None,
    };
    match list {
        Some(rows) => Ok(rows.into_iter().map(|value| Line { number: 1, value }).collect()),
        None => readers::json_lines(path, text),
    }
}

fn prediction(path: &Path, row: Line<Value>, field: Option<&str>) -> Result<Prediction> {
    let Line { number, value } = row;
    let named = |names: &[&str]| {
        names.iter().find_map(|name| match value.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        })
    };
    let output = output(&value, field).map_err(|what| bad(path, number, what))?;
    Ok(Prediction { line: number, id: named(IDS), question: named(QUESTIONS), output })
}

/// The answer in a row.
fn output(row: &Value, field: Option<&str>) -> std::result::Result<Output, String> {
    if let Some(field) = field {
        let found = field.split('.').try_fold(row, |value, name| value.get(name));
        let text = found.and_then(Value::as_str);
        return text
            .map(|text| Output::Text(text.to_owned()))
            .ok_or_else(|| format!("there is no text in the field {field}"));
    }
    if let Some(messages) = row.get("messages").and_then(Value::as_array) {
        return Ok(Output::Messages(messages.clone()));
    }
    let likely = |value: &Value| -> std::result::Result<LogLikelihood, String> {
        serde_json::from_value(value.clone()).map_err(|e| format!("a log-likelihood: {e}"))
    };
    if let Some(choices) = row.get("choices").and_then(Value::as_array) {
        return Ok(Output::Choices(
            choices.iter().map(likely).collect::<std::result::Result<_, _>>()?,
        ));
    }
    if let Some(found) = row.get("log_likelihood") {
        return Ok(Output::Rolling(likely(found)?));
    }
    let text = TEXTS.iter().find_map(|name| row.get(name).and_then(Value::as_str));
    let message = row.get("message").filter(|m| m.is_object());
    match (text, message) {
        (Some(text), _) => Ok(Output::Text(text.to_owned())),
        (None, Some(message)) => Ok(Output::Messages(vec![message.clone()])),
        (None, None) => Err(format!(
            "there is no answer: none of the fields {}, messages, choices, log_likelihood",
            TEXTS.join(", ")
        )),
    }
}

/// Where items are, by name and by question.
struct Places<'a> {
    ids: HashMap<&'a str, usize>,
    questions: HashMap<&'a str, usize>,
}

impl<'a> Places<'a> {
    fn new(items: &'a [Item]) -> Self {
        let numbered = || items.iter().enumerate();
        // A question that several items ask does not tell them apart.
        let mut questions: HashMap<&str, usize> = HashMap::new();
        let mut twice = Vec::new();
        for (i, item) in numbered().filter(|(_, item)| !item.prompt.ask.is_empty()) {
            for question in [item.prompt.ask.as_str(), bare(&item.prompt.ask)] {
                if questions.insert(question, i).is_some_and(|other| other != i) {
                    twice.push(question);
                }
            }
        }
        for question in twice {
            questions.remove(question);
        }
        Self { ids: numbered().map(|(i, item)| (item.id.as_str(), i)).collect(), questions }
    }

    fn of(&self, prediction: &Prediction) -> Option<usize> {
        let by_id = prediction.id.as_deref().and_then(|id| self.ids.get(id));
        let by_question = || {
            let asked = prediction.question.as_deref()?;
            let last = asked.rsplit_once("\n\n").map_or(asked, |(_, last)| last);
            [asked, last]
                .into_iter()
                .find_map(|q| self.questions.get(q).or_else(|| self.questions.get(bare(q))))
        };
        by_id.or_else(by_question).copied()
    }
}

/// A question without the words that a prompt puts around it.
fn bare(ask: &str) -> &str {
    let ask = ask.strip_prefix("Question: ").unwrap_or(ask);
    ask.strip_suffix("\nAnswer:").unwrap_or(ask)
}

fn shortened(text: &str) -> String {
    let start: String = text.chars().take(60).collect();
    if start.len() < text.len() { format!("{start:?}...") } else { format!("{text:?}") }
}

/// The files with answers to a task: `path` itself, or in a folder the one named after the task (`/` may be a
/// folder or an underscore), `.jsonl` or `.json`.
///
/// # Errors
/// When the folder has none.
pub fn file_for(path: &Path, task: &str) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let member = task.rsplit('/').next().unwrap_or(task);
    let stems = [task.to_owned(), task.replace('/', "_"), member.to_owned()];
    let names = stems.iter().flat_map(|stem| ["jsonl", "json"].map(|end| format!("{stem}.{end}")));
    let found = names.map(|name| path.join(name)).find(|file| file.is_file());
    found.ok_or_else(|| TaskError::Missing {
        file: format!("{member}.jsonl").into(),
        looked: vec![path.to_owned()],
        source: "the answers",
    })
}
