//! The candidate of a round at the gate.

use std::{fs, path::Path};

use psi_eval::{
    gate::{
        Contender, DEFAULT_PROFILE, GateOptions, Ledger, Profile, Record, Role, Rule, Test, decide,
    },
    tasks::Library,
};
use psi_store::{Home, Served};
use psi_train::learn::{DataSet, Round, kept_out_task};

use crate::{
    cli::{Answers, Learn, ModelArgs},
    clock,
    commands::eval::player::{local, settings},
    error::{Failure, Outcome, unusable},
    model::read,
};

/// Holds the candidate against the incumbent, or reads what was decided before.
pub(super) fn gate(
    args: &Learn,
    home: &Home,
    data: &DataSet,
    (candidate, incumbent): (&Served, &Served),
    round: &Round,
) -> Outcome<Record> {
    if round.record().exists() {
        return Record::read(&round.record()).map_err(unusable);
    }
    let dir = round.gate();
    if dir.exists() {
        // Answers of a gate that was killed: it is held once more, on the same problems.
        fs::remove_dir_all(&dir).map_err(|e| {
            Failure::failed(format!("{}: cannot be removed", dir.display())).because(e)
        })?;
    }
    let library = Library::new(vec![home.datasets()]);
    let library = match kept_out_task(data) {
        Some(task) => library.with_task(task),
        None => library,
    };
    let profile = profile(args, data)?;
    let answers = Answers {
        max_tokens: Some(192),
        temperature: 0.0,
        top_p: 1.0,
        raw: false,
        chat: true,
        batch: 16,
        no_cache: true,
    };
    let player = |served: &Served| {
        let model = served.model.path.clone();
        let adapter = served.adapter.as_ref().map(|a| a.path.as_path());
        let model = ModelArgs { model, dtype: None, kv: None, threads: args.threads };
        local(&model, adapter, &answers)
    };
    let (mut new, mut old) = (player(candidate)?, player(incumbent)?);
    let options = GateOptions {
        dir,
        ledger: Some(Ledger::at(&home.gates())),
        // Both models answer here, greedily: the same items get the same answers.
        goes_on: true,
        cache: None,
        settings: settings(&answers, 0)?,
        now: clock::now(),
    };
    eprintln!("psi: the gate: {} suites", profile.suites.len());
    decide(
        &profile,
        Contender { served: candidate.clone(), player: &mut new },
        Contender { served: incumbent.clone(), player: &mut old },
        &library,
        &options,
        &mut |_| {},
    )
    .map_err(unusable)
}

/// The rules of the gate with the kept-out feedback in front: it must get better, and nothing else worse.
fn profile(args: &Learn, data: &DataSet) -> Outcome<Profile> {
    let mut profile = match &args.suites {
        None => Profile::parse(DEFAULT_PROFILE, Path::new("gate.toml")),
        Some(path) => {
            let bytes = read(path)?;
            Profile::parse(&String::from_utf8_lossy(&bytes), path)
        }
    }
    .map_err(unusable)?;
    if !data.kept_out.is_empty() {
        let feedback = Rule {
            name: "kept-out-feedback".to_owned(),
            tasks: vec!["feedback".to_owned()],
            role: Role::Better,
            margin: 0.0,
            n: data.kept_out.len(),
            test: Test::Betting,
            shots: None,
            level: None,
        };
        profile.suites.insert(0, feedback);
    }
    Ok(profile)
}
