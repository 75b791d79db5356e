//! What a completion is answered with.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::writer::Writer;

/// A whole answer.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Completion {
    id: String,
    object: &'static str,
    created: u64,
    model: String,
    choices: Vec<Choice>,
    usage: Usage,
}

/// One answer to one prompt.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Choice {
    pub(crate) index: u32,
    pub(crate) text: String,
    pub(crate) logprobs: Option<Logprobs>,
    /// `stop` or `length`.
    pub(crate) finish_reason: &'static str,
}

/// Log-probabilities, one entry per token.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub(crate) struct Logprobs {
    pub(crate) tokens: Vec<String>,
    /// The first token of a prompt has none.
    pub(crate) token_logprobs: Vec<Option<f32>>,
    pub(crate) top_logprobs: Vec<Option<BTreeMap<String, f32>>>,
    /// Characters of the answer (with an echo: of prompt and answer) before the token.
    pub(crate) text_offset: Vec<usize>,
}

impl Logprobs {
    /// What came since the last call.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

/// Token counts.
#[derive(Clone, Copy, Debug, Default, JsonSchema, Serialize)]
pub(crate) struct Usage {
    prompt_tokens: usize,
    completion_tokens: usize,
    total_tokens: usize,
    prompt_tokens_details: PromptDetails,
}

/// Where the prompt's tokens came from.
#[derive(Clone, Copy, Debug, Default, JsonSchema, Serialize)]
pub(crate) struct PromptDetails {
    cached_tokens: usize,
}

impl Usage {
    /// Every answer's tokens, and each prompt's once.
    pub(crate) fn of(answers: &[Writer], n_per_prompt: usize) -> Self {
        let mut usage = Self::default();
        for of_prompt in answers.chunks(n_per_prompt.max(1)) {
            // The later answers find the prompt in the cache; the first says what it cost.
            usage.prompt_tokens += of_prompt[0].usage().n_prompt;
            usage.prompt_tokens_details.cached_tokens += of_prompt[0].usage().n_cached;
            usage.completion_tokens +=
                of_prompt.iter().map(|w| w.usage().n_generated).sum::<usize>();
        }
        usage.total_tokens = usage.prompt_tokens + usage.completion_tokens;
        usage
    }
}

/// What all pieces of an answer share.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) created: u64,
    pub(crate) model: String,
}

impl Head {
    pub(crate) fn completion(self, choices: Vec<Choice>, usage: Usage) -> Completion {
        let Self { id, created, model } = self;
        Completion { id, object: "text_completion", created, model, choices, usage }
    }

    /// An event of the stream.
    pub(crate) fn chunk(&self, choices: &Value) -> Value {
        let Self { id, created, model } = self;
        json!({
            "id": id,
            "object": "text_completion",
            "created": created,
            "model": model,
            "choices": choices,
        })
    }
}
