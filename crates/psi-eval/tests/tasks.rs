//! Tasks over the data that is shared between checkouts, and over no data at all.

use psi_eval::{
    split::Split,
    task::Output,
    tasks::{Library, TaskOptions, expand, names},
};

fn library() -> Option<Library> {
    psi_testkit::shared_data().map(|data| Library::new(vec![data.join("evals")]))
}

#[test]
fn gsm8k_judges_the_published_solutions_as_openai_did() {
    let Some(data) = psi_testkit::shared_data() else { return };
    let task = library().unwrap().open("gsm8k", Split::Eval, TaskOptions::default()).unwrap();
    let items = task.items(None, 0);
    let path = data.join("evals/gsm8k/example_model_solutions.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let published = [
        ("6b_finetuning", 286),
        ("6b_verification", 515),
        ("175b_finetuning", 458),
        ("175b_verification", 742),
    ];
    for (model, expected) in published {
        let (mut right, mut strict) = (0, 0);
        for (item, line) in items.iter().zip(text.lines()) {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(item.prompt.ask.contains(row["question"].as_str().unwrap()));
            let solution = row[model]["solution"].as_str().unwrap();
            let verdict = task.score(item, &Output::Text(solution.to_owned())).unwrap();
            assert_eq!(verdict.correct, row[model]["is_correct"], "{}: {solution}", item.id);
            right += usize::from(verdict.correct);
            strict += usize::from(verdict.detail["strict"] == true);
        }
        assert_eq!((items.len(), right, strict), (1319, expected, expected), "{model}");
    }
}

#[test]
fn every_family_is_a_task_and_its_reward_is_its_verdict() {
    let library = Library::default();
    let names = expand("procedural").unwrap();
    assert_eq!(names.len(), 31);
    for name in names {
        for split in [Split::Train, Split::Eval] {
            let task = library.open(&name, split, TaskOptions::default()).unwrap();
            let items = task.items(Some(9), 4);
            assert_eq!(items[5].hash, task.item(4, 5).hash);
            for item in items {
                let answer = item.reference["answer"].as_str().unwrap();
                let score = |text: String| task.score(&item, &Output::Text(text)).unwrap().score;
                assert_eq!(score(format!("The answer is {answer}.")), 1.0);
                assert_eq!(score(format!("<think>\nhm\n</think>\n\n{answer}")), 1.0);
                assert_eq!(score(format!("{answer} or 0")), 0.0, "{name}");
            }
        }
    }
}

#[test]
fn versions_tell_tasks_splits_and_levels_apart() {
    let library = Library::default();
    let version = |name: &str, split, level| {
        let options = TaskOptions { level, ..TaskOptions::default() };
        library.open(name, split, options).unwrap().version()
    };
    let all = [
        version("procedural/parity", Split::Eval, None),
        version("procedural/parity", Split::Train, None),
        version("procedural/parity", Split::Eval, Some(2)),
        version("procedural/total", Split::Eval, None),
    ];
    for (i, a) in all.iter().enumerate() {
        assert!(all[..i].iter().all(|b| a != b));
    }
    assert_eq!(all[0], version("procedural/parity", Split::Eval, None));
}

#[test]
fn names_are_found_and_near_misses_named() {
    assert!(names().iter().any(|n| n == "gsm8k"));
    let error = Library::default().open("gsm9k", Split::Eval, TaskOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "gsm9k: no such task");
    assert_eq!(error.hint().unwrap(), "did you mean gsm8k?");
    let error = Library::new(vec!["nowhere".into()])
        .open("gsm8k", Split::Eval, TaskOptions::default())
        .unwrap_err();
    assert!(error.to_string().contains("not found in nowhere"), "{error}");
    let options = TaskOptions { level: Some(9), ..TaskOptions::default() };
    let error = Library::default().open("procedural/total", Split::Eval, options).unwrap_err();
    assert_eq!(error.to_string(), "procedural/total: has the levels 0 to 2");
}

#[test]
fn every_built_in_task_reads_its_published_data() {
    let Some(library) = library() else { return };
    let expected = [
        ("bbh", 27, 6511),
        ("bbh_direct", 27, 6511),
        ("bfcl", 3, 840),
        ("blimp", 54, 54_000),
        ("core18", 18, 52_400),
        ("gsm8k", 1, 1319),
        ("ifeval", 1, 541),
        ("locomo", 1, 999),
        ("math500", 1, 500),
        ("wikitext2", 1, 62),
        ("xstest", 1, 450),
    ];
    for (suite, n_tasks, n_items) in expected {
        let tasks = expand(suite).unwrap();
        let mut found = 0;
        for name in &tasks {
            let task = library.open(name, Split::Eval, TaskOptions::default()).unwrap();
            let items = task.items(None, 0);
            let ids: std::collections::HashSet<&str> =
                items.iter().map(|i| i.id.as_str()).collect();
            assert_eq!(ids.len(), items.len(), "{name}: ids are unique");
            assert!(items.iter().all(|i| i.request.kind() == task.output()), "{name}");
            found += items.len();
        }
        assert_eq!((tasks.len(), found), (n_tasks, n_items), "{suite}");
    }
    for name in ["humaneval", "mbpp"] {
        let error = library.open(name, Split::Eval, TaskOptions::default()).unwrap_err();
        assert!(error.to_string().contains("no sandbox"), "{error}");
    }
    let error = library.open("math500", Split::Train, TaskOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "math500: for evaluation only, never for training");
}

#[test]
fn the_published_runs_of_big_bench_hard_get_their_published_accuracies() {
    let Some(data) = psi_testkit::shared_data() else { return };
    let library = library().unwrap();
    let mut n_runs = 0;
    for (kind, suite) in [("direct", "bbh_direct"), ("cot", "bbh")] {
        let folder =
            data.join(format!("evals/bbh/code-davinci-002-outputs/code-davinci-002-{kind}"));
        for name in expand("bbh").unwrap() {
            let name = name.strip_prefix("bbh/").unwrap();
            let stem = format!("{name}_few_shot_template_0-255000");
            let Ok(run) = std::fs::read_to_string(folder.join(format!("{stem}.json"))) else {
                continue; // only the metrics of this run are in the folder
            };
            let run: serde_json::Value = serde_json::from_str(&run).unwrap();
            let metrics = folder.join(format!("{stem}_eval_metrics.jsonl"));
            let metrics = std::fs::read_to_string(metrics).unwrap();
            let metrics: serde_json::Value = serde_json::from_str(&metrics).unwrap();
            let task = library
                .open(&format!("{suite}/{name}"), Split::Eval, TaskOptions::default())
                .unwrap();
            let items = task.items(None, 0);
            let outputs = run["outputs"].as_array().unwrap();
            assert_eq!(items.len(), outputs.len());
            let mut right = 0;
            for (item, output) in items.iter().zip(outputs) {
                let published = output["input"].as_str().unwrap();
                assert!(published.ends_with(&item.prompt.ask), "{name}: {published}");
                let answer = output["prediction"].as_str().unwrap().to_owned();
                right += usize::from(task.score(item, &Output::Text(answer)).unwrap().correct);
            }
            let accuracy = 100.0 * right as f64 / items.len() as f64;
            let expected = metrics["accuracy"].as_f64().unwrap();
            assert!((accuracy - expected).abs() < 1e-9, "{suite} {name}: {accuracy}, {expected}");
            n_runs += 1;
        }
    }
    assert_eq!(n_runs, 14);
}

#[test]
fn the_box_of_every_reference_solution_is_the_answer() {
    let Some(library) = library() else { return };
    let task = library.open("math500", Split::Eval, TaskOptions::default()).unwrap();
    let items = task.items(None, 0);
    let answers: Vec<&str> =
        items.iter().map(|i| i.reference["answer"].as_str().unwrap()).collect();
    let judge =
        |item, text: &str| task.score(item, &Output::Text(text.to_owned())).unwrap().correct;
    for (i, item) in items.iter().enumerate() {
        let solution = item.reference["solution"].as_str().unwrap();
        assert!(judge(item, solution), "{}: {}", item.id, answers[i]);
        // Written otherwise it is still the answer: the mathematics is read, not only compared as text.
        let spaced = answers[i].replace("\\frac", "\\dfrac ").replace(',', ", ");
        assert!(judge(item, &format!("\\boxed{{{spaced}}}")), "{}: {spaced}", item.id);
        // The next problem's answer is wrong unless it happens to be the same.
        let other = answers[(i + 1) % answers.len()];
        assert!(!judge(item, &format!("\\boxed{{{other}+1000003}}")), "{}", item.id);
    }
}

#[test]
fn mathematical_answers_are_decided_as_the_reference_does_or_for_a_reason() {
    // Where psi decides otherwise than math-verify, and why.
    let otherwise = [
        (r"e^{i\pi}", "-1", "they are equal"),
        ("1-12i", "1 - 12 i", "spaces mean nothing in a formula"),
        (r"1\,000", "1000", "a thin space parts thousands"),
        ("16.0000001", "16", "decimals are compared at six places, whatever the other number is"),
    ];
    let path = psi_testkit::golden_dir().join("math_pairs.json");
    let pairs: Vec<serde_json::Value> =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(pairs.len() > 80);
    let mut wrong = Vec::new();
    for pair in &pairs {
        let (a, b) = (pair["a"].as_str().unwrap(), pair["b"].as_str().unwrap());
        let is_other = otherwise.iter().any(|(x, y, _)| (*x, *y) == (a, b));
        let expected = (pair["equal"] == true) != is_other;
        let found = (psi_eval::scorers::equivalent(a, b), psi_eval::scorers::equivalent(b, a));
        if found != (expected, expected) {
            wrong.push(format!("{a} and {b}: {found:?}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn instructions_are_judged_as_the_reference_judges_them() {
    let path = psi_testkit::golden_dir().join("ifeval.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let Some(library) = library() else { return };
    let task = library.open("ifeval", Split::Eval, TaskOptions::default()).unwrap();
    let items = task.items(None, 0);
    let (mut n, mut n_verdicts, mut wrong) = (0, [0, 0], Vec::new());
    for line in text.lines() {
        let golden: serde_json::Value = serde_json::from_str(line).unwrap();
        let key = golden["key"].to_string();
        let item = items.iter().find(|i| i.id == key).unwrap();
        let mut response = golden["response"].as_str().unwrap().to_owned();
        // The names of arguments stand for the data set's own sentences.
        for arguments in item.reference["kwargs"].as_array().unwrap() {
            for name in ["prompt_to_repeat", "end_phrase"] {
                let Some(said) = arguments[name].as_str() else { continue };
                response = response.replace(&format!("<{name}>"), said);
            }
        }
        let verdict = task.score(item, &Output::Text(response)).unwrap();
        n += 1;
        for key in ["strict", "loose"] {
            let each = verdict.detail[key].as_array().unwrap();
            for (i, expected) in golden[key].as_array().unwrap().iter().enumerate() {
                // The reference draws lots here and does not agree with itself.
                let Some(expected) = expected.as_bool() else { continue };
                n_verdicts[usize::from(expected)] += 1;
                if each[i] != expected {
                    let name = &item.reference["instructions"][i];
                    wrong.push(format!("{} {key} {name}: {}", item.id, each[i]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {n_verdicts:?}: {wrong:#?}", wrong.len());
    assert_eq!(n, 500);
    assert!(n_verdicts.iter().all(|&n| n > 300), "{n_verdicts:?}");
}

#[test]
fn accepted_calls_are_accepted_and_altered_ones_are_not() {
    let Some(library) = library() else { return };
    for name in ["bfcl/simple_python", "bfcl/multiple", "bfcl/irrelevance"] {
        let task = library.open(name, Split::Eval, TaskOptions::default()).unwrap();
        for item in task.items(None, 0) {
            let judge = |calls: serde_json::Value| {
                let message = serde_json::json!({ "role": "assistant", "tool_calls": calls });
                task.score(&item, &Output::Messages(vec![message])).unwrap()
            };
            let call = |name: &str, arguments: &serde_json::Value| serde_json::json!([{ "function": { "name": name, "arguments": arguments.to_string() } }]);
            let Some(accepted) = item.reference["calls"].as_array() else {
                assert!(judge(serde_json::json!([])).correct);
                assert!(!judge(call("x", &serde_json::json!({}))).correct);
                continue;
            };
            let (function, arguments) = accepted[0].as_object().unwrap().iter().next().unwrap();
            // The first accepted value of every argument; the empty one stands for leaving it out.
            let mut given = serde_json::Map::new();
            for (name, values) in arguments.as_object().unwrap() {
                let mut values = values.as_array().unwrap().iter();
                if let Some(value) = values.find(|value| **value != "") {
                    given.insert(name.clone(), first(value));
                }
            }
            let function = function.replace('.', "_");
            let right = judge(call(&function, &given.clone().into()));
            assert!(right.correct, "{}: {:?} {given:?}", item.id, right.detail);
            assert!(!judge(call("another", &given.clone().into())).correct);
            assert!(!judge(serde_json::json!([])).correct);
            given.insert("unheard_of".to_owned(), 1.into());
            assert!(!judge(call(&function, &given.into())).correct);
        }
    }
}

/// In an accepted dictionary every field has a list of values: the first of each.
fn first(value: &serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(fields) => fields
            .iter()
            .filter(|(_, values)| values[0] != "")
            .map(|(name, values)| (name.clone(), values[0].clone()))
            .collect(),
        serde_json::Value::Array(items) => items.iter().map(first).collect(),
        other => other.clone(),
    }
}

#[test]
fn people_agree_with_each_other_and_a_phrase_list_agrees_less() {
    let Some(data) = psi_testkit::shared_data() else { return };
    // Agreement of the two people (published), and at least what the phrase list reaches.
    let published = [
        ("gpt4", 0.9701, 0.88),
        ("llama2new", 0.9258, 0.81),
        ("llama2orig", 0.9293, 0.76),
        ("mistralguard", 0.8923, 0.48),
        ("mistralinstruct", 0.9195, 0.25),
    ];
    for (model, people, phrases) in published {
        let path =
            data.join(format!("evals/xstest/model_completions/xstest_v2_completions_{model}.csv"));
        let mut reader = csv::Reader::from_path(path).unwrap();
        let rows: Vec<std::collections::HashMap<String, String>> =
            reader.deserialize().collect::<Result<_, _>>().unwrap();
        let pairs: Vec<(&str, &str)> =
            rows.iter().map(|r| (r["annotation_1"].as_str(), r["annotation_2"].as_str())).collect();
        let kappa = psi_eval::scorers::cohen_kappa(&pairs);
        assert!((kappa - people).abs() < 5e-5, "{model}: {kappa}");
        let said = |refused: bool| if refused { "refused" } else { "answered" };
        let pairs: Vec<(&str, &str)> = rows
            .iter()
            .map(|r| {
                let refused = psi_eval::scorers::is_refusal(&r["completion"]);
                (said(refused), said(!r["final_label"].starts_with('1')))
            })
            .collect();
        let kappa = psi_eval::scorers::cohen_kappa(&pairs);
        assert!(kappa >= phrases, "{model}: {kappa}");
    }
}

#[test]
fn bad_data_is_refused_with_its_place() {
    let Some(data) = psi_testkit::shared_data() else { return };
    let whole = std::fs::read_to_string(data.join("evals/gsm8k/test.jsonl")).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let join = |lines: &[&str]| lines.join("\n") + "\n";
    let with = |i: usize, line: &str| {
        let mut lines = lines.clone();
        lines[i] = line;
        join(&lines)
    };
    let twice = [&lines[..7], &lines[2..3], &lines[7..]].concat();
    let relabelled = lines[41].replace("#### ", "#### 1");
    let mut latin = whole.clone().into_bytes();
    let apostrophe = with(9, "{\"question\": \"caf\u{e9}\"}");
    latin.truncate(0);
    latin.extend(apostrophe.chars().map(|c| c as u8));
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (whole[..whole.len() / 2].into(), ":6"), // cut in the middle of a line
        (join(&lines[..100]).into(), ":101: the file is cut off: 100 of 1319 records"),
        (join(&twice).into(), ":8: line 8 repeats line 3"),
        (with(41, &relabelled).into(), ":42: line 42 is not what the publisher ships"),
        (latin, ":10: not UTF-8"),
        (whole.replace('\n', "\r\n").into(), ":1: the line ends were changed to CRLF"),
        (format!("\u{feff}{whole}").into(), "byte-order mark"),
        (format!("{whole}{{}}\n").into(), ":1320: line 1320 was added"),
        (Vec::new(), ":1: "),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gsm8k/test.jsonl");
    std::fs::create_dir(folder.path().join("gsm8k")).unwrap();
    let library = Library::new(vec![folder.path().to_owned()]);
    let options = TaskOptions { shots: Some(0), ..TaskOptions::default() };
    for (bytes, expected) in cases {
        #[expect(clippy::disallowed_methods, reason = "a file of a test may be torn")]
        std::fs::write(&path, bytes).unwrap();
        let error = library.open("gsm8k", Split::Eval, options).unwrap_err().to_string();
        assert!(error.contains("gsm8k/test.jsonl") && error.contains(expected), "{error}");
    }
    #[expect(clippy::disallowed_methods, reason = "a file of a test may be torn")]
    std::fs::write(&path, whole).unwrap();
    assert_eq!(library.open("gsm8k", Split::Eval, options).unwrap().n_items(), Some(1319));
}

#[test]
fn a_declared_task_is_read_and_its_mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        #[expect(clippy::disallowed_methods, reason = "a file of a test may be torn")]
        std::fs::write(folder.path().join(name), text).unwrap();
    };
    let path = folder.path().join("capitals.toml").display().to_string();
    let open = |text: &str, split| {
        write("capitals.toml", text);
        Library::default().open(&path, split, TaskOptions::default())
    };
    let rows = "{\"country\": \"France\", \"capital\": \"Paris\", \"of\": [\"Paris\", \"Rome\"], \"right\": 0}\n\
                {\"country\": \"Italy\", \"capital\": \"Rome\", \"of\": [\"Paris\", \"Rome\"], \"right\": 1}\n";
    write("rows.jsonl", rows);
    write(
        "train.jsonl",
        "{\"country\": \"Spain\", \"capital\": \"Madrid\", \"of\": [], \"right\": 0}\n",
    );
    let base =
        "name = \"capitals\"\ndata = \"rows.jsonl\"\nprompt = \"The capital of {country} is\"\n";
    let text = format!(
        "{base}train = \"train.jsonl\"\nshots = 1\nanswer = \"{{capital}}\"\nscorer = \"exact\"\n"
    );
    let task = open(&text, Split::Eval).unwrap();
    let items = task.items(None, 0);
    let expected = "The capital of Spain is Madrid\n\nThe capital of Italy is";
    assert_eq!((items.len(), items[1].prompt.text().as_str()), (2, expected));
    assert!(task.score(&items[1], &Output::Text(" Rome\n".to_owned())).unwrap().correct);
    assert!(!task.score(&items[1], &Output::Text("Rome, Paris".to_owned())).unwrap().correct);
    let choices = format!("{base}output = \"choices\"\nchoices = \"of\"\ngold = \"right\"\n");
    assert_eq!(open(&choices, Split::Eval).unwrap().baseline(), 0.5);
    assert!(open(&choices, Split::Train).unwrap_err().to_string().contains("never for training"));
    let scored = format!("{base}answer = \"{{capital}}\"\nscorer = \"exact\"\n");
    let refused = [
        (format!("{scored}colour = 1\n"), "capitals.toml:6"),
        (scored.replace("{country}", "{land}"), "rows.jsonl:1: there is no field land"),
        (scored.replace("exact", "vibes"), "capitals.toml:5"),
        (format!("{scored}sha256 = \"{}\"\n", "0".repeat(64)), "was declared for 000"),
        (format!("{base}answer = \"{{capital}}\"\n"), "scorer is missing"),
        (scored.replace("{country}", "{country"), "a brace without its partner"),
    ];
    for (text, expected) in refused {
        let error = open(&text, Split::Eval).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    write("rows.jsonl", &format!("{rows}{}", rows.lines().next().unwrap()));
    let error = open(&scored, Split::Eval).unwrap_err().to_string();
    assert!(error.contains("rows.jsonl:3: line 3 repeats line 1"), "{error}");
    write("rows.jsonl", &rows[..rows.len() - 20]);
    let error = open(&scored, Split::Eval).unwrap_err().to_string();
    assert!(error.contains("rows.jsonl:2: the file is cut off"), "{error}");
}
