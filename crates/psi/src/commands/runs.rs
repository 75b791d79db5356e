//! `psi runs`: training runs on disk, in tables.

pub(crate) mod watch;

use std::path::{Path, PathBuf};

use psi_store::Home;
use psi_train::run::{self, RunSummary};
use serde_json::{Map, Value, json};

use crate::{
    cli::{Runs, RunsCommand},
    env,
    error::{Failure, Outcome, unusable},
    out::{out, outln},
    table,
};

pub(crate) fn run(args: &Runs) -> Outcome {
    match &args.command {
        RunsCommand::List { dir, json } => list(dir.as_deref(), *json),
        RunsCommand::Show { run, json } => show(run, *json),
        RunsCommand::Compare { runs, json } => compare(runs, *json),
        RunsCommand::Watch { dir, port } => watch::watch(root(dir.as_deref())?, *port),
    }
}

fn list(dir: Option<&Path>, json: bool) -> Outcome {
    let root = root(dir)?;
    let runs = run::list(&root).map_err(unusable)?;
    if json {
        outln!("{:#}", json!({ "dir": root.display().to_string(), "runs": runs }));
    } else if runs.is_empty() {
        outln!("no runs in {}", root.display());
    } else {
        out!("{}", table::columns(&rows(&runs)));
    }
    Ok(())
}

/// The folder that holds the runs: the one given, else that of PSI_HOME.
fn root(dir: Option<&Path>) -> Outcome<PathBuf> {
    let none = || Failure::input("no folder to list").hint("give one, or set PSI_HOME");
    dir.map(Path::to_owned).or_else(runs_dir).ok_or_else(none)
}

fn show(run: &Path, json: bool) -> Outcome {
    let dir = resolve(run);
    let summary = run::summarize(&dir).map_err(unusable)?;
    if json {
        outln!("{:#}", serde_json::to_value(&summary).unwrap_or_default());
        return Ok(());
    }
    let path = dir.join("config.toml");
    let config = String::from_utf8_lossy(&crate::model::read(&path)?).into_owned();
    out!("{}\n{config}", table::columns(&rows(std::slice::from_ref(&summary))));
    Ok(())
}

fn compare(runs: &[PathBuf], json: bool) -> Outcome {
    let dirs: Vec<PathBuf> = runs.iter().map(|r| resolve(r)).collect();
    let summaries: Vec<RunSummary> =
        dirs.iter().map(|d| run::summarize(d).map_err(unusable)).collect::<Outcome<_>>()?;
    let differing = differing(&dirs)?;
    if json {
        let settings: Map<String, Value> =
            differing.into_iter().map(|(name, values)| (name, json!(values))).collect();
        outln!("{:#}", json!({ "runs": summaries, "settings": settings }));
        return Ok(());
    }
    out!("{}\n", table::columns(&rows(&summaries)));
    let names = std::iter::once("setting".to_owned()).chain(summaries.iter().map(name)).collect();
    let lines = differing
        .into_iter()
        .map(|(name, values)| std::iter::once(name).chain(values).collect::<Vec<String>>());
    let all: Vec<Vec<String>> = std::iter::once(names).chain(lines).collect();
    out!("{}", table::columns(&all));
    Ok(())
}

/// The settings in which runs differ, with each run's value.
fn differing(dirs: &[PathBuf]) -> Outcome<Vec<(String, Vec<String>)>> {
    let all: Vec<_> =
        dirs.iter().map(|d| run::settings(d).map_err(unusable)).collect::<Outcome<_>>()?;
    let value = |s: &psi_train::recipe::Settings, name: &str| {
        s.get(name).map_or("-".to_owned(), |setting| setting.value.to_string())
    };
    let names = psi_train::recipe::KEYS.iter().map(|k| k.name);
    let mut differing: Vec<_> = names
        .map(|name| (name.to_owned(), all.iter().map(|s| value(s, name)).collect::<Vec<_>>()))
        .filter(|(_, values)| values.iter().any(|v| *v != values[0]))
        .collect();
    differing.sort();
    Ok(differing)
}

fn rows(runs: &[RunSummary]) -> Vec<Vec<String>> {
    let head = ["run", "status", "step", "of", "tokens", "loss", "best bpb", "at", "tokens/s"];
    let number = |x: Option<f64>, digits: usize| x.map_or("-".into(), |x| format!("{x:.digits$}"));
    let row = |r: &RunSummary| {
        vec![
            name(r),
            r.status.name().to_owned(),
            r.step.to_string(),
            r.steps.to_string(),
            table::count(r.tokens),
            number(r.loss, 4),
            number(r.best.map(|b| b.0), 4),
            r.best.map_or("-".into(), |b| b.1.to_string()),
            number(r.tokens_per_s, 0),
        ]
    };
    let head = head.map(str::to_owned).to_vec();
    std::iter::once(head).chain(runs.iter().map(row)).collect()
}

fn name(run: &RunSummary) -> String {
    run.dir.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

/// A folder as given, or a run of that name in PSI_HOME.
fn resolve(given: &Path) -> PathBuf {
    match runs_dir().map(|dir| dir.join(given)) {
        Some(named) if !given.exists() && named.exists() => named,
        _ => given.to_owned(),
    }
}

fn runs_dir() -> Option<PathBuf> {
    env::home().map(|home| Home::at(&home).runs())
}
