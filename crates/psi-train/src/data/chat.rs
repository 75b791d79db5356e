//! Conversations: checked, rendered by the chat template, with the assistant's part marked.
//!
//! Where the assistant's part lies is found by rendering: the conversation up to a turn, with the
//! generation prompt, must be a prefix of the conversation with it; what follows is the turn. So any
//! template works that lets turns stay as they were written, and one that does not says so. A template
//! with `generation` blocks says itself what the assistant wrote.

use std::ops::Range;

use psi_tokenizer::{Renderer, Tokenizer};
use serde_json::{Value, json};

use super::config::Turns;
use super::encode::TRAINED;

/// A conversation in the form chat templates take.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Conversation {
    messages: Vec<Value>,
    tools: Option<Value>,
}

/// How conversations look where no model says otherwise.
pub const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n\
    {% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}\
    {% for c in m.tool_calls or [] %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}\
    <|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// A rendered conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) text: String,
    /// Byte ranges of `text` that the assistant wrote, in order.
    pub(crate) spans: Vec<Range<usize>>,
}

const ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];

impl Conversation {
    /// Checks what a file holds: roles, texts, tool calls, and that there is something to learn.
    pub(crate) fn check(messages: &Value, tools: Option<&Value>) -> Result<Self, String> {
        let list = messages.as_array().ok_or("'messages' is not a list")?;
        let mut checked = Vec::with_capacity(list.len());
        for (i, message) in list.iter().enumerate() {
            checked.push(check_message(message).map_err(|why| format!("messages[{i}]: {why}"))?);
        }
        if !checked.iter().any(is_assistant) {
            return Err("no message of the assistant to learn from".to_owned());
        }
        let tools = match tools {
            // Tables store nested lists as text.
            Some(Value::String(text)) => {
                Some(serde_json::from_str(text).map_err(|e| format!("'tools' is no list: {e}"))?)
            }
            other => other.cloned(),
        };
        if tools.as_ref().is_some_and(|t| !t.is_array()) {
            return Err("'tools' is not a list".to_owned());
        }
        let tools = tools.filter(|t| t.as_array().is_some_and(|t| !t.is_empty()));
        Ok(Self { messages: checked, tools })
    }

    /// One text for one conversation, whatever keys its file has besides.
    pub(crate) fn canonical(&self) -> String {
        json!([self.messages, self.tools]).to_string()
    }
}

fn is_assistant(message: &Value) -> bool {
    message["role"] == "assistant"
}

fn check_message(message: &Value) -> Result<Value, String> {
    let object = message.as_object().ok_or("not an object")?;
    let role = object.get("role").and_then(Value::as_str).ok_or("no 'role'")?;
    if !ROLES.contains(&role) {
        return Err(format!("unknown role '{role}' (known: {})", ROLES.join(", ")));
    }
    let mut checked = object.clone();
    let has_calls = match object.get("tool_calls") {
        None | Some(Value::Null) => {
            checked.shift_remove("tool_calls");
            false
        }
        Some(calls) if role == "assistant" => {
            let calls = check_calls(calls)?;
            let any = !calls.is_empty();
            if any {
                checked.insert("tool_calls".to_owned(), Value::Array(calls));
            } else {
                checked.shift_remove("tool_calls");
            }
            any
        }
        Some(_) => return Err(format!("'tool_calls' in a message of the {role}")),
    };
    match object.get("content") {
        Some(Value::String(_) | Value::Array(_)) => {}
        None | Some(Value::Null) if has_calls => {
            checked.insert("content".to_owned(), json!(""));
        }
        _ => return Err("no 'content'".to_owned()),
    }
    if let Some(reasoning) = object.get("reasoning_content") {
        match reasoning {
            Value::Null => drop(checked.shift_remove("reasoning_content")),
            Value::String(_) => {}
            _ => return Err("'reasoning_content' is not a text".to_owned()),
        }
    }
    Ok(Value::Object(checked))
}

/// Each call with its arguments as an object: some writers store them as a text of JSON.
fn check_calls(calls: &Value) -> Result<Vec<Value>, String> {
    let list = calls.as_array().ok_or("'tool_calls' is not a list")?;
    let check = |(i, call): (usize, &Value)| {
        let bad = |why: &str| format!("tool_calls[{i}]: {why}");
        let mut call = call.clone();
        let function = call.get_mut("function").and_then(Value::as_object_mut);
        let function = function.ok_or_else(|| bad("no 'function'"))?;
        if !function.get("name").is_some_and(Value::is_string) {
            return Err(bad("no 'name'"));
        }
        let arguments = match function.get("arguments") {
            Some(Value::String(text)) => serde_json::from_str(text)
                .map_err(|e| bad(&format!("'arguments' are not JSON: {e}")))?,
            Some(value) => value.clone(),
            None => json!({}),
        };
        if !arguments.is_object() {
            return Err(bad("'arguments' are not an object"));
        }
        function.insert("arguments".to_owned(), arguments);
        Ok(call)
    };
    list.iter().enumerate().map(check).collect()
}

/// Renders a conversation and finds the assistant's turns in it: all in one text, or the conversation
/// up to each turn in a text of its own.
pub(crate) fn render(
    conversation: &Conversation,
    template: &Renderer<'_>,
    turns: Turns,
) -> Result<Vec<Rendered>, String> {
    let n = conversation.messages.len();
    let parts = Parts { conversation, template };
    let assistant = (0..n).filter(|&i| is_assistant(&conversation.messages[i]));
    match (turns, template.marks_generation()) {
        (Turns::Together, true) => Ok(vec![parts.marked(n)?]),
        (Turns::Each, true) => assistant.map(|i| parts.marked_turn(i)).collect(),
        (Turns::Together, false) => {
            let each = assistant.map(|i| parts.turn(i)).collect::<Result<_, String>>()?;
            Ok(vec![parts.together(each)?])
        }
        (Turns::Each, false) => assistant.map(|i| parts.turn(i)).collect(),
    }
}

/// The tokens of a conversation, of which the last turn is marked as trained on.
pub(crate) fn last_turn(
    messages: &Value,
    tools: Option<&Value>,
    template: &Renderer<'_>,
    tokenizer: &Tokenizer,
) -> Result<Vec<u32>, String> {
    let conversation = Conversation::check(messages, tools)?;
    if !conversation.messages.last().is_some_and(is_assistant) {
        return Err("the answer is not the assistant's".to_owned());
    }
    let turns = render(&conversation, template, Turns::Each)?;
    let last = turns.last().ok_or("no turn of the assistant")?;
    tokenize(last, tokenizer)
}

/// The beginnings of a conversation, rendered.
struct Parts<'a> {
    conversation: &'a Conversation,
    template: &'a Renderer<'a>,
}

impl Parts<'_> {
    /// The first `n` messages, and the prompt for the next if asked for.
    fn plain(&self, n: usize, prompt: bool) -> Result<String, String> {
        let Conversation { messages, tools } = self.conversation;
        let messages = Value::Array(messages[..n].to_vec());
        self.template.render(&messages, tools.as_ref(), prompt).map_err(|e| e.to_string())
    }

    /// The first `n` messages, with what the template itself marks.
    fn marked(&self, n: usize) -> Result<Rendered, String> {
        let Conversation { messages, tools } = self.conversation;
        let messages = Value::Array(messages[..n].to_vec());
        let rendered = self.template.render_marked(&messages, tools.as_ref());
        let (text, spans) = rendered.map_err(|e| e.to_string())?;
        if spans.iter().all(Range::is_empty) {
            return Err("the chat template marks nothing of it as generated".to_owned());
        }
        Ok(Rendered { text, spans })
    }

    /// The conversation up to message `i`, with what the template marks in that message.
    fn marked_turn(&self, i: usize) -> Result<Rendered, String> {
        let mut turn = self.marked(i + 1)?;
        let before = self.plain(i, false)?.len();
        turn.spans.retain(|span| span.start >= before);
        Ok(turn)
    }

    /// The conversation up to message `i`, of the assistant: what follows the prompt for it is its turn.
    fn turn(&self, i: usize) -> Result<Rendered, String> {
        // A turn that goes on after another of the assistant's has no prompt of its own.
        let continues = i > 0 && is_assistant(&self.conversation.messages[i - 1]);
        let (start, text) = (self.plain(i, !continues)?, self.plain(i + 1, false)?);
        if !text.starts_with(&start) {
            return Err(format!(
                "the chat template prompts for messages[{i}] otherwise than it renders it \
                 (data.template_vars may change that: enable_thinking, often)"
            ));
        }
        let span = start.len()..text.len();
        Ok(Rendered { spans: std::iter::once(span).collect(), text })
    }

    /// The whole conversation with all of the assistant's turns.
    fn together(&self, each: Vec<Rendered>) -> Result<Rendered, String> {
        let messages = &self.conversation.messages;
        let text = match each.last() {
            Some(last) if messages.last().is_some_and(is_assistant) => last.text.clone(),
            _ => self.plain(messages.len(), false)?,
        };
        if let Some(i) = each.iter().position(|one| !text.starts_with(&one.text)) {
            return Err(format!(
                "the chat template renders turn {} of the assistant otherwise when more follows \
                 (data.turns = \"each\" learns each turn by itself)",
                i + 1
            ));
        }
        let spans = each.into_iter().flat_map(|one| one.spans).collect();
        Ok(Rendered { text, spans })
    }
}

/// The tokens of a rendered conversation, [`TRAINED`] on the assistant's up to the token that ends its
/// turn.
///
/// Prompt and turn are tokenised apart, as they are when the model is used: a token never spans both.
pub(crate) fn tokenize(rendered: &Rendered, tokenizer: &Tokenizer) -> Result<Vec<u32>, String> {
    let Rendered { text, spans } = rendered;
    let mut cuts: Vec<(usize, bool)> = Vec::new(); // where a piece ends, and whether it is trained on
    for span in spans {
        cuts.extend([(span.start, false), (span.end, true)]);
    }
    cuts.push((text.len(), false));
    let (mut tokens, mut done) = (Vec::new(), 0);
    for (end, trained) in cuts {
        let piece = tokenizer.encode(&text[done..end], false, true);
        let ends = |id: &u32| tokenizer.end_of_generation().contains(id);
        // What the template puts after the end of a turn, a line break mostly, is not the assistant's.
        let n_trained = match piece.iter().rposition(ends) {
            _ if !trained => 0,
            Some(last) => last + 1,
            None => piece.len(),
        };
        let mark = |(i, id): (usize, u32)| if i < n_trained { id | TRAINED } else { id };
        tokens.extend(piece.into_iter().enumerate().map(mark));
        done = end;
    }
    let ids: Vec<u32> = tokens.iter().map(|t| t & !TRAINED).collect();
    let whole = tokenizer.encode(text, false, true);
    if ids != whole && tokenizer.decode_bytes(&ids, false) != tokenizer.decode_bytes(&whole, false)
    {
        return Err("the tokenizer does not allow a cut where the assistant's part begins".into());
    }
    Ok(tokens)
}
