//! Tasks over the data that is shared between checkouts, and over no data at all.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops with the cause")]

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
    let library = Library::new(Vec::new());
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
    let library = Library::new(Vec::new());
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
    let error =
        Library::new(Vec::new()).open("gsm9k", Split::Eval, TaskOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "gsm9k: no such task");
    assert_eq!(error.hint().unwrap(), "did you mean gsm8k?");
    let error = Library::new(vec!["nowhere".into()])
        .open("gsm8k", Split::Eval, TaskOptions::default())
        .unwrap_err();
    assert!(error.to_string().contains("not found in nowhere"), "{error}");
    let options = TaskOptions { level: Some(9), ..TaskOptions::default() };
    let error =
        Library::new(Vec::new()).open("procedural/total", Split::Eval, options).unwrap_err();
    assert_eq!(error.to_string(), "procedural/total: has the levels 0 to 2");
}
