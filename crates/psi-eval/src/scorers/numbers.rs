//! GSM8K's judge: the number that a solution ends in.

use std::sync::LazyLock;

use regex::Regex;

use crate::task::{Item, Metric, Output, Result, Scorer, Verdict};

/// The number after the mark that the data's solutions end with.
static MARKED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:#### |(?m:^)A: )(-?[0-9.,]+)").expect("a pattern"));
/// Anything that looks like a number; the last one counts.
static NUMBER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"-?[$0-9.,]{2,}|-?[0-9]+").expect("a pattern"));

/// GSM8K by lm-eval's rules (version 3): the *flexible* answer is the last number of the text and decides;
/// the *strict* one stands after `####` (or, as in OpenAI's published solutions, on a line `A: `).
#[derive(Clone, Copy, Debug)]
pub struct Gsm8k;

impl Scorer for Gsm8k {
    fn version(&self) -> &'static str {
        "gsm8k/1"
    }

    fn score(&self, item: &Item, output: &Output) -> Result<Verdict> {
        let text = output.answer(item)?;
        let gold = plain(item.reference["answer"].as_str().unwrap_or_default());
        let strict = MARKED.captures(text).map(|found| plain(&found[1]));
        let flexible = NUMBER.find_iter(text).last().map(|found| plain(found.as_str()));
        let is_gold = |answer: &Option<String>| answer.as_ref() == Some(&gold);
        let is_strict = is_gold(&strict);
        Ok(Verdict::binary(is_gold(&flexible), flexible).with("strict", is_strict))
    }

    fn metrics(&self, judged: &[(&Item, &Verdict)]) -> Vec<Metric> {
        let strict = |v: &Verdict| v.detail.get("strict") == Some(&true.into());
        vec![
            Metric::share("accuracy", judged.iter().map(|(_, v)| v.correct)),
            Metric::share("accuracy_strict", judged.iter().map(|(_, v)| strict(v))),
        ]
    }
}

/// What is compared: without commas, dollar signs, everything up to `#### ` and a full stop at the end.
fn plain(text: &str) -> String {
    let text = text.rsplit_once("#### ").map_or(text, |(_, answer)| answer);
    let text = text.replace([',', '$'], "");
    text.strip_suffix('.').unwrap_or(&text).to_lowercase()
}
