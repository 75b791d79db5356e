//! `psi eval contamination`: whether training data holds the items of a task.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use psi_eval::contamination::{Index, RUN, Report};
use serde_json::{Value, json};

use super::player::tasks;
use crate::{
    cli::EvalContamination,
    error::{Failure, Outcome},
    model::unreadable,
    out::{out, outln},
    table::columns,
};

/// Items that are listed.
const LISTED: usize = 20;

pub(crate) fn run(args: &EvalContamination) -> Outcome {
    let tasks = tasks(&args.tasks, &args.tasks_from)?;
    let mut indices: Vec<(String, Index)> = tasks
        .iter()
        .map(|task| (task.name().to_owned(), Index::new(&task.items(args.n, 0))))
        .collect();
    for path in &args.training {
        for file in files(path)? {
            documents(&file, &mut |text| indices.iter_mut().for_each(|(_, i)| i.scan(text)))?;
        }
    }
    let reports: Vec<(String, Report)> =
        indices.iter().map(|(name, index)| (name.clone(), index.report())).collect();
    if args.json {
        let tasks: Vec<Value> =
            reports.iter().map(|(name, r)| json!({ "task": name, "report": r })).collect();
        outln!("{:#}", json!({ "run_of_words": RUN, "tasks": tasks }));
        return Ok(());
    }
    let head = ["task", "items", "too short", "documents", "found"].map(str::to_owned).to_vec();
    let row = |(name, r): &(String, Report)| {
        let numbers = [r.n_items, r.n_skipped, r.n_documents as usize, r.hits.len()];
        std::iter::once(name.clone()).chain(numbers.map(|n| n.to_string())).collect()
    };
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(reports.iter().map(row)).collect();
    out!("{}", columns(&rows));
    for (name, report) in &reports {
        for hit in report.hits.iter().take(LISTED) {
            outln!("{name} {}: {:.0} % of its runs of {RUN} words", hit.id, 100.0 * hit.share);
        }
    }
    Ok(())
}

/// A file, or all files under a folder, by name.
fn files(path: &Path) -> Outcome<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|e| unreadable(path, e))? {
        found.extend(files(&entry.map_err(|e| unreadable(path, e))?.path())?);
    }
    found.sort();
    Ok(found)
}

/// Every document of a file: a JSON line's texts, or the whole of a text file.
fn documents(path: &Path, each: &mut dyn FnMut(&str)) -> Outcome {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("jsonl" | "ndjson") => {
            let file = File::open(path).map_err(|e| unreadable(path, e))?;
            for (number, line) in BufReader::new(file).lines().enumerate() {
                let line = line.map_err(|e| unreadable(path, e))?;
                if line.trim().is_empty() {
                    continue;
                }
                let row: Value = serde_json::from_str(&line).map_err(|e| {
                    let at = format!("{}:{}", path.display(), number + 1);
                    Failure::input(format!("{at}: not JSON")).because(e)
                })?;
                let mut text = String::new();
                texts(&row, &mut text);
                each(&text);
            }
        }
        None | Some("txt" | "md" | "text") => {
            let bytes = crate::model::read(path)?;
            each(&String::from_utf8_lossy(&bytes));
        }
        Some(other) => {
            return Err(Failure::input(format!("{}: .{other} is not read", path.display()))
                .hint("give text files (.txt, .md) or JSON lines (.jsonl)"));
        }
    }
    Ok(())
}

/// All texts of a JSON value, one after another.
fn texts(value: &Value, into: &mut String) {
    match value {
        Value::String(text) => {
            into.push_str(text);
            into.push('\n');
        }
        Value::Array(values) => values.iter().for_each(|v| texts(v, into)),
        Value::Object(fields) => fields.values().for_each(|v| texts(v, into)),
        _ => {}
    }
}
