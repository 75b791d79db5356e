//! Answers as micro-batches of the trainer: scored, and learned from with a weight per token.

use psi_model::Decoder;
use psi_tensor::Gradients;

use super::{
    episode::Group,
    policy::{Advantage, advantages},
    rollout::Rollout,
};
use crate::{
    data::{NO_TARGET, Rows},
    trainer::Workspace,
};

/// Positions of a micro-batch, at most (a longer answer is one by itself).
const TOKENS: usize = 4096;

/// The answers of some groups, one after another.
#[derive(Debug)]
pub(crate) struct Answers<'a> {
    pub(crate) rollouts: Vec<&'a Rollout>,
    pub(crate) advantages: Vec<f64>,
}

impl<'a> Answers<'a> {
    pub(crate) fn new(groups: &[&'a Group], kind: Advantage) -> Self {
        Self {
            rollouts: groups.iter().flat_map(|g| &g.answers).collect(),
            advantages: groups.iter().flat_map(|g| advantages(kind, &g.rewards)).collect(),
        }
    }
}

/// Which answers go together.
pub(crate) fn micro_batches(answers: &Answers<'_>) -> Vec<std::ops::Range<usize>> {
    let mut batches = Vec::new();
    let (mut first, mut n_tokens) = (0, 0);
    for (i, answer) in answers.rollouts.iter().enumerate() {
        let n = answer.tokens.len() - 1;
        if n_tokens + n > TOKENS && i > first {
            batches.push(first..i);
            (first, n_tokens) = (i, 0);
        }
        n_tokens += n;
    }
    batches.push(first..answers.rollouts.len());
    batches
}

/// Each answer is a sequence of its own; only what the model wrote is a target.
fn rows(answers: &[&Rollout]) -> Rows {
    let mut rows = Rows::default();
    for answer in answers {
        let n = answer.tokens.len() - 1;
        let first = rows.targets.len();
        rows.tokens.extend_from_slice(&answer.tokens[..n]);
        rows.targets.resize(first + n, NO_TARGET);
        for &i in &answer.written {
            rows.targets[first + i - 1] = answer.tokens[i];
        }
        rows.segments.push(n);
    }
    rows
}

/// Log-probabilities of every answer's written tokens under `model`.
pub(crate) fn score(
    workspace: &mut Workspace,
    model: &Decoder,
    answers: &Answers<'_>,
    batches: &[std::ops::Range<usize>],
) -> Vec<Vec<f32>> {
    let mut all = Vec::new();
    for batch in batches {
        let answers = &answers.rollouts[batch.clone()];
        all.extend(cut(&workspace.log_probs(model, &rows(answers)), answers));
    }
    all
}

/// Adds the gradient of sum(w log p) and returns the log-probabilities it was taken at.
pub(crate) fn learn(
    (workspace, gradients): (&mut Workspace, &mut Gradients),
    model: &Decoder,
    answers: &Answers<'_>,
    (batches, weights): (&[std::ops::Range<usize>], &[Vec<f32>]),
) -> Vec<Vec<f32>> {
    let mut all = Vec::new();
    for batch in batches {
        let answers = &answers.rollouts[batch.clone()];
        let weights = weights[batch.clone()].concat();
        let log_probs = workspace.learn_weighted(model, &rows(answers), &weights, gradients);
        all.extend(cut(&log_probs, answers));
    }
    all
}

/// Values of a micro-batch's targets, by answer.
fn cut(values: &[f32], answers: &[&Rollout]) -> Vec<Vec<f32>> {
    let mut rest = values;
    let one = |answer: &&Rollout| {
        let (own, after) = rest.split_at(answer.written.len());
        rest = after;
        own.to_vec()
    };
    answers.iter().map(one).collect()
}
