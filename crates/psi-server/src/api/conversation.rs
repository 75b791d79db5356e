//! What the chat routes have in common: one way to ask a model, whichever dialect the request came in.

use std::sync::Arc;

use psi_infer::chat::{
    ChatError, ChatEvent, ChatFinish, ChatRequest, ChatSink, Reasoning, ResponseFormat,
    TemplateOptions, TokenText, ToolChoice,
};
use psi_infer::{SamplingParams, service::Usage};
use psi_tokenizer::TokenId;
use serde_json::{Map, Value, json};

use super::{
    error::ApiError,
    gate::{Call, blocking},
    jobs::{Jobs, Meter, Sender, Submit, refused},
    models::Served,
    sampling,
};

/// What is asked, in no dialect.
#[derive(Clone)]
pub(crate) struct Ask {
    /// In OpenAI's shape, as chat templates read them.
    pub(crate) messages: Vec<Value>,
    pub(crate) tools: Vec<Value>,
    pub(crate) tool_choice: ToolChoice,
    pub(crate) parallel_tool_calls: bool,
    pub(crate) response_format: ResponseFormat,
    pub(crate) reasoning: Reasoning,
    pub(crate) template_kwargs: Map<String, Value>,
    pub(crate) continue_last: bool,
    pub(crate) stop: Vec<String>,
    pub(crate) max_tokens: Option<usize>,
    pub(crate) ignore_eos: bool,
    pub(crate) min_tokens: usize,
    pub(crate) sampling: SamplingParams,
    pub(crate) logprobs: Option<usize>,
    pub(crate) n: usize,
    pub(crate) client: String,
    /// How the dialect calls its list of messages, for errors.
    pub(crate) messages_param: &'static str,
}

impl Ask {
    /// The prompt's tokens.
    pub(crate) fn prompt(&self, served: &Served) -> Result<Vec<TokenId>, ApiError> {
        let options = TemplateOptions {
            enable_thinking: self.reasoning.enabled,
            kwargs: self.template_kwargs.clone(),
            add_generation_prompt: !self.continue_last,
            continue_last: self.continue_last,
        };
        let prompt = served.model.prompt(&self.messages, &self.tools, &options);
        prompt.map_err(|e| self.refused(e))
    }

    /// Starts every answer.
    pub(crate) async fn start(
        self,
        call: &Call,
        served: &Served,
    ) -> Result<Jobs<ChatEvent>, ApiError> {
        let (api, key, record) =
            (Arc::clone(&call.api), Arc::clone(&call.key), Arc::clone(&call.record));
        let served = served.clone();
        blocking(&call.api, move || {
            let n_prompt = self.prompt(&served)?.len();
            let limit = served.model.service.max_context();
            let max_tokens = self.max_tokens.unwrap_or(limit.saturating_sub(n_prompt));
            if max_tokens == 0 || n_prompt + max_tokens > limit {
                let max_tokens = max_tokens.max(1);
                return Err(ApiError::ContextOverflow { n_prompt, max_tokens, limit });
            }
            let needed = (n_prompt + max_tokens) as u64;
            // All of it at once, so that several answers are given or none.
            drop(key.reserve(needed * self.n as u64, api.unix_s())?);
            let n = self.n;
            let submit: Submit<ChatEvent> = Box::new(move |index, sender| {
                let reservation = key.reserve(needed, api.unix_s())?;
                let meter = Meter::new(&api, &record, &served, reservation, n_prompt);
                let request = self.request(index, max_tokens, &served);
                let ticket = served.model.chat(request, metered(meter, index, sender));
                ticket.map_err(|e| self.refused(e))
            });
            Jobs::start(n, submit)
        })
        .await
    }

    fn request(&self, index: usize, max_tokens: usize, served: &Served) -> ChatRequest {
        let seed = sampling::seed_of(self.sampling.seed, index);
        ChatRequest {
            messages: self.messages.clone(),
            tools: self.tools.clone(),
            tool_choice: self.tool_choice.clone(),
            parallel_tool_calls: self.parallel_tool_calls,
            response_format: self.response_format.clone(),
            reasoning: self.reasoning.clone(),
            template_kwargs: self.template_kwargs.clone(),
            continue_last: self.continue_last,
            stop: self.stop.clone(),
            max_tokens,
            ignore_eos: self.ignore_eos,
            min_tokens: self.min_tokens,
            sampling: SamplingParams { seed, ..self.sampling.clone() },
            logprobs: self.logprobs,
            adapter: served.adapter.clone(),
            client: self.client.clone(),
        }
    }

    /// A field of the engine's under the dialect's name.
    fn renamed(&self, field: &str) -> String {
        match field.strip_prefix("messages") {
            Some(rest) => format!("{}{rest}", self.messages_param),
            None => field.to_owned(),
        }
    }

    /// What a refused request is told.
    fn refused(&self, error: ChatError) -> ApiError {
        match error {
            ChatError::Submit(error) => refused(error, self.messages_param),
            ChatError::BadRequest { field, why } => ApiError::invalid(self.renamed(&field), why),
            ChatError::Grammar { field, error } => {
                let why = match error.hint() {
                    Some(hint) => format!("{error} ({hint})"),
                    None => error.to_string(),
                };
                ApiError::invalid(self.renamed(&field), why)
            }
            error => ApiError::invalid(self.messages_param, error.to_string()),
        }
    }
}

/// A sink that counts and passes on.
fn metered(mut meter: Meter, index: usize, sender: &Sender<ChatEvent>) -> ChatSink {
    let sender = sender.clone();
    Box::new(move |event| {
        match &event {
            ChatEvent::Finished { reason, usage, .. } => meter.finish(*usage, finish_name(*reason)),
            ChatEvent::Started { .. } => meter.start(),
            ChatEvent::Failed(_) => {}
            _ => meter.progress(),
        }
        // Nobody reads when the client has left.
        let _ = sender.send((index, event));
    })
}

/// OpenAI's word.
pub(crate) fn finish_name(finish: ChatFinish) -> &'static str {
    match finish {
        ChatFinish::Stop => "stop",
        ChatFinish::Length => "length",
        ChatFinish::ToolCalls => "tool_calls",
        ChatFinish::Cancelled => "cancelled",
    }
}

/// A whole answer, put together from its events.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// In the order in which the model wrote them.
    pub(crate) blocks: Vec<Block>,
    pub(crate) logprobs: Option<Vec<TokenText>>,
    pub(crate) finish: Option<ChatFinish>,
    /// The stop string that ended it.
    pub(crate) stop: Option<String>,
    pub(crate) usage: Usage,
}

/// A part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Reasoning(String),
    Content(String),
    Call(TurnCall),
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TurnCall {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: String,
}

impl Turn {
    /// Takes an event; whether the answer is over.
    pub(crate) fn event(&mut self, event: ChatEvent) -> Result<bool, ApiError> {
        match event {
            ChatEvent::Started { n_prompt, n_cached } => {
                self.usage = Usage { n_prompt, n_cached, ..Usage::default() };
            }
            ChatEvent::Reasoning(text) => match self.blocks.last_mut() {
                Some(Block::Reasoning(before)) => before.push_str(&text),
                _ => self.blocks.push(Block::Reasoning(text)),
            },
            ChatEvent::Content(text) => match self.blocks.last_mut() {
                Some(Block::Content(before)) => before.push_str(&text),
                _ => self.blocks.push(Block::Content(text)),
            },
            ChatEvent::ToolCall { id, name, .. } => {
                self.blocks.push(Block::Call(TurnCall { id, name, arguments: String::new() }));
            }
            ChatEvent::ToolArguments { fragment, .. } => {
                if let Some(Block::Call(call)) = self.blocks.last_mut() {
                    call.arguments.push_str(&fragment);
                }
            }
            // The text itself came as content.
            ChatEvent::Malformed(_) => {}
            ChatEvent::Logprobs(scores) => {
                self.logprobs.get_or_insert_default().extend(scores);
            }
            ChatEvent::Finished { reason: ChatFinish::Cancelled, .. } => {
                return Err(ApiError::Draining);
            }
            ChatEvent::Finished { reason, usage, stop } => {
                (self.finish, self.usage, self.stop) = (Some(reason), usage, stop);
                return Ok(true);
            }
            ChatEvent::Failed(why) => return Err(ApiError::Failed(why)),
        }
        Ok(false)
    }

    /// Waits for `n` answers.
    pub(crate) async fn collect(
        mut jobs: Jobs<ChatEvent>,
        n: usize,
    ) -> Result<Vec<Self>, ApiError> {
        let mut turns: Vec<Self> = (0..n).map(|_| Self::default()).collect();
        while let Some((index, event)) = jobs.next().await? {
            if !jobs.has_ended(index) && turns[index].event(event)? {
                jobs.end(index);
            }
        }
        Ok(turns)
    }

    /// All thoughts.
    pub(crate) fn reasoning(&self) -> String {
        let text = |block: &Block| match block {
            Block::Reasoning(text) => Some(text.clone()),
            _ => None,
        };
        self.blocks.iter().filter_map(text).collect()
    }

    /// All text.
    pub(crate) fn content(&self) -> String {
        let text = |block: &Block| match block {
            Block::Content(text) => Some(text.clone()),
            _ => None,
        };
        self.blocks.iter().filter_map(text).collect()
    }

    /// All calls.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &TurnCall> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Call(call) => Some(call),
            _ => None,
        })
    }

    /// The answer as the message that a later request sends back, in OpenAI's shape.
    pub(crate) fn message(&self) -> Value {
        let mut message = json!({ "role": "assistant", "content": self.content() });
        let reasoning = self.reasoning();
        if !reasoning.is_empty() {
            message["reasoning_content"] = json!(reasoning);
        }
        let call = |call: &TurnCall| {
            let function = json!({ "name": call.name, "arguments": call.arguments });
            json!({ "id": call.id, "type": "function", "function": function })
        };
        let calls: Vec<Value> = self.calls().map(call).collect();
        if !calls.is_empty() {
            message["tool_calls"] = json!(calls);
        }
        message
    }

    /// OpenAI's word for how it ended.
    pub(crate) fn finish_name(&self) -> &'static str {
        self.finish.map_or("stop", finish_name)
    }
}
