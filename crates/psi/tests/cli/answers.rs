//! `psi eval score` and `psi eval tasks`: answers made elsewhere, and programs in the sandbox.

use std::fs;

use serde_json::{Value, json};

use crate::program::{Program, write};

fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

#[test]
fn the_tasks_are_listed_with_what_is_missing() {
    let program = Program::new();
    let table = program.run(&["eval", "tasks"]).ok().stdout;
    for part in ["gsm8k", "no data", "procedural", "yes", "blimp"] {
        assert!(table.contains(part), "{table}");
    }
    let document = program.run(&["eval", "tasks", "--json"]).ok().json();
    let tasks = document.as_array().unwrap().iter();
    let procedural = tasks.clone().find(|t| t["name"] == "procedural").unwrap();
    assert_eq!(procedural["tasks"].as_array().unwrap().len(), 31);
    assert_eq!(tasks.clone().find(|t| t["name"] == "math500").unwrap()["splits"], json!(["eval"]));
}

#[test]
fn answers_to_a_declared_task_are_scored() {
    let program = Program::new();
    write(
        &program.path("rows.jsonl"),
        b"{\"q\": \"1+1\", \"a\": \"2\"}\n{\"q\": \"2+2\", \"a\": \"4\"}\n",
    );
    let task = program.path("sums.toml").display().to_string();
    let text = "name = \"sums\"\ndata = \"rows.jsonl\"\nprompt = \"{q}\"\nanswer = \"{a}\"\nscorer = \"exact\"\n";
    write(&program.path("sums.toml"), text.as_bytes());
    let answers = program.path("answers.jsonl");
    let score = |rows: &[Value], more: &[&str]| {
        write(&answers, lines(rows).as_bytes());
        let path = answers.display().to_string();
        let args = ["eval", "score", "--task", &task, "--predictions", &path, "--json"];
        program.run(&[&args[..], more].concat())
    };
    let document =
        score(&[json!({"id": 2, "output": "4"}), json!({"id": 1, "output": "3"})], &[]).ok().json();
    assert_eq!((&document["right"], &document["n"]), (&json!(1), &json!(2)));
    assert_eq!(document["metrics"][0]["value"], 0.5);
    assert_eq!(document["items"][0]["extracted"], "3");
    // By question, and by order.
    let rows =
        [json!({"prompt": "2+2", "response": "4"}), json!({"prompt": "1+1", "response": "2"})];
    assert_eq!(score(&rows, &[]).ok().json()["right"], 2);
    assert_eq!(score(&[json!({"text": "2"}), json!({"text": "4"})], &[]).ok().json()["right"], 2);
    assert_eq!(
        score(&[json!({"x": {"y": "2"}}), json!({"x": {"y": "4"}})], &["--field", "x.y"])
            .ok()
            .json()["right"],
        2
    );
    // What is wrong is said with its place.
    let one = [json!({"id": 1, "output": "2"})];
    score(&one, &[]).failed(2, &["answers.jsonl", "1 of 2 items have no answer", "the first is 2"]);
    assert_eq!(score(&one, &["--missing", "wrong"]).ok().json()["metrics"][0]["value"], 0.5);
    assert_eq!(score(&one, &["--missing", "skip"]).ok().json()["metrics"][0]["value"], 1.0);
    score(&[json!({"id": 9, "output": "2"})], &[]).failed(2, &["answers.jsonl:1", "\"9\"", "sums"]);
    score(&[json!({"id": 1})], &[]).failed(2, &["answers.jsonl:1", "no answer"]);
    program
        .run(&["eval", "score", "--task", "gsm9k", "--predictions", "x"])
        .failed(2, &["gsm9k", "did you mean gsm8k"]);
}

#[test]
fn the_published_solutions_get_their_published_scores() {
    let Some(data) = psi_testkit::shared_data() else { return };
    let program = Program::new();
    let data = data.join("evals").display().to_string();
    let solutions = format!("{data}/gsm8k/example_model_solutions.jsonl");
    let args = ["eval", "score", "--task", "gsm8k", "--data", &data, "--predictions", &solutions];
    let field = ["--field", "175b_verification.solution", "--json"];
    let document = program.run(&[&args[..], &field].concat()).ok().json();
    assert_eq!((&document["right"], &document["n"]), (&json!(742), &json!(1319)));
    let run = format!(
        "{data}/bbh/code-davinci-002-outputs/code-davinci-002-direct/penguins_in_a_table_few_shot_template_0-255000.json"
    );
    let task = "bbh_direct/penguins_in_a_table";
    let args = ["eval", "score", "--task", task, "--data", &data, "--predictions", &run];
    let table = program.run(&args).ok().stdout;
    assert!(table.contains("66.44"), "{table}");
}

/// Programs run only where the sandbox works; elsewhere they are refused with the reason.
#[test]
fn programs_of_models_are_run_in_the_sandbox() {
    let Some(data) = psi_testkit::shared_data() else { return };
    let Some(_) = psi_testkit::python(&["sys"]) else { return };
    let program = Program::new();
    let folder = data.join("evals");
    let data = folder.display().to_string();
    let answers = program.path("answers.jsonl");
    let score = |task: &str, rows: &[Value]| {
        write(&answers, lines(rows).as_bytes());
        let path = answers.display().to_string();
        let args = ["eval", "score", "--task", task, "--data", &data, "--predictions", &path];
        program.run(&[&args[..], &["--missing", "skip", "--json"]].concat())
    };
    if cfg!(not(target_os = "linux")) {
        score("humaneval", &[]).failed(2, &["humaneval", "Landlock"]);
        return;
    }
    // The published MBPP solutions, some of them; a wrong one; hostile ones.
    let text = fs::read_to_string(folder.join("mbpp/mbpp.jsonl")).unwrap();
    let rows: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let chosen = rows.iter().filter(|r| r["task_id"].as_u64().unwrap() % 50 == 12);
    let mut answers: Vec<Value> = chosen
        .filter(|r| (11..=510).contains(&r["task_id"].as_u64().unwrap()))
        .map(|r| json!({"task_id": r["task_id"], "completion": r["code"]}))
        .collect();
    let n = answers.len();
    assert_eq!(n, 10);
    for hostile in [
        "import os; os._exit(0)\n",
        "while True: pass",
        "open('/etc/passwd', 'w')",
        "raise SystemExit(3)",
    ] {
        answers.push(json!({"task_id": 11, "completion": hostile}));
    }
    let document = score("mbpp", &answers).ok().json();
    let items = document["items"].as_array().unwrap();
    let own: Vec<&Value> = items.iter().filter(|i| i["id"] != "11").collect();
    assert!(own.len() == n && own.iter().all(|i| i["correct"] == true), "{document:#}");
    let endings: Vec<&str> = items
        .iter()
        .filter(|i| i["id"] == "11")
        .map(|i| i["detail"]["ending"].as_str().unwrap())
        .collect();
    assert_eq!(endings[1..], ["time limit", "failed", "failed"], "{document:#}");
    let cheat = items.iter().find(|i| i["id"] == "11").unwrap();
    assert_eq!(cheat["correct"], false, "leaving before the tests is not passing them");
}

#[test]
fn the_published_example_of_programs_is_half_right() {
    let Some(data) = psi_testkit::shared_data() else { return };
    let Some(_) = psi_testkit::python(&["sys"]) else { return };
    let program = Program::new();
    let folder = data.join("evals/humaneval");
    let task = program.path("example.toml");
    let text = format!(
        "name = \"example\"\ndata = '{}'\nid = \"task_id\"\nprompt = \"{{prompt}}\"\nscorer = \"program\"\n\
         before = \"{{prompt}}\"\nafter = \"{{test}}\\ncheck({{entry_point}})\"\nentry_point = \"{{entry_point}}\"\n",
        folder.join("example_problem.jsonl").display()
    );
    write(&task, text.as_bytes());
    let (task, samples) = (task.display().to_string(), folder.join("example_samples.jsonl"));
    let samples = samples.display().to_string();
    let args = ["eval", "score", "--task", &task, "--predictions", &samples, "--json"];
    if cfg!(not(target_os = "linux")) {
        program.run(&args).failed(2, &["example", "Landlock"]);
        return;
    }
    let document = program.run(&args).ok().json();
    let metric = &document["metrics"][0];
    assert_eq!(
        (&metric["name"], &metric["value"]),
        (&json!("pass@1"), &json!(0.5)),
        "{document:#}"
    );
    let endings: Vec<&str> = document["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["detail"]["ending"].as_str().unwrap())
        .collect();
    assert_eq!(endings, ["failed", "time limit", "failed", "ok", "ok", "ok"]);
}
