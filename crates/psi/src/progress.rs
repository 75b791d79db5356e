//! Progress on standard error, for work that takes longer than two seconds, on a terminal only.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work shorter than this shows nothing.
const QUIET: Duration = Duration::from_secs(2);
/// Time between two reports to a program.
const REPORT: Duration = Duration::from_millis(250);

/// A bar over `total` bytes that appears after two seconds.
pub(crate) struct Progress {
    bar: ProgressBar,
    started: std::time::Instant,
    /// For a program that reads standard error: when it was last told.
    told: Option<Mutex<std::time::Instant>>,
    total: u64,
}

impl Progress {
    /// A bar named `what` over `total` bytes.
    pub(crate) fn bytes(what: &str, total: u64) -> Self {
        Self::new(what, total, "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
    }

    /// A bar named `what` over `total` steps.
    pub(crate) fn steps(what: &str, total: u64) -> Self {
        Self::new(what, total, "{msg} {wide_bar} {pos}/{len} {eta}")
    }

    fn new(what: &str, total: u64, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        bar.set_style(
            ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("━╸─"),
        );
        bar.set_message(what.to_owned());
        Self { bar, started: std::time::Instant::now(), told: None, total }
    }

    /// Says `progress DONE TOTAL` on standard error, a few times a second, for a program that reads it.
    pub(crate) fn reported(mut self, reported: bool) -> Self {
        self.told = reported.then(|| Mutex::new(self.started));
        self
    }

    /// Moves to `done`.
    pub(crate) fn set(&self, done: u64) {
        if self.bar.is_hidden() && self.started.elapsed() > QUIET {
            // Draws only when standard error is a terminal.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_position(done);
        let Some(told) = &self.told else { return };
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() > REPORT || done == self.total {
            *told = std::time::Instant::now();
            eprintln!("progress {done} {}", self.total);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
