//! A share of right answers and what is known about the true one.

use statrs::function::beta::inv_beta_reg;

use super::normal_quantile;

/// A share with its intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Right answers.
    pub right: usize,
    /// All answers.
    pub total: usize,
}

impl Share {
    /// The share itself; 0 of nothing is 0.
    pub fn value(self) -> f64 {
        if self.total == 0 { 0.0 } else { self.right as f64 / self.total as f64 }
    }

    /// The 95 % interval of Wilson (1927), which stays inside 0..1 and is honest for small samples.
    pub fn wilson(self) -> (f64, f64) {
        if self.total == 0 {
            return (0.0, 1.0);
        }
        let z = normal_quantile(0.975);
        let n = self.total as f64;
        let p = self.value();
        let z2 = z * z;
        let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
        ((centre - half).max(0.0), (centre + half).min(1.0))
    }

    /// The central part, of probability `level`, of the posterior Beta(right + ½, wrong + ½): the
    /// interval of Jeffreys, closed at 0 for none right and at 1 for all (Brown, Cai and DasGupta 2001).
    pub fn jeffreys(self, level: f64) -> (f64, f64) {
        let (tail, right, wrong) = self.tail(level);
        let quantile = |p| inv_beta_reg(right + 0.5, wrong + 0.5, p);
        let low = if self.right == 0 { 0.0 } else { quantile(tail) };
        let high = if self.right == self.total { 1.0 } else { quantile(1.0 - tail) };
        (low, high)
    }

    /// The interval of Clopper and Pearson (1934), which holds the true share with probability `level`
    /// or more, whatever it is.
    pub fn clopper_pearson(self, level: f64) -> (f64, f64) {
        let (tail, right, wrong) = self.tail(level);
        let low = match self.right {
            0 => 0.0,
            _ => inv_beta_reg(right, wrong + 1.0, tail),
        };
        let high = match self.total - self.right {
            0 => 1.0,
            _ => inv_beta_reg(right + 1.0, wrong, 1.0 - tail),
        };
        (low, high)
    }

    /// Probability left out on each side, right and wrong answers.
    fn tail(self, level: f64) -> (f64, f64, f64) {
        assert!(0.0 < level && level < 1.0, "level {level} is not between 0 and 1");
        ((1.0 - level) / 2.0, self.right as f64, (self.total - self.right) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_equals_published_values() {
        // Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
        let cases = [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ];
        for (right, total, low, high) in cases {
            let (l, h) = Share { right, total }.wilson();
            assert!((l - low).abs() < 6e-5 && (h - high).abs() < 6e-5, "{right}/{total}: {l} {h}");
        }
    }

    #[test]
    fn intervals_hold_the_share_and_the_exact_one_is_the_widest() {
        for total in [1, 2, 7, 50] {
            for right in 0..=total {
                let share = Share { right, total };
                let (low, high) = share.jeffreys(0.95);
                let (exact_low, exact_high) = share.clopper_pearson(0.95);
                assert!(exact_low <= low && low <= share.value(), "{share:?}");
                assert!(exact_high >= high && high >= share.value(), "{share:?}");
            }
        }
    }
}
