//! The score test of Tango (1998, Statistics in Medicine 17:891) for the difference of paired shares.

use super::{Paired, normal_quantile};

impl Paired {
    /// Tango's statistic for the hypothesis that the candidate is worse by `margin` or more. About
    /// standard normal if it is worse by exactly that; large: it is not. With margin 0 it is McNemar's.
    ///
    /// T(δ) = (g - b + N δ) / √(N (2 q - δ (1 + δ))), where q is the probability of a loss that fits best
    /// among those with a difference of -δ.
    pub fn tango(self, margin: f64) -> f64 {
        let (n, g, b) = (self.n as f64, self.wins as f64, self.losses as f64);
        let a = 2.0 * n;
        let half_b = -g - b - (2.0 * n - g + b) * margin;
        let c = b * margin * (1.0 + margin);
        let q = ((half_b * half_b - 4.0 * a * c).max(0.0).sqrt() - half_b) / (2.0 * a);
        let numerator = g - b + n * margin;
        let variance = n * (2.0 * q - margin * (1.0 + margin));
        // At a corner both are 0: the counts are what the hypothesis says.
        if numerator.abs() < 1e-9 * n.max(1.0) { 0.0 } else { numerator / variance.max(0.0).sqrt() }
    }

    /// The differences that the test does not reject at this level, on either side.
    pub fn tango_interval(self, level: f64) -> (f64, f64) {
        assert!(0.0 < level && level < 1.0, "level {level} is not between 0 and 1");
        if self.n == 0 {
            return (-1.0, 1.0);
        }
        let z = normal_quantile((1.0 + level) / 2.0);
        (-self.margin_with_statistic(z), -self.margin_with_statistic(-z))
    }

    /// The margin at which the statistic, which grows with it, is `z`.
    fn margin_with_statistic(self, z: f64) -> f64 {
        let (mut low, mut high) = (-1.0, 1.0);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.tango(middle) < z {
                low = middle;
            } else {
                high = middle;
            }
        }
        0.5 * (low + high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wrong, right: the four published solution sets of GSM8K, compared in pairs.
    const PUBLISHED: [(Paired, [f64; 3], (f64, f64)); 2] = [
        (Paired { n: 1319, wins: 152, losses: 209 }, [-3.0, -1.6164, 0.4724], (-0.0715, -0.0151)),
        (Paired { n: 1319, wins: 360, losses: 76 }, [13.6011, 14.6714, 16.2331], (0.1866, 0.2442)),
    ];

    #[test]
    fn statistics_and_intervals_equal_the_references() {
        for (paired, statistics, (low, high)) in PUBLISHED {
            for (margin, want) in [0.0, 0.02, 0.05].into_iter().zip(statistics) {
                let got = paired.tango(margin);
                assert!((got - want).abs() < 6e-5, "{paired:?} at {margin}: {got}");
            }
            let (l, h) = paired.tango_interval(0.95);
            assert!((l - low).abs() < 6e-5 && (h - high).abs() < 6e-5, "{paired:?}: {l} {h}");
        }
    }

    #[test]
    fn zero_cells_and_corners_have_finite_answers() {
        for n in [1, 5, 50] {
            for wins in 0..=n {
                for losses in 0..=n - wins {
                    let paired = Paired { n, wins, losses };
                    let (low, high) = paired.tango_interval(0.95);
                    let d = paired.difference();
                    assert!(-1.0 <= low && low <= d + 1e-9, "{paired:?}: {low} {d}");
                    assert!(d - 1e-9 <= high && high <= 1.0, "{paired:?}: {d} {high}");
                    assert!(!paired.tango(0.05).is_nan() && !paired.tango(0.0).is_nan());
                }
            }
        }
    }

    #[test]
    fn exchanging_the_models_mirrors_the_interval() {
        let (a, b) = (
            Paired { n: 80, wins: 9, losses: 4 }.tango_interval(0.9),
            Paired { n: 80, wins: 4, losses: 9 }.tango_interval(0.9),
        );
        assert!((a.0 + b.1).abs() < 1e-9 && (a.1 + b.0).abs() < 1e-9, "{a:?} {b:?}");
    }
}
