//! What a message is asked for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api::text_or::TextOr;

/// Body of `POST /v1/messages`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageBody {
    /// The model; the server's first one where it is not said.
    pub(crate) model: Option<String>,
    /// Most tokens of the answer, thoughts included.
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub(crate) max_tokens: u32,
    /// The conversation so far. A last message of the assistant's is continued.
    #[schemars(length(min = 1))]
    pub(crate) messages: Vec<MessageParam>,
    /// What the model is and should do.
    pub(crate) system: Option<System>,
    /// Texts at which the answer ends; they are not part of it.
    pub(crate) stop_sequences: Option<Vec<String>>,
    /// Send the answer in pieces as it is written.
    pub(crate) stream: Option<bool>,
    /// 0 always takes the most probable token.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) temperature: Option<f64>,
    /// Keep the most probable tokens that together have this probability.
    #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
    pub(crate) top_p: Option<f64>,
    /// Keep the k most probable tokens; 0 keeps all.
    #[schemars(range(max = 2_147_483_647))]
    pub(crate) top_k: Option<u32>,
    /// Psi's own: the same seed gives the same text.
    pub(crate) seed: Option<i64>,
    /// Functions that the model may call.
    #[schemars(length(max = 128))]
    pub(crate) tools: Option<Vec<Tool>>,
    /// Whether and which of them.
    pub(crate) tool_choice: Option<ToolChoice>,
    /// Whether the model thinks first, and how long.
    pub(crate) thinking: Option<Thinking>,
    /// How much it thinks, and the form of the answer.
    pub(crate) output_config: Option<OutputConfig>,
    /// Who asks.
    pub(crate) metadata: Option<Metadata>,
    /// Likewise.
    pub(crate) user_profile_id: Option<String>,
    /// Accepted: a server is one workspace.
    #[expect(dead_code, reason = "nothing follows from it")]
    pub(crate) workspace_id: Option<String>,
    /// There is one tier.
    #[expect(dead_code, reason = "nothing follows from it")]
    pub(crate) service_tier: Option<ServiceTier>,
    /// And one speed.
    #[expect(dead_code, reason = "nothing follows from it")]
    pub(crate) speed: Option<Speed>,
    /// Not needed: shared beginnings of prompts are found by their content.
    #[expect(dead_code, reason = "nothing follows from it")]
    pub(crate) cache_control: Option<CacheControl>,
}

/// Body of `POST /v1/messages/count_tokens`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CountBody {
    /// The model; the server's first one where it is not said.
    pub(crate) model: Option<String>,
    /// The conversation so far.
    #[schemars(length(min = 1))]
    messages: Vec<MessageParam>,
    system: Option<System>,
    #[schemars(length(max = 128))]
    tools: Option<Vec<Tool>>,
    tool_choice: Option<ToolChoice>,
    thinking: Option<Thinking>,
    output_config: Option<OutputConfig>,
    user_profile_id: Option<String>,
    workspace_id: Option<String>,
    speed: Option<Speed>,
    cache_control: Option<CacheControl>,
}

impl From<CountBody> for MessageBody {
    /// The request whose prompt is counted.
    fn from(count: CountBody) -> Self {
        Self {
            model: count.model,
            max_tokens: u32::MAX,
            messages: count.messages,
            system: count.system,
            stop_sequences: None,
            stream: None,
            temperature: None,
            top_p: None,
            top_k: None,
            seed: None,
            tools: count.tools,
            tool_choice: count.tool_choice,
            thinking: count.thinking,
            output_config: count.output_config,
            metadata: None,
            user_profile_id: count.user_profile_id,
            workspace_id: count.workspace_id,
            service_tier: None,
            speed: count.speed,
            cache_control: count.cache_control,
        }
    }
}

/// One message.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageParam {
    pub(crate) role: Role,
    pub(crate) content: Content,
}

/// Whose message it is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    User,
    Assistant,
    System,
}

/// A text, or blocks.
pub(crate) type Content = TextOr<ContentBlock>;

/// A part of a message.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ContentBlock {
    /// Text. Citations are notes for readers; templates do not show them.
    Text {
        text: String,
        #[serde(default, rename = "cache_control")]
        _cache_control: Option<CacheControl>,
        #[serde(default, rename = "citations")]
        _citations: Option<Vec<Value>>,
    },
    /// What the model thought.
    Thinking {
        thinking: String,
        #[serde(default, rename = "signature")]
        _signature: Option<String>,
    },
    /// A call that the model made.
    ToolUse {
        id: String,
        name: String,
        input: Map<String, Value>,
        #[serde(default, rename = "cache_control")]
        _cache_control: Option<CacheControl>,
    },
    /// What a function returned.
    ToolResult {
        tool_use_id: String,
        #[serde(default)]
        content: Option<ToolContent>,
        #[serde(default)]
        is_error: Option<bool>,
        #[serde(default, rename = "cache_control")]
        _cache_control: Option<CacheControl>,
    },
}

/// A function's result.
pub(crate) type ToolContent = TextOr<TextBlock>;

/// A block of text.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum TextBlock {
    Text {
        text: String,
        #[serde(default, rename = "cache_control")]
        _cache_control: Option<CacheControl>,
        #[serde(default, rename = "citations")]
        _citations: Option<Vec<Value>>,
    },
}

/// The system's text.
pub(crate) type System = ToolContent;

impl ToolContent {
    /// The text of all blocks.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::List(blocks) => {
                let text = |TextBlock::Text { text, .. }: &TextBlock| text.clone();
                blocks.iter().map(text).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

/// A mark for a cache, which psi's does not need.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CacheControl {
    #[serde(rename = "type")]
    kind: CacheKind,
    ttl: Option<String>,
}

/// The one kind of mark.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
enum CacheKind {
    Ephemeral,
}

/// A function that the model may call.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tool {
    #[serde(rename = "type", default)]
    _kind: ToolKind,
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_.-]+$"))]
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// The JSON schema of its arguments.
    pub(crate) input_schema: Map<String, Value>,
    /// Arguments by example; they are shown after the description.
    pub(crate) input_examples: Option<Vec<Map<String, Value>>>,
    #[serde(rename = "cache_control")]
    _cache_control: Option<CacheControl>,
    /// Whether arguments have to fit the schema.
    pub(crate) strict: Option<bool>,
    /// Every tool is shown at once.
    #[serde(rename = "defer_loading")]
    _defer_loading: Option<bool>,
    /// Arguments are sent as soon as they are whole.
    #[serde(rename = "eager_input_streaming")]
    _eager_input_streaming: Option<bool>,
    /// Only the model itself calls.
    #[serde(rename = "allowed_callers")]
    _allowed_callers: Option<Vec<Caller>>,
}

/// Tools that the client runs are the only ones.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ToolKind {
    #[default]
    Custom,
}

/// Who calls.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Caller {
    Direct,
}

/// Whether and which tools are called.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ToolChoice {
    /// As the model likes.
    Auto { disable_parallel_tool_use: Option<bool> },
    /// At least one.
    Any { disable_parallel_tool_use: Option<bool> },
    /// This one.
    Tool { name: String, disable_parallel_tool_use: Option<bool> },
    /// None.
    None {},
}

/// Whether the model thinks.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Thinking {
    /// At most so many tokens.
    Enabled {
        #[schemars(range(min = 1, max = 2_147_483_647))]
        budget_tokens: u32,
        display: Option<Display>,
    },
    /// As long as it likes.
    Adaptive { display: Option<Display> },
    /// Not.
    Disabled {},
}

/// Whether thoughts are shown.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Display {
    /// Whole: there is nobody here who could summarise them.
    Summarized,
    /// Not.
    Omitted,
}

/// How much the model thinks, and the form of the answer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutputConfig {
    pub(crate) effort: Option<Effort>,
    pub(crate) format: Option<OutputFormat>,
}

/// How much to think.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Effort {
    /// At most 1024 tokens.
    Low,
    /// At most 4096.
    Medium,
    /// As long as the model likes.
    High,
    Xhigh,
    Max,
}

/// The form of the answer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum OutputFormat {
    /// JSON that fits a schema.
    JsonSchema { schema: Value },
}

/// Who asks.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metadata {
    pub(crate) user_id: Option<String>,
}

/// There is one tier.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ServiceTier {
    Auto,
    StandardOnly,
}

/// And one speed.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Speed {
    Standard,
}
