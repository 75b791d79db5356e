//! Feedback as training data: one JSON object per judgement, with the exact prompt.

use serde_json::{Value, json};

use super::{Feedback, Judgement, Rating};
use crate::{
    assistant::{prompt_of, text_of_fact},
    conversation::{Message, MessageId, json_from},
    error::Result,
};

impl Feedback {
    /// Every judgement that may be used for training, oldest first. Each has `messages` (the prompt),
    /// `tools`, `completion` (the answer), `model`, `adapter`, `memories`, and of `rating`, `better`,
    /// `rejected`, `tie`, `tags` what was given. A judgement whose prompt held a fact that was forgotten
    /// since is left out: it cannot be made again.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn export(&self) -> Result<Exported> {
        let mut exported = Exported::default();
        for judgement in self.list()? {
            if !judgement.consent {
                exported.n_without_consent += 1;
                continue;
            }
            match self.line(&judgement)? {
                Some(line) => exported.lines.push(line),
                None => exported.n_forgotten += 1,
            }
        }
        Ok(exported)
    }

    fn line(&self, judgement: &Judgement) -> Result<Option<Value>> {
        let answer = self.conversations.message(judgement.message)?;
        let Some(messages) = self.messages_before(&answer)? else { return Ok(None) };
        let details = &answer.details;
        let mut line = json!({
            "id": judgement.id,
            "conversation": answer.conversation,
            "message": answer.id,
            "created_at": judgement.created_at.to_string(),
            "model": details.model,
            "adapter": details.adapter,
            "messages": messages,
            "tools": self.toolset(details.toolset.as_deref())?,
            "memories": details.memories,
            "completion": answer.to_openai(),
            "tags": judgement.tags,
        });
        if let Some(rating) = judgement.rating {
            line["rating"] = json!(if rating == Rating::Up { "up" } else { "down" });
        }
        if let Some(better) = &judgement.better {
            line["better"] = json!({"role": "assistant", "content": better});
        }
        if let Some(other) = judgement.chosen_over {
            let other = self.conversations.message(other)?.to_openai();
            line[if judgement.is_tie { "tie" } else { "rejected" }] = other;
        }
        Ok(Some(line))
    }

    /// The prompt that led to an answer; `None` when a fact in it is forgotten.
    fn messages_before(&self, answer: &Message) -> Result<Option<Vec<Value>>> {
        if answer.details.memories.iter().any(|m| text_of_fact(m).is_none()) {
            return Ok(None);
        }
        let path = match answer.parent {
            Some(parent) => self.conversations.path(parent)?,
            None => Vec::new(),
        };
        let summaries = self.conversations.summaries(answer.conversation)?;
        let of = |upto: MessageId| summaries.iter().rev().find(|s| s.upto == upto).cloned();
        let summary = answer.details.summarised_upto.and_then(of);
        Ok(Some(prompt_of(answer, &path, summary)))
    }

    fn toolset(&self, hash: Option<&str>) -> Result<Value> {
        let Some(hash) = hash else { return Ok(json!([])) };
        let text: String = self.db.read(|c| {
            let sql = "SELECT definitions FROM toolset WHERE hash = ?1";
            Ok(c.prepare_cached(sql)?.query_row([hash], |row| row.get(0))?)
        })?;
        json_from("toolset.definitions", &text)
    }
}

/// Feedback as training data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exported {
    /// One object per judgement.
    pub lines: Vec<Value>,
    /// Judgements left out because the user did not agree to their use.
    pub n_without_consent: usize,
    /// Judgements left out because their prompt held what is forgotten now.
    pub n_forgotten: usize,
}
