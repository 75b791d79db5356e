//! Stands in for psi_infer::chat's model until it lands.

use std::{fmt, sync::Arc};

use psi_infer::{
    SamplingParams,
    service::{Event, Finish, Request, Service, SubmitError, Ticket, Usage},
    text::TextStream,
};
use psi_tokenizer::{ChatTemplate, TokenId, Tokenizer};
use serde_json::{Map, Value};

pub struct ChatModel {
    pub name: String,
    pub service: Service,
    pub tokenizer: Arc<Tokenizer>,
    pub template: Option<ChatTemplate>,
}

#[derive(Clone, Debug, Default)]
pub struct TemplateOptions {
    pub enable_thinking: Option<bool>,
    pub kwargs: Map<String, Value>,
    pub add_generation_prompt: bool,
    pub continue_last: bool,
}

#[derive(Clone, Debug, Default)]
pub enum ToolChoice {
    #[default]
    Auto,
    None,
    Required,
    Named(String),
}

#[derive(Clone, Debug, Default)]
pub enum ResponseFormat {
    #[default]
    Text,
    JsonObject,
    JsonSchema(Value),
    Regex(String),
    Grammar(String),
}

#[derive(Clone, Debug, Default)]
pub struct Reasoning {
    pub enabled: Option<bool>,
    pub budget: Option<usize>,
}

pub struct ChatRequest {
    pub messages: Vec<Value>,
    pub tools: Vec<Value>,
    pub tool_choice: ToolChoice,
    pub parallel_tool_calls: bool,
    pub response_format: ResponseFormat,
    pub reasoning: Reasoning,
    pub template_kwargs: Map<String, Value>,
    pub continue_last: bool,
    pub stop: Vec<String>,
    pub max_tokens: usize,
    pub ignore_eos: bool,
    pub min_tokens: usize,
    pub sampling: SamplingParams,
    pub logprobs: Option<usize>,
    pub adapter: Option<String>,
    pub client: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatFinish {
    Stop,
    Length,
    ToolCalls,
    Cancelled,
}

#[derive(Clone, Debug)]
pub struct TokenText {
    pub bytes: Vec<u8>,
    pub logprob: f32,
    pub top: Vec<TokenText>,
}

impl TokenText {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

#[derive(Clone, Debug)]
pub enum ChatEvent {
    Started { n_prompt: usize, n_cached: usize },
    Reasoning(String),
    Content(String),
    ToolCall { index: usize, id: String, name: String },
    ToolArguments { index: usize, fragment: String },
    Logprobs(Vec<TokenText>),
    Finished { reason: ChatFinish, usage: Usage, stop: Option<String> },
    Failed(String),
}

pub type ChatSink = Box<dyn FnMut(ChatEvent) + Send>;

#[derive(Debug)]
pub enum ChatError {
    Submit(SubmitError),
    Template(String),
}

impl fmt::Display for ChatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submit(e) => write!(f, "{e}"),
            Self::Template(e) => write!(f, "{e}"),
        }
    }
}

impl ChatModel {
    pub fn prompt(
        &self,
        messages: &[Value],
        tools: &[Value],
        options: &TemplateOptions,
    ) -> Result<Vec<TokenId>, ChatError> {
        let Some(template) = &self.template else {
            return Err(ChatError::Template("this model has no chat template".to_owned()));
        };
        let tools = (!tools.is_empty()).then(|| Value::Array(tools.to_vec()));
        let text = template
            .render(
                &Value::Array(messages.to_vec()),
                tools.as_ref(),
                options.add_generation_prompt,
                &options.kwargs,
            )
            .map_err(|e| ChatError::Template(e.to_string()))?;
        Ok(self.tokenizer.encode(&text, false, true))
    }

    pub fn chat(&self, request: ChatRequest, mut sink: ChatSink) -> Result<Ticket, ChatError> {
        let options = TemplateOptions {
            add_generation_prompt: !request.continue_last,
            ..TemplateOptions::default()
        };
        let tokens = self.prompt(&request.messages, &request.tools, &options)?;
        let n_prompt = tokens.len();
        let asked = Request {
            tokens,
            max_tokens: request.max_tokens,
            sampling: request.sampling,
            ignore_eos: request.ignore_eos,
            min_tokens: request.min_tokens,
            logprobs: request.logprobs,
            client: request.client,
            ..Request::default()
        };
        let mut text = TextStream::new(Arc::clone(&self.tokenizer), &request.stop);
        let tokenizer = Arc::clone(&self.tokenizer);
        let (mut over, mut usage) = (false, Usage { n_prompt, ..Usage::default() });
        let logprobs = request.logprobs.is_some();
        let on_event = move |event| match event {
            _ if over => {}
            Event::Started { n_cached } => {
                usage.n_cached = n_cached;
                sink(ChatEvent::Started { n_prompt, n_cached });
            }
            Event::Token(score) => {
                usage.n_generated += 1;
                if logprobs {
                    let one = |id: TokenId, logprob, top| TokenText {
                        bytes: tokenizer.token_bytes(id).to_vec(),
                        logprob,
                        top,
                    };
                    let top = score.top.iter().map(|t| one(t.token, t.logprob, Vec::new()));
                    let top = top.collect();
                    sink(ChatEvent::Logprobs(vec![one(score.id, score.logprob, top)]));
                }
                let piece = text.push(score.id);
                if !piece.is_empty() {
                    sink(ChatEvent::Content(piece));
                }
                if let Some(stop) = text.stopped_by() {
                    over = true;
                    let stop = Some(stop.to_owned());
                    sink(ChatEvent::Finished { reason: ChatFinish::Stop, usage, stop });
                }
            }
            Event::Finished { reason, .. } => {
                let rest = text.finish();
                if !rest.is_empty() {
                    sink(ChatEvent::Content(rest));
                }
                let reason = match reason {
                    Finish::Length => ChatFinish::Length,
                    Finish::Cancelled => ChatFinish::Cancelled,
                    _ => ChatFinish::Stop,
                };
                sink(ChatEvent::Finished { reason, usage, stop: None });
            }
            Event::Failed(why) => sink(ChatEvent::Failed(why)),
            Event::Prompt(_) => {}
        };
        self.service.submit(asked, Box::new(on_event)).map_err(ChatError::Submit)
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Pooling {
    Mean,
    Last,
}

pub trait StandIn {
    fn adapters(&self) -> Vec<String> {
        Vec::new()
    }
    fn load_adapter(&self, _: &str, _: &std::path::Path) -> Result<(), String> {
        Err("not yet".to_owned())
    }
    fn unload_adapter(&self, _: &str) -> Result<(), String> {
        Err("not yet".to_owned())
    }
    fn embed(&self, _: Vec<TokenId>, _: Pooling) -> Result<Vec<f32>, SubmitError> {
        Err(SubmitError::Stopped)
    }
}

impl StandIn for Service {}
