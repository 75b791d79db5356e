//! Judges of short answers: exact match and F1 over words.

use std::collections::HashMap;

use serde_json::Value;

use crate::task::{Item, Metric, Output, Result, Scorer, Verdict};

/// Lower case, no punctuation, no articles, single spaces. Rajpurkar et al. 2016, arXiv 1606.05250.
fn plain(text: &str) -> String {
    let text: String = text.to_lowercase().chars().filter(|c| !c.is_ascii_punctuation()).collect();
    let words = text.split_whitespace().filter(|w| !["a", "an", "the"].contains(w));
    words.collect::<Vec<_>>().join(" ")
}

/// F1 of the words of an answer against those of a reference, both in plain form.
pub fn f1(answer: &str, reference: &str) -> f64 {
    let (answer, reference) = (plain(answer), plain(reference));
    let (given, wanted): (Vec<&str>, Vec<&str>) =
        (answer.split(' ').collect(), reference.split(' ').collect());
    if answer.is_empty() || reference.is_empty() {
        return f64::from(u8::from(answer == reference));
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    wanted.iter().for_each(|w| *left.entry(w).or_default() += 1);
    let mut n_same = 0;
    for word in &given {
        if let Some(n) = left.get_mut(word).filter(|n| **n > 0) {
            *n -= 1;
            n_same += 1;
        }
    }
    if n_same == 0 {
        return 0.0;
    }
    let precision = f64::from(n_same) / given.len() as f64;
    let recall = f64::from(n_same) / wanted.len() as f64;
    2.0 * precision * recall / (precision + recall)
}

fn answers(item: &Item) -> impl Iterator<Item = &str> {
    item.reference["answers"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// F1 over words against the best of the references; solved when the plain forms are equal.
#[derive(Clone, Copy, Debug)]
pub struct Words;

impl Scorer for Words {
    fn version(&self) -> &'static str {
        "words/1"
    }

    fn score(&self, item: &Item, output: &Output) -> Result<Verdict> {
        let answer = output.answer(item)?.trim();
        let is_exact = answers(item).any(|a| plain(a) == plain(answer));
        let score = answers(item).map(|a| f1(answer, a)).fold(0.0, f64::max);
        let extracted = Some(answer.to_owned());
        Ok(Verdict { score, correct: is_exact, extracted, ..Verdict::default() })
    }

    fn metrics(&self, judged: &[(&Item, &Verdict)]) -> Vec<Metric> {
        // A key whose citation is wrong may still be the right answer.
        let is_sound = |item: &Item| {
            item.reference["audit"].as_str().is_none_or(|kind| kind == "WRONG_CITATION")
        };
        let sound = || judged.iter().filter(|(item, _)| is_sound(item));
        let mut metrics = vec![
            Metric::mean("f1", judged.iter().map(|(_, v)| v.score)),
            Metric::share("exact_match", judged.iter().map(|(_, v)| v.correct)),
        ];
        if sound().count() < judged.len() {
            metrics.push(Metric::mean("f1_without_wrong_keys", sound().map(|(_, v)| v.score)));
        }
        metrics
    }
}

/// Solved when the answer is one of the references, letter for letter but for spaces around it.
#[derive(Clone, Copy, Debug)]
pub struct Exact;

impl Scorer for Exact {
    fn version(&self) -> &'static str {
        "exact/1"
    }

    fn score(&self, item: &Item, output: &Output) -> Result<Verdict> {
        let answer = output.answer(item)?.trim();
        let correct = answers(item).any(|a| a.trim() == answer);
        Ok(Verdict::binary(correct, Some(answer.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f1_counts_words_in_common_once() {
        assert_eq!(f1("The cat sat.", "a cat sat"), 1.0);
        assert_eq!(f1("dog", "cat"), 0.0);
        assert_eq!(f1("", ""), 1.0);
        assert_eq!(f1("", "cat"), 0.0);
        // Two of three words given, two of two wanted.
        assert!((f1("black cat cat", "cat black") - 0.8).abs() < 1e-12);
    }
}
