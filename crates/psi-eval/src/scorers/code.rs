//! Judge of programs: they run in the sandbox with their tests.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    sync::atomic::AtomicBool,
    time::Duration,
};

use psi_sandbox::{Limits, Python};

use crate::task::{Item, Metric, Output, Result, Scorer, TaskError, Verdict};

/// Right when the program, followed by the item's tests, runs to its last line: a program that leaves before
/// its tests has not passed them.
#[derive(Clone, Debug)]
pub struct Program {
    python: Python,
}

/// As in the published judge: three seconds.
const TIME: Duration = Duration::from_secs(3);

impl Program {
    /// A judge that runs programs with this Python.
    pub fn new(python: Python) -> Self {
        Self { python }
    }
}

impl Scorer for Program {
    fn version(&self) -> &'static str {
        "program/1"
    }

    fn score(&self, item: &Item, output: &Output) -> Result<Verdict> {
        let field = |key: &str| item.reference[key].as_str().unwrap_or_default();
        let program = program(output.answer(item)?, field("before"), field("entry_point"));
        let source = format!("{program}\n{}\n", field("after"));
        let word = passed();
        let limits = Limits { time: TIME, ..Limits::default() };
        let stop = AtomicBool::new(false);
        let outcome =
            self.python.run(&judged(&source), format!("{word}\n").as_bytes(), limits, &stop);
        let outcome = outcome
            .map_err(|e| TaskError::CannotJudge { item: item.id.clone(), why: e.to_string() })?;
        let error = String::from_utf8_lossy(&outcome.stderr);
        let is_right = outcome.is_ok() && outcome.stdout.ends_with(word.as_bytes());
        let verdict = Verdict::binary(is_right, Some(program));
        let verdict = verdict.with("ending", outcome.ending.name());
        Ok(match error.lines().last().filter(|_| !outcome.is_ok()) {
            Some(last) => verdict.with("error", last),
            None => verdict,
        })
    }

    /// pass@1, and pass@k for each k of 10 and 100 that every item has enough samples for.
    fn metrics(&self, judged: &[(&Item, &Verdict)]) -> Vec<Metric> {
        let mut items: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (item, verdict) in judged {
            let (n, right) = items.entry(&item.id).or_default();
            *n += 1;
            *right += u64::from(verdict.correct);
        }
        let fewest = items.values().map(|&(n, _)| n).min().unwrap_or(0);
        let each = [1, 10, 100].into_iter().filter(|&k| k == 1 || k <= fewest);
        each.map(|k| {
            let values = items.values().map(|&(n, right)| pass_at_k(n, right, k));
            Metric::mean(format!("pass@{k}"), values)
        })
        .collect()
    }
}

/// A Python program that runs another one whole and then says the word that it was told on standard input.
fn judged(source: &str) -> String {
    let literal = serde_json::Value::from(source); // a JSON string is a Python string
    format!(
        "def judge():\n    import os, sys\n    word = sys.stdin.readline().strip()\n    \
         exec(compile({literal}, 'program.py', 'exec'), {{'__name__': '__main__'}})\n    \
         sys.stdout.flush()\n    os.write(1, word.encode())\njudge()\n"
    )
}

/// A word that a program does not know beforehand.
fn passed() -> String {
    format!("passed-{:016x}", RandomState::new().hash_one(()))
}

/// The program in an answer: the fenced block of a chat answer, or the continuation of what stood before.
fn program(answer: &str, before: &str, entry_point: &str) -> String {
    let block = answer.split_once("```").map(|(_, rest)| {
        let body = rest.split_once('\n').map_or("", |(_, body)| body);
        body.split_once("```").map_or(body, |(body, _)| body)
    });
    match block {
        None => format!("{before}{answer}"),
        // A whole function needs only what stands before its own definition: imports and helpers.
        Some(block) if before.is_empty() || !block.contains(&format!("def {entry_point}")) => {
            format!("{before}{block}")
        }
        Some(block) => {
            let head = before.split(&format!("def {entry_point}")).next().unwrap_or_default();
            format!("{head}{block}")
        }
    }
}

/// The unbiased chance that at least one of `k` samples is right, of `n` with `right` right ones:
/// `1 - C(n - right, k) / C(n, k)`. Chen et al. 2021, equation 1.
pub fn pass_at_k(n: u64, right: u64, k: u64) -> f64 {
    if n < right + k {
        return 1.0;
    }
    1.0 - (0..k).map(|i| (n - right - i) as f64 / (n - i) as f64).product::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pass_at_k_equals_published_values() {
        let cases = [
            (200, 5, 1, 0.025),
            (200, 5, 10, 0.228_284_461),
            (200, 5, 100, 0.970_308_395),
            (10, 3, 5, 0.916_666_667),
            (10, 8, 3, 1.0),
        ];
        for (n, right, k, expected) in cases {
            let found = pass_at_k(n, right, k);
            assert!((found - expected).abs() < 1e-9, "{n} {right} {k}: {found}");
        }
    }

    #[test]
    fn programs_are_found_in_answers() {
        let before = "import math\n\n\ndef area(r):\n    \"\"\"Area.\"\"\"\n";
        let cases = [
            (
                "    return 1\n",
                "import math\n\n\ndef area(r):\n    \"\"\"Area.\"\"\"\n    return 1\n",
            ),
            (
                "Sure:\n```python\ndef area(r):\n    return 1\n```\nDone.",
                "import math\n\n\ndef area(r):\n    return 1\n",
            ),
            (
                "```\n    return 1\n```",
                "import math\n\n\ndef area(r):\n    \"\"\"Area.\"\"\"\n    return 1\n",
            ),
        ];
        for (answer, expected) in cases {
            assert_eq!(program(answer, before, "area"), expected);
        }
    }
}
