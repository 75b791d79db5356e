//! `psi up` from the outside: the page and the API at one address, over the model that came with psi.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStdout},
};

use serde_json::Value;

use crate::program::Program;

/// A running `psi up`.
pub(crate) struct Up {
    pub(crate) child: Child,
    /// Kept: its folder goes with it.
    pub(crate) program: Program,
    /// Kept, so that what it still prints finds a reader.
    _printed: BufReader<ChildStdout>,
    pub(crate) address: String,
}

impl Up {
    pub(crate) fn start(program: Program) -> Self {
        let mut child = program.start(&["up", "--no-open", "--port", "0"]);
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        printed.read_line(&mut line).unwrap();
        let address =
            line.trim().strip_prefix("psi is at http://").unwrap_or_else(|| panic!("{line}"));
        let address = address.trim_end_matches('/').to_owned();
        Self { child, program, _printed: printed, address }
    }

    /// A request with these headers beside Host and length: status and body.
    pub(crate) fn ask(&self, request: &str, headers: &str, body: &str) -> (u16, String) {
        self.try_ask(request, headers, body).expect("an answer")
    }

    /// The same: status and head.
    pub(crate) fn ask_whole(&self, request: &str, headers: &str, body: &str) -> (u16, String) {
        let (status, head, _) = self.exchange(request, headers, body).expect("an answer");
        (status, head)
    }

    /// The same, while the server may not be there.
    pub(crate) fn try_ask(
        &self,
        request: &str,
        headers: &str,
        body: &str,
    ) -> Option<(u16, String)> {
        let (status, _, body) = self.exchange(request, headers, body)?;
        Some((status, body))
    }

    fn exchange(&self, request: &str, headers: &str, body: &str) -> Option<(u16, String, String)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let host = if headers.contains("Host:") {
            String::new()
        } else {
            format!("Host: {}\r\n", self.address)
        };
        let head = format!(
            "{request} HTTP/1.1\r\n{host}Connection: close\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, head.to_owned(), body.to_owned()))
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) const JSON: &str = "Content-Type: application/json\r\n";
const QUESTION: &str = r#"{"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}"#;

#[test]
fn the_page_and_the_api_share_an_address_and_a_model() {
    let up = Up::start(Program::new());
    let (status, page) = up.ask("GET /", "", "");
    assert_eq!(status, 200);
    assert!(page.contains("What can I do for you?"), "{page}");
    let (status, answer) = up.ask("POST /v1/chat/completions", JSON, QUESTION);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((status, answer["model"].as_str()), (200, Some("psi-nano")), "{answer}");
    assert!(answer["usage"]["completion_tokens"].as_u64().is_some_and(|n| (1..=4).contains(&n)));
    let (_, models) = up.ask("GET /v1/models", "", "");
    let models: Value = serde_json::from_str(&models).unwrap();
    assert_eq!(
        (models["data"][0]["id"].as_str(), models["data"][0]["loaded"].as_bool()),
        (Some("psi-nano"), Some(true))
    );
    let other = QUESTION.replacen('{', r#"{"model": "other", "#, 1);
    assert_eq!(up.ask("POST /v1/chat/completions", JSON, &other).0, 404);
}

#[test]
fn other_sites_and_rebound_names_reach_neither_the_page_nor_the_api() {
    let up = Up::start(Program::new());
    for request in [
        "GET /",
        "GET /v1/models",
        "POST /v1/chat/completions",
        "GET /api/conversations/1/events",
        "POST /api/conversations",
    ] {
        let rebound = format!("Host: evil.example\r\n{JSON}");
        assert_eq!(up.ask(request, &rebound, "{}").0, 403, "{request}");
        let foreign = format!("Origin: http://evil.example\r\n{JSON}");
        assert_eq!(up.ask(request, &foreign, "{}").0, 403, "{request}");
    }
    // What a form or a script of another site can send without asking first changes nothing.
    assert_eq!(
        up.ask("POST /v1/chat/completions", "Content-Type: text/plain\r\n", QUESTION).0,
        415
    );
    assert_eq!(up.ask("POST /api/conversations", JSON, r#"{"content": "hi"}"#).0, 403);
}
