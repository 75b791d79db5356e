//! The page as one HTML file.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{GatePage, Page, RunPage, answer, p_value, percent, plots, points};
use crate::{
    compare::{Comparison, Flip, TaskComparison},
    gate::{Decision, Evidence, Record},
    run::{RunFile, Sample},
    votes::Curve,
};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("filter.js");
/// Nothing is loaded from anywhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

pub(super) fn page(page: &Page) -> Markup {
    let (title, body) = match page {
        Page::Run(run) => (format!("{} - run", run.run.model.model), of_run(run)),
        Page::Comparison(c) => {
            (format!("{} and {}", c.a.model.model, c.b.model.model), of_comparison(c))
        }
        Page::Gate(gate) => (format!("gate: {}", gate.record.decision), of_gate(gate)),
    };
    document(&title, &body)
}

/// Curves of accuracy against tokens.
pub(super) fn of_curves(curves: &[Curve]) -> Markup {
    let title = "Accuracy against tokens";
    document(
        title,
        &html! {
            h1 { (title) }
            p.soft { "Solid: the most frequent of k answers. Dashed: with a verifier that finds a right one among them (pass@k)." }
            @for curve in curves {
                h2 { (curve.task) " (" (curve.n) " questions)" }
                (plots::curves(&curve.points))
                table {
                    thead { tr { th { "answers" } th { "tokens a question" } th { "majority" } th { "verifier" } } }
                    tbody { @for p in &curve.points {
                        tr { td { (p.k) } td { (format!("{:.0}", p.tokens)) } td { (percent(p.majority)) } td { (percent(p.verifier)) } }
                    } }
                }
            }
        },
    )
}

fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (body)
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

fn of_run(page: &RunPage) -> Markup {
    let run = &page.run;
    let summaries = run.tasks.iter().filter_map(|t| Some((t, t.summary.as_ref()?)));
    let rows: Vec<plots::Interval<'_>> = summaries
        .clone()
        .map(|(t, s)| plots::Interval {
            name: &t.name,
            value: s.mean,
            low: s.interval.0,
            high: s.interval.1,
        })
        .collect();
    html! {
        h1 { "Run of " (run.model.model) }
        (about(run))
        @if !run.done { p.bad { "Not finished: --resume goes on with it." } }
        h2 { "Scores" }
        (plots::intervals(&rows, (0.0, 1.0), None, percent))
        div.wide { table {
            thead { tr { th { "task" } th { "n" } th { "mean score" } th { "95 % interval" } th { "figures" } th { "tokens" } th { "s, summed" } } }
            tbody {
                @for (task, s) in summaries {
                    tr {
                        td { (task.name) @if s.overlong > 0 { span.bad { " " (s.overlong) " did not fit" } } }
                        td { (s.n) }
                        td { (percent(s.mean)) }
                        td { (percent(s.interval.0)) " to " (percent(s.interval.1)) }
                        td { @for m in &task.metrics { div { (m.name) " " (format!("{:.4}", m.value)) } } }
                        td { (s.prompt_tokens + s.answer_tokens) }
                        td { (format!("{:.1}", s.seconds)) }
                    }
                }
            }
        } }
        h2 { "Samples" }
        @if page.left_out > 0 { p.soft { (page.left_out) " more are in samples.jsonl." } }
        (filters(run.tasks.iter().map(|t| t.name.as_str()), &["wrong", "right"]))
        @for sample in &page.samples { (one(sample)) }
    }
}

fn about(run: &RunFile) -> Markup {
    html! {
        p.soft {
            "model " code { (run.model.hash.short()) }
            @if let Some(adapter) = &run.model.adapter { ", adapter " (adapter) }
            ", " (run.model.engine) ", psi " (run.psi)
        }
    }
}

fn filters<'a>(tasks: impl Iterator<Item = &'a str>, kinds: &[&str]) -> Markup {
    html! {
        div.filters {
            select #task aria-label="task" {
                option value="" { "all tasks" }
                @for task in tasks { option { (task) } }
            }
            select #kind aria-label="kind" {
                option value="" { "all" }
                @for kind in kinds { option { (kind) } }
            }
            input #words type="search" placeholder="words in prompt or answer" aria-label="words";
            span.soft #shown {}
        }
    }
}

fn mark(correct: bool) -> Markup {
    html! { @if correct { span.good { "right" } } @else { span.bad { "wrong" } } }
}

fn one(sample: &Sample) -> Markup {
    let kind = if sample.correct { "right" } else { "wrong" };
    html! {
        details data-task=(sample.task) data-kind=(kind) {
            summary { (mark(sample.correct)) " " (sample.task) " " span.soft { (sample.id) } (told(sample)) }
            div.body {
                (asked(sample))
                span.soft { "answer" } pre { (answer(sample)) }
                (judged(sample))
            }
        }
    }
}

/// What was asked, in the line that opens a sample: its last words, or the choices.
fn told(sample: &Sample) -> Markup {
    let choices = sample.choices.iter().map(|c| format!("{}{}", c.context, c.continuation));
    let choices = choices.collect::<Vec<_>>().join(" / ");
    let text = if choices.is_empty() { &sample.prompt } else { &choices };
    let last = text.trim_end().lines().next_back().unwrap_or_default();
    let shown: String = last.chars().take(TOLD).collect();
    html! { span.told { (shown) } }
}

/// Most characters of it.
const TOLD: usize = 160;

fn asked(sample: &Sample) -> Markup {
    html! { span.soft { "prompt" } pre { (sample.prompt) } }
}

fn judged(sample: &Sample) -> Markup {
    html! {
        p.soft {
            "score " (format!("{:.3}", sample.score))
            @if let Some(found) = &sample.extracted { ", found " code { (found) } }
            ", reference " code { (sample.reference) }
            ", " (sample.n_prompt) " + " (sample.n_answer) " tokens, " (format!("{:.3}", sample.seconds)) " s"
        }
    }
}

fn of_comparison(c: &Comparison) -> Markup {
    html! {
        h1 { "Two runs" }
        p { "A: " (c.a.model.model) } (about(&c.a))
        p { "B: " (c.b.model.model) } (about(&c.b))
        (differences(c))
        (flips(c))
    }
}

fn differences(c: &Comparison) -> Markup {
    let reach = c.tasks.iter().map(|t| t.interval.0.abs().max(t.interval.1.abs()));
    let reach = reach.fold(0.02, f64::max).min(1.0);
    let rows: Vec<plots::Interval<'_>> = c
        .tasks
        .iter()
        .map(|t| plots::Interval {
            name: &t.name,
            value: t.difference,
            low: t.interval.0,
            high: t.interval.1,
        })
        .collect();
    html! {
        h2 { "B minus A, in points" }
        (plots::intervals(&rows, (-reach, reach), Some(0.0), points))
        div.wide { table {
            thead { tr {
                th { "task" } th { "n" } th { "A" } th { "B" } th { "B - A" } th { "95 % interval" } th { "bootstrap" }
                th { "wins" } th { "losses" } th { "McNemar p" } th { "can see" }
            } }
            tbody { @for t in &c.tasks { (difference(t)) } }
        } }
        @for name in &c.only_one { p.soft { (name) ": only one of the runs has it." } }
    }
}

fn difference(t: &TaskComparison) -> Markup {
    let class = match (t.is_clear(), t.difference > 0.0) {
        (true, true) => "good",
        (true, false) => "bad",
        (false, _) => "",
    };
    html! {
        tr {
            td { (t.name) @if t.differing == 0 { span.soft { " all answers the same" } } }
            td { (t.n) } td { (percent(t.mean.0)) } td { (percent(t.mean.1)) }
            td class=(class) { (points(t.difference)) }
            td { (points(t.interval.0)) " to " (points(t.interval.1)) }
            td { (points(t.bootstrap.0)) " to " (points(t.bootstrap.1)) }
            td { (t.wins) } td { (t.losses) } td { (p_value(t.mcnemar)) }
            td { (format!("{:.1}", 100.0 * t.detectable)) }
        }
    }
}

fn flips(c: &Comparison) -> Markup {
    html! {
        h2 { "What flipped" }
        (filters(c.tasks.iter().map(|t| t.name.as_str()), &["lost", "won"]))
        @for flip in c.tasks.iter().flat_map(|t| &t.flips) { (side_by_side(flip)) }
    }
}

fn side_by_side(Flip { a, b }: &Flip) -> Markup {
    let kind = if b.correct { "won" } else { "lost" };
    html! {
        details data-task=(a.task) data-kind=(kind) {
            summary {
                span class=(if b.correct { "good" } else { "bad" }) { (kind) } " " (a.task) " " span.soft { (a.id) }
                (told(b))
            }
            div.body {
                (asked(b))
                div.pair {
                    div { span.soft { "A" } pre { (answer(a)) } (judged(a)) }
                    div { span.soft { "B" } pre { (answer(b)) } (judged(b)) }
                }
            }
        }
    }
}

fn of_gate(GatePage { record, comparison }: &GatePage) -> Markup {
    let class = match record.decision {
        Decision::Promote => "verdict good",
        Decision::Hold => "verdict",
        Decision::Reject => "verdict bad",
    };
    html! {
        h1 { "Gate" }
        p class=(class) { (record.decision) }
        (sides(record))
        @for suite in &record.suites { (evidence(suite, record)) }
        (differences(comparison))
        (flips(comparison))
    }
}

fn sides(record: &Record) -> Markup {
    html! {
        p {
            "candidate " code { (record.candidate.hash().short()) } " " (record.candidate.model.path.display())
            @if let Some(a) = &record.candidate.adapter { " with " (a.path.display()) }
        }
        p {
            "incumbent " code { (record.incumbent.hash().short()) } " " (record.incumbent.model.path.display())
            @if let Some(a) = &record.incumbent.adapter { " with " (a.path.display()) }
        }
        p.soft {
            "candidate " (record.number) " against this incumbent: it may use up α = " (format!("{:.4}", record.alpha))
            "; β = " (record.beta) "; record " code { (record.hash.short()) }
        }
    }
}

fn evidence(s: &Evidence, record: &Record) -> Markup {
    let says = format!("{:?}", s.verdict).to_lowercase();
    html! {
        h2 { "Suite " (s.suite) ": " (says) }
        p {
            (s.n) " of " (s.n_max) " items, " (s.wins) " won, " (s.losses) " lost; "
            (percent(s.means.0)) " → " (percent(s.means.1)) " (difference "
            (points(s.interval.0)) " to " (points(s.interval.1)) " points); margin " (format!("{:.1}", 100.0 * s.margin))
        }
        (plots::money(&s.trace, -record.alpha.log10(), -record.beta.log10()))
        p.soft {
            "Money on \"not worse by the margin\" (green) promotes at the green line; money on \"worse\" (red) rejects at the red one."
        }
    }
}
