//! `psi eval compare`: two runs item by item.

use psi_eval::{
    compare::{Comparison, TaskComparison, compare},
    report::p_value,
};

use super::report;
use crate::{
    cli::EvalCompare,
    error::{Outcome, unusable},
    out::{out, outln},
    table::columns,
};

pub(crate) fn run(args: &EvalCompare) -> Outcome {
    let comparison = compare(&args.a, &args.b).map_err(unusable)?;
    if let Some(dir) = &args.report {
        report::write(dir, &psi_eval::report::Page::Comparison(Box::new(comparison.clone())))?;
    }
    if args.json {
        outln!("{:#}", serde_json::to_value(&comparison).unwrap_or_default());
        return Ok(());
    }
    outln!("A  {}\nB  {}\n", args.a.display(), args.b.display());
    out!("{}", columns(&rows(&comparison)));
    for task in comparison.tasks.iter().filter(|t| t.differing == 0) {
        outln!("{}: all {} answers are the same", task.name, task.n);
    }
    for name in &comparison.only_one {
        outln!("{name}: only one of the runs has it");
    }
    Ok(())
}

fn rows(comparison: &Comparison) -> Vec<Vec<String>> {
    let head = [
        "task",
        "n",
        "A",
        "B",
        "B - A",
        "95 % interval",
        "wins",
        "losses",
        "McNemar p",
        "can see",
        "",
    ];
    let head = head.map(str::to_owned).to_vec();
    std::iter::once(head).chain(comparison.tasks.iter().map(row)).collect()
}

fn row(t: &TaskComparison) -> Vec<String> {
    let clear = match (t.is_clear(), t.difference > 0.0) {
        (true, true) => "better",
        (true, false) => "worse",
        (false, _) => "",
    };
    vec![
        t.name.clone(),
        t.n.to_string(),
        format!("{:.4}", t.mean.0),
        format!("{:.4}", t.mean.1),
        format!("{:+.4}", t.difference),
        format!("{:+.4} - {:+.4}", t.interval.0, t.interval.1),
        t.wins.to_string(),
        t.losses.to_string(),
        p_value(t.mcnemar),
        format!("{:.4}", t.detectable),
        clear.to_owned(),
    ]
}
