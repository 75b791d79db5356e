//! What is put to a model, what comes back, and what is thought of it.

use psi_store::ContentHash;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Result, TaskError};

/// One question of a task.
#[derive(Clone, Debug)]
pub struct Item {
    /// Stable, and unique within its task.
    pub id: String,
    /// Of everything that decides the score: prompt, request and reference.
    pub hash: ContentHash,
    /// Items that share a source (a paradigm, a passage, a conversation) and so are not independent.
    pub cluster: String,
    /// What the model sees.
    pub prompt: Prompt,
    /// What it is asked to do with it.
    pub request: Request,
    /// What the scorer compares with; never shown to the model.
    pub reference: Value,
}

impl Item {
    /// An item that is its own cluster.
    pub fn new(id: impl Into<String>, prompt: Prompt, request: Request, reference: Value) -> Self {
        let id = id.into();
        let content = json!([prompt, request, reference]).to_string();
        let hash = ContentHash::of_bytes(content.as_bytes());
        Self { cluster: id.clone(), id, hash, prompt, request, reference }
    }

    /// The same in a cluster.
    #[must_use]
    pub fn in_cluster(mut self, cluster: impl Into<String>) -> Self {
        self.cluster = cluster.into();
        self
    }
}

/// What the model sees: as raw text for base models ([`Prompt::text`]) or as messages ([`Prompt::messages`]).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Prompt {
    /// Said first, if anything.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub system: String,
    /// Solved examples.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shots: Vec<Shot>,
    /// Earlier messages of a conversation, in OpenAI's shape.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Value>,
    /// The question.
    pub ask: String,
    /// Functions that may be called, in OpenAI's shape.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
    /// Stands between a question and its answer in raw text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub delimiter: String,
}

/// A solved example.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shot {
    /// Which item of the training data it is.
    pub id: String,
    /// The question.
    pub ask: String,
    /// Its answer.
    pub answer: String,
}

impl Prompt {
    /// Only a question.
    pub fn ask(ask: impl Into<String>) -> Self {
        Self { ask: ask.into(), ..Self::default() }
    }

    /// As raw text: system text, examples and the question, each a paragraph. The conversation before it,
    /// where there is one, comes as lines `role: content`.
    pub fn text(&self) -> String {
        let mut parts = Vec::new();
        if !self.system.is_empty() {
            parts.push(self.system.clone());
        }
        let shots = self.shots.iter();
        parts.extend(shots.map(|s| format!("{}{}{}", s.ask, self.delimiter, s.answer)));
        let field = |message: &Value, key| message[key].as_str().unwrap_or_default().to_owned();
        let history = self.history.iter();
        parts.extend(history.map(|m| format!("{}: {}", field(m, "role"), field(m, "content"))));
        parts.push(self.ask.clone());
        parts.join("\n\n")
    }

    /// As messages in OpenAI's shape: each example is a turn of the user and one of the assistant.
    pub fn messages(&self) -> Vec<Value> {
        let mut messages = Vec::new();
        let mut say = |role: &str, content: &str| {
            messages.push(json!({ "role": role, "content": content }));
        };
        if !self.system.is_empty() {
            say("system", &self.system);
        }
        for shot in &self.shots {
            say("user", &shot.ask);
            say("assistant", &shot.answer);
        }
        messages.extend(self.history.iter().cloned());
        if !self.ask.is_empty() {
            messages.push(json!({ "role": "user", "content": self.ask }));
        }
        messages
    }
}

/// What the model is asked to do with the prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Request {
    /// How likely is each choice? Their contexts follow the prompt's raw text.
    Choices {
        /// In the publisher's order.
        choices: Vec<Choice>,
        /// Which of their tokens count.
        span: Span,
    },
    /// How likely is this text, all of it, in windows of the model's context?
    Rolling {
        /// The text that is scored.
        text: String,
    },
    /// Continue, or answer.
    Generation(Generation),
    /// Answer each turn of the user, calling the prompt's tools in between.
    MultiTurn {
        /// What the user says after the prompt, turn by turn.
        turns: Vec<String>,
        /// Limits of each answer.
        limits: Generation,
    },
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// Log-likelihoods of choices.
    Choices,
    /// The log-likelihood of a text.
    Rolling,
    /// Text, or a message with tool calls.
    Generation,
    /// The messages of a conversation.
    MultiTurn,
}

impl OutputKind {
    /// Its name, as in the JSON forms.
    pub fn name(self) -> &'static str {
        match self {
            Self::Choices => "choices",
            Self::Rolling => "rolling",
            Self::Generation => "generation",
            Self::MultiTurn => "multi_turn",
        }
    }
}

impl Request {
    /// What it asks for.
    pub fn kind(&self) -> OutputKind {
        match self {
            Self::Choices { .. } => OutputKind::Choices,
            Self::Rolling { .. } => OutputKind::Rolling,
            Self::Generation(_) => OutputKind::Generation,
            Self::MultiTurn { .. } => OutputKind::MultiTurn,
        }
    }
}

/// One of several things that may follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Follows the prompt's text; given, not scored.
    pub context: String,
    /// Scored.
    pub continuation: String,
}

/// Which tokens of (context, continuation) count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// Those after the tokens of the context alone; spaces at the context's end go with the continuation.
    Continuation,
    /// Those after the longest prefix of tokens that all choices share.
    AfterCommonPrefix,
    /// Those of the longest suffix that all choices share.
    CommonSuffix,
}

/// Limits of a generation. Sampling is the run's affair, so that one task serves greedy and sampled runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// No answer needs more tokens.
    pub max_tokens: usize,
    /// A raw continuation ends before any of these; an answer in a chat ends by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

/// What a model made of an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// For [`Request::Choices`], in its order.
    Choices(Vec<LogLikelihood>),
    /// For [`Request::Rolling`].
    Rolling(LogLikelihood),
    /// For [`Request::Generation`]: the answer without its reasoning.
    Text(String),
    /// For generation with tools and [`Request::MultiTurn`]: the messages that came, in OpenAI's shape.
    Messages(Vec<Value>),
}

/// How likely a text is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogLikelihood {
    /// Sum over the tokens that count, natural logarithm.
    pub sum: f64,
    /// How many they are.
    pub n_tokens: usize,
    /// Whether each was the likeliest.
    pub is_greedy: bool,
}

impl LogLikelihood {
    /// Per token; minus infinity of nothing.
    pub fn mean(&self) -> f64 {
        if self.n_tokens == 0 { f64::NEG_INFINITY } else { self.sum / self.n_tokens as f64 }
    }
}

impl Output {
    /// What it is.
    pub fn kind(&self) -> OutputKind {
        match self {
            Self::Choices(_) => OutputKind::Choices,
            Self::Rolling(_) => OutputKind::Rolling,
            Self::Text(_) => OutputKind::Generation,
            Self::Messages(_) => OutputKind::MultiTurn,
        }
    }

    /// The answer as text: the last message's, where there are messages; a block of reasoning before it
    /// (`<think>`) is no part of it.
    ///
    /// # Errors
    /// When the output is not text.
    pub fn answer(&self, item: &Item) -> Result<&str> {
        let text = match self {
            Self::Text(text) => text,
            Self::Messages(messages) => {
                let said = messages.iter().rev().find(|m| m["role"] == "assistant");
                said.and_then(|m| m["content"].as_str()).unwrap_or_default()
            }
            other => return Err(other.unfit(item)),
        };
        let rest = text.trim_start().strip_prefix("<think>");
        Ok(match rest.map(|thought| thought.split_once("</think>")) {
            None => text,
            Some(Some((_, answer))) => answer.trim_start(),
            Some(None) => "", // still thinking when its tokens ran out
        })
    }

    /// The error that this output does not fit the item.
    pub fn unfit(&self, item: &Item) -> TaskError {
        let (wanted, got) = (item.request.kind(), self.kind());
        TaskError::Unfit { item: item.id.clone(), wanted: wanted.name(), got: got.name() }
    }
}

/// What a scorer thinks of an output.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// In 0..=1: the reward, and what is averaged.
    pub score: f64,
    /// Whether the item counts as solved.
    pub correct: bool,
    /// The answer that was found in the output, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extracted: Option<String>,
    /// What other figures of the task are made of.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub detail: Map<String, Value>,
}

impl Verdict {
    /// Right or wrong.
    pub fn binary(correct: bool, extracted: Option<String>) -> Self {
        Self { score: f64::from(u8::from(correct)), correct, extracted, detail: Map::new() }
    }

    /// Adds something to the detail.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(key.to_owned(), value.into());
        self
    }
}
