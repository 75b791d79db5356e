//! Losses of preferences, as one weight per answer.
//!
//! All of them are functions of the log-ratios r = ln p(answer) - ln p_ref(answer) of whole answers, so
//! their gradient is that of sum(w_i ln p(answer_i)) with the constants w_i given here: the trainer needs no
//! second loss.

/// What preferences are turned into.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Loss {
    /// -ln sigmoid(beta (r_chosen - r_rejected)). Rafailov et al. 2023 (DPO), equation 7.
    Dpo { beta: f64 },
    /// (r_chosen - r_rejected - 1 / (2 beta))^2. Azar et al. 2023 (IPO), equation 17.
    Ipo { beta: f64 },
    /// 1 - sigmoid(beta (r - z)) for what is liked, 1 - sigmoid(beta (z - r)) for what is not, each by itself;
    /// z is the mean r of the batch, or 0 where that is less, and a constant. Ethayarajh et al. 2024 (KTO),
    /// equation 8.
    Kto { beta: f64 },
}

/// An answer of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Judged {
    /// ln p - ln p_ref.
    pub(crate) log_ratio: f64,
    pub(crate) is_liked: bool,
    /// The place in the batch of the answer it stands against; `None`: judged by itself.
    pub(crate) against: Option<usize>,
}

/// The loss of a batch and its derivative by each answer's log-probability.
///
/// A pair counts once, with its liked answer; DPO and IPO pass over what has no counterpart, KTO takes every
/// answer by itself.
pub(crate) fn loss(kind: Loss, batch: &[Judged]) -> (f64, Vec<f64>) {
    let mut weights = vec![0.0; batch.len()];
    let mut sum = 0.0;
    let mut n = 0;
    let reference =
        (batch.iter().map(|j| j.log_ratio).sum::<f64>() / batch.len().max(1) as f64).max(0.0);
    for (i, judged) in batch.iter().enumerate() {
        let (value, slope, against) = match (kind, judged.against) {
            (Loss::Kto { beta }, _) => {
                let sign = if judged.is_liked { 1.0 } else { -1.0 };
                let good = sigmoid(sign * beta * (judged.log_ratio - reference));
                (1.0 - good, -sign * beta * good * (1.0 - good), None)
            }
            (_, Some(other)) if judged.is_liked => {
                let margin = judged.log_ratio - batch[other].log_ratio;
                let (value, slope) = of_margin(kind, margin);
                (value, slope, Some(other))
            }
            _ => continue,
        };
        (sum, n) = (sum + value, n + 1);
        weights[i] += slope;
        if let Some(other) = against {
            weights[other] -= slope;
        }
    }
    let n = f64::from(n.max(1));
    weights.iter_mut().for_each(|w| *w /= n);
    (sum / n, weights)
}

/// The loss of a pair and its derivative by the margin r_chosen - r_rejected.
fn of_margin(kind: Loss, margin: f64) -> (f64, f64) {
    match kind {
        Loss::Dpo { beta } => {
            let z = beta * margin;
            // -ln sigmoid(z) without overflow at either end.
            ((-z.abs()).exp().ln_1p() + (-z).max(0.0), -beta * sigmoid(-z))
        }
        Loss::Ipo { beta } => {
            let gap = margin - 0.5 / beta;
            (gap * gap, 2.0 * gap)
        }
        Loss::Kto { .. } => (0.0, 0.0),
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATIOS: [f64; 4] = [0.7, -0.4, 1.3, 2.1];

    /// Two pairs: 0 over 1, and 2 over 3.
    fn batch(ratios: [f64; 4]) -> Vec<Judged> {
        let judged = |i: usize| Judged {
            log_ratio: ratios[i],
            is_liked: i.is_multiple_of(2),
            against: Some(i ^ 1),
        };
        (0..4).map(judged).collect()
    }

    #[test]
    fn the_weights_are_the_derivatives_of_the_loss() {
        for kind in [Loss::Dpo { beta: 0.3 }, Loss::Ipo { beta: 0.2 }, Loss::Kto { beta: 0.5 }] {
            let (_, weights) = loss(kind, &batch(RATIOS));
            // KTO's reference point is a constant in the gradient: it must not move with the ratios.
            let value = |ratios: [f64; 4]| match kind {
                Loss::Kto { beta } => {
                    let z = RATIOS.iter().sum::<f64>() / 4.0;
                    let one = |(i, r): (usize, &f64)| {
                        let sign = if i.is_multiple_of(2) { 1.0 } else { -1.0 };
                        1.0 - sigmoid(sign * beta * (r - z))
                    };
                    ratios.iter().enumerate().map(one).sum::<f64>() / 4.0
                }
                _ => loss(kind, &batch(ratios)).0,
            };
            for i in 0..4 {
                let h = 1e-5;
                let (mut up, mut down) = (RATIOS, RATIOS);
                up[i] += h;
                down[i] -= h;
                let slope = (value(up) - value(down)) / (2.0 * h);
                assert!((slope - weights[i]).abs() < 1e-8, "{kind:?} {i}: {slope} {}", weights[i]);
            }
        }
    }

    #[test]
    fn at_the_reference_dpo_is_ln_2_and_far_away_it_is_linear_not_infinite() {
        let (start, weights) = loss(Loss::Dpo { beta: 0.1 }, &batch([0.0; 4]));
        assert!((start - std::f64::consts::LN_2).abs() < 1e-12);
        assert_eq!(weights, [-0.025, 0.025, -0.025, 0.025]);
        let (far, weights) = loss(Loss::Dpo { beta: 1.0 }, &batch([-4000.0, 4000.0, 0.0, 0.0]));
        assert!((far - (8000.0 + std::f64::consts::LN_2) / 2.0).abs() < 1e-9);
        assert!((weights[0] + 0.5).abs() < 1e-12);
    }

    #[test]
    fn an_answer_without_a_counterpart_teaches_kto_only() {
        let alone = [Judged { log_ratio: 0.0, is_liked: false, against: None }];
        assert_eq!(loss(Loss::Dpo { beta: 0.1 }, &alone), (0.0, vec![0.0]));
        let (value, weights) = loss(Loss::Kto { beta: 0.1 }, &alone);
        assert_eq!(value, 0.5);
        assert!(weights[0] > 0.0, "what is not liked becomes less likely");
    }
}
