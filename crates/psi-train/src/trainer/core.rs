//! What every loop has: the weights, what moves them, the folder that keeps them, and when it is written.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use psi_kernels::Cpu;
use psi_model::Decoder;
use psi_tensor::{Gradients, optim::global_norm};

use super::{
    Event, Finished, Optimiser, Outliers, Text, Workspace, export, for_each_trained,
    method::{self, beside_model},
};
use crate::{
    Result, TrainError,
    recipe::RunConfig,
    run::{Lines, Loaded, RunDir, Snapshot, State, VERSION, Writer},
};

/// A run in memory, whatever it learns from.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) cpu: Arc<Cpu>,
    pub(crate) config: RunConfig,
    pub(crate) run: RunDir,
    pub(crate) text: Text,
    pub(crate) decoder: Decoder,
    pub(crate) workspace: Workspace,
    pub(crate) gradients: Gradients,
    pub(crate) optimiser: Optimiser,
    pub(crate) state: State,
    /// The checkpoint the run went on from.
    pub(crate) resumed_at: Option<u64>,
    pub(crate) metrics: Lines,
    pub(crate) samples: Lines,
    pub(crate) writer: Writer,
}

/// What a loop does between two checkpoints.
pub(crate) trait Practice {
    fn core(&mut self) -> &mut Core;

    /// One step: updates, what is due to be evaluated, a line of metrics.
    fn step(&mut self, on_event: &mut dyn FnMut(Event)) -> Result<Event>;

    /// What a checkpoint holds beside weights and optimisers; brings `core().state` up to date.
    fn keep(&mut self) -> Vec<(String, Vec<f32>)>;
}

/// Runs to the end, or until `stop` is set, which is looked at between steps; then everything is saved.
pub(crate) fn drive(
    practice: &mut dyn Practice,
    stop: &AtomicBool,
    on_event: &mut dyn FnMut(Event),
) -> Result<()> {
    let mut saved = practice.core().resumed_at;
    while !practice.core().is_done() && !stop.load(Ordering::SeqCst) {
        let event = practice.step(on_event)?;
        on_event(event);
        let core = practice.core();
        if core.is_due(core.config.save.every) {
            save(practice, on_event)?;
            saved = Some(practice.core().state.step);
        }
    }
    let step = practice.core().state.step;
    if saved != Some(step) && step > 0 {
        save(practice, on_event)?;
    }
    practice.core().writer.wait()
}

/// Starts writing a checkpoint of this moment.
fn save(practice: &mut dyn Practice, on_event: &mut dyn FnMut(Event)) -> Result<()> {
    let kept = practice.keep();
    let core = practice.core();
    on_event(Event::Saving { step: core.state.step });
    core.metrics.sync()?;
    core.samples.sync()?;
    let mut tensors = beside_model(&core.cpu, &mut core.decoder);
    tensors.extend(core.optimiser.tensors(&mut core.decoder));
    tensors.extend(kept);
    core.writer.start(Snapshot {
        state: core.state.clone(),
        decoder: core.decoder.clone(),
        whole_model: core.config.method.is_full(),
        tensors,
    })
}

impl Core {
    /// The run at its start, or at the checkpoint that was loaded, from which it takes what is its own.
    pub(crate) fn new(
        cpu: &Arc<Cpu>,
        (run, config, text): (RunDir, RunConfig, Text),
        mut decoder: Decoder,
        loaded: &mut Option<Loaded>,
    ) -> Result<Self> {
        let mut gradients = Gradients::new();
        for_each_trained(&mut decoder, &mut |_, _, parameter| {
            let (n, k) = parameter.shape();
            if let Some(id) = parameter.id() {
                gradients.reserve(id, n * k);
            }
        });
        let mut optimiser = Optimiser::new(config.optim);
        let resumed_at = loaded.as_ref().map(|l| l.state.step);
        let state = match loaded {
            Some(loaded) => {
                optimiser.restore(&mut decoder, loaded.state.updates, &mut loaded.tensors);
                loaded.state.clone()
            }
            None => State {
                version: VERSION,
                step: 0,
                updates: 0,
                tokens: 0,
                position: None,
                losses: Outliers::default(),
                norms: Outliers::default(),
                skipped: 0,
                best: None,
                rl: None,
            },
        };
        Ok(Self {
            cpu: Arc::clone(cpu),
            workspace: Workspace::new(cpu, &decoder, config.recompute),
            metrics: Lines::open(&run.file("metrics.jsonl"), resumed_at)?,
            samples: Lines::open(&run.file("samples.jsonl"), resumed_at)?,
            writer: Writer::new(run.checkpoints(), Arc::new(text.files.clone()), config.save.keep),
            config,
            run,
            text,
            decoder,
            gradients,
            optimiser,
            state,
            resumed_at,
        })
    }

    fn is_done(&self) -> bool {
        self.state.step >= self.config.steps
    }

    /// Whether something that happens every `every` steps and at the end happens now.
    pub(crate) fn is_due(&self, every: u64) -> bool {
        let step = self.state.step;
        every > 0 && (step.is_multiple_of(every) || step == self.config.steps)
    }

    /// Whether a line of metrics is due.
    pub(crate) fn is_logged(&self) -> bool {
        self.state.step.is_multiple_of(self.config.log_every)
    }

    /// The norm of the gradients.
    pub(crate) fn norm(&self) -> f64 {
        global_norm(&self.cpu, &self.gradients)
    }

    /// Moves the weights along the gradients at `factor` times the peak rates.
    pub(crate) fn update(&mut self, norm: f64, factor: f64) {
        self.optimiser.step(&self.cpu, &mut self.decoder, &self.gradients, norm, factor);
        method::refresh(&self.cpu, &mut self.decoder, &self.config.method);
        self.state.updates = self.optimiser.steps();
    }

    /// The error of a step whose numbers are of no use.
    pub(crate) fn diverged(&mut self, step: u64, what: String) -> TrainError {
        TrainError::Diverged { step, what, last_good: self.writer.last_good() }
    }

    /// Writes `model/` (of `decoder`, where the result is not the running model) if the run is at its end.
    pub(crate) fn finish(self, decoder: Option<Decoder>, val_bpb: Option<f64>) -> Result<Finished> {
        let mut model = None;
        if self.is_done() {
            let decoder = decoder.unwrap_or_else(|| self.decoder.clone());
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
