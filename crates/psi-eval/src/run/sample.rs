//! One line of `samples.jsonl`: an item, what the model saw, what it answered and what that is worth.

use psi_store::ContentHash;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::player::{Overlong, Played};
use crate::task::{Choice, Item, Output, Request, Verdict};

/// A judged answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The task.
    pub task: String,
    /// The item.
    pub id: String,
    /// The item's content.
    pub hash: ContentHash,
    /// Its cluster, where it is not alone in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// What the model saw.
    pub prompt: String,
    /// The choices it was given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    /// What it answered; nothing where the prompt did not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Output>,
    /// What was compared with.
    pub reference: Value,
    /// In 0..=1.
    pub score: f64,
    /// Whether the item counts as solved.
    pub correct: bool,
    /// The answer that was found in the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extracted: Option<String>,
    /// What other figures are made of.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub detail: Map<String, Value>,
    /// Tokens of the prompt.
    pub n_prompt: usize,
    /// Tokens of the answer.
    pub n_answer: usize,
    /// Seconds that it took.
    pub seconds: f64,
    /// Whether the answer came from the cache.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
}

impl Sample {
    /// An answer and its verdict.
    pub(super) fn new(
        task: &str,
        item: &Item,
        played: Played,
        verdict: Verdict,
        cached: bool,
    ) -> Self {
        let choices = match &item.request {
            Request::Choices { choices, .. } => choices.clone(),
            _ => Vec::new(),
        };
        Self {
            task: task.to_owned(),
            id: item.id.clone(),
            hash: item.hash,
            cluster: (item.cluster != item.id).then(|| item.cluster.clone()),
            prompt: played.prompt,
            choices,
            output: Some(played.output),
            reference: item.reference.clone(),
            score: verdict.score,
            correct: verdict.correct,
            extracted: verdict.extracted,
            detail: verdict.detail,
            n_prompt: played.n_prompt,
            n_answer: played.n_answer,
            seconds: played.seconds,
            cached,
        }
    }

    /// An item that does not fit and so counts as wrong.
    pub(super) fn overlong(task: &str, item: &Item, overlong: &Overlong) -> Self {
        let output = Output::Text(String::new());
        let prompt = item.prompt.text();
        let played =
            Played { prompt, output, n_prompt: overlong.n_tokens, n_answer: 0, seconds: 0.0 };
        let verdict = Verdict::default().with("overlong", overlong.to_string());
        Self { output: None, ..Self::new(task, item, played, verdict, false) }
    }

    /// What the scorer thought.
    pub fn verdict(&self) -> Verdict {
        Verdict {
            score: self.score,
            correct: self.correct,
            extracted: self.extracted.clone(),
            detail: self.detail.clone(),
        }
    }

    /// Names the item among those of all tasks.
    pub fn key(&self) -> u128 {
        key(&self.task, self.hash, &self.id)
    }

    /// The cluster that statistics count.
    pub fn cluster(&self) -> &str {
        self.cluster.as_deref().unwrap_or(&self.id)
    }
}

/// 128 bits that name an item of a task.
pub(super) fn key(task: &str, hash: ContentHash, id: &str) -> u128 {
    let named = ContentHash::of_bytes(format!("{task}\0{hash}\0{id}").as_bytes());
    let [first, ..] = named.as_bytes().as_chunks::<16>().0 else { return 0 };
    u128::from_le_bytes(*first)
}
