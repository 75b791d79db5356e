//! What is asked of a chat model and what it answers.

use psi_tokenizer::{TokenId, Tokenizer};
use serde_json::{Map, Value};

use crate::{
    SamplingParams,
    service::{TokenScore, Usage},
};

/// A conversation and how it is to be answered.
#[derive(Clone, Debug)]
pub struct ChatRequest {
    /// Messages in OpenAI's shape: `role`, `content`, `reasoning_content`, `tool_calls`, `tool_call_id`.
    pub messages: Vec<Value>,
    /// Tool definitions in OpenAI's shape; `function.strict` holds the arguments to their schema.
    pub tools: Vec<Value>,
    /// Whether tools may or must be called.
    pub tool_choice: ToolChoice,
    /// Whether there may be several calls; if not, the answer ends with the first.
    pub parallel_tool_calls: bool,
    /// What the content must look like.
    pub response_format: ResponseFormat,
    /// The thoughts before the answer.
    pub reasoning: Reasoning,
    /// Further variables of the chat template.
    pub template_kwargs: Map<String, Value>,
    /// Go on with the last message, which is the assistant's.
    pub continue_last: bool,
    /// Texts that end the content and are not part of it.
    pub stop: Vec<String>,
    /// Most tokens of the answer, thoughts and calls included.
    pub max_tokens: usize,
    /// Treat the tokens that end an answer like any other.
    pub ignore_eos: bool,
    /// Tokens before which the answer cannot end.
    pub min_tokens: usize,
    /// How tokens are chosen.
    pub sampling: SamplingParams,
    /// Report log-probabilities, and those of this many most probable tokens.
    pub logprobs: Option<usize>,
    /// The adapter to run with.
    pub adapter: Option<String>,
    /// Whose request it is: clients get equal shares when requests wait.
    pub client: String,
}

impl Default for ChatRequest {
    fn default() -> Self {
        Self {
            messages: Vec::new(),
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            parallel_tool_calls: true,
            response_format: ResponseFormat::Text,
            reasoning: Reasoning::default(),
            template_kwargs: Map::new(),
            continue_last: false,
            stop: Vec::new(),
            max_tokens: 256,
            ignore_eos: false,
            min_tokens: 0,
            sampling: SamplingParams::default(),
            logprobs: None,
            adapter: None,
            client: String::new(),
        }
    }
}

/// Whether tools may or must be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// As the model likes.
    #[default]
    Auto,
    /// None, though the model sees them.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(String),
}

/// What the content must look like.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ResponseFormat {
    /// Any text.
    #[default]
    Text,
    /// A JSON object.
    JsonObject,
    /// JSON that is valid by this schema.
    JsonSchema(Value),
    /// A text that matches this regular expression.
    Regex(String),
    /// A text of this grammar, in Lark or GBNF.
    Grammar(String),
}

/// The thoughts before the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// Whether there should be any; `None`: as the template has it.
    pub enabled: Option<bool>,
    /// Most tokens of them; then the model has to answer. A call that has begun is never cut.
    pub budget: Option<usize>,
}

/// Where a request's events go. Called on the service's thread: it must not block.
pub type ChatSink = Box<dyn FnMut(ChatEvent) + Send>;

/// What happens to a request. The last event is [`ChatEvent::Finished`] or [`ChatEvent::Failed`].
#[derive(Clone, Debug, PartialEq)]
pub enum ChatEvent {
    /// It runs.
    Started {
        /// Tokens of the prompt.
        n_prompt: usize,
        /// Those of them that were in the cache.
        n_cached: usize,
    },
    /// More of the thoughts.
    Reasoning(String),
    /// More of the content.
    Content(String),
    /// The content just given began like a call; why it is none.
    Malformed(String),
    /// A call begins.
    ToolCall {
        /// Its place among the calls, from 0.
        index: usize,
        /// Its id.
        id: String,
        /// The tool.
        name: String,
    },
    /// More of a call's arguments: the text of a JSON object.
    ToolArguments {
        /// The call's place.
        index: usize,
        /// The text.
        fragment: String,
    },
    /// Log-probabilities of the tokens that came, when asked for.
    Logprobs(Vec<TokenText>),
    /// The answer is complete.
    Finished {
        /// Why it ended.
        reason: ChatFinish,
        /// What it took.
        usage: Usage,
        /// The stop string that ended it.
        stop: Option<String>,
    },
    /// The answer cannot be continued.
    Failed(String),
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatFinish {
    /// The model had said all, or a stop string came.
    Stop,
    /// It has as many tokens as it may have.
    Length,
    /// It calls tools.
    ToolCalls,
    /// Nobody wants the rest.
    Cancelled,
}

/// A token, as people read it.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenText {
    /// Its bytes, which may be part of a character.
    pub bytes: Vec<u8>,
    /// Its natural-log probability under the model.
    pub logprob: f32,
    /// The most probable tokens in its place, as many as were asked for.
    pub top: Vec<Self>,
}

impl TokenText {
    /// Its text; bytes that are no whole character become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(super) fn of(tokenizer: &Tokenizer, score: &TokenScore) -> Self {
        let one = |id: TokenId, logprob: f32, top: Vec<Self>| Self {
            bytes: tokenizer.token_bytes(id).to_vec(),
            logprob,
            top,
        };
        let top = score.top.iter().map(|t| one(t.token, t.logprob, Vec::new()));
        one(score.id, score.logprob, top.collect())
    }
}
