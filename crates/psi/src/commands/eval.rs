//! `psi eval`: how good a model is.

mod skills;

use crate::{cli::Eval, error::Outcome};

pub(crate) fn run(args: &Eval) -> Outcome {
    match args {
        Eval::Skills(args) => skills::run(args),
    }
}
