//! Conversations with a model: from messages to a prompt, and from what it writes to reasoning, content
//! and tool calls.
//!
//! [`ChatModel`] is a model that talks. [`ChatFormat`] says how it marks what is not content, found in its
//! chat template; [`OutputParser`] splits what it writes as it comes.

mod call;
mod error;
mod format;
mod json;
mod messages;
mod model;
mod parser;
mod plan;
mod prompt;
mod request;
mod session;
mod steering;
mod tool_grammar;

pub use error::{ChatError, OpenError};
pub use format::{ChatFormat, ReasoningTags, ToolSyntax};
pub use model::{ChatModel, OpenOptions};
pub use parser::{Delta, Output, OutputParser, ParseOptions, ToolCall, parse_output};
pub use prompt::TemplateOptions;
pub use request::{
    ChatEvent, ChatFinish, ChatRequest, ChatSink, Reasoning, ResponseFormat, TokenText, ToolChoice,
};
