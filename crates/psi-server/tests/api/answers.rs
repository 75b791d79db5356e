//! What good requests are answered with, and that a stream tells the same as a document.

use serde_json::{Value, json};

use super::lab::Lab;

fn chat(text: &str, more: &Value) -> Value {
    let mut body = json!({
        "messages": [{ "role": "user", "content": text }], "max_tokens": 24, "seed": 3,
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

fn with_stream(body: &Value) -> Value {
    let mut body = body.clone();
    body["stream"] = json!(true);
    body
}

/// Content, calls (name and arguments) and reason to finish of one streamed answer.
type Joined = (String, Vec<(String, String)>, String);

/// What the events of a chat stream say together, per answer.
fn joined(events: &[Value], n: usize) -> Vec<Joined> {
    let mut out = vec![(String::new(), Vec::new(), String::new()); n];
    for event in events {
        for choice in event["choices"].as_array().expect("choices") {
            let (content, calls, finish) =
                &mut out[choice["index"].as_u64().expect("an index") as usize];
            let delta = &choice["delta"];
            content.push_str(delta["content"].as_str().unwrap_or(""));
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                let function = &call["function"];
                if let Some(name) = function["name"].as_str() {
                    calls.push((name.to_owned(), String::new()));
                }
                let arguments = function["arguments"].as_str().unwrap_or("");
                calls.last_mut().expect("a call").1.push_str(arguments);
            }
            finish.push_str(choice["finish_reason"].as_str().unwrap_or(""));
        }
    }
    out
}

#[test]
fn a_streamed_chat_is_the_whole_one() {
    let lab = Lab::new();
    let tool = json!({ "type": "function", "function": { "name": "clock", "parameters": {
        "type": "object", "properties": { "zone": { "enum": ["utc", "local"] } },
        "required": ["zone"], "additionalProperties": false,
    } } });
    let cases = [
        json!({}),
        json!({ "n": 3 }),
        json!({ "temperature": 0, "stop": ["e", "t"] }),
        json!({ "temperature": 1.5, "top_k": 5, "presence_penalty": 1.0, "frequency_penalty": 0.5 }),
        json!({ "response_format": { "type": "json_schema", "json_schema": { "name": "x", "schema": {
            "type": "object", "properties": { "a": { "enum": [1, 2] } }, "required": ["a"],
            "additionalProperties": false } } } }),
        json!({ "response_format": { "type": "regex", "regex": "[ab]{3,5}" } }),
        json!({ "tools": [tool], "tool_choice": "required", "max_tokens": 64 }),
    ];
    for case in cases {
        let body = chat("what is the time?", &case);
        let whole = lab.good("/v1/chat/completions", &body);
        let answer = lab.post("/v1/chat/completions", &with_stream(&body));
        assert!(answer.body.ends_with("data: [DONE]\n\n"), "{}", answer.body);
        let choices = whole["choices"].as_array().expect("choices");
        let streamed = joined(&answer.events(), choices.len());
        for (choice, (content, calls, finish)) in choices.iter().zip(streamed) {
            let message = &choice["message"];
            assert_eq!(message["content"].as_str().unwrap_or(""), content, "{case}");
            let whole: Vec<(String, String)> = message["tool_calls"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|c| {
                    let text = |name: &str| c["function"][name].as_str().expect("text").to_owned();
                    (text("name"), text("arguments"))
                })
                .collect();
            assert_eq!(whole, calls, "{case}");
            assert_eq!(choice["finish_reason"], finish.as_str(), "{case}");
        }
    }
}

#[test]
fn forms_that_are_asked_for_are_held() {
    let lab = Lab::new();
    let schema = json!({ "type": "object", "properties": { "colour": { "enum": ["red", "blue"] } },
        "required": ["colour"], "additionalProperties": false });
    let format = json!({ "type": "json_schema", "json_schema": { "name": "c", "schema": schema } });
    let body = chat("a colour", &json!({ "response_format": format, "max_tokens": 100 }));
    let answer = lab.good("/v1/chat/completions", &body);
    let content = answer["choices"][0]["message"]["content"].as_str().expect("content");
    let value: Value = serde_json::from_str(content).expect("JSON");
    assert!(value["colour"] == "red" || value["colour"] == "blue", "{content}");

    let body = json!({ "input": "a colour", "seed": 3, "max_output_tokens": 100,
        "text": { "format": { "type": "json_schema", "name": "c", "schema": schema } } });
    let answer = lab.good("/v1/responses", &body);
    let content = answer["output"][0]["content"][0]["text"].as_str().expect("text");
    assert!(serde_json::from_str::<Value>(content).is_ok(), "{content}");

    let body = json!({ "messages": [{ "role": "user", "content": "a colour" }], "max_tokens": 100,
        "seed": 3, "output_config": { "format": { "type": "json_schema", "schema": schema } } });
    let answer = lab.good("/v1/messages", &body);
    let content = answer["content"][0]["text"].as_str().expect("text");
    assert!(serde_json::from_str::<Value>(content).is_ok(), "{content}");
}

#[test]
fn a_call_that_is_required_is_made_in_every_dialect() {
    let lab = Lab::new();
    let schema = json!({ "type": "object", "properties": { "zone": { "enum": ["utc", "local"] } },
        "required": ["zone"], "additionalProperties": false });
    let is_zone = |arguments: &Value| assert!(arguments["zone"].is_string(), "{arguments}");

    let tool = json!({ "type": "function", "function": { "name": "clock", "parameters": schema } });
    let choice = json!({ "type": "function", "function": { "name": "clock" } });
    let more = json!({ "tools": [tool], "tool_choice": choice, "max_tokens": 100 });
    let answer = lab.good("/v1/chat/completions", &chat("the time?", &more));
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls", "{answer}");
    let arguments = choice["message"]["tool_calls"][0]["function"]["arguments"].as_str();
    is_zone(&serde_json::from_str(arguments.expect("arguments")).expect("JSON"));

    let body = json!({ "messages": [{ "role": "user", "content": "the time?" }], "max_tokens": 100,
        "seed": 3, "tools": [{ "name": "clock", "input_schema": schema }],
        "tool_choice": { "type": "tool", "name": "clock" } });
    let whole = lab.good("/v1/messages", &body);
    assert_eq!(whole["stop_reason"], "tool_use", "{whole}");
    let call = whole["content"].as_array().and_then(|c| c.iter().find(|b| b["type"] == "tool_use"));
    is_zone(&call.expect("a call")["input"]);

    let body = json!({ "input": "the time?", "seed": 3, "max_output_tokens": 100,
        "tools": [{ "type": "function", "name": "clock", "parameters": schema }],
        "tool_choice": { "type": "function", "name": "clock" } });
    let answer = lab.good("/v1/responses", &body);
    let call =
        answer["output"].as_array().and_then(|o| o.iter().find(|i| i["type"] == "function_call"));
    let arguments = call.expect("a call")["arguments"].as_str().expect("text");
    is_zone(&serde_json::from_str(arguments).expect("JSON"));
}

#[test]
fn streamed_messages_and_responses_are_the_whole_ones() {
    let lab = Lab::new();
    let body = json!({ "messages": [{ "role": "user", "content": "hello" }], "max_tokens": 20, "seed": 5 });
    let whole = lab.good("/v1/messages", &body);
    let events = lab.post("/v1/messages", &with_stream(&body)).events();
    let text: String = events.iter().filter_map(|e| e["delta"]["text"].as_str()).collect();
    assert_eq!(whole["content"][0]["text"].as_str().unwrap_or(""), text);
    assert_eq!(events.last().expect("events")["type"], "message_stop");
    let last = &events[events.len() - 2];
    assert_eq!(last["delta"]["stop_reason"], whole["stop_reason"]);
    assert_eq!(last["usage"]["output_tokens"], whole["usage"]["output_tokens"]);

    let body = json!({ "input": "hello", "max_output_tokens": 20, "seed": 5, "store": false });
    let whole = lab.good("/v1/responses", &body);
    let events = lab.post("/v1/responses", &with_stream(&body)).events();
    let numbers: Vec<u64> = events.iter().filter_map(|e| e["sequence_number"].as_u64()).collect();
    assert_eq!(numbers, (0..events.len() as u64).collect::<Vec<_>>());
    let text: String = events
        .iter()
        .filter(|e| e["type"] == "response.output_text.delta")
        .filter_map(|e| e["delta"].as_str())
        .collect();
    let last = &events.last().expect("events")["response"];
    assert_eq!(last["status"], whole["status"]);
    let of = |response: &Value| {
        response["output"][0]["content"][0]["text"].as_str().unwrap_or("").to_owned()
    };
    assert_eq!((of(last), of(&whole)), (text.clone(), text));
}

#[test]
fn pieces_of_tokens_are_the_text() {
    let lab = Lab::new();
    let text = "the user, für Ada \u{1f600}";
    let ids = lab.good("/tokenize", &json!({ "prompt": text }))["tokens"].clone();
    let found = lab.good("/tokenize", &json!({ "prompt": text, "with_pieces": true }));
    let tokens = found["tokens"].as_array().expect("tokens");
    let known: Vec<&Value> = tokens.iter().map(|t| &t["id"]).collect();
    assert_eq!(json!(known), ids);
    let bytes = |piece: &Value| match piece {
        Value::String(text) => text.clone().into_bytes(),
        parts => serde_json::from_value(parts.clone()).expect("bytes"),
    };
    let whole: Vec<u8> = tokens.iter().flat_map(|t| bytes(&t["piece"])).collect();
    assert_eq!(String::from_utf8(whole).as_deref(), Ok(text));
}

#[test]
fn completions_echo_score_rank_and_stop() {
    let lab = Lab::new();
    let ids =
        lab.good("/tokenize", &json!({ "prompt": "the user and the tool" }))["tokens"].clone();
    let n = ids.as_array().expect("ids").len();
    let body = json!({ "prompt": [ids, ids], "max_tokens": 1, "temperature": 0, "logprobs": 1,
                       "echo": true, "seed": 1234 });
    let answer = lab.good("/v1/completions", &body);
    assert_eq!(answer["choices"].as_array().map(Vec::len), Some(2));
    for choice in answer["choices"].as_array().expect("choices") {
        let logprobs = &choice["logprobs"];
        let scores = logprobs["token_logprobs"].as_array().expect("scores");
        assert_eq!((scores.len(), &scores[0]), (n + 1, &Value::Null));
        for (i, score) in scores.iter().enumerate().skip(1) {
            let top = logprobs["top_logprobs"][i].as_object().expect("top");
            let best = top.values().filter_map(Value::as_f64).fold(f64::NEG_INFINITY, f64::max);
            assert!(score.as_f64().expect("a number") <= best, "{i}");
        }
        // Greedy: the generated token is the most probable one, to the last bit.
        let top = logprobs["top_logprobs"][n].as_object().expect("top");
        assert_eq!(top.values().next(), scores.last());
        assert!(choice["text"].as_str().expect("text").starts_with("the user and the tool"));
    }
    let only = json!({ "prompt": "the user", "max_tokens": 0, "echo": true, "logprobs": 0 });
    let answer = lab.good("/v1/completions", &only);
    assert_eq!(answer["choices"][0]["text"], "the user");
    assert_eq!(answer["usage"]["completion_tokens"], 0);

    let ranked =
        json!({ "prompt": "the", "max_tokens": 8, "best_of": 6, "n": 2, "seed": 1, "logprobs": 0 });
    let answer = lab.good("/v1/completions", &ranked);
    let means: Vec<f64> = answer["choices"]
        .as_array()
        .expect("choices")
        .iter()
        .map(|c| {
            let scores = c["logprobs"]["token_logprobs"].as_array().expect("scores");
            let sum: f64 = scores.iter().filter_map(Value::as_f64).sum();
            sum / scores.len() as f64
        })
        .collect();
    assert!(means.len() == 2 && means[0] >= means[1], "{means:?}");

    let free = json!({ "prompt": "the", "max_tokens": 40, "temperature": 0 });
    let text =
        lab.good("/v1/completions", &free)["choices"][0]["text"].as_str().expect("text").to_owned();
    let chars: Vec<char> = text.chars().collect();
    let stop: String = chars[4..6].iter().collect();
    let mut stopped = free.clone();
    stopped["stop"] = json!([stop]);
    let answer = lab.good("/v1/completions", &stopped);
    let before = text.split(&stop).next().expect("the part before");
    assert_eq!(answer["choices"][0]["text"], before);
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    let events = lab.post("/v1/completions", &with_stream(&stopped)).events();
    let streamed: String = events.iter().filter_map(|e| e["choices"][0]["text"].as_str()).collect();
    assert_eq!(streamed, before);
}

#[test]
fn a_seed_says_what_is_written_and_answers_differ_by_theirs() {
    let lab = Lab::new();
    let body = chat("hello", &json!({ "n": 4 }));
    let first = lab.good("/v1/chat/completions", &body);
    let second = lab.good("/v1/chat/completions", &body);
    assert_eq!(first["choices"], second["choices"]);
    let contents: std::collections::HashSet<String> = first["choices"]
        .as_array()
        .expect("choices")
        .iter()
        .map(|c| c["message"]["content"].to_string())
        .collect();
    assert_eq!(contents.len(), 4);
    // The i-th answer is the only answer to seed + i.
    let third = lab.good("/v1/chat/completions", &chat("hello", &json!({ "seed": 5 })));
    assert_eq!(third["choices"][0]["message"], first["choices"][2]["message"]);
}

#[test]
fn responses_and_completions_are_kept_continued_listed_and_forgotten() {
    let lab = Lab::new();
    let first =
        lab.good("/v1/responses", &json!({ "input": "hello", "max_output_tokens": 4, "seed": 1 }));
    let id = first["id"].as_str().expect("an id");
    let body =
        json!({ "input": "and?", "previous_response_id": id, "max_output_tokens": 4, "seed": 1 });
    let second = lab.good("/v1/responses", &body);
    assert!(second["usage"]["input_tokens"].as_u64() > first["usage"]["input_tokens"].as_u64());
    assert_eq!(lab.get(&format!("/v1/responses/{id}")).json(), first);
    let items = lab.get(&format!("/v1/responses/{id}/input_items")).json();
    assert_eq!(items["data"][0]["content"][0]["text"], "hello");
    let replay = lab.get(&format!("/v1/responses/{id}?stream=true")).events();
    assert_eq!(replay.last().expect("events")["response"], first);
    assert_eq!(lab.ask("DELETE", &format!("/v1/responses/{id}"), "", b"").json()["deleted"], true);
    assert_eq!(lab.get(&format!("/v1/responses/{id}")).status, 404);

    let body = chat("hello", &json!({ "store": true, "metadata": { "a": "b" } }));
    let kept = lab.good("/v1/chat/completions", &body);
    let id = kept["id"].as_str().expect("an id");
    let found = lab.get(&format!("/v1/chat/completions/{id}")).json();
    assert_eq!((&found["choices"], &found["metadata"]["a"]), (&kept["choices"], &json!("b")));
    let page = lab.get("/v1/chat/completions?limit=1").json();
    assert_eq!(page["data"][0]["id"], id);
    let messages = lab.get(&format!("/v1/chat/completions/{id}/messages")).json();
    assert_eq!(messages["data"][0]["content"], "hello");
    let update =
        lab.good(&format!("/v1/chat/completions/{id}"), &json!({ "metadata": { "c": "d" } }));
    assert_eq!(update["metadata"], json!({ "c": "d" }));
}

#[test]
fn a_compacted_conversation_goes_on() {
    let lab = Lab::new();
    let first =
        lab.good("/v1/responses", &json!({ "input": "hello", "max_output_tokens": 4, "seed": 1 }));
    let body = json!({ "input": "and?", "previous_response_id": first["id"] });
    let compaction = lab.good("/v1/responses/compact", &body);
    assert_eq!(compaction["object"], "response.compaction");
    let output = compaction["output"].as_array().expect("items");
    let texts: Vec<&Value> = output.iter().map(|item| &item["content"][0]["text"]).collect();
    assert_eq!(texts, [&json!("hello"), &json!("and?"), &Value::Null]);
    assert_eq!(output[2]["type"], "compaction");
    let count = |input: &Value| {
        lab.good("/v1/responses/input_tokens", &json!({ "input": input }))["input_tokens"].as_u64()
    };
    // The summary is in the prompt: "three apples".
    let item = json!({ "type": "compaction", "encrypted_content": "psi1.dGhyZWUgYXBwbGVz" });
    assert!(count(&json!([output[0], item, output[1]])) > count(&json!([output[0], output[1]])));
    let input = json!([output[0], item, output[1]]);
    lab.good("/v1/responses", &json!({ "input": input, "max_output_tokens": 4 }));
    let forged = json!({ "input": [{ "type": "compaction", "encrypted_content": "gAAAAABo" }] });
    let refused = lab.post("/v1/responses", &forged);
    assert_eq!(
        (refused.status, &refused.json()["error"]["param"]),
        (400, &json!("input[0].encrypted_content"))
    );
}

#[test]
fn streams_are_padded_where_that_is_asked() {
    let lab = Lab::new();
    let options = json!({ "include_obfuscation": true });
    let asked = json!({ "stream": true, "stream_options": options, "max_tokens": 4 });
    let chunks = lab.post("/v1/chat/completions", &chat("hello", &asked)).events();
    assert!(chunks.iter().all(|c| c["obfuscation"].is_string()));
    let body =
        json!({ "prompt": "hello", "stream": true, "stream_options": options, "max_tokens": 4 });
    let chunks = lab.post("/v1/completions", &body).events();
    assert!(chunks.iter().all(|c| c["obfuscation"].is_string()));
    let body = json!({ "input": "hello", "stream": true, "stream_options": options, "max_output_tokens": 4 });
    for event in lab.post("/v1/responses", &body).events() {
        let is_delta = event["type"].as_str().expect("a type").ends_with(".delta");
        assert_eq!(event["obfuscation"].is_string(), is_delta, "{event}");
    }
}

#[test]
fn tokens_templates_models_and_counts_agree() {
    let lab = Lab::new();
    let messages = json!([{ "role": "user", "content": "hello" }]);
    let prompt = lab.good("/apply-template", &json!({ "messages": messages }));
    assert_eq!(prompt["prompt"], "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n");
    let n = prompt["tokens"].as_array().expect("tokens").len() as u64;
    let count = lab.good("/v1/messages/count_tokens", &json!({ "messages": messages }));
    assert_eq!(count["input_tokens"].as_u64(), Some(n));
    let count = lab.good("/v1/responses/input_tokens", &json!({ "input": "hello" }));
    assert_eq!(count["input_tokens"].as_u64(), Some(n));
    let usage = lab.good("/v1/chat/completions", &chat("hello", &json!({})))["usage"].clone();
    assert_eq!(usage["prompt_tokens"].as_u64(), Some(n));
    let text = lab.good("/detokenize", &json!({ "tokens": prompt["tokens"] }));
    assert_eq!(text["prompt"], prompt["prompt"]);
    let info = lab.get("/tokenizer_info").json();
    assert_eq!(info["eos_token"], "<|im_end|>");
    let models = lab.get("/v1/models").json();
    assert_eq!(
        (&models["data"][0]["id"], &models["data"][0]["loaded"]),
        (&json!("tiny"), &json!(true))
    );
    assert_eq!(lab.get("/v1/models/alias").json()["id"], "alias");
    assert_eq!(lab.get("/v1/models/none").status, 404);
    let vector = lab.good("/v1/embeddings", &json!({ "input": ["hello", "the tool"] }));
    let length = |v: &Value| -> f64 {
        v["embedding"]
            .as_array()
            .expect("numbers")
            .iter()
            .filter_map(Value::as_f64)
            .map(|x| x * x)
            .sum()
    };
    for one in vector["data"].as_array().expect("vectors") {
        assert!((length(one) - 1.0).abs() < 1e-4, "{}", length(one));
    }
}

#[test]
fn health_is_not_readiness_and_metrics_count() {
    let lab = Lab::new();
    assert_eq!(lab.get("/health").json()["status"], "ok");
    assert_eq!(lab.get("/ready").json()["status"], "ready");
    lab.is_well();
    let metrics = lab.get("/metrics").body;
    assert!(metrics.contains("psi_tokens_total{model=\"tiny\",kind=\"completion\"}"), "{metrics}");
    assert!(metrics.contains("psi_requests_running{model=\"tiny\"} 0"), "{metrics}");
    let document = lab.get("/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
}
