//! A model's own answers as training data: what it should keep ([`crate::learn::rehearse`]), or what another model is to
//! learn from it ([`write()`]).

use std::{fs, path::Path, sync::Arc, sync::mpsc};

use psi_infer::{
    SamplingParams,
    chat::{ChatEvent, ChatFinish, ChatModel, ChatRequest, OpenOptions},
};
use psi_kernels::Cpu;
use psi_store::write_atomic;
use serde_json::{Value, json};

use crate::{Result, TrainError};

/// Prompts that are answered at a time.
pub(crate) const BATCH: usize = 32;

/// How a file of prompts is answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnswerOptions {
    /// Longest answer that is kept, in tokens.
    pub max_tokens: usize,
    /// 0: the likeliest answer.
    pub temperature: f32,
    /// Of the draws.
    pub seed: u64,
}

/// What was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// Conversations written.
    pub n: usize,
    /// Prompts whose answer was cut off or empty, and left out.
    pub n_left_out: usize,
}

/// Answers the prompts in `input` (lines with `messages` that end with a question, perhaps `tools`) with `model`, and
/// writes the conversations with their answers to `output`: a teacher's sequences to learn from. Kim and Rush 2016.
///
/// A line's `hint` is shown to the model below the question and left out of what is written: the model that
/// has read the hint teaches the one that has not. Snell et al. 2022 (context distillation).
///
/// # Errors
/// The model cannot be opened or does not answer; a line is no prompt; the file cannot be written.
pub fn write(
    cpu: &Arc<Cpu>,
    model: &Path,
    (input, output): (&Path, &Path),
    options: AnswerOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Answered> {
    let text = fs::read_to_string(input).map_err(|e| TrainError::io(input, "reading", e))?;
    let mut prompts = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let prompt = Prompt::read(line);
        prompts
            .push(prompt.map_err(|why| TrainError::run(input, format!("line {}: {why}", i + 1)))?);
    }
    let chat = open(cpu, model)?;
    let (mut lines, mut answered) = (String::new(), Answered::default());
    for batch in prompts.chunks(BATCH) {
        let done = answered.n + answered.n_left_out;
        progress(done, prompts.len());
        let asked = SamplingParams {
            temperature: options.temperature,
            seed: options.seed,
            ..SamplingParams::default()
        };
        let answers = answers(&chat, batch, options.max_tokens, &asked);
        let answers = answers.map_err(|why| TrainError::run(model, why))?;
        for (prompt, answer) in batch.iter().zip(answers) {
            match answer {
                Some(answer) => {
                    lines.push_str(&format!("{}\n", prompt.answered(&answer)));
                    answered.n += 1;
                }
                None => answered.n_left_out += 1,
            }
        }
    }
    write_atomic(output, lines.as_bytes())?;
    Ok(answered)
}

/// Opens a model that answers.
pub(crate) fn open(cpu: &Arc<Cpu>, model: &Path) -> Result<ChatModel> {
    let opened = ChatModel::open(model, cpu, OpenOptions::default());
    opened.map_err(|e| TrainError::run(model, e.to_string()))
}

/// A question with what stands before it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Prompt {
    pub(crate) messages: Vec<Value>,
    pub(crate) tools: Vec<Value>,
    /// Shown, but not written.
    pub(crate) hint: Option<String>,
}

impl Prompt {
    fn read(line: &str) -> std::result::Result<Self, String> {
        let value: Value = serde_json::from_str(line).map_err(|e| format!("not JSON: {e}"))?;
        let messages = value["messages"].as_array().cloned().ok_or("no 'messages'")?;
        let asks = |m: &Value| m["role"] == "user" || m["role"] == "tool";
        if !messages.last().is_some_and(asks) {
            return Err("the conversation does not end with a question".to_owned());
        }
        let tools = value["tools"].as_array().cloned().unwrap_or_default();
        Ok(Self { messages, tools, hint: value["hint"].as_str().map(str::to_owned) })
    }

    /// The messages as the model sees them.
    fn shown(&self) -> Vec<Value> {
        let mut messages = self.messages.clone();
        if let (Some(hint), Some(last)) = (&self.hint, messages.last_mut()) {
            let asked = last["content"].as_str().unwrap_or_default();
            last["content"] = json!(format!("{asked}\n\n{hint}"));
        }
        messages
    }

    /// As a line of training data.
    pub(crate) fn answered(&self, answer: &Value) -> Value {
        let messages: Vec<&Value> = self.messages.iter().chain([answer]).collect();
        let mut line = json!({ "messages": messages });
        if !self.tools.is_empty() {
            line["tools"] = json!(self.tools);
        }
        line
    }
}

/// The answer to each prompt, as a message; `None` where it was cut off or is empty.
pub(crate) fn answers(
    chat: &ChatModel,
    prompts: &[Prompt],
    max_tokens: usize,
    sampling: &SamplingParams,
) -> std::result::Result<Vec<Option<Value>>, String> {
    let mut running = Vec::new();
    for prompt in prompts {
        let request = ChatRequest {
            messages: prompt.shown(),
            tools: prompt.tools.clone(),
            max_tokens,
            sampling: sampling.clone(),
            ..ChatRequest::default()
        };
        let (sender, events) = mpsc::channel();
        let sink = move |event| drop(sender.send(event));
        let ticket = chat.chat(request, Box::new(sink)).map_err(|e| e.to_string())?;
        running.push((ticket, events));
    }
    let one = |(_ticket, events): (_, mpsc::Receiver<ChatEvent>)| {
        let mut answer = Answer::default();
        events.into_iter().try_for_each(|event| answer.take(event))?;
        Ok(answer.message())
    };
    running.into_iter().map(one).collect()
}

/// An answer as it comes.
#[derive(Default)]
struct Answer {
    reasoning: String,
    content: String,
    /// Name and arguments.
    calls: Vec<(String, String)>,
    is_whole: bool,
}

impl Answer {
    fn take(&mut self, event: ChatEvent) -> std::result::Result<(), String> {
        match event {
            ChatEvent::Reasoning(text) => self.reasoning.push_str(&text),
            ChatEvent::Content(text) => self.content.push_str(&text),
            ChatEvent::ToolCall { name, .. } => self.calls.push((name, String::new())),
            ChatEvent::ToolArguments { fragment, .. } => {
                if let Some((_, arguments)) = self.calls.last_mut() {
                    arguments.push_str(&fragment);
                }
            }
            ChatEvent::Finished { reason, .. } => {
                self.is_whole = matches!(reason, ChatFinish::Stop | ChatFinish::ToolCalls);
            }
            ChatEvent::Failed(why) => return Err(why),
            ChatEvent::Started { .. } | ChatEvent::Malformed(_) | ChatEvent::Logprobs(_) => {}
        }
        Ok(())
    }

    fn message(self) -> Option<Value> {
        let is_empty = self.content.trim().is_empty() && self.calls.is_empty();
        if !self.is_whole || is_empty {
            return None;
        }
        let mut message = json!({ "role": "assistant", "content": self.content });
        if !self.reasoning.is_empty() {
            message["reasoning_content"] = json!(self.reasoning);
        }
        let mut calls = Vec::new();
        for (name, arguments) in self.calls {
            let arguments: Value = serde_json::from_str(&arguments).ok()?;
            let function = json!({ "name": name, "arguments": arguments });
            calls.push(json!({ "type": "function", "function": function }));
        }
        if !calls.is_empty() {
            message["tool_calls"] = Value::Array(calls);
        }
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_shown_and_not_written() {
        let line = r#"{"messages": [{"role": "user", "content": "How far?"}], "hint": "In km."}"#;
        let prompt = Prompt::read(line).unwrap();
        assert_eq!(prompt.shown()[0]["content"], "How far?\n\nIn km.");
        let answer = json!({ "role": "assistant", "content": "3 km" });
        let written = prompt.answered(&answer);
        assert_eq!(written["messages"][0]["content"], "How far?");
        assert_eq!(written["messages"][1], answer);
        let open = r#"{"messages": [{"role": "assistant", "content": "Hi"}]}"#;
        assert!(Prompt::read(open).unwrap_err().contains("end with a question"));
    }
}
