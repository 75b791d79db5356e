//! `psi refine`: reinforcement learning as a recipe says.

use super::train::run_with;
use crate::{cli::RunArgs, error::Outcome};

pub(crate) fn run(args: &RunArgs) -> Outcome {
    run_with(args, psi_train::refine::refine)
}
