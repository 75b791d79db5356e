//! `psi bench serve`: what a server does under load; first token, gaps between tokens, throughput.

mod http;
mod job;
mod load;
mod plot;
mod process;
mod report;

pub(super) mod soak;

use std::sync::{Mutex, PoisonError};

use psi_store::write_atomic;

use crate::{
    cli::{BenchServe, LoadTarget},
    error::{Failure, Outcome, unusable},
    out::{out, outln},
    progress::Progress,
};
use http::Http;
use job::{Job, Jobs};
use load::{Arrival, Plan};
use process::InProcess;
use report::{Level, Report};

/// What requests are sent to.
trait Target: Sync {
    /// Runs a request to its end, or until its client leaves; `clock` says the seconds since the run began.
    fn run(&self, job: &Job, clock: &dyn Fn() -> f64) -> Result<Answer, String>;

    /// What it is, for the report.
    fn describe(&self) -> Vec<(&'static str, serde_json::Value)>;
}

/// What came of a request.
#[derive(Debug, Default)]
struct Answer {
    /// When each piece of the answer came: a token, or (over HTTP) as many as a server sends at once.
    times: Vec<f64>,
    /// The answer's tokens, as the server counts them; of one whose client left, the pieces.
    n_tokens: usize,
    /// The answer in a form that can be compared with another one from the same target.
    text: String,
    /// Whether the answer came to its end.
    is_whole: bool,
}

pub(crate) fn run(args: &BenchServe) -> Outcome {
    let (target, vocab_size) = open(&args.target)?;
    let levels = levels(args)?;
    let mut report = Report::new(args, &*target);
    for (i, (concurrency, rate)) in levels.iter().copied().enumerate() {
        let jobs = Jobs {
            vocab_size,
            n_shared: args.prefix,
            n_own: args.prompt,
            max_tokens: args.generate,
            // Levels have requests of their own: none finds another's prompt in the cache.
            seed: args.seed + ((i as u64) << 32),
        };
        let arrival = rate.map_or(Arrival::Closed { concurrency }, |per_s| Arrival::Open { per_s });
        let n_requests = args.requests.unwrap_or(2 * concurrency).max(1);
        let name = match rate {
            None => format!("{concurrency} at once"),
            Some(rate) => format!("{rate} per second"),
        };
        let progress = Progress::steps(&name, n_requests as u64);
        if args.warmup {
            // Another seed: the same work, not the same prompt.
            let warm = Jobs { seed: !args.seed, ..jobs };
            Plan::requests(1, Arrival::Closed { concurrency: 1 }).run(
                &*target,
                &|i| warm.job(i),
                &|_| {},
            );
        }
        let plan = Plan::requests(n_requests, arrival);
        let done = Mutex::new(Vec::new());
        plan.run(&*target, &|i| jobs.job(i), &|one| {
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push(one);
            progress.set(done.len() as u64);
        });
        drop(progress);
        let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.levels.push(Level::new(name, concurrency, rate, args, done));
    }
    if let Some(path) = &args.plot {
        write_atomic(path, plot::svg(&report).as_bytes()).map_err(unusable)?;
    }
    match args.json {
        true => outln!("{:#}", report.json()),
        false => out!("{}", report.table()),
    }
    match report.levels.iter().find_map(|level| level.first_error.as_ref()) {
        None => Ok(()),
        Some(why) => Err(Failure::failed(format!("requests failed, the first one with: {why}"))),
    }
}

/// The target, and the size of the vocabulary that prompts are made of.
fn open(args: &LoadTarget) -> Outcome<(Box<dyn Target>, u32)> {
    match (&args.model, &args.url) {
        (Some(path), None) => {
            let target = InProcess::start(path, args)?;
            let vocab_size = target.vocab_size();
            Ok((Box::new(target), args.vocab.unwrap_or(vocab_size).min(vocab_size)))
        }
        (None, Some(url)) => Ok((Box::new(Http::new(url, args)?), args.vocab.unwrap_or(1000))),
        _ => Err(Failure::input("either --model or --url says what to load")),
    }
}

/// Clients at once, and requests per second instead of that.
fn levels(args: &BenchServe) -> Outcome<Vec<(usize, Option<f64>)>> {
    /// Stands for the clients of an open loop where a number of requests is derived from them.
    const OPEN: usize = 16;
    if args.prompt + args.prefix == 0 || args.generate == 0 {
        return Err(Failure::input("--prompt and --gen must be at least 1"));
    }
    if args.concurrency.contains(&0) || args.rate.iter().any(|r| !(r.is_finite() && *r > 0.0)) {
        return Err(Failure::input("--concurrency and --rate must be above 0"));
    }
    Ok(match args.rate.is_empty() {
        true => args.concurrency.iter().map(|&n| (n, None)).collect(),
        false => args.rate.iter().map(|&rate| (OPEN, Some(rate))).collect(),
    })
}
