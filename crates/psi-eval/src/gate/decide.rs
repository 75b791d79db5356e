//! Both models through the suites, until every test has decided or has no more items.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use psi_store::{Artefact, ContentHash, Served, StoreError};

use super::{
    Decision, Evidence, GateError, Ledger, LedgerLine, Profile, Record, Role, Test,
    spending::alpha_of,
    suite::{Suite, seed_of},
};
use crate::{
    run::{Cache, OnOverlong, Player, RunFile, RunOptions, Session, Settings, TaskRun},
    stats::Verdict,
    task::{Item, Task},
    tasks::Library,
};

/// Items between two looks: enough for full batches.
const BATCH: usize = 32;

/// A model at the gate.
pub struct Contender<'a> {
    /// Its files.
    pub served: Served,
    /// What answers with them.
    pub player: &'a mut dyn Player,
}

impl std::fmt::Debug for Contender<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Contender({:?})", self.served)
    }
}

/// How a gate is run.
#[derive(Clone, Debug)]
pub struct GateOptions {
    /// Folder of the gate, which must not hold one yet: both runs and the record are kept there.
    pub dir: PathBuf,
    /// Where gates are counted; `None`: this is the first candidate.
    pub ledger: Option<Ledger>,
    /// Whether a gate of these two models that was begun and never decided is gone on with, at no further cost:
    /// right only where the same items get the same answers again, so that nothing is drawn twice.
    pub goes_on: bool,
    /// Answers kept from other runs.
    pub cache: Option<PathBuf>,
    /// How answers are made.
    pub settings: Settings,
    /// Seconds since 1970.
    pub now: u64,
}

/// How far a gate is.
#[derive(Clone, Debug, PartialEq)]
pub struct GateProgress {
    /// The suite.
    pub suite: String,
    /// Items done, of at most so many.
    pub n: (usize, usize),
    /// Money on "not worse" and on "worse" so far.
    pub evidence: (f64, f64),
    /// What the suite says so far.
    pub verdict: Verdict,
}

/// Decides whether `candidate` may replace `incumbent`, and keeps the record as `record.json`.
///
/// # Errors
/// [`GateError`]: the models are the same, a task cannot be opened, a model cannot answer. Nothing is
/// decided then; the candidate's part of α is spent all the same.
pub fn decide(
    profile: &Profile,
    candidate: Contender<'_>,
    incumbent: Contender<'_>,
    library: &Library,
    options: &GateOptions,
    on_progress: &mut dyn FnMut(&GateProgress),
) -> Result<Record, GateError> {
    if candidate.served.same_content(&incumbent.served) {
        return Err(GateError::SameModel);
    }
    let path = options.dir.join("record.json");
    if path.exists() {
        let what = "a gate was decided in this folder already".to_owned();
        return Err(GateError::Record { path, what });
    }
    let (new, old) = (candidate.served.hash(), incumbent.served.hash());
    let number = match &options.ledger {
        Some(ledger) => ledger.begin((new, old), options.now, options.goes_on)?,
        None => 1,
    };
    let alpha = alpha_of(profile.alpha, number);
    let mut suites = Vec::new();
    for rule in &profile.suites {
        let seed = seed_of(new, number, &rule.name);
        suites.push(Suite::open(rule, library, seed, (alpha, profile.beta))?);
    }
    let served = (candidate.served, incumbent.served);
    play(&mut suites, candidate.player, incumbent.player, options, on_progress)?;
    let suites: Vec<Evidence> = suites.iter().map(Suite::evidence).collect();
    let record = Record {
        version: 0,
        psi: env!("CARGO_PKG_VERSION").to_owned(),
        at: options.now,
        candidate: served.0,
        incumbent: served.1,
        profile: profile.hash(),
        number,
        alpha,
        beta: profile.beta,
        decision: Decision::of(&suites),
        suites,
        hash: ContentHash::of_bytes(b""),
    }
    .signed();
    record.write(&path)?;
    if let Some(ledger) = &options.ledger {
        let path = std::path::absolute(&path).map_err(|e| StoreError::io(&path, "finding", e))?;
        ledger.end(&LedgerLine::Decided {
            at: options.now,
            candidate: new,
            incumbent: old,
            decision: record.decision,
            record: Artefact { path, hash: record.hash },
        })?;
    }
    Ok(record)
}

/// Runs every suite.
fn play(
    suites: &mut [Suite],
    candidate: &mut dyn Player,
    incumbent: &mut dyn Player,
    options: &GateOptions,
    on_progress: &mut dyn FnMut(&GateProgress),
) -> Result<(), GateError> {
    let run = RunOptions {
        // Neither model has an advantage from an item that does not fit.
        overlong: OnOverlong::Wrong,
        settings: options.settings.clone(),
        now: options.now,
        ..RunOptions::default()
    };
    let mut caches =
        [options.cache.as_deref().map(Cache::at), options.cache.as_deref().map(Cache::at)];
    let [new_cache, old_cache] = &mut caches;
    let mut new =
        session(&options.dir.join("candidate"), suites, candidate, new_cache.as_mut(), &run)?;
    let mut old =
        session(&options.dir.join("incumbent"), suites, incumbent, old_cache.as_mut(), &run)?;
    for suite in suites.iter_mut() {
        while suite.is_open() {
            let batch = suite.next(BATCH);
            let before = answers(&mut old, suite, batch.clone())?;
            let after = answers(&mut new, suite, batch.clone())?;
            for unit in batch {
                let scores: Vec<(f64, f64)> = suite.units[unit]
                    .items
                    .iter()
                    .map(|item| (score(&before, item), score(&after, item)))
                    .collect();
                suite.push(&scores);
                if !suite.is_open() {
                    break;
                }
            }
            suite.note();
            let evidence = suite.evidence();
            on_progress(&GateProgress {
                suite: evidence.suite,
                n: (suite.n_done(), suite.units.len()),
                evidence: (evidence.evidence_for, evidence.evidence_against),
                verdict: suite.verdict(),
            });
        }
    }
    let tasks = all_tasks(suites);
    new.finish(&tasks)?;
    old.finish(&tasks)?;
    Ok(())
}

/// Every task once, in order.
fn all_tasks(suites: &[Suite]) -> Vec<Task> {
    let mut tasks: Vec<Task> = Vec::new();
    for task in suites.iter().flat_map(|s| &s.tasks) {
        if tasks.iter().all(|t| t.name() != task.name()) {
            tasks.push(task.clone());
        }
    }
    tasks
}

fn session<'a>(
    dir: &Path,
    suites: &[Suite],
    player: &'a mut dyn Player,
    cache: Option<&'a mut Cache>,
    run: &'a RunOptions,
) -> Result<Session<'a>, GateError> {
    let plan = all_tasks(suites).iter().map(|task| TaskRun::plan(task, 0, 0)).collect();
    let identity = player.identity().clone();
    let file = RunFile::new(identity, run.settings.to_json(), plan, run.now);
    Ok(Session::open(dir, file, player, cache, run)?)
}

type Scores = HashMap<(String, ContentHash), f64>;

fn score(scores: &Scores, item: &Item) -> f64 {
    scores.get(&(item.id.clone(), item.hash)).copied().unwrap_or(0.0)
}

/// The scores of a player on some units. Tango's test wants right and wrong.
fn answers(
    session: &mut Session<'_>,
    suite: &Suite,
    units: std::ops::Range<usize>,
) -> Result<Scores, GateError> {
    let is_binary = suite.rule.test == Test::Tango && suite.rule.role != Role::Shown;
    let mut scores = Scores::new();
    let units = &suite.units[units];
    for (i, task) in suite.tasks.iter().enumerate() {
        let items: Vec<&Item> =
            units.iter().filter(|u| u.task == i).flat_map(|u| &u.items).collect();
        if items.is_empty() {
            continue;
        }
        session.answer(task, &items, &mut |sample| {
            let score = if is_binary { f64::from(u8::from(sample.correct)) } else { sample.score };
            scores.insert((sample.id.clone(), sample.hash), score);
        })?;
    }
    Ok(scores)
}
