//! The answers of one request: handed to the service a few at a time, counted, cancelled when dropped.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use psi_infer::service::{SubmitError, Ticket, Usage};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Shared, access_log::Record, error::ApiError, keys::Reservation, models::Served};

/// Most answers of one request that run or wait at a time, so that others find room.
const WINDOW: usize = 64;

/// Where one answer's events go. The service calls it, so it never waits; what it holds is bounded by the
/// most tokens of the answer.
pub(crate) type Sender<E> = UnboundedSender<(usize, E)>;

/// Hands one answer to the service.
pub(crate) type Submit<E> = Box<dyn FnMut(usize, &Sender<E>) -> Result<Ticket, ApiError> + Send>;

/// Answers that run, and those that follow.
pub(crate) struct Jobs<E> {
    waiting: VecDeque<usize>,
    submit: Submit<E>,
    /// Dropping a ticket cancels its answer.
    tickets: Vec<Option<Ticket>>,
    sender: Sender<E>,
    events: UnboundedReceiver<(usize, E)>,
}

impl<E: Send + 'static> Jobs<E> {
    /// Starts `n` answers.
    ///
    /// # Errors
    /// What the first one that cannot be taken says; a full queue only when it takes none at all.
    pub(crate) fn start(n: usize, submit: Submit<E>) -> Result<Self, ApiError> {
        let (sender, events) = unbounded_channel();
        let tickets = (0..n).map(|_| None).collect();
        let mut jobs = Self { waiting: (0..n).collect(), submit, tickets, sender, events };
        jobs.fill()?;
        match jobs.n_running() {
            0 if n > 0 => Err(ApiError::Busy),
            _ => Ok(jobs),
        }
    }

    fn n_running(&self) -> usize {
        self.tickets.iter().flatten().count()
    }

    /// Submits what the window and the queue have room for.
    fn fill(&mut self) -> Result<(), ApiError> {
        let mut room = WINDOW.saturating_sub(self.n_running());
        while room > 0
            && let Some(&index) = self.waiting.front()
        {
            match (self.submit)(index, &self.sender) {
                Ok(ticket) => self.tickets[index] = Some(ticket),
                Err(ApiError::Busy) => return Ok(()),
                Err(error) => return Err(error),
            }
            self.waiting.pop_front();
            room -= 1;
        }
        Ok(())
    }

    /// The next event of any answer; `None` when all are over.
    ///
    /// # Errors
    /// When a later answer is not taken.
    pub(crate) async fn next(&mut self) -> Result<Option<(usize, E)>, ApiError> {
        loop {
            if let Ok(event) = self.events.try_recv() {
                return Ok(Some(event));
            }
            self.fill()?;
            if self.n_running() > 0 {
                return Ok(self.events.recv().await);
            }
            if self.waiting.is_empty() {
                return Ok(None);
            }
            // Others fill the queue.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends one answer, before its time or at its end; no event of it is wanted any more.
    pub(crate) fn end(&mut self, index: usize) {
        self.tickets[index] = None;
    }

    /// Whether this answer has been ended.
    pub(crate) fn has_ended(&self, index: usize) -> bool {
        self.tickets[index].is_none()
    }
}

/// What a refused request is told.
pub(crate) fn refused(error: SubmitError, prompt: &str) -> ApiError {
    match error {
        SubmitError::ContextOverflow { n_prompt, max_tokens, limit } => {
            ApiError::ContextOverflow { n_prompt, max_tokens, limit }
        }
        SubmitError::QueueFull { .. } => ApiError::Busy,
        SubmitError::UnknownAdapter(name) => ApiError::NoModel(name),
        SubmitError::BadRequest { field: "tokens", why } => ApiError::invalid(prompt, why),
        SubmitError::BadRequest { field, why } => ApiError::invalid(field, why),
        SubmitError::Stopped => ApiError::Draining,
    }
}

/// Counts one answer: for the key's quota, the ledger, the metrics and the log. Lives in the sink, so it
/// counts even when the client has left.
pub(crate) struct Meter {
    api: Arc<Shared>,
    record: Arc<Record>,
    model: String,
    reservation: Option<Reservation>,
    n_prompt: usize,
    has_started: bool,
    seen_token: bool,
}

impl Meter {
    pub(crate) fn new(
        api: &Arc<Shared>,
        record: &Arc<Record>,
        served: &Served,
        reservation: Reservation,
        n_prompt: usize,
    ) -> Self {
        Self {
            api: Arc::clone(api),
            record: Arc::clone(record),
            model: served.name.clone(),
            reservation: Some(reservation),
            n_prompt,
            has_started: false,
            seen_token: false,
        }
    }

    /// The answer runs: from now on it costs at least its prompt.
    pub(crate) fn start(&mut self) {
        self.has_started = true;
    }

    /// A piece of the answer came.
    pub(crate) fn progress(&mut self) {
        if !self.seen_token {
            self.seen_token = true;
            self.api.metrics.first_token(self.record.elapsed());
        }
    }

    /// The answer ended: counted before the client hears of it.
    pub(crate) fn finish(&mut self, usage: Usage, reason: &'static str) {
        // Taken once: an answer is counted once.
        let Some(reservation) = self.reservation.take() else { return };
        let (prompt, cached) = (usage.n_prompt as u64, usage.n_cached as u64);
        let completion = usage.n_generated as u64;
        let key = reservation.key().name.clone();
        reservation.settle(prompt + completion);
        for (kind, n) in [("prompt", prompt), ("cached", cached), ("completion", completion)] {
            self.api.metrics.tokens(&self.model, kind, n);
        }
        self.record.note(|facts| {
            facts.prompt_tokens += prompt;
            facts.cached_tokens += cached;
            facts.completion_tokens += completion;
            facts.finish = Some(reason);
        });
        self.api.account(&json!({
            "time": self.api.unix_s(),
            "request": self.record.id(),
            "key": key,
            "model": self.model,
            "prompt_tokens": prompt,
            "cached_tokens": cached,
            "completion_tokens": completion,
            "finish": reason,
        }));
    }
}

impl Drop for Meter {
    /// An answer that failed has read its prompt; one that was never taken costs nothing.
    fn drop(&mut self) {
        if !self.has_started {
            return;
        }
        self.finish(Usage { n_prompt: self.n_prompt, ..Usage::default() }, "failed");
    }
}
