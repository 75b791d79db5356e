//! How well a text is predicted.

use serde_json::Value;

use crate::task::{Item, Metric, Output, Result, Scorer, Verdict};

/// Bits per byte and perplexities over all texts together; bytes and words are those of the text as
/// published, before anything was changed for the model.
#[derive(Clone, Copy, Debug)]
pub struct Perplexity;

impl Scorer for Perplexity {
    fn version(&self) -> &'static str {
        "perplexity/1"
    }

    fn score(&self, item: &Item, output: &Output) -> Result<Verdict> {
        let Output::Rolling(found) = output else { return Err(output.unfit(item)) };
        let bytes = item.reference["bytes"].as_f64().unwrap_or(1.0);
        // The probability per byte: in 0..=1, and higher is better.
        let score = (found.sum / bytes).exp();
        let verdict = Verdict { score, ..Verdict::default() };
        Ok(verdict.with("log_likelihood", found.sum).with("tokens", found.n_tokens))
    }

    fn metrics(&self, judged: &[(&Item, &Verdict)]) -> Vec<Metric> {
        let sum = |value: &dyn Fn(&Item, &Verdict) -> Option<f64>| -> f64 {
            judged.iter().filter_map(|(item, verdict)| value(item, verdict)).sum()
        };
        let detail = |v: &Verdict, key: &str| v.detail.get(key).and_then(Value::as_f64);
        let log_likelihood = sum(&|_, v| detail(v, "log_likelihood"));
        let per =
            |unit: &str| log_likelihood / sum(&|item, _| item.reference[unit].as_f64()).max(1.0);
        let tokens = sum(&|_, v| detail(v, "tokens")).max(1.0);
        let n = judged.len();
        vec![
            Metric::new("bits_per_byte", -per("bytes") / std::f64::consts::LN_2, n),
            Metric::new("byte_perplexity", (-per("bytes")).exp(), n),
            Metric::new("word_perplexity", (-per("words")).exp(), n),
            Metric::new("token_perplexity", (-log_likelihood / tokens).exp(), n),
        ]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::task::{LogLikelihood, Prompt, Request};

    #[test]
    fn one_bit_per_byte_is_one_bit_per_byte() {
        let item = |bytes: usize| {
            let request = Request::Rolling { text: String::new() };
            let reference = json!({ "bytes": bytes, "words": bytes / 4 });
            Item::new("1", Prompt::default(), request, reference)
        };
        let items = [item(80), item(20)];
        // All bits in the first text: the sums are taken before the ratio.
        let output = |bits: f64| {
            let sum = -bits * std::f64::consts::LN_2;
            Output::Rolling(LogLikelihood { sum, n_tokens: 50, is_greedy: false })
        };
        let verdicts = [
            Perplexity.score(&items[0], &output(100.0)).unwrap(),
            Perplexity.score(&items[1], &output(0.0)).unwrap(),
        ];
        let metrics = Perplexity.metrics(&[(&items[0], &verdicts[0]), (&items[1], &verdicts[1])]);
        let values: Vec<f64> = metrics.iter().map(|m| m.value).collect();
        for (value, expected) in values.iter().zip([1.0, 2.0, 16.0, 2.0]) {
            assert!((value - expected).abs() < 1e-12, "{metrics:?}");
        }
    }
}
