//! `psi eval tasks`: what can be evaluated here.

use psi_eval::{
    split::Split,
    tasks::{Library, TASKS, TaskOptions, expand},
};
use serde_json::json;

use super::player;
use crate::{
    cli::EvalTasks,
    error::Outcome,
    out::{out, outln},
    table::columns,
};

pub(crate) fn run(args: &EvalTasks) -> Outcome {
    let library = player::library(&args.tasks_from);
    if args.json {
        let entries = TASKS.iter().map(|entry| {
            let tasks = expand(entry.name).expect("an entry of the list");
            json!({
                "name": entry.name,
                "tasks": tasks,
                "help": entry.help,
                "licence": entry.licence,
                "source": entry.source,
                "output": entry.output.name(),
                "splits": entry.splits.iter().map(|s| s.name()).collect::<Vec<_>>(),
                "here": state(&library, &tasks),
            })
        });
        outln!("{:#}", entries.collect::<serde_json::Value>());
        return Ok(());
    }
    let mut rows =
        vec![["suite", "tasks", "asks for", "here", "about"].map(str::to_owned).to_vec()];
    for entry in TASKS {
        let tasks = expand(entry.name).expect("an entry of the list");
        let help = format!("{} ({})", entry.help, entry.licence);
        let cells = [entry.name, &tasks.len().to_string(), entry.output.name()];
        let mut row = cells.map(str::to_owned).to_vec();
        row.extend([state(&library, &tasks), help]);
        rows.push(row);
    }
    out!("{}", columns(&rows));
    Ok(())
}

/// Whether a suite's first task can be opened, or why not.
fn state(library: &Library, tasks: &[String]) -> String {
    match library.open(&tasks[0], Split::Eval, TaskOptions::default()) {
        Ok(_) => "yes".to_owned(),
        Err(psi_eval::task::TaskError::Missing { .. }) => "no data".to_owned(),
        Err(psi_eval::task::TaskError::NoSandbox { .. }) => "no sandbox".to_owned(),
        Err(error) => error.to_string(),
    }
}
