//! Berkeley Function-Calling Leaderboard, version 4: one call, the right one of several, or none at all.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Entry, Library, Wanted};
use crate::{
    readers::Line,
    scorers::Calls,
    split::Split,
    task::{Generation, Item, OutputKind, Prompt, Request, Result, Task, TaskError},
};

pub(super) const ENTRY: Entry = Entry {
    name: "bfcl",
    members: || ["simple_python", "multiple", "irrelevance"].map(str::to_owned).to_vec(),
    help: "calls of functions with the right arguments, or none where none fits",
    licence: "Apache-2.0",
    source: "ShishirPatil/gorilla",
    output: OutputKind::Generation,
    splits: &[Split::Eval],
    open,
};

#[derive(Deserialize)]
struct Row {
    id: String,
    question: Vec<Vec<Value>>,
    function: Vec<Value>,
}

#[derive(Deserialize)]
struct Answer {
    id: String,
    ground_truth: Vec<Map<String, Value>>,
}

fn open(library: &Library, wanted: &Wanted<'_>) -> Result<Task> {
    wanted.allow(false, false)?;
    let file = format!("BFCL_v4_{}.json", wanted.member);
    let rows: Vec<Line<Row>> = library.rows(&format!("bfcl/{file}"), &ENTRY)?;
    let answers: Vec<Line<Answer>> = if wanted.member == "irrelevance" {
        Vec::new() // the right reply is no call
    } else {
        library.rows(&format!("bfcl/possible_answer/{file}"), &ENTRY)?
    };
    let mut items = Vec::with_capacity(rows.len());
    for (i, Line { number, value: row }) in rows.into_iter().enumerate() {
        let expected = answers.get(i);
        if expected.is_some_and(|a| a.value.id != row.id)
            || (expected.is_none() && !answers.is_empty())
        {
            let what = format!("no answer for {}", row.id);
            return Err(TaskError::Bad { path: file.into(), line: number, what });
        }
        let mut history = row.question.into_iter().next().unwrap_or_default();
        let last = history.pop().and_then(|m| m["content"].as_str().map(str::to_owned));
        let tools = row.function.iter().map(|f| json!({ "type": "function", "function": tool(f) }));
        let prompt = Prompt {
            history,
            ask: last.unwrap_or_default(),
            tools: tools.collect(),
            ..Prompt::default()
        };
        let reference = json!({
            "functions": row.function,
            "calls": expected.map(|a| &a.value.ground_truth),
        });
        let limits = Generation { max_tokens: 512, stop: Vec::new() };
        items.push(Item::new(row.id, prompt, Request::Generation(limits), reference));
    }
    Ok(Task::fixed(wanted.name, wanted.split, items, Arc::new(Calls)))
}

/// The publisher's description of a function as JSON Schema: its Python types get their JSON names, and a dot
/// in its name becomes a line, because OpenAI's interface allows none.
fn tool(function: &Value) -> Value {
    let mut function = function.clone();
    if let Some(name) = function["name"].as_str() {
        function["name"] = name.replace('.', "_").into();
    }
    rename_types(&mut function["parameters"]);
    function
}

fn rename_types(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    let name = match object.get("type").and_then(Value::as_str) {
        Some("dict") => Some("object"),
        Some("float") => Some("number"),
        Some("tuple") => Some("array"),
        Some("any") => Some("string"),
        _ => None,
    };
    if let Some(name) = name {
        object.insert("type".to_owned(), name.into());
    }
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(rename_types);
    }
    if let Some(items) = object.get_mut("items") {
        rename_types(items);
    }
}
