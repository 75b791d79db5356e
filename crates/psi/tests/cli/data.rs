//! `psi data inspect`: what files hold, where they are wrong, and what of a conversation is learned.

use psi_store::write_atomic;

use crate::program::Program;

const ROWS: &str = r#"{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"Hello!"}]}
{"text": 3}
{"messages":[{"role":"user","content":"hi"}]}
"#;

fn file(program: &Program, name: &str, content: &str) -> String {
    let path = program.path(name);
    write_atomic(&path, content.as_bytes()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn inspect_shows_documents_bad_rows_and_what_is_learned() {
    let program = Program::new();
    let path = file(&program, "chats.jsonl", ROWS);
    let ran = program.run(&["data", "inspect", &path]).ok();
    for part in [
        "documents  chats  bytes  bad rows",
        "chats.jsonl:2: 'text' is a number, not a text",
        "chats.jsonl:3: no message of the assistant",
        "<|im_start|>assistant\n⟦Hello!<|im_end|>⟧",
    ] {
        assert!(ran.stdout.contains(part), "no '{part}' in {ran}");
    }
    assert!(!program.path("datasets").exists(), "bytes are not worth keeping");
}

#[test]
fn inspect_prints_one_json_document() {
    let program = Program::new();
    let (chats, text) =
        (file(&program, "chats.jsonl", ROWS), file(&program, "a.txt", "the cat sat"));
    let ran = program.run(&["data", "inspect", &chats, &text, "--json"]).ok();
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let sources = document["sources"].as_array().unwrap();
    assert_eq!(sources[0]["bad_rows"], 2);
    assert_eq!(sources[0]["bad"][0]["line"], 2);
    assert_eq!(sources[1]["bytes"], 11);
    let sample = &document["sample"];
    assert_eq!(
        sample["tokens"].as_array().unwrap().len(),
        sample["learned"].as_array().unwrap().len()
    );
}

#[test]
fn inspect_with_a_tokenizer_counts_its_tokens_and_keeps_them() {
    let program = Program::new();
    let text = file(&program, "a.txt", &"the cat sat on the mat ".repeat(40));
    let options = psi_tokenizer::TrainOptions { vocab_size: 270, ..Default::default() };
    let words = "the cat sat on the mat ".repeat(40);
    let tokenizer =
        psi_tokenizer::train_bpe(&mut std::iter::once(words.as_str().into()), &options).unwrap();
    let tokenizer = file(&program, "tokenizer.json", &tokenizer.to_json());
    let ran = program.run(&["data", "inspect", &text, "--tokenizer", &tokenizer]).ok();
    assert!(ran.stdout.contains("tokens  bytes/token  learned  longest"), "{ran}");
    assert_eq!(std::fs::read_dir(program.path("datasets")).unwrap().count(), 1);
}

#[test]
fn inspect_of_nothing_usable_fails_with_the_path() {
    let program = Program::new();
    program.run(&["data", "inspect", "no/such.txt"]).failed(2, &["no/such.txt", "no such file"]);
    let path = file(&program, "a.docx", "x");
    program.run(&["data", "inspect", &path]).failed(2, &["a.docx", "hint: ", ".jsonl"]);
}
