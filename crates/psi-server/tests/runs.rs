//! The dashboard over real HTTP.
#![expect(clippy::disallowed_methods, reason = "a test's own files")]

use std::{fs, path::Path, sync::Arc};

use psi_server::{Run, RunsServer};

fn start(dir: &Path, names: &[&str]) -> RunsServer {
    let runs: Vec<Run> = names
        .iter()
        .map(|name| Run {
            name: (*name).to_owned(),
            dir: dir.to_owned(),
            status: "running".to_owned(),
            steps: 10,
        })
        .collect();
    RunsServer::start(0, Arc::new(move || runs.clone())).expect("started")
}

/// Status and body of a GET with these headers.
fn get(server: &RunsServer, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut request = agent.get(format!("http://{}{path}", server.address()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = request.call().expect("an answer");
    assert!(response.headers().contains_key("content-security-policy"), "{path}");
    (response.status().as_u16(), response.body_mut().read_to_string().expect("text"))
}

#[test]
fn a_run_is_shown_while_it_grows_and_its_text_is_only_text() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), &["first <run>", "second"]);
    let page = "/runs/first%20%3Crun%3E";
    let (status, body) = get(&server, page, &[]);
    assert!(status == 200 && body.contains("No step is done yet"), "{status} {body}");

    let metrics = dir.path().join("metrics.jsonl");
    fs::write(&metrics, "{\"step\":1,\"loss\":5.25,\"tokens\":64,\"tokens_per_s\":32.0}\n")
        .expect("written");
    let sample = "{\"step\":1,\"prompt\":\"<script>\",\"text\":\"</main><img src=x onerror=y>\"}\n";
    fs::write(dir.path().join("samples.jsonl"), sample).expect("written");
    let (_, live) = get(&server, &format!("{page}/live"), &[]);
    assert!(live.contains("5.25") && live.contains("1 of 10"), "{live}");
    assert!(live.contains("&lt;script&gt;") && !live.contains("<img"), "{live}");

    let (_, list) = get(&server, "/runs", &[]);
    assert!(list.contains("href=\"/runs/first%20%3Crun%3E\"") && list.contains("second"), "{list}");
    for asset in ["live.js", "psi.css", "psi.svg"] {
        assert_eq!(get(&server, &format!("/assets/{asset}"), &[]).0, 200);
    }
}

#[test]
fn strangers_and_wrong_paths_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("secret"), "s").expect("written");
    let server = start(dir.path(), &["one"]);
    assert_eq!(get(&server, "/runs", &[("host", "rebound.example")]).0, 403);
    assert_eq!(get(&server, "/runs", &[("origin", "http://evil.example")]).0, 403);
    for path in ["/runs/none", "/runs/..%2Fsecret", "/assets/..%2Fsecret", "/assets/secret", "/x"] {
        assert_eq!(get(&server, path, &[]).0, 404, "{path}");
    }
}

#[test]
fn a_taken_port_is_an_error_with_a_hint() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), &["one"]);
    let error = RunsServer::start(server.address().port(), Arc::new(Vec::new)).expect_err("taken");
    assert!(error.hint().is_some_and(|h| h.contains("--port 0")), "{error}");
}
