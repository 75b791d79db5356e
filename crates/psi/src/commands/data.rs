//! `psi data`: looking at training data.

mod inspect;

use crate::{cli::Data, error::Outcome};

pub(crate) fn run(args: &Data) -> Outcome {
    match args {
        Data::Inspect(args) => inspect::run(args),
    }
}
