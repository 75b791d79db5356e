//! Two models on the same items: who wins, and how sure that is.

use statrs::function::beta::beta_reg;

use super::normal_quantile;

/// Right and wrong answers of two models on the same items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paired {
    /// Items.
    pub n: usize,
    /// Items that only the candidate gets right.
    pub wins: usize,
    /// Items that only the incumbent gets right.
    pub losses: usize,
}

impl Paired {
    /// Share of items that the candidate gets right minus that of the incumbent.
    pub fn difference(self) -> f64 {
        self.per_item(self.wins as f64 - self.losses as f64)
    }

    /// Share of items on which the two differ.
    pub fn discordance(self) -> f64 {
        self.per_item((self.wins + self.losses) as f64)
    }

    fn per_item(self, sum: f64) -> f64 {
        if self.n == 0 { 0.0 } else { sum / self.n as f64 }
    }

    /// The exact test of McNemar (1947), two-sided: the probability of a split of the differing items as
    /// uneven as this one if both models were equally good.
    pub fn mcnemar(self) -> f64 {
        let n = self.wins + self.losses;
        (2.0 * at_least(self.wins.max(self.losses), n)).min(1.0)
    }

    /// The exact test, one-sided: P(Bin(wins + losses, ½) ≥ losses). Small: the candidate is worse.
    pub fn mcnemar_worse(self) -> f64 {
        at_least(self.losses, self.wins + self.losses)
    }
}

/// P(Bin(n, ½) ≥ k).
fn at_least(k: usize, n: usize) -> f64 {
    if k == 0 { 1.0 } else { beta_reg(k as f64, (n - k) as f64 + 1.0, 0.5) }
}

/// z of a one-sided test at 5 % with power 80 %.
fn z_of_power() -> f64 {
    normal_quantile(0.95) + normal_quantile(0.8)
}

/// The smallest true difference that `n` items show with power 80 % in a one-sided test at 5 %, when the
/// models differ on this share of items: z √(ψ / n).
pub fn detectable(discordance: f64, n: usize) -> f64 {
    z_of_power() * (discordance / n as f64).sqrt()
}

/// Items needed to show, with power 80 % at 5 %, that an equally good candidate is not worse by more than
/// `margin`: ψ (z / δ)².
pub fn items_needed(discordance: f64, margin: f64) -> f64 {
    discordance * (z_of_power() / margin).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mcnemar_is_a_coin() {
        let paired = |wins, losses| Paired { n: 100, wins, losses };
        assert_eq!(paired(0, 0).mcnemar(), 1.0);
        assert_eq!(paired(0, 0).mcnemar_worse(), 1.0);
        assert!((paired(0, 5).mcnemar_worse() - 1.0 / 32.0).abs() < 1e-15);
        assert!((paired(0, 5).mcnemar() - 1.0 / 16.0).abs() < 1e-15);
        assert_eq!(paired(5, 0).mcnemar_worse(), 1.0);
        assert_eq!(paired(7, 7).mcnemar(), 1.0);
    }

    #[test]
    fn sizing_equals_the_published_table() {
        // In points, for N = 50, 200, 1319 at a discordance of 5, 10, 20 and 30 %.
        let table = [
            (0.05, [7.9, 3.9, 1.5]),
            (0.1, [11.1, 5.6, 2.2]),
            (0.2, [15.7, 7.9, 3.1]),
            (0.3, [19.3, 9.6, 3.7]),
        ];
        for (discordance, want) in table {
            let got = [50, 200, 1319].map(|n| 100.0 * detectable(discordance, n));
            for (got, want) in got.iter().zip(want) {
                assert!((got - want).abs() <= 0.051, "{discordance}: {got} for {want}");
            }
        }
        assert!((items_needed(0.2, 0.05) - 495.0).abs() < 1.0);
        assert!((items_needed(0.1, 0.02) - 1546.0).abs() < 1.0);
    }
}
