//! A test that may be looked at after every item: betting against "the candidate is worse".
//!
//! Whoever bets on a fair or unfavourable game multiplies their money by 20 with probability at most 1/20,
//! whenever they choose to look (Ville 1939). So money won by betting that the candidate is *not* worse
//! is evidence for it, and the other way round; Waudby-Smith and Ramdas (2024, arXiv 2010.09686).

/// Number of bets of different boldness whose money is averaged.
const N_BETS: usize = 16;
/// The boldest bet, as a share of what would risk everything.
const BOLDEST: f64 = 0.9;

/// How often a decision may be wrong, and how much worse still counts as as good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Most often that a candidate worse by the margin is promoted.
    pub alpha: f64,
    /// Most often that a candidate at least as good is blocked.
    pub beta: f64,
    /// How much worse, in mean score, a candidate may be; 0: it must be better.
    pub margin: f64,
}

/// What the money says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Not worse by the margin.
    Promote,
    /// Worse.
    Block,
    /// Not known yet.
    Hold,
}

/// The bets after some items.
///
/// For differences d in [-1, 1] between candidate and incumbent: P(ever promote) ≤ α where the mean
/// difference is -margin or less, P(ever block) ≤ β where it is 0 or more, for any number of looks.
#[derive(Clone, Debug)]
pub struct Bets {
    rates: Rates,
    /// Natural logarithms of the money on "not worse by the margin".
    for_it: [f64; N_BETS],
    /// Natural logarithms of the money on "worse".
    against: [f64; N_BETS],
    n_items: usize,
    stopped: Option<(usize, Verdict)>,
}

impl Bets {
    /// The bets before the first item.
    ///
    /// # Panics
    /// When a rate is not between 0 and 1, or the margin not from 0 to below 1.
    pub fn new(rates: Rates) -> Self {
        for rate in [rates.alpha, rates.beta] {
            assert!(0.0 < rate && rate < 1.0, "rate {rate} is not between 0 and 1");
        }
        assert!((0.0..1.0).contains(&rates.margin), "margin {} is not in 0..1", rates.margin);
        Self { rates, for_it: [0.0; N_BETS], against: [0.0; N_BETS], n_items: 0, stopped: None }
    }

    /// Bets on the next item, whose score difference is `d`, and says where the test stands. The order of
    /// items must have been fixed before any of them was seen.
    ///
    /// # Panics
    /// When `d` is outside [-1, 1].
    pub fn push(&mut self, d: f64) -> Verdict {
        assert!((-1.0..=1.0).contains(&d), "difference {d} is outside [-1, 1]");
        self.n_items += 1;
        let margin = self.rates.margin;
        for (j, (for_it, against)) in self.for_it.iter_mut().zip(&mut self.against).enumerate() {
            let boldness = BOLDEST * (j + 1) as f64 / (N_BETS + 1) as f64;
            *for_it += (boldness / (1.0 - margin) * (d + margin)).ln_1p();
            *against += (-boldness * d).ln_1p();
        }
        if self.stopped.is_none() {
            self.stopped = match self.now() {
                Verdict::Hold => None,
                verdict => Some((self.n_items, verdict)),
            };
        }
        self.verdict()
    }

    /// Money on "not worse by the margin", K: 1 / K bounds the chance of seeing so much if it is worse.
    pub fn evidence_for(&self) -> f64 {
        mean_exp(&self.for_it)
    }

    /// Money on "worse", L.
    pub fn evidence_against(&self) -> f64 {
        mean_exp(&self.against)
    }

    /// Items bet on.
    pub fn n_items(&self) -> usize {
        self.n_items
    }

    /// The first decision, with the number of items it took.
    pub fn stopped(&self) -> Option<(usize, Verdict)> {
        self.stopped
    }

    /// The first decision, or that there is none yet. Later items do not change a decision.
    pub fn verdict(&self) -> Verdict {
        self.stopped.map_or(Verdict::Hold, |(_, verdict)| verdict)
    }

    fn now(&self) -> Verdict {
        if self.evidence_against() >= 1.0 / self.rates.beta {
            Verdict::Block
        } else if self.evidence_for() >= 1.0 / self.rates.alpha {
            Verdict::Promote
        } else {
            Verdict::Hold
        }
    }
}

/// Mean of the exponentials, safe for large ones.
fn mean_exp(logs: &[f64; N_BETS]) -> f64 {
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logs.iter().map(|log| (log - largest).exp()).sum();
    largest.exp() * (sum / N_BETS as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RATES: Rates = Rates { alpha: 0.05, beta: 0.05, margin: 0.05 };

    fn after(stream: &dyn Fn(usize) -> f64, n: usize) -> Bets {
        let mut bets = Bets::new(RATES);
        (0..n).for_each(|i| _ = bets.push(stream(i)));
        bets
    }

    fn close(got: f64, want: f64) {
        assert!((got - want).abs() <= 6e-7 * want.max(1.0), "{got} for {want}");
    }

    #[test]
    fn streams_give_the_published_money_and_decisions() {
        let ties = |_| 0.0;
        close(after(&ties, 1).evidence_for(), 1.023_684);
        close(after(&ties, 50).evidence_for(), 3.878_657);
        close(after(&ties, 100).evidence_against(), 1.0);
        assert_eq!(after(&ties, 120).stopped(), Some((100, Verdict::Promote)));
        let wins = |_| 1.0;
        close(after(&wins, 1).evidence_for(), 1.497_368);
        close(after(&wins, 10).evidence_for(), 163.406_421);
        assert_eq!(after(&wins, 10).stopped(), Some((7, Verdict::Promote)));
        let losses = |_| -1.0;
        close(after(&losses, 1).evidence_against(), 1.45);
        close(after(&losses, 10).evidence_against(), 106.609_143);
        assert_eq!(after(&losses, 10).stopped(), Some((7, Verdict::Block)));
        let tenth_wins = |i: usize| f64::from(i % 10 == 9);
        close(after(&tenth_wins, 50).evidence_for(), 47.829_999);
        assert_eq!(after(&tenth_wins, 60).stopped(), Some((41, Verdict::Promote)));
        let tenth_loses = |i: usize| -f64::from(i % 10 == 9);
        close(after(&tenth_loses, 50).evidence_against(), 8.271_509);
        assert_eq!(after(&tenth_loses, 80).stopped(), Some((70, Verdict::Block)));
        let turns = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        assert_eq!(after(&turns, 1000).stopped(), None);
    }

    #[test]
    fn a_mixed_stream_gives_the_published_money_at_every_item() {
        let stream = [0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0];
        let k = [
            1.023_684, 1.536_297, 1.576_477, 0.788_450, 0.804_439, 0.820_864, 1.175_222, 1.201_827,
            1.229_203, 1.820_839,
        ];
        let l = [
            1.0, 0.55, 0.55, 0.737_941, 0.737_941, 0.737_941, 0.459_471, 0.459_471, 0.459_471,
            0.323_337,
        ];
        let mut bets = Bets::new(RATES);
        for i in 0..10 {
            bets.push(stream[i]);
            close(bets.evidence_for(), k[i]);
            close(bets.evidence_against(), l[i]);
        }
    }

    proptest! {
        /// The expectation over the next item of a fair game is the money one has: the property that
        /// makes every look allowed.
        #[test]
        fn money_is_a_martingale_at_the_border(
            past in proptest::collection::vec(-1.0_f64..=1.0, 0..40),
            margin in 0.0_f64..0.3,
            spread in 0.0_f64..=1.0,
        ) {
            let mut bets = Bets::new(Rates { margin, ..RATES });
            past.iter().for_each(|&d| _ = bets.push(d));
            // An item that is +spread (1 - margin) above or below the border, each half the time.
            let reach = spread * (1.0 - margin);
            let next = |d: f64| { let mut b = bets.clone(); b.push(d); b };
            let (up, down) = (next(-margin + reach), next(-margin - reach));
            let mean = 0.5 * (up.evidence_for() + down.evidence_for());
            prop_assert!((mean / bets.evidence_for() - 1.0).abs() < 1e-9);
            let (up, down) = (next(reach), next(-reach));
            let mean = 0.5 * (up.evidence_against() + down.evidence_against());
            prop_assert!((mean / bets.evidence_against() - 1.0).abs() < 1e-9);
        }

        /// A decision once made stays.
        #[test]
        fn later_items_do_not_change_a_decision(
            stream in proptest::collection::vec(-1.0_f64..=1.0, 1..300),
        ) {
            let mut bets = Bets::new(RATES);
            let mut first = None;
            for d in stream {
                let verdict = bets.push(d);
                if verdict != Verdict::Hold && first.is_none() {
                    first = Some((bets.n_items(), verdict));
                }
                prop_assert_eq!(bets.stopped(), first);
            }
        }
    }
}
