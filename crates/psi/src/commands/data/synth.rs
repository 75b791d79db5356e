//! `psi data synth`: conversations generated from a seed.

use psi_eval::{
    procedural::{FAMILIES, Family},
    skills::Mix,
};
use psi_train::synth::{Source, SynthConfig, write};
use serde_json::json;

use crate::{
    cli::DataSynth,
    error::{Failure, Outcome, unusable},
    out::outln,
    progress::Progress,
};

pub(crate) fn run(args: &DataSynth) -> Outcome {
    if args.out.exists() && !args.force {
        return Err(Failure::input(format!("{}: exists already", args.out.display()))
            .hint("--force replaces it"));
    }
    let split = args.split.split();
    let source = match args.family.is_empty() {
        true => Source::Exchanges(mix(&args.mix)?),
        false => {
            Source::Problems { families: families(&args.family)?, thoughts: share(args.thoughts)? }
        }
    };
    let config = SynthConfig { split, seed: args.seed, n: args.n, source };
    let progress = Progress::steps("generating", args.n);
    let report = write(&config, &args.out, &mut |done| progress.set(done)).map_err(unusable)?;
    drop(progress);
    let document = json!({
        "path": args.out,
        "conversations": args.n,
        "bytes": report.bytes,
        "split": split.name(),
        "seed": args.seed,
        "last_skill": report.by_skill,
    });
    outln!("{document:#}");
    Ok(())
}

fn share(thoughts: f64) -> Outcome<f64> {
    match (0.0..=1.0).contains(&thoughts) {
        true => Ok(thoughts),
        false => Err(Failure::input(format!("--thoughts {thoughts}: not between 0 and 1"))),
    }
}

fn families(names: &[String]) -> Outcome<Vec<&'static Family>> {
    let named = |name: &String| {
        FAMILIES.iter().find(|f| f.name == name.as_str()).ok_or_else(|| {
            let all: Vec<&str> = FAMILIES.iter().map(|f| f.name).collect();
            Failure::input(format!("--family {name}: there is none"))
                .hint(format!("families: {}", all.join(", ")))
        })
    };
    names.iter().map(named).collect()
}

fn mix(changes: &[String]) -> Outcome<Mix> {
    let mut mix = Mix::default();
    for change in changes {
        let refused = |why: &str| {
            let names = Mix::names().join(", ");
            Failure::input(format!("--mix {change}: {why}")).hint(format!("kinds: {names}"))
        };
        let (name, weight) = change.split_once('=').ok_or_else(|| refused("not KIND=WEIGHT"))?;
        let weight = weight.parse().map_err(|_| refused("the weight is not a number"))?;
        if !mix.set(name, weight) {
            return Err(refused("no such kind, or a weight that is negative"));
        }
    }
    match mix.is_empty() {
        true => Err(Failure::input("--mix: every weight is 0")),
        false => Ok(mix),
    }
}
