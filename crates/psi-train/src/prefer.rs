//! Learning from preferences: pairs of answers of which one is better, or single ones that are liked or
//! not (`train.loss` = dpo, ipo, kto).
//!
//! The reference is the model at the start of the run; its log-probabilities are computed once.

mod loss;
mod pairs;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use psi_kernels::Cpu;
use psi_model::{Config, Decoder};
use serde_json::json;
use toml::Value as Toml;

use self::{
    loss::{Judged, Loss, loss},
    pairs::{Candidate, Pairs},
};
use crate::{
    Result,
    data::Rows,
    recipe::{RunConfig, Settings},
    run::{RunDir, load, newest},
    trainer::{
        Core, Environment, Event, Finished, Practice, Record, Text, Workspace, drive, start,
    },
};

/// Whether a recipe learns from preferences.
pub(crate) fn is_meant(settings: &Settings) -> bool {
    settings.text("train.loss") != Some("likelihood")
}

/// Runs a recipe to its end, or until `stop` is set. As [`crate::trainer::train`].
pub(crate) fn prefer(
    settings: Settings,
    environment: &Environment<'_>,
    resume: bool,
    stop: &AtomicBool,
    on_event: &mut dyn FnMut(Event),
) -> Result<Finished> {
    let mut learner = Learner::open(settings, environment.cpu, resume)?;
    if learner.pairs.n_dropped > 0 {
        let Pairs { n_dropped, longest, .. } = learner.pairs;
        let why = format!("left out {n_dropped} judged answers of more than {longest} tokens");
        on_event(Event::Note(why));
    }
    let Core { config, state, .. } = &learner.core;
    on_event(Event::Started { step: state.step, steps: config.steps });
    drive(&mut learner, stop, on_event)?;
    learner.core.finish(None, None)
}

/// A run in memory.
#[derive(Debug)]
struct Learner {
    core: Core,
    pairs: Pairs,
    loss: Loss,
    /// Weight of the likelihood of what is liked, beside the preference.
    keep: f64,
    /// Pairs, or single answers, of a step.
    batch: usize,
    seed: u64,
    /// ln p of every answer under the model at the start.
    reference: Vec<f64>,
}

impl Practice for Learner {
    fn core(&mut self) -> &mut Core {
        &mut self.core
    }

    fn step(&mut self, _: &mut dyn FnMut(Event)) -> Result<Event> {
        let started = Instant::now();
        let step = self.core.state.step + 1;
        let factor = self.core.config.schedule.factor(step);
        let chosen = self.pairs.batch(self.seed, step - 1, self.batch);
        let learned = self.learn(&chosen);
        let core = &mut self.core;
        let norm = core.norm();
        if !(learned.loss.is_finite() && norm.is_finite()) {
            let what = format!("loss {}, gradient norm {norm}", learned.loss);
            return Err(core.diverged(step, what));
        }
        core.update(norm, factor);
        core.state.step = step;
        core.state.tokens += learned.n_tokens as u64;
        let record = Record {
            step,
            loss: learned.loss,
            lr: factor * core.config.optim.lr,
            grad_norm: norm,
            tokens: core.state.tokens,
            tokens_per_s: learned.n_tokens as f64 / started.elapsed().as_secs_f64(),
            ..Record::default()
        };
        if core.is_logged() {
            let mut line = serde_json::to_value(&record).unwrap_or_default();
            line["margin"] = json!(learned.margin);
            line["preferred"] = json!(learned.preferred);
            core.metrics.write(&line)?;
        }
        Ok(Event::Step(record))
    }

    fn keep(&mut self) -> Vec<(String, Vec<f32>)> {
        Vec::new()
    }
}

/// What a step has seen.
struct Learned {
    loss: f64,
    /// Mean of r(liked) - r(not liked) over pairs.
    margin: f64,
    /// Share of pairs in which the liked answer has gained more.
    preferred: f64,
    n_tokens: usize,
}

impl Learner {
    fn open(mut settings: Settings, cpu: &Arc<Cpu>, resume: bool) -> Result<Self> {
        let (run, begun) = RunDir::begin(&settings, resume)?;
        let Some(from) = settings.text("model.from").map(PathBuf::from) else {
            let error = settings.refuse("model.from", "preferences are about a model's answers");
            return Err(error.with_hint("give the folder of a chat model"));
        };
        let text = Text::open(&Text::origin(&settings).unwrap_or_else(|| from.clone()))?;
        let (model, _) = Config::read(&from)?;
        let longest = match settings.is_given("data.seq_len") {
            true => settings.count("data.seq_len").min(model.max_seq_len),
            false => model.max_seq_len,
        };
        let pairs = Pairs::read(&settings, &text, longest)?;
        let batch = match settings.count("prefer.batch") {
            0 => return Err(settings.refuse("prefer.batch", "at least 1 is needed")),
            n => n,
        };
        let steps = (settings.count("prefer.epochs") * pairs.len()).div_ceil(batch);
        settings.derive("train.steps", Toml::Integer(steps as i64), "prefer.epochs");
        settings.derive("data.batch_rows", Toml::Integer(1), "psi train, preferences");
        let config = RunConfig::derive(&mut settings, cpu, &model, &mut || Ok(0))?;
        let loss = loss_of(&settings)?;
        run.keep_settings(&settings, begun)?;
        let mut loaded = newest(&run.checkpoints())?.map(|path| load(&path)).transpose()?;
        let parts = (&config.method, config.format, config.init);
        let decoder = start(cpu, &model, Some(&from), parts, &mut loaded)?;
        let before = start(cpu, &model, Some(&from), parts, &mut None)?;
        let mut core = Core::new(cpu, (run, config, text), decoder, &mut loaded)?;
        let workspace = &mut core.workspace;
        let reference = pairs.candidates.iter().map(|c| log_prob(workspace, &before, c)).collect();
        let (seed, keep) = (settings.count("run.seed") as u64, settings.number("prefer.keep"));
        Ok(Self { core, pairs, loss, keep, batch, seed, reference })
    }

    /// Adds the gradient of a batch's loss.
    fn learn(&mut self, chosen: &[usize]) -> Learned {
        let Core { workspace, decoder, gradients, .. } = &mut self.core;
        let place = |i: usize| chosen.iter().position(|&c| c == i);
        let judged: Vec<Judged> = chosen
            .iter()
            .map(|&i| {
                let candidate = &self.pairs.candidates[i];
                Judged {
                    log_ratio: log_prob(workspace, decoder, candidate) - self.reference[i],
                    is_liked: candidate.is_liked,
                    against: candidate.against.and_then(place),
                }
            })
            .collect();
        let (value, weights) = loss(self.loss, &judged);
        let n_liked = judged.iter().filter(|j| j.is_liked).count().max(1) as f64;
        gradients.zero();
        let mut n_tokens = 0;
        for (&i, weight) in chosen.iter().zip(weights) {
            let candidate = &self.pairs.candidates[i];
            n_tokens += candidate.tokens.len();
            let n = candidate.n_targets as f64;
            let kept = if candidate.is_liked { self.keep / (n * n_liked) } else { 0.0 };
            let weight = (weight - kept) as f32;
            if weight != 0.0 {
                let weights = vec![weight; candidate.n_targets];
                workspace.learn_weighted(decoder, &rows(candidate), &weights, gradients);
            }
        }
        let margins: Vec<f64> = judged
            .iter()
            .filter(|j| j.is_liked)
            .filter_map(|j| Some(j.log_ratio - judged[j.against?].log_ratio))
            .collect();
        let n = margins.len().max(1) as f64;
        Learned {
            loss: value,
            margin: margins.iter().sum::<f64>() / n,
            preferred: margins.iter().filter(|m| **m > 0.0).count() as f64 / n,
            n_tokens,
        }
    }
}

fn loss_of(s: &Settings) -> Result<Loss> {
    let beta = s.number("prefer.beta");
    if beta <= 0.0 {
        return Err(s.refuse("prefer.beta", format!("{beta} is not above 0")));
    }
    Ok(match s.text("train.loss") {
        Some("ipo") => Loss::Ipo { beta },
        Some("kto") => Loss::Kto { beta },
        _ => Loss::Dpo { beta },
    })
}

/// ln p of an answer.
fn log_prob(workspace: &mut Workspace, model: &Decoder, candidate: &Candidate) -> f64 {
    workspace.log_probs(model, &rows(candidate)).iter().map(|&p| f64::from(p)).sum()
}

fn rows(candidate: &Candidate) -> Rows {
    let mut rows = Rows::default();
    rows.push_whole(&candidate.tokens);
    rows
}
