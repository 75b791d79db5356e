//! `psi eval`: how good a model is.

pub(crate) mod assistant;
mod compare;
mod contamination;
pub(crate) mod player;
mod report;
mod run;
mod score;
mod skills;
mod tasks;
mod votes;

use crate::{cli::Eval, error::Outcome};

pub(crate) fn run(args: &Eval) -> Outcome {
    match args {
        Eval::Skills(args) => skills::run(args),
        Eval::Run(args) => run::run(args),
        Eval::Votes(args) => votes::run(args),
        Eval::Score(args) => score::run(args),
        Eval::Compare(args) => compare::run(args),
        Eval::Report(args) => report::run(args),
        Eval::Contamination(args) => contamination::run(args),
        Eval::Tasks(args) => tasks::run(args),
    }
}
