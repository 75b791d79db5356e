//! From items and tools of the Responses API to the shape that chat templates read.

use psi_infer::chat::{Reasoning, ResponseFormat, ToolChoice};
use serde_json::{Value, json};

use super::{
    compact,
    request::{
        self, Format, Item, MessageItem, NamedTool, ReasoningText, ResponseBody, Role, TextConfig,
        Tool, TypedItem,
    },
};
use crate::api::{
    chat::request::{Function, ToolMode},
    error::ApiError,
    text_or::TextOr,
};

/// The messages that the input adds to the conversation, and its items with their ids.
pub(crate) fn input(
    input: Option<&TextOr<Item>>,
    id: &str,
) -> Result<(Vec<Value>, Vec<Value>), ApiError> {
    let items: Vec<TypedItem> = match input {
        // No input is an empty one.
        None => vec![user("")],
        Some(TextOr::Text(text)) => vec![user(text)],
        Some(TextOr::List(items)) => items.iter().cloned().map(typed).collect(),
    };
    let mut messages: Vec<Value> = Vec::new();
    for (i, item) in items.iter().enumerate() {
        add(item, &format!("input[{i}]"), &mut messages)?;
    }
    let with_id = |(i, item): (usize, &TypedItem)| {
        let mut item = json!(item);
        if item["id"].is_null() {
            item["id"] = json!(format!("item_{id}_{i}"));
        }
        item
    };
    Ok((messages, items.iter().enumerate().map(with_id).collect()))
}

fn user(text: &str) -> TypedItem {
    let text = request::Part::InputText { text: text.to_owned() };
    message(MessageItem { role: Role::User, content: TextOr::List(vec![text]) })
}

fn typed(item: Item) -> TypedItem {
    match item {
        Item::Typed(item) => item,
        Item::Message(item) => message(item),
    }
}

fn message(MessageItem { role, content }: MessageItem) -> TypedItem {
    TypedItem::Message { role, content, phase: None, id: None, status: None }
}

/// Adds an item; thoughts, text and calls of one turn are one message.
fn add(item: &TypedItem, param: &str, messages: &mut Vec<Value>) -> Result<(), ApiError> {
    match item {
        TypedItem::Message { role, content, .. } => {
            let role = match role {
                Role::User => "user",
                Role::System | Role::Developer => "system",
                Role::Assistant => {
                    let turn =
                        assistant(messages, |m| m["content"] == "" && m["tool_calls"].is_null());
                    turn["content"] = json!(content.text());
                    return Ok(());
                }
            };
            messages.push(json!({ "role": role, "content": content.text() }));
        }
        TypedItem::FunctionCall { call_id, name, arguments, .. } => {
            let parsed: Result<Value, _> = serde_json::from_str(arguments);
            if !parsed.is_ok_and(|a| a.is_object()) {
                let why = "must be the text of a JSON object";
                return Err(ApiError::invalid(format!("{param}.arguments"), why));
            }
            let function = json!({ "name": name, "arguments": arguments });
            let call = json!({ "id": call_id, "type": "function", "function": function });
            let turn = assistant(messages, |_| true);
            match turn["tool_calls"].as_array_mut() {
                Some(calls) => calls.push(call),
                None => turn["tool_calls"] = json!([call]),
            }
        }
        TypedItem::FunctionCallOutput { call_id, output, .. } => {
            let content = output.text();
            messages.push(json!({ "role": "tool", "tool_call_id": call_id, "content": content }));
        }
        TypedItem::Compaction { .. } => messages.extend(compact::message(item, param)?),
        TypedItem::Reasoning { summary, content, .. } => {
            let thoughts = content.as_ref().unwrap_or(summary);
            let text: Vec<&str> = thoughts.iter().map(ReasoningText::text).collect();
            let turn = assistant(messages, |_| false);
            turn["reasoning_content"] = json!(text.join("\n"));
        }
    }
    Ok(())
}

/// The assistant's message at the end, if the item may join it; else a new one.
fn assistant(messages: &mut Vec<Value>, may_join: impl Fn(&Value) -> bool) -> &mut Value {
    let joins = messages.last().is_some_and(|m| m["role"] == "assistant" && may_join(m));
    if !joins {
        messages.push(json!({ "role": "assistant", "content": "" }));
    }
    let last = messages.len() - 1;
    &mut messages[last]
}

/// Tools in OpenAI's shape, and the choice among them.
pub(super) fn tools(
    body: &ResponseBody,
    limit: usize,
) -> Result<(Vec<Value>, ToolChoice), ApiError> {
    let tools = body.tools.as_deref().unwrap_or_default();
    if tools.len() > limit {
        return Err(ApiError::invalid("tools", format!("has more than {limit} tools")));
    }
    let mut names: Vec<&str> = Vec::new();
    let mut definitions = Vec::new();
    for (i, Tool::Function { name, description, parameters, strict }) in tools.iter().enumerate() {
        let function = Function {
            name: name.clone(),
            description: description.clone(),
            parameters: parameters.clone(),
            strict: *strict,
        };
        function.check(&format!("tools[{i}]"))?;
        if names.contains(&name.as_str()) {
            let why = format!("`{name}` is the name of an earlier tool");
            return Err(ApiError::invalid(format!("tools[{i}].name"), why));
        }
        names.push(name);
        definitions.push(function.definition());
    }
    let choice = match &body.tool_choice {
        None | Some(request::ToolChoice::Mode(ToolMode::Auto)) => ToolChoice::Auto,
        Some(request::ToolChoice::Mode(ToolMode::None)) => ToolChoice::None,
        Some(request::ToolChoice::Mode(ToolMode::Required)) => {
            if tools.is_empty() {
                let why = "a call is required, but there are no tools";
                return Err(ApiError::invalid("tool_choice", why));
            }
            ToolChoice::Required
        }
        Some(request::ToolChoice::Named(NamedTool::Function { name })) => {
            if !names.contains(&name.as_str()) {
                let why = format!("there is no tool `{name}`");
                return Err(ApiError::invalid("tool_choice", why));
            }
            ToolChoice::Named(name.clone())
        }
    };
    Ok((definitions, choice))
}

/// The form of the answer, in the engine's words.
pub(super) fn format(text: Option<&TextConfig>) -> ResponseFormat {
    match text.and_then(|t| t.format.as_ref()) {
        None | Some(Format::Text {}) => ResponseFormat::Text,
        Some(Format::JsonObject {}) => ResponseFormat::JsonObject,
        Some(Format::JsonSchema { schema, .. }) => ResponseFormat::JsonSchema(schema.clone()),
    }
}

/// How long to think, in the engine's words.
pub(super) fn reasoning(asked: Option<&request::Reasoning>) -> Reasoning {
    let effort = asked.and_then(|r| r.effort);
    let (enabled, budget) = match effort.map(|e| e.budget()) {
        Some((enabled, budget)) => (Some(enabled), budget),
        None => (None, None),
    };
    Reasoning { enabled, budget }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_one_turn_become_one_message() {
        let items = json!([
            { "role": "user", "content": "how warm is it?" },
            { "type": "reasoning", "id": "r", "summary": [],
              "content": [{ "type": "reasoning_text", "text": "look" }] },
            { "type": "message", "role": "assistant", "id": "m", "status": "completed",
              "content": [{ "type": "output_text", "text": "I look.", "annotations": [] }] },
            { "type": "function_call", "call_id": "c", "name": "warmth", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "c", "output": "21" },
        ]);
        let items: TextOr<Item> = serde_json::from_value(items).expect("good items");
        let (messages, items) = input(Some(&items), "7").expect("translated");
        let call = json!({ "id": "c", "type": "function",
                           "function": { "name": "warmth", "arguments": "{}" } });
        assert_eq!(
            json!(messages),
            json!([
                { "role": "user", "content": "how warm is it?" },
                { "role": "assistant", "content": "I look.", "reasoning_content": "look",
                  "tool_calls": [call] },
                { "role": "tool", "tool_call_id": "c", "content": "21" },
            ])
        );
        assert_eq!(
            (items.len(), &items[0]["id"], &items[2]["id"]),
            (5, &json!("item_7_0"), &json!("m"))
        );
    }

    #[test]
    fn arguments_that_are_no_object_are_refused_by_place() {
        let items =
            json!([{ "type": "function_call", "call_id": "c", "name": "f", "arguments": "[" }]);
        let items: TextOr<Item> = serde_json::from_value(items).expect("good items");
        let error = input(Some(&items), "7").expect_err("bad arguments");
        assert_eq!(
            error,
            ApiError::invalid("input[0].arguments", "must be the text of a JSON object")
        );
    }
}
