//! Keys: every route asks for one, quotas hold and survive a restart, the log says who and never what.
#![expect(clippy::disallowed_methods, reason = "a test's own files")]

use std::fs;

use psi_server::AccessLog;
use serde_json::{Value, json};

use super::lab::{Lab, Setup};

const KEYS: &str = r#"
[[key]]
name = "alice"
key = "alice-0123456789abcdef"
tokens_per_day = 60
models = ["tiny"]

[[key]]
name = "root"
key = "root-0123456789abcdef"
admin = true

[[key]]
name = "hasty"
key = "hasty-0123456789abcdef"
requests_per_minute = 2
"#;

const JSON: &str = "Content-Type: application/json\r\n";

fn bearer(name: &str) -> String {
    format!("Authorization: Bearer {name}-0123456789abcdef\r\n{JSON}")
}

fn lab(dir: &std::path::Path) -> Lab {
    let keys = dir.join("keys.toml");
    fs::write(&keys, KEYS).expect("written");
    Lab::with(Setup {
        keys: Some(keys),
        ledger: Some(dir.join("ledger.jsonl")),
        access_log: AccessLog::File(dir.join("access.jsonl")),
        ..Setup::default()
    })
}

/// The lines of a log, once there are so many: the thread that writes them may be a moment behind.
fn lines(path: &std::path::Path, n: usize) -> Vec<Value> {
    for _ in 0..600 {
        let text = fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<Value> = text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
        if lines.len() >= n {
            return lines;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{}: fewer than {n} lines", path.display());
}

#[test]
fn every_route_but_two_wants_a_key() {
    let dir = tempfile::tempdir().expect("a folder");
    let lab = lab(dir.path());
    let document = lab.ask("GET", "/openapi.json", &bearer("root"), b"").json();
    let mut n_closed = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            let (path, method) =
                (path.replace("{id}", "x").replace("{model}", "x"), method.to_uppercase());
            let body: &[u8] = if method == "POST" { b"{}" } else { b"" };
            for headers in [
                JSON.to_owned(),
                format!("Authorization: Bearer wrong\r\n{JSON}"),
                format!("x-api-key: \r\n{JSON}"),
                format!("Authorization: Basic cm9vdDo=\r\n{JSON}"),
            ] {
                let answer = lab.ask(&method, &path, &headers, body);
                match path.as_str() {
                    "/health" | "/ready" => assert_eq!(answer.status, 200, "{path}"),
                    _ => assert_eq!(answer.status, 401, "{method} {path} {headers}"),
                }
            }
            n_closed += 1;
        }
    }
    assert!(n_closed > 25, "{n_closed} routes");
    for path in ["/", "/v1", "/v1/none", "/v1/chat/completions/x/y/z", "/admin"] {
        assert_eq!(lab.get(path).status, 401, "{path}");
        assert_eq!(lab.ask("GET", path, &bearer("root"), b"").status, 404, "{path}");
    }
    let load =
        lab.ask("POST", "/v1/adapters/load", &bearer("alice"), br#"{"name":"a","path":"b"}"#);
    assert_eq!(load.status, 403, "{}", load.body);
}

#[test]
fn a_key_has_its_models_its_tokens_and_its_pace() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = lab(dir.path());
    let ask = |lab: &Lab, key: &str, body: &Value| {
        lab.ask("POST", "/v1/completions", &bearer(key), body.to_string().as_bytes())
    };
    let body = json!({ "prompt": "hello", "max_tokens": 20, "ignore_eos": true, "seed": 1 });
    let mut other = body.clone();
    other["model"] = json!("alias");
    assert_eq!(ask(&first, "alice", &other).status, 404);
    let used =
        ask(&first, "alice", &body).json()["usage"]["total_tokens"].as_u64().expect("a number");
    let mut greedy = body.clone();
    greedy["max_tokens"] = json!(60);
    let refused = ask(&first, "alice", &greedy);
    assert_eq!(refused.status, 429, "{}", refused.body);
    assert_eq!(refused.json()["error"]["code"], "insufficient_quota");
    assert!(refused.head.contains("retry-after: 43200"), "{}", refused.head);
    drop(first);
    lines(&dir.path().join("ledger.jsonl"), 1);

    let second = lab(dir.path());
    let left = 60 - used;
    let mut rest = body.clone();
    rest["max_tokens"] = json!(left);
    let refused = ask(&second, "alice", &rest);
    assert_eq!(refused.status, 429, "the ledger remembers: {}", refused.body);
    assert!(refused.body.contains(&format!("{left} tokens left")), "{}", refused.body);
    assert_eq!(ask(&second, "root", &rest).status, 200);

    assert_eq!(ask(&second, "hasty", &body).status, 200);
    assert_eq!(ask(&second, "hasty", &body).status, 200);
    let refused = ask(&second, "hasty", &body);
    assert_eq!(refused.status, 429);
    assert!(refused.head.contains("retry-after: 30"), "{}", refused.head);
}

#[test]
fn the_log_says_who_and_how_much_and_never_what() {
    let dir = tempfile::tempdir().expect("a folder");
    let lab = lab(dir.path());
    let body = json!({ "messages": [{ "role": "user", "content": "XYZZY secret" }], "max_tokens": 3,
                       "user": "PLUGH" });
    let answer =
        lab.ask("POST", "/v1/chat/completions", &bearer("root"), body.to_string().as_bytes());
    assert_eq!(answer.status, 200);
    let bad = lab.ask("POST", "/v1/chat/completions", &bearer("root"), b"{\"XYZZY\": 1}");
    assert_eq!(bad.status, 400);
    drop(lab);
    let access = lines(&dir.path().join("access.jsonl"), 2);
    let first = access.iter().find(|l| l["status"] == 200).expect("the good request");
    assert_eq!(first["key"], "root", "{first}");
    assert!(first["completion_tokens"].as_u64() > Some(0), "{first}");
    assert!(access.iter().any(|l| l["status"] == 400), "{access:?}");
    let ledger = lines(&dir.path().join("ledger.jsonl"), 1);
    assert_eq!(ledger.len(), 1, "{ledger:?}");
    let (log, ledger) = (json!(access).to_string(), json!(ledger).to_string());
    for text in [&log, &ledger] {
        for secret in ["XYZZY", "PLUGH", "0123456789abcdef"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn t5_a_keys_pace_holds_whichever_header_carries_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let lab = lab(dir.path());
    let body = json!({ "prompt": "hello", "max_tokens": 2 }).to_string();
    let ask = |header: &str| {
        let headers = format!("{header}hasty-0123456789abcdef\r\n{JSON}");
        lab.ask("POST", "/v1/completions", &headers, body.as_bytes()).status
    };
    assert_eq!(ask("Authorization: Bearer "), 200);
    assert_eq!(ask("x-api-key: "), 200);
    assert_eq!([ask("Authorization: bearer "), ask("x-api-key: ")], [429, 429]);
}

#[test]
fn t6_t7_what_one_key_has_stored_is_not_there_for_another() {
    let dir = tempfile::tempdir().expect("a folder");
    let lab = lab(dir.path());
    let ask = |key: &str, method: &str, path: &str, body: &str| {
        lab.ask(method, path, &bearer(key), body.as_bytes())
    };
    let body = json!({ "messages": [{ "role": "user", "content": "hi" }], "max_tokens": 2, "store": true });
    let made = ask("root", "POST", "/v1/chat/completions", &body.to_string());
    let path = format!("/v1/chat/completions/{}", made.json()["id"].as_str().expect("an id"));
    for (method, path, body) in [
        ("GET", path.clone(), ""),
        ("GET", format!("{path}/messages"), ""),
        ("POST", path.clone(), "{\"metadata\": {}}"),
        ("DELETE", path.clone(), ""),
    ] {
        assert_eq!(ask("alice", method, &path, body).status, 404, "{method} {path}");
    }
    let listed = ask("alice", "GET", "/v1/chat/completions", "").json();
    assert_eq!(listed["data"], json!([]));
    assert_eq!(ask("root", "GET", &path, "").status, 200);
}
