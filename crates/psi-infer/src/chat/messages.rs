//! Messages and tools as they come in, made into what chat templates take.

use serde_json::{Map, Value, json};

use super::ChatError;

const ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];

/// Checks messages and brings them into one shape: content as text, arguments as objects.
pub(super) fn check_messages(messages: &[Value]) -> Result<Vec<Value>, ChatError> {
    if messages.is_empty() {
        return Err(ChatError::bad("messages", "is empty"));
    }
    let check = |(i, message): (usize, &Value)| check_message(&format!("messages[{i}]"), message);
    messages.iter().enumerate().map(check).collect()
}

fn check_message(at: &str, message: &Value) -> Result<Value, ChatError> {
    let object = message.as_object().ok_or_else(|| ChatError::bad(at, "is not an object"))?;
    let role = object.get("role").and_then(Value::as_str).unwrap_or_default();
    if !ROLES.contains(&role) {
        let why = format!("is '{role}', but must be one of {}", ROLES.join(", "));
        return Err(ChatError::bad(format!("{at}.role"), why));
    }
    let mut checked = object.clone();
    let calls = match object.get("tool_calls") {
        None | Some(Value::Null) => Vec::new(),
        Some(calls) if role == "assistant" => check_calls(at, calls)?,
        Some(_) => {
            let why = format!("cannot be in a message of the {role}");
            return Err(ChatError::bad(format!("{at}.tool_calls"), why));
        }
    };
    let content = match object.get("content") {
        // Many templates join or search the content, so there always is one.
        None | Some(Value::Null) if role == "assistant" => String::new(),
        Some(content) => text_of(&format!("{at}.content"), content)?,
        None => return Err(ChatError::bad(format!("{at}.content"), "is missing")),
    };
    checked.insert("content".to_owned(), json!(content));
    if calls.is_empty() {
        checked.shift_remove("tool_calls");
    } else {
        checked.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    match object.get("reasoning_content") {
        None | Some(Value::String(_)) => {}
        Some(Value::Null) => drop(checked.shift_remove("reasoning_content")),
        Some(_) => {
            return Err(ChatError::bad(format!("{at}.reasoning_content"), "is not a text"));
        }
    }
    Ok(Value::Object(checked))
}

/// A text, or the texts of its parts.
fn text_of(at: &str, content: &Value) -> Result<String, ChatError> {
    match content {
        Value::String(text) => Ok(text.clone()),
        Value::Array(parts) => {
            let text = |(i, part): (usize, &Value)| {
                let kind = part.get("type").and_then(Value::as_str).unwrap_or("text");
                match part.get("text").and_then(Value::as_str) {
                    Some(text) if kind == "text" => Ok(text.to_owned()),
                    _ => {
                        let why = format!("is a part of type '{kind}'; only texts can be read");
                        Err(ChatError::bad(format!("{at}[{i}]"), why))
                    }
                }
            };
            parts.iter().enumerate().map(text).collect()
        }
        _ => Err(ChatError::bad(at, "is neither a text nor a list of parts")),
    }
}

fn check_calls(at: &str, calls: &Value) -> Result<Vec<Value>, ChatError> {
    let at = format!("{at}.tool_calls");
    let list = calls.as_array().ok_or_else(|| ChatError::bad(&at, "is not a list"))?;
    let check = |(i, call): (usize, &Value)| {
        let at = format!("{at}[{i}].function");
        let mut call = call.clone();
        let function = call.get_mut("function").and_then(Value::as_object_mut);
        let function = function.ok_or_else(|| ChatError::bad(&at, "is not an object"))?;
        let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
        if name.is_empty() {
            return Err(ChatError::bad(format!("{at}.name"), "is missing"));
        }
        let arguments = match function.get("arguments") {
            None | Some(Value::Null) => json!({}),
            Some(Value::String(text)) if text.trim().is_empty() => json!({}),
            Some(Value::String(text)) => serde_json::from_str(text).map_err(|e| {
                ChatError::bad(format!("{at}.arguments"), format!("is not JSON: {e}"))
            })?,
            Some(value) => value.clone(),
        };
        if !arguments.is_object() {
            return Err(ChatError::bad(format!("{at}.arguments"), "is not a JSON object"));
        }
        function.insert("arguments".to_owned(), arguments);
        Ok(call)
    };
    list.iter().enumerate().map(check).collect()
}

/// A tool that may be called.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tool {
    pub(super) name: String,
    /// the JSON Schema of its arguments
    pub(super) parameters: Option<Value>,
    /// whether the arguments must follow it
    pub(super) is_strict: bool,
}

/// Checks tool definitions in OpenAI's shape.
pub(super) fn check_tools(tools: &[Value]) -> Result<Vec<Tool>, ChatError> {
    let mut checked: Vec<Tool> = Vec::with_capacity(tools.len());
    for (i, tool) in tools.iter().enumerate() {
        let at = format!("tools[{i}].function");
        let function = tool.get("function").and_then(Value::as_object);
        let function = function.ok_or_else(|| ChatError::bad(&at, "is not an object"))?;
        let tool = check_tool(&at, function)?;
        if checked.iter().any(|t| t.name == tool.name) {
            let why = format!("is '{}' a second time", tool.name);
            return Err(ChatError::bad(format!("{at}.name"), why));
        }
        checked.push(tool);
    }
    Ok(checked)
}

fn check_tool(at: &str, function: &Map<String, Value>) -> Result<Tool, ChatError> {
    let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_name) {
        let why = "must be 1 to 64 letters, digits, '_', '-' or '.'";
        return Err(ChatError::bad(format!("{at}.name"), why));
    }
    let parameters = function.get("parameters").filter(|p| !p.is_null());
    if parameters.is_some_and(|p| !p.is_object()) {
        return Err(ChatError::bad(format!("{at}.parameters"), "is not a JSON Schema"));
    }
    let is_strict = match function.get("strict") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(strict)) => *strict,
        Some(_) => return Err(ChatError::bad(format!("{at}.strict"), "is not true or false")),
    };
    Ok(Tool { name: name.to_owned(), parameters: parameters.cloned(), is_strict })
}
