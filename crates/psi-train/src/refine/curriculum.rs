//! Which level of a task is practised next.

use psi_infer::rng;
use serde::{Deserialize, Serialize};

use super::task::Task;

/// How fast older answers are forgotten, per group.
const DECAY: f64 = 0.9;
/// Every level keeps being drawn with at least this weight.
const FLOOR: f64 = 0.03;

/// The part of a checkpoint that reinforcement learning adds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RlState {
    /// Prompts drawn so far: the address of the next one.
    pub(crate) next_prompt: u64,
    /// Running share of right answers, by task and level.
    pub(crate) solved: Vec<Vec<f64>>,
}

impl RlState {
    pub(crate) fn new(tasks: &[Task]) -> Self {
        let solved = tasks.iter().map(|task| vec![0.5; task.levels()]).collect();
        Self { next_prompt: 0, solved }
    }

    /// Task and level of prompt `index`: tasks in turn; levels evenly, or weighted by p(1 - p), the variance
    /// of an answer that is right with probability p, where a group teaches most.
    pub(crate) fn choose(&self, seed: u64, index: u64, weighted: bool) -> (usize, usize) {
        let n = self.solved.len() as u64;
        let task = (index % n) as usize;
        let levels = &self.solved[task];
        if !weighted {
            return (task, (index / n) as usize % levels.len());
        }
        let weight = |p: &f64| p * (1.0 - p) + FLOOR;
        let mut left = rng::uniform(seed, index) * levels.iter().map(weight).sum::<f64>();
        let level = levels.iter().position(|p| {
            left -= weight(p);
            left < 0.0
        });
        (task, level.unwrap_or(levels.len() - 1))
    }

    /// A group of this task and level was right in this share of its answers.
    pub(crate) fn saw(&mut self, (task, level): (usize, usize), share: f64) {
        let p = &mut self.solved[task][level];
        *p = DECAY * *p + (1.0 - DECAY) * share;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks() -> Vec<Task> {
        ["compare", "calculation"].map(|n| Task::named(n).unwrap()).to_vec()
    }

    #[test]
    fn without_weights_tasks_and_levels_take_turns() {
        let state = RlState::new(&tasks());
        let drawn: Vec<_> = (0..6).map(|i| state.choose(1, i, false)).collect();
        assert_eq!(drawn, [(0, 0), (1, 0), (0, 1), (1, 0), (0, 2), (1, 0)]);
    }

    #[test]
    fn the_level_that_is_nearly_mastered_is_drawn_most_and_none_is_forgotten() {
        let mut state = RlState::new(&tasks());
        for _ in 0..60 {
            state.saw((0, 0), 1.0);
            state.saw((0, 2), 0.0);
        }
        let mut counts = [0; 3];
        for i in 0..3000 {
            let (task, level) = state.choose(7, 2 * i, true);
            assert_eq!(task, 0);
            counts[level] += 1;
        }
        assert!(counts[1] > 2 * counts[0].max(counts[2]) && counts.iter().all(|&c| c > 100));
    }
}
