//! `psi data`: making and looking at training data.

mod inspect;
mod synth;

use crate::{cli::Data, error::Outcome};

pub(crate) fn run(args: &Data) -> Outcome {
    match args {
        Data::Inspect(args) => inspect::run(args),
        Data::Synth(args) => synth::run(args),
    }
}
