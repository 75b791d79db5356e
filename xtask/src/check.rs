//! `cargo xtask check`: the gate every change passes, cheapest step first.

use std::path::Path;
use std::time::Instant;

use crate::{Outcome, cargo, run, tidy};

/// Formatting, tidy, lints, tests; stops at the first that fails.
pub(crate) fn check(root: &Path) -> Outcome {
    let lints = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    step("format", || run(&mut cargo(root, &["fmt", "--all", "--check"])))?;
    step("tidy", || tidy(root))?;
    step("lints", || run(&mut cargo(root, &lints)))?;
    step("tests", || run(&mut cargo(root, &["test", "--workspace", "--quiet"])))
}

fn step(name: &str, work: impl FnOnce() -> Outcome) -> Outcome {
    let started = Instant::now();
    println!("== {name}");
    let outcome = work();
    let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
    println!("== {name}: {verdict} ({:.0} s)", started.elapsed().as_secs_f32());
    outcome
}
