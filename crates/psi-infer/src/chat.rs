//! Conversations with a model: from messages to a prompt, and from what it writes to reasoning, content
//! and tool calls.

mod call;
mod format;
mod json;
mod parser;

pub use format::{ChatFormat, ReasoningTags, ToolSyntax};
pub use parser::{Delta, Output, OutputParser, ParseOptions, ToolCall, parse_output};
