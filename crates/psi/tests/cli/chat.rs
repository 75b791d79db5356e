//! `psi chat`, `psi memory` and `psi feedback` from the outside, over a small real model.

use std::path::PathBuf;

use crate::program::{Program, write};

/// The small model with a chat template: it knows stories, not conversations, but it writes.
fn model(program: &Program) -> Option<PathBuf> {
    let from = psi_testkit::shared_data()?.join("models/stories260K/hf");
    let to = program.path("storyteller");
    std::fs::create_dir(&to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
    let template = "{% for m in messages %}{{ m.content }}\n{% endfor %}";
    write(&to.join("chat_template.jinja"), template.as_bytes());
    Some(to)
}

#[test]
fn a_chat_answers_remembers_and_keeps_what_was_said_of_its_answers() {
    let program = Program::new();
    let Some(model) = model(&program) else { return };
    let model = model.to_str().unwrap();
    let input = "My dog is called Rex.\n/good clear\n/better Rex is a fine name.\n/memory\n/quit\n";
    let ran = program.run_with(&["chat", "--model", model], input.as_bytes()).ok();
    assert!(ran.stderr.contains("(remembered: My dog is called Rex)"), "{}", ran.stderr);
    assert!(ran.stdout.contains("1  ") && ran.stdout.contains("My dog is called Rex"));

    let ran = program.run(&["memory", "search", "what is my dog called", "--json"]);
    assert!(ran.stdout.contains("\"value\": \"rex\""), "{}", ran.stdout);
    let ran = program.run(&["feedback", "export"]);
    assert_eq!(ran.stdout.lines().count(), 1);
    let line: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&line["rating"], &line["tags"][0]), (&"up".into(), &"clear".into()));
    assert_eq!(line["better"]["content"], "Rex is a fine name.");
    assert_eq!(line["messages"][0]["content"], "My dog is called Rex.");

    let ran = program.run(&["memory", "forget", "1"]).ok();
    assert_eq!(ran.stdout, "forgotten: My dog is called Rex\n");
    assert_eq!(program.run(&["memory", "list"]).ok().stdout, "nothing is remembered\n");
    program.run(&["memory", "forget", "1"]).failed(2, &["no fact 1"]);
}

#[test]
fn without_a_choice_the_model_that_came_with_psi_answers() {
    let ran = Program::new().run_with(&["chat"], b"What is 12 * 12?\n").ok();
    assert!(ran.stderr.starts_with("psi: psi-nano; /help"), "{}", ran.stderr);
    assert!(!ran.stdout.trim().is_empty());
}

#[test]
fn an_attached_file_stands_in_the_prompt_with_the_question() {
    let program = Program::new();
    let notes = program.path("notes.md");
    write(&notes, b"The harbour opens at nine.\n");
    let input = format!("/attach {}\nWhen does the harbour open?\n/good\n", notes.display());
    let ran = program.run_with(&["chat"], input.as_bytes()).ok();
    assert!(ran.stderr.contains("(notes.md goes with your next message)"), "{}", ran.stderr);
    let exported = program.run(&["feedback", "export"]).ok().stdout;
    let line: serde_json::Value = serde_json::from_str(&exported).unwrap();
    let asked = line["messages"][0]["content"].as_str().unwrap();
    assert!(asked.starts_with("When does the harbour open?"), "{asked}");
    assert!(asked.contains("file notes.md:") && asked.contains("opens at nine."), "{asked}");
    let ran = program.run_with(&["chat"], b"/attach nowhere.md\n/quit\n").ok();
    assert!(ran.stderr.contains("nowhere.md"), "{}", ran.stderr);
}

#[test]
fn a_wrong_command_and_a_missing_model_are_said() {
    let program = Program::new();
    program.run(&["chat", "--model", "nowhere"]).failed(2, &["nowhere"]);
    let Some(model) = model(&program) else { return };
    let model = model.to_str().unwrap();
    let ran = program.run_with(&["chat", "--model", model], b"/nothing\n/open x\n").ok();
    assert!(ran.stderr.contains("there is no /nothing") && ran.stderr.contains("'x' is no number"));
}

#[test]
fn prompts_of_the_page_are_typed_and_filled_in_the_terminal() {
    let program = Program::new();
    let Some(model) = model(&program) else { return };
    let model = model.to_str().unwrap();
    let db = program.path("psi.db");
    let db = psi_agent::Db::open(&db, psi_agent::Clock::fixed(psi_agent::Timestamp(0))).unwrap();
    let prompts = psi_agent::Prompts::new(&db);
    prompts.add("tale", "Once {{who}} went to {{where}}").unwrap();
    drop((prompts, db));
    let input = "/help\n/prompts\n/tale a fox\nthe sea\n/remember my dog is called Rex\n/quit\n";
    let ran = program.run_with(&["chat", "--model", model], input.as_bytes()).ok();
    assert!(
        ran.stderr.contains("/tale") && ran.stderr.contains("/remember TEXT"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("/tale  Once {{who}} went to {{where}}"), "{}", ran.stdout);
    assert!(ran.stderr.contains("> Once a fox went to the sea"), "{}", ran.stderr);
    assert!(ran.stderr.contains("(remembered: my dog is called Rex)"), "{}", ran.stderr);
    // Input that ends before the last placeholder says nothing.
    let ran = program.run_with(&["chat", "--model", model], b"/tale\na fox\n").ok();
    assert!(ran.stderr.contains("not said: where was not given"), "{}", ran.stderr);
}
