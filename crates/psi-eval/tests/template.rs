//! psi-nano's chat template: psi renders it as Jinja2 does, and a turn stays as it was written.

use std::borrow::Cow;

use psi_eval::{
    skills::{Mix, generate},
    split::Split,
};
use psi_testkit::golden_dir;
use psi_tokenizer::{ChatTemplate, TrainOptions, train_bpe};
use serde_json::{Map, Value};

const TEMPLATE: &str = include_str!("../../../recipes/nano/chat_template.jinja");

fn template() -> ChatTemplate {
    ChatTemplate::new(TEMPLATE, "", "<|endoftext|>").expect("a valid template")
}

fn render(messages: &[Value], tools: &Value, prompt: bool) -> String {
    let messages = Value::Array(messages.to_vec());
    template().render(&messages, Some(tools), prompt, &Map::new()).expect("it renders")
}

fn golden() -> Vec<Value> {
    let text = std::fs::read_to_string(golden_dir().join("nano/chat_template.jsonl"));
    let text = text.expect("the committed renderings");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn the_template_renders_as_in_jinja2() {
    let rows = golden();
    assert!(rows.len() >= 20);
    for row in rows {
        let messages = row["messages"].as_array().expect("messages");
        let prompt = row["add_generation_prompt"] == true;
        assert_eq!(render(messages, &row["tools"], prompt), row["text"], "{row}");
    }
}

#[test]
fn a_conversation_up_to_a_turn_is_a_prefix_of_the_whole() {
    for row in golden() {
        let messages = row["messages"].as_array().expect("messages");
        let whole = render(messages, &row["tools"], false);
        for (i, message) in messages.iter().enumerate() {
            if message["role"] == "assistant" {
                let start = render(&messages[..i], &row["tools"], true);
                let end = render(&messages[..=i], &row["tools"], false);
                assert!(end.starts_with(&start) && whole.starts_with(&end), "{row}");
            }
        }
    }
}

#[test]
fn conversations_fit_the_context_of_1024_tokens() {
    let template = template();
    let rendered: Vec<String> = (0..6000)
        .map(|index| {
            let line = generate(Split::Train, 21, index, &Mix::default()).to_json();
            let tools = Some(&line["tools"]);
            template.render(&line["messages"], tools, false, &Map::new()).expect("it renders")
        })
        .collect();
    let options = TrainOptions {
        vocab_size: 2048,
        pattern: TrainOptions::SINGLE_DIGITS.to_owned(),
        special_tokens: ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].map(str::to_owned).to_vec(),
        ..TrainOptions::default()
    };
    let mut texts = rendered.iter().map(|text| Cow::Borrowed(text.as_str()));
    let tokenizer = train_bpe(&mut texts, &options).expect("a tokenizer");
    let longest = rendered.iter().map(|text| tokenizer.encode(text, false, true).len()).max();
    assert!(longest.expect("some") <= 1024, "{longest:?}");
}
