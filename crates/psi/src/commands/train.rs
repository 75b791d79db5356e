//! `psi train`: runs a recipe, or goes on with a run.

pub(super) mod progress;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use psi_store::Home;
use psi_train::{
    TrainError,
    recipe::Settings,
    trainer::{self, Environment, Estimate, Event, Finished},
};
use serde_json::{Map, Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};

use self::progress::Display;
use crate::{
    cli::{RunArgs, Train},
    commands::runs::watch,
    cpu, env,
    error::{Failure, Outcome, unusable},
    out::{out, outln},
    table,
};

pub(crate) fn run(args: &Train) -> Outcome {
    let run = &args.run;
    if args.dry_run {
        let cpu = cpu::cpu(run.threads)?;
        let environment = Environment { cpu: &cpu, datasets: datasets() };
        let estimate = trainer::dry_run(settings(run)?, &environment).map_err(failure)?;
        print_estimate(&estimate, run.json);
        return Ok(());
    }
    run_with(run, trainer::train)
}

fn datasets() -> Option<PathBuf> {
    env::home().map(|home| Home::at(&home).datasets())
}

/// A loop over a recipe: `psi train`'s or `psi refine`'s.
type Loop = fn(
    Settings,
    &Environment<'_>,
    bool,
    &AtomicBool,
    &mut dyn FnMut(Event),
) -> psi_train::Result<Finished>;

pub(super) fn run_with(args: &RunArgs, train: Loop) -> Outcome {
    let settings = settings(args)?;
    let cpu = cpu::cpu(args.threads)?;
    let environment = Environment { cpu: &cpu, datasets: datasets() };
    let dir = settings.text("run.dir").map(PathBuf::from).filter(|_| args.watch);
    let _page = dir.map(|dir| watch::watch_one(&dir, args.port)).transpose()?;
    let stop = stop_on_signals()?;
    let mut display = Display::new();
    let resume = args.resume.is_some();
    let finished = train(settings, &environment, resume, &stop, &mut |e| display.show(&e));
    drop(display);
    report(args, &finished.map_err(failure)?)
}

/// The recipe (of a run to go on with: the one it keeps) with the command line on top.
fn settings(args: &RunArgs) -> Outcome<Settings> {
    let kept = args.resume.as_ref().map(|dir| dir.join("config.toml"));
    let recipe = match (&args.recipe, kept) {
        (Some(recipe), _) => recipe.clone(),
        (None, Some(kept)) if kept.exists() => kept,
        (None, kept) => {
            let dir = kept.unwrap_or_default();
            let error = Failure::input(format!("{}: no such file, and no recipe", dir.display()));
            return Err(error.hint("psi train RECIPE --resume DIR starts the run in DIR"));
        }
    };
    let mut settings = Settings::read(&recipe, &args.set).map_err(failure)?;
    if let Some(dir) = &args.resume {
        settings.set_dir(dir);
    } else if let (Some(home), Some(stem)) = (env::home(), recipe.file_stem()) {
        settings.derive_dir(&Home::at(&home).runs().join(stem));
    }
    Ok(settings)
}

/// A flag that Ctrl-C and a polite kill set; a second one ends the program at once.
pub(crate) fn stop_on_signals() -> Outcome<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let at_once =
            signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop));
        let gently = signal_hook::flag::register(signal, Arc::clone(&stop));
        at_once.and(gently).map_err(|e| Failure::failed("signals cannot be handled").because(e))?;
    }
    Ok(stop)
}

pub(super) fn failure(error: TrainError) -> Failure {
    if error.is_input() {
        return unusable(error);
    }
    let hint = error.hint();
    let failure = Failure::failed(error.to_string()).because(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn report(args: &RunArgs, finished: &Finished) -> Outcome {
    let Finished { dir, step, steps, tokens, val_bpb, model } = finished;
    let Some(model) = model else {
        let recipe = args.recipe.as_ref().map_or(String::new(), |r| format!("{} ", r.display()));
        let error = Failure::failed(format!("stopped after step {step} of {steps}; all is saved"));
        let hint = format!("the same command with {recipe}--resume {} goes on", dir.display());
        return Err(error.hint(hint));
    };
    if args.json {
        let document = json!({
            "dir": dir.display().to_string(),
            "model": model.display().to_string(),
            "steps": step,
            "tokens": tokens,
            "val_bpb": val_bpb,
        });
        outln!("{document:#}");
    } else {
        outln!("{}", model.display());
    }
    Ok(())
}

fn print_estimate(estimate: &Estimate, json: bool) {
    let e = estimate;
    if json {
        let settings: Map<String, Value> = e
            .settings
            .iter()
            .map(|(name, s)| {
                let value = serde_json::to_value(&s.value).unwrap_or_default();
                (name.to_owned(), json!({ "value": value, "origin": s.origin.describe() }))
            })
            .collect();
        let document = json!({
            "settings": settings,
            "n_params": e.n_params,
            "n_trained": e.n_trained,
            "steps": e.steps,
            "tokens": e.tokens,
            "state_bytes": e.state_bytes,
            "activation_bytes": e.activation_bytes,
            "operations": e.operations,
            "seconds": e.seconds,
        });
        outln!("{document:#}");
        return;
    }
    out!("{}", e.settings.to_toml());
    let row = |name: &str, value: String| (name.to_owned(), value);
    out!("\n");
    out!(
        "{}",
        table::pairs(&[
            row("parameters", table::count(e.n_params)),
            row("trained", table::count(e.n_trained)),
            row("steps", e.steps.to_string()),
            row("tokens", table::count(e.tokens)),
            row(
                "memory",
                format!(
                    "{} of weights and state, about {} of activations",
                    table::bytes(e.state_bytes),
                    table::bytes(e.activation_bytes)
                )
            ),
            row("arithmetic", format!("{:.3e} operations", e.operations)),
            row(
                "time",
                format!(
                    "about {} at half of this machine's measured peak",
                    indicatif::HumanDuration(std::time::Duration::from_secs_f64(e.seconds))
                )
            ),
        ])
    );
}
