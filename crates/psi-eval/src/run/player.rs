//! What answers items: a model in this process, or a server.

use std::{error::Error, fmt};

use psi_infer::{EngineError, SamplingParams, rng};
use psi_store::ContentHash;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::task::{Item, Output};

/// What identifies a player: answers of the same player, item and settings are the same answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The model as the user named it.
    pub model: String,
    /// The adapter, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// Of everything in the model's and the adapter's files; of a server, of its address and model name.
    pub hash: ContentHash,
    /// What else changes answers: the types of weights and cache, the kernels' tier.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub engine: String,
}

/// How answers are made: everything about them that is the run's affair and not the task's.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How tokens are chosen; an item's draws depend on the seed and its content, not on the others.
    pub sampling: SamplingParams,
    /// Most tokens of an answer, instead of the task's.
    pub max_tokens: Option<usize>,
    /// Whether generations go through the chat template; `None`: where the model has one.
    pub chat: Option<bool>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { sampling: SamplingParams::greedy(), max_tokens: None, chat: None }
    }
}

impl Settings {
    /// Everything in it, for records and hashes.
    pub fn to_json(&self) -> serde_json::Value {
        let s = &self.sampling;
        json!({
            "temperature": s.temperature, "top_k": s.top_k, "top_p": s.top_p, "min_p": s.min_p,
            "typical_p": s.typical_p, "repetition_penalty": s.repetition_penalty,
            "presence_penalty": s.presence_penalty, "frequency_penalty": s.frequency_penalty,
            "seed": s.seed, "max_tokens": self.max_tokens, "chat": self.chat,
        })
    }

    /// The sampling of one item.
    pub fn sampling_of(&self, item: &Item) -> SamplingParams {
        let [a, b, c, d, e, f, g, h, ..] = *item.hash.as_bytes();
        let of_item = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        SamplingParams { seed: rng::mix(self.sampling.seed ^ of_item), ..self.sampling.clone() }
    }
}

/// An answer and what it took.
#[derive(Clone, Debug, PartialEq)]
pub struct Played {
    /// What the model saw.
    pub prompt: String,
    /// What it made of it.
    pub output: Output,
    /// Tokens of the prompt, and those computed or written for the answer.
    pub n_prompt: usize,
    /// Tokens of the answer.
    pub n_answer: usize,
    /// Seconds from the request to the answer; of answers computed together, its share.
    pub seconds: f64,
}

/// An item that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlong {
    /// The item.
    pub id: String,
    /// Tokens that it needs.
    pub n_tokens: usize,
    /// Tokens that there may be.
    pub limit: usize,
}

impl fmt::Display for Overlong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} tokens of {})", self.id, self.n_tokens, self.limit)
    }
}

/// Why a player gives no answer.
#[derive(Debug)]
pub enum PlayError {
    /// The engine refused.
    Engine(EngineError),
    /// A conversation cannot be written for this model.
    Template(psi_tokenizer::TemplateError),
    /// This player cannot do what the item asks for.
    Cannot { what: String },
    /// The server did not answer, or not as it should.
    Server { what: String },
}

impl PlayError {
    /// A way out, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Template(_) => Some("--raw puts the item without the chat template".to_owned()),
            Self::Server { .. } => {
                Some("--resume goes on from here once the server answers".to_owned())
            }
            _ => None,
        }
    }
}

impl fmt::Display for PlayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(e) => e.fmt(f),
            Self::Template(_) => f.write_str("the chat template refuses the messages"),
            Self::Cannot { what } | Self::Server { what } => f.write_str(what),
        }
    }
}

impl Error for PlayError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Template(e) => Some(e),
            _ => None,
        }
    }
}

impl From<EngineError> for PlayError {
    fn from(e: EngineError) -> Self {
        Self::Engine(e)
    }
}

/// Takes the answer to item `i` of those asked.
pub type Sink<'a> = dyn FnMut(usize, Played) -> super::Result<()> + 'a;

/// Answers items.
pub trait Player {
    /// What it is.
    fn identity(&self) -> &Identity;

    /// How many items it likes to be asked at once.
    fn appetite(&self) -> usize;

    /// Whether the item fits the context; `None` if so, or if only asking would tell.
    ///
    /// # Errors
    /// [`PlayError`] when the item cannot be put to this player at all.
    fn overlong(&self, item: &Item, settings: &Settings) -> Result<Option<Overlong>, PlayError>;

    /// Answers every item, in any order.
    ///
    /// # Errors
    /// When one cannot be answered, or the sink fails; what the sink took stays taken.
    fn play(
        &mut self,
        items: &[&Item],
        settings: &Settings,
        sink: &mut Sink<'_>,
    ) -> super::Result<()>;
}
