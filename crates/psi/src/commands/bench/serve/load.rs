//! Sends requests: so many at once (closed loop), or so many per second whatever happens (open loop).

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use psi_infer::rng;

use super::{Answer, Target, job::Job};

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arrival {
    /// Each of so many clients sends its next one when the last is answered.
    Closed { concurrency: usize },
    /// At random moments, so many per second on average (a Poisson process).
    Open { per_s: f64 },
}

/// How many requests are sent, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    n_requests: usize,
    until: Option<Duration>,
    arrival: Arrival,
}

/// A request that has ended.
#[derive(Debug)]
pub(super) struct Done {
    /// Which one it was.
    pub(super) index: usize,
    /// When it was sent, in seconds since the run began.
    pub(super) sent: f64,
    /// When it ended.
    pub(super) ended: f64,
    pub(super) outcome: Result<Answer, String>,
}

impl Plan {
    /// So many requests.
    pub(super) fn requests(n_requests: usize, arrival: Arrival) -> Self {
        Self { n_requests, until: None, arrival }
    }

    /// As many as are answered in a time; those under way then are still answered.
    pub(super) fn lasting(until: Duration, concurrency: usize) -> Self {
        let arrival = Arrival::Closed { concurrency };
        Self { n_requests: usize::MAX, until: Some(until), arrival }
    }

    /// Sends the requests; each is handed to `on_end` when it has ended, and kept by nobody else.
    pub(super) fn run(
        &self,
        target: &dyn Target,
        job: &(dyn Fn(usize) -> Job + Sync),
        on_end: &(dyn Fn(Done) + Sync),
    ) {
        let start = Instant::now();
        let clock = || start.elapsed().as_secs_f64();
        let one = |index: usize| {
            let job = job(index);
            let sent = clock();
            let outcome = target.run(&job, &clock);
            on_end(Done { index, sent, ended: clock(), outcome });
        };
        let next = AtomicUsize::new(0);
        let is_over = || self.until.is_some_and(|until| start.elapsed() >= until);
        let client = || {
            while !is_over() {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= self.n_requests {
                    return;
                }
                one(index);
            }
        };
        std::thread::scope(|scope| match self.arrival {
            Arrival::Closed { concurrency } => {
                (0..concurrency.min(self.n_requests)).for_each(|_| drop(scope.spawn(client)));
            }
            Arrival::Open { per_s } => {
                let mut at = 0.0;
                for index in 0..self.n_requests {
                    let wait = Duration::from_secs_f64(at).saturating_sub(start.elapsed());
                    std::thread::sleep(wait);
                    let one = &one;
                    scope.spawn(move || one(index));
                    // Exponential gaps; 1 - u is above 0.
                    at -= (1.0 - rng::uniform(0x6172_7276, index as u64)).ln() / per_s;
                }
            }
        });
    }
}
