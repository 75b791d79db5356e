//! Conversations: what is learned is what the assistant wrote, and nothing leaks between them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use psi_tokenizer::{ChatTemplate, Tokenizer};
use psi_train::data::{DataConfig, NO_TARGET, Overlong, Packing, Rows, Turns};
use serde_json::{Value, json};

use crate::workshop::{Workshop, chat, config, segments};

fn whole(path: &str, seq_len: usize) -> DataConfig {
    DataConfig { packing: Packing::Whole, seq_len, ..config(path) }
}

/// The learned tokens of a segment as text, one entry per unbroken run.
fn learned(tokenizer: &Tokenizer, targets: &[u32]) -> Vec<String> {
    let runs = targets.split(|&t| t == NO_TARGET).filter(|run| !run.is_empty());
    runs.map(|run| tokenizer.decode(run, false)).collect()
}

/// What the template of the workshop shows of the assistant's messages.
fn assistant_parts(messages: &[Value]) -> Vec<String> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let assistant = messages.iter().filter(|m| m["role"] == "assistant");
    assistant
        .map(|m| {
            let reasoning = text(&m["reasoning_content"]);
            let mut part = if reasoning.is_empty() {
                String::new()
            } else {
                format!("<think>{reasoning}</think>")
            };
            part += &text(&m["content"]);
            for call in m["tool_calls"].as_array().into_iter().flatten() {
                let function = &call["function"];
                part += &format!(
                    "<tool_call>{{\"name\": {}, \"arguments\": {{\"x\": {}}}}}</tool_call>",
                    function["name"], function["arguments"]["x"]
                );
            }
            part + "<|im_end|>"
        })
        .collect()
}

fn conversation() -> impl Strategy<Value = Vec<Value>> {
    let text = "[a-zA-Z .,!?\n\u{e9}\u{4e2d}]{0,30}";
    let turn = (text, text, proptest::option::of(text), proptest::option::of(0..100_u32));
    let turns = proptest::collection::vec(turn, 1..4);
    (proptest::option::of(text), turns).prop_map(|(system, turns)| {
        let mut messages: Vec<Value> =
            system.map(|s| json!({"role": "system", "content": s})).into_iter().collect();
        for (user, assistant, reasoning, call) in turns {
            messages.push(json!({"role": "user", "content": user}));
            if let Some(x) = call {
                messages.push(json!({
                    "role": "assistant", "content": "", "reasoning_content": reasoning,
                    "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"x": x}}}],
                }));
                messages.push(json!({"role": "tool", "content": "the cat"}));
            }
            messages.push(json!({"role": "assistant", "content": assistant}));
        }
        messages
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn learned_tokens_are_the_assistants_in_every_packed_row(
        list in proptest::collection::vec(conversation(), 1..12),
        batch_rows in 1_usize..3,
        slack in 0_usize..30,
    ) {
        let shop = Workshop::new();
        let lines = list.iter().map(|m| format!("{}\n", json!({ "messages": m })));
        let path = shop.file("a.jsonl", lines.collect::<String>());
        // As long as the longest conversation, or a little more.
        let longest = shop.open(&whole(&path, 100_000), 0).unwrap().report().sources[0].longest;
        let seq_len = longest as usize - 1 + slack;
        let config = DataConfig { batch_rows, ..whole(&path, seq_len) };
        let mut loader = shop.open(&config, 5).unwrap();
        let mut want = BTreeMap::<Vec<String>, usize>::new();
        for messages in &list {
            *want.entry(assistant_parts(messages)).or_default() += 1;
        }
        let mut got = BTreeMap::<Vec<String>, usize>::new();
        while loader.epochs()[0] < 1.0 || got.values().sum::<usize>() < list.len() {
            let rows = loader.next_rows().unwrap();
            check_shape(&rows, batch_rows, seq_len);
            for (_, targets) in segments(&rows) {
                if got.values().sum::<usize>() < list.len() {
                    *got.entry(learned(&shop.tokenizer, targets)).or_default() += 1;
                }
            }
        }
        prop_assert_eq!(got, want);
    }
}

fn check_shape(rows: &Rows, batch_rows: usize, seq_len: usize) {
    assert!(!rows.tokens.is_empty() && rows.tokens.len() <= batch_rows * seq_len);
    assert_eq!(rows.tokens.len(), rows.targets.len());
    assert_eq!(rows.tokens.len(), rows.segments.iter().sum::<usize>());
    assert!(rows.segments.iter().all(|&n| n > 0 && n <= seq_len));
    // An empty answer is learned too: the end of its turn, which is no text.
    assert!(rows.n_targets() > 0);
}

#[test]
fn the_inputs_of_a_segment_are_one_conversation() {
    let shop = Workshop::new();
    let lines: Vec<String> = (0..20).map(|i| chat(&["cat?", &format!("dog {i}")])).collect();
    let path = shop.file("a.jsonl", lines.concat());
    let mut loader = shop.open(&whole(&path, 100), 5).unwrap();
    let mut seen = Vec::new();
    while seen.len() < 20 {
        let rows = loader.next_rows().unwrap();
        assert!(rows.bytes > 0);
        for (tokens, targets) in segments(&rows) {
            let text = shop.tokenizer.decode(tokens, false);
            assert!(
                text.starts_with("<|im_start|>user\ncat?<|im_end|>\n<|im_start|>assistant\ndog ")
            );
            assert_eq!(text.matches("<|im_start|>").count(), 2, "{text}");
            seen.push(learned(&shop.tokenizer, targets).concat());
        }
    }
    seen.sort();
    let mut want: Vec<String> = (0..20).map(|i| format!("dog {i}<|im_end|>")).collect();
    want.sort();
    assert_eq!(seen, want, "an epoch holds each conversation once");
}

#[test]
fn best_fit_leaves_little_empty() {
    let shop = Workshop::new();
    let lines: Vec<String> =
        (0..400).map(|i| chat(&["cat?", &"dog ".repeat(1 + i * 7919 % 40)])).collect();
    let path = shop.file("a.jsonl", lines.concat());
    let mut loader = shop.open(&whole(&path, 128), 5).unwrap();
    let (mut used, mut rows) = (0, 0);
    while loader.epochs()[0] < 1.0 {
        used += loader.next_rows().unwrap().tokens.len();
        rows += 1;
    }
    let fill = used as f64 / (128 * rows) as f64;
    assert!(fill > 0.95, "rows are {fill:.3} full");
}

#[test]
fn a_conversation_longer_than_a_row_is_refused_or_counted() {
    let shop = Workshop::new();
    let lines = chat(&["cat?", "dog"]) + &chat(&["cat?", &"dog ".repeat(50)]);
    let path = shop.file("a.jsonl", lines);
    let longest = shop.open(&whole(&path, 1000), 0).unwrap().report().sources[0].longest as usize;
    assert!(shop.open(&whole(&path, longest - 1), 0).is_ok(), "its last token is only a target");
    let error = shop.refused(&whole(&path, longest - 2));
    let text = error.to_string();
    assert!(
        text.contains("1 of 2")
            && text.contains("a.jsonl:2")
            && text.contains(&longest.to_string()),
        "{text}"
    );
    assert!(error.hint().unwrap().contains("drop"));
    let drop = DataConfig { overlong: Overlong::Drop, ..whole(&path, longest - 2) };
    let mut loader = shop.open(&drop, 0).unwrap();
    assert_eq!(loader.report().sources[0].overlong, 1);
    for _ in 0..5 {
        let rows = loader.next_rows().unwrap();
        assert_eq!(learned(&shop.tokenizer, &rows.targets), ["dog<|im_end|>"]);
    }
}

#[test]
fn calls_written_as_text_and_as_objects_are_the_same() {
    let shop = Workshop::new();
    let line = |arguments: Value| {
        let call = json!({"type": "function", "function": {"name": "f", "arguments": arguments}});
        json!({"messages": [
            {"role": "user", "content": "cat?"},
            {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "content": "5"},
            {"role": "assistant", "content": "dog"},
        ]})
        .to_string()
    };
    let lines = [line(json!({"x": 5})), line(json!("{\"x\": 5}"))].join("\n");
    let mut loader = shop.open(&whole(&shop.file("a.jsonl", lines), 500), 0).unwrap();
    let rows = loader.next_rows().unwrap();
    let parts: Vec<_> =
        segments(&rows).iter().map(|(_, targets)| learned(&shop.tokenizer, targets)).collect();
    let want = [
        "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": 5}}</tool_call><|im_end|>",
        "dog<|im_end|>",
    ];
    assert_eq!(parts, [want, want]);
}

#[test]
fn conversations_that_cannot_be_used_say_why() {
    let cases = [
        (json!([]), "no message of the assistant"),
        (json!("hi"), "'messages' is not a list"),
        (json!([{"role": "user"}]), "messages[0]: no 'content'"),
        (json!([{"content": "x"}]), "messages[0]: no 'role'"),
        (json!([{"role": "robot", "content": "x"}]), "unknown role 'robot'"),
        (json!([{"role": "user", "content": "x", "tool_calls": [{}]}]), "in a message of the user"),
        (
            json!([{"role": "assistant", "content": "x", "tool_calls": [{}]}]),
            "tool_calls[0]: no 'function'",
        ),
        (
            json!([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}]),
            "not JSON",
        ),
        (
            json!([{"role": "assistant", "content": "x", "reasoning_content": 5}]),
            "'reasoning_content' is not a text",
        ),
    ];
    for (messages, reason) in cases {
        let shop = Workshop::new();
        let path = shop.file("a.jsonl", json!({ "messages": messages }).to_string());
        let error = shop.refused(&whole(&path, 100)).to_string();
        assert!(error.contains(reason) && error.contains("a.jsonl:1"), "{messages}: {error}");
    }
    let shop = Workshop { template: None, ..Workshop::new() };
    let path = shop.file("a.jsonl", chat(&["cat?", "dog"]));
    let error = shop.refused(&whole(&path, 100)).to_string();
    assert!(error.contains("no chat template"), "{error}");
}

/// Takes the reasoning out of all turns but the last, as several published templates do.
const FORGETFUL: &str = "\
{% for m in messages %}<|im_start|>{{ m.role }}\n\
{% if m.reasoning_content and loop.last %}({{ m.reasoning_content }}){% endif %}{{ m.content }}<|im_end|>\n\
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

#[test]
fn a_template_that_rewrites_turns_is_named_and_can_be_learned_turn_by_turn() {
    let template = Some(ChatTemplate::new(FORGETFUL, "", "").unwrap());
    let shop = Workshop { template, ..Workshop::new() };
    let turn =
        |text: &str| json!({"role": "assistant", "content": text, "reasoning_content": "cat"});
    let user = json!({"role": "user", "content": "dog"});
    let line = json!({"messages": [user, turn("one"), user, turn("two")]}).to_string();
    let path = shop.file("a.jsonl", line);
    let error = shop.refused(&whole(&path, 200)).to_string();
    assert!(
        error.contains("turn 1 of the assistant otherwise") && error.contains("data.turns"),
        "{error}"
    );
    let each = DataConfig { turns: Turns::Each, ..whole(&path, 200) };
    let mut loader = shop.open(&each, 0).unwrap();
    assert_eq!(loader.report().sources[0].documents, 2);
    let rows = loader.next_rows().unwrap();
    let mut parts: Vec<_> =
        segments(&rows).iter().flat_map(|(_, targets)| learned(&shop.tokenizer, targets)).collect();
    parts.sort();
    assert_eq!(parts, ["(cat)one<|im_end|>", "(cat)two<|im_end|>"]);
}

/// Every published template at hand: learned together or turn by turn, the assistant's words and no others.
#[test]
fn published_templates_mark_the_assistants_words() {
    let Some(data) = psi_testkit::shared_data() else { return };
    let mut outcomes = BTreeMap::<&str, Vec<String>>::new();
    for entry in std::fs::read_dir(data.join("tokenizers/chat_templates")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "jinja") {
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        let template = ChatTemplate::new(&source, "<s>", "</s>").unwrap();
        let shop = Workshop { template: Some(template), ..Workshop::new() };
        let file = shop.file("a.jsonl", chat(&["Qone", "Aone.", "Qtwo", "Atwo."]));
        let vars = json!({"strftime_now": "2026-01-02T03:04:05"}).as_object().unwrap().clone();
        let together = DataConfig { template_vars: vars, ..whole(&file, 60_000) };
        let each = DataConfig { turns: Turns::Each, ..together.clone() };
        let (how, config) = match (shop.open(&together, 0), shop.open(&each, 0)) {
            (Ok(_), _) => ("together", together),
            (Err(_), Ok(_)) => ("each", each),
            (Err(e), Err(_)) => {
                assert!(e.to_string().contains("template"), "{e}");
                outcomes.entry("no").or_default().push(path.display().to_string());
                continue;
            }
        };
        let rows = shop.open(&config, 0).unwrap().next_rows().unwrap();
        let words: String = segments(&rows)
            .iter()
            .map(|(_, targets)| learned(&shop.tokenizer, targets).concat())
            .collect();
        assert!(words.contains("Aone.") && words.contains("Atwo."), "{}: {words}", path.display());
        assert!(!words.contains("Qone") && !words.contains("Qtwo"), "{}: {words}", path.display());
        outcomes.entry(how).or_default().push(path.display().to_string());
    }
    println!("{outcomes:#?}");
    let count = |how: &str| outcomes.get(how).map_or(0, Vec::len);
    assert!(count("together") >= 15, "{outcomes:#?}");
    assert!(count("no") <= 4, "{outcomes:#?}");
}

/// Marks what it generates itself; the colon before it belongs to no turn.
const TAGGED: &str = "{% for m in messages %}<|im_start|>{{ m.role }}: \
{% generation %}{% if m.role == 'assistant' %}{{ m.content }}<|im_end|>{% endif %}{% endgeneration %}\
{% if m.role != 'assistant' %}{{ m.content }}<|im_end|>{% endif %}{% endfor %}";

#[test]
fn generation_blocks_of_a_template_are_honoured() {
    let template = Some(ChatTemplate::new(TAGGED, "", "").unwrap());
    let shop = Workshop { template, ..Workshop::new() };
    let path = shop.file("a.jsonl", chat(&["cat", "one", "dog", "two"]));
    for turns in [Turns::Together, Turns::Each] {
        let config = DataConfig { turns, ..whole(&path, 200) };
        let rows = shop.open(&config, 0).unwrap().next_rows().unwrap();
        let mut parts: Vec<_> = segments(&rows)
            .iter()
            .flat_map(|(_, targets)| learned(&shop.tokenizer, targets))
            .collect();
        parts.sort();
        assert_eq!(parts, ["one<|im_end|>", "two<|im_end|>"], "{turns:?}");
    }
}
