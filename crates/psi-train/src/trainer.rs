//! The loop: forward, backward, clip, step, evaluate, save.

mod average;
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
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use psi_kernels::Cpu;
use psi_model::Decoder;
use psi_tensor::{Gradients, optim::global_norm};

use self::{average::Average, prepare::Prepared};
pub use self::{
    estimate::{Estimate, dry_run},
    event::{Event, Finished, Record},
    prepare::Environment,
};
pub(crate) use self::{
    export::write as write_result,
    forward::{LossConfig, Workspace},
    guard::Outliers,
    init::Init,
    method::{Method, beside_model, refresh, start},
    optimiser::{OptimConfig, Optimiser},
    parameters::for_each_trained,
    schedule::{Course, Schedule},
    text::{Text, TextFiles},
};
use crate::{
    Result, TrainError,
    data::{Loader, Rows},
    recipe::{RunConfig, Settings},
    run::{Best, Lines, RunDir, Snapshot, State, VERSION, Writer},
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
    let prepared = prepare::prepare(settings, environment, resume, on_event)?;
    let mut trainer = Trainer::new(environment.cpu, prepared)?;
    if trainer.config.log_start && trainer.state.step == 0 {
        trainer.write_start()?;
    }
    on_event(Event::Started { step: trainer.state.step, steps: trainer.config.steps });
    let mut last_bpb = None;
    let mut saved = trainer.resumed_at;
    while trainer.state.step < trainer.config.steps && !stop.load(Ordering::SeqCst) {
        let mut record = trainer.step()?;
        if trainer.is_due(trainer.config.eval.every) {
            trainer.evaluate(&mut record, on_event)?;
            last_bpb = record.val_bpb_ema.or(record.val_bpb).or(last_bpb);
        }
        if record.step.is_multiple_of(trainer.config.log_every) || record.val_bpb.is_some() {
            trainer.log(&record)?;
        }
        on_event(Event::Step(record));
        if trainer.is_due(trainer.config.save.every) {
            on_event(Event::Saving { step: trainer.state.step });
            trainer.save()?;
            saved = Some(trainer.state.step);
        }
    }
    if saved != Some(trainer.state.step) && trainer.state.step > 0 {
        on_event(Event::Saving { step: trainer.state.step });
        trainer.save()?;
    }
    trainer.writer.wait()?;
    trainer.finish(last_bpb)
}

/// A run in memory.
#[derive(Debug)]
struct Trainer {
    cpu: Arc<Cpu>,
    config: RunConfig,
    run: RunDir,
    text: text::Text,
    decoder: Decoder,
    loader: Loader,
    workspace: Workspace,
    gradients: Gradients,
    optimiser: Optimiser,
    average: Option<Average>,
    state: State,
    /// The checkpoint the run went on from.
    resumed_at: Option<u64>,
    metrics: Lines,
    samples: Lines,
    /// The rows of every step, with `log.rows`.
    rows: Option<Lines>,
    writer: Writer,
    /// Arithmetic per position of a training step.
    ops_per_token: f64,
    /// The processor's measured peak in operations per second.
    roof: Option<f64>,
}

impl Trainer {
    fn new(cpu: &Arc<Cpu>, prepared: Prepared) -> Result<Self> {
        let Prepared { run, config, text, model, from, mut loader, mut loaded } = prepared;
        let kind = (&config.method, config.format, config.init);
        let mut decoder = method::start(cpu, &model, from.as_deref(), kind, &mut loaded)?;
        let mut gradients = Gradients::new();
        for_each_trained(&mut decoder, &mut |_, _, parameter| {
            let (n, k) = parameter.shape();
            if let Some(id) = parameter.id() {
                gradients.reserve(id, n * k);
            }
        });
        let mut optimiser = Optimiser::new(config.optim);
        let mut average = (config.ema > 0.0).then(|| Average::new(cpu, &mut decoder, config.ema));
        let resumed_at = loaded.as_ref().map(|l| l.state.step);
        let state = match loaded {
            Some(mut loaded) => {
                match &loaded.state.position {
                    Some(position) => loader.seek(position)?,
                    None => return Err(wrong_kind(&loaded.path)),
                }
                optimiser.restore(&mut decoder, loaded.state.updates, &mut loaded.tensors);
                if let Some(average) = &mut average {
                    average.restore(&mut loaded.tensors);
                }
                loaded.state
            }
            None => State {
                version: VERSION,
                step: 0,
                updates: 0,
                tokens: 0,
                position: Some(loader.position()),
                losses: Outliers::default(),
                norms: Outliers::default(),
                skipped: 0,
                best: None,
                rl: None,
            },
        };
        let files = Arc::new(text.files.clone());
        Ok(Self {
            cpu: Arc::clone(cpu),
            workspace: Workspace::new(cpu, &decoder, config.recompute),
            metrics: Lines::open(&run.file("metrics.jsonl"), resumed_at)?,
            samples: Lines::open(&run.file("samples.jsonl"), resumed_at)?,
            rows: match config.log_rows {
                true => Some(Lines::open(&run.file("rows.jsonl"), resumed_at)?),
                false => None,
            },
            writer: Writer::new(run.checkpoints(), files, config.save.keep),
            ops_per_token: estimate::ops_per_token(&model, config.seq_len, &config.method),
            roof: config.log_roof.then(|| estimate::roof(cpu, config.format)),
            config,
            run,
            text,
            decoder,
            loader,
            gradients,
            optimiser,
            average,
            state,
            resumed_at,
        })
    }

    /// Whether something that happens every `every` steps and at the end happens now.
    fn is_due(&self, every: u64) -> bool {
        let step = self.state.step;
        every > 0 && (step.is_multiple_of(every) || step == self.config.steps)
    }

    /// One optimiser step over a batch of micro-batches.
    fn step(&mut self) -> Result<Record> {
        let started = Instant::now();
        let batch: Vec<Rows> = (0..self.config.accumulation)
            .map(|_| self.loader.next_rows())
            .collect::<std::result::Result<_, _>>()?;
        let n_targets: usize = batch.iter().map(Rows::n_targets).sum();
        let n_tokens: usize = batch.iter().map(|rows| rows.tokens.len()).sum();
        let step = self.state.step + 1;
        if n_targets == 0 {
            let why = format!("step {step} holds no token that a loss falls on");
            return Err(TrainError::run(self.run.path(), why)
                .with_hint("raise train.batch_tokens, or look at `psi data inspect`"));
        }
        if let Some(lines) = &mut self.rows {
            batch.iter().try_for_each(|rows| lines.write(&export::rows_to_json(step, rows)))?;
        }
        self.gradients.zero();
        let mut nll = 0.0;
        for rows in &batch {
            let (loss, gradients) = (self.config.loss, &mut self.gradients);
            nll += self.workspace.learn(&self.decoder, rows, n_targets, loss, gradients);
        }
        let loss = nll / n_targets as f64;
        let norm = global_norm(&self.cpu, &self.gradients);
        let factor = self.config.schedule.factor(step);
        let skipped = self.judge(step, loss, norm)?;
        if skipped.is_none() {
            let (decoder, gradients) = (&mut self.decoder, &self.gradients);
            self.optimiser.step(&self.cpu, decoder, gradients, norm, factor);
            method::refresh(&self.cpu, decoder, &self.config.method);
            if let Some(average) = &mut self.average {
                average.update(&self.cpu, decoder, self.optimiser.steps());
            }
        }
        self.state.step = step;
        self.state.updates = self.optimiser.steps();
        self.state.tokens += n_tokens as u64;
        self.state.position = Some(self.loader.position());
        let tokens_per_s = n_tokens as f64 / started.elapsed().as_secs_f64();
        Ok(Record {
            step,
            loss,
            lr: factor * self.config.optim.lr,
            grad_norm: norm,
            tokens: self.state.tokens,
            tokens_per_s,
            share_of_roof: self.roof.map(|roof| tokens_per_s * self.ops_per_token / roof),
            skipped,
            val_bpb: None,
            val_bpb_ema: None,
        })
    }

    /// Why the step should not move the weights, if it should not; a divergence is an error.
    fn judge(&mut self, step: u64, loss: f64, norm: f64) -> Result<Option<String>> {
        let (z_loss, z_norm) = match loss.is_finite() && norm.is_finite() {
            true => (self.state.losses.score(loss), self.state.norms.score(norm)),
            false => return Err(self.diverged(step, format!("loss {loss}, gradient norm {norm}"))),
        };
        let bound = self.config.guard_z;
        if bound == 0.0 || z_loss.max(z_norm) <= bound {
            self.state.skipped = 0;
            if loss > self.config.max_loss {
                let what = format!("loss {loss:.3} is above guard.max_loss");
                return Err(self.diverged(step, what));
            }
            return Ok(None);
        }
        self.state.skipped += 1;
        if self.state.skipped > MAX_SKIPPED {
            let what = format!("the guard has skipped {MAX_SKIPPED} steps in a row");
            return Err(self.diverged(step, what));
        }
        let (what, z) = if z_loss > z_norm { ("loss", z_loss) } else { ("gradient norm", z_norm) };
        Ok(Some(format!("{what} {z:.1} deviations above its mean")))
    }

    fn diverged(&mut self, step: u64, what: String) -> TrainError {
        TrainError::Diverged { step, what, last_good: self.writer.last_good() }
    }

    /// Bits per byte of the validation data, and continuations of the prompts.
    fn evaluate(&mut self, record: &mut Record, on_event: &mut dyn FnMut(Event)) -> Result<()> {
        let averaged = self.averaged();
        record.val_bpb = self.bits_per_byte(None)?;
        if let Some(averaged) = &averaged {
            record.val_bpb_ema = self.bits_per_byte(Some(averaged))?;
        }
        if let Some(val_bpb) = record.val_bpb_ema.or(record.val_bpb)
            && self.state.best.is_none_or(|best| val_bpb < best.val_bpb)
        {
            self.state.best = Some(Best { step: record.step, val_bpb });
        }
        let model = averaged.unwrap_or_else(|| self.decoder.clone());
        for sample in sample::samples(&self.cpu, model, &self.text, &self.config.eval, record.step)
        {
            self.samples.write(&sample.to_json())?;
            let sample::Sample { step, prompt, text } = sample;
            on_event(Event::Sample { step, prompt, text });
        }
        Ok(())
    }

    /// The model with the averaged weights, if they are averaged.
    fn averaged(&self) -> Option<Decoder> {
        let mut decoder = self.average.as_ref()?.applied(&self.cpu, &self.decoder);
        method::refresh(&self.cpu, &mut decoder, &self.config.method);
        Some(decoder)
    }

    /// Of the running model, or of `other`; `None` without validation data.
    fn bits_per_byte(&mut self, other: Option<&Decoder>) -> Result<Option<f64>> {
        let decoder = other.unwrap_or(&self.decoder);
        let limit =
            if self.config.eval.batches == 0 { usize::MAX } else { self.config.eval.batches };
        let (mut nll, mut bytes) = (0.0, 0);
        for rows in self.loader.validation().take(limit) {
            let rows = rows?;
            nll += self.workspace.score(decoder, &rows);
            bytes += rows.bytes;
        }
        Ok((bytes > 0).then(|| nll / std::f64::consts::LN_2 / bytes as f64))
    }

    fn log(&mut self, record: &Record) -> Result<()> {
        let value = serde_json::to_value(record).unwrap_or_default();
        self.metrics.write(&value)
    }

    /// Starts writing a checkpoint of this moment.
    fn save(&mut self) -> Result<()> {
        self.metrics.sync()?;
        self.samples.sync()?;
        let mut tensors = method::beside_model(&self.cpu, &mut self.decoder);
        tensors.extend(self.optimiser.tensors(&mut self.decoder));
        tensors.extend(self.average.iter().flat_map(Average::tensors));
        self.writer.start(Snapshot {
            state: self.state.clone(),
            decoder: self.decoder.clone(),
            whole_model: self.config.method.is_full(),
            tensors,
        })
    }

    /// Writes the weights before the first step.
    fn write_start(&self) -> Result<()> {
        let parts = (&self.config.method, self.config.save.dtype);
        let decoder = self.decoder.clone();
        export::write_model(&self.cpu, &self.run.file("start"), decoder, parts, &self.text.files)
    }

    /// Writes `model/` if the run is at its end.
    fn finish(self, val_bpb: Option<f64>) -> Result<Finished> {
        let mut model = None;
        if self.state.step >= self.config.steps {
            let decoder = self.averaged().unwrap_or_else(|| self.decoder.clone());
            let parts = (&self.config.method, self.config.save.dtype);
            model = Some(export::write(&self.cpu, &self.run, decoder, parts, &self.text.files)?);
        }
        Ok(Finished {
            dir: self.run.path().to_owned(),
            step: self.state.step,
            steps: self.config.steps,
            tokens: self.state.tokens,
            val_bpb,
            model,
        })
    }
}

fn wrong_kind(checkpoint: &std::path::Path) -> TrainError {
    TrainError::run(checkpoint, "is of a run of psi refine")
        .with_hint("psi refine --resume goes on")
}
