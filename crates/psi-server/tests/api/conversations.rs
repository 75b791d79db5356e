//! Conversations that are kept: what they hold, how responses make them grow, whose they are.

use serde_json::{Value, json};

use crate::lab::{Lab, Setup};

fn items(lab: &Lab, id: &str) -> Vec<Value> {
    let page = lab.get(&format!("/v1/conversations/{id}/items?order=asc&limit=100")).json();
    page["data"].as_array().expect("items").clone()
}

fn id_of(value: &Value) -> String {
    value["id"].as_str().expect("an id").to_owned()
}

#[test]
fn conversations_are_kept_changed_and_forgotten() {
    let dir = tempfile::tempdir().expect("a folder");
    let lab = Lab::with(Setup { store: Some(dir.path().to_owned()), ..Setup::default() });
    let said = json!({ "role": "user", "content": "the user" });
    let begun = json!({ "items": [said], "metadata": { "topic": "x" } });
    let begun = lab.good("/v1/conversations", &begun);
    let id = id_of(&begun);
    assert_eq!(
        (&begun["object"], &begun["metadata"]["topic"]),
        (&json!("conversation"), &json!("x"))
    );
    let more = json!({ "items": [{ "type": "message", "role": "assistant", "content": "tool", "phase": "commentary" }] });
    let added = lab.good(&format!("/v1/conversations/{id}/items"), &more);
    assert_eq!(added["data"][0]["content"][0]["type"], "output_text", "{added}");
    assert_eq!(added["data"][0]["phase"], "commentary", "{added}");
    let all = items(&lab, &id);
    assert_eq!((all.len(), &all[0]["content"][0]["text"]), (2, &json!("the user")));

    // Another server over the same folder has it too.
    let lab = Lab::with(Setup { store: Some(dir.path().to_owned()), ..Setup::default() });
    assert_eq!(items(&lab, &id), all);
    let first = format!("/v1/conversations/{id}/items/{}", id_of(&all[0]));
    assert_eq!(lab.get(&first).json(), all[0]);
    assert_eq!(lab.ask("DELETE", &first, "", b"").json()["id"], *id);
    assert_eq!((lab.get(&first).status, items(&lab, &id)), (404, all[1..].to_vec()));
    let noted = json!({ "metadata": { "topic": "y" } });
    assert_eq!(lab.good(&format!("/v1/conversations/{id}"), &noted)["metadata"]["topic"], "y");
    let path = format!("/v1/conversations/{id}");
    let gone = lab.ask("DELETE", &path, "", b"").json();
    assert_eq!((&gone["object"], &gone["deleted"]), (&json!("conversation.deleted"), &json!(true)));
    assert_eq!((lab.get(&path).status, lab.ask("DELETE", &path, "", b"").status), (404, 404));
}

#[test]
fn responses_go_on_from_a_conversation_and_add_to_it() {
    let lab = Lab::new();
    let id = id_of(&lab.good("/v1/conversations", &json!({})));
    let ask = |text: &str, conversation: &Value, stream: bool| {
        let body = json!({ "input": text, "conversation": conversation, "store": false, "stream": stream,
                           "max_output_tokens": 6, "temperature": 0, "seed": 1 });
        lab.post("/v1/responses", &body)
    };
    let first = ask("the user", &json!(id), false).json();
    assert_eq!(first["conversation"]["id"], *id, "{first}");
    let streamed = ask("and the tool", &json!({ "id": id }), true);
    assert!(
        streamed.body.contains("response.completed")
            || streamed.body.contains("response.incomplete")
    );
    let all = items(&lab, &id);
    let roles: Vec<&Value> = all.iter().map(|i| &i["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant"], "{all:?}");
    assert_eq!(all[1]["content"][0]["text"], first["output"][0]["content"][0]["text"]);
    // The prompt is that of the same items given whole.
    let whole: Vec<Value> = all[..3].to_vec();
    let count = |body: &Value| lab.good("/v1/responses/input_tokens", body)["input_tokens"].clone();
    let last = id_of(&all[3]);
    lab.ask("DELETE", &format!("/v1/conversations/{id}/items/{last}"), "", b"");
    assert_eq!(count(&json!({ "conversation": id })), count(&json!({ "input": whole })));
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let lab = Lab::new();
    let id = id_of(&lab.good("/v1/conversations", &json!({})));
    let many = vec![json!({ "role": "user", "content": "x" }); 21];
    let call = json!({ "type": "function_call", "call_id": "c", "name": "f", "arguments": "[" });
    let items = format!("/v1/conversations/{id}/items");
    for (path, body, status, why) in [
        ("/v1/conversations", json!({ "items": many }), 400, "more than 20"),
        ("/v1/conversations", json!({ "items": [call] }), 400, "arguments"),
        ("/v1/conversations", json!({ "metadata": { "x": "y".repeat(513) } }), 400, "metadata"),
        (&items, json!({ "items": [{ "role": "nobody", "content": "x" }] }), 400, "nobody"),
        (&items, json!({}), 400, "items"),
        ("/v1/conversations/conv_4711/items", json!({ "items": [] }), 404, "conv_4711"),
        ("/v1/responses", json!({ "input": "x", "conversation": "conv_4711" }), 404, "conv_4711"),
        ("/v1/responses", json!({ "input": "x", "conversation": 7 }), 400, "conversation"),
        (
            "/v1/responses",
            json!({ "input": "x", "conversation": id, "previous_response_id": "r" }),
            400,
            "give one",
        ),
    ] {
        let answer = lab.post(path, &body);
        assert!(answer.status == status && answer.body.contains(why), "{path}: {}", answer.body);
    }
    // What is kept as something else is no conversation.
    let response = lab.good("/v1/responses", &json!({ "input": "x", "max_output_tokens": 1 }));
    assert_eq!(lab.get(&format!("/v1/conversations/{}", id_of(&response))).status, 404);
}
