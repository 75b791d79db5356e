//! `psi data answer`: a teacher's conversations, for another model to learn from.

use psi_train::answers::{AnswerOptions, write};
use serde_json::json;

use crate::{
    cli::DataAnswer,
    commands::train::failure,
    cpu,
    error::{Failure, Outcome},
    model::resolve,
    out::outln,
    progress::Progress,
};

pub(crate) fn run(args: &DataAnswer) -> Outcome {
    if args.out.exists() {
        return Err(Failure::input(format!("{}: exists already", args.out.display()))
            .hint("delete it first"));
    }
    let (cpu, model) = (cpu::cpu(args.threads)?, resolve(&args.model)?);
    let options = AnswerOptions {
        max_tokens: args.max_tokens,
        temperature: args.temperature,
        seed: args.seed,
    };
    let mut bar: Option<Progress> = None;
    let mut show = |done: usize, total: usize| {
        bar.get_or_insert_with(|| Progress::steps("answering", total as u64)).set(done as u64);
    };
    let answered = write(&cpu, &model, (&args.prompts, &args.out), options, &mut show);
    drop(bar);
    let answered = answered.map_err(failure)?;
    let document = json!({
        "path": args.out,
        "conversations": answered.n,
        "left_out": answered.n_left_out,
    });
    outln!("{document:#}");
    Ok(())
}
