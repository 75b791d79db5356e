//! Groups of answers to one prompt, their rewards, and what they have in common.

use super::{
    config::Reward,
    policy::{Advantage, advantages},
    record::RefineRecord,
    rollout::Rollout,
};

/// The answers to one prompt.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// Task and level.
    pub(crate) task: (usize, usize),
    pub(crate) answers: Vec<Rollout>,
    pub(crate) rewards: Vec<f64>,
}

impl Group {
    pub(crate) fn new(
        task: (usize, usize),
        answers: Vec<Rollout>,
        reward: Reward,
        max_tokens: usize,
    ) -> Self {
        let rewards = answers.iter().map(|a| reward.of(a, max_tokens)).collect();
        Self { task, answers, rewards }
    }

    /// Whether some answers earned more than others.
    pub(crate) fn teaches(&self) -> bool {
        self.rewards.iter().any(|r| *r != self.rewards[0])
    }

    pub(crate) fn share_correct(&self) -> f64 {
        self.n_correct() as f64 / self.answers.len().max(1) as f64
    }

    fn n_correct(&self) -> usize {
        self.answers.iter().filter(|a| a.verdict.is_correct).count()
    }
}

impl Reward {
    /// What an answer earns.
    pub(crate) fn of(&self, answer: &Rollout, max_tokens: usize) -> f64 {
        let verdict = answer.verdict;
        let share = answer.written.len() as f64 / max_tokens as f64;
        let part = |is: bool, weight: f64| if is { weight } else { 0.0 };
        part(verdict.is_correct, self.correct) + part(verdict.is_formed, self.format)
            - self.length * share
    }
}

/// The first `n` groups that teach something.
pub(crate) fn learning_groups(all: &[Group], n: usize, kind: Advantage) -> Vec<&Group> {
    let teaches = |g: &&Group| advantages(kind, &g.rewards).iter().any(|a| *a != 0.0);
    all.iter().filter(|g| g.teaches()).filter(teaches).take(n).collect()
}

/// Sums over everything that was written in a step.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measures {
    n_groups: usize,
    n_equal: usize,
    n_solved: usize,
    n_answers: usize,
    n_correct: usize,
    n_cut: usize,
    reward: f64,
    nll: f64,
    /// Tokens that the model wrote.
    pub(crate) n_tokens: usize,
}

impl Measures {
    pub(crate) fn of(groups: &[Group]) -> Self {
        let mut m = Self { n_groups: groups.len(), ..Self::default() };
        for group in groups {
            m.n_equal += usize::from(!group.teaches());
            m.n_solved += usize::from(group.n_correct() > 0);
            m.n_correct += group.n_correct();
            m.n_answers += group.answers.len();
            m.reward += group.rewards.iter().sum::<f64>();
            for answer in &group.answers {
                m.n_cut += usize::from(answer.is_cut);
                m.n_tokens += answer.written.len();
                m.nll -= answer.log_probs.iter().map(|&p| f64::from(p)).sum::<f64>();
            }
        }
        m
    }

    pub(crate) fn record(&self, step: u64, writing_s: f64) -> RefineRecord {
        let per = |sum: f64, n: usize| sum / n.max(1) as f64;
        RefineRecord {
            step,
            reward: per(self.reward, self.n_answers),
            accuracy: per(self.n_correct as f64, self.n_answers),
            pass_at_k: per(self.n_solved as f64, self.n_groups),
            length: per(self.n_tokens as f64, self.n_answers),
            cut: per(self.n_cut as f64, self.n_answers),
            entropy: per(self.nll, self.n_tokens),
            groups: self.n_groups,
            groups_equal: self.n_equal,
            rollout_tokens_per_s: self.n_tokens as f64 / writing_s,
            ..RefineRecord::default()
        }
    }
}
