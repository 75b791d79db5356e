//! JSON Schemas from the world: what is supported accepts all valid and rejects all invalid instances,
//! token by token; what is not is refused by name.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use psi_infer::{
    grammar::{Compiled, Grammar, GrammarError, GrammarLimits, Grammars},
    service::Constraint,
    text::ModelText,
};
use psi_testkit::shared_data;
use psi_tokenizer::{TokenId, Tokenizer};
use serde_json::Value;

/// What happened to the schemas of one family.
#[derive(Clone, Debug, Default)]
struct Tally {
    n_schemas: usize,
    n_refused: usize,
    n_valid: usize,
    n_accepted: usize,
    n_invalid: usize,
    n_rejected: usize,
}

#[derive(Default)]
struct Run {
    families: BTreeMap<String, Tally>,
    reasons: BTreeMap<String, usize>,
    wrong: Vec<String>,
    compile: Vec<Duration>,
    masks: Vec<Duration>,
}

#[test]
fn supported_schemas_accept_what_is_valid_and_nothing_else() {
    let Some(data) = shared_data() else { return };
    let text = ModelText::open(&data.join("tokenizers/ggml-vocab/ggml-vocab-qwen2.gguf"));
    let tokenizer = text.expect("a tokenizer").tokenizer;
    let limits =
        GrammarLimits { compile_time: Duration::from_secs(60), ..GrammarLimits::default() };
    let grammars = Grammars::new(&tokenizer, tokenizer.vocab_size(), limits).expect("grammars");
    let mut run = Run::default();
    for file in files(&data.join("json_schema/maskbench")) {
        run.file(&file, &grammars, &tokenizer);
    }
    run.print();
    assert!(run.wrong.is_empty(), "{} instances are judged wrongly", run.wrong.len());
    let all = run.total();
    assert!(all.n_schemas >= 600 && all.n_refused * 2 < all.n_schemas, "{all:?}");
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for family in std::fs::read_dir(dir).expect("the sample") {
        let family = family.expect("an entry").path();
        if family.is_dir() {
            let files = std::fs::read_dir(family).expect("a family");
            found.extend(files.map(|f| f.expect("an entry").path()));
        } else {
            found.push(family);
        }
    }
    found.retain(|f| f.extension().is_some_and(|e| e == "json"));
    found.sort();
    found
}

impl Run {
    fn file(&mut self, path: &Path, grammars: &Grammars, tokenizer: &Tokenizer) {
        let text = std::fs::read_to_string(path).expect("a file");
        let case: Value = serde_json::from_str(&text).expect("JSON");
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let family = name.split("---").next().expect("a family").to_owned();
        let started = Instant::now();
        let compiled = grammars.compile(&Grammar::JsonSchema(case["schema"].clone()));
        let time = started.elapsed();
        let tally = self.families.entry(family).or_default();
        tally.n_schemas += 1;
        let compiled = match compiled {
            Ok(compiled) => compiled,
            Err(error) => {
                tally.n_refused += 1;
                *self.reasons.entry(reason(&name, &error)).or_default() += 1;
                return;
            }
        };
        self.compile.push(time);
        for test in case["tests"].as_array().expect("tests") {
            let instance = test["data"].to_string();
            let is_valid = test["valid"].as_bool().expect("a verdict");
            let tokens = tokenizer.encode(&instance, false, false);
            let ends = tokenizer.end_of_generation();
            let accepted = accepts(&compiled, &tokens, ends, &mut self.masks);
            let (n, right) = match is_valid {
                true => (&mut tally.n_valid, &mut tally.n_accepted),
                false => (&mut tally.n_invalid, &mut tally.n_rejected),
            };
            *n += 1;
            if accepted == is_valid {
                *right += 1;
            } else {
                let what = test["description"].as_str().unwrap_or_default();
                let text: String = instance.chars().take(300).collect();
                self.wrong.push(format!("{name}: {what} (valid: {is_valid}): {text}"));
            }
        }
    }

    fn total(&self) -> Tally {
        let mut all = Tally::default();
        for t in self.families.values() {
            all.n_schemas += t.n_schemas;
            all.n_refused += t.n_refused;
            all.n_valid += t.n_valid;
            all.n_accepted += t.n_accepted;
            all.n_invalid += t.n_invalid;
            all.n_rejected += t.n_rejected;
        }
        all
    }

    fn print(&mut self) {
        println!(
            "{:<18} {:>7} {:>7} {:>11} {:>13}",
            "family", "schemas", "refused", "accepted", "rejected"
        );
        let total = self.total();
        let rows = self.families.iter().map(|(n, t)| (n.as_str(), t)).chain([("all", &total)]);
        for (name, t) in rows {
            let accepted = format!("{}/{}", t.n_accepted, t.n_valid);
            let rejected = format!("{}/{}", t.n_rejected, t.n_invalid);
            println!(
                "{name:<18} {:>7} {:>7} {accepted:>11} {rejected:>13}",
                t.n_schemas, t.n_refused
            );
        }
        for (reason, n) in &self.reasons {
            println!("{n:>4} x {reason}");
        }
        for wrong in &self.wrong {
            println!("WRONG {wrong}");
        }
        for (name, times) in [("compile", &mut self.compile), ("mask", &mut self.masks)] {
            times.sort_unstable();
            let at = |p: f64| times[((times.len() - 1) as f64 * p) as usize].as_micros();
            let (n, p50, p99, max) = (times.len(), at(0.5), at(0.99), at(1.0));
            println!("{name}: {n} times, p50 {p50} us, p99 {p99} us, max {max} us");
        }
    }
}

/// Whether every token is in the mask of its place, and the end in that of the last.
fn accepts(
    compiled: &Compiled,
    tokens: &[TokenId],
    ends: &[TokenId],
    times: &mut Vec<Duration>,
) -> bool {
    let mut constraint = compiled.constraint();
    for &token in tokens {
        if constraint.is_complete() || !allows(&mut *constraint, &[token], times) {
            return false;
        }
        constraint.accept(token).expect("a token of the mask");
    }
    constraint.is_complete() || allows(&mut *constraint, ends, times)
}

fn allows(constraint: &mut dyn Constraint, tokens: &[TokenId], times: &mut Vec<Duration>) -> bool {
    let started = Instant::now();
    let mask = constraint.mask().expect("a mask").expect("a restriction");
    times.push(started.elapsed());
    tokens.iter().any(|&t| mask.get(t as usize / 32).is_some_and(|w| w >> (t % 32) & 1 == 1))
}

/// The keyword, or what else kept the schema from being supported.
fn reason(name: &str, error: &GrammarError) -> String {
    match error {
        GrammarError::Unsupported { keyword, path, .. } => {
            assert!(path.starts_with('#') && !keyword.is_empty(), "{error}");
            format!("unsupported {keyword}")
        }
        other => format!("{name}: {other}"),
    }
}
