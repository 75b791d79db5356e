//! `psi learn`: from ratings to a candidate, through the gate, to what the assistant serves.
//!
//! Everything of a round lies in one folder named by its data and the model it starts from, and every part
//! of it is written whole or not at all: a round that was killed goes on where it was.

mod gate;
mod idle;
mod report;
pub(crate) mod rules;

use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use psi_agent::feedback::Feedback;
use psi_eval::gate::{Decision, Record, promote};
use psi_kernels::Cpu;
use psi_store::{Artefact, Home, Reason, Served};
use psi_train::{
    learn::{
        Budget, DataSet, Judged, LearnedFrom, Lineage, Rating, Round, Stage, rehearse,
        write_recipes,
    },
    recipe::Settings,
    trainer::{self, Environment},
};
use serde_json::Value;

use self::{idle::Idle, report::Ending};
use crate::{
    bundled,
    cli::Learn,
    clock,
    commands::{
        database, served,
        train::{failure, progress::Display, stop_on_signals},
    },
    cpu,
    error::{Failure, Outcome, unusable},
    model::{read, resolve},
};

pub(crate) fn run(args: &Learn) -> Outcome {
    let home = database::home()?;
    let rules = rules::rules(&home, args)?;
    rules::forget(&home, &rules)?;
    let data = DataSet::new(&ratings(args)?, &rules);
    let incumbent = incumbent(args.model.as_deref(), &home)?;
    if args.dry_run {
        report::show_data(&data, &incumbent, args.json);
        return Ok(());
    }
    if has_learned(&home, &incumbent, &data)? {
        report::nothing_new(&data, &incumbent, args.json);
        return Ok(());
    }
    if let Some(adapter) = &incumbent.adapter {
        let error = Failure::input(format!("{}: is an adapter", adapter.path.display()));
        return Err(error.hint("psi learn goes on from whole models: merge the two first"));
    }
    let stop = stop_on_signals()?;
    let _idle = args.when_idle.then(|| Idle::watch(args, &home, Arc::clone(&stop))).transpose()?;
    let round = Round::of(&home.runs(), &data, &incumbent);
    let candidate = train(args, &round, &data, &incumbent, &stop)?;
    let record = gate::gate(args, &home, &data, (&candidate, &incumbent), &round)?;
    // Before the switch: whatever is served has a lineage.
    let lineage = lineage(&round, &data, (&candidate, &incumbent), &record)?;
    round.write_lineage(&lineage).map_err(failure)?;
    let ending = conclude(args, &home, &round, &record)?;
    report::show_round(&round, &data, &record, ending, args.json);
    Ok(())
}

fn ratings(args: &Learn) -> Outcome<Vec<Rating>> {
    let lines = match &args.feedback {
        None => Feedback::new(&database::open()?).export().map_err(unusable)?.lines,
        Some(path) => {
            let bytes = match path.as_os_str() == "-" {
                true => standard_input()?,
                false => read(path)?,
            };
            let text = String::from_utf8_lossy(&bytes);
            let parsed = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
            let one = |(i, line): (usize, &str)| {
                serde_json::from_str(line).map_err(|e| {
                    Failure::input(format!("{}:{}: not JSON: {e}", path.display(), i + 1))
                })
            };
            parsed.map(one).collect::<Outcome<_>>()?
        }
    };
    read_ratings(&lines)
}

fn standard_input() -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|e| Failure::input("standard input cannot be read").because(e))?;
    Ok(bytes)
}

/// Lines of an export as ratings.
pub(crate) fn read_ratings(lines: &[Value]) -> Outcome<Vec<Rating>> {
    let one = |(i, line): (usize, &Value)| {
        Rating::from_export(line)
            .map_err(|why| Failure::input(format!("judgement {}: {why}", i + 1)))
    };
    lines.iter().enumerate().map(one).collect()
}

/// What is served: the last promotion, else the model given, else the one that comes with psi.
fn incumbent(model: Option<&Path>, home: &Home) -> Outcome<Served> {
    if let Some(served) = served::promoted(home)? {
        return Ok(served);
    }
    let path = match model {
        Some(model) => resolve(model)?,
        None => bundled::unpack(home)?,
    };
    Served::at(&path, None).map_err(unusable)
}

/// Whether what is served comes from these very data.
pub(crate) fn has_learned(home: &Home, served: &Served, data: &DataSet) -> Outcome<bool> {
    let Some(round) = Round::that_made(&home.runs(), served).map_err(failure)? else {
        return Ok(false);
    };
    let lineage = round.lineage().map_err(failure)?;
    Ok(lineage.is_some_and(|lineage| lineage.data.version == data.version))
}

/// Trains the candidate, or goes on with a round that was stopped.
fn train(
    args: &Learn,
    round: &Round,
    data: &DataSet,
    incumbent: &Served,
    stop: &AtomicBool,
) -> Outcome<Served> {
    if let Some(model) = round.model() {
        return Served::at(&model, None).map_err(unusable);
    }
    if !data.has_targets() {
        let error = Failure::failed("no rating teaches anything yet");
        let hint = "give better answers, or praise good ones; `psi learn --dry-run` says more";
        return Err(error.hint(hint));
    }
    let (parent, budget) = (&incumbent.model.path, Budget::default());
    data.write(&round.data()).map_err(failure)?;
    let cpu = cpu::cpu(args.threads)?;
    if !round.replay().exists() {
        eprintln!("psi: asking the model what it should keep");
        rehearse(&cpu, parent, &round.replay(), budget.rehearsed, 1).map_err(failure)?;
    }
    write_recipes(round, parent, data, &budget).map_err(failure)?;
    let mut model = None;
    for stage in round.stages() {
        model = Some(run_stage(&stage, &cpu, stop)?);
    }
    let model = model.ok_or_else(|| Failure::failed("the round has no recipe"))?;
    Served::at(&model, None).map_err(unusable)
}

/// Runs a stage, or goes on with it; the model that comes out.
fn run_stage(stage: &Stage, cpu: &Arc<Cpu>, stop: &AtomicBool) -> Outcome<PathBuf> {
    let mut settings = Settings::read(&stage.recipe(), &[]).map_err(failure)?;
    settings.set_dir(&stage.run());
    // Its tokens lie in the round's folder, to be forgotten with it.
    let environment = Environment { cpu, datasets: None };
    let mut display = Display::new();
    let finished = trainer::train(settings, &environment, true, stop, &mut |e| display.show(&e));
    drop(display);
    finished.map_err(failure)?.model.ok_or_else(|| {
        let error = Failure::failed("stopped; what was trained is kept");
        error.hint("psi learn goes on")
    })
}

/// Names the parents of what came out, by hash.
fn lineage(
    round: &Round,
    data: &DataSet,
    (candidate, incumbent): (&Served, &Served),
    record: &Record,
) -> Outcome<Lineage> {
    let file = Artefact::at(&round.record()).map_err(unusable)?;
    let recipes = round.stages().into_iter().map(|stage| Artefact::at(&stage.recipe()));
    let mut recipes = recipes.collect::<Result<Vec<_>, _>>().map_err(unusable)?.into_iter();
    let recipe = recipes.next().ok_or_else(|| Failure::failed("the round has no recipe"))?;
    Ok(Lineage {
        model: candidate.clone(),
        parent: incumbent.clone(),
        recipe,
        preference: recipes.next(),
        data: LearnedFrom {
            version: data.version,
            learned: data.train.iter().map(|e| e.id.clone()).collect(),
            kept_out: data.kept_out.iter().map(|e| e.id.clone()).collect(),
        },
        gate: Judged {
            decision: record.decision.name().to_owned(),
            record: Artefact { hash: record.hash, ..file },
        },
    })
}

/// Serves the candidate if the gate says so, unless its owner has taken it back before.
fn conclude(args: &Learn, home: &Home, round: &Round, record: &Record) -> Outcome<Ending> {
    if record.decision != Decision::Promote {
        return Ok(Ending::NotPromoted);
    }
    let history = home.assistant().history().map_err(unusable)?;
    let was_taken_back = |switch: &psi_store::Switch| {
        switch.reason == Reason::Rollback && switch.from.same_content(&record.candidate)
    };
    if history.iter().any(was_taken_back) {
        return Ok(Ending::TakenBack);
    }
    if args.hold {
        return Ok(Ending::OnlyJudged);
    }
    promote(home, &round.record(), clock::now()).map_err(unusable)?;
    Ok(Ending::Promoted)
}
