//! `psi eval skills`: the score table of the assistant's skills on held-out conversations.

use psi_eval::skills::{Mistake, Player, Row, Table, score};
use serde_json::{Value, json};

use crate::{
    cli::EvalSkills,
    error::{Failure, Outcome},
    model::Runner,
    out::{out, outln},
    progress::Progress,
    table::columns,
};

/// Positions of the cache for each conversation at a time.
const POSITIONS: usize = 1024;

pub(crate) fn run(args: &EvalSkills) -> Outcome {
    let runner = Runner::load(&args.model)?;
    let Some(template) = runner.text.chat()? else {
        return Err(Failure::input(format!(
            "{}: has no chat template",
            args.model.model.display()
        ))
        .hint("psi eval skills needs a model that was trained on conversations"));
    };
    let batch = args.batch as usize;
    let mut engine = runner.engine(batch * POSITIONS.min(runner.decoder.config().max_seq_len));
    let mut player = Player {
        engine: &mut engine,
        tokenizer: &runner.text.tokenizer,
        template: &template,
        batch,
    };
    let mut bar: Option<Progress> = None;
    let (split, n) = (args.split.split(), args.n as usize);
    let table = score(&mut player, split, n, args.seed, &mut |done, total| {
        bar.get_or_insert_with(|| Progress::steps("answering", total as u64)).set(done as u64);
    });
    drop(bar);
    let table = table.map_err(|e| Failure::failed("the model cannot be scored").because(e))?;
    let wrong = first_of_each(&table, args.show_wrong);
    if args.json {
        let mut document = table.to_json();
        document["n"] = json!(args.n);
        document["seed"] = json!(args.seed);
        document["split"] = json!(split.name());
        document["wrong"] = wrong.iter().map(|m| mistake_json(m)).collect();
        outln!("{document:#}");
        return Ok(());
    }
    let head = ["skill", "right", "of", "share", "95 % interval", "bar"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(table.rows.iter().map(cells));
    out!("{}", columns(&rows));
    for mistake in wrong {
        outln!("\n{}\n  user      {}", mistake.skill.name(), indented(&mistake.user));
        outln!("  expected  {}", indented(&mistake.expected));
        outln!("  written   {}", indented(&mistake.written));
    }
    Ok(())
}

fn cells(row: &Row) -> Vec<String> {
    let (low, high) = row.share.wilson();
    let percent = |x: f64| format!("{:.1} %", 100.0 * x);
    let bar = row.bar.map_or_else(String::new, |bar| {
        let verdict = if row.share.value() >= bar { "reached" } else { "missed" };
        format!("{:.0} % {verdict}", 100.0 * bar)
    });
    vec![
        row.name.clone(),
        row.share.right.to_string(),
        row.share.total.to_string(),
        percent(row.share.value()),
        format!("{:.1} - {:.1}", 100.0 * low, 100.0 * high),
        bar,
    ]
}

/// The first `n` mistakes of each skill.
fn first_of_each(table: &Table, n: usize) -> Vec<&Mistake> {
    let mut shown: Vec<&Mistake> = Vec::new();
    for mistake in &table.mistakes {
        if shown.iter().filter(|m| m.skill == mistake.skill).count() < n {
            shown.push(mistake);
        }
    }
    shown.sort_by_key(|m| m.skill);
    shown
}

fn mistake_json(mistake: &Mistake) -> Value {
    json!({
        "skill": mistake.skill.name(),
        "user": mistake.user,
        "expected": mistake.expected,
        "written": mistake.written,
    })
}

/// Longest part of an answer that is shown.
const SHOWN: usize = 400;

fn indented(text: &str) -> String {
    let mut shown: String = text.trim_end().chars().take(SHOWN).collect();
    if shown.len() < text.trim_end().len() {
        shown.push_str(" ...");
    }
    shown.replace('\n', "\n            ")
}
