//! `psi eval run`: tasks put to a model.

use std::path::Path;

use psi_eval::{
    run::{Cache, OnOverlong, Player, RunFile, RunOptions, TaskRun, run as run_tasks},
    task::Task,
};

use super::player::{cache, player, settings, tasks};
use crate::{
    cli::{EvalRun, Overlong},
    clock,
    error::{Outcome, unusable},
    out::{out, outln},
    progress::Progress,
    table::{columns, count},
};

pub(crate) fn run(args: &EvalRun) -> Outcome {
    let tasks = tasks(&args.tasks, &args.tasks_from)?;
    let mut player = player_of(args)?;
    let file = played(args, &tasks, player.as_mut(), (&args.out, args.seed), "answering")?;
    if args.json {
        outln!("{:#}", serde_json::to_value(&file).unwrap_or_default());
        return Ok(());
    }
    out!("{}", columns(&rows(&file)));
    let summaries = || file.tasks.iter().filter_map(|t| t.summary.as_ref());
    let tokens: u64 = summaries().map(|s| s.prompt_tokens + s.answer_tokens).sum();
    let n: usize = summaries().map(|s| s.n).sum();
    let cached: usize = summaries().map(|s| s.cached).sum();
    outln!(
        "\n{n} answers ({cached} from the cache) in {:.1} s, {} tokens; {}",
        file.seconds,
        count(tokens),
        args.out.join("samples.jsonl").display()
    );
    Ok(())
}

pub(super) fn player_of(args: &EvalRun) -> Outcome<Box<dyn Player>> {
    player(&args.model, args.adapter.as_deref(), args.name.as_deref(), &args.answers)
}

/// Runs the tasks into a folder, with the draws of a seed.
pub(super) fn played(
    args: &EvalRun,
    tasks: &[Task],
    player: &mut dyn Player,
    (out, draw): (&Path, u64),
    doing: &str,
) -> Outcome<RunFile> {
    let options = RunOptions {
        n: args.n,
        seed: args.seed,
        overlong: match args.overlong {
            Overlong::Stop => OnOverlong::Stop,
            Overlong::Wrong => OnOverlong::Wrong,
        },
        resume: args.resume,
        settings: settings(&args.answers, draw)?,
        now: clock::now(),
    };
    let mut cache = cache(&args.model.model, &args.answers).map(|dir| Cache::at(&dir));
    let mut bar: Option<Progress> = None;
    let file = run_tasks(tasks, player, cache.as_mut(), &options, out, &mut |p| {
        let bar = bar.get_or_insert_with(|| Progress::steps(doing, p.total as u64));
        bar.set(p.done as u64);
    });
    drop(bar);
    file.map_err(unusable)
}

fn rows(file: &RunFile) -> Vec<Vec<String>> {
    let head = ["task", "n", "figure", "value", "95 % interval", "score"].map(str::to_owned);
    std::iter::once(head.to_vec()).chain(file.tasks.iter().map(row)).collect()
}

fn row(task: &TaskRun) -> Vec<String> {
    let summary = task.summary.clone().unwrap_or_default();
    let (name, value) = task.metrics.first().map_or(("-", 0.0), |m| (m.name.as_str(), m.value));
    vec![
        task.name.clone(),
        summary.n.to_string(),
        name.to_owned(),
        format!("{value:.4}"),
        format!("{:.4} - {:.4}", summary.interval.0, summary.interval.1),
        format!("{:.4}", summary.mean),
    ]
}
