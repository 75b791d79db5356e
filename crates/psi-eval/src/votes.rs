//! What more answers to the same question buy: accuracy against tokens, with a majority's vote and with a
//! verifier that knows a right answer when it sees one.

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;

use crate::{
    run::{Result, RunError, Sample, samples},
    scorers::pass_at_k,
};

/// One drawn answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Draw {
    /// What was found in it; nothing abstains.
    pub answer: Option<String>,
    /// Whether it is right.
    pub correct: bool,
    /// Tokens that were written for it.
    pub n_tokens: usize,
}

/// What k answers per question reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Answers per question.
    pub k: usize,
    /// Tokens written per question, on average.
    pub tokens: f64,
    /// Share of questions whose most frequent answer is right; of several, the one drawn first.
    pub majority: f64,
    /// Share of questions of which a verifier finds a right answer: pass@k, without bias.
    pub verifier: f64,
}

/// A task's curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// The task.
    pub task: String,
    /// Questions.
    pub n: usize,
    /// k = 1, 2, 4, ... and all.
    pub points: Vec<Point>,
}

/// The curves of runs that drew answers to the same items, one run per draw.
///
/// # Errors
/// When a run cannot be read, the runs do not hold the same items, or a task's answers have nothing to vote on.
pub fn curves(runs: &[&Path]) -> Result<Vec<Curve>> {
    let mut tasks: BTreeMap<String, BTreeMap<u128, Vec<Draw>>> = BTreeMap::new();
    for dir in runs {
        for sample in samples(dir)? {
            let sample = sample?;
            let key = sample.key();
            tasks
                .entry(sample.task.clone())
                .or_default()
                .entry(key)
                .or_default()
                .push(draw(sample));
        }
    }
    let mut curves = Vec::new();
    for (task, items) in tasks {
        let items: Vec<Vec<Draw>> = items.into_values().collect();
        let why = if items.iter().any(|draws| draws.len() != runs.len()) {
            "the runs do not hold the same items"
        } else if items.iter().flatten().all(|draw| draw.answer.is_none()) {
            "no answer was found in any output, so there is nothing to vote on"
        } else {
            curves.push(Curve { task, n: items.len(), points: points(&items) });
            continue;
        };
        return Err(RunError::Empty { what: format!("{task}: {why}") });
    }
    Ok(curves)
}

fn draw(sample: Sample) -> Draw {
    let answer = sample.extracted.map(|text| text.trim().to_lowercase());
    Draw { answer, correct: sample.correct, n_tokens: sample.n_answer }
}

/// The points of questions with equally many draws.
pub fn points(items: &[Vec<Draw>]) -> Vec<Point> {
    let n_draws = items.first().map_or(0, Vec::len);
    let mut sizes: Vec<usize> =
        std::iter::successors(Some(1), |k| Some(2 * k)).take_while(|k| *k < n_draws).collect();
    sizes.push(n_draws);
    sizes.retain(|k| *k > 0);
    let mean = |of: &dyn Fn(&[Draw]) -> f64| {
        items.iter().map(|draws| of(draws)).sum::<f64>() / items.len() as f64
    };
    let point = |k: usize| Point {
        k,
        tokens: k as f64
            * mean(&|d| d.iter().map(|d| d.n_tokens as f64).sum::<f64>() / d.len() as f64),
        majority: mean(&|draws| majority(draws, k)),
        verifier: mean(&|draws| {
            let right = draws.iter().filter(|d| d.correct).count();
            pass_at_k(draws.len() as u64, right as u64, k as u64)
        }),
    };
    sizes.into_iter().map(point).collect()
}

/// How often k draws in a row (the first follows the last) vote for a right answer.
fn majority(draws: &[Draw], k: usize) -> f64 {
    let n = draws.len();
    let wins = (0..n).filter(|start| {
        let voters: Vec<&Draw> = (0..k).map(|i| &draws[(start + i) % n]).collect();
        winner(&voters).is_some_and(|draw| draw.correct)
    });
    wins.count() as f64 / n as f64
}

/// The first draw of the most frequent answer.
fn winner<'a>(voters: &[&'a Draw]) -> Option<&'a Draw> {
    let votes = |answer: &Option<String>| voters.iter().filter(|d| d.answer == *answer).count();
    let standing = voters.iter().rev().filter(|d| d.answer.is_some());
    // Of several, `max_by_key` takes the last one of the turned order: the one drawn first.
    standing.max_by_key(|d| votes(&d.answer)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(answers: &[(&str, bool)]) -> Vec<Draw> {
        let one = |&(text, correct): &(&str, bool)| Draw {
            answer: (!text.is_empty()).then(|| text.to_owned()),
            correct,
            n_tokens: 10,
        };
        answers.iter().map(one).collect()
    }

    #[test]
    fn a_majority_wins_where_most_are_right_and_loses_where_most_agree_on_a_mistake() {
        let mostly_right = draws(&[("7", true), ("8", false), ("7", true), ("7", true)]);
        let mostly_wrong = draws(&[("3", false), ("3", false), ("4", true), ("3", false)]);
        let points = points(&[mostly_right, mostly_wrong]);
        let at = |k: usize| points.iter().find(|p| p.k == k).unwrap();
        assert_eq!(points.iter().map(|p| p.k).collect::<Vec<_>>(), [1, 2, 4]);
        assert!((at(1).majority - 0.5).abs() < 1e-12 && (at(1).verifier - 0.5).abs() < 1e-12);
        assert!((at(4).majority - 0.5).abs() < 1e-12 && (at(4).verifier - 1.0).abs() < 1e-12);
        assert!((at(4).tokens - 40.0).abs() < 1e-12);
    }

    #[test]
    fn who_says_nothing_does_not_vote_and_of_equals_the_first_wins() {
        let first = draws(&[("", false), ("9", true), ("5", false)]);
        let refs: Vec<&Draw> = first.iter().collect();
        assert_eq!(winner(&refs).unwrap().answer.as_deref(), Some("9"));
        let nobody = draws(&[("", false)]);
        assert!(winner(&[&nobody[0]]).is_none());
        assert!((majority(&nobody, 1) - 0.0).abs() < 1e-12);
    }
}
