//! The mean of scores whose items may come in clusters.

use std::collections::BTreeMap;

use super::t_quantile;

/// A mean with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// The mean; 0 of nothing.
    pub value: f64,
    /// Its standard error; infinite where there is one cluster only.
    pub se: f64,
    /// Number of scores.
    pub n: usize,
    /// Number of independent groups of scores; `n` where each item stands for itself.
    pub n_clusters: usize,
}

impl Mean {
    /// The mean of independent scores: SE² = Σ (s - s̄)² / (n (n - 1)).
    pub fn of(scores: &[f64]) -> Self {
        let n = scores.len();
        let value = average(scores);
        let squares: f64 = scores.iter().map(|s| (s - value).powi(2)).sum();
        let se = if n < 2 { f64::INFINITY } else { (squares / (n * (n - 1)) as f64).sqrt() };
        Self { value, se, n, n_clusters: n }
    }

    /// The mean of scores of which those with the same cluster may depend on each other:
    /// SE² = Σ_c (Σ_{i in c} (s_i - s̄))² / n² (Miller 2024, arXiv 2411.00640, equation 5).
    ///
    /// # Panics
    /// When there are not as many clusters named as scores.
    pub fn clustered(scores: &[f64], clusters: &[u64]) -> Self {
        assert_eq!(scores.len(), clusters.len(), "a cluster for every score");
        let n = scores.len();
        let value = average(scores);
        let mut sums: BTreeMap<u64, f64> = BTreeMap::new();
        for (score, &cluster) in scores.iter().zip(clusters) {
            *sums.entry(cluster).or_default() += score - value;
        }
        let squares: f64 = sums.values().map(|sum| sum * sum).sum();
        let se = if sums.len() < 2 { f64::INFINITY } else { squares.sqrt() / n as f64 };
        Self { value, se, n, n_clusters: sums.len() }
    }

    /// The interval value ± t SE, with one degree of freedom less than there are clusters.
    pub fn interval(self, level: f64) -> (f64, f64) {
        if !self.se.is_finite() {
            return (f64::NEG_INFINITY, f64::INFINITY);
        }
        let t = t_quantile((1.0 + level) / 2.0, (self.n_clusters - 1) as f64);
        (self.value - t * self.se, self.value + t * self.se)
    }
}

pub(super) fn average(scores: &[f64]) -> f64 {
    if scores.is_empty() { 0.0 } else { scores.iter().sum::<f64>() / scores.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_one_answer_are_no_evidence() {
        let scores: Vec<f64> = (0..40).map(|i| f64::from(i % 3 == 0)).collect();
        let independent = Mean::clustered(&scores, &(0..40).collect::<Vec<_>>());
        let copied: Vec<f64> = scores.iter().flat_map(|&s| [s; 10]).collect();
        let clusters: Vec<u64> = (0..400).map(|i| i / 10).collect();
        let clustered = Mean::clustered(&copied, &clusters);
        assert!((clustered.se - independent.se).abs() < 1e-12, "{clustered:?} {independent:?}");
        assert!(Mean::of(&copied).se < 0.4 * clustered.se);
    }

    #[test]
    fn one_cluster_says_nothing_about_others() {
        let mean = Mean::clustered(&[1.0, 0.0, 1.0], &[4, 4, 4]);
        assert_eq!(mean.interval(0.95), (f64::NEG_INFINITY, f64::INFINITY));
        assert_eq!(Mean::of(&[1.0]).interval(0.95), (f64::NEG_INFINITY, f64::INFINITY));
    }
}
