//! Connections that behave badly: slow, half closed, endless, deaf.

use std::{
    io::{Read, Write},
    net::Shutdown,
    time::Duration,
};

use psi_server::{Limits, ServerOptions};
use serde_json::json;

use super::lab::{Lab, Setup};

/// Short patience, so that tests need little.
fn hasty() -> Lab {
    Lab::with(Setup {
        limits: Limits {
            body_bytes: 100_000,
            body_time: Duration::from_millis(300),
            ..Limits::default()
        },
        server: ServerOptions {
            port: 0,
            head_time: Duration::from_millis(300),
            write_time: Duration::from_millis(300),
            ..ServerOptions::default()
        },
        ..Setup::default()
    })
}

const HEAD: &str =
    "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

#[test]
fn a_head_that_never_ends_is_cut_off() {
    let lab = hasty();
    let mut slow = lab.connect();
    slow.write_all(b"GET /health HTTP/1.1\r\nHost: loc").expect("sent");
    let mut rest = Vec::new();
    // The server closes; whether it says something first is its own affair.
    let _ = slow.read_to_end(&mut rest);
    lab.is_well();
}

#[test]
fn a_body_that_never_comes_is_408_and_one_that_is_too_long_413() {
    let lab = hasty();
    let answer = lab.raw(format!("{HEAD}Content-Length: 50\r\n\r\n{{").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let answer = lab.raw(format!("{HEAD}Content-Length: 1073741824\r\n\r\n{{").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let chunk = format!("{:x}\r\n{}\r\n", 60_000, "x".repeat(60_000));
    let answer =
        lab.raw(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{chunk}{chunk}").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    lab.is_well();
}

#[test]
fn chunks_of_one_byte_are_a_body_like_any_other() {
    let lab = Lab::new();
    let body = json!({ "prompt": "hello", "max_tokens": 2 }).to_string();
    let chunks: String = body.chars().map(|c| format!("1\r\n{c}\r\n")).collect();
    let head = format!("{HEAD}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
    let answer = lab.raw(format!("{head}{chunks}0\r\n\r\n").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn requests_one_after_another_on_a_connection_are_answered_in_order() {
    let lab = Lab::new();
    let get = |path: &str, close: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: {close}\r\n\r\n")
    };
    let both = get("/health", "keep-alive") + get("/v1/none", "close").as_str();
    let answer = lab.raw(both.as_bytes());
    let at = |text: &str| answer.find(text).unwrap_or_else(|| panic!("{text}: {answer}"));
    assert!(at("HTTP/1.1 200") < at("HTTP/1.1 404"));
}

#[test]
fn heads_that_are_too_large_or_not_http_end_the_connection_only() {
    let lab = Lab::new();
    let long =
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    let many: String = (0..500).map(|i| format!("X{i}: y\r\n")).collect();
    let many = format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{many}\r\n");
    for head in [
        long.as_str(),
        &many,
        "\u{0}\u{1}\u{2}\r\n\r\n",
        "GET\r\n\r\n",
        "GET /health HTTP/9.9\r\n\r\n",
    ] {
        let answer = lab.raw(head.as_bytes());
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let two_lengths = format!("{HEAD}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}");
    let answer = lab.raw(two_lengths.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    lab.is_well();
}

#[test]
fn a_client_that_closes_its_half_early_leaves_no_request_behind() {
    let lab = Lab::new();
    let mut client = lab.connect();
    let body = json!({ "prompt": "hello", "max_tokens": 400, "ignore_eos": true }).to_string();
    client
        .write_all(format!("{HEAD}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes())
        .expect("sent");
    client.shutdown(Shutdown::Both).expect("closed");
    lab.is_well();
}

#[test]
fn a_deaf_client_is_given_up() {
    let lab = hasty();
    let mut deaf = lab.connect();
    let body = json!({ "prompt": "the", "max_tokens": 450, "ignore_eos": true, "stream": true,
                       "n": 64, "logprobs": 20, "seed": 1 })
    .to_string();
    deaf.write_all(format!("{HEAD}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes())
        .expect("sent");
    // It reads nothing. Once the buffers between us are full, the server lets it go.
    for _ in 0..1200 {
        let metrics = lab.get("/metrics").body;
        let is_gone = metrics.contains("psi_requests_running{model=\"tiny\"} 0")
            && metrics.contains("route=\"/v1/completions\"");
        if is_gone {
            lab.is_well();
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the deaf client still holds its answers: {}", lab.get("/metrics").body);
}

#[test]
fn a_server_that_ends_finishes_what_runs_and_refuses_the_rest() {
    let mut lab = Lab::new();
    lab.is_well();
    let mut client = lab.connect();
    let body = json!({ "prompt": "the", "max_tokens": 100, "ignore_eos": true, "stream": true })
        .to_string();
    let head = format!("{HEAD}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    client.write_all(head.as_bytes()).expect("sent");
    let mut first = [0; 32];
    client.read_exact(&mut first).expect("the answer began");
    lab.server.take().expect("a server").stop(Duration::from_secs(30));
    let mut rest = String::new();
    client.read_to_string(&mut rest).expect("the rest");
    assert!(rest.contains("[DONE]"), "{rest}");
    assert!(std::net::TcpStream::connect(lab.address).is_err());
}

#[test]
fn a_full_queue_is_429_with_a_time_to_come_back() {
    let lab = Lab::with(Setup { max_queue: 0, ..Setup::default() });
    let body =
        json!({ "prompt": "the", "max_tokens": 400, "ignore_eos": true, "stream": true, "n": 8 });
    lab.is_well();
    let text = body.to_string();
    // The answer may be over before the second request arrives: then once more.
    let attempt = || {
        let mut busy = lab.connect();
        busy.write_all(format!("{HEAD}Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes())
            .expect("sent");
        busy.read_exact(&mut [0; 32]).expect("the answer began");
        let refused = lab.post("/v1/completions", &json!({ "prompt": "x", "max_tokens": 1 }));
        (refused.status == 429).then_some(refused)
    };
    let refused = (0..20).find_map(|_| attempt()).expect("a request is refused");
    assert_eq!(refused.json()["error"]["code"], "queue_full");
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
}
