//! The pages, rendered whole; the part that changes is a fragment of its own.

use std::fmt::Write as _;

use maud::{DOCTYPE, Markup, html};
use serde_json::Value;

use super::{
    Run,
    chart::{Chart, number},
    metrics::Lines,
};

/// Samples shown, the newest first.
const SAMPLES: usize = 12;

/// The address of a run's page.
pub(crate) fn link(name: &str) -> String {
    let mut path = "/runs/".to_owned();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => path.push(byte as char),
            // A String takes any text.
            _ => drop(write!(path, "%{byte:02X}")),
        }
    }
    path
}

fn page(title: &str, live: &str, heading: &Markup, fragment: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " - psi" }
                link rel="icon" href="/assets/psi.svg";
                link rel="stylesheet" href=(crate::assets::at("psi.css"));
                script type="module" src=(crate::assets::at("live.js")) {}
            }
            body.plain {
                header {
                    a href="/" aria-label="psi" { img src="/assets/psi.svg" alt=""; }
                    a href="/runs" { "Training runs" }
                }
                main { (heading) div data-live=(live) { (fragment) } }
            }
        }
    }
}

/// All runs.
pub(crate) fn list(runs: &[Run]) -> Markup {
    page("runs", "/runs/live", &html! { h1 { "Training runs" } }, &list_fragment(runs))
}

pub(crate) fn list_fragment(runs: &[Run]) -> Markup {
    html! {
        @if runs.is_empty() {
            p.soft { "There are no runs yet: " code { "psi train RECIPE" } " makes one." }
        } @else {
            table {
                thead { tr { th { "run" } th { "status" } th { "step" } th { "loss" } th { "bits per byte" } th { "tokens" } } }
                tbody {
                    @for run in runs {
                        @let metrics = Lines::read(&run.dir.join("metrics.jsonl")).unwrap_or_default();
                        @let value = |key| metrics.last_number(key).map_or("-".to_owned(), number);
                        tr {
                            td { a href=(link(&run.name)) { (run.name) } }
                            td { (run.status) }
                            td { (value("step")) " of " (number(run.steps as f64)) }
                            td { (value("loss")) }
                            td { (value("val_bpb")) }
                            td { (value("tokens")) }
                        }
                    }
                }
            }
        }
    }
}

/// One run.
pub(crate) fn run(run: &Run) -> Markup {
    page(&run.name, &format!("{}/live", link(&run.name)), &html! {}, &run_fragment(run))
}

pub(crate) fn run_fragment(run: &Run) -> Markup {
    let metrics = Lines::read(&run.dir.join("metrics.jsonl"));
    let samples = Lines::read(&run.dir.join("samples.jsonl"));
    html! {
        h1 { (run.name) }
        p.soft { (run.status) }
        @match (metrics, samples) {
            (Ok(metrics), Ok(samples)) => {
                (summary(run, &metrics))
                (charts(run, &metrics))
                (texts(&samples))
            }
            (Err(e), _) | (_, Err(e)) => p.bad { "The run's files cannot be read: " (e) "." },
        }
    }
}

fn summary(run: &Run, metrics: &Lines) -> Markup {
    let Some(step) = metrics.last_number("step") else {
        return html! { p { "No step is done yet." } };
    };
    let recent: Vec<f64> =
        metrics.series("tokens_per_s").iter().rev().take(20).map(|p| p.1).collect();
    let speed = recent.iter().sum::<f64>() / recent.len().max(1) as f64;
    let tokens = metrics.last_number("tokens").unwrap_or(0.0);
    let left = (run.steps as f64 - step) * tokens / step.max(1.0) / speed.max(1e-9);
    let skipped = metrics.objects.iter().filter(|o| o.contains_key("skipped")).count();
    let tile =
        |name: &str, value: String| html! { div.tile { span.soft { (name) } b { (value) } } };
    html! {
        progress.steps max=(run.steps.max(1)) value=(step) aria-label="steps done" {}
        div.tiles {
            (tile("step", format!("{step:.0} of {}", run.steps)))
            @if let Some(loss) = metrics.last_number("loss") { (tile("loss", number(loss))) }
            @if let Some(bpb) = metrics.last_number("val_bpb") { (tile("bits per byte", number(bpb))) }
            (tile("tokens", number(tokens)))
            (tile("tokens per second", number(speed)))
            @if let Some(share) = metrics.last_number("share_of_roof") { (tile("share of the roof", format!("{:.0} %", share * 100.0))) }
            @if run.status == "running" && left > 0.0 { (tile("time left", duration(left))) }
            @if skipped > 0 { (tile("skipped steps", skipped.to_string())) }
        }
        @if metrics.unreadable > 0 { p.bad { (metrics.unreadable) " lines of metrics.jsonl cannot be read." } }
    }
}

fn charts(run: &Run, metrics: &Lines) -> Markup {
    let steps = run.steps as f64;
    let noisy = |title, key, from_zero, percent| {
        let noisy = metrics.series(key);
        Chart { title, noisy, steps, from_zero, percent, ..Chart::default() }.render()
    };
    let line =
        |title, key| Chart { title, line: metrics.series(key), steps, ..Chart::default() }.render();
    let second = metrics.series("val_bpb_ema");
    let legend = if second.is_empty() { "" } else { "and of the averaged weights" };
    let validation = Chart {
        title: "validation, bits per byte",
        line: metrics.series("val_bpb"),
        second,
        legend,
        steps,
        ..Chart::default()
    };
    html! {
        div.charts {
            (noisy("loss", "loss", false, false))
            (validation.render())
            (line("learning rate", "lr"))
            (noisy("gradient norm", "grad_norm", true, false))
            (noisy("tokens per second", "tokens_per_s", true, false))
            (noisy("share of the roof", "share_of_roof", true, true))
        }
    }
}

fn texts(samples: &Lines) -> Markup {
    let text = |v: Option<&Value>| v.and_then(Value::as_str).unwrap_or_default().to_owned();
    html! {
        @if !samples.objects.is_empty() {
            section.samples {
                h2 { "Samples" }
                @for sample in samples.objects.iter().rev().take(SAMPLES) {
                    @let step = sample.get("step").and_then(Value::as_u64).unwrap_or(0);
                    div.sample {
                        span.soft { "step " (step) "  " }
                        b { (text(sample.get("prompt"))) }
                        (text(sample.get("text")))
                    }
                }
            }
        }
    }
}

/// Seconds as people say them.
fn duration(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as u64;
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds:.0} s"),
        (0, m) => format!("{m} min"),
        (h, m) => format!("{h} h {m:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_in_links() {
        assert_eq!(link("nano-1.2_x"), "/runs/nano-1.2_x");
        assert_eq!(link("a b/ü?"), "/runs/a%20b%2F%C3%BC%3F");
    }

    #[test]
    fn durations_read_like_speech() {
        assert_eq!([20.0, 200.0, 4000.0].map(duration), ["20 s", "3 min", "1 h 07 min"]);
    }
}
