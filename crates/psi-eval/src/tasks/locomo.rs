//! LoCoMo: questions about conversations that went on for months. Maharana et al. 2024, arXiv 2402.17753.

use std::{collections::HashMap, sync::Arc};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Entry, Library, Wanted};
use crate::{
    readers::{self, bad},
    scorers::Words,
    split::Split,
    task::{Generation, Item, OutputKind, Prompt, Request, Result, Task},
};

pub(super) const ENTRY: Entry = Entry {
    name: "locomo",
    members: Vec::new,
    help: "questions about long dated conversations, with and without the keys known to be wrong",
    licence: "CC BY-NC 4.0: local checks only",
    source: "snap-research/LoCoMo, dial481/locomo-audit",
    output: OutputKind::Generation,
    splits: &[Split::Eval],
    open,
};

#[derive(Deserialize)]
struct Conversation {
    qa: Vec<Question>,
    conversation: Map<String, Value>,
    sample_id: String,
}

#[derive(Deserialize)]
struct Question {
    question: String,
    #[serde(default)]
    answer: Value,
    category: u8,
}

#[derive(Deserialize)]
struct Audit {
    question_id: String,
    error_type: String,
}

/// The kind of question that the conversation does not answer.
const UNANSWERABLE: u8 = 5;
/// The right reply to those.
const NOTHING: &str = "No information available";

fn open(library: &Library, wanted: &Wanted<'_>) -> Result<Task> {
    wanted.allow(false, false)?;
    let (path, text) = library.text("locomo/locomo5.json", &ENTRY)?;
    let conversations: Vec<Conversation> = readers::json(&path, &text)?;
    let (audit_path, text) = library.text("locomo/errors5.json", &ENTRY)?;
    let audit: Vec<Audit> = readers::json(&audit_path, &text)?;
    let wrong: HashMap<&str, &str> =
        audit.iter().map(|a| (a.question_id.as_str(), a.error_type.as_str())).collect();
    let mut items = Vec::new();
    for (c, conversation) in conversations.iter().enumerate() {
        let history = transcript(&conversation.conversation)
            .ok_or_else(|| bad(&path, 1, format!("conversation {c} has no dated sessions")))?;
        for (q, question) in conversation.qa.iter().enumerate() {
            let answer = match &question.answer {
                _ if question.category == UNANSWERABLE => NOTHING.to_owned(),
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => {
                    return Err(bad(
                        &path,
                        1,
                        format!("question {q} of conversation {c} has no answer"),
                    ));
                }
            };
            let id = format!("locomo_{c}_qa{q}");
            let prompt = Prompt::ask(format!(
                "Here is a conversation that went on for months.\n\n{history}\nAnswer with a short phrase, \
                 in the conversation's own words where possible; say \"{NOTHING}\" when it does not tell.\n\n\
                 Question: {}\nShort answer:",
                question.question
            ));
            let reference = json!({
                "answers": [answer],
                "category": question.category,
                "audit": wrong.get(id.as_str()),
            });
            let limits = Generation { max_tokens: 64, stop: vec!["\n".to_owned()] };
            let item = Item::new(id, prompt, Request::Generation(limits), reference);
            items.push(item.in_cluster(&conversation.sample_id));
        }
    }
    Ok(Task::fixed(wanted.name, wanted.split, items, Arc::new(Words)))
}

/// The sessions with their dates, one line per turn.
fn transcript(conversation: &Map<String, Value>) -> Option<String> {
    let mut text = String::new();
    for n in 1.. {
        let Some(turns) = conversation.get(&format!("session_{n}")) else { break };
        let date = conversation.get(&format!("session_{n}_date_time"))?.as_str()?;
        text.push_str(&format!("DATE: {date}\n"));
        for turn in turns.as_array()? {
            let (speaker, said) = (turn["speaker"].as_str()?, turn["text"].as_str()?);
            text.push_str(&format!("{speaker}: {said}\n"));
            if let Some(picture) = turn["blip_caption"].as_str() {
                text.push_str(&format!("({speaker} shows a picture: {picture})\n"));
            }
        }
        text.push('\n');
    }
    (!text.is_empty()).then_some(text)
}
