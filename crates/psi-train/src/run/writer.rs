//! Checkpoints written in the background while the training goes on.

use std::{path::PathBuf, sync::Arc, thread::JoinHandle};

use psi_model::Decoder;

use super::{State, checkpoint};
use crate::{Result, TrainError, trainer::TextFiles};

/// The run at the end of a step. Weights are shared with the running model until it changes them.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) state: State,
    pub(crate) decoder: Decoder,
    /// Whether the weights themselves are trained and belong into the checkpoint.
    pub(crate) whole_model: bool,
    /// Everything else, by name.
    pub(crate) tensors: Vec<(String, Vec<f32>)>,
}

/// Writes one checkpoint at a time.
#[derive(Debug)]
pub(crate) struct Writer {
    checkpoints: PathBuf,
    text: Arc<TextFiles>,
    keep: usize,
    running: Option<JoinHandle<Result<PathBuf>>>,
    /// The last one that is on disk.
    last: Option<PathBuf>,
}

impl Writer {
    pub(crate) fn new(checkpoints: PathBuf, text: Arc<TextFiles>, keep: usize) -> Self {
        let last = checkpoint::newest(&checkpoints).ok().flatten();
        Self { checkpoints, text, keep, running: None, last }
    }

    /// The last checkpoint on disk, after waiting for one being written.
    pub(crate) fn last_good(&mut self) -> Option<PathBuf> {
        // A failed write is reported by `wait`; here it only means that there is no newer one.
        let _ = self.wait();
        self.last.clone()
    }

    /// Starts writing; waits first for the one before, whose failure is returned here.
    pub(crate) fn start(&mut self, mut snapshot: Snapshot) -> Result<()> {
        self.wait()?;
        let (checkpoints, text, keep) =
            (self.checkpoints.clone(), Arc::clone(&self.text), self.keep);
        let best = snapshot.state.best.map(|b| b.step);
        let job = move || {
            let path = checkpoint::write(&checkpoints, &mut snapshot, &text)?;
            checkpoint::prune(&checkpoints, keep, best)?;
            Ok(path)
        };
        let thread = std::thread::Builder::new().name("psi-checkpoint".into()).spawn(job);
        let thread =
            thread.map_err(|e| TrainError::io(&self.checkpoints, "starting a thread for", e))?;
        self.running = Some(thread);
        Ok(())
    }

    /// Waits for the checkpoint being written.
    pub(crate) fn wait(&mut self) -> Result<()> {
        let Some(thread) = self.running.take() else { return Ok(()) };
        let path = match thread.join() {
            Ok(written) => written?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        self.last = Some(path);
        Ok(())
    }
}
