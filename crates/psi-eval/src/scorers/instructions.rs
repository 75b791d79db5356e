//! Judge of instructions that a program can check: IFEval's 25 kinds.

mod check;
mod language;
mod sentences;
mod words;

use check::Check;
use serde_json::Value;

use crate::task::{Item, Metric, Output, Result, Scorer, Verdict};

/// Right when every instruction of the item is followed. *Strict* takes the answer as it is; *loose* is
/// satisfied when any of eight forms of it does: with or without asterisks, first line, last line.
///
/// The verdicts are those of lm-eval 0.4.13 but for two places where that one draws lots: a letter outside a-z
/// is counted as given (there a random letter is), and languages are told by the expected likelihood (there
/// by a random sample of the text).
#[derive(Clone, Copy, Debug)]
pub struct Instructions;

impl Instructions {
    /// Whether an item's instructions are all known and complete.
    ///
    /// # Errors
    /// Which one is not, and why.
    pub(crate) fn understand(reference: &Value) -> std::result::Result<(), String> {
        checks(reference).map(drop)
    }
}

fn checks(reference: &Value) -> std::result::Result<Vec<Check>, String> {
    let field = |key: &str| reference[key].as_array().map_or(&[][..], Vec::as_slice);
    let (names, arguments) = (field("instructions"), field("kwargs"));
    if names.is_empty() || names.len() != arguments.len() {
        return Err(format!("{} instructions, {} arguments", names.len(), arguments.len()));
    }
    let each = names.iter().zip(arguments);
    each.map(|(name, arguments)| Check::new(name.as_str().unwrap_or_default(), arguments)).collect()
}

impl Scorer for Instructions {
    fn version(&self) -> &'static str {
        "instructions/1"
    }

    fn score(&self, item: &Item, output: &Output) -> Result<Verdict> {
        let answer = output.answer(item)?;
        let checks = checks(&item.reference).expect("understood when the task was opened");
        let forms = forms(answer);
        let is_followed = |check: &Check, form: &str| !form.trim().is_empty() && check.holds(form);
        let strict: Vec<bool> = checks.iter().map(|c| is_followed(c, answer)).collect();
        let loose: Vec<bool> =
            checks.iter().map(|c| forms.iter().any(|form| is_followed(c, form))).collect();
        let n_followed = strict.iter().filter(|&&f| f).count();
        let verdict = Verdict::binary(n_followed == strict.len(), None);
        let score = n_followed as f64 / strict.len() as f64;
        Ok(Verdict { score, ..verdict }.with("strict", strict).with("loose", loose))
    }

    fn metrics(&self, judged: &[(&Item, &Verdict)]) -> Vec<Metric> {
        let all = |key: &str| -> Vec<Vec<bool>> {
            let list = |v: &Verdict| -> Vec<bool> {
                let list = v.detail.get(key).and_then(Value::as_array);
                list.into_iter().flatten().map(|b| b == &Value::Bool(true)).collect()
            };
            judged.iter().map(|(_, v)| list(v)).collect()
        };
        let mut metrics = Vec::new();
        for key in ["strict", "loose"] {
            let lists = all(key);
            let whole = lists.iter().map(|list| list.iter().all(|&f| f));
            metrics.push(Metric::share(format!("prompt_{key}"), whole));
            let each = lists.iter().flatten().copied();
            metrics.push(Metric::share(format!("instruction_{key}"), each));
        }
        metrics
    }
}

/// The eight forms in which an answer may satisfy the loose check.
fn forms(answer: &str) -> Vec<String> {
    let lines: Vec<&str> = answer.split('\n').collect();
    let join = |from: usize, to: usize| match lines.get(from..to) {
        Some(lines) => lines.join("\n").trim().to_owned(),
        None => String::new(),
    };
    let n = lines.len();
    let cut = [answer.to_owned(), join(1, n), join(0, n - 1), join(1, n - 1)];
    let bare = cut.iter().map(|form| form.replace('*', ""));
    cut.iter().cloned().chain(bare).collect()
}
