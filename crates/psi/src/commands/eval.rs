//! `psi eval`: how good a model is.

mod library;
mod score;
mod skills;
mod tasks;

use crate::{cli::Eval, error::Outcome};

pub(crate) fn run(args: &Eval) -> Outcome {
    match args {
        Eval::Score(args) => score::run(args),
        Eval::Skills(args) => skills::run(args),
        Eval::Tasks(args) => tasks::run(args),
    }
}
