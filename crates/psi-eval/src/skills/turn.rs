//! One turn of the assistant: what it thought, said and called, and how that is written as text.

use std::fmt;

use serde_json::{Map, Value};

use super::tools::Call;

/// A turn of the assistant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turn {
    /// The text between `<think>` and `</think>`.
    pub reasoning: Option<String>,
    /// What the user reads.
    pub content: String,
    /// The tools it calls.
    pub calls: Vec<Call>,
}

/// Why a text is not a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TurnError {
    /// A tag is opened and never closed.
    Unclosed(&'static str),
    /// What stands between the tags is not a call; holds it.
    BadCall(String),
}

impl fmt::Display for TurnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unclosed(tag) => write!(f, "{tag} has no end"),
            Self::BadCall(text) => write!(f, "not a tool call: {text}"),
        }
    }
}

impl std::error::Error for TurnError {}

impl Turn {
    /// A turn that only says something.
    pub fn says(content: impl Into<String>) -> Self {
        Self { content: content.into(), ..Self::default() }
    }

    /// A turn that only calls tools.
    pub fn calls(calls: Vec<Call>) -> Self {
        Self { calls, ..Self::default() }
    }

    /// Reads the text a model wrote, without its end-of-turn token.
    ///
    /// # Errors
    /// [`TurnError`]: a call that is half a call is never run.
    pub fn parse(text: &str) -> Result<Self, TurnError> {
        let mut turn = Self::default();
        let mut rest = text.trim_start();
        if let Some(after) = rest.strip_prefix("<think>") {
            let (thought, after) =
                after.split_once("</think>").ok_or(TurnError::Unclosed("<think>"))?;
            turn.reasoning = Some(thought.trim().to_owned());
            rest = after;
        }
        while let Some((before, after)) = rest.split_once("<tool_call>") {
            turn.content.push_str(before);
            let (call, after) =
                after.split_once("</tool_call>").ok_or(TurnError::Unclosed("<tool_call>"))?;
            turn.calls.push(parse_call(call)?);
            rest = after;
        }
        turn.content.push_str(rest);
        turn.content = turn.content.trim().to_owned();
        Ok(turn)
    }
}

fn parse_call(text: &str) -> Result<Call, TurnError> {
    let bad = || TurnError::BadCall(text.trim().to_owned());
    let value: Map<String, Value> = serde_json::from_str(text).map_err(|_| bad())?;
    let name = value.get("name").and_then(Value::as_str).ok_or_else(bad)?;
    let arguments = value.get("arguments").and_then(Value::as_object).ok_or_else(bad)?;
    Ok(Call { name: name.to_owned(), arguments: arguments.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn thoughts_words_and_calls_are_told_apart() {
        let text = "<think>\n2 < 3\n</think>\n\nThe answer is 3.";
        let turn = Turn::parse(text).unwrap();
        assert_eq!(turn.reasoning.as_deref(), Some("2 < 3"));
        assert_eq!(turn.content, "The answer is 3.");
        let text = r#"<tool_call>{"name": "recall", "arguments": {"query": "dog"}}</tool_call>"#;
        let turn = Turn::parse(text).unwrap();
        assert_eq!(turn, Turn::calls(vec![Call::new("recall", &[("query", json!("dog"))])]));
    }

    #[test]
    fn half_a_call_is_an_error() {
        assert_eq!(Turn::parse("<think>so").unwrap_err(), TurnError::Unclosed("<think>"));
        let open = r#"<tool_call>{"name": "now""#;
        assert_eq!(Turn::parse(open).unwrap_err(), TurnError::Unclosed("<tool_call>"));
        for inside in ["", "{}", "[1]", r#"{"name": "now"}"#, r#"{"name": 1, "arguments": {}}"#] {
            let text = format!("<tool_call>{inside}</tool_call>");
            assert_eq!(Turn::parse(&text).unwrap_err(), TurnError::BadCall(inside.to_owned()));
        }
    }
}
