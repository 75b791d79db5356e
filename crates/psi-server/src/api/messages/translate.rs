//! From Anthropic's messages and tools to the shape that chat templates read.

use psi_infer::chat::ToolChoice as Choice;
use serde_json::{Value, json};

use super::request::{Content, ContentBlock, MessageBody, MessageParam, Role, Tool, ToolChoice};
use crate::api::{chat::request::Function, error::ApiError};

/// The conversation, and whether its last message is to be continued.
pub(super) fn messages(body: &MessageBody, limit: usize) -> Result<(Vec<Value>, bool), ApiError> {
    if body.messages.is_empty() {
        return Err(ApiError::invalid("messages", "must have at least one message"));
    }
    if body.messages.len() > limit {
        return Err(ApiError::invalid("messages", format!("has more than {limit} messages")));
    }
    let mut out = Vec::new();
    if let Some(system) = &body.system {
        out.push(json!({ "role": "system", "content": system.text() }));
    }
    for (i, message) in body.messages.iter().enumerate() {
        let param = format!("messages[{i}].content");
        match (message.role, &message.content) {
            (role, Content::Text(text)) => {
                out.push(json!({ "role": role_name(role), "content": text }));
            }
            (Role::Assistant, Content::List(blocks)) => out.push(assistant(blocks, &param)?),
            (_, Content::List(blocks)) => user(message, blocks, &param, &mut out)?,
        }
    }
    let continues = body.messages.last().is_some_and(|m| m.role == Role::Assistant);
    Ok((out, continues))
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::System => "system",
    }
}

fn assistant(blocks: &[ContentBlock], param: &str) -> Result<Value, ApiError> {
    let (mut text, mut thoughts) = (Vec::new(), Vec::new());
    let mut calls = Vec::new();
    for (i, block) in blocks.iter().enumerate() {
        match block {
            ContentBlock::Text { text: piece, .. } => text.push(piece.as_str()),
            ContentBlock::Thinking { thinking, .. } => thoughts.push(thinking.as_str()),
            ContentBlock::ToolUse { id, name, input, .. } => {
                let arguments = Value::Object(input.clone()).to_string();
                let function = json!({ "name": name, "arguments": arguments });
                calls.push(json!({ "id": id, "type": "function", "function": function }));
            }
            ContentBlock::ToolResult { .. } => {
                let why = "a result is the user's to send";
                return Err(ApiError::invalid(format!("{param}[{i}]"), why));
            }
        }
    }
    let mut message = json!({ "role": "assistant", "content": text.join("\n") });
    if !thoughts.is_empty() {
        message["reasoning_content"] = json!(thoughts.join("\n"));
    }
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    Ok(message)
}

/// Results are messages of their own, before the user's text.
fn user(
    message: &MessageParam,
    blocks: &[ContentBlock],
    param: &str,
    out: &mut Vec<Value>,
) -> Result<(), ApiError> {
    let mut text = Vec::new();
    let n_before = out.len();
    for (i, block) in blocks.iter().enumerate() {
        match block {
            ContentBlock::Text { text: piece, .. } => text.push(piece.as_str()),
            ContentBlock::ToolResult { tool_use_id, content, is_error, .. } => {
                let mut result = content.as_ref().map(|c| c.text()).unwrap_or_default();
                if *is_error == Some(true) {
                    result = format!("error: {result}");
                }
                out.push(json!({ "role": "tool", "tool_call_id": tool_use_id, "content": result }));
            }
            ContentBlock::Thinking { .. } | ContentBlock::ToolUse { .. } => {
                let why = "is a block of the assistant's";
                return Err(ApiError::invalid(format!("{param}[{i}]"), why));
            }
        }
    }
    if !text.is_empty() || out.len() == n_before {
        out.push(json!({ "role": role_name(message.role), "content": text.join("\n") }));
    }
    Ok(())
}

/// Tools in OpenAI's shape, the choice among them, and whether one answer may call several.
pub(super) fn tools(
    tools: &[Tool],
    choice: Option<&ToolChoice>,
    limit: usize,
) -> Result<(Vec<Value>, Choice, bool), ApiError> {
    if tools.len() > limit {
        return Err(ApiError::invalid("tools", format!("has more than {limit} tools")));
    }
    let mut definitions = Vec::new();
    for (i, tool) in tools.iter().enumerate() {
        let function = function(tool);
        function.check(&format!("tools[{i}]"))?;
        if tools[..i].iter().any(|t| t.name == tool.name) {
            let why = format!("`{}` is the name of an earlier tool", tool.name);
            return Err(ApiError::invalid(format!("tools[{i}].name"), why));
        }
        definitions.push(function.definition());
    }
    let (choice, alone) = match choice {
        None => (Choice::Auto, None),
        Some(ToolChoice::Auto { disable_parallel_tool_use }) => {
            (Choice::Auto, *disable_parallel_tool_use)
        }
        Some(ToolChoice::Any { disable_parallel_tool_use }) => {
            if tools.is_empty() {
                let why = "a call is required, but there are no tools";
                return Err(ApiError::invalid("tool_choice", why));
            }
            (Choice::Required, *disable_parallel_tool_use)
        }
        Some(ToolChoice::Tool { name, disable_parallel_tool_use }) => {
            if !tools.iter().any(|t| t.name == *name) {
                let why = format!("there is no tool `{name}`");
                return Err(ApiError::invalid("tool_choice", why));
            }
            (Choice::Named(name.clone()), *disable_parallel_tool_use)
        }
        Some(ToolChoice::None {}) => (Choice::None, None),
    };
    Ok((definitions, choice, alone != Some(true)))
}

fn function(tool: &Tool) -> Function {
    let examples = tool.input_examples.as_deref().unwrap_or_default();
    let examples: String =
        examples.iter().map(|e| format!("\nExample: {}", Value::Object(e.clone()))).collect();
    let description = tool.description.clone().unwrap_or_default() + examples.as_str();
    Function {
        name: tool.name.clone(),
        description: (!description.is_empty()).then_some(description),
        parameters: Some(tool.input_schema.clone()),
        strict: tool.strict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: Value) -> MessageBody {
        serde_json::from_value(value).expect("a good body")
    }

    #[test]
    fn calls_and_results_become_messages_of_their_own() {
        let body = parsed(json!({ "max_tokens": 5, "system": "be kind", "messages": [
            { "role": "user", "content": "how warm is it?" },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "look", "signature": "" },
                { "type": "text", "text": "I look." },
                { "type": "tool_use", "id": "t1", "name": "warmth", "input": { "at": "home" } },
            ] },
            { "role": "user", "content": [
                { "type": "text", "text": "well?" },
                { "type": "tool_result", "tool_use_id": "t1", "content": "21", "is_error": true },
            ] },
        ] }));
        let (messages, continues) = messages(&body, 10).expect("translated");
        let arguments = "{\"at\":\"home\"}";
        assert_eq!(
            json!(messages),
            json!([
                { "role": "system", "content": "be kind" },
                { "role": "user", "content": "how warm is it?" },
                { "role": "assistant", "content": "I look.", "reasoning_content": "look",
                  "tool_calls": [{ "id": "t1", "type": "function",
                                   "function": { "name": "warmth", "arguments": arguments } }] },
                { "role": "tool", "tool_call_id": "t1", "content": "error: 21" },
                { "role": "user", "content": "well?" },
            ])
        );
        assert!(!continues);
    }

    #[test]
    fn a_last_message_of_the_assistants_is_continued() {
        let body = parsed(json!({ "max_tokens": 5, "messages": [
            { "role": "user", "content": "count" },
            { "role": "assistant", "content": "one, two," },
        ] }));
        assert!(messages(&body, 10).expect("translated").1);
    }
}
