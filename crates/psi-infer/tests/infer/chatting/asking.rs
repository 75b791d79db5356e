//! Formats, tools and their choice.

use psi_infer::chat::{
    ChatError, ChatFinish, ChatRequest, Reasoning, ResponseFormat, ToolCall, ToolChoice,
};
use serde_json::{Value, json};

use super::{TEMPLATE, ask, model, request, tools};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "colour": {"enum": ["red", "green"]},
            "n": {"type": "integer", "minimum": 0, "maximum": 99},
            "ok": {"type": "boolean"},
        },
        "required": ["colour", "n", "ok"],
        "additionalProperties": false,
    })
}

fn is_valid(text: &str) -> bool {
    let value: Value = serde_json::from_str(text).expect(text);
    let colour = value["colour"] == "red" || value["colour"] == "green";
    colour && value["n"].as_u64().is_some_and(|n| n < 100) && value["ok"].is_boolean()
}

fn is_call(call: &ToolCall) -> bool {
    let arguments: Value = serde_json::from_str(&call.arguments).expect("JSON");
    match call.name.as_str() {
        "get_weather" => {
            let city = arguments["city"] == "Oslo" || arguments["city"] == "Rome";
            city && arguments["days"].as_u64().is_some_and(|d| (1..=9).contains(&d))
        }
        "now" => arguments == json!({}),
        _ => false,
    }
}

fn no_thoughts() -> Reasoning {
    Reasoning { enabled: Some(false), budget: None }
}

#[test]
fn an_answer_follows_its_schema_whatever_the_model_likes() {
    let model = model(TEMPLATE);
    for seed in 0..12 {
        let response_format = ResponseFormat::JsonSchema(schema());
        let request = ChatRequest { response_format, reasoning: no_thoughts(), ..request(seed) };
        let answer = ask(&model, request).expect("an answer");
        assert_eq!(answer.finish(), ChatFinish::Stop, "{answer:?}");
        assert!(is_valid(&answer.content), "{answer:?}");
    }
}

#[test]
fn an_answer_follows_a_regex_and_a_grammar() {
    let model = model(TEMPLATE);
    let regex = ResponseFormat::Regex("^[ab]{3}-(yes|no)$".to_owned());
    let lark = ResponseFormat::Grammar("start: \"<\" (start | /[0-9]{2}/) \">\"".to_owned());
    let gbnf = ResponseFormat::Grammar("root ::= \"(\" (root | [x-z]) \")\"".to_owned());
    for seed in 0..6 {
        let ask = |format: &ResponseFormat| {
            let response_format = format.clone();
            let request =
                ChatRequest { response_format, reasoning: no_thoughts(), ..request(seed) };
            ask(&model, request).expect("an answer").content
        };
        let text = ask(&regex);
        assert!(text.len() >= 6 && (text.ends_with("-yes") || text.ends_with("-no")), "{text}");
        let text = ask(&lark);
        assert!(text.trim_start_matches('<').trim_end_matches('>').len() == 2, "{text}");
        let text = ask(&gbnf);
        assert!(text.trim_start_matches('(').trim_end_matches(')').len() == 1, "{text}");
    }
}

#[test]
fn a_demanded_call_is_made_and_is_right() {
    let model = model(TEMPLATE);
    for seed in 0..8 {
        let tool_choice = ToolChoice::Required;
        let asked = ChatRequest {
            tools: tools(false),
            tool_choice,
            reasoning: no_thoughts(),
            ..request(seed)
        };
        let answer = ask(&model, asked).expect("an answer");
        assert_eq!(
            (answer.finish(), answer.content.as_str()),
            (ChatFinish::ToolCalls, ""),
            "{answer:?}"
        );
        assert!(!answer.calls.is_empty() && answer.calls.iter().all(is_call), "{answer:?}");

        let tool_choice = ToolChoice::Named("now".to_owned());
        let asked = ChatRequest {
            tools: tools(false),
            tool_choice,
            parallel_tool_calls: false,
            reasoning: no_thoughts(),
            ..request(seed)
        };
        let answer = ask(&model, asked).expect("an answer");
        assert_eq!(answer.finish(), ChatFinish::ToolCalls);
        let names: Vec<&str> = answer.calls.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["now"], "{answer:?}");
    }
}

#[test]
fn strict_tools_are_held_once_a_call_begins() {
    let model = model(TEMPLATE);
    let mark = model.tokenizer.id_of("<tool_call>").expect("a token");
    for seed in 0..8 {
        let mut asked = ChatRequest {
            tools: tools(true),
            parallel_tool_calls: false,
            reasoning: no_thoughts(),
            ..request(seed)
        };
        asked.sampling.logit_bias.insert(mark, 100.0);
        let answer = ask(&model, asked).expect("an answer");
        assert_eq!(answer.finish(), ChatFinish::ToolCalls, "{answer:?}");
        assert!(answer.calls.len() == 1 && is_call(&answer.calls[0]), "{answer:?}");
    }
}

#[test]
fn beside_a_schema_there_are_calls_or_valid_content() {
    let model = model(TEMPLATE);
    let (mut n_calls, mut n_texts) = (0, 0);
    for seed in 0..24 {
        let asked = ChatRequest {
            tools: tools(true),
            response_format: ResponseFormat::JsonSchema(schema()),
            reasoning: no_thoughts(),
            ..request(seed)
        };
        let answer = ask(&model, asked).expect("an answer");
        let is_right = match answer.calls.is_empty() {
            true => is_valid(&answer.content),
            false => answer.content.is_empty() && answer.calls.iter().all(is_call),
        };
        assert!(is_right, "{answer:?}");
        n_calls += usize::from(!answer.calls.is_empty());
        n_texts += usize::from(answer.calls.is_empty());
    }
    assert!(n_calls > 0 && n_texts > 0, "{n_calls} calls, {n_texts} texts");
}

#[test]
fn no_tool_is_called_when_none_may_be() {
    let model = model(TEMPLATE);
    let mark = model.tokenizer.id_of("<tool_call>").expect("a token");
    let mut asked = ChatRequest {
        tools: tools(false),
        tool_choice: ToolChoice::None,
        max_tokens: 40,
        ..request(1)
    };
    asked.sampling.logit_bias.insert(mark, 100.0);
    let answer = ask(&model, asked).expect("an answer");
    assert!(answer.calls.is_empty() && !answer.content.contains("<tool_call>"), "{answer:?}");
}

#[test]
fn what_cannot_be_held_is_refused_with_its_place() {
    let model = model(TEMPLATE);
    let field_of = |request: ChatRequest| {
        let error = ask(&model, request).expect_err("a refusal");
        let field = error.field().map(str::to_owned);
        (field.unwrap_or_default(), error.to_string())
    };
    let not = json!({"properties": {"a": {"not": {"type": "null"}}}});
    let response_format = ResponseFormat::JsonSchema(not.clone());
    let (field, why) = field_of(ChatRequest { response_format, ..request(0) });
    assert_eq!(field, "response_format");
    assert!(why.contains("'not' at #/properties/a/not"), "{why}");

    let mut strict = tools(true);
    strict[1]["function"]["parameters"] = not;
    let (field, why) = field_of(ChatRequest { tools: strict, ..request(0) });
    assert_eq!(field, "tools[1].function.parameters");
    assert!(why.contains("'not' at #/properties/a/not"), "{why}");

    let named = ToolChoice::Named("other".to_owned());
    let (field, _) =
        field_of(ChatRequest { tools: tools(false), tool_choice: named, ..request(0) });
    assert_eq!(field, "tool_choice");
    let (field, _) = field_of(ChatRequest { tool_choice: ToolChoice::Required, ..request(0) });
    assert_eq!(field, "tool_choice");
    let response_format = ResponseFormat::Regex("(".to_owned());
    let error = ask(&model, ChatRequest { response_format, ..request(0) }).expect_err("a refusal");
    assert!(matches!(error, ChatError::Grammar { .. }), "{error}");
}

#[test]
fn calls_without_marks_are_demanded_too() {
    // A template that knows nothing of tools: the prompt shows them, the answer is bare JSON.
    let template = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
                    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    let model = model(template);
    let prompt = model.prompt(&request(0).messages, &tools(false), &super::prompting::open());
    let prompt = model.tokenizer.decode(&prompt.expect("a prompt"), false);
    assert!(prompt.contains("get_weather"), "{prompt}");
    for seed in 0..6 {
        let tool_choice = ToolChoice::Required;
        let asked = ChatRequest { tools: tools(false), tool_choice, ..request(seed) };
        let answer = ask(&model, asked).expect("an answer");
        assert_eq!(answer.finish(), ChatFinish::ToolCalls, "{answer:?}");
        assert!(!answer.calls.is_empty() && answer.calls.iter().all(is_call), "{answer:?}");
    }
}
