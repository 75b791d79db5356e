//! Judge of mathematical answers: equal in what they mean, not in how they are written.
//!
//! Decided as math-verify 0.9.0 does on the pairs of `golden/math_pairs.json`, but for those that the test there
//! lists with the reason. A decimal equals a fraction that it rounds to at six places, a percentage equals its
//! number with and without the sign, units and the name of an unknown are dropped, sets and lists have no
//! order, tuples and intervals have one. Two formulas are equal when they have the same value at several
//! complex points: no search for a proof, so no time limit is needed.

mod complex;
mod latex;
mod meaning;

use std::sync::LazyLock;

use regex::Regex;

use crate::task::{Item, Output, Result, Scorer, Verdict};

/// The final answer of a solution against the reference.
#[derive(Clone, Copy, Debug)]
pub struct Math;

impl Scorer for Math {
    fn version(&self) -> &'static str {
        "math/1"
    }

    fn score(&self, item: &Item, output: &Output) -> Result<Verdict> {
        let found = final_answer(output.answer(item)?);
        let gold = item.reference["answer"].as_str().unwrap_or_default();
        let correct = found.is_some_and(|found| equivalent(gold, found));
        Ok(Verdict::binary(correct, found.map(str::to_owned)))
    }
}

/// Whether two answers in LaTeX, or plain text, mean the same.
pub fn equivalent(a: &str, b: &str) -> bool {
    let (a, b) = (latex::tidy(a), latex::tidy(b));
    if a.text == b.text {
        return a.base.is_none() || b.base.is_none() || a.base == b.base;
    }
    if a.base.is_some() && b.base.is_some() && a.base != b.base {
        return false;
    }
    match (latex::parse(&a.text), latex::parse(&b.text)) {
        (Some(x), Some(y)) => {
            let is_equal = |p: f64, q: f64| meaning::equal(&x.times(p), &y.times(q));
            is_equal(1.0, 1.0)
                || (a.is_percent && is_equal(0.01, 1.0))
                || (b.is_percent && is_equal(1.0, 0.01))
        }
        _ => latex::words(&a.text) == latex::words(&b.text),
    }
}

/// What a solution gives as its answer: the last box; else what follows the last "answer is" or "answer:";
/// else the last formula; else the last number.
fn final_answer(text: &str) -> Option<&str> {
    static SAID: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?i)answer(?: is|:)\s*:?\s*([^\n]+)").expect("a pattern"));
    static NUMBER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"-?\d[\d,]*(?:\.\d+)?").expect("a pattern"));
    boxed(text).or_else(|| {
        let said = SAID.captures_iter(text).last().and_then(|c| c.get(1)).map(|m| m.as_str());
        let said = said.map(|said| formula(said).unwrap_or(said.trim_end_matches(['.', ' ', '*'])));
        said.or_else(|| formula(text)).or_else(|| Some(NUMBER.find_iter(text).last()?.as_str()))
    })
}

/// The content of the last `\boxed{...}` or `\fbox{...}`.
fn boxed(text: &str) -> Option<&str> {
    let start = text.rfind("\\boxed").max(text.rfind("\\fbox"))?;
    let rest = &text[start..];
    let name = rest[1..].find(|c: char| !c.is_ascii_alphabetic()).map(|i| i + 1)?;
    let rest = rest[name..].trim_start();
    match latex::braced(rest) {
        Some(inside) => Some(inside),
        None if rest.starts_with('{') => None,
        // `\boxed 5`
        None => rest.split([' ', '$', '\n']).next().filter(|word| !word.is_empty()),
    }
}

/// The last formula between dollar signs or `\( \)`.
fn formula(text: &str) -> Option<&str> {
    let parts: Vec<&str> = text.split('$').collect();
    // Pairs of signs enclose the parts with odd numbers.
    let last = (parts.len() - 1) / 2;
    let dollars = (last > 0).then(|| parts[2 * last - 1]).filter(|f| !f.trim().is_empty());
    dollars.or_else(|| {
        let start = text.rfind("\\(")? + 2;
        text[start..].split("\\)").next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_found_where_solutions_put_them() {
        let cases = [
            ("so \\boxed{\\frac{1}{2}} or rather \\boxed{\\text{(A)}}.", Some("\\text{(A)}")),
            ("We get $x = 3$. The answer is $\\frac{3}{4}$.", Some("\\frac{3}{4}")),
            ("Final answer: 12", Some("12")),
            ("that is $a+b$ in the end", Some("a+b")),
            ("about 1,234.5 of them", Some("1,234.5")),
            ("no idea", None),
            ("\\boxed{unclosed", None),
        ];
        for (text, expected) in cases {
            assert_eq!(final_answer(text), expected, "{text}");
        }
    }

    #[test]
    fn hostile_answers_end() {
        let deep = "(".repeat(100_000);
        assert!(!equivalent(&deep, "1"));
        assert!(!equivalent("2^{2^{2^{2^{2^{2^{2}}}}}}", "1"));
        assert!(!equivalent(&"\\frac{".repeat(50_000), "1"));
        assert!(!equivalent("100000000!", "1"));
    }
}
