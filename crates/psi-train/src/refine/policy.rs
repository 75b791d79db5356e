//! The policy gradient as one weight per sampled token: GRPO and its later corrections are choices here.
//!
//! All of them maximise, over the tokens t of the answers i, sum(a_it m_it A_i r_it) with a_it what an
//! average divides by, A_i the advantage, r_it the probability ratio between the policy and the one that
//! wrote the answer, and m_it 0 where the ratio has been clipped. Its gradient is that of
//! sum(w_it log p_it) with the constants w_it that [`weights`] gives: the trainer needs no second
//! loss.

/// What an answer's reward is measured against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advantage {
    /// (r - mean) / (deviation + 1e-4) of its group. Shao et al. 2024 (GRPO), section 4.1.
    Standardised,
    /// r - mean of its group. Liu et al. 2025 (Dr. GRPO), section 3.2.
    Centred,
    /// 1 for the best of its group, 0 for the others: the model imitates the best of its own answers. Dong et al.
    /// 2023 (RAFT), section 3.2.
    Best,
}

/// What the sum over an answer's tokens is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Average {
    /// Its own length, then the number of answers. GRPO.
    Answer,
    /// The tokens of all answers. Yu et al. 2025 (DAPO), section 3.3.
    Token,
    /// The longest length there may be, times the number of answers. Dr. GRPO.
    Constant,
}

/// Over what a probability ratio is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ratio {
    /// One token.
    Token,
    /// The whole answer: the geometric mean of its tokens' ratios. Zheng et al. 2025 (GSPO), section 4.1.
    Answer,
}

/// What happens to ratios far from 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Correction {
    /// No gradient beyond 1 - low (for a negative advantage) and 1 + high (for a positive one).
    Clip { low: f64, high: f64 },
    /// The ratio counts as at most this, and always passes its gradient: truncated importance weights.
    Truncate { cap: f64 },
}

/// The loss of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PolicyLoss {
    pub(crate) advantage: Advantage,
    pub(crate) average: Average,
    pub(crate) ratio: Ratio,
    pub(crate) correction: Correction,
    /// Weight of the divergence from the reference: the k3 estimate of Schulman 2020, as in GRPO.
    pub(crate) kl: f64,
}

/// One answer as the loss sees it: log-probabilities of its tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sampled<'a> {
    pub(crate) advantage: f64,
    /// When it was written.
    pub(crate) behaviour: &'a [f32],
    /// Under the policy that is to move.
    pub(crate) policy: &'a [f32],
    /// Under the reference; needed for a KL term only.
    pub(crate) reference: Option<&'a [f32]>,
}

/// What the ratios were like.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Deviation {
    /// Largest |r - 1| of a token.
    pub(crate) ratio_max_dev: f64,
    /// Tokens without gradient because of the clip.
    pub(crate) n_clipped: usize,
    pub(crate) n_tokens: usize,
    /// Sum over tokens of the estimated divergence from the reference.
    pub(crate) kl_sum: f64,
}

/// The advantages of one group.
pub(crate) fn advantages(kind: Advantage, rewards: &[f64]) -> Vec<f64> {
    let n = rewards.len().max(1) as f64;
    let mean = rewards.iter().sum::<f64>() / n;
    let variance = rewards.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / n;
    let by = match kind {
        Advantage::Standardised => variance.sqrt() + 1e-4,
        Advantage::Centred => 1.0,
        Advantage::Best => {
            let best = rewards.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            return rewards.iter().map(|r| f64::from(u8::from(*r == best))).collect();
        }
    };
    rewards.iter().map(|r| (r - mean) / by).collect()
}

/// The weights w_it of `answers`, to be *minimised* as sum(w_it log p_it), and what the ratios were like.
///
/// `max_tokens` is the longest an answer may be.
pub(crate) fn weights(
    loss: &PolicyLoss,
    answers: &[Sampled<'_>],
    max_tokens: usize,
) -> (Vec<Vec<f32>>, Deviation) {
    let n_answers = answers.len().max(1) as f64;
    let n_tokens: usize = answers.iter().map(|a| a.policy.len()).sum();
    let mut seen = Deviation { n_tokens, ..Deviation::default() };
    let of_answer = |answer: &Sampled<'_>| {
        let n = answer.policy.len() as f64;
        let per_token = match loss.average {
            Average::Answer => 1.0 / (n.max(1.0) * n_answers),
            Average::Token => 1.0 / n_tokens.max(1) as f64,
            Average::Constant => 1.0 / (max_tokens.max(1) as f64 * n_answers),
        };
        let log_ratios = answer.policy.iter().zip(answer.behaviour);
        let log_ratios: Vec<f64> =
            log_ratios.map(|(&new, &old)| f64::from(new) - f64::from(old)).collect();
        let mean = log_ratios.iter().sum::<f64>() / n.max(1.0);
        let of_token = |(i, log_ratio): (usize, &f64)| {
            let own = log_ratio.exp();
            seen.ratio_max_dev = seen.ratio_max_dev.max((own - 1.0).abs());
            let ratio = if loss.ratio == Ratio::Answer { mean.exp() } else { own };
            let (factor, clipped) = gradient_factor(loss.correction, ratio, answer.advantage);
            seen.n_clipped += usize::from(clipped);
            let mut weight = -answer.advantage * factor;
            if let Some(reference) = answer.reference {
                let gap = f64::from(reference[i]) - f64::from(answer.policy[i]);
                seen.kl_sum += gap.exp() - gap - 1.0;
                weight += loss.kl * (1.0 - gap.exp());
            }
            (weight * per_token) as f32
        };
        log_ratios.iter().enumerate().map(of_token).collect()
    };
    (answers.iter().map(of_answer).collect(), seen)
}

/// What multiplies A d log p, and whether the clip has taken it.
fn gradient_factor(correction: Correction, ratio: f64, advantage: f64) -> (f64, bool) {
    match correction {
        Correction::Clip { low, high } => {
            let beyond = match advantage > 0.0 {
                true => ratio > 1.0 + high,
                false => ratio < 1.0 - low,
            };
            (if beyond { 0.0 } else { ratio }, beyond)
        }
        Correction::Truncate { cap } => (ratio.min(cap), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRPO: PolicyLoss = PolicyLoss {
        advantage: Advantage::Standardised,
        average: Average::Answer,
        ratio: Ratio::Token,
        correction: Correction::Clip { low: 0.2, high: 0.2 },
        kl: 0.0,
    };

    /// The surrogate itself, to differentiate by differences.
    fn surrogate(loss: &PolicyLoss, answers: &[Sampled<'_>], max_tokens: usize) -> f64 {
        let n_tokens: usize = answers.iter().map(|a| a.policy.len()).sum();
        let mut sum = 0.0;
        for a in answers {
            let n = a.policy.len() as f64;
            let by = match loss.average {
                Average::Answer => n * answers.len() as f64,
                Average::Token => n_tokens as f64,
                Average::Constant => (max_tokens * answers.len()) as f64,
            };
            let logs: Vec<f64> =
                a.policy.iter().zip(a.behaviour).map(|(p, b)| f64::from(p - b)).collect();
            let mean = logs.iter().sum::<f64>() / n;
            for (i, log) in logs.iter().enumerate() {
                let r = if loss.ratio == Ratio::Answer { mean.exp() } else { log.exp() };
                let Correction::Clip { low, high } = loss.correction else { unreachable!() };
                let clipped = r.clamp(1.0 - low, 1.0 + high);
                let mut value = -(r * a.advantage).min(clipped * a.advantage);
                if let Some(reference) = a.reference {
                    let gap = f64::from(reference[i]) - f64::from(a.policy[i]);
                    value += loss.kl * (gap.exp() - gap - 1.0);
                }
                sum += value / by;
            }
        }
        sum
    }

    #[test]
    fn the_weights_are_the_derivatives_of_the_surrogate() {
        let behaviour = [[-1.0f32, -0.5, -2.0, -0.1], [-0.7, -1.5, -0.2, -3.0]];
        let policy = [[-0.9f32, -0.45, -2.6, -0.12], [-0.4, -1.6, -0.25, -2.9]];
        let reference = [[-1.1f32, -0.4, -2.0, -0.3], [-0.6, -1.2, -0.2, -2.0]];
        for average in [Average::Answer, Average::Token, Average::Constant] {
            for (ratio, kl) in [(Ratio::Token, 0.0), (Ratio::Token, 0.3), (Ratio::Answer, 0.0)] {
                let loss = PolicyLoss { average, ratio, kl, ..GRPO };
                let lengths = [4, 3];
                let answers = |policy: &[[f32; 4]; 2]| -> f64 {
                    let all: Vec<Sampled<'_>> = (0..2)
                        .map(|i| sampled(&behaviour[i], &policy[i], &reference[i], lengths[i], kl))
                        .collect();
                    surrogate(&loss, &all, 8)
                };
                let all: Vec<Sampled<'_>> = (0..2)
                    .map(|i| sampled(&behaviour[i], &policy[i], &reference[i], lengths[i], kl))
                    .collect();
                let (weights, _) = weights(&loss, &all, 8);
                for i in 0..2 {
                    // With a ratio over answers the weights are derivatives only for equal clips.
                    for t in 0..lengths[i] {
                        let step = 1e-3;
                        let (mut up, mut down) = (policy, policy);
                        up[i][t] += step;
                        down[i][t] -= step;
                        let slope =
                            (answers(&up) - answers(&down)) / f64::from(up[i][t] - down[i][t]);
                        let given = f64::from(weights[i][t]);
                        assert!((given - slope).abs() < 2e-3, "{loss:?} {i} {t}: {given} {slope}");
                    }
                }
            }
        }
    }

    fn sampled<'a>(
        behaviour: &'a [f32],
        policy: &'a [f32],
        reference: &'a [f32],
        n: usize,
        kl: f64,
    ) -> Sampled<'a> {
        Sampled {
            advantage: if n == 4 { 1.5 } else { -0.5 },
            behaviour: &behaviour[..n],
            policy: &policy[..n],
            reference: (kl > 0.0).then_some(&reference[..n]),
        }
    }

    #[test]
    fn on_policy_every_token_weighs_its_advantage_and_the_ratio_is_exactly_one() {
        let logs = [-0.3f32, -2.0];
        let answer = Sampled { advantage: 2.0, behaviour: &logs, policy: &logs, reference: None };
        let (weights, seen) = weights(&GRPO, &[answer], 10);
        assert_eq!(weights, [vec![-1.0, -1.0]]);
        assert_eq!((seen.ratio_max_dev, seen.n_clipped), (0.0, 0));
    }

    #[test]
    fn a_clipped_token_has_no_gradient_and_a_truncated_one_a_bounded_one() {
        let answer =
            |advantage| Sampled { advantage, behaviour: &[-2.0], policy: &[-1.0], reference: None };
        assert_eq!(weights(&GRPO, &[answer(1.0)], 4).0[0], [0.0]);
        // The other way it may go back.
        assert!(weights(&GRPO, &[answer(-1.0)], 4).0[0][0] > 2.0);
        let truncated = PolicyLoss { correction: Correction::Truncate { cap: 2.0 }, ..GRPO };
        assert_eq!(weights(&truncated, &[answer(1.0)], 4).0[0], [-2.0]);
    }

    #[test]
    fn advantages_of_a_group_add_up_to_nothing() {
        for kind in [Advantage::Standardised, Advantage::Centred] {
            let all = advantages(kind, &[1.0, 0.0, 0.0, 1.0, 0.5]);
            assert!(all.iter().sum::<f64>().abs() < 1e-9);
            assert!(all[0] > 0.0 && all[1] < 0.0);
        }
        assert_eq!(advantages(Advantage::Standardised, &[1.0, 1.0]), [0.0, 0.0]);
        assert_eq!(advantages(Advantage::Best, &[0.5, 1.0, 1.0, 0.0]), [0.0, 1.0, 1.0, 0.0]);
    }
}
