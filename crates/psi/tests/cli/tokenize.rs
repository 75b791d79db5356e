//! `psi tokenize`: ids that decode to the text they came from.

use serde_json::json;

use crate::checkpoint::{golden, random};
use crate::program::Program;

#[test]
fn ids_and_texts_go_both_ways() {
    let program = Program::new();
    let model = random(&program, "m");
    let text = "the cat\nnaïve 東京 <s>";
    let args = ["tokenize", "--model", &model, "--json"];
    let document = program.run(&[&args[..], &["--", text]].concat()).ok().json();
    let ids: Vec<u32> = serde_json::from_value(document["ids"].clone()).unwrap();
    assert_eq!(document["count"], json!(ids.len()));
    assert_eq!(document["tokens"].as_array().unwrap().len(), ids.len());
    assert_eq!(ids.last(), Some(&0), "<s> in the text is the token");
    let read = program.run_with(&[&args[..], &["-"]].concat(), text.as_bytes()).ok().json();
    assert_eq!(read, document, "from standard input");

    let list = ids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let back = program.run(&["tokenize", "--model", &model, "--decode", &list]).ok();
    assert_eq!(back.stdout, format!("{text}\n"));
    let plain = program.run(&["tokenize", "--model", &model, text]).ok();
    assert_eq!(plain.stdout.lines().count(), ids.len(), "one line per token: {plain}");
    assert!(plain.stderr.contains(&format!("[{} tokens, {} bytes]", ids.len(), text.len())));
}

#[test]
fn a_tokenizer_file_alone_is_enough() {
    let program = Program::new();
    let case = golden(&program, "llama3");
    let file = format!("{}/tokenizer.json", case.model);
    let document = program.run(&["tokenize", "--model", &file, "--json", "t3 t95"]).ok().json();
    assert_eq!(document["ids"], json!([3, 95]));
    let empty = program.run(&["tokenize", "--model", &file, "--json", ""]).ok().json();
    assert_eq!(empty, json!({"ids": [], "tokens": [], "count": 0}));
}

#[test]
fn what_is_no_token_is_refused() {
    let program = Program::new();
    let case = golden(&program, "llama3");
    let decode = |ids: &str| program.run(&["tokenize", "--model", &case.model, "--decode", ids]);
    assert_eq!(decode("3 4").ok().stdout, "t3 t4\n");
    decode("3 96").failed(2, &["'96' is no token id (there are 96, from 0)"]);
    decode("3 x4").failed(2, &["'x4'"]);
    decode("3 4.5").failed(2, &["'4.5' is no token id"]);
    let args = ["tokenize", "--model", &case.model, "-"];
    program.run_with(&args, b"\xff").failed(2, &["standard input"]);
    let absent = program.path("absent.json");
    let args = ["tokenize", "--model", absent.to_str().unwrap(), "x"];
    program.run(&args).failed(2, &["absent.json"]);
}
