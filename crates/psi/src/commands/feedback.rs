//! `psi feedback`: what was said of answers, for training.

use psi_agent::feedback::Feedback;

use super::database;
use crate::{
    cli,
    error::{Outcome, unusable},
    out::outln,
};

pub(crate) fn run(command: &cli::Feedback) -> Outcome {
    match command {
        cli::Feedback::Export => export(),
    }
}

fn export() -> Outcome {
    let exported = Feedback::new(&database::open()?).export().map_err(unusable)?;
    for line in &exported.lines {
        outln!("{line}");
    }
    let left_out = [
        (exported.n_without_consent, "given without consent to training"),
        (exported.n_forgotten, "whose prompts held facts that are forgotten"),
    ];
    for (n, why) in left_out.iter().filter(|(n, _)| *n > 0) {
        eprintln!("psi: left out: {n} judgements {why}");
    }
    Ok(())
}
