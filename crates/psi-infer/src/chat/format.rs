//! How a model marks its thoughts and its tool calls, found in its chat template and special tokens.

use psi_tokenizer::{TokenId, Tokenizer};

/// How a model writes what is not content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatFormat {
    /// How it calls tools.
    pub tools: ToolSyntax,
    /// What stands around its thoughts, if it thinks.
    pub reasoning: Option<ReasoningTags>,
    /// Whether the chat template shows the tools to the model. If not, the prompt has to.
    pub shows_tools: bool,
}

/// The syntax of tool calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolSyntax {
    /// `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`: Hermes, Qwen, psi-nano.
    Tagged {
        /// Before a call.
        open: String,
        /// After a call.
        close: String,
    },
    /// `{"name": ..., "parameters": {...}}`, alone or after `<|python_tag|>`.
    Llama3,
    /// `[TOOL_CALLS]` and a list of calls, or a name, `[ARGS]` and the arguments.
    Mistral,
    /// `{"name": ..., "arguments": {...}}` alone: what the prompt asks of any other model.
    Json,
}

/// What stands around thoughts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasoningTags {
    /// Before them.
    pub open: String,
    /// After them.
    pub close: String,
}

const PYTHON_TAG: &str = "<|python_tag|>";
const TOOL_CALLS: &str = "[TOOL_CALLS]";

/// Marks of thoughts that models use.
const REASONING: [(&str, &str); 4] = [
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<thinking>", "</thinking>"),
];

/// Tags in which `{"name": ..., "arguments": ...}` stands.
const TAGS: [(&str, &str); 3] = [
    ("<tool_call>", "</tool_call>"),
    ("<TOOLCALL>", "</TOOLCALL>"),
    ("<|tool_call_start|>", "<|tool_call_end|>"),
];

/// Signs that tags hold something else than JSON (GLM, Qwen3-Coder).
const NOT_JSON: [&str; 2] = ["<arg_key>", "<function="];

impl ChatFormat {
    /// The format of a model with this chat template and tokenizer.
    pub fn detect(template: Option<&str>, tokenizer: &Tokenizer) -> Self {
        let source = template.unwrap_or_default();
        let knows = |tag: &str| source.contains(tag);
        let has = |tag: &str| knows(tag) || tokenizer.id_of(tag).is_some();
        let is_json = !NOT_JSON.iter().any(|sign| knows(sign));
        let tagged = TAGS.iter().find(|(open, _)| knows(open) && is_json);
        let tools = if knows(TOOL_CALLS) {
            ToolSyntax::Mistral
        } else if let Some(&(open, close)) = tagged {
            ToolSyntax::Tagged { open: open.to_owned(), close: close.to_owned() }
        } else if has(PYTHON_TAG) {
            ToolSyntax::Llama3
        } else {
            ToolSyntax::Json
        };
        let reasoning = REASONING.iter().find(|(_, close)| knows(close));
        let reasoning = reasoning
            .map(|&(open, close)| ReasoningTags { open: open.to_owned(), close: close.to_owned() });
        Self { tools, reasoning, shows_tools: knows("tools") }
    }

    /// The special tokens whose text matters to [`OutputParser`](super::OutputParser).
    pub fn shown_tokens(&self, tokenizer: &Tokenizer) -> Vec<TokenId> {
        let mut tags: Vec<&str> = match &self.tools {
            ToolSyntax::Tagged { open, close } => vec![open, close],
            ToolSyntax::Llama3 => vec![PYTHON_TAG],
            ToolSyntax::Mistral => vec![TOOL_CALLS, "[CALL_ID]", "[ARGS]"],
            ToolSyntax::Json => vec![],
        };
        if let Some(ReasoningTags { open, close }) = &self.reasoning {
            tags.extend([open.as_str(), close.as_str()]);
        }
        let ids = tags.into_iter().filter_map(|tag| tokenizer.id_of(tag));
        ids.filter(|&id| tokenizer.is_special(id)).collect()
    }

    /// Whether a prompt ends inside thoughts it has opened itself.
    pub fn opens_reasoning(&self, prompt: &str) -> bool {
        self.reasoning.as_ref().is_some_and(|tags| prompt.trim_end().ends_with(&tags.open))
    }
}

impl ToolSyntax {
    /// What stands before a call, where something must.
    pub fn mark(&self) -> Option<&str> {
        match self {
            Self::Tagged { open, .. } => Some(open),
            Self::Llama3 => Some(PYTHON_TAG),
            Self::Mistral => Some(TOOL_CALLS),
            Self::Json => None,
        }
    }
}
