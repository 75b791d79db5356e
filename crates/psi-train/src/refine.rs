//! Refinement by reinforcement learning: the model writes answers, verifiers judge them, and the policy
//! gradient moves the weights. GRPO and its later corrections are settings of one loss (`rl.*`).
//!
//! Answers are written by the inference engine on the very weights that are trained; at the first update of
//! every step the trainer's log-probabilities equal the engine's bit for bit, or the run stops.

mod config;
mod curriculum;
mod episode;
mod policy;
mod record;
mod rollout;
mod task;
mod workspace;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use psi_eval::split::Split;
use psi_infer::rng;
use psi_kernels::Cpu;
use psi_model::{Config, Decoder};
use serde_json::{Value, json};
use toml::Value as Toml;

pub(crate) use self::curriculum::RlState;
pub use self::record::RefineRecord;
use self::{
    config::RlConfig,
    episode::{Group, Measures, learning_groups},
    policy::{Deviation, Sampled, weights},
    rollout::{Dialogue, RolloutConfig, run as write_answers},
    task::{Prompt, Task},
    workspace::{Answers, micro_batches},
};
use crate::{
    Result, TrainError,
    recipe::{RunConfig, Settings},
    run::{RunDir, load, newest},
    trainer::{Core, Environment, Event, Finished, Practice, Text, drive, start},
};

/// Address of the random numbers of held-out prompts.
const EVAL_SEED: u64 = 0x6865_6c64;
/// Steps between groups that are kept to be read, from the first on.
const SHOWN_EVERY: u64 = 10;
/// Answers of such a group.
const N_SHOWN: usize = 4;

/// Runs a recipe of `psi refine` to its end, or until `stop` is set, which is looked at between steps.
///
/// A folder that holds a checkpoint is continued if `resume` says so, and refused otherwise.
///
/// # Errors
/// [`TrainError`]: what was written before stays whole.
pub fn refine(
    settings: Settings,
    environment: &Environment<'_>,
    resume: bool,
    stop: &AtomicBool,
    on_event: &mut dyn FnMut(Event),
) -> Result<Finished> {
    let mut refiner = Refiner::open(settings, environment.cpu, resume)?;
    let Core { config, state, resumed_at, .. } = &refiner.core;
    on_event(Event::Started { step: state.step, steps: config.steps });
    if resumed_at.is_none() {
        let mut record = RefineRecord::default();
        refiner.evaluate(&mut record)?;
        refiner.log(&record)?;
        on_event(Event::Refined(Box::new(record)));
    }
    drive(&mut refiner, stop, on_event)?;
    refiner.core.finish(None, None)
}

/// A run that learns from its own answers.
#[derive(Debug)]
struct Refiner {
    core: Core,
    rl: RlConfig,
    seed: u64,
    /// The weights at the start of the run, for a KL term.
    reference: Option<Decoder>,
    rl_state: RlState,
}

impl Practice for Refiner {
    fn core(&mut self) -> &mut Core {
        &mut self.core
    }

    fn step(&mut self, _: &mut dyn FnMut(Event)) -> Result<Event> {
        let mut record = self.practise()?;
        if self.core.is_due(self.core.config.eval.every) {
            self.evaluate(&mut record)?;
        }
        if self.core.is_logged() || record.val_accuracy.is_some() {
            self.log(&record)?;
        }
        Ok(Event::Refined(Box::new(record)))
    }

    fn keep(&mut self) -> Vec<(String, Vec<f32>)> {
        self.core.state.rl = Some(self.rl_state.clone());
        Vec::new()
    }
}

impl Refiner {
    fn open(mut settings: Settings, cpu: &Arc<Cpu>, resume: bool) -> Result<Self> {
        let (run, begun) = RunDir::begin(&settings, resume)?;
        let Some(from) = settings.text("model.from").map(PathBuf::from) else {
            let error = settings.refuse("model.from", "refinement needs a model to start from");
            return Err(error.with_hint("give the folder of a chat model: psi-nano's, or your own"));
        };
        let text = Text::open(&Text::origin(&settings).unwrap_or_else(|| from.clone()))?;
        let (model, _) = Config::read(&from)?;
        let config = derive(&mut settings, cpu, &model)?;
        let rl = RlConfig::read(&settings)?;
        run.keep_settings(&settings, begun)?;
        let mut loaded = newest(&run.checkpoints())?.map(|path| load(&path)).transpose()?;
        let parts = (&config.method, config.format, config.init);
        let decoder = start(cpu, &model, Some(&from), parts, &mut loaded)?;
        let reference = match rl.loss.kl > 0.0 {
            true => Some(start(cpu, &model, Some(&from), parts, &mut None)?),
            false => None,
        };
        let core = Core::new(cpu, (run, config, text), decoder, &mut loaded)?;
        let rl_state = match &core.state.rl {
            Some(kept) if kept.solved.len() == rl.tasks.len() => kept.clone(),
            _ => RlState::new(&rl.tasks),
        };
        Ok(Self { seed: settings.count("run.seed") as u64, core, rl, reference, rl_state })
    }

    /// Answers, rewards, and the updates that follow from them.
    fn practise(&mut self) -> Result<RefineRecord> {
        let started = Instant::now();
        let step = self.core.state.step + 1;
        let (written, measures) = self.write()?;
        let writing_s = started.elapsed().as_secs_f64();
        let mut record = measures.record(step, writing_s);
        record.by_task = share_by_task(&self.rl.tasks, &written);
        if step % SHOWN_EVERY == 1 {
            self.show_sample(step, &written)?;
        }
        let groups = learning_groups(&written, self.rl.prompts, self.rl.loss.advantage);
        let factor = self.core.config.schedule.factor(step);
        record.lr = factor * self.core.config.optim.lr;
        if !groups.is_empty() {
            self.update(&groups, factor, &mut record)?;
        }
        let state = &mut self.core.state;
        state.step = step;
        state.tokens += measures.n_tokens as u64;
        record.tokens = state.tokens;
        record.tokens_per_s = measures.n_tokens as f64 / started.elapsed().as_secs_f64();
        Ok(record)
    }

    /// Groups of answers, until enough of them differ in reward or the refills are used up.
    fn write(&mut self) -> Result<(Vec<Group>, Measures)> {
        let config = RolloutConfig {
            max_tokens: self.rl.max_tokens,
            max_turns: self.rl.max_turns,
            batch: self.rl.batch,
            temperature: 1.0,
        };
        let dialogue = Dialogue::new(&self.core.text)?;
        let mut all: Vec<Group> = Vec::new();
        for _ in 0..=self.rl.refill {
            let useful = all.iter().filter(|g| g.teaches()).count();
            let missing = self.rl.prompts.saturating_sub(useful);
            if missing == 0 {
                break;
            }
            let first = self.rl_state.next_prompt;
            self.rl_state.next_prompt += missing as u64;
            let chosen: Vec<(usize, usize, Prompt)> = (first..first + missing as u64)
                .map(|index| {
                    let (task, level) = self.rl_state.choose(self.seed, index, self.rl.curriculum);
                    let kind = self.rl.tasks[task];
                    let prompt = kind.practice(self.seed, index, level, self.rl.garbled);
                    (task, level, prompt)
                })
                .collect();
            let n = self.rl.group;
            let prompts: Vec<&Prompt> =
                chosen.iter().flat_map(|(_, _, p)| std::iter::repeat_n(p, n)).collect();
            let seed = self.seed;
            let seed_of = move |i: usize| rng::mix(rng::mix(seed ^ first) ^ i as u64);
            let mut answers = write_answers(
                &self.core.cpu,
                &self.core.decoder,
                &dialogue,
                &prompts,
                config,
                &seed_of,
            )?
            .into_iter();
            for (task, level, _) in chosen {
                let answers = answers.by_ref().take(n).collect();
                let group = Group::new((task, level), answers, self.rl.reward, self.rl.max_tokens);
                self.rl_state.saw((task, level), group.share_correct());
                all.push(group);
            }
        }
        let measures = Measures::of(&all);
        Ok((all, measures))
    }

    /// The step's optimiser updates; the first is on-policy, and its ratios must be exactly 1.
    fn update(&mut self, groups: &[&Group], factor: f64, record: &mut RefineRecord) -> Result<()> {
        let advantages = self.rl.loss.advantage;
        let size = groups.len().div_ceil(self.rl.minibatches);
        let (mut clipped, mut later, mut kl) = (Deviation::default(), None, (0.0, 0));
        for epoch in 0..self.rl.epochs {
            for (i, part) in groups.chunks(size).enumerate() {
                let answers = Answers::new(part, advantages);
                let is_first = epoch == 0 && i == 0;
                let seen = self.update_once(&answers, is_first, factor, record)?;
                match is_first {
                    true => record.ratio_max_dev = seen.ratio_max_dev,
                    false => later = Some(seen.ratio_max_dev.max(later.unwrap_or(0.0))),
                }
                clipped.n_clipped += seen.n_clipped;
                clipped.n_tokens += seen.n_tokens;
                kl = (kl.0 + seen.kl_sum, kl.1 + seen.n_tokens);
            }
        }
        record.clipped = clipped.n_clipped as f64 / clipped.n_tokens.max(1) as f64;
        record.ratio_max_dev_later = later;
        record.kl = self.reference.is_some().then(|| kl.0 / kl.1.max(1) as f64);
        Ok(())
    }

    fn update_once(
        &mut self,
        answers: &Answers<'_>,
        is_first: bool,
        factor: f64,
        record: &mut RefineRecord,
    ) -> Result<Deviation> {
        let batches = micro_batches(answers);
        let core = &mut self.core;
        // On-policy the answers' own log-probabilities are the policy's.
        let policy: Vec<Vec<f32>> = match is_first {
            true => answers.rollouts.iter().map(|r| r.log_probs.clone()).collect(),
            false => workspace::score(&mut core.workspace, &core.decoder, answers, &batches),
        };
        let reference = self
            .reference
            .as_ref()
            .map(|model| workspace::score(&mut core.workspace, model, answers, &batches));
        let sampled: Vec<Sampled<'_>> = (0..answers.rollouts.len())
            .map(|i| Sampled {
                advantage: answers.advantages[i],
                behaviour: &answers.rollouts[i].log_probs,
                policy: &policy[i],
                reference: reference.as_ref().map(|r| r[i].as_slice()),
            })
            .collect();
        let (weights, mut seen) = weights(&self.rl.loss, &sampled, self.rl.max_tokens);
        core.gradients.zero();
        let parts = (&mut core.workspace, &mut core.gradients);
        let computed = workspace::learn(parts, &core.decoder, answers, (&batches, &weights));
        if is_first {
            seen.ratio_max_dev = largest_ratio_deviation(&computed, &policy);
            if seen.ratio_max_dev != 0.0 {
                let why = format!(
                    "the trainer's probabilities differ from those of the engine that wrote the \
                     answers (ratio off by {:e})",
                    seen.ratio_max_dev
                );
                return Err(TrainError::run(core.run.path(), why)
                    .with_hint("this is a defect of psi: please report the recipe and the model"));
            }
            record.loss = sampled.iter().map(|s| -s.advantage).sum::<f64>() / sampled.len() as f64;
        }
        let norm = core.norm();
        if !norm.is_finite() {
            return Err(core.diverged(core.state.step + 1, format!("gradient norm {norm}")));
        }
        record.grad_norm = norm;
        core.update(norm, factor);
        Ok(seen)
    }

    /// Accuracy on held-out prompts: the same ones every time.
    fn evaluate(&mut self, record: &mut RefineRecord) -> Result<()> {
        let config = RolloutConfig {
            max_tokens: self.rl.max_tokens,
            max_turns: self.rl.max_turns,
            batch: self.rl.batch,
            temperature: 0.0,
        };
        let n_tasks = self.rl.tasks.len();
        let prompts: Vec<(usize, Prompt)> = (0..self.rl.eval_items)
            .map(|i| {
                let (task, index) = (i % n_tasks, (i / n_tasks) as u64);
                let kind = self.rl.tasks[task];
                let level = index as usize % kind.levels();
                (task, kind.prompt(Split::Eval, EVAL_SEED, index, level))
            })
            .collect();
        if prompts.is_empty() {
            return Ok(());
        }
        let asked: Vec<&Prompt> = prompts.iter().map(|(_, p)| p).collect();
        let dialogue = Dialogue::new(&self.core.text)?;
        let answers =
            write_answers(&self.core.cpu, &self.core.decoder, &dialogue, &asked, config, &|_| 0)?;
        let mut by_task: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for ((task, _), answer) in prompts.iter().zip(&answers) {
            let counts = by_task.entry(self.rl.tasks[*task].name().to_owned()).or_default();
            counts.0 += usize::from(answer.verdict.is_correct);
            counts.1 += 1;
        }
        let right: usize = by_task.values().map(|c| c.0).sum();
        record.val_accuracy = Some(right as f64 / prompts.len() as f64);
        let share = |(name, (right, n)): (String, (usize, usize))| (name, right as f64 / n as f64);
        record.val_by_task = by_task.into_iter().map(share).collect();
        Ok(())
    }

    /// Keeps the first group's answers, to read.
    fn show_sample(&mut self, step: u64, groups: &[Group]) -> Result<()> {
        let Some(group) = groups.first() else { return Ok(()) };
        let Core { text, samples, .. } = &mut self.core;
        for (answer, reward) in group.answers.iter().zip(&group.rewards).take(N_SHOWN) {
            let first = answer.written.first().copied().unwrap_or(answer.tokens.len());
            let (prompt, written) = answer.tokens.split_at(first);
            let line: Value = json!({
                "step": step,
                "task": self.rl.tasks[group.task.0].name(),
                "prompt": text.tokenizer.decode(prompt, false),
                "text": text.tokenizer.decode(written, false),
                "reward": reward,
                "correct": answer.verdict.is_correct,
            });
            samples.write(&line)?;
        }
        Ok(())
    }

    fn log(&mut self, record: &RefineRecord) -> Result<()> {
        self.core.metrics.write(&serde_json::to_value(record).unwrap_or_default())
    }
}

/// Share of right answers of every task that was practised.
fn share_by_task(tasks: &[Task], groups: &[Group]) -> BTreeMap<String, f64> {
    let mut shares: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for group in groups {
        let name = tasks[group.task.0].name().to_owned();
        shares.entry(name).or_default().push(group.share_correct());
    }
    let mean = |all: Vec<f64>| all.iter().sum::<f64>() / all.len() as f64;
    shares.into_iter().map(|(name, all)| (name, mean(all))).collect()
}

/// What the keys shared with `psi train` say; those that only data need follow from nothing here.
fn derive(settings: &mut Settings, cpu: &Cpu, model: &Config) -> Result<RunConfig> {
    let how = "psi refine";
    settings.derive("data.batch_rows", Toml::Integer(1), how);
    settings.derive("train.steps", Toml::Integer(100), how);
    settings.derive("optim.lr", Toml::Float(2e-5), "psi refine, all weights");
    settings.derive("optim.muon_lr", Toml::Float(5e-4), "psi refine, all weights");
    RunConfig::derive(settings, cpu, model, &mut || Ok(0))
}

/// Largest |exp(new - old) - 1|; 0 only if all bits are the same.
fn largest_ratio_deviation(new: &[Vec<f32>], old: &[Vec<f32>]) -> f64 {
    let pairs = new.iter().flatten().zip(old.iter().flatten());
    let off = pairs.map(|(&n, &o)| match n.to_bits() == o.to_bits() {
        true => 0.0,
        false => ((f64::from(n) - f64::from(o)).exp() - 1.0).abs().max(f64::MIN_POSITIVE),
    });
    off.fold(0.0, f64::max)
}
