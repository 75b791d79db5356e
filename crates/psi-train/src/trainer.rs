//! The loop: forward, backward, clip, step, evaluate, save.

mod average;
mod core;
mod estimate;
mod event;
mod export;
mod forward;
mod guard;
mod init;
mod method;
mod optimiser;
mod parameters;
mod prepare;
mod sample;
mod schedule;
mod text;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use psi_kernels::Cpu;
use psi_model::Decoder;

use self::{average::Average, prepare::Prepared};
pub(crate) use self::{
    core::{Core, Practice, drive},
    estimate::activation_bytes,
    forward::{LossConfig, Workspace},
    guard::Outliers,
    init::Init,
    method::{Method, start},
    optimiser::{OptimConfig, Optimiser},
    parameters::for_each_trained,
    schedule::{Course, Schedule},
    text::{Text, TextFiles},
};
pub use self::{
    estimate::{Estimate, dry_run},
    event::{Event, Finished, Record},
    prepare::Environment,
};
use crate::{
    Result, TrainError,
    data::{Loader, Rows},
    prefer,
    recipe::Settings,
    run::{Best, Lines},
};

/// Steps in a row that the guard may skip before the run counts as diverged.
const MAX_SKIPPED: u64 = 50;

/// Runs a recipe to its end, or until `stop` is set, which is looked at between steps; then everything is
/// saved and the run can be resumed.
///
/// A folder that holds a checkpoint is continued if `resume` says so, and refused otherwise.
///
/// # Errors
/// [`TrainError`]: what was written before stays whole.
pub fn train(
    settings: Settings,
    environment: &Environment<'_>,
    resume: bool,
    stop: &AtomicBool,
    on_event: &mut dyn FnMut(Event),
) -> Result<Finished> {
    if prefer::is_meant(&settings) {
        return prefer::prefer(settings, environment, resume, stop, on_event);
    }
    let prepared = prepare::prepare(settings, environment, resume, on_event)?;
    let mut trainer = Trainer::new(environment.cpu, prepared)?;
    let Core { config, state, .. } = &trainer.core;
    on_event(Event::Started { step: state.step, steps: config.steps });
    if config.log_start && state.step == 0 {
        trainer.write_start()?;
    }
    drive(&mut trainer, stop, on_event)?;
    let averaged = trainer.averaged();
    trainer.core.finish(averaged, trainer.last_bpb)
}

/// A run that learns from texts.
#[derive(Debug)]
struct Trainer {
    core: Core,
    loader: Loader,
    average: Option<Average>,
    /// The rows of every step, with `log.rows`.
    rows: Option<Lines>,
    /// Arithmetic per position of a training step.
    ops_per_token: f64,
    /// The processor's measured peak in operations per second.
    roof: Option<f64>,
    /// Of the last validation.
    last_bpb: Option<f64>,
}

impl Practice for Trainer {
    fn core(&mut self) -> &mut Core {
        &mut self.core
    }

    fn step(&mut self, on_event: &mut dyn FnMut(Event)) -> Result<Event> {
        let mut record = self.learn()?;
        if self.core.is_due(self.core.config.eval.every) {
            self.evaluate(&mut record, on_event)?;
            self.last_bpb = record.val_bpb_ema.or(record.val_bpb).or(self.last_bpb);
        }
        if self.core.is_logged() || record.val_bpb.is_some() {
            let value = serde_json::to_value(&record).unwrap_or_default();
            self.core.metrics.write(&value)?;
        }
        Ok(Event::Step(record))
    }

    fn keep(&mut self) -> Vec<(String, Vec<f32>)> {
        self.average.iter().flat_map(Average::tensors).collect()
    }
}

impl Trainer {
    fn new(cpu: &Arc<Cpu>, prepared: Prepared) -> Result<Self> {
        let Prepared { run, config, text, model, from, mut loader, mut loaded } = prepared;
        let kind = (&config.method, config.format, config.init);
        let mut decoder = method::start(cpu, &model, from.as_deref(), kind, &mut loaded)?;
        let mut average = (config.ema > 0.0).then(|| Average::new(cpu, &mut decoder, config.ema));
        let ops_per_token = estimate::ops_per_token(&model, config.seq_len, &config.method);
        let mut core = Core::new(cpu, (run, config, text), decoder, &mut loaded)?;
        match (&mut loaded, &core.state.position) {
            (Some(loaded), None) => return Err(wrong_kind(&loaded.path)),
            (Some(loaded), Some(position)) => {
                loader.seek(position)?;
                if let Some(average) = &mut average {
                    average.restore(&mut loaded.tensors);
                }
            }
            (None, _) => core.state.position = Some(loader.position()),
        }
        let resumed_at = core.resumed_at;
        let lines = || Lines::open(&core.run.file("rows.jsonl"), resumed_at);
        Ok(Self {
            rows: core.config.log_rows.then(lines).transpose()?,
            roof: core.config.log_roof.then(|| estimate::roof(cpu, core.config.format)),
            ops_per_token,
            loader,
            average,
            core,
            last_bpb: None,
        })
    }

    /// One optimiser step over a batch of micro-batches.
    fn learn(&mut self) -> Result<Record> {
        let started = Instant::now();
        let core = &mut self.core;
        let batch: Vec<Rows> = (0..core.config.accumulation)
            .map(|_| self.loader.next_rows())
            .collect::<std::result::Result<_, _>>()?;
        let n_targets: usize = batch.iter().map(Rows::n_targets).sum();
        let n_tokens: usize = batch.iter().map(|rows| rows.tokens.len()).sum();
        let step = core.state.step + 1;
        if n_targets == 0 {
            let why = format!("step {step} holds no token that a loss falls on");
            return Err(TrainError::run(core.run.path(), why)
                .with_hint("raise train.batch_tokens, or look at `psi data inspect`"));
        }
        if let Some(lines) = &mut self.rows {
            batch.iter().try_for_each(|rows| lines.write(&export::rows_to_json(step, rows)))?;
        }
        core.gradients.zero();
        let mut nll = 0.0;
        for rows in &batch {
            let (loss, gradients) = (core.config.loss, &mut core.gradients);
            nll += core.workspace.learn(&core.decoder, rows, n_targets, loss, gradients);
        }
        let loss = nll / n_targets as f64;
        let norm = core.norm();
        let factor = core.config.schedule.factor(step);
        let skipped = judge(core, step, loss, norm)?;
        if skipped.is_none() {
            core.update(norm, factor);
            if let Some(average) = &mut self.average {
                average.update(&core.cpu, &mut core.decoder, core.optimiser.steps());
            }
        }
        core.state.step = step;
        core.state.tokens += n_tokens as u64;
        core.state.position = Some(self.loader.position());
        let tokens_per_s = n_tokens as f64 / started.elapsed().as_secs_f64();
        Ok(Record {
            step,
            loss,
            lr: factor * core.config.optim.lr,
            grad_norm: norm,
            tokens: core.state.tokens,
            tokens_per_s,
            share_of_roof: self.roof.map(|roof| tokens_per_s * self.ops_per_token / roof),
            skipped,
            val_bpb: None,
            val_bpb_ema: None,
        })
    }

    /// Bits per byte of the validation data, and continuations of the prompts.
    fn evaluate(&mut self, record: &mut Record, on_event: &mut dyn FnMut(Event)) -> Result<()> {
        let averaged = self.averaged();
        record.val_bpb = self.bits_per_byte(None)?;
        if let Some(averaged) = &averaged {
            record.val_bpb_ema = self.bits_per_byte(Some(averaged))?;
        }
        let core = &mut self.core;
        if let Some(val_bpb) = record.val_bpb_ema.or(record.val_bpb)
            && core.state.best.is_none_or(|best| val_bpb < best.val_bpb)
        {
            core.state.best = Some(Best { step: record.step, val_bpb });
        }
        let model = averaged.unwrap_or_else(|| core.decoder.clone());
        for sample in sample::samples(&core.cpu, model, &core.text, &core.config.eval, record.step)
        {
            core.samples.write(&sample.to_json())?;
            let sample::Sample { step, prompt, text } = sample;
            on_event(Event::Sample { step, prompt, text });
        }
        Ok(())
    }

    /// The model with the averaged weights, if they are averaged.
    fn averaged(&self) -> Option<Decoder> {
        let Core { cpu, decoder, config, .. } = &self.core;
        let mut decoder = self.average.as_ref()?.applied(cpu, decoder);
        method::refresh(cpu, &mut decoder, &config.method);
        Some(decoder)
    }

    /// Of the running model, or of `other`; `None` without validation data.
    fn bits_per_byte(&mut self, other: Option<&Decoder>) -> Result<Option<f64>> {
        let core = &mut self.core;
        let decoder = other.unwrap_or(&core.decoder);
        let batches = core.config.eval.batches;
        let limit = if batches == 0 { usize::MAX } else { batches };
        let (mut nll, mut bytes) = (0.0, 0);
        for rows in self.loader.validation().take(limit) {
            let rows = rows?;
            nll += core.workspace.score(decoder, &rows);
            bytes += rows.bytes;
        }
        Ok((bytes > 0).then(|| nll / std::f64::consts::LN_2 / bytes as f64))
    }

    /// Writes the weights before the first step.
    fn write_start(&self) -> Result<()> {
        let Core { cpu, config, run, text, decoder, .. } = &self.core;
        let parts = (&config.method, config.save.dtype);
        export::write_model(cpu, &run.file("start"), decoder.clone(), parts, &text.files)
    }
}

/// Why the step should not move the weights, if it should not; a divergence is an error.
fn judge(core: &mut Core, step: u64, loss: f64, norm: f64) -> Result<Option<String>> {
    let (z_loss, z_norm) = match loss.is_finite() && norm.is_finite() {
        true => (core.state.losses.score(loss), core.state.norms.score(norm)),
        false => return Err(core.diverged(step, format!("loss {loss}, gradient norm {norm}"))),
    };
    let bound = core.config.guard_z;
    if bound == 0.0 || z_loss.max(z_norm) <= bound {
        core.state.skipped = 0;
        if loss > core.config.max_loss {
            let what = format!("loss {loss:.3} is above guard.max_loss");
            return Err(core.diverged(step, what));
        }
        return Ok(None);
    }
    core.state.skipped += 1;
    if core.state.skipped > MAX_SKIPPED {
        let what = format!("the guard has skipped {MAX_SKIPPED} steps in a row");
        return Err(core.diverged(step, what));
    }
    let (what, z) = if z_loss > z_norm { ("loss", z_loss) } else { ("gradient norm", z_norm) };
    Ok(Some(format!("{what} {z:.1} deviations above its mean")))
}

fn wrong_kind(checkpoint: &std::path::Path) -> TrainError {
    TrainError::run(checkpoint, "is of a run of psi refine")
        .with_hint("psi refine --resume goes on")
}
