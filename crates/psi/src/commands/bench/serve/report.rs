//! What a load showed, as a table and as JSON.

use serde_json::{Map, Value, json};

use super::{Answer, Target, load::Done};
use crate::{
    cli::BenchServe,
    table::{bytes, columns},
};

/// All levels of a run.
pub(super) struct Report {
    pub(super) n_prompt: usize,
    pub(super) max_tokens: usize,
    about: Vec<(&'static str, Value)>,
    pub(super) levels: Vec<Level>,
}

/// What one level of load showed.
pub(super) struct Level {
    pub(super) name: String,
    pub(super) concurrency: usize,
    rate: Option<f64>,
    n_requests: usize,
    n_failed: usize,
    pub(super) first_error: Option<String>,
    seconds: f64,
    /// Generated tokens per second, over the whole level.
    pub(super) output_per_s: f64,
    /// Prompt and generated tokens per second.
    pub(super) total_per_s: f64,
    /// Seconds from sending to the first token.
    pub(super) first: Spread,
    /// Seconds between tokens.
    pub(super) gap: Spread,
    /// Seconds from sending to the end.
    pub(super) whole: Spread,
}

/// Percentiles of some times, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spread {
    pub(super) mean: f64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Spread {
    /// Percentiles by the nearest rank; zeros of nothing.
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let n = times.len();
        let rank = |p: f64| times.get(((p * n as f64).ceil() as usize).max(1) - 1).copied();
        let at = |p: f64| rank(p).unwrap_or_default();
        let mean = times.iter().sum::<f64>() / n.max(1) as f64;
        Self { mean, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1.0) }
    }

    fn json(self) -> Value {
        let Self { mean, p50, p90, p99, max } = self;
        let [mean, p50, p90, p99, max] = [mean, p50, p90, p99, max].map(|s| s * 1e3);
        json!({ "mean": mean, "p50": p50, "p90": p90, "p99": p99, "max": max })
    }
}

impl Level {
    pub(super) fn new(
        name: String,
        concurrency: usize,
        rate: Option<f64>,
        args: &BenchServe,
        done: Vec<Done>,
    ) -> Self {
        let n_requests = done.len();
        let started = done.iter().map(|d| d.sent).fold(f64::INFINITY, f64::min);
        let ended = done.iter().map(|d| d.ended).fold(0.0, f64::max);
        let seconds = (ended - started).max(f64::MIN_POSITIVE);
        let mut first_error = None;
        let mut good: Vec<(f64, f64, Answer)> = Vec::new();
        for one in done {
            match one.outcome {
                Ok(answer) => good.push((one.sent, one.ended, answer)),
                Err(why) => first_error = first_error.or(Some(why)),
            }
        }
        let n_output: usize = good.iter().map(|(_, _, a)| a.n_tokens).sum();
        let n_input = good.len() * (args.prefix + args.prompt);
        let first = good.iter().filter_map(|(sent, _, a)| Some(a.times.first()? - sent));
        let gap = good.iter().flat_map(|(_, _, a)| a.times.windows(2).map(|w| w[1] - w[0]));
        let whole = good.iter().map(|(sent, ended, _)| ended - sent);
        Self {
            name,
            concurrency,
            rate,
            n_requests,
            n_failed: n_requests - good.len(),
            first_error,
            seconds,
            output_per_s: n_output as f64 / seconds,
            total_per_s: (n_output + n_input) as f64 / seconds,
            first: Spread::of(first.collect()),
            gap: Spread::of(gap.collect()),
            whole: Spread::of(whole.collect()),
        }
    }

    fn json(&self) -> Value {
        json!({
            "concurrency": self.rate.is_none().then_some(self.concurrency),
            "requests_per_s": self.rate,
            "requests": self.n_requests,
            "failed": self.n_failed,
            "first_error": self.first_error,
            "seconds": self.seconds,
            "output_tokens_per_s": self.output_per_s,
            "total_tokens_per_s": self.total_per_s,
            "first_token_ms": self.first.json(),
            "gap_ms": self.gap.json(),
            "whole_ms": self.whole.json(),
        })
    }
}

impl Report {
    pub(super) fn new(args: &BenchServe, target: &dyn Target) -> Self {
        Self {
            n_prompt: args.prefix + args.prompt,
            max_tokens: args.generate,
            about: target.describe(),
            levels: Vec::new(),
        }
    }

    pub(super) fn json(&self) -> Value {
        let mut document = Map::new();
        for (key, value) in &self.about {
            document.insert((*key).to_owned(), value.clone());
        }
        document.insert("prompt_tokens".to_owned(), json!(self.n_prompt));
        document.insert("max_tokens".to_owned(), json!(self.max_tokens));
        let levels: Vec<Value> = self.levels.iter().map(Level::json).collect();
        document.insert("levels".to_owned(), Value::Array(levels));
        Value::Object(document)
    }

    pub(super) fn table(&self) -> String {
        let heads =
            ["load", "requests", "out tok/s", "all tok/s", "first ms", "p99", "gap ms", "p99"];
        let mut rows = vec![heads.map(str::to_owned).to_vec()];
        for level in &self.levels {
            let ms = |seconds: f64| format!("{:.1}", seconds * 1e3);
            rows.push(vec![
                level.name.clone(),
                level.n_requests.to_string(),
                format!("{:.1}", level.output_per_s),
                format!("{:.1}", level.total_per_s),
                ms(level.first.p50),
                ms(level.first.p99),
                ms(level.gap.p50),
                ms(level.gap.p99),
            ]);
        }
        let per_token = self.about.iter().find(|(key, _)| *key == "cache_bytes_per_token");
        let memory = per_token.and_then(|(_, n)| n.as_u64()).map(|n| {
            let stream = n * (self.n_prompt + self.max_tokens) as u64;
            format!("cache: {} per token, {} per such request\n", bytes(n), bytes(stream))
        });
        format!("{}{}", columns(&rows), memory.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let spread = Spread::of((1..=100).rev().map(f64::from).collect());
        assert_eq!((spread.p50, spread.p90, spread.p99, spread.max), (50.0, 90.0, 99.0, 100.0));
        assert_eq!(spread.mean, 50.5);
        let one = Spread::of(vec![2.0]);
        assert_eq!((one.p50, one.p99, one.mean), (2.0, 2.0, 2.0));
        assert_eq!(Spread::of(Vec::new()), Spread::default());
    }
}
