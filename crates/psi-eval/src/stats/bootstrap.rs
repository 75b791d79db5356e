//! The paired bootstrap: what the mean difference would be over other items of the same kind.

use psi_infer::rng;

use super::mean::average;

/// Means over resampled items.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    /// The mean of the differences as they are.
    pub value: f64,
    /// Lower end of the percentile interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Share of the resampled means that are above 0, half of those at 0 counted.
    pub above_zero: f64,
}

/// Resamples whole clusters with replacement and takes the percentiles of the mean (Efron 1979).
///
/// Draw `i` of resample `r` is a function of (seed, r, i), so the result is the same on any machine.
/// `clusters` names the cluster of each difference; `None`: each item is one.
///
/// # Panics
/// When there is nothing to resample, or `clusters` has another length.
pub fn bootstrap(
    differences: &[f64],
    clusters: Option<&[u64]>,
    n_resamples: usize,
    level: f64,
    seed: u64,
) -> Bootstrap {
    assert!(!differences.is_empty() && n_resamples > 0, "nothing to resample");
    let groups = groups(differences, clusters);
    let mut means: Vec<f64> =
        (0..n_resamples).map(|r| resampled(&groups, seed, r as u64)).collect();
    means.sort_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    let at = |p: f64| means[((p * n_resamples as f64) as usize).min(n_resamples - 1)];
    let above = means.iter().filter(|&&m| m > 0.0).count() as f64;
    let level_with = means.iter().filter(|&&m| m == 0.0).count() as f64;
    Bootstrap {
        value: average(differences),
        low: at(tail),
        high: at(1.0 - tail),
        above_zero: (above + 0.5 * level_with) / n_resamples as f64,
    }
}

/// Sum and size of every cluster, in the order in which they first occur.
fn groups(differences: &[f64], clusters: Option<&[u64]>) -> Vec<(f64, f64)> {
    let Some(clusters) = clusters else {
        return differences.iter().map(|&d| (d, 1.0)).collect();
    };
    assert_eq!(differences.len(), clusters.len(), "a cluster for every difference");
    let mut place = std::collections::HashMap::new();
    let mut groups: Vec<(f64, f64)> = Vec::new();
    for (d, cluster) in differences.iter().zip(clusters) {
        let i = *place.entry(cluster).or_insert(groups.len());
        if i == groups.len() {
            groups.push((0.0, 0.0));
        }
        groups[i].0 += d;
        groups[i].1 += 1.0;
    }
    groups
}

fn resampled(groups: &[(f64, f64)], seed: u64, resample: u64) -> f64 {
    let n = groups.len();
    let stream = rng::mix(seed ^ rng::mix(resample));
    let (mut sum, mut size) = (0.0, 0.0);
    for i in 0..n {
        let drawn = (rng::uniform(stream, i as u64) * n as f64) as usize;
        let (s, k) = groups[drawn.min(n - 1)];
        sum += s;
        size += k;
    }
    sum / size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_many_items_is_the_normal_one() {
        let differences: Vec<f64> = (0..1319)
            .map(|i| {
                if i < 152 {
                    1.0
                } else if i < 361 {
                    -1.0
                } else {
                    0.0
                }
            })
            .collect();
        let b = bootstrap(&differences, None, 4000, 0.95, 1);
        let mean = super::super::Mean::of(&differences);
        let (low, high) = mean.interval(0.95);
        assert!((b.value - mean.value).abs() < 1e-12);
        assert!((b.low - low).abs() < 2e-3 && (b.high - high).abs() < 2e-3, "{b:?} {low} {high}");
        assert!(b.above_zero < 0.01);
        assert_eq!(b, bootstrap(&differences, None, 4000, 0.95, 1));
        assert_ne!(b, bootstrap(&differences, None, 4000, 0.95, 2));
    }

    #[test]
    fn whole_clusters_are_drawn() {
        // Two clusters, each all the same: only the means -1, 0 and 1 can occur.
        let differences = [1.0, 1.0, 1.0, -1.0, -1.0, -1.0];
        let b = bootstrap(&differences, Some(&[7, 7, 7, 9, 9, 9]), 2000, 0.9, 3);
        assert_eq!((b.low, b.high), (-1.0, 1.0));
        assert!((b.above_zero - 0.5).abs() < 0.04, "{b:?}");
    }
}
