//! From a conversation to the tokens of a prompt.
//!
//! What people and tools write must not steer the model: a special token spelt out in a message stays
//! text. A mark is put into such texts before the template runs, the prompt is cut at the marks, and no
//! piece holds the whole spelling any more.

use aho_corasick::{AhoCorasick, MatchKind};
use psi_tokenizer::{ChatTemplate, TokenId, Tokenizer};
use serde_json::{Map, Value, json};

use super::{ChatError, ChatFormat, messages};

/// How a conversation is made into a prompt.
#[derive(Clone, Debug, Default)]
pub struct TemplateOptions {
    /// Whether the model should think first; `None`: as its template has it.
    pub enable_thinking: Option<bool>,
    /// Further variables of the template; [`psi_tokenizer::NOW`] is the time that it may ask for.
    pub kwargs: Map<String, Value>,
    /// Open the assistant's turn.
    pub add_generation_prompt: bool,
    /// Leave the last message open, so that the answer goes on with it.
    pub continue_last: bool,
}

/// Variables that are not the caller's to set.
const RESERVED: [&str; 5] =
    ["messages", "tools", "add_generation_prompt", "bos_token", "eos_token"];

/// A rendered prompt.
#[derive(Clone, Debug)]
pub(super) struct Prompt {
    pub(super) text: String,
    pub(super) tokens: Vec<TokenId>,
}

/// Characters that Unicode keeps out of texts; one that no message holds becomes the mark.
fn marks() -> impl Iterator<Item = char> {
    '\u{fdd2}'..='\u{fdef}'
}

/// Finds special tokens that are spelt out in texts.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    spellings: Option<AhoCorasick>,
}

impl Guard {
    pub(super) fn new(tokenizer: &Tokenizer) -> Self {
        let special = tokenizer.added_tokens().iter().filter(|t| t.special);
        let texts: Vec<&str> =
            special.map(|t| t.content.as_str()).filter(|t| t.len() > 1).collect();
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&texts);
        Self { spellings: finder.ok().filter(|_| !texts.is_empty()) }
    }

    /// Puts the mark after the first character of every special token in the value's texts.
    fn protect(&self, value: &mut Value, mark: char) {
        match value {
            Value::String(text) => {
                let Some(finder) = self.spellings.as_ref().filter(|f| f.is_match(text.as_str()))
                else {
                    return;
                };
                let mut out = String::with_capacity(text.len() + 8);
                finder.replace_all_with(text, &mut out, |_, found, out| {
                    let mut chars = found.chars();
                    out.extend(chars.next());
                    out.push(mark);
                    out.push_str(chars.as_str());
                    true
                });
                *text = out;
            }
            Value::Array(list) => list.iter_mut().for_each(|v| self.protect(v, mark)),
            Value::Object(object) => object.values_mut().for_each(|v| self.protect(v, mark)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// What a prompt is made with.
pub(super) struct Maker<'a> {
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) template: &'a ChatTemplate,
    pub(super) format: &'a ChatFormat,
    pub(super) guard: &'a Guard,
}

impl Maker<'_> {
    pub(super) fn prompt(
        &self,
        messages: &[Value],
        tools: &[Value],
        options: &TemplateOptions,
    ) -> Result<Prompt, ChatError> {
        let mut messages = messages::check_messages(messages)?;
        messages::check_tools(tools)?;
        let mut tools = tools.to_vec();
        if !self.format.shows_tools && !tools.is_empty() {
            show_tools(&mut messages, &tools);
            tools.clear();
        }
        let (mut messages, mut tools) = (Value::Array(messages), Value::Array(tools));
        let is_free = |c: &char| !holds(&messages, *c) && !holds(&tools, *c);
        let Some(mark) = marks().find(is_free) else {
            return Err(ChatError::bad("messages", "holds every character U+FDD2 to U+FDEF"));
        };
        self.guard.protect(&mut messages, mark);
        self.guard.protect(&mut tools, mark);
        let tools = tools.as_array().is_some_and(|t| !t.is_empty()).then_some(&tools);
        let extra = variables(options)?;
        let mut text = self
            .template
            .render(
                &messages,
                tools,
                options.add_generation_prompt && !options.continue_last,
                &extra,
            )
            .map_err(ChatError::Template)?;
        if options.continue_last {
            leave_open(&mut text, &messages)?;
        }
        let pieces = text.split(mark);
        let tokens = pieces.flat_map(|piece| self.tokenizer.encode(piece, false, true)).collect();
        Ok(Prompt { tokens, text })
    }
}

fn holds(value: &Value, c: char) -> bool {
    match value {
        Value::String(text) => text.contains(c),
        Value::Array(list) => list.iter().any(|v| holds(v, c)),
        Value::Object(object) => object.iter().any(|(k, v)| k.contains(c) || holds(v, c)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn variables(options: &TemplateOptions) -> Result<Map<String, Value>, ChatError> {
    if let Some(name) = RESERVED.iter().find(|name| options.kwargs.contains_key(**name)) {
        return Err(ChatError::bad(format!("chat_template_kwargs.{name}"), "cannot be set"));
    }
    let mut extra = options.kwargs.clone();
    if let Some(enabled) = options.enable_thinking {
        // Qwen's name and DeepSeek's.
        for name in ["enable_thinking", "thinking"] {
            extra.entry(name).or_insert(Value::Bool(enabled));
        }
    }
    Ok(extra)
}

/// Cuts what the template puts after the last message.
fn leave_open(text: &mut String, messages: &Value) -> Result<(), ChatError> {
    let last = messages.as_array().and_then(|m| m.last());
    let content = last.filter(|m| m["role"] == "assistant").and_then(|m| m["content"].as_str());
    let content = content.map(str::trim_end).filter(|c| !c.is_empty());
    let Some(content) = content else {
        let why = "must end with an assistant's message that has content, to go on with it";
        return Err(ChatError::bad("messages", why));
    };
    let Some(at) = text.rfind(content) else {
        let why = "cannot be continued: the chat template changes the last message";
        return Err(ChatError::bad("messages", why));
    };
    text.truncate(at + content.len());
    Ok(())
}

/// Tells the model of its tools where the template does not: in the system's message.
fn show_tools(messages: &mut Vec<Value>, tools: &[Value]) {
    let mut text =
        "You can call tools. To call one, answer with nothing but a JSON object of this form:\n\
                    {\"name\": \"<tool>\", \"arguments\": {<arguments>}}\nThe tools:"
            .to_owned();
    for tool in tools {
        text.push('\n');
        text.push_str(&tool["function"].to_string());
    }
    match messages.first_mut() {
        Some(first) if first["role"] == "system" => {
            let own = first["content"].as_str().unwrap_or_default();
            first["content"] = json!(format!("{own}\n\n{text}"));
        }
        _ => messages.insert(0, json!({"role": "system", "content": text})),
    }
}
