//! The judge of generated problems: the answer alone or in a sentence, and nothing else.

use crate::{
    procedural,
    task::{Item, Output, Result, Scorer, Verdict},
};

/// "The answer is X." or "X", whatever the letter case and spaces; text around it makes it wrong, so that
/// no reward can be had for naming several answers.
#[derive(Clone, Copy, Debug)]
pub struct Stated;

impl Scorer for Stated {
    fn version(&self) -> &'static str {
        "stated/1"
    }

    fn score(&self, item: &Item, output: &Output) -> Result<Verdict> {
        let reply = output.answer(item)?;
        let answer = item.reference["answer"].as_str().unwrap_or_default();
        let correct = procedural::states(reply, answer);
        Ok(Verdict::binary(correct, Some(reply.trim().to_owned())))
    }
}
