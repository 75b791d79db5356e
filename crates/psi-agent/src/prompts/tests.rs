//! Prompts as the database keeps them, and as files bring them.

use serde_json::json;

use super::*;
use crate::time::Clock;

fn open() -> (tempfile::TempDir, Prompts) {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&dir.path().join("psi.db"), Clock::fixed(Timestamp(7))).unwrap();
    (dir, Prompts::new(&db))
}

#[test]
fn prompts_are_kept_changed_and_deleted() {
    let (_dir, prompts) = open();
    let made = prompts.add("/Review", "Review {{code}} for {{what}}.\r\n").unwrap();
    assert_eq!(
        (made.name.as_str(), made.text.as_str()),
        ("review", "Review {{code}} for {{what}}.")
    );
    assert_eq!(made.placeholders, ["code", "what"]);
    let error = prompts.add("review", "x").unwrap_err().to_string();
    assert!(error.contains("a prompt /review already"), "{error}");
    let other = prompts.add("brief", "Be brief.").unwrap();
    assert!(prompts.edit(other.id, "review", "x").is_err());
    let edited = prompts.edit(other.id, "short", "Be short.").unwrap();
    assert_eq!(prompts.named("short").unwrap().unwrap(), edited);
    assert_eq!(prompts.named("brief").unwrap(), None);
    prompts.delete(made.id).unwrap();
    assert_eq!(prompts.list().unwrap().len(), 1);
    assert!(prompts.get(made.id).is_err() && prompts.delete(made.id).is_err());
}

#[test]
fn names_that_cannot_be_typed_and_those_of_commands_are_refused() {
    let (_dir, prompts) = open();
    for name in ["", "a b", "help", "/quit", "3d", "a/b", "x".repeat(MAX_NAME + 1).as_str(), "<b>"]
    {
        assert!(prompts.add(name, "text").is_err(), "{name}");
    }
    assert!(prompts.add("fine", "  ").is_err());
    assert!(prompts.add("fine", &"x".repeat(MAX_TEXT + 1)).is_err());
    assert!(prompts.add("übung-2", "text").is_ok());
}

#[test]
fn what_stands_behind_the_name_is_the_first_value() {
    let (_dir, prompts) = open();
    let plain = prompts.add("plain", "Sum up:").unwrap();
    assert_eq!(plain.filled(" the text ", |_| None).unwrap(), "Sum up:\n\nthe text");
    let two = prompts.add("two", "{{a}} in {{b}}").unwrap();
    assert_eq!(two.filled("x", |_| None).unwrap_err(), ["b"]);
    let given = |name: &str| (name == "b").then(|| "y".to_owned());
    assert_eq!(two.filled("x", given).unwrap(), "x in y");
}

#[test]
fn an_export_comes_back_and_nothing_is_overwritten() {
    let (_dir, prompts) = open();
    prompts.add("a", "one").unwrap();
    let document = prompts.export().unwrap();
    let known = Imported { n_known: 1, ..Imported::default() };
    assert_eq!(prompts.import(&document).unwrap(), known);
    let (_other, fresh) = open();
    fresh.add("a", "mine").unwrap();
    assert_eq!(fresh.import(&document).unwrap().n_renamed, 1);
    let names: Vec<_> = fresh.list().unwrap().into_iter().map(|p| (p.name, p.text)).collect();
    assert_eq!(names, [("a".into(), "mine".into()), ("a-2".into(), "one".into())]);

    let theirs = json!([{"command": "/Code_Review", "title": "x", "content": "Look at {{it}}"}]);
    assert_eq!(fresh.import(&theirs).unwrap().n_new, 1);
    assert_eq!(fresh.named("code-review").unwrap().unwrap().placeholders, ["it"]);
}

#[test]
fn a_file_that_cannot_be_kept_whole_changes_nothing() {
    let (_dir, prompts) = open();
    for document in [
        json!({}),
        json!([{"command": "x"}]),
        json!({"format": "psi-prompts", "version": 2, "prompts": []}),
        json!({"format": "psi-prompts", "version": 1, "prompts":
            [{"name": "good", "text": "x"}, {"name": "help", "text": "x"}]}),
    ] {
        assert!(prompts.import(&document).is_err(), "{document}");
    }
    assert!(prompts.list().unwrap().is_empty());
}
