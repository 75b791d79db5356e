//! Thoughts and their budget, stop strings, log-probabilities, equal answers in company.

use std::sync::mpsc;

use psi_infer::chat::{ChatFinish, ChatRequest, Reasoning, ResponseFormat};
use serde_json::json;

use super::{Answer, TEMPLATE, ask, gather, model, request};

#[test]
fn thoughts_end_when_their_budget_is_spent() {
    let model = model(TEMPLATE);
    let open = model.tokenizer.id_of("<think>").expect("a token");
    let close = model.tokenizer.id_of("</think>").expect("a token");
    for budget in [0, 1, 7] {
        let reasoning = Reasoning { enabled: None, budget: Some(budget) };
        let mut asked = ChatRequest { reasoning, max_tokens: 60, ..request(3) };
        asked.sampling.logit_bias.extend([(open, 100.0), (close, -100.0)]);
        let answer = ask(&model, asked).expect("an answer");
        // The model wants nothing but to open thoughts.
        assert_eq!(answer.reasoning, "<think>".repeat(budget), "{answer:?}");
        assert!(answer.content.starts_with("<think>"), "{answer:?}");
    }
}

#[test]
fn a_schema_holds_after_thoughts() {
    let model = model(TEMPLATE);
    let open = model.tokenizer.id_of("<think>").expect("a token");
    for seed in 0..6 {
        let mut asked = ChatRequest {
            reasoning: Reasoning { enabled: None, budget: Some(20) },
            response_format: ResponseFormat::JsonSchema(json!({"enum": ["yes", "no"]})),
            ..request(seed)
        };
        asked.sampling.logit_bias.insert(open, 30.0);
        let answer = ask(&model, asked).expect("an answer");
        assert!(!answer.reasoning.is_empty(), "{answer:?}");
        assert!(answer.content == "\"yes\"" || answer.content == "\"no\"", "{answer:?}");
    }
}

#[test]
fn thoughts_that_are_not_wanted_never_begin() {
    let model = model(TEMPLATE);
    let open = model.tokenizer.id_of("<think>").expect("a token");
    let reasoning = Reasoning { enabled: Some(false), budget: None };
    let mut asked = ChatRequest { reasoning, max_tokens: 30, ..request(3) };
    asked.sampling.logit_bias.insert(open, 100.0);
    let answer = ask(&model, asked).expect("an answer");
    assert!(answer.reasoning.is_empty() && !answer.content.contains("<think>"), "{answer:?}");
}

#[test]
fn a_template_that_opens_thoughts_is_closed_or_read() {
    let model =
        model(&TEMPLATE.replace(
            "assistant\\n' -}}\n{%- endif -%}",
            "assistant\\n<think>\\n' -}}\n{%- endif -%}",
        ));
    let asked = ChatRequest { max_tokens: 10, ..request(3) };
    let answer = ask(&model, asked.clone()).expect("an answer");
    assert!(!answer.reasoning.is_empty() && answer.content.is_empty(), "{answer:?}");
    let reasoning = Reasoning { enabled: Some(false), budget: None };
    let answer = ask(&model, ChatRequest { reasoning, ..asked }).expect("an answer");
    assert!(answer.reasoning.is_empty() && !answer.content.is_empty(), "{answer:?}");
}

#[test]
fn a_stop_string_ends_the_content() {
    let model = model(TEMPLATE);
    let asked = ChatRequest { max_tokens: 60, ..request(3) };
    let whole = ask(&model, asked.clone()).expect("an answer");
    let chars: Vec<char> = whole.content.chars().collect();
    let stop: String = chars[chars.len() / 2..chars.len() / 2 + 2].iter().collect();
    let (before, _) = whole.content.split_once(&stop).expect("it is there");
    let answer = ask(&model, ChatRequest { stop: vec![stop.clone()], ..asked }).expect("an answer");
    let (finish, usage, by) = answer.end.clone().expect("an end");
    assert_eq!((answer.content.as_str(), finish, by), (before, ChatFinish::Stop, Some(stop)));
    assert!(usage.n_generated < whole.end.expect("an end").1.n_generated);
}

#[test]
fn log_probabilities_come_for_every_token() {
    let model = model(TEMPLATE);
    let asked = ChatRequest { max_tokens: 12, logprobs: Some(2), ignore_eos: true, ..request(3) };
    let answer = ask(&model, asked).expect("an answer");
    assert_eq!((answer.n_logprobs, answer.finish()), (12, ChatFinish::Length));
}

#[test]
fn answers_do_not_depend_on_company() {
    let model = model(TEMPLATE);
    let asked = |seed| ChatRequest {
        response_format: ResponseFormat::JsonSchema(
            json!({"type": "array", "items": {"type": "integer"}, "maxItems": 4}),
        ),
        max_tokens: 120,
        ..request(seed)
    };
    let alone: Vec<Answer> =
        (0..6).map(|seed| ask(&model, asked(seed)).expect("an answer")).collect();
    let together: Vec<_> = (0..6)
        .map(|seed| {
            let (sender, events) = mpsc::channel();
            let sink = Box::new(move |event| drop(sender.send(event)));
            (model.chat(asked(seed), sink).expect("taken"), events)
        })
        .collect();
    for ((_ticket, events), alone) in together.into_iter().zip(alone) {
        let answer = gather(events);
        assert_eq!((answer.reasoning, answer.content), (alone.reasoning, alone.content));
    }
}
