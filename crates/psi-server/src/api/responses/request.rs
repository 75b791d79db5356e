//! What a response is asked for.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::{Map, Value};

use crate::api::{
    chat::request::{Effort, ServiceTier, ToolMode, Verbosity},
    conversations::Reference,
    error::ApiError,
    sampling::StreamOptions,
    stored_chat::{self, Order},
    text_or::TextOr,
};

/// Body of `POST /v1/responses`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResponseBody {
    /// The model; the server's first one where it is not said.
    pub(crate) model: Option<String>,
    /// A text of the user's, or items. None is an empty text.
    pub(crate) input: Option<TextOr<Item>>,
    /// What the model is and should do, for this response only.
    pub(crate) instructions: Option<String>,
    /// Most tokens of the answer, thoughts included (default: what the context leaves).
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub(crate) max_output_tokens: Option<u32>,
    /// Notes kept with the response.
    pub(crate) metadata: Option<BTreeMap<String, String>>,
    /// Whether one answer may call several tools (default: yes).
    pub(crate) parallel_tool_calls: Option<bool>,
    /// Go on from this kept response.
    pub(crate) previous_response_id: Option<String>,
    /// Go on from this conversation; the input and the answer are added to it.
    pub(crate) conversation: Option<Reference>,
    /// How long to think.
    pub(crate) reasoning: Option<Reasoning>,
    /// Keep the response (default: yes).
    pub(crate) store: Option<bool>,
    /// Send the answer in pieces as it is written.
    pub(crate) stream: Option<bool>,
    pub(crate) stream_options: Option<StreamOptions>,
    /// 0 always takes the most probable token.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub(crate) temperature: Option<f64>,
    /// Keep the most probable tokens that together have this probability.
    #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
    pub(crate) top_p: Option<f64>,
    /// Psi's own: the same seed gives the same text.
    pub(crate) seed: Option<i64>,
    /// The form of the answer.
    pub(crate) text: Option<TextConfig>,
    /// Whether and which tools are called.
    pub(crate) tool_choice: Option<ToolChoice>,
    /// Functions that the model may call.
    #[schemars(length(max = 128))]
    pub(crate) tools: Option<Vec<Tool>>,
    /// Log-probabilities of so many most probable tokens, where `include` asks for them.
    #[schemars(range(max = 20))]
    pub(crate) top_logprobs: Option<u32>,
    /// What else the response shows.
    pub(crate) include: Option<Vec<Include>>,
    /// Nothing is ever cut off a conversation.
    #[expect(dead_code, reason = "nothing follows from it")]
    pub(crate) truncation: Option<Truncation>,
    /// Not done: only `false`.
    pub(crate) background: Option<bool>,
    /// There is one tier.
    #[expect(dead_code, reason = "nothing follows from it")]
    pub(crate) service_tier: Option<ServiceTier>,
    /// Who asks.
    pub(crate) user: Option<String>,
    /// Likewise.
    pub(crate) safety_identifier: Option<String>,
    /// Not needed: shared beginnings of prompts are found by their content.
    #[expect(dead_code, reason = "nothing follows from it")]
    pub(crate) prompt_cache_key: Option<String>,
}

impl ResponseBody {
    /// Checks what types do not.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        if self.max_output_tokens == Some(0) {
            return Err(ApiError::invalid("max_output_tokens", "must be at least 1"));
        }
        if self.top_logprobs.is_some_and(|n| n > 20) {
            return Err(ApiError::invalid("top_logprobs", "must be at most 20"));
        }
        if self.background == Some(true) {
            return Err(ApiError::unsupported(
                "background",
                "psi makes no response in the background",
            ));
        }
        if self.conversation.is_some() && self.previous_response_id.is_some() {
            let why = "and `previous_response_id` both say what to go on from: give one of them";
            return Err(ApiError::invalid("conversation", why));
        }
        let options = self.stream_options.unwrap_or_default();
        if options.include_usage.is_some() {
            let why = "the last event always has the token counts";
            return Err(ApiError::unsupported("stream_options.include_usage", why));
        }
        stored_chat::check_metadata(self.metadata.as_ref().unwrap_or(&BTreeMap::new()))
    }

    /// Log-probabilities per token, if they are asked for.
    pub(crate) fn logprobs(&self) -> Option<usize> {
        let include = self.include.as_deref().unwrap_or_default();
        let asked = include.iter().any(|i| matches!(i, Include::Logprobs));
        asked.then(|| self.top_logprobs.unwrap_or(0) as usize)
    }
}

/// Body of `POST /v1/responses/input_tokens`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CountBody {
    pub(crate) model: Option<String>,
    input: Option<TextOr<Item>>,
    instructions: Option<String>,
    parallel_tool_calls: Option<bool>,
    previous_response_id: Option<String>,
    conversation: Option<Reference>,
    reasoning: Option<Reasoning>,
    text: Option<TextConfig>,
    tool_choice: Option<ToolChoice>,
    #[schemars(length(max = 128))]
    tools: Option<Vec<Tool>>,
    truncation: Option<Truncation>,
}

impl From<CountBody> for ResponseBody {
    /// The request whose prompt is counted.
    fn from(count: CountBody) -> Self {
        Self {
            model: count.model,
            input: count.input,
            instructions: count.instructions,
            parallel_tool_calls: count.parallel_tool_calls,
            previous_response_id: count.previous_response_id,
            conversation: count.conversation,
            reasoning: count.reasoning,
            text: count.text,
            tool_choice: count.tool_choice,
            tools: count.tools,
            truncation: count.truncation,
            ..Self::default()
        }
    }
}

/// One thing of a conversation. A message need not say that it is one.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Item {
    /// With its `type`.
    Typed(TypedItem),
    /// A message.
    Message(MessageItem),
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let is_typed = value.get("type").is_some();
        let item = match is_typed {
            true => serde_json::from_value(value).map(Self::Typed),
            false => serde_json::from_value(value).map(Self::Message),
        };
        item.map_err(D::Error::custom)
    }
}

/// A message without its `type`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageItem {
    pub(crate) role: Role,
    pub(crate) content: TextOr<Part>,
}

/// An item with its `type`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum TypedItem {
    /// What someone said.
    Message {
        role: Role,
        content: TextOr<Part>,
        /// Whether it was said on the way or at the end: kept with it, no template says it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        phase: Option<Phase>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<Status>,
    },
    /// A call that the model made.
    FunctionCall {
        call_id: String,
        name: String,
        /// The text of a JSON object.
        arguments: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<Status>,
    },
    /// What the function returned.
    FunctionCallOutput {
        call_id: String,
        output: TextOr<Part>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<Status>,
    },
    /// What `POST /v1/responses/compact` made of the conversation before.
    Compaction {
        encrypted_content: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        created_by: Option<String>,
    },
    /// What the model thought.
    Reasoning {
        summary: Vec<ReasoningText>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<Vec<ReasoningText>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<Status>,
    },
}

/// Whose message it is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    User,
    Assistant,
    System,
    Developer,
}

/// When in its turn something was said.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    Commentary,
    FinalAnswer,
}

/// How far an item is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    InProgress,
    Completed,
    Incomplete,
}

/// A part of a message.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Part {
    /// Text of a user's.
    InputText { text: String },
    /// Text of the model's, as an earlier response had it.
    OutputText {
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        annotations: Option<Vec<Value>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        logprobs: Option<Vec<Value>>,
    },
    /// A refusal that a model wrote earlier.
    Refusal { refusal: String },
}

impl TextOr<Part> {
    /// The text of all parts.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::List(parts) => {
                let text = |part: &Part| match part {
                    Part::InputText { text } | Part::OutputText { text, .. } => text.clone(),
                    Part::Refusal { refusal } => refusal.clone(),
                };
                parts.iter().map(text).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

/// Thoughts.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ReasoningText {
    SummaryText { text: String },
    ReasoningText { text: String },
}

impl ReasoningText {
    pub(crate) fn text(&self) -> &str {
        let (Self::SummaryText { text } | Self::ReasoningText { text }) = self;
        text
    }
}

/// How long to think.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reasoning {
    pub(crate) effort: Option<Effort>,
    /// Thoughts are shown whole.
    pub(crate) summary: Option<Summary>,
}

/// Summaries of thoughts, which psi does not make: thoughts are shown whole.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Summary {
    Auto,
}

/// The form of the answer.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextConfig {
    pub(crate) format: Option<Format>,
    pub(crate) verbosity: Option<Verbosity>,
}

/// The form of the answer's text.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Format {
    /// Whatever the model writes.
    Text {},
    /// Any JSON object.
    JsonObject {},
    /// JSON that fits a schema.
    JsonSchema {
        name: String,
        schema: Value,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    },
}

/// Whether and which tools are called.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(untagged, expecting = "must be none, auto, required, or an object that names a function")]
pub(crate) enum ToolChoice {
    Mode(ToolMode),
    Named(NamedTool),
}

/// A choice of one function.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum NamedTool {
    Function { name: String },
}

/// A function that the model may call.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Tool {
    Function {
        #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_.-]+$"))]
        name: String,
        #[serde(default)]
        description: Option<String>,
        #[serde(default)]
        parameters: Option<Map<String, Value>>,
        /// Whether arguments have to fit the schema.
        #[serde(default)]
        strict: Option<bool>,
    },
}

/// What else a response shows. Of most there is nothing here, so nothing is shown.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
pub(crate) enum Include {
    #[serde(rename = "message.output_text.logprobs")]
    Logprobs,
    #[serde(rename = "file_search_call.results")]
    FileSearch,
    #[serde(rename = "web_search_call.results")]
    WebSearch,
    #[serde(rename = "web_search_call.action.sources")]
    WebSources,
    #[serde(rename = "code_interpreter_call.outputs")]
    Code,
}

/// Nothing is ever cut off a conversation.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Truncation {
    Disabled,
}

/// How a kept response is wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetQuery {
    /// As the events of its stream.
    pub(crate) stream: Option<bool>,
    /// From the event after this one; the document itself is always whole.
    pub(crate) starting_after: Option<u64>,
    /// Pad the stream's events, so that their lengths say less to who watches the connection.
    pub(crate) include_obfuscation: Option<bool>,
    /// What else the response shows: what it was made with is in it already.
    #[serde(rename = "include")]
    _include: Option<Vec<Include>>,
}

/// Which items are wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ItemQuery {
    /// Start after this one.
    pub(crate) after: Option<String>,
    /// Most of them (default 20); 0 asks only whether there are any.
    #[schemars(range(min = 0, max = 100))]
    pub(crate) limit: Option<usize>,
    /// Oldest (`asc`) or newest first.
    pub(crate) order: Option<Order>,
    /// What else an item shows; a question has none of it.
    #[serde(rename = "include")]
    _include: Option<Vec<Include>>,
}
