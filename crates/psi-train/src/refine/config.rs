//! The recipe's `[rl]` as the loop uses it.

use psi_eval::{procedural::FAMILIES, skills::Mix};

use super::{
    policy::{Advantage, Average, Correction, PolicyLoss, Ratio},
    task::Task,
};
use crate::{Result, recipe::Settings};

/// Everything that reinforcement learning adds to a run.
#[derive(Clone, Debug)]
pub(crate) struct RlConfig {
    pub(crate) tasks: Vec<Task>,
    /// Groups per step.
    pub(crate) prompts: usize,
    /// Answers per group.
    pub(crate) group: usize,
    /// Most tokens the model writes in one answer, over all its turns.
    pub(crate) max_tokens: usize,
    pub(crate) max_turns: usize,
    /// Sequences that are written at the same time.
    pub(crate) batch: usize,
    pub(crate) loss: PolicyLoss,
    pub(crate) reward: Reward,
    /// Optimiser steps per pass over a step's answers.
    pub(crate) minibatches: usize,
    /// Passes over a step's answers.
    pub(crate) epochs: usize,
    /// How often prompts are drawn to replace groups whose answers all got the same reward.
    pub(crate) refill: usize,
    /// Levels are drawn by what the model can nearly do.
    pub(crate) curriculum: bool,
    /// Share of the problems that are asked in garbled words.
    pub(crate) garbled: f64,
    /// Held-out prompts per evaluation.
    pub(crate) eval_items: usize,
}

/// What an answer earns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reward {
    /// For the right answer.
    pub(crate) correct: f64,
    /// For thoughts before an answer, and tags that are closed.
    pub(crate) format: f64,
    /// Taken off for the longest answer there may be, and in proportion for a shorter one.
    pub(crate) length: f64,
}

impl RlConfig {
    pub(crate) fn read(s: &Settings) -> Result<Self> {
        let at_least_one = |name: &str| match s.count(name) {
            0 => Err(s.refuse(name, "at least 1 is needed")),
            n => Ok(n),
        };
        let group = match s.count("rl.group") {
            n if n < 2 => {
                let error = s.refuse("rl.group", "an answer is compared with others of its group");
                return Err(error.with_hint("4 to 16 answers are usual"));
            }
            n => n,
        };
        let prompts = at_least_one("rl.prompts")?;
        let minibatches = at_least_one("rl.minibatches")?;
        if !prompts.is_multiple_of(minibatches) {
            let why = format!("{minibatches} do not divide the {prompts} groups of rl.prompts");
            return Err(s.refuse("rl.minibatches", why));
        }
        Ok(Self {
            tasks: tasks(s)?,
            prompts,
            group,
            max_tokens: at_least_one("rl.max_tokens")?,
            max_turns: at_least_one("rl.max_turns")?,
            batch: at_least_one("rl.batch")?,
            loss: loss(s)?,
            reward: Reward {
                correct: s.number("rl.reward_correct"),
                format: s.number("rl.reward_format"),
                length: s.number("rl.reward_length"),
            },
            minibatches,
            epochs: at_least_one("rl.epochs")?,
            refill: s.count("rl.refill"),
            curriculum: s.flag("rl.curriculum"),
            garbled: share(s, "rl.garbled")?,
            eval_items: s.count("rl.eval_items"),
        })
    }
}

fn share(s: &Settings, name: &str) -> Result<f64> {
    match s.number(name) {
        x if (0.0..=1.0).contains(&x) => Ok(x),
        x => Err(s.refuse(name, format!("{x} is not between 0 and 1"))),
    }
}

fn tasks(s: &Settings) -> Result<Vec<Task>> {
    let names = s.texts("rl.tasks");
    let mut tasks = Vec::new();
    for name in &names {
        match Task::named(name) {
            Some(task) if !tasks.contains(&task) => tasks.push(task),
            Some(_) => return Err(s.refuse("rl.tasks", format!("'{name}' is there twice"))),
            None => {
                let families = FAMILIES.iter().map(|f| f.name);
                let all: Vec<&str> = families.chain(Mix::names()).collect();
                let error = s.refuse("rl.tasks", format!("there is no '{name}'"));
                return Err(error.with_hint(format!("there are {}", all.join(", "))));
            }
        }
    }
    match tasks.is_empty() {
        true => Err(s.refuse("rl.tasks", "there is nothing to learn from")),
        false => Ok(tasks),
    }
}

fn loss(s: &Settings) -> Result<PolicyLoss> {
    for name in ["rl.clip_low", "rl.clip_high", "rl.kl", "rl.cap"] {
        if s.number(name) < 0.0 {
            return Err(s.refuse(name, format!("{} is not 0 or more", s.number(name))));
        }
    }
    Ok(PolicyLoss {
        advantage: match s.text("rl.advantage") {
            Some("centred") => Advantage::Centred,
            Some("best") => Advantage::Best,
            _ => Advantage::Standardised,
        },
        average: match s.text("rl.average") {
            Some("answer") => Average::Answer,
            Some("constant") => Average::Constant,
            _ => Average::Token,
        },
        ratio: match s.text("rl.ratio") {
            Some("answer") => Ratio::Answer,
            _ => Ratio::Token,
        },
        correction: match s.text("rl.correction") {
            Some("truncate") => Correction::Truncate { cap: s.number("rl.cap") },
            _ => Correction::Clip { low: s.number("rl.clip_low"), high: s.number("rl.clip_high") },
        },
        kl: s.number("rl.kl"),
    })
}
