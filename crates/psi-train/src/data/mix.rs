//! Which document comes next: a shuffle per epoch, and sources interleaved by their weights.

use psi_infer::rng::mix;

/// The order of `n` documents in an epoch, a function of its arguments alone. Fisher and Yates, with
/// draw i addressed by (seed, epoch, i).
pub(crate) fn shuffled(documents: &[u32], seed: u64, epoch: u64) -> Vec<u32> {
    let mut order = documents.to_vec();
    let stream = mix(mix(seed).wrapping_add(epoch));
    for i in (1..order.len()).rev() {
        let bits = mix(stream.wrapping_add(i as u64));
        // Bits scaled to 0..=i; the bias is below 2^-32 for any number of documents a shard holds.
        let j = (u128::from(bits) * (i as u128 + 1)) >> 64;
        order.swap(i, j as usize);
    }
    order
}

/// The source that is furthest behind its share: the least `drawn / weight`, the first of equals.
/// A weight of 0 is never picked while there is another.
pub(crate) fn pick(weights: &[f64], drawn: &[u64]) -> usize {
    let lag =
        |i: usize| if weights[i] > 0.0 { drawn[i] as f64 / weights[i] } else { f64::INFINITY };
    (0..weights.len()).min_by(|&a, &b| lag(a).total_cmp(&lag(b))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_of_four_is_equally_likely() {
        let mut counts = std::collections::BTreeMap::<Vec<u32>, u32>::new();
        const N: u64 = 24_000;
        for epoch in 0..N {
            *counts.entry(shuffled(&[7, 8, 9, 10], 3, epoch)).or_default() += 1;
        }
        assert_eq!(counts.len(), 24);
        let expected = N as f64 / 24.0;
        let chi2: f64 =
            counts.values().map(|&c| (f64::from(c) - expected).powi(2) / expected).sum();
        assert!(chi2 < 49.7, "chi2 of 23 degrees of freedom: {chi2}"); // p = 0.001
    }

    #[test]
    fn orders_depend_on_seed_and_epoch_and_keep_every_document() {
        let all: Vec<u32> = (0..1000).collect();
        let order = shuffled(&all, 1, 0);
        assert_eq!(order, shuffled(&all, 1, 0));
        assert_ne!(order, shuffled(&all, 1, 1));
        assert_ne!(order, shuffled(&all, 2, 0));
        let mut sorted = order;
        sorted.sort_unstable();
        assert_eq!(sorted, all);
    }

    #[test]
    fn shares_follow_the_weights_at_every_moment() {
        let weights = [3.0, 1.0, 0.5];
        let mut drawn = [0_u64; 3];
        for total in 1..=900 {
            drawn[pick(&weights, &drawn)] += 1;
            for (w, d) in weights.iter().zip(drawn) {
                let share = f64::from(total) * w / 4.5;
                assert!((d as f64 - share).abs() <= 1.5, "{d} of {total}, share {share}");
            }
        }
        assert_eq!(drawn, [600, 200, 100]);
    }
}
