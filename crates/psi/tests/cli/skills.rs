//! `psi data synth` and `psi eval skills`: from a seed to a score table.

use std::fs;

use crate::program::{Program, write};

#[test]
fn the_same_seed_writes_the_same_conversations() {
    let program = Program::new();
    let file = |name: &str| program.path(name).display().to_string();
    let (a, b, eval) = (file("a.jsonl"), file("b.jsonl"), file("eval.jsonl"));
    let synth = |out: &str, n: &str, split: &str| {
        program.run(&["data", "synth", "--out", out, "--n", n, "--seed", "5", "--split", split])
    };
    assert_eq!(synth(&a, "30", "train").ok().json()["conversations"], 30);
    synth(&b, "40", "train").ok();
    synth(&eval, "30", "eval").ok();
    let text = |path: &str| fs::read_to_string(path).unwrap();
    assert!(text(&b).starts_with(&text(&a)), "more conversations begin with the same");
    assert!(text(&a).lines().all(|line| !text(&eval).contains(line)));
    synth(&a, "30", "train").failed(2, &["exists already", "--force"]);
    for mix in ["singing=1", "reading", "reading=-1", "reading=x"] {
        let args = ["data", "synth", "--out", "none.jsonl", "--mix", mix];
        program.run(&args).failed(2, &["--mix", "reading"]);
    }
    let missing = program.path("missing/a.jsonl").display().to_string();
    synth(&missing, "3", "train").failed(2, &["missing"]);
}

#[test]
fn a_model_that_knows_nothing_gets_a_table_of_zeros() {
    let program = Program::new();
    let chat = program.path("chat.jsonl").display().to_string();
    program.run(&["data", "synth", "--out", &chat, "--n", "60"]).ok();
    let recipe = program.path("tiny.toml");
    let text = format!(
        "run.dir = '{}'\nmodel.depth = 1\ntrain.steps = 1\ntrain.batch_tokens = 1024\n\
         tokenizer.vocab_size = 512\ndata.packing = 'whole'\nlog.roof = false\neval.every = 0\n\
         data.sources = [{{ path = '{chat}' }}]\n",
        program.path("run").display()
    );
    write(&recipe, text.as_bytes());
    program.run(&["train", &recipe.display().to_string()]).ok();
    let model = program.path("run/model").display().to_string();
    let args = ["eval", "skills", "--model", &model, "--n", "1", "--show-wrong", "1"];
    let table = program.run(&args).ok().stdout;
    assert!(
        table.contains("tool calls (name and arguments)") && table.contains("missed"),
        "{table}"
    );
    assert!(table.contains("expected"), "{table}");
    let document = program.run(&[&args[..], &["--json"]].concat()).ok().json();
    let rows = document["rows"].as_array().unwrap();
    assert!(rows.len() > 12 && rows.iter().all(|row| row["right"] == 0), "{document}");
    let args = ["eval", "skills", "--model", &chat];
    program.run(&args).failed(2, &["chat.jsonl"]);
}
