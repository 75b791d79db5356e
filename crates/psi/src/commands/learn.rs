//! `psi learn`: from ratings to a candidate, through the gate, to what the assistant serves.
//!
//! Everything of a round lies in one folder named by its data and the model it starts from, and every part
//! of it is written whole or not at all: a round that was killed goes on where it was.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use psi_agent::feedback::Feedback;
use psi_eval::{
    gate::{
        Contender, DEFAULT_PROFILE, Decision, GateOptions, Ledger, Profile, Record, Role, Rule,
        Test, decide, promote,
    },
    tasks::Library,
};
use psi_store::{Artefact, Home, Served, write_atomic};
use psi_train::{
    learn::{Budget, DataSet, Rating, Rules, kept_out_task, recipe, write_replay},
    recipe::Settings,
    trainer::{self, Environment},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    cli::{Answers, Learn, ModelArgs},
    clock,
    commands::{
        database,
        eval::player::{local, settings},
        train::{failure, progress::Display, stop_on_signals},
    },
    cpu,
    error::{Failure, Outcome, unusable},
    model::{read, resolve},
    out::outln,
};

/// The owner's rules, kept beside the rounds.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    struck: BTreeSet<String>,
    forgotten: BTreeSet<String>,
}

pub(crate) fn run(args: &Learn) -> Outcome {
    let home = database::home()?;
    let rules = rules(&home, args)?;
    let ratings = ratings(args)?;
    let data = DataSet::new(&ratings, &rules);
    let incumbent = incumbent(args, &home)?;
    if args.dry_run {
        show_data(&data, &incumbent, args.json);
        return Ok(());
    }
    let name = format!("learn-{}-{}", data.version.short(), incumbent.hash().short());
    let round = home.runs().join(name);
    let folder = round.join("data");
    let budget = Budget::default();
    let text = recipe(&incumbent.model.path, &folder, &data, &budget).map_err(failure)?;
    data.write(&folder).map_err(failure)?;
    write_replay(&folder.join("replay.jsonl"), &data, &budget, 1).map_err(failure)?;
    write_atomic(&round.join("recipe.toml"), text.as_bytes()).map_err(unusable)?;
    let candidate = train(args, &round)?;
    let record = gate(args, &home, &data, (&candidate, &incumbent), &round.join("gate"))?;
    let switched = record.decision == Decision::Promote && !args.hold;
    if switched && home.assistant().served().map_err(unusable)?.as_ref() != Some(&candidate) {
        promote(&home, &round.join("gate/record.json"), clock::now()).map_err(unusable)?;
    }
    lineage(&round, &data, &incumbent, &candidate, &record)?;
    report(args, &round, &data, &record, switched);
    Ok(())
}

/// The kept rules with those of the command line, which are kept from now on. What is newly forgotten leaves
/// no round behind that has learned from it.
fn rules(home: &Home, args: &Learn) -> Outcome<Rules> {
    let path = home.root().join("learning-rules.json");
    let mut kept: Kept = match path.exists() {
        true => serde_json::from_slice(&read(&path)?).map_err(|e| {
            Failure::input(format!("{}: not the rules of psi learn: {e}", path.display()))
        })?,
        false => Kept::default(),
    };
    kept.struck.extend(args.strike.iter().cloned());
    kept.forgotten.extend(args.forget.iter().cloned());
    if !args.strike.is_empty() || !args.forget.is_empty() {
        home.create().map_err(unusable)?;
        let text = serde_json::to_vec_pretty(&kept).unwrap_or_default();
        write_atomic(&path, &text).map_err(unusable)?;
        forget_rounds(home, args)?;
    }
    Ok(Rules { struck: kept.struck, forgotten: kept.forgotten, private: args.private })
}

/// Removes every round whose data hold what is struck out or forgotten, its weights included.
fn forget_rounds(home: &Home, args: &Learn) -> Outcome {
    let Ok(rounds) = fs::read_dir(home.runs()) else { return Ok(()) };
    for round in rounds.flatten().map(|entry| entry.path()) {
        let is_round = round.file_name().is_some_and(|n| n.to_string_lossy().starts_with("learn-"));
        let holds = |file: &str| {
            let text = fs::read_to_string(round.join("data").join(file)).unwrap_or_default();
            text.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok()).any(|line| {
                let is = |key: &str, list: &[String]| {
                    list.iter().any(|name| line[key].as_str() == Some(name))
                };
                is("source", &args.forget) || is("id", &args.strike)
            })
        };
        if is_round && (holds("train.jsonl") || holds("kept-out.jsonl")) {
            fs::remove_dir_all(&round).map_err(|e| {
                Failure::failed(format!("{}: cannot be removed", round.display())).because(e)
            })?;
            eprintln!("psi: removed {}, which had learned from it", round.display());
        }
    }
    Ok(())
}

fn ratings(args: &Learn) -> Outcome<Vec<Rating>> {
    let lines: Vec<Value> = match &args.feedback {
        None => Feedback::new(&database::open()?).export().map_err(unusable)?.lines,
        Some(path) => {
            let bytes = read(path)?;
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
    let one = |(i, line): (usize, &Value)| {
        Rating::from_export(line)
            .map_err(|why| Failure::input(format!("judgement {}: {why}", i + 1)))
    };
    lines.iter().enumerate().map(one).collect()
}

/// What is served: the last promotion, else the model given.
fn incumbent(args: &Learn, home: &Home) -> Outcome<Served> {
    if let Some(served) = home.assistant().served().map_err(unusable)? {
        if !served.model.path.exists() {
            let path = served.model.path.display();
            let error = Failure::input(format!("{path}: what the assistant serves is gone"));
            return Err(error.hint("`psi models rollback` serves what was before"));
        }
        return Ok(served);
    }
    let Some(model) = &args.model else {
        let error = Failure::input("nothing was promoted yet, so there is no model to start from");
        return Err(error.hint("--model names the folder of the model in use"));
    };
    Served::at(&resolve(model)?, None).map_err(unusable)
}

/// Trains the candidate, or goes on with a round that was stopped.
fn train(args: &Learn, round: &Path) -> Outcome<Served> {
    let run = round.join("run");
    let model = run.join("model");
    if !model.join("config.json").exists() {
        let mut settings = Settings::read(&round.join("recipe.toml"), &[]).map_err(failure)?;
        settings.set_dir(&run);
        let cpu = cpu::cpu(args.threads)?;
        // Its tokens lie in the round's folder, to be forgotten with it.
        let environment = Environment { cpu: &cpu, datasets: None };
        let stop = stop_on_signals()?;
        let mut display = Display::new();
        let finished =
            trainer::train(settings, &environment, true, &stop, &mut |e| display.show(&e));
        drop(display);
        if finished.map_err(failure)?.model.is_none() {
            let error = Failure::failed("stopped; what was trained is kept");
            return Err(error.hint("psi learn goes on"));
        }
    }
    Served::at(&model, None).map_err(unusable)
}

/// Holds the candidate against the incumbent, or reads what was decided before.
fn gate(
    args: &Learn,
    home: &Home,
    data: &DataSet,
    (candidate, incumbent): (&Served, &Served),
    dir: &Path,
) -> Outcome<Record> {
    let path = dir.join("record.json");
    if path.exists() {
        return Record::read(&path).map_err(unusable);
    }
    if dir.exists() {
        // Answers of a gate that was killed: it is held anew, on new problems.
        fs::remove_dir_all(dir).map_err(|e| {
            Failure::failed(format!("{}: cannot be removed", dir.display())).because(e)
        })?;
    }
    let library = Library::new(vec![home.datasets()]);
    let task = kept_out_task(data);
    let profile = profile(args, data)?;
    let library = match task {
        Some(task) => library.with_task(task),
        None => library,
    };
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
        dir: dir.to_owned(),
        ledger: Some(Ledger::at(&home.gates())),
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
        profile.suites.insert(
            0,
            Rule {
                name: "kept-out feedback".to_owned(),
                tasks: vec!["feedback".to_owned()],
                role: Role::Better,
                margin: 0.0,
                n: data.kept_out.len(),
                test: Test::Betting,
                shots: None,
                level: None,
            },
        );
    }
    Ok(profile)
}

/// Names the parents of what came out, by hash.
fn lineage(
    round: &Path,
    data: &DataSet,
    incumbent: &Served,
    candidate: &Served,
    record: &Record,
) -> Outcome {
    let recipe = Artefact::at(&round.join("recipe.toml")).map_err(unusable)?;
    let ids: Vec<&str> = data.train.iter().map(|e| e.id.as_str()).collect();
    let document = json!({
        "model": candidate,
        "parent": incumbent,
        "recipe": recipe,
        "data": { "version": data.version, "learned": ids, "kept_out": data.kept_out.len() },
        "gate": { "decision": record.decision.name(), "record": record.hash },
    });
    let text = format!("{document:#}\n");
    write_atomic(&round.join("lineage.json"), text.as_bytes()).map_err(unusable)
}

fn show_data(data: &DataSet, incumbent: &Served, json: bool) {
    if json {
        let document = json!({
            "data": data.version, "learned": data.train.len(), "kept_out": data.kept_out.len(),
            "left_out": data.left_out, "from": incumbent.model.path,
        });
        outln!("{document:#}");
        return;
    }
    let (n, k) = (data.train.len(), data.kept_out.len());
    outln!(
        "{n} corrections to learn from, {k} kept out for the test (data {})",
        data.version.short()
    );
    for left in &data.left_out {
        outln!("left out {}: {}", left.id, left.why);
    }
    outln!("starts from {}", incumbent.model.path.display());
}

fn report(args: &Learn, round: &PathBuf, data: &DataSet, record: &Record, switched: bool) {
    if args.json {
        let document = json!({
            "round": round, "data": data.version, "learned": data.train.len(),
            "kept_out": data.kept_out.len(), "decision": record.decision.name(),
            "served": switched, "record": record,
        });
        outln!("{document:#}");
        return;
    }
    outln!("{} corrections learned, {} kept out", data.train.len(), data.kept_out.len());
    for suite in &record.suites {
        let (old, new) = suite.means;
        let verdict = format!("{:?}", suite.verdict).to_lowercase();
        outln!("{}: {old:.3} before, {new:.3} after ({} items): {verdict}", suite.suite, suite.n);
    }
    let served = match (record.decision, switched) {
        (_, true) => {
            "promoted: the assistant serves it from its next start; psi models rollback takes it back"
        }
        (Decision::Promote, false) => "would be promoted (--hold)",
        _ => "not promoted",
    };
    outln!("{}: {served}", record.decision);
    outln!("{}", round.display());
}
