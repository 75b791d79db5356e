//! `psi data synth`: conversations generated from a seed.

use psi_eval::skills::Mix;
use psi_train::synth::{SynthConfig, write};
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
    let config = SynthConfig { split, seed: args.seed, n: args.n, mix: mix(&args.mix)? };
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
