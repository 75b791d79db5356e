//! `psi bench soak`: a service under load for a long time, with clients that leave at random.
//!
//! Requests come from a small pool, and each was answered once alone before; under load every answer must
//! be that one, and every answer whose client left the beginning of it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use psi_infer::rng;
use serde_json::json;

use super::{
    Answer,
    job::{Job, Jobs},
    load::Plan,
    open,
};
use crate::{
    cli::BenchSoak,
    error::{Failure, Outcome},
    memory,
    out::outln,
    progress::Progress,
};

/// Different requests.
const POOL: usize = 48;
/// Bytes that may come and go with the allocator whatever the model's size; a larger process may grow by 3 %.
const SLACK: u64 = 8 << 20;

pub(crate) fn run(args: &BenchSoak) -> Outcome {
    if !(0.0..=1.0).contains(&args.leave) {
        return Err(Failure::input("--leave must be between 0 and 1"));
    }
    let (target, vocab_size) = open(&args.target)?;
    let pool = Pool { vocab_size, args };
    let jobs: Vec<Job> = (0..POOL).map(|i| pool.job(i)).collect();
    let alone: Vec<Answer> = jobs
        .iter()
        .map(|job| target.run(job, &|| 0.0))
        .collect::<Result<_, _>>()
        .map_err(Failure::failed)?;
    let pick = |i: usize| (rng::uniform(args.seed, i as u64) * POOL as f64) as usize;
    let job = |i: usize| Job { leaves_after: pool.leaves_after(i), ..jobs[pick(i)].clone() };
    let progress = Progress::steps("requests", u64::MAX);
    // A tenth of the time first: what grows then are caches that fill.
    let seconds = Duration::from_secs(args.seconds);
    let counts: Mutex<Counts> = Mutex::default();
    let mut resident = Vec::new();
    for part in [seconds / 10, seconds - seconds / 10] {
        let plan = Plan::lasting(part, args.concurrency);
        let offset = lock(&counts).n();
        plan.run(&*target, &|i| job(offset + i), &|one| {
            let index = offset + one.index;
            let mut counts = lock(&counts);
            counts.add(index, &one.outcome, &alone[pick(index)]);
            progress.set(counts.n() as u64);
        });
        resident.push(memory::now());
    }
    drop(progress);
    let counts = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    report(args, &counts, &resident);
    counts.verdict(&resident, args.target.url.is_none())
}

/// The requests of a soak.
struct Pool<'a> {
    vocab_size: u32,
    args: &'a BenchSoak,
}

impl Pool<'_> {
    /// Request `i` of the pool: of some length, greedy or sampled, some beginning alike.
    fn job(&self, i: usize) -> Job {
        let draw = |position: u64, most: usize| {
            (rng::uniform(self.args.seed ^ (i as u64 + 1), position) * most as f64) as usize
        };
        let jobs = Jobs {
            vocab_size: self.vocab_size,
            n_shared: draw(0, 3) * self.args.prompt / 3,
            n_own: 1 + draw(1, self.args.prompt),
            max_tokens: 1 + draw(2, self.args.generate),
            seed: self.args.seed,
        };
        let temperature = [0.0, 0.8][draw(3, 2)];
        Job { temperature, seed: i as u64, ..jobs.job(i) }
    }

    /// When the client of the `i`-th request leaves.
    fn leaves_after(&self, i: usize) -> Option<usize> {
        let [whether, when] = [1, 2].map(|k| rng::uniform(!self.args.seed, 3 * i as u64 + k));
        (whether < self.args.leave).then(|| 1 + (when * self.args.generate as f64) as usize)
    }
}

/// What became of the requests.
#[derive(Debug, Default)]
struct Counts {
    n_whole: usize,
    n_left: usize,
    n_failed: usize,
    n_tokens: usize,
    /// Answers other than the one given alone, and requests that failed.
    wrong: Vec<String>,
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Counts {
    /// Requests that have ended.
    fn n(&self) -> usize {
        self.n_whole + self.n_left + self.n_failed
    }

    fn add(&mut self, index: usize, outcome: &Result<Answer, String>, alone: &Answer) {
        match outcome {
            Err(why) => {
                self.n_failed += 1;
                self.wrong.push(format!("request {index}: {why}"));
            }
            Ok(answer) => {
                self.n_tokens += answer.n_tokens;
                self.n_whole += usize::from(answer.is_whole);
                self.n_left += usize::from(!answer.is_whole);
                let is_right = match answer.is_whole {
                    true => answer.text == alone.text,
                    false => alone.text.starts_with(&answer.text),
                };
                if !is_right {
                    let text = "is not what the request gets alone";
                    self.wrong.push(format!("request {index}: '{}' {text}", answer.text));
                }
            }
        }
    }

    fn verdict(&self, resident: &[Option<u64>], is_here: bool) -> Outcome {
        if let Some(first) = self.wrong.first() {
            let n = self.wrong.len();
            return Err(Failure::failed(format!("{n} requests went wrong, the first: {first}")));
        }
        if let [Some(early), Some(late)] = *resident
            && is_here
            && late > early + (early * 3 / 100).max(SLACK)
        {
            return Err(Failure::failed(format!("memory grew from {early} to {late} bytes")));
        }
        Ok(())
    }
}

fn report(args: &BenchSoak, counts: &Counts, resident: &[Option<u64>]) {
    let Counts { n_whole, n_left, n_failed: _, n_tokens, wrong } = counts;
    let document = json!({
        "seconds": args.seconds,
        "concurrency": args.concurrency,
        "answered": n_whole,
        "left": n_left,
        "tokens": n_tokens,
        "wrong": wrong.len(),
        "resident_bytes": resident,
    });
    outln!("{document:#}");
}
