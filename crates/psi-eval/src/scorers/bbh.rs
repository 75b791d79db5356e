//! BIG-Bench Hard's judge: the published runs' exact match.

use crate::task::{Item, Output, Result, Scorer, Verdict};

/// The whole answer without spaces around it; of one that thinks, what follows the last "the answer is " on
/// its line, without a full stop at the end.
#[derive(Clone, Copy, Debug)]
pub struct Bbh {
    /// Whether the answer thinks first.
    pub thinks: bool,
}

impl Scorer for Bbh {
    fn version(&self) -> &'static str {
        if self.thinks { "bbh-thinking/1" } else { "bbh-direct/1" }
    }

    fn score(&self, item: &Item, output: &Output) -> Result<Verdict> {
        let mut answer = output.answer(item)?;
        if self.thinks {
            let last = answer.rsplit_once("the answer is ");
            answer =
                last.map_or(answer, |(_, rest)| rest.split('\n').next().unwrap_or(rest)).trim();
            answer = answer.strip_suffix('.').unwrap_or(answer);
        }
        let answer = answer.trim();
        let target = item.reference["answer"].as_str().unwrap_or_default().trim();
        Ok(Verdict::binary(answer == target, Some(answer.to_owned())))
    }
}
