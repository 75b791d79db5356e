//! A training run on standard error: a bar on a terminal, a line now and then elsewhere.

use std::{
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use psi_train::{
    refine::RefineRecord,
    trainer::{Event, Record},
};

/// Between lines where there is no terminal.
const QUIET: Duration = Duration::from_secs(10);

/// Shows events.
pub(crate) struct Display {
    bar: ProgressBar,
    on_terminal: bool,
    started: Instant,
    /// Steps that were done before this process.
    first: u64,
    last_line: Option<Instant>,
}

impl Display {
    pub(crate) fn new() -> Self {
        let on_terminal = stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─"));
        Self { bar, on_terminal, started: Instant::now(), first: 0, last_line: None }
    }

    pub(crate) fn show(&mut self, event: &Event) {
        match event {
            Event::Note(text) => self.line(&format!("note: {text}")),
            Event::Reading { source, done, total } => {
                let share = 100.0 * *done as f64 / (*total).max(1) as f64;
                self.seldom(&format!("reading {source}: {share:.0} %"));
            }
            Event::Started { step, steps } => {
                (self.first, self.started) = (*step, Instant::now());
                self.bar.set_length(*steps);
                self.bar.set_position(*step);
                if self.on_terminal {
                    self.bar.set_draw_target(ProgressDrawTarget::stderr());
                }
                if *step > 0 {
                    self.line(&format!("going on after step {step} of {steps}"));
                }
            }
            Event::Step(record) => self.step(record),
            Event::Refined(record) => self.refined(record),
            Event::Sample { prompt, text, .. } => self.line(&format!("sample: {prompt}|{text}")),
            _ => {}
        }
    }

    fn step(&mut self, record: &Record) {
        let steps = self.bar.length().unwrap_or(record.step);
        let left = self.time_left(record.step, steps);
        let text =
            format!("loss {:.4}, {:.0} tokens/s, {left} left", record.loss, record.tokens_per_s);
        self.bar.set_position(record.step);
        self.bar.set_message(text.clone());
        if let Some(why) = &record.skipped {
            self.line(&format!("step {} skipped: {why}", record.step));
        }
        if let Some(bpb) = record.val_bpb_ema.or(record.val_bpb) {
            self.line(&format!("step {}: {text}, validation {bpb:.4} bits per byte", record.step));
        } else if !self.on_terminal {
            self.seldom(&format!("step {} of {steps}: {text}", record.step));
        }
    }

    fn refined(&mut self, record: &RefineRecord) {
        let steps = self.bar.length().unwrap_or(record.step);
        let text = format!(
            "reward {:.3}, right {:.1} %, {:.0} tokens an answer, {:.0} tokens/s, {} left",
            record.reward,
            100.0 * record.accuracy,
            record.length,
            record.tokens_per_s,
            self.time_left(record.step, steps)
        );
        self.bar.set_position(record.step);
        self.bar.set_message(text.clone());
        let held_out = record.val_accuracy.map(|a| format!("held out: {:.1} % right", 100.0 * a));
        match held_out {
            Some(held_out) if record.step == 0 => self.line(&format!("at the start, {held_out}")),
            Some(held_out) => self.line(&format!("step {}: {text}; {held_out}", record.step)),
            None if !self.on_terminal => {
                self.seldom(&format!("step {} of {steps}: {text}", record.step));
            }
            None => {}
        }
    }

    fn time_left(&self, step: u64, steps: u64) -> HumanDuration {
        let done = step.saturating_sub(self.first).max(1);
        let seconds = self.started.elapsed().as_secs_f64() / done as f64;
        let left = steps.saturating_sub(step);
        HumanDuration(Duration::from_secs_f64(seconds * left as f64))
    }

    /// A line that may be left out when the last one is recent.
    fn seldom(&mut self, text: &str) {
        if self.last_line.is_none_or(|at| at.elapsed() > QUIET) {
            self.line(text);
        }
    }

    fn line(&mut self, text: &str) {
        self.last_line = Some(Instant::now());
        self.bar.suspend(|| eprintln!("psi: {text}"));
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
