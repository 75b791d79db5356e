//! A model of this machine as the assistant uses it.

use std::sync::Arc;

use psi_infer::{
    SamplingParams,
    chat::{ChatEvent, ChatFinish, ChatModel, ChatRequest, Reasoning, TemplateOptions},
    service::Ticket,
};

use super::{ChatSource, FinishReason, Generation, Ongoing, Prompt, SourceEvent, SourceSink};
use crate::conversation::Usage;

/// A model that this process runs, with an adapter or without.
#[derive(Debug)]
pub struct LocalModel {
    model: Arc<ChatModel>,
    adapter: Option<String>,
}

impl LocalModel {
    /// `model` as it is, or with an adapter that its service has loaded.
    pub fn new(model: Arc<ChatModel>, adapter: Option<String>) -> Self {
        Self { model, adapter }
    }
}

impl Ongoing for Ticket {
    fn cancel(&self) {
        Self::cancel(self);
    }
}

impl ChatSource for LocalModel {
    fn name(&self) -> String {
        self.model.name.clone()
    }

    fn adapter(&self) -> Option<String> {
        self.adapter.clone()
    }

    fn max_context(&self) -> usize {
        self.model.service.max_context()
    }

    fn count(&self, prompt: &Prompt) -> Result<usize, String> {
        let options = TemplateOptions {
            enable_thinking: thinking(prompt),
            add_generation_prompt: true,
            ..TemplateOptions::default()
        };
        let tokens = self.model.prompt(&prompt.messages, &prompt.tools, &options);
        tokens.map(|t| t.len()).map_err(|e| e.to_string())
    }

    fn start(
        &self,
        generation: Generation,
        mut sink: SourceSink,
    ) -> Result<Box<dyn Ongoing>, String> {
        let Generation { prompt, max_tokens, temperature, client } = generation;
        let request = ChatRequest {
            reasoning: Reasoning { enabled: thinking(&prompt), budget: prompt.budget },
            messages: prompt.messages,
            tools: prompt.tools,
            max_tokens,
            sampling: SamplingParams { temperature, ..SamplingParams::default() },
            adapter: self.adapter.clone(),
            client,
            ..ChatRequest::default()
        };
        let forward = move |event| {
            if let Some(event) = translated(event) {
                sink(event);
            }
        };
        let ticket = self.model.chat(request, Box::new(forward)).map_err(|e| e.to_string())?;
        Ok(Box::new(ticket))
    }
}

/// Only what is not wanted is said to the template: what it does of itself is the model's own way.
fn thinking(prompt: &Prompt) -> Option<bool> {
    (!prompt.thinking).then_some(false)
}

fn translated(event: ChatEvent) -> Option<SourceEvent> {
    Some(match event {
        ChatEvent::Started { n_prompt, n_cached } => SourceEvent::Started { n_prompt, n_cached },
        ChatEvent::Reasoning(text) => SourceEvent::Reasoning(text),
        ChatEvent::Content(text) => SourceEvent::Content(text),
        ChatEvent::ToolCall { index, id, name } => SourceEvent::Call { index, id, name },
        ChatEvent::ToolArguments { index, fragment } => SourceEvent::Arguments { index, fragment },
        ChatEvent::Finished { reason, usage, .. } => SourceEvent::Finished {
            reason: match reason {
                ChatFinish::Stop => FinishReason::Stop,
                ChatFinish::Length => FinishReason::Length,
                ChatFinish::ToolCalls => FinishReason::ToolCalls,
                ChatFinish::Cancelled => FinishReason::Cancelled,
            },
            usage: Usage {
                n_prompt: usage.n_prompt,
                n_cached: usage.n_cached,
                n_generated: usage.n_generated,
            },
        },
        ChatEvent::Failed(why) => SourceEvent::Failed(why),
        // The text itself came as content; nobody asked for log-probabilities.
        ChatEvent::Malformed(_) | ChatEvent::Logprobs(_) => return None,
    })
}
