//! Many clients at once: everyone gets what they would get alone.

use serde_json::{Value, json};

use super::lab::Lab;

/// A different request for each number.
fn request(i: u64) -> (&'static str, Value) {
    let text = ["hello", "the user and the tool", "what is the time?", "thanks"][i as usize % 4];
    let messages = json!([{ "role": "user", "content": text }]);
    match i % 5 {
        0 => ("/v1/completions", json!({ "prompt": text, "max_tokens": 12, "seed": i, "n": 2 })),
        1 => (
            "/v1/chat/completions",
            json!({ "messages": messages, "max_tokens": 16, "seed": i,
              "logprobs": true, "top_logprobs": 2 }),
        ),
        2 => ("/v1/messages", json!({ "messages": messages, "max_tokens": 10, "seed": i })),
        3 => (
            "/v1/responses",
            json!({ "input": text, "max_output_tokens": 14, "seed": i, "store": false }),
        ),
        _ => (
            "/v1/chat/completions",
            json!({ "messages": messages, "max_tokens": 20, "seed": i,
              "response_format": { "type": "regex", "regex": "[a-z ]{4,9}" } }),
        ),
    }
}

/// What the model said, without ids, times and what the cache knew.
fn said(document: &Value) -> Value {
    let mut document = document.clone();
    let object = document.as_object_mut().expect("an object");
    for name in ["id", "created", "created_at", "usage"] {
        object.remove(name);
    }
    for item in document["output"].as_array_mut().into_iter().flatten() {
        item["id"] = Value::Null;
    }
    document
}

#[test]
fn everyone_gets_what_they_would_get_alone() {
    let lab = Lab::new();
    let alone: Vec<Value> = (0..20)
        .map(|i| {
            let (path, body) = request(i);
            said(&lab.good(path, &body))
        })
        .collect();
    std::thread::scope(|scope| {
        for round in 0..2 {
            for (i, alone) in alone.iter().enumerate() {
                let lab = &lab;
                std::thread::Builder::new()
                    .name(format!("client-{round}-{i}"))
                    .spawn_scoped(scope, move || {
                        let (path, body) = request(i as u64);
                        assert_eq!(&said(&lab.good(path, &body)), alone, "{path} {body}");
                    })
                    .expect("a client");
            }
        }
    });
}

#[test]
fn clients_that_leave_take_nothing_with_them() {
    use std::io::{Read, Write};
    let lab = Lab::new();
    let body = json!({ "prompt": "the", "max_tokens": 400, "ignore_eos": true, "stream": true })
        .to_string();
    for i in 0..30 {
        let mut client = lab.connect();
        let head = format!(
            "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        client.write_all(format!("{head}{body}").as_bytes()).expect("sent");
        let mut first = [0; 64];
        if i % 2 == 0 {
            client.read_exact(&mut first).expect("the answer began");
        }
        drop(client);
    }
    lab.is_well();
    // Every answer that nobody wants any more ends, and gives its blocks back.
    for _ in 0..600 {
        let metrics = lab.get("/metrics").body;
        if metrics.contains("psi_requests_running{model=\"tiny\"} 0") {
            assert!(metrics.contains("psi_cache_blocks_used{model=\"tiny\"} 0"), "{metrics}");
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("abandoned requests go on: {}", lab.get("/metrics").body);
}
