//! The page as Markdown.

use std::fmt::Write as _;

use super::{GatePage, Page, RunPage, answer, p_value, percent, points};
use crate::{
    compare::{Comparison, Flip},
    run::{RunFile, Sample},
};

/// Wrong answers, or flipped items, of each task.
const SHOWN: usize = 10;
/// Characters of a text.
const LENGTH: usize = 600;

pub(super) fn page(page: &Page) -> String {
    match page {
        Page::Run(run) => of_run(run),
        Page::Comparison(c) => format!("# Two runs\n\n{}", of_comparison(c)),
        Page::Gate(gate) => of_gate(gate),
    }
}

fn of_run(RunPage { run, samples, .. }: &RunPage) -> String {
    let mut text = format!("# Run of {}\n\n{}\n", run.model.model, about(run));
    text.push_str("\n| task | n | mean score | 95 % interval | figures |\n|---|--:|--:|---|---|\n");
    for task in &run.tasks {
        let Some(s) = &task.summary else { continue };
        let figures = task.metrics.iter().map(|m| format!("{} {:.4}", m.name, m.value));
        let figures = figures.collect::<Vec<_>>().join(", ");
        let (low, high) = (percent(s.interval.0), percent(s.interval.1));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {low} to {high} | {figures} |",
            task.name,
            s.n,
            percent(s.mean)
        );
    }
    for task in &run.tasks {
        let wrong: Vec<&Sample> =
            samples.iter().filter(|s| s.task == task.name && !s.correct).take(SHOWN).collect();
        if !wrong.is_empty() {
            let _ = writeln!(text, "\n## Wrong: {}", task.name);
        }
        for sample in wrong {
            let _ = writeln!(
                text,
                "\n### {}\n\n{}\n\nAnswer:\n\n{}\n\nReference: `{}`",
                sample.id,
                quoted(&sample.prompt),
                quoted(&answer(sample)),
                sample.reference
            );
        }
    }
    text
}

fn about(run: &RunFile) -> String {
    format!("Model {} ({}), psi {}.", run.model.hash.short(), run.model.engine, run.psi)
}

fn of_comparison(c: &Comparison) -> String {
    let mut text = format!(
        "- A: {}. {}\n- B: {}. {}\n\n",
        c.a.model.model,
        about(&c.a),
        c.b.model.model,
        about(&c.b)
    );
    text.push_str(
        "| task | n | A | B | B - A, points | 95 % interval | wins | losses | McNemar p | can see |\n\
         |---|--:|--:|--:|--:|---|--:|--:|--:|--:|\n",
    );
    for t in &c.tasks {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} to {} | {} | {} | {} | {:.1} |",
            t.name,
            t.n,
            percent(t.mean.0),
            percent(t.mean.1),
            points(t.difference),
            points(t.interval.0),
            points(t.interval.1),
            t.wins,
            t.losses,
            p_value(t.mcnemar),
            100.0 * t.detectable
        );
    }
    for t in &c.tasks {
        if t.differing == 0 {
            let _ = writeln!(text, "\n{}: all answers are the same.", t.name);
        }
        for Flip { a, b } in t.flips.iter().take(SHOWN) {
            let kind = if b.correct { "Won" } else { "Lost" };
            let _ = writeln!(
                text,
                "\n## {kind}: {} {}\n\n{}\n\nA:\n\n{}\n\nB:\n\n{}\n\nReference: `{}`",
                a.task,
                a.id,
                quoted(&b.prompt),
                quoted(&answer(a)),
                quoted(&answer(b)),
                b.reference
            );
        }
    }
    text
}

fn of_gate(GatePage { record, comparison }: &GatePage) -> String {
    let mut text = format!("# Gate: {}\n\n", record.decision);
    for (name, side) in [("candidate", &record.candidate), ("incumbent", &record.incumbent)] {
        let _ = writeln!(text, "- {name}: {} `{}`", side.hash().short(), side.model.path.display());
    }
    let _ = writeln!(
        text,
        "- candidate {} against this incumbent: α = {:.4}, β = {}\n- record {}\n",
        record.number, record.alpha, record.beta, record.hash
    );
    text.push_str(
        "| suite | says | items | of | wins | losses | incumbent | candidate | 95 % interval, points | K | L |\n\
         |---|---|--:|--:|--:|--:|--:|--:|---|--:|--:|\n",
    );
    for s in &record.suites {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} to {} | {:.3} | {:.3} |",
            s.suite,
            format!("{:?}", s.verdict).to_lowercase(),
            s.n,
            s.n_max,
            s.wins,
            s.losses,
            percent(s.means.0),
            percent(s.means.1),
            points(s.interval.0),
            points(s.interval.1),
            s.evidence_for,
            s.evidence_against
        );
    }
    text.push('\n');
    text + &of_comparison(comparison)
}

/// A text as a block of code, its beginning if it is long.
fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(LENGTH).collect();
    if shown.len() < text.len() {
        shown.push_str(" ...");
    }
    shown.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
