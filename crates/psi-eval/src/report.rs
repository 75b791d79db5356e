//! The page about a run, a comparison or a gate: HTML that opens from disk and asks nobody for anything,
//! and the same as Markdown and JSON.

mod html;
mod markdown;
mod plots;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    compare::{Comparison, compare},
    gate::{GateError, Record},
    run::{Result, RunFile, Sample, samples},
    votes::Curve,
};

/// Samples of each task on a page, right and wrong ones each.
const SHOWN: usize = 150;

/// What a page is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "lowercase")]
pub enum Page {
    /// One run.
    Run(Box<RunPage>),
    /// Two runs.
    Comparison(Box<Comparison>),
    /// A gate.
    Gate(Box<GatePage>),
}

/// A run with some of its samples.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunPage {
    /// The run.
    pub run: RunFile,
    /// Samples of every task, wrong ones first in the order of the file.
    pub samples: Vec<Sample>,
    /// Samples that are not here.
    pub left_out: usize,
}

/// A gate with the comparison of its runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GatePage {
    /// The decision.
    pub record: Record,
    /// Incumbent and candidate side by side.
    pub comparison: Comparison,
}

impl Page {
    /// What a folder holds: a gate or a run.
    ///
    /// # Errors
    /// When it holds neither.
    pub fn read(dir: &Path) -> std::result::Result<Self, GateError> {
        let record = dir.join("record.json");
        if record.exists() {
            let record = Record::read(&record)?;
            let comparison = compare(&dir.join("incumbent"), &dir.join("candidate"))?;
            return Ok(Self::Gate(Box::new(GatePage { record, comparison })));
        }
        Ok(Self::Run(Box::new(RunPage::read(dir)?)))
    }

    /// One file without references to others.
    pub fn html(&self) -> String {
        html::page(self).into_string()
    }

    /// For documents and terminals.
    pub fn markdown(&self) -> String {
        markdown::page(self)
    }

    /// For programs.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

impl RunPage {
    fn read(dir: &Path) -> Result<Self> {
        let run = RunFile::read(dir)?;
        let mut left_out = 0;
        let mut kept: Vec<Vec<Sample>> = vec![Vec::new(); 2 * run.tasks.len()];
        for sample in samples(dir)? {
            let sample = sample?;
            let task = run.tasks.iter().position(|t| t.name == sample.task);
            let place = task.and_then(|t| kept.get_mut(2 * t + usize::from(sample.correct)));
            match place {
                Some(place) if place.len() < SHOWN => place.push(sample),
                _ => left_out += 1,
            }
        }
        Ok(Self { run, samples: kept.into_iter().flatten().collect(), left_out })
    }
}

/// Curves of accuracy against tokens as one file without references to others.
pub fn curves_html(curves: &[Curve]) -> String {
    html::of_curves(curves).into_string()
}

/// A share as percent.
pub fn percent(x: f64) -> String {
    format!("{:.1} %", 100.0 * x)
}

/// A difference of shares in points.
fn points(x: f64) -> String {
    format!("{:+.1}", 100.0 * x)
}

/// A message as lines: what was said, and the calls.
fn message(message: &serde_json::Value) -> String {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = Vec::new();
    if !text(&message["content"]).is_empty() {
        lines.push(format!("{}: {}\n", text(&message["role"]), text(&message["content"])));
    }
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        let function = &call["function"];
        let arguments = match &function["arguments"] {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        lines.push(format!("calls {} {arguments}\n", text(&function["name"])));
    }
    lines.concat()
}

/// A probability as people read it: 0.219, 4.1e-8.
pub fn p_value(p: f64) -> String {
    if p >= 0.001 { format!("{p:.3}") } else { format!("{p:.1e}") }
}

/// The answer in a few words: the text, or what the choices' likelihoods say.
fn answer(sample: &Sample) -> String {
    use crate::task::Output;
    match &sample.output {
        None => "(the prompt did not fit)".to_owned(),
        Some(Output::Text(text)) => text.clone(),
        Some(Output::Messages(messages)) => messages.iter().map(message).collect(),
        Some(Output::Rolling(l)) => format!("{:.3} nats over {} tokens", -l.sum, l.n_tokens),
        Some(Output::Choices(all)) => {
            let line = |(i, l): (usize, &crate::task::LogLikelihood)| {
                let choice = sample.choices.get(i);
                let text = choice.map(|c| format!("{}{}", c.context, c.continuation));
                format!("{:>10.4}  {}", l.sum, text.unwrap_or_default())
            };
            all.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::run::tests::{Scripted, hardest, run_in};

    #[test]
    fn a_page_asks_nobody_and_says_what_flipped() {
        let dir = tempfile::tempdir().unwrap();
        let task = hardest();
        let text = |name: &str| dir.path().join(name);
        run_in(&text("a"), std::slice::from_ref(&task), &mut Scripted::right(1.0), 40).unwrap();
        run_in(&text("b"), &[task], &mut Scripted::right(0.5), 40).unwrap();
        let comparison = compare(&text("a"), &text("b")).unwrap();
        assert!(comparison.tasks[0].losses > 5 && comparison.tasks[0].wins == 0);
        let pages = [
            Page::read(&text("a")).unwrap(),
            Page::read(&text("b")).unwrap(),
            Page::Comparison(Box::new(comparison)),
        ];
        for page in pages {
            let html = page.html();
            for outside in ["http:", "https:", "src=", "href=", "@import", "url("] {
                assert!(!html.contains(outside), "{outside} in {html}");
            }
            assert!(html.contains("default-src 'none'") && html.contains("<svg"));
            let document: serde_json::Value = serde_json::from_str(&page.json()).unwrap();
            let again: Page = serde_json::from_value(document).unwrap();
            assert_eq!(again.html(), html, "JSON holds everything");
            assert!(page.markdown().starts_with("# "));
        }
    }

    #[test]
    fn what_a_model_wrote_is_text_and_not_markup() {
        let dir = tempfile::tempdir().unwrap();
        let mut player = Scripted::saying("<script>alert(1)</script>");
        run_in(dir.path(), &[hardest()], &mut player, 3).unwrap();
        let page = Page::read(dir.path()).unwrap();
        assert!(page.html().contains("&lt;script&gt;alert(1)"));
        assert_eq!(page.html().matches("<script>").count(), 1, "the page's own");
        assert_eq!(json!(page)["about"], "run");
    }
}
