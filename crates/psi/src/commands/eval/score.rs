//! `psi eval score`: answers made elsewhere against a task or a suite.

use psi_eval::{
    predictions::{Missing, Predictions, Score, file_for},
    stats::Share,
    task::{Metric, Task},
};
use serde_json::{Value, json};

use super::player;
use crate::{
    cli::{EvalScore, MissingItems},
    error::{Outcome, unusable},
    out::{out, outln},
    table::columns,
};

pub(crate) fn run(args: &EvalScore) -> Outcome {
    let missing = match args.missing {
        MissingItems::Refuse => Missing::Refuse,
        MissingItems::Wrong => Missing::Wrong,
        MissingItems::Skip => Missing::Skip,
    };
    let mut scored: Vec<(Task, Score)> = Vec::new();
    for task in player::tasks(std::slice::from_ref(&args.task), &args.tasks_from)? {
        let file = file_for(&args.predictions, task.name()).map_err(unusable)?;
        let predictions = Predictions::read(&file, args.field.as_deref()).map_err(unusable)?;
        let items = task.items(args.n, args.seed);
        let score = predictions.score(&task, &items, missing).map_err(unusable)?;
        scored.push((task, score));
    }
    if args.json {
        let tasks: Vec<Value> = scored.iter().map(document).collect();
        // One task is its own document; a suite is a list with the mean over its tasks.
        let document = match &tasks[..] {
            [task] => task.clone(),
            _ => json!({ "suite": args.task, "means": means(&scored), "tasks": tasks }),
        };
        outln!("{document:#}");
        return Ok(());
    }
    let mut rows =
        vec![["task", "metric", "value", "95 % interval", "of"].map(str::to_owned).to_vec()];
    for (task, score) in &scored {
        rows.extend(score.metrics.iter().map(|metric| cells(task, metric)));
    }
    for mean in means(&scored) {
        let (value, n) = (format!("{:.4}", mean.value), mean.n.to_string());
        let row = [args.task.as_str(), &format!("mean {} of tasks", mean.name), &value, "", &n];
        rows.push(row.map(str::to_owned).to_vec());
    }
    out!("{}", columns(&rows));
    for (task, score) in &scored {
        let wrong = score.judged.iter().filter(|j| !j.verdict.correct).take(args.show_wrong);
        for judged in wrong {
            let found = judged.verdict.extracted.as_deref().unwrap_or("(nothing)");
            outln!(
                "\n{} {}\n  found  {}",
                task.name(),
                judged.id,
                found.replace('\n', "\n         ")
            );
            for (key, value) in &judged.verdict.detail {
                outln!("  {key}  {value}");
            }
        }
    }
    Ok(())
}

/// Over the tasks of a suite, the mean of their headline figure and of the accuracy that guessing is taken
/// from (`centred`), where they have such: CORE is the latter.
fn means(scored: &[(Task, Score)]) -> Vec<Metric> {
    if scored.len() < 2 {
        return Vec::new();
    }
    let head = |score: &Score| score.metrics.first().cloned();
    let centred = |score: &Score| score.metrics.iter().find(|m| m.name == "centred").cloned();
    let name = head(&scored[0].1).map_or_else(String::new, |m| m.name);
    let heads = scored.iter().filter_map(|(_, score)| head(score));
    let mut means = vec![Metric::mean(name, heads.map(|m| m.value))];
    if scored.iter().any(|(_, score)| centred(score).is_some()) {
        // Where nothing can be guessed the figure is its own centred one.
        let each = scored.iter().filter_map(|(_, score)| centred(score).or_else(|| head(score)));
        means.push(Metric::mean("centred", each.map(|m| m.value)));
    }
    means
}

fn document((task, score): &(Task, Score)) -> Value {
    let metrics = score.metrics.iter().map(|m| {
        let mut value = json!({ "name": m.name, "value": m.value, "n": m.n });
        if let Some((low, high)) = interval(m) {
            value["interval"] = json!([low, high]);
        }
        value
    });
    let items = score.judged.iter().map(|j| {
        let mut value = serde_json::to_value(&j.verdict).expect("a verdict has a JSON form");
        value["id"] = json!(j.id);
        value
    });
    json!({
        "task": task.name(),
        "version": task.version().to_string(),
        "split": task.split().name(),
        "scorer": task.scorer().version(),
        "n": score.judged.len(),
        "right": score.judged.iter().filter(|j| j.verdict.correct).count(),
        "metrics": metrics.collect::<Vec<_>>(),
        "items": items.collect::<Vec<_>>(),
    })
}

/// Wilson's interval of a share of right answers; other figures have none here.
fn interval(metric: &Metric) -> Option<(f64, f64)> {
    let right = metric.value * metric.n as f64;
    let is_share = (0.0..=1.0).contains(&metric.value) && (right - right.round()).abs() < 1e-6;
    let named = ["accuracy", "prompt_", "instruction_", "exact_match", "pass@1", "refused_"];
    let is_named = named.iter().any(|name| metric.name.starts_with(name));
    (is_share && is_named && metric.n > 0)
        .then(|| Share { right: right.round() as usize, total: metric.n }.wilson())
}

fn cells(task: &Task, metric: &Metric) -> Vec<String> {
    let percent = |x: f64| format!("{:.2}", 100.0 * x);
    let (value, between) = match interval(metric) {
        Some((low, high)) => {
            (percent(metric.value), format!("{} - {}", percent(low), percent(high)))
        }
        None => (format!("{:.4}", metric.value), String::new()),
    };
    vec![task.name().to_owned(), metric.name.clone(), value, between, metric.n.to_string()]
}
