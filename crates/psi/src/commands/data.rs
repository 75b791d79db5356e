//! `psi data`: making and looking at training data.

mod answer;
mod inspect;
mod synth;

use crate::{cli::Data, error::Outcome};

pub(crate) fn run(args: &Data) -> Outcome {
    match args {
        Data::Answer(args) => answer::run(args),
        Data::Inspect(args) => inspect::run(args),
        Data::Synth(args) => synth::run(args),
    }
}
