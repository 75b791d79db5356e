//! `psi gate`: whether a model may replace the one that is served.

use std::path::{Path, PathBuf};

use psi_eval::gate::{
    Contender, DEFAULT_PROFILE, Decision, GateOptions, GateProgress, Ledger, Profile, Record,
    decide, simulate,
};
use psi_eval::run::Local;
use psi_store::{Home, Served};

use crate::{
    cli::{Gate, GateCommand, ModelArgs},
    clock,
    commands::eval::player::{cache, is_url, library, local, settings},
    env,
    error::{Failure, Outcome, unusable},
    model::{read, resolve},
    out::{out, outln},
    progress::Progress,
    table::columns,
};

pub(crate) fn run(args: &Gate) -> Outcome {
    if let Some(GateCommand::Simulate { runs, seed, markdown, json }) = args.command {
        return simulated(runs, seed, markdown, json);
    }
    if args.show_profile {
        out!("{DEFAULT_PROFILE}");
        return Ok(());
    }
    let profile = profile(args.suites.as_deref())?;
    let home = env::home().map(|home| Home::at(&home));
    let candidate = args.candidate.clone().ok_or_else(|| Failure::input("no candidate"))?;
    let incumbent = incumbent(args, home.as_ref())?;
    let (mut new, new_files) = contender(&candidate, args.candidate_adapter.as_deref(), args)?;
    let (mut old, old_files) = contender(&incumbent.0, incumbent.1.as_deref(), args)?;
    let now = clock::now();
    let options = GateOptions {
        dir: folder(args, home.as_ref(), &new_files, now)?,
        ledger: home.as_ref().map(|home| Ledger::at(&home.gates())),
        goes_on: false,
        cache: cache(&candidate, &args.answers),
        settings: settings(&args.answers, 0)?,
        now,
    };
    let mut bar: Option<(String, Progress)> = None;
    let record = decide(
        &profile,
        Contender { served: new_files, player: &mut new },
        Contender { served: old_files, player: &mut old },
        &library(&args.tasks_from),
        &options,
        &mut |p: &GateProgress| {
            if bar.as_ref().is_none_or(|(suite, _)| *suite != p.suite) {
                bar = Some((p.suite.clone(), Progress::steps(&p.suite, p.n.1 as u64)));
            }
            if let Some((_, bar)) = &bar {
                bar.set(p.n.0 as u64);
            }
        },
    );
    drop(bar);
    let record = record.map_err(unusable)?;
    report(args, &record, &options.dir)
}

/// The rules: a file, else the ones that come with psi.
fn profile(path: Option<&Path>) -> Outcome<Profile> {
    let Some(path) = path else {
        return Profile::parse(DEFAULT_PROFILE, Path::new("gate.toml")).map_err(unusable);
    };
    let text = String::from_utf8(read(path)?)
        .map_err(|_| Failure::input(format!("{}: not UTF-8", path.display())))?;
    Profile::parse(&text, path).map_err(unusable)
}

/// The model given, else what the assistant serves; with its adapter.
fn incumbent(args: &Gate, home: Option<&Home>) -> Outcome<(PathBuf, Option<PathBuf>)> {
    if let Some(path) = &args.incumbent {
        return Ok((path.clone(), args.incumbent_adapter.clone()));
    }
    let served = home.map(|home| home.assistant().served()).transpose().map_err(unusable)?;
    let served = served.flatten().ok_or_else(|| {
        Failure::input("nothing was promoted yet, so nobody knows what to compare with")
            .hint("--incumbent names the model that is in use")
    })?;
    Ok((served.model.path, served.adapter.map(|adapter| adapter.path)))
}

fn contender(path: &Path, adapter: Option<&Path>, args: &Gate) -> Outcome<(Local, Served)> {
    if is_url(path) {
        return Err(Failure::input(format!("{}: a server cannot be promoted", path.display()))
            .hint("give the model's files"));
    }
    let model = ModelArgs { model: path.to_owned(), dtype: None, kv: None, threads: args.threads };
    let served = Served::at(&resolve(path)?, adapter).map_err(unusable)?;
    Ok((local(&model, adapter, &args.answers)?, served))
}

/// The folder given, else a new one in PSI_HOME.
fn folder(args: &Gate, home: Option<&Home>, candidate: &Served, now: u64) -> Outcome<PathBuf> {
    if let Some(dir) = &args.out {
        return Ok(dir.clone());
    }
    let home = home.ok_or_else(|| Failure::input("no folder for the gate").hint("give --out"))?;
    Ok(home.evals().join(format!("gate-{now}-{}", candidate.hash().short())))
}

fn report(args: &Gate, record: &Record, dir: &Path) -> Outcome {
    let page = psi_eval::report::Page::read(dir).map_err(unusable)?;
    psi_store::write_atomic(&dir.join("report.html"), page.html().as_bytes()).map_err(unusable)?;
    if args.json {
        outln!("{:#}", serde_json::to_value(record).unwrap_or_default());
        return Ok(());
    }
    let head =
        ["suite", "items", "of", "incumbent", "candidate", "95 % interval", "K", "L", "says"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(record.suites.iter().map(|s| {
        vec![
            s.suite.clone(),
            s.n.to_string(),
            s.n_max.to_string(),
            format!("{:.4}", s.means.0),
            format!("{:.4}", s.means.1),
            format!("{:+.4} - {:+.4}", s.interval.0, s.interval.1),
            format!("{:.3}", s.evidence_for),
            format!("{:.3}", s.evidence_against),
            format!("{:?}", s.verdict).to_lowercase(),
        ]
    }));
    out!("{}", columns(&rows));
    outln!(
        "\n{} (candidate {} against this incumbent: promotes from K = {:.1}, rejects from L = {:.1})",
        record.decision,
        record.number,
        1.0 / record.alpha,
        1.0 / record.beta
    );
    outln!("{}", dir.join("report.html").display());
    if record.decision == Decision::Promote {
        outln!("psi models promote {}", dir.display());
    }
    Ok(())
}

fn simulated(runs: u64, seed: u64, markdown: bool, json: bool) -> Outcome {
    let options = simulate::Options { runs, seed, ..simulate::Options::default() };
    let mut bar: Option<Progress> = None;
    let mut on_progress = |done: usize, total: usize| {
        bar.get_or_insert_with(|| Progress::steps("simulating", total as u64)).set(done as u64);
    };
    if markdown {
        out!("{}", simulate::page(&options, &mut on_progress));
        return Ok(());
    }
    let rows = simulate::rows(&options, &mut on_progress);
    if json {
        outln!("{:#}", serde_json::to_value(&rows).unwrap_or_default());
    } else {
        out!("{}", simulate::table(&options, &rows));
    }
    Ok(())
}
