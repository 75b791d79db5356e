//! `psi score`: the numbers of its document agree with each other and with the reference.

use std::fs;

use crate::checkpoint::{golden, random};
use crate::program::{Program, write};

const TEXT: &str = "the cat and the dog and the hat and the end of the cat";

#[test]
fn the_document_holds_tokens_likelihood_and_bits_per_byte() {
    let program = Program::new();
    let model = random(&program, "m");
    write(&program.path("text"), TEXT.as_bytes());
    let file = program.path("text").to_str().unwrap().to_owned();
    let args = ["score", "--model", &model, "--json", "--input"];
    let document = program.run(&[&args[..], &[&file]].concat()).ok().json();
    let number = |key: &str| document[key].as_f64().unwrap_or_else(|| panic!("{key}: {document}"));
    assert_eq!(number("bytes"), TEXT.len() as f64);
    assert!(number("tokens") > 5.0 && number("tokens_scored") >= number("tokens") - 1.0);
    let bits = number("nll_sum") / std::f64::consts::LN_2 / TEXT.len() as f64;
    assert!((number("bits_per_byte") - bits).abs() < 1e-9 && bits > 0.0, "{document}");
    let perplexity = (number("nll_sum") / number("tokens_scored")).exp();
    assert!((number("perplexity") / perplexity - 1.0).abs() < 1e-9);

    let again = program.run_with(&[&args[..], &["-"]].concat(), TEXT.as_bytes()).ok().json();
    assert_eq!(again["nll_sum"], document["nll_sum"], "from standard input");
    let plain = program.run(&["score", "--model", &model, "--input", &file]).ok().stdout;
    assert!(plain.contains(&format!("bits per byte  {:.6}", number("bits_per_byte"))), "{plain}");
}

#[test]
fn the_likelihood_of_a_golden_text_is_the_reference_s() {
    let program = Program::new();
    let case = golden(&program, "llama3");
    // Mean cross-entropy in nats of tokens 1 to 47, by transformers (golden.json).
    let golden = psi_testkit::golden_dir().join("models/llama3/golden.json");
    let golden: serde_json::Value = serde_json::from_slice(&fs::read(golden).unwrap()).unwrap();
    let args = ["score", "--model", &case.model, "--input", "-", "--json"];
    let document = program.run_with(&args, case.prompt.as_bytes()).ok().json();
    let n = document["tokens_scored"].as_f64().unwrap();
    let loss = document["nll_sum"].as_f64().unwrap() / n;
    assert_eq!(n, case.ids.len() as f64 - 1.0);
    assert!((loss - golden["loss"].as_f64().unwrap()).abs() < 1e-3, "{loss} against {golden}");
}

#[test]
fn windows_score_every_token_once_and_bad_ones_are_refused() {
    let program = Program::new();
    let model = random(&program, "m");
    let score = |more: &[&str]| {
        let args = ["score", "--model", &model, "--input", "-", "--json"];
        program.run_with(&[&args[..], more].concat(), TEXT.as_bytes())
    };
    let whole = score(&[]).ok().json();
    let cut = score(&["--context", "8", "--overlap", "4"]).ok().json();
    assert_eq!(cut["tokens_scored"], whole["tokens_scored"]);
    assert_ne!(cut["nll_sum"], whole["nll_sum"], "less context, another likelihood");
    score(&["--context", "65"]).failed(2, &["made for 64 tokens", "hint: "]);
    score(&["--context", "8", "--overlap", "7"]).failed(2, &["nothing to score", "hint: "]);
    score(&["--overlap", &u64::MAX.to_string()]).failed(2, &["nothing to score"]);
    score(&["--context", "0"]).failed(2, &["nothing to score"]);
}

#[test]
fn texts_that_cannot_be_scored_are_named() {
    let program = Program::new();
    let model = random(&program, "m");
    let args = ["score", "--model", &model, "--input"];
    let score =
        |input: &str, stdin: &[u8]| program.run_with(&[&args[..], &[input]].concat(), stdin);
    score("no/such/file", b"").failed(2, &["no/such/file: cannot be read"]);
    score("-", b"").failed(2, &["holds no token that could be predicted"]);
    score("-", b"abc\xff").failed(2, &["not UTF-8 at byte 3"]);
}
