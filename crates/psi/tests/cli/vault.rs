//! `psi vault` and the locked page: no file of the home holds a word, whatever is killed when.

use std::{path::Path, time::Duration};

use psi_agent::{Clock, Conversations, Db, Draft, NewConversation, Timestamp};
use serde_json::Value;

use crate::{
    program::{Program, write},
    up::{JSON, Up},
};

const WORD: &str = "Heffalump";
const PASSPHRASE: &str = "a trap for Heffa";

/// A home with `n` messages that hold the word.
fn home(program: &Program, n: usize) {
    let db = Db::open(&program.path("psi.db"), Clock::fixed(Timestamp(0))).unwrap();
    let all = Conversations::new(&db);
    let id = all.create(&NewConversation::default()).unwrap().id;
    let mut last = None;
    for i in 0..n {
        let text = format!("{WORD} {i} {}", "and so on ".repeat(400));
        last = Some(all.append(id, last, &Draft::user(&text)).unwrap().id);
    }
}

/// The files below a folder that hold a text in plain.
fn holding(dir: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes.windows(text.len()).any(|w| w.eq_ignore_ascii_case(text.as_bytes()))
        {
            found.push(path.display().to_string());
        }
    }
    found
}

fn n_found(program: &Program) -> usize {
    let ran = program.run_with(
        &["memory", "search", "--said", "--limit", "5", "--json", WORD],
        format!("{PASSPHRASE}\n").as_bytes(),
    );
    let found = ran.ok().json();
    found["hits"].as_array().map_or(0, Vec::len)
}

fn state(program: &Program) -> Value {
    program.run(&["vault", "status", "--json"]).ok().json()["database"].clone()
}

#[test]
fn a_home_is_encrypted_changed_and_decrypted_by_commands() {
    let program = Program::new();
    home(&program, 3);
    let given = format!("{PASSPHRASE}\n");
    assert_eq!(state(&program), "plain");
    program.run_with(&["vault", "encrypt"], b"short\n").failed(2, &["8 characters"]);
    program.run_with(&["vault", "encrypt"], given.as_bytes()).ok();
    assert_eq!((state(&program), holding(program.home(), WORD).len()), ("encrypted".into(), 0));
    program.run(&["memory", "list"]).failed(2, &["passphrase", "PSI_PASSPHRASE_FILE"]);
    program.run_with(&["memory", "list"], b"another one\n").failed(2, &["wrong"]);
    assert!(n_found(&program) > 0);

    let both = format!("{PASSPHRASE}\nquite another one\n");
    program.run_with(&["vault", "passphrase"], both.as_bytes()).ok();
    program.run_with(&["memory", "list"], given.as_bytes()).failed(2, &["wrong"]);
    program.run_with(&["vault", "decrypt"], given.as_bytes()).failed(2, &["wrong"]);
    program.run_with(&["vault", "decrypt"], b"quite another one\n").ok();
    assert_eq!(state(&program), "plain");
    assert!(n_found(&program) > 0);
    assert!(program.run(&["doctor"]).ok().stdout.contains("plain: `psi vault encrypt`"));
}

#[test]
fn a_conversion_killed_at_any_moment_loses_nothing() {
    let program = Program::new();
    home(&program, 600);
    let mut seen = [0; 2];
    for round in 0..14_u64 {
        let from = state(&program);
        let command = if from == "plain" { "encrypt" } else { "decrypt" };
        let passphrase = tempfile::NamedTempFile::new().unwrap();
        write(passphrase.path(), PASSPHRASE.as_bytes());
        let mut child = program.start_with(
            &["vault", command],
            "PSI_PASSPHRASE_FILE",
            passphrase.path().to_str().unwrap(),
        );
        std::thread::sleep(Duration::from_millis(40 + 45 * round));
        // It may be done already.
        let _ = child.kill();
        child.wait().unwrap();
        seen[usize::from(state(&program) != from)] += 1;
        assert!(n_found(&program) > 0, "round {round}, {command}");
        if state(&program) == "encrypted" {
            assert_eq!(holding(program.home(), WORD), [""; 0], "round {round}, {command}");
        }
        for left in ["psi.db.new", "psi.db.old"] {
            assert!(!program.path(left).exists(), "{left} in round {round}");
        }
    }
    assert!(seen[1] > 0, "none came to its end: {seen:?}");
}

/// What the page's script would send with a request.
fn csrf(up: &Up) -> String {
    let (_, page) = up.ask("GET /", "Accept: text/html\r\n", "");
    let at = page.find("name=\"csrf\" content=\"").unwrap_or_else(|| panic!("{page}"));
    let token = page[at..].split('"').nth(3).unwrap();
    format!("X-Psi-Csrf: {token}\r\n{JSON}")
}

#[test]
fn the_locked_page_unlocks_and_what_is_said_there_is_in_no_file() {
    let program = Program::new();
    home(&program, 3);
    let given = format!("{PASSPHRASE}\n");
    program.run_with(&["vault", "encrypt"], given.as_bytes()).ok();
    let mut up = Up::start(program);
    let (status, page) = up.ask("GET /", "Accept: text/html\r\n", "");
    assert!(status == 200 && page.contains("Passphrase"), "{status}: {page}");
    assert_eq!(up.ask("GET /v1/models", "", "").0, 503);
    assert_eq!(up.ask("GET /", "Host: evil.example\r\n", "").0, 403);
    assert_eq!(up.ask("POST /", "", "passphrase=x").0, 403, "a form of nobody");
    let origin = format!("Origin: http://{}\r\n", up.address);
    assert_eq!(up.ask("POST /", &origin, "passphrase=wrong+one").0, 401);
    assert_eq!(up.ask("POST /", &origin, "passphrase=wrong+two").0, 429);
    std::thread::sleep(Duration::from_millis(1_100));
    let form = format!("passphrase={}", PASSPHRASE.replace(' ', "+"));
    assert_eq!(up.ask("POST /", &origin, &form).0, 200);
    let mut page = String::new();
    for _ in 0..600 {
        std::thread::sleep(Duration::from_millis(50));
        if let Some((200, text)) = up.try_ask("GET /", "Accept: text/html\r\n", "")
            && text.contains("csrf")
        {
            page = text;
            break;
        }
    }
    assert!(page.contains("What can I do for you?"), "{page}");

    let said = r#"{"content": "Snarks and Boojums live in my garden"}"#;
    let (status, answer) = up.ask("POST /api/conversations", &csrf(&up), said);
    assert_eq!(status, 200, "{answer}");
    let nothing = |up: &Up, when: &str| {
        for word in [WORD, "Boojum", "CREATE TABLE"] {
            let files = holding(up.program.home(), word);
            let own: Vec<_> = files.iter().filter(|f| !f.contains("models")).collect();
            assert!(own.is_empty(), "{word} {when}: {own:?}");
        }
    };
    nothing(&up, "while it runs");
    up.child.kill().unwrap();
    up.child.wait().unwrap();
    nothing(&up, "after SIGKILL");
    let ran =
        up.program.run_with(&["memory", "search", "--said", "--json", "Boojums"], given.as_bytes());
    assert!(ran.ok().stdout.contains("Boojums"), "what was said is there");
}
