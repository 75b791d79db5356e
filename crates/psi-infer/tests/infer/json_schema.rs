//! JSON Schemas from the world: what is supported accepts all valid and rejects all invalid instances,
//! token by token and byte by byte; what is not is refused by name.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use psi_infer::{
    grammar::{Compiled, Grammar, GrammarError, GrammarLimits, Grammars},
    text::ModelText,
};
use psi_testkit::shared_data;
use psi_tokenizer::{TokenId, Tokenizer};
use serde_json::Value;

use super::{chatting::tokenizer, masks::accepts};

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

/// Texts byte by byte: a token of its own for each.
struct Bytes {
    tokenizer: Tokenizer,
    grammars: Grammars,
    tokens: Vec<TokenId>,
}

impl Bytes {
    fn new() -> Self {
        let tokenizer = tokenizer();
        let grammars = grammars(&tokenizer);
        let token = |byte: u8| {
            let mut ids = 0..tokenizer.vocab_size() as TokenId;
            ids.find(|&id| tokenizer.token_bytes(id) == [byte]).expect("every byte is a token")
        };
        let tokens = (0..=255).map(token).collect();
        Self { tokenizer, grammars, tokens }
    }

    fn accepts(&self, compiled: &Compiled, text: &str) -> bool {
        let tokens: Vec<TokenId> = text.bytes().map(|b| self.tokens[usize::from(b)]).collect();
        accepts(compiled, &self.tokenizer, &tokens, &mut Vec::new())
    }
}

#[derive(Default)]
struct Run {
    families: BTreeMap<String, Tally>,
    reasons: BTreeMap<String, usize>,
    wrong: Vec<String>,
    /// valid instances that are accepted in the schema's order only
    n_reordered: usize,
    compile: Vec<Duration>,
    masks: Vec<Duration>,
}

#[test]
fn supported_schemas_accept_what_is_valid_and_nothing_else() {
    let Some(data) = shared_data() else { return };
    let text = ModelText::open(&data.join("tokenizers/ggml-vocab/ggml-vocab-qwen2.gguf"));
    let tokenizer = text.expect("a tokenizer").tokenizer;
    let started = Instant::now();
    let grammars = grammars(&tokenizer);
    println!(
        "vocabulary: {} tokens in {} ms",
        tokenizer.vocab_size(),
        started.elapsed().as_millis()
    );
    let bytes = Bytes::new();
    let mut run = Run::default();
    for file in files(&data.join("json_schema/maskbench")) {
        run.file(&file, &grammars, &tokenizer, &bytes);
    }
    run.print();
    assert!(run.wrong.is_empty(), "{} instances are judged wrongly", run.wrong.len());
    let all = run.total();
    assert!(all.n_schemas >= 600 && all.n_refused <= 110, "{all:?}");
}

/// Without haste: how long compiling takes on a busy machine is no verdict.
fn grammars(tokenizer: &Tokenizer) -> Grammars {
    let limits =
        GrammarLimits { compile_time: Duration::from_secs(60), ..GrammarLimits::default() };
    Grammars::new(tokenizer, tokenizer.vocab_size(), limits).expect("grammars")
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
    fn file(&mut self, path: &Path, grammars: &Grammars, tokenizer: &Tokenizer, bytes: &Bytes) {
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
        let by_byte = bytes.grammars.compile(&Grammar::JsonSchema(case["schema"].clone()));
        let by_byte = by_byte.expect("a schema is supported whatever the vocabulary");
        for test in case["tests"].as_array().expect("tests") {
            let instance = test["data"].to_string();
            let is_valid = test["valid"].as_bool().expect("a verdict");
            let mut judge = |text: &str| {
                let tokens = tokenizer.encode(text, false, false);
                let accepted = accepts(&compiled, tokenizer, &tokens, &mut self.masks);
                let as_bytes = bytes.accepts(&by_byte, text);
                assert_eq!(accepted, as_bytes, "{name}: tokens and bytes are judged alike: {text}");
                accepted
            };
            let mut accepted = judge(&instance);
            if is_valid && !accepted {
                let mut order = Vec::new();
                names(&case["schema"], &mut order);
                accepted = judge(&in_order(&test["data"], &order).to_string());
                // Alternatives may order the same names differently; sorted schemas do not.
                order.sort();
                accepted = accepted || judge(&in_order(&test["data"], &order).to_string());
                self.n_reordered += usize::from(accepted);
            }
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
        println!("{} valid instances needed the schema's order of properties", self.n_reordered);
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

/// The instance with every object's keys in the order in which the schema names them first: a schema
/// fixes the order of properties.
fn in_order(instance: &Value, order: &[String]) -> Value {
    match instance {
        Value::Array(list) => list.iter().map(|v| in_order(v, order)).collect(),
        Value::Object(object) => {
            let place = |key: &str| order.iter().position(|known| known == key);
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_by_key(|(key, _)| place(key).unwrap_or(usize::MAX));
            entries.into_iter().map(|(k, v)| (k.clone(), in_order(v, order))).collect()
        }
        other => other.clone(),
    }
}

fn names(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Array(list) => list.iter().for_each(|v| names(v, found)),
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                found.extend(properties.keys().cloned());
            }
            object.values().for_each(|v| names(v, found));
        }
        _ => {}
    }
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
