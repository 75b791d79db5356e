//! Several rankings made into one.

use std::collections::BTreeMap;

/// Reciprocal rank fusion's constant: the larger, the less the first places stand out.
const K: f32 = 20.0;

/// Scores by number; better is larger.
pub(super) type Scores = BTreeMap<i64, f32>;

/// The numbers, best first; of equals the newer.
pub(super) fn ranked(scores: &Scores) -> Vec<i64> {
    let mut all: Vec<(i64, f32)> = scores.iter().map(|(&id, &score)| (id, score)).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
    all.into_iter().map(|(id, _)| id).collect()
}

/// Reciprocal rank fusion (Cormack et al. 2009): each list gives `weight / (K + rank)`. The result is
/// scaled so that first place in all lists is 1.
pub(super) fn fuse(lists: &[(&[i64], f32)]) -> Scores {
    let best: f32 = lists.iter().map(|(_, weight)| weight / (K + 1.0)).sum();
    let mut scores = Scores::new();
    for (list, weight) in lists {
        for (rank, &id) in list.iter().enumerate() {
            *scores.entry(id).or_default() += weight / (K + 1.0 + rank as f32) / best;
        }
    }
    scores
}

/// Divides by the largest, so that scores of different arms can be added up.
pub(super) fn scaled(mut scores: Scores) -> Scores {
    let largest = scores.values().fold(0.0f32, |a, &b| a.max(b));
    if largest > 0.0 {
        scores.values_mut().for_each(|s| *s /= largest);
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_lists_place_high_wins() {
        let scores = fuse(&[(&[1, 2, 3], 1.0), (&[2, 4], 1.0)]);
        assert_eq!(ranked(&scores), [2, 1, 4, 3]);
        let first = fuse(&[(&[7], 1.0), (&[7], 0.5)]);
        assert!((first[&7] - 1.0).abs() < 1e-6);
        let weighted = fuse(&[(&[1], 1.0), (&[2], 0.5)]);
        assert_eq!(ranked(&weighted), [1, 2]);
        assert_eq!(ranked(&scaled(Scores::from([(1, 2.0), (2, 4.0)]))), [2, 1]);
    }
}
