//! Several users at one psi: each sees what is theirs, whatever they ask for.

use std::{
    io::{BufRead, BufReader},
    time::Duration,
};

use serde_json::Value;

use crate::{
    program::Program,
    up::{JSON, Up},
};

const SECRET: &str = "Zanzibar";

/// Somebody who has signed in.
struct Person {
    cookies: String,
    csrf: String,
}

fn sign_in(up: &Up, name: &str, password: &str) -> (u16, String) {
    // One attempt a second, whoever makes it.
    std::thread::sleep(Duration::from_millis(1_050));
    let origin = format!("Origin: http://{}\r\n", up.address);
    up.ask_whole("POST /login", &origin, &format!("name={name}&password={password}"))
}

impl Person {
    fn new(up: &Up, name: &str, password: &str) -> Self {
        let (status, head) = sign_in(up, name, password);
        assert_eq!(status, 303, "{name}: {head}");
        let cookies: Vec<&str> = head
            .lines()
            .filter_map(|l| l.strip_prefix("set-cookie: ")?.split(';').next())
            .collect();
        assert!(head.contains("HttpOnly; SameSite=Strict"), "{head}");
        let cookies = format!("Cookie: {}\r\n", cookies.join("; "));
        let mut person = Self { cookies, csrf: String::new() };
        let (_, page) = person.ask(up, "GET /", "");
        let at = page.find("name=\"csrf\" content=\"").unwrap_or_else(|| panic!("{page}"));
        person.csrf = format!("X-Psi-Csrf: {}\r\n", page[at..].split('"').nth(3).unwrap());
        person
    }

    fn ask(&self, up: &Up, request: &str, body: &str) -> (u16, String) {
        up.ask(request, &format!("Accept: text/html\r\n{}{}{JSON}", self.cookies, self.csrf), body)
    }
}

/// What `psi up` does with PSI_PASSWORD when it starts.
fn set_owners_password(program: &Program) {
    let mut child = program.start(&["up", "--no-open", "--port", "0"]);
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
}

fn house() -> Up {
    let program = Program::new().with("PSI_PASSWORD", "the owner's own");
    program.run_with(&["users", "add", "ada"], b"adas password\n").failed(2, &["no password yet"]);
    set_owners_password(&program);
    for bad in ["owner", "Ada", "a/b", "..", ""] {
        program.run_with(&["users", "add", bad], b"adas password\n").failed(2, &["name"]);
    }
    program.run_with(&["users", "add", "ada"], b"short\n").failed(2, &["8 characters"]);
    program.run_with(&["users", "add", "ada"], b"adas password\n").ok();
    program.run_with(&["users", "add", "bob"], b"bobs password\n").ok();
    let listed = program.run(&["users", "list", "--json"]).ok().json();
    assert_eq!(listed["users"], serde_json::json!(["ada", "bob"]));
    Up::start(program)
}

/// Says the secret wherever something can be said; the conversation that it is in.
fn tell_secrets(up: &Up, person: &Person) -> Value {
    let tell = |request: &str, said: &str| {
        let (status, answer) = person.ask(up, request, said);
        assert_eq!(status, 200, "{request}: {answer}");
        answer
    };
    let said =
        format!(r#"{{"content": "My sister lives in {SECRET}. Remember that I like {SECRET}."}}"#);
    let answer = tell("POST /api/conversations", &said);
    tell("POST /api/memory", &format!(r#"{{"text": "I like {SECRET}"}}"#));
    tell(&format!("POST /api/attachments?name={SECRET}.txt"), SECRET);
    tell("POST /api/prompts", &format!(r#"{{"name": "place", "text": "Where is {SECRET}?"}}"#));
    tell("POST /api/projects", &format!(r#"{{"name": "{SECRET}", "instructions": "{SECRET}"}}"#));
    let task =
        format!(r#"{{"kind": "ask", "text": "{SECRET}?", "repeat": "daily", "at": "7:00"}}"#);
    tell("POST /api/tasks", &task);
    serde_json::from_str::<Value>(&answer).unwrap()["conversation"]["id"].clone()
}

/// Where it may be read again.
fn where_secrets_are(conversation: &Value) -> Vec<String> {
    let id = conversation;
    let mut places: Vec<String> = [
        "GET /m/1",
        "GET /api/conversations",
        "GET /api/export",
        "GET /chats",
        "GET /memory",
        "GET /api/memory",
        "GET /attached/1",
        "GET /files/1",
        "GET /projects",
        "GET /api/projects",
        "GET /prompts",
        "GET /api/prompts",
        "GET /api/prompts/export",
        "GET /tasks",
        "GET /api/tasks",
        "GET /tasks/notices",
        "GET /review",
        "GET /compare/1/2",
    ]
    .map(str::to_owned)
    .into();
    places.extend([
        format!("GET /c/{id}"),
        format!("GET /c/{id}/thread"),
        format!("GET /api/conversations/{id}"),
        format!("GET /api/conversations/{id}/export.json"),
        format!("GET /api/conversations/{id}/export.md"),
        format!("GET /chats?q={SECRET}"),
        format!("GET /memory/list?q={SECRET}&old=on"),
        format!("GET /files/found?q={SECRET}"),
        format!("GET /prompts/list?q={SECRET}"),
    ]);
    places
}

#[test]
fn a_user_reaches_nothing_of_another_by_id_search_export_memory_or_file() {
    let up = house();
    assert_eq!(up.ask("GET /", "Accept: text/html\r\n", "").0, 307, "everybody signs in");
    assert_eq!(up.ask("GET /api/export", "", "").0, 401);
    let ada = Person::new(&up, "ada", "adas+password");
    let bob = Person::new(&up, "bob", "bobs+password");
    let owner = Person::new(&up, "owner", "the+owner%27s+own");

    let id = tell_secrets(&up, &ada);
    let asked = where_secrets_are(&id);
    let found = |person: &Person| {
        let holds = |request: &&String| {
            let (_, page) = person.ask(&up, request, "");
            // What was asked for may be said again.
            page.matches(SECRET).count() > request.matches(SECRET).count()
        };
        asked.iter().filter(holds).cloned().collect::<Vec<_>>()
    };
    assert!(found(&ada).len() >= 12, "{:?}", found(&ada));
    assert_eq!((found(&bob), found(&owner)), (Vec::new(), Vec::new()));
    let (status, _) = bob.ask(&up, &format!("POST /api/conversations/{id}/delete"), "{}");
    assert_eq!(status, 404);

    // Another's name with one's own session, and the other way round.
    let session = |person: &Person| {
        let at = person.cookies.find("psi_session=").unwrap();
        person.cookies[at..].split([';', '\r']).next().unwrap().to_owned()
    };
    for name in ["ada", "nobody", "../ada", "ada%2f", "users/ada"] {
        let forged = format!("Cookie: psi_user={name}; {}\r\n", session(&bob));
        let (status, page) = up.ask("GET /api/export", &forged, "");
        assert!(status == 401, "{name}: {status} {page}");
    }
    let forged = format!("Cookie: psi_user=; {}\r\n", session(&ada));
    assert_eq!(
        up.ask("GET /api/export", &forged, "").0,
        401,
        "a user's session is not the owner's"
    );
    assert_eq!(up.ask("GET /v1/models", &forged, "").0, 401);

    // What is the owner's to decide.
    for request in [
        "GET /learning",
        "POST /api/learning/start",
        "POST /api/learning/rollback",
        "POST /api/model",
        "POST /api/pull",
        "POST /api/folders",
        "POST /api/files",
        "GET /runs",
        "GET /runs/x/live",
    ] {
        let (status, page) = bob.ask(&up, request, r#"{"path": "/", "name": "x/y"}"#);
        assert_eq!(status, 403, "{request}: {page}");
    }
    assert_eq!(owner.ask(&up, "GET /learning", "").0, 200);
}

#[test]
fn a_removed_or_reset_user_is_out_at_once_and_no_file_holds_what_was_said() {
    let up = house();
    let (status, head) = sign_in(&up, "ada", "wrong+password");
    assert_eq!(status, 401, "{head}");
    let (status, _) = sign_in(&up, "nobody", "wrong+password");
    assert_eq!(status, 401);
    let origin = format!("Origin: http://{}\r\n", up.address);
    assert_eq!(up.ask("POST /login", &origin, "name=ada&password=adas+password").0, 429);
    assert_eq!(
        up.ask("POST /login", "", "name=ada&password=adas+password").0,
        401,
        "no form of ours"
    );

    let ada = Person::new(&up, "ada", "adas+password");
    let bob = Person::new(&up, "bob", "bobs+password");
    let said = format!(r#"{{"text": "I like {SECRET}"}}"#);
    assert_eq!(ada.ask(&up, "POST /api/memory", &said).0, 200);
    let users = up.program.path("users");
    let holds = |path: &std::path::Path| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(SECRET.len()).any(|w| w.eq_ignore_ascii_case(SECRET.as_bytes()))
    };
    for entry in std::fs::read_dir(users.join("ada")).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.is_dir() || !holds(&path), "{}", path.display());
    }
    assert_eq!(ada.ask(&up, "POST /api/sign-out", "{}").0, 200);
    assert_eq!(ada.ask(&up, "GET /api/memory", "").0, 401, "signed out");
    let ada = Person::new(&up, "ada", "adas+password");
    assert!(ada.ask(&up, "GET /api/memory", "").1.contains(SECRET), "kept for the next time");

    up.program.run_with(&["users", "reset", "ada"], b"another password\n").ok();
    assert_eq!(ada.ask(&up, "GET /api/memory", "").0, 401);
    let (status, _) = sign_in(&up, "ada", "adas+password");
    assert_eq!(status, 401);
    let ada = Person::new(&up, "ada", "another+password");
    assert!(!ada.ask(&up, "GET /api/memory", "").1.contains(SECRET));
    up.program.run(&["users", "remove", "ada"]).ok();
    up.program.run(&["users", "remove", "ada"]).failed(2, &["no user ada"]);
    assert_eq!(ada.ask(&up, "GET /api/memory", "").0, 401);
    assert!(!users.join("ada").exists());
    assert_eq!(bob.ask(&up, "GET /api/memory", "").0, 200);
    up.program.run(&["users", "remove", "bob"]).ok();
    assert_eq!(
        up.ask("GET /", "Accept: text/html\r\n", "").0,
        200,
        "one user again, without a door"
    );
}
