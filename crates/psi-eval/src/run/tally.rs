//! What answers add up to, without keeping them.

use std::collections::BTreeMap;

use super::{folder::Summary, sample::Sample};
use crate::stats::{Mean, Share};

/// Sums over a task's samples.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    summary: Summary,
    sum: f64,
    squares: f64,
    /// Answers that are alone in their cluster.
    single: usize,
    /// Squares of single answers' scores, and their sum.
    single_sums: (f64, f64),
    /// Number and sum of the scores of every other cluster.
    clusters: BTreeMap<String, (f64, f64)>,
    /// Some score is neither 0 nor 1.
    is_graded: bool,
}

impl Tally {
    pub(super) fn add(&mut self, sample: &Sample) {
        let s = &mut self.summary;
        s.n += 1;
        s.right += usize::from(sample.correct);
        s.overlong += usize::from(sample.output.is_none());
        s.cached += usize::from(sample.cached);
        s.prompt_tokens += sample.n_prompt as u64;
        s.answer_tokens += sample.n_answer as u64;
        s.seconds += sample.seconds;
        self.sum += sample.score;
        self.squares += sample.score * sample.score;
        self.is_graded |= sample.score != f64::from(u8::from(sample.correct));
        match &sample.cluster {
            None => {
                self.single += 1;
                self.single_sums.0 += sample.score * sample.score;
                self.single_sums.1 += sample.score;
            }
            Some(cluster) => {
                let sums = self.clusters.entry(cluster.clone()).or_default();
                sums.0 += 1.0;
                sums.1 += sample.score;
            }
        }
    }

    pub(super) fn finish(self) -> Summary {
        let n = self.summary.n;
        let mean = if n == 0 { 0.0 } else { self.sum / n as f64 };
        // A task that is one cluster (a paradigm) speaks for this cluster: its items are the sample.
        let is_one = self.single == 0 && self.clusters.len() == 1;
        let n_clusters = if is_one { n } else { self.single + self.clusters.len() };
        let interval = if is_one && self.is_graded {
            let squares = (self.squares - self.sum * mean).max(0.0);
            let se = (squares / (n * n.saturating_sub(1)) as f64).sqrt();
            let se = if n < 2 { f64::INFINITY } else { se };
            clipped(Mean { value: mean, se, n, n_clusters })
        } else if (is_one || self.clusters.is_empty()) && !self.is_graded {
            Share { right: self.summary.right, total: n }.wilson()
        } else {
            let (squares, sum) = self.single_sums;
            let single = squares - 2.0 * mean * sum + self.single as f64 * mean * mean;
            let clustered: f64 =
                self.clusters.values().map(|(k, sum)| (sum - k * mean).powi(2)).sum();
            let se = if n_clusters < 2 {
                f64::INFINITY
            } else {
                ((single + clustered).max(0.0)).sqrt() / n as f64
            };
            clipped(Mean { value: mean, se, n, n_clusters })
        };
        Summary { mean, interval, n_clusters, ..self.summary }
    }
}

/// Scores lie in 0..=1.
fn clipped(mean: Mean) -> (f64, f64) {
    let (low, high) = mean.interval(0.95);
    (low.max(0.0), high.min(1.0))
}
