//! `psi eval votes`: accuracy against the number of answers and of tokens.

use std::path::PathBuf;

use psi_eval::{
    report::{curves_html, percent},
    votes::curves,
};
use psi_store::write_atomic;
use serde_json::json;

use super::{
    player::tasks,
    run::{played, player_of},
};
use crate::{
    cli::EvalVotes,
    error::{Failure, Outcome, unusable},
    out::{out, outln},
    table::columns,
};

pub(crate) fn run(args: &EvalVotes) -> Outcome {
    let EvalVotes { draws, run } = args;
    if *draws > 1 && run.answers.temperature <= 0.0 {
        let error = Failure::input("every draw is the same at temperature 0");
        return Err(error.hint("give --temperature 0.8, or as the model's card says"));
    }
    let tasks = tasks(&run.tasks, &run.tasks_from)?;
    let mut player = player_of(run)?;
    let folders: Vec<PathBuf> = (0..*draws).map(|i| run.out.join(format!("draw-{i}"))).collect();
    for (i, folder) in (0_u64..).zip(&folders) {
        let doing = format!("draw {} of {draws}", i + 1);
        // The items are those of the seed; the draws of another seed are another run's.
        let draw = run.seed.wrapping_mul(1 << 20).wrapping_add(i);
        played(run, &tasks, player.as_mut(), (folder, draw), &doing)?;
    }
    let folders: Vec<_> = folders.iter().map(PathBuf::as_path).collect();
    let curves = curves(&folders).map_err(unusable)?;
    let report = run.out.join("votes.html");
    write_atomic(&report, curves_html(&curves).as_bytes()).map_err(unusable)?;
    if run.json {
        outln!("{:#}", json!({ "curves": curves, "page": report }));
        return Ok(());
    }
    let head = ["task", "n", "answers", "tokens", "majority", "verifier"].map(str::to_owned);
    let mut rows = vec![head.to_vec()];
    for curve in &curves {
        rows.extend(curve.points.iter().map(|p| {
            vec![
                curve.task.clone(),
                curve.n.to_string(),
                p.k.to_string(),
                format!("{:.0}", p.tokens),
                percent(p.majority),
                percent(p.verifier),
            ]
        }));
    }
    out!("{}", columns(&rows));
    outln!("\n{}", report.display());
    Ok(())
}
