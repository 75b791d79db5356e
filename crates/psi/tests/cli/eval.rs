//! `psi eval run`, `compare`, `report`, `contamination` with a real small model.

use std::{collections::HashSet, fs, path::PathBuf, time::Duration};

use psi_testkit::{Rng, shared_data};
use serde_json::Value;

use crate::program::{Program, write};

/// A home and the small model.
pub(crate) struct Lab {
    pub(crate) program: Program,
    pub(crate) model: String,
    pub(crate) data: PathBuf,
}

impl Lab {
    pub(crate) fn new() -> Option<Self> {
        let data = shared_data()?;
        let model = data.join("models/stories260K/hf").display().to_string();
        Some(Self { program: Program::new(), model, data })
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.program.path(name).display().to_string()
    }

    fn run_args(&self, out: &str, more: &[&str]) -> Vec<String> {
        let out = self.path(out);
        let args = ["eval", "run", "procedural/total", "--model", &self.model, "--out", &out];
        args.iter().chain(more).map(|&a| a.to_owned()).collect()
    }

    fn samples(&self, out: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.program.path(out).join("samples.jsonl")).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn a_run_killed_again_and_again_answers_every_item_once() {
    let Some(lab) = Lab::new() else { return };
    let more = ["--n", "150", "--max-tokens", "24", "--no-cache", "--json"];
    let whole = lab.program.run(&lab.run_args("whole", &more)).ok().json();
    let mut rng = Rng::new(3);
    let args = lab.run_args("killed", &[&more[..], &["--resume"]].concat());
    let mut killed = 0;
    for _ in 0..40 {
        let mut child = lab.program.start(&args);
        std::thread::sleep(Duration::from_millis(40 + rng.below(400)));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
    }
    assert!(killed > 0, "never killed while it ran");
    let before = if lab.program.path("killed/samples.jsonl").exists() {
        lab.samples("killed").len()
    } else {
        0
    };
    let resumed = lab.program.run(&args).ok().json();
    let (one, other) = (lab.samples("whole"), lab.samples("killed"));
    let ids = |samples: &[Value]| -> HashSet<String> {
        samples.iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (other.len(), ids(&other).len()),
        (150, 150),
        "killed {killed} times, {before} before"
    );
    assert_eq!(ids(&one), ids(&other));
    assert_eq!(resumed["tasks"][0]["metrics"], whole["tasks"][0]["metrics"]);
    // The same answers, whatever ran beside them.
    let (a, b) = (lab.path("whole"), lab.path("killed"));
    let compared = lab.program.run(&["eval", "compare", &a, &b, "--json"]).ok().json();
    let task = &compared["tasks"][0];
    assert_eq!((&task["n"], &task["differing"]), (&Value::from(150), &Value::from(0)), "{task}");
}

#[test]
fn answers_come_from_the_cache_and_pages_are_written() {
    let Some(lab) = Lab::new() else { return };
    let more = ["--n", "10", "--max-tokens", "8", "--json"];
    let first = lab.program.run(&lab.run_args("a", &more)).ok().json();
    let again = lab.program.run(&lab.run_args("b", &more)).ok().json();
    let cached = |run: &Value| run["tasks"][0]["summary"]["cached"].clone();
    assert_eq!((cached(&first), cached(&again)), (Value::from(0), Value::from(10)));
    lab.program.run(&["eval", "report", &lab.path("a")]).ok();
    let html = fs::read_to_string(lab.program.path("a/report.html")).unwrap();
    assert!(
        html.contains("procedural/total") && !html.contains("http:") && !html.contains("https:"),
        "{html}"
    );
    assert!(lab.program.path("a/report.md").exists() && lab.program.path("a/report.json").exists());
    let args = ["eval", "compare", &lab.path("a"), &lab.path("b"), "--report", &lab.path("c")];
    let table = lab.program.run(&args).ok().stdout;
    assert!(table.contains("all 10 answers are the same"), "{table}");
    assert!(lab.program.path("c/report.html").exists());
}

#[test]
fn what_cannot_be_run_is_refused_before_anything_is_computed() {
    let Some(lab) = Lab::new() else { return };
    lab.program.run(&lab.run_args("a", &["--n", "5", "--max-tokens", "4"])).ok();
    let failed = |out: &str, more: &[&str], words: &[&str]| {
        lab.program.run(&lab.run_args(out, more)).failed(2, words);
    };
    failed("a", &["--n", "5"], &["holds a run already", "--resume"]);
    failed("a", &["--n", "6", "--max-tokens", "4", "--resume"], &["was run with", "x5", "x6"]);
    failed(
        "b",
        &["--n", "5", "--max-tokens", "600"],
        &["do not fit", "eval/0/", "--overlong wrong"],
    );
    failed("b", &["--n", "5", "--chat"], &["no chat template"]);
    assert!(!lab.program.path("b").exists());
    let wrong = ["--n", "5", "--max-tokens", "600", "--overlong", "wrong", "--json"];
    let run = lab.program.run(&lab.run_args("c", &wrong)).ok().json();
    assert_eq!(run["tasks"][0]["summary"]["overlong"], 5);
    let out = lab.path("d");
    let args = ["eval", "run", "procedural/totl", "--model", &lab.model, "--out", &out];
    lab.program.run(&args).failed(2, &["no such task", "procedural/total"]);
    let (a, none) = (lab.path("a"), lab.path("none"));
    lab.program.run(&["eval", "compare", &a, &none]).failed(2, &["run.json"]);
}

#[test]
fn training_data_that_holds_test_items_is_found() {
    let Some(lab) = Lab::new() else { return };
    let evals = lab.data.join("evals").display().to_string();
    let test = fs::read_to_string(lab.data.join("evals/gsm8k/test.jsonl")).unwrap();
    let leaked: Vec<&str> = test.lines().take(3).collect();
    let file = lab.program.path("train.jsonl");
    write(&file, (leaked.join("\n") + "\n{\"text\": \"Something else.\"}\n").as_bytes());
    let training = file.display().to_string();
    let args =
        ["eval", "contamination", "gsm8k", "--data", &evals, "--training", &training, "--json"];
    let report = &lab.program.run(&args).ok().json()["tasks"][0]["report"];
    let mut ids: Vec<&str> =
        report["hits"].as_array().unwrap().iter().map(|h| h["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["test/1", "test/2", "test/3"], "{report}");
    write(&file, b"not json\n");
    lab.program.run(&args).failed(2, &["train.jsonl:1"]);
}

#[test]
fn the_assistants_own_suite_is_played_by_the_whole_assistant_and_repeats_itself() {
    let program = Program::new();
    let nano = psi_testkit::golden_dir().parent().unwrap().join("assets/psi-nano");
    let model = nano.display().to_string();
    let path = |name: &str| program.path(name).display().to_string();
    let play = |out: &str, more: &[&str]| {
        let args =
            ["eval", "run", "product", "--model", &model, "--n", "2", "--json", "--out", out];
        program.run(&[&args[..], more].concat()).ok().json()
    };
    let (a, b) = (path("a"), path("b"));
    let run = play(&a, &[]);
    let names = run["tasks"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap());
    let names: Vec<&str> = names.collect();
    assert_eq!(names, ["product/tools", "product/memory", "product/reading", "product/honesty"]);
    // One at a time, on one thread: the same answers.
    play(&b, &["--batch", "1", "--threads", "1"]);
    let compared = program.run(&["eval", "compare", &a, &b, "--json"]).ok().json();
    for task in compared["tasks"].as_array().unwrap() {
        assert_eq!((&task["n"], &task["differing"]), (&2.into(), &0.into()), "{task}");
    }
    // The first item of the first task wants the calculator; what the loop did is in the sample.
    let samples = fs::read_to_string(program.path("a/samples.jsonl")).unwrap();
    let of_memory = samples.lines().filter(|line| line.contains("\"product/memory\""));
    let text = of_memory.collect::<String>();
    assert!(text.contains("\"tool_calls\"") && text.contains("\"remember\""), "{text}");
    let out = program.path("remote").display().to_string();
    let remote = ["eval", "run", "product", "--model", "http://127.0.0.1:9/v1", "--out", &out];
    program.run(&remote).failed(2, &["only a model of this machine plays the assistant"]);
}

#[test]
fn votes_are_counted_over_draws_of_the_same_questions() {
    let program = Program::new();
    let nano = psi_testkit::golden_dir().parent().unwrap().join("assets/psi-nano");
    let nano = nano.to_str().unwrap();
    let out = program.path("votes").display().to_string();
    let args = ["eval", "votes", "procedural/parity", "--model", nano, "--n", "12", "--draws", "3"];
    let more = ["--max-tokens", "48", "--out", &out];
    program.run(&[&args[..], &more].concat()).failed(2, &["temperature 0"]);
    let warm = [&args[..], &more, &["--temperature", "0.8", "--json"]].concat();
    let report = program.run(&warm).ok().json();
    let points = report["curves"][0]["points"].as_array().unwrap();
    let figure = |at: usize, name: &str| points[at][name].as_f64().unwrap();
    assert_eq!(points.iter().map(|p| p["k"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    assert!((figure(2, "tokens") - 3.0 * figure(0, "tokens")).abs() < 1e-9);
    assert!(figure(2, "verifier") >= figure(0, "verifier"));
    // One answer is its own majority, and the mean over the draws is that of their runs.
    let mean = |draw: usize| {
        let text = fs::read_to_string(program.path(&format!("votes/draw-{draw}/run.json")));
        let run: Value = serde_json::from_str(&text.unwrap()).unwrap();
        run["tasks"][0]["summary"]["mean"].as_f64().unwrap()
    };
    assert!((figure(0, "majority") - (mean(0) + mean(1) + mean(2)) / 3.0).abs() < 1e-9);
    assert!(fs::read_to_string(program.path("votes/votes.html")).unwrap().contains("polyline"));
}
