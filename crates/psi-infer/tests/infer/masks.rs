//! A text against the masks of a constraint.

use std::time::{Duration, Instant};

use psi_infer::{grammar::Compiled, service::Constraint};
use psi_tokenizer::{TokenId, Tokenizer};

/// Whether every token is in the mask of its place, and an end in that of the last. Adds the time of every
/// mask to `times`.
pub(crate) fn accepts(
    compiled: &Compiled,
    tokenizer: &Tokenizer,
    tokens: &[TokenId],
    times: &mut Vec<Duration>,
) -> bool {
    let mut constraint = compiled.constraint();
    for &token in tokens {
        if constraint.is_complete() || !allows(&mut *constraint, &[token], times) {
            return false;
        }
        constraint.accept(token).expect("a token of the mask");
    }
    constraint.is_complete() || allows(&mut *constraint, tokenizer.end_of_generation(), times)
}

fn allows(constraint: &mut dyn Constraint, tokens: &[TokenId], times: &mut Vec<Duration>) -> bool {
    let started = Instant::now();
    let mask = constraint.mask().expect("a mask").expect("a restriction");
    times.push(started.elapsed());
    tokens.iter().any(|&t| mask.get(t as usize / 32).is_some_and(|w| w >> (t % 32) & 1 == 1))
}
