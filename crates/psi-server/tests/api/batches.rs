//! Batches of messages: what they answer, how they end, what a server that stops leaves to the next.

use std::time::Duration;

use serde_json::{Value, json};

use crate::lab::{Lab, Setup};

const PATH: &str = "/v1/messages/batches";

fn request(name: &str, text: &str, max_tokens: usize) -> Value {
    let params = json!({ "max_tokens": max_tokens, "temperature": 0.0, "seed": 3,
                         "messages": [{ "role": "user", "content": text }] });
    json!({ "custom_id": name, "params": params })
}

fn create(lab: &Lab, requests: &[Value]) -> String {
    let batch = lab.good(PATH, &json!({ "requests": requests }));
    assert_eq!(
        (&batch["type"], &batch["processing_status"]),
        (&json!("message_batch"), &json!("in_progress"))
    );
    assert_eq!(batch["request_counts"]["processing"], requests.len());
    assert_eq!(batch["results_url"], Value::Null);
    batch["id"].as_str().expect("an id").to_owned()
}

/// Waits until a batch has ended.
fn ended(lab: &Lab, id: &str) -> Value {
    for _ in 0..6000 {
        let batch = lab.get(&format!("{PATH}/{id}")).json();
        if batch["processing_status"] == "ended" {
            return batch;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the batch {id} does not end");
}

fn results(lab: &Lab, id: &str) -> Vec<Value> {
    let lines = lab.get(&format!("{PATH}/{id}/results"));
    assert_eq!(lines.status, 200, "{}", lines.body);
    lines.body.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn on(dir: &tempfile::TempDir) -> Lab {
    Lab::with(Setup { store: Some(dir.path().to_owned()), ..Setup::default() })
}

#[test]
fn a_batch_gives_every_request_the_answer_it_gets_alone_and_a_bad_one_fails_by_itself() {
    let lab = Lab::new();
    let mut requests: Vec<Value> =
        (0..12).map(|i| request(&format!("r{i}"), &format!("the user {i}"), 6)).collect();
    requests.push(json!({ "custom_id": "bad", "params": { "max_tokens": 6, "colour": "red" } }));
    let mut streamed = request("streamed", "the user", 6);
    streamed["params"]["stream"] = json!(true);
    requests.push(streamed);
    let id = create(&lab, &requests);
    let batch = ended(&lab, &id);
    let counts =
        json!({ "processing": 0, "succeeded": 12, "errored": 2, "canceled": 0, "expired": 0 });
    assert_eq!(batch["request_counts"], counts);
    assert_eq!(batch["results_url"], format!("{PATH}/{id}/results"));
    let results = results(&lab, &id);
    assert_eq!(results.len(), requests.len());
    for (request, line) in requests.iter().zip(&results) {
        assert_eq!(line["custom_id"], request["custom_id"]);
        if line["result"]["type"] == "succeeded" {
            let alone = lab.good("/v1/messages", &request["params"]);
            assert_eq!(line["result"]["message"]["content"], alone["content"], "{line}");
        }
    }
    let why = |at: usize| results[at]["result"]["error"]["error"]["message"].to_string();
    assert!(why(12).contains("colour") && why(13).contains("stream"), "{} {}", why(12), why(13));
    assert_eq!(results[12]["result"]["error"]["error"]["type"], "invalid_request_error");
}

#[test]
fn a_cancelled_batch_begins_no_more_and_only_what_has_ended_is_forgotten() {
    let lab = Lab::new();
    let requests: Vec<Value> =
        (0..64).map(|i| request(&format!("r{i}"), "the user", 400)).collect();
    let id = create(&lab, &requests);
    let path = format!("{PATH}/{id}");
    assert_eq!(lab.get(&format!("{path}/results")).status, 400);
    assert_eq!(lab.ask("DELETE", &path, "", b"").status, 400);
    let cancelled = lab.post(&format!("{path}/cancel"), &json!({})).json();
    assert_eq!(cancelled["processing_status"], "canceling");
    let counts = ended(&lab, &id)["request_counts"].clone();
    let n = |name: &str| counts[name].as_u64().expect("a count");
    assert!(n("canceled") > 0 && n("canceled") + n("succeeded") == 64, "{counts}");
    let lines = results(&lab, &id);
    assert_eq!(
        lines.iter().filter(|l| l["result"]["type"] == "canceled").count() as u64,
        n("canceled")
    );
    assert_eq!(lab.ask("DELETE", &path, "", b"").json()["type"], "message_batch_deleted");
    assert_eq!((lab.get(&path).status, lab.ask("DELETE", &path, "", b"").status), (404, 404));
}

#[test]
fn the_next_server_ends_what_the_last_one_left() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut lab = on(&dir);
    let requests: Vec<Value> =
        (0..40).map(|i| request(&format!("r{i}"), "the tool", 300)).collect();
    let id = create(&lab, &requests);
    lab.server.take().expect("a server").stop(Duration::ZERO);
    let lab = on(&dir);
    assert_eq!(ended(&lab, &id)["request_counts"]["succeeded"], 40);
    assert_eq!(results(&lab, &id).len(), 40);
}

#[test]
fn batches_are_listed_newest_first_in_pages() {
    let dir = tempfile::tempdir().expect("a folder");
    let lab = on(&dir);
    let ids: Vec<String> = (0..5).map(|_| create(&lab, &[request("r", "the user", 1)])).collect();
    let page = |query: &str| lab.get(&format!("{PATH}?{query}")).json();
    let ids_of = |page: &Value| -> Vec<String> {
        let data = page["data"].as_array().expect("batches");
        data.iter().map(|b| b["id"].as_str().expect("an id").to_owned()).collect()
    };
    let first = page("limit=2");
    assert_eq!(ids_of(&first), [ids[4].clone(), ids[3].clone()]);
    assert_eq!((&first["has_more"], &first["last_id"]), (&json!(true), &json!(ids[3])));
    assert_eq!(
        ids_of(&page(&format!("limit=9&after_id={}", ids[3]))),
        [&*ids[2], &*ids[1], &*ids[0]]
    );
    assert_eq!(ids_of(&page(&format!("limit=1&before_id={}", ids[2]))), [&*ids[3]]);
    assert_eq!(lab.get(&format!("{PATH}?limit=0")).status, 400);
    assert_eq!(lab.get(&format!("{PATH}?after_id=x")).status, 400);
}

#[test]
fn no_more_batches_are_kept_than_there_may_be() {
    let lab = Lab::new();
    let ids: Vec<String> = (0..64)
        .map(|_| {
            let id = create(&lab, &[request("r", "the user", 1)]);
            ended(&lab, &id);
            id
        })
        .collect();
    let body = json!({ "requests": [request("r", "the user", 1)] });
    let refused = lab.post(PATH, &body);
    assert!(refused.status == 400 && refused.body.contains("64 batches"), "{}", refused.body);
    lab.ask("DELETE", &format!("{PATH}/{}", ids[3]), "", b"");
    assert_eq!(lab.post(PATH, &body).status, 200);
}

#[test]
fn a_batch_that_is_none_is_refused_by_name() {
    let lab = Lab::new();
    let good = request("r", "x", 1);
    let named = |name: &str| request(name, "x", 1);
    for (requests, why) in [
        (json!([]), "requests"),
        (json!([named("")]), "requests[0].custom_id"),
        (json!([good, named("a b")]), "requests[1].custom_id"),
        (json!([named(&"x".repeat(65))]), "requests[0].custom_id"),
        (json!([good, good]), "twice"),
        (json!([{ "custom_id": "r", "params": 7 }]), "requests[0].params"),
        (json!([{ "custom_id": "r" }]), "params"),
    ] {
        let answer = lab.post(PATH, &json!({ "requests": requests }));
        assert!(answer.status == 400 && answer.body.contains(why), "{requests}: {}", answer.body);
    }
    for (method, path) in [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/results")] {
        let answer = lab.ask(method, &format!("{PATH}/msgbatch_4711{path}"), "", b"");
        assert!(answer.status == 404 && answer.body.contains("msgbatch_4711"), "{}", answer.body);
    }
    // What is kept as something else is no batch.
    let kept = lab.good("/v1/responses", &json!({ "input": "x", "max_output_tokens": 1 }));
    let id = kept["id"].as_str().expect("an id");
    assert_eq!(lab.get(&format!("{PATH}/{id}")).status, 404);
}
