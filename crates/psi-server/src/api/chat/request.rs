//! What a chat completion is asked for.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::api::{error::ApiError, sampling::request_body, text_or::TextOr};

request_body! {
    /// Body of `POST /v1/chat/completions`.
    ChatBody {
        /// The model; the server's first one where it is not said.
        model: Option<String>,
        /// The conversation so far.
        #[schemars(length(min = 1))]
        messages: Vec<Message>,
        /// Most tokens of the answer, thoughts included (default: what the context leaves).
        #[schemars(range(min = 1, max = 2_147_483_647))]
        max_completion_tokens: Option<u32>,
        /// The older name of `max_completion_tokens`.
        #[schemars(range(min = 1, max = 2_147_483_647))]
        max_tokens: Option<u32>,
        /// Functions that the model may call.
        #[schemars(length(max = 128))]
        tools: Option<Vec<Tool>>,
        /// Whether and which of them.
        tool_choice: Option<ToolChoice>,
        /// Whether one answer may call several (default: yes).
        parallel_tool_calls: Option<bool>,
        /// The form that the answer's content has.
        response_format: Option<ResponseFormat>,
        /// Give each token's log-probability.
        logprobs: Option<bool>,
        /// And those of so many most probable tokens.
        #[schemars(range(max = 20))]
        top_logprobs: Option<u32>,
        /// How long a model that thinks may think: `none` not at all, `high` as long as it likes.
        reasoning_effort: Option<Effort>,
        /// Most tokens of thoughts; then they are ended.
        #[schemars(range(max = 2_147_483_647))]
        reasoning_budget: Option<u32>,
        /// Variables for the model's chat template.
        chat_template_kwargs: Option<Map<String, Value>>,
        /// Go on with the last message, which is the assistant's, instead of answering it.
        continue_final_message: Option<bool>,
        /// Keep the completion, so that it can be asked for later.
        store: Option<bool>,
        /// Notes kept with a stored completion.
        metadata: Option<BTreeMap<String, String>>,
        /// There is one tier.
        #[expect(dead_code, reason = "nothing follows from it")]
        service_tier: Option<ServiceTier>,
        /// Text is all there is.
        #[expect(dead_code, reason = "nothing follows from it")]
        modalities: Option<Vec<Modality>>,
        /// As the model is: `medium`.
        #[expect(dead_code, reason = "nothing follows from it")]
        verbosity: Option<Verbosity>,
        /// Like `user`.
        safety_identifier: Option<String>,
        /// Not needed: shared beginnings of prompts are found by their content.
        #[expect(dead_code, reason = "nothing follows from it")]
        prompt_cache_key: Option<String>,
    }
}

/// One message.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(tag = "role", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Message {
    /// What the model is and should do.
    System {
        content: Content,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// The newer name of `system`.
    Developer {
        content: Content,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// What a person said.
    User {
        content: Content,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// What the model said.
    Assistant {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<Content>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refusal: Option<String>,
        #[serde(default, alias = "reasoning", skip_serializing_if = "Option::is_none")]
        reasoning_content: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool_calls: Option<Vec<ToolCall>>,
        /// What a client's library read from `content`; libraries send it back with the message.
        #[serde(default, skip_serializing)]
        #[schemars(skip)]
        parsed: Option<Value>,
    },
    /// What a function returned.
    Tool {
        content: Content,
        tool_call_id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

/// A message's text, or its parts, which are joined by line ends.
pub(crate) type Content = TextOr<Part>;

/// A part of a message.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Part {
    /// Text.
    Text { text: String },
    /// A refusal that the model wrote earlier.
    Refusal { refusal: String },
}

impl Content {
    /// The text of all parts.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::List(parts) => {
                let text = |part: &Part| match part {
                    Part::Text { text } => text.clone(),
                    Part::Refusal { refusal } => refusal.clone(),
                };
                parts.iter().map(text).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

/// A call that the model made.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolCall {
    pub(crate) id: String,
    #[serde(rename = "type", default)]
    pub(crate) kind: FunctionKind,
    pub(crate) function: FunctionCall,
    /// Streams number their calls; clients send the number back.
    #[serde(default, skip_serializing)]
    #[schemars(skip)]
    #[expect(dead_code, reason = "nothing follows from it")]
    pub(crate) index: Option<u32>,
}

/// Functions are the only tools.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FunctionKind {
    #[default]
    Function,
}

/// Which function, with what.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FunctionCall {
    pub(crate) name: String,
    /// The text of a JSON object.
    pub(crate) arguments: String,
    /// What a client's library read from `arguments`; libraries send it back with the call.
    #[serde(default, skip_serializing)]
    #[schemars(skip)]
    #[expect(dead_code, reason = "`arguments` says the same")]
    pub(crate) parsed_arguments: Option<Value>,
}

/// A function that the model may call.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tool {
    #[serde(rename = "type")]
    pub(crate) kind: FunctionKind,
    pub(crate) function: Function,
}

/// Its name, what it does, and the JSON schema of its arguments.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Function {
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_.-]+$"))]
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parameters: Option<Map<String, Value>>,
    /// Whether arguments have to fit the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) strict: Option<bool>,
}

impl Function {
    /// Checks the name.
    pub(crate) fn check(&self, param: &str) -> Result<(), ApiError> {
        let is_good = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(is_good) {
            let why = "must be 1 to 64 letters, digits, `_`, `-` or `.`";
            return Err(ApiError::invalid(format!("{param}.name"), why));
        }
        Ok(())
    }

    /// In OpenAI's shape, as chat templates read it.
    pub(crate) fn definition(&self) -> Value {
        let mut function = json!({ "name": self.name });
        if let Some(description) = &self.description {
            function["description"] = json!(description);
        }
        let none = || json!({ "type": "object", "properties": {} });
        if let Some(strict) = self.strict {
            function["strict"] = json!(strict);
        }
        function["parameters"] = self.parameters.clone().map_or_else(none, Value::Object);
        json!({ "type": "function", "function": function })
    }
}

/// Whether and which tools are called.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(untagged, expecting = "must be none, auto, required, or an object that names a function")]
pub(crate) enum ToolChoice {
    /// By a word.
    Mode(ToolMode),
    /// One function.
    Named(NamedTool),
    /// Only some of them.
    Allowed(AllowedTools),
}

/// How freely the model may call.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ToolMode {
    /// Not at all.
    None,
    /// As it likes.
    Auto,
    /// At least once.
    Required,
}

/// A choice of one function.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamedTool {
    #[serde(rename = "type")]
    kind: FunctionKind,
    pub(crate) function: ToolName,
}

/// A function's name.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolName {
    pub(crate) name: String,
}

/// A choice of several.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllowedTools {
    #[serde(rename = "type")]
    kind: AllowedKind,
    pub(crate) allowed_tools: AllowedList,
}

/// The word that marks such a choice.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
enum AllowedKind {
    AllowedTools,
}

/// Which ones, and whether one must be called.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllowedList {
    pub(crate) mode: ToolMode,
    pub(crate) tools: Vec<NamedTool>,
}

/// The form of the answer.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ResponseFormat {
    /// Whatever the model writes.
    Text {},
    /// Any JSON object.
    JsonObject {},
    /// JSON that fits a schema.
    JsonSchema { json_schema: NamedSchema },
    /// Text that fits a regular expression.
    Regex { regex: String },
    /// Text that a grammar describes, in the syntax of Lark or GBNF.
    Grammar { grammar: String },
}

/// A schema with its name.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamedSchema {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) schema: Option<Value>,
    /// The schema always holds here.
    pub(crate) strict: Option<bool>,
}

/// How long to think.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Effort {
    /// Not at all.
    None,
    /// At most 256 tokens.
    Minimal,
    /// At most 1024.
    Low,
    /// At most 4096.
    Medium,
    /// As long as the model likes.
    High,
    /// Likewise.
    Xhigh,
}

impl Effort {
    /// Whether to think, and how many tokens at most.
    pub(crate) fn budget(self) -> (bool, Option<usize>) {
        match self {
            Self::None => (false, Some(0)),
            Self::Minimal => (true, Some(256)),
            Self::Low => (true, Some(1024)),
            Self::Medium => (true, Some(4096)),
            Self::High | Self::Xhigh => (true, None),
        }
    }
}

/// There is one tier.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ServiceTier {
    Auto,
    Default,
}

/// What an answer is made of.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Modality {
    Text,
}

/// How wordy the answer is: as the model is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verbosity {
    Medium,
}
