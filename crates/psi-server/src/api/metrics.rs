//! What Prometheus asks for: counters and histograms of requests.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Upper bounds of the histograms' buckets in seconds.
const BOUNDS_S: [f64; 11] = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];

/// Counters of one process.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    durations: Mutex<Histogram>,
    first_tokens: Mutex<Histogram>,
    tokens: Mutex<BTreeMap<(String, &'static str), u64>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Histogram {
    counts: [u64; BOUNDS_S.len()],
    n: u64,
    sum_s: f64,
}

impl Histogram {
    fn add(&mut self, value: Duration) {
        let seconds = value.as_secs_f64();
        for (count, bound) in self.counts.iter_mut().zip(BOUNDS_S) {
            *count += u64::from(seconds <= bound);
        }
        self.n += 1;
        self.sum_s += seconds;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Plain numbers: a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Metrics {
    pub(crate) fn request_ended(&self, route: &'static str, status: u16, elapsed: Duration) {
        *lock(&self.requests).entry((route, status)).or_default() += 1;
        lock(&self.durations).add(elapsed);
    }

    pub(crate) fn first_token(&self, elapsed: Duration) {
        lock(&self.first_tokens).add(elapsed);
    }

    /// Tokens of one kind (`prompt`, `cached`, `completion`).
    pub(crate) fn tokens(&self, model: &str, kind: &'static str, n: u64) {
        *lock(&self.tokens).entry((model.to_owned(), kind)).or_default() += n;
    }

    /// The text format, version 0.0.4.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        head(&mut out, "psi_requests_total", "counter", "Requests answered, by route and status.");
        for ((route, status), n) in lock(&self.requests).iter() {
            let labels = [("route", *route), ("status", &status.to_string())];
            sample(&mut out, "psi_requests_total", &labels, *n as f64);
        }
        head(&mut out, "psi_tokens_total", "counter", "Tokens of answered requests.");
        for ((model, kind), n) in lock(&self.tokens).iter() {
            let labels = [("model", model.as_str()), ("kind", kind)];
            sample(&mut out, "psi_tokens_total", &labels, *n as f64);
        }
        let name = "psi_request_duration_seconds";
        histogram(&mut out, name, "Time from a request to the end of its answer.", &self.durations);
        let name = "psi_first_token_seconds";
        histogram(&mut out, name, "Time from a request to its first token.", &self.first_tokens);
        out
    }
}

/// The two lines before a metric's samples.
pub(crate) fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a String cannot fail.
    let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

/// One sample with its labels.
pub(crate) fn sample(out: &mut String, name: &str, labels: &[(&str, &str)], value: f64) {
    out.push_str(name);
    for (i, (label, value)) in labels.iter().enumerate() {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(out, "{}{label}=\"{value}\"", if i == 0 { '{' } else { ',' });
    }
    let close = if labels.is_empty() { "" } else { "}" };
    let _ = writeln!(out, "{close} {value}");
}

fn histogram(out: &mut String, name: &str, help: &str, values: &Mutex<Histogram>) {
    let values = *lock(values);
    head(out, name, "histogram", help);
    let bucket = format!("{name}_bucket");
    for (count, bound) in values.counts.iter().zip(BOUNDS_S) {
        sample(out, &bucket, &[("le", &bound.to_string())], *count as f64);
    }
    sample(out, &bucket, &[("le", "+Inf")], values.n as f64);
    sample(out, &format!("{name}_sum"), &[], values.sum_s);
    sample(out, &format!("{name}_count"), &[], values.n as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_every_sample_with_its_labels_escaped() {
        let metrics = Metrics::default();
        metrics.request_ended("/v1/models", 200, Duration::from_millis(30));
        metrics.request_ended("/v1/models", 200, Duration::from_millis(300));
        metrics.tokens("a\"b", "prompt", 7);
        let text = metrics.text();
        for line in [
            "psi_requests_total{route=\"/v1/models\",status=\"200\"} 2",
            "psi_tokens_total{model=\"a\\\"b\",kind=\"prompt\"} 7",
            "psi_request_duration_seconds_bucket{le=\"0.05\"} 1",
            "psi_request_duration_seconds_bucket{le=\"+Inf\"} 2",
            "psi_first_token_seconds_count 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
