//! Conversations with a model of random weights: whatever it would like to say, what was asked is held.

mod asking;
mod prompting;
mod steering;

use std::sync::{
    Arc,
    mpsc::{self, Receiver},
};

use psi_infer::{
    SamplingParams,
    chat::{ChatError, ChatEvent, ChatFinish, ChatModel, ChatRequest, ToolCall},
    grammar::GrammarLimits,
    service::{Service, Usage},
};
use psi_kernels::Format;
use psi_model::{Config, Decoder};
use psi_testkit::Rng;
use psi_tokenizer::{ChatTemplate, Tokenizer, TrainOptions, train_bpe};
use serde_json::{Value, json};

use super::cpu;

/// psi-nano's template.
pub(crate) const TEMPLATE: &str = include_str!("../../../../recipes/nano/chat_template.jinja");

const SPECIAL: [&str; 9] = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
];

/// A tokenizer of 265 single tokens and a few merges.
pub(crate) fn tokenizer() -> Tokenizer {
    let options = TrainOptions {
        vocab_size: 300,
        special_tokens: SPECIAL.iter().map(|&t| t.to_owned()).collect(),
        ..TrainOptions::default()
    };
    let text = "{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}} and the weather, "
        .repeat(9);
    train_bpe(&mut std::iter::once(text.into()), &options).expect("a tokenizer")
}

/// A model of random weights with a template.
pub(crate) fn model(template: &str) -> ChatModel {
    let tokenizer = tokenizer();
    let mut config = Config::llama(32, 2, 2, tokenizer.vocab_size());
    config.special.eos = tokenizer.end_of_generation().to_vec();
    let mut rng = Rng::new(5);
    let cpu = cpu(1);
    let decoder = Decoder::from_values(&cpu, &config, Format::F32, |info| {
        let value = |_| if info.id.role.is_norm() { 1.0 } else { 0.2 * rng.uniform() };
        (0..info.n * info.k).map(value).collect()
    });
    let service =
        Service::start(&cpu, decoder.into(), super::serving::options()).expect("a service");
    let template = ChatTemplate::new(template, "", "<|endoftext|>").expect("a template");
    let limits = GrammarLimits::default();
    ChatModel::new("random".to_owned(), service, Arc::new(tokenizer), Some(template), limits)
        .expect("a model")
}

/// A whole answer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) reasoning: String,
    pub(crate) content: String,
    pub(crate) calls: Vec<ToolCall>,
    pub(crate) malformed: Vec<String>,
    pub(crate) n_logprobs: usize,
    pub(crate) end: Option<(ChatFinish, Usage, Option<String>)>,
}

impl Answer {
    pub(crate) fn finish(&self) -> ChatFinish {
        self.end.as_ref().expect("an end").0
    }
}

pub(crate) fn ask(model: &ChatModel, request: ChatRequest) -> Result<Answer, ChatError> {
    let (sender, events) = mpsc::channel();
    let _ticket = model.chat(request, Box::new(move |event| drop(sender.send(event))))?;
    Ok(gather(events))
}

/// The answer whose events these are.
pub(crate) fn gather(events: Receiver<ChatEvent>) -> Answer {
    let mut answer = Answer::default();
    for event in events {
        assert!(answer.end.is_none(), "{event:?} after the end");
        match event {
            ChatEvent::Started { .. } => {}
            ChatEvent::Reasoning(text) => answer.reasoning.push_str(&text),
            ChatEvent::Content(text) => answer.content.push_str(&text),
            ChatEvent::Malformed(why) => answer.malformed.push(why),
            ChatEvent::ToolCall { index, id, name } => {
                answer.calls.push(ToolCall { index, id, name, arguments: String::new() });
            }
            ChatEvent::ToolArguments { index, fragment } => {
                answer.calls[index].arguments.push_str(&fragment);
            }
            ChatEvent::Logprobs(tokens) => answer.n_logprobs += tokens.len(),
            ChatEvent::Finished { reason, usage, stop } => answer.end = Some((reason, usage, stop)),
            ChatEvent::Failed(why) => panic!("{why}"),
        }
    }
    answer
}

pub(crate) fn request(seed: u64) -> ChatRequest {
    ChatRequest {
        messages: vec![json!({"role": "user", "content": "hi"})],
        max_tokens: 700,
        sampling: SamplingParams { seed, ..SamplingParams::default() },
        ..ChatRequest::default()
    }
}

/// A tool with two arguments and one with none.
pub(crate) fn tools(strict: bool) -> Vec<Value> {
    let weather = json!({
        "type": "object",
        "properties": {"city": {"enum": ["Oslo", "Rome"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
        "required": ["city", "days"],
        "additionalProperties": false,
    });
    let nothing = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let tool = |name: &str, parameters: Value| json!({"type": "function", "function": {"name": name, "parameters": parameters, "strict": strict}});
    vec![tool("get_weather", weather), tool("now", nothing)]
}
