//! How well memory finds what was said: evidence recall on long dated conversations (LoCoMo, Maharana et
//! al. 2024), without a judge.
//!
//! Each sitting becomes a conversation of its own, with its date; each turn a message. A question's
//! recall at k is the share of its evidence turns among the first k found.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Instant,
};

use serde::Serialize;
use serde_json::{Value, json};

use super::{Arm, Embedder, Memory};
use crate::{
    conversation::Conversations,
    db::Db,
    error::{AgentError, Result},
    time::{Clock, Timestamp},
};

/// Most messages looked at per question.
const DEPTH: usize = 20;
/// The data set's names for its kinds of question, from 1.
const KINDS: [&str; 5] = ["multi-hop", "temporal", "open", "single-hop", "adversarial"];

/// Recall of one arm on one kind of question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecallRow {
    /// What the search went by.
    pub arm: Arm,
    /// The kind of question; `all` for all of them.
    pub kind: String,
    /// Questions.
    pub n: usize,
    /// Mean share of the evidence among the first 5 found.
    pub recall_5: f64,
    /// Among the first 10.
    pub recall_10: f64,
    /// Mean of 1 over the place of the first evidence found.
    pub mrr: f64,
}

/// The result of a bench.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecallTable {
    /// What made the vectors.
    pub embedder: String,
    /// Messages searched.
    pub n_messages: usize,
    /// Evidence ids of the data that name no turn; they count for nothing.
    pub n_unusable_ids: usize,
    /// Arm by arm, all questions first, then kind by kind.
    pub rows: Vec<RecallRow>,
    /// Median milliseconds of a search, arm by arm.
    pub median_ms: Vec<(Arm, f64)>,
}

#[derive(Default)]
struct Sums {
    n: usize,
    recall_5: f64,
    recall_10: f64,
    mrr: f64,
}

/// A question with the messages that hold its answer.
struct Question {
    text: String,
    kind: usize,
    evidence: BTreeSet<i64>,
}

/// Runs the bench in `dir`, an empty folder. `samples`: the data set's file; `audit`: corrections of its
/// evidence, if they are to be used.
///
/// # Errors
/// When the data is not what the data set holds.
pub fn recall_bench(
    dir: &Path,
    embedder: &Arc<dyn Embedder>,
    samples: &Value,
    audit: Option<&Value>,
) -> Result<RecallTable> {
    let corrections = corrections(audit);
    let mut sums: BTreeMap<(usize, usize), Sums> = BTreeMap::new();
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); Arm::ALL.len()];
    let (mut n_messages, mut n_unusable_ids) = (0, 0);
    let samples = samples.as_array().ok_or_else(|| bad("the file", "is not a list of samples"))?;
    for (i, sample) in samples.iter().enumerate() {
        let db = Db::open(&dir.join(format!("sample-{i}.db")), Clock::fixed(Timestamp(0)))?;
        let turns = import(&db, sample)?;
        n_messages += turns.len();
        let memory = Memory::new(&db, Arc::clone(embedder));
        let (questions, n_bad) = questions(sample, &turns, i, &corrections)?;
        n_unusable_ids += n_bad;
        for question in &questions {
            for (a, arm) in Arm::ALL.into_iter().enumerate() {
                let started = Instant::now();
                let hits = memory.episodes(&question.text, arm, DEPTH)?;
                times[a].push(started.elapsed().as_secs_f64() * 1e3);
                let found: Vec<i64> = hits.iter().map(|h| h.message.0).collect();
                for kind in [0, question.kind] {
                    sums.entry((a, kind)).or_default().add(&found, &question.evidence);
                }
            }
        }
    }
    let rows = sums.into_iter().map(|((a, kind), sums)| sums.row(Arm::ALL[a], kind)).collect();
    let median = |mut ms: Vec<f64>| {
        ms.sort_by(f64::total_cmp);
        ms.get(ms.len() / 2).copied().unwrap_or(0.0)
    };
    let median_ms = Arm::ALL.into_iter().zip(times.into_iter().map(median)).collect();
    Ok(RecallTable {
        embedder: embedder.name().to_owned(),
        n_messages,
        n_unusable_ids,
        rows,
        median_ms,
    })
}

impl Sums {
    fn add(&mut self, found: &[i64], evidence: &BTreeSet<i64>) {
        let share = |k: usize| {
            let hits = found.iter().take(k).filter(|id| evidence.contains(id)).count();
            hits as f64 / evidence.len() as f64
        };
        self.n += 1;
        self.recall_5 += share(5);
        self.recall_10 += share(10);
        let first = found.iter().position(|id| evidence.contains(id));
        self.mrr += first.map_or(0.0, |at| 1.0 / (at + 1) as f64);
    }

    fn row(self, arm: Arm, kind: usize) -> RecallRow {
        let kind = if kind == 0 { "all" } else { KINDS[kind - 1] };
        let n = self.n as f64;
        RecallRow {
            arm,
            kind: kind.to_owned(),
            n: self.n,
            recall_5: self.recall_5 / n,
            recall_10: self.recall_10 / n,
            mrr: self.mrr / n,
        }
    }
}

fn bad(what: &'static str, why: &str) -> AgentError {
    AgentError::invalid(what, format!("{why}; the file must be LoCoMo's"))
}

/// Writes the sittings of a sample as conversations; returns the message of each turn.
fn import(db: &Db, sample: &Value) -> Result<BTreeMap<String, i64>> {
    let sittings = sample["conversation"].as_object();
    let sittings = sittings.ok_or_else(|| bad("conversation", "is missing"))?;
    let conversations = Conversations::new(db);
    let mut turns = BTreeMap::new();
    for number in 1.. {
        let Some(sitting) = sittings.get(&format!("session_{number}")) else {
            // Sittings with a date but no turns are left out by the data set; none follow the last date.
            if sittings.contains_key(&format!("session_{number}_date_time")) {
                continue;
            }
            break;
        };
        let date = sittings[&format!("session_{number}_date_time")].as_str().unwrap_or_default();
        let said_at = date_of(date).ok_or_else(|| bad("date_time", "is no date"))?;
        let sitting = sitting.as_array().ok_or_else(|| bad("session", "is no list"))?;
        let messages: Vec<Value> = sitting
            .iter()
            .enumerate()
            .map(|(i, turn)| {
                json!({
                    "id": i, "parent": i.checked_sub(1), "role": "user", "state": "complete",
                    "content": text_of(turn), "created_at": said_at.0 + i as i64 * 1000,
                })
            })
            .collect();
        let title = format!("sitting {number}");
        let document = json!({"format": "psi-conversations", "version": 1, "conversations": [
            {"title": title, "created_at": said_at.0, "messages": messages}]});
        let id = conversations.import(&document)?[0];
        let written = conversations.all(id)?;
        for (turn, message) in sitting.iter().zip(&written) {
            turns.insert(turn["dia_id"].as_str().unwrap_or_default().to_owned(), message.id.0);
        }
    }
    Ok(turns)
}

/// A turn as text: who speaks, what, and what a picture shared with it shows.
fn text_of(turn: &Value) -> String {
    let field = |name: &str| turn[name].as_str().unwrap_or_default();
    let picture = match field("blip_caption") {
        "" => String::new(),
        caption => format!(" [shares {caption}]"),
    };
    format!("{}: {}{picture}", field("speaker"), field("text"))
}

/// `1:56 pm on 8 May, 2023`.
fn date_of(text: &str) -> Option<Timestamp> {
    let (_, date) = text.split_once(" on ")?;
    let day = super::when::period(date, Timestamp(0))?.start;
    Some(Timestamp::at_start_of(day))
}

/// The questions of a sample whose evidence is among its turns, and how many ids are not.
fn questions(
    sample: &Value,
    turns: &BTreeMap<String, i64>,
    index: usize,
    corrections: &BTreeMap<String, Vec<String>>,
) -> Result<(Vec<Question>, usize)> {
    let all = sample["qa"].as_array().ok_or_else(|| bad("qa", "is missing"))?;
    let mut questions = Vec::new();
    let mut n_bad = 0;
    for (i, qa) in all.iter().enumerate() {
        let corrected = corrections.get(&format!("locomo_{index}_qa{i}"));
        let ids = match corrected {
            Some(ids) => ids.clone(),
            None => strings(&qa["evidence"]),
        };
        // Some entries hold several ids in one string.
        let ids: Vec<&str> =
            ids.iter().flat_map(|s| s.split([';', ' ', ','])).filter(|s| !s.is_empty()).collect();
        let evidence: BTreeSet<i64> = ids.iter().filter_map(|id| turns.get(*id).copied()).collect();
        n_bad += ids.iter().filter(|id| !turns.contains_key(**id)).count();
        let kind = qa["category"].as_u64().unwrap_or(0) as usize;
        if !evidence.is_empty() && (1..=KINDS.len()).contains(&kind) {
            let text = qa["question"].as_str().unwrap_or_default().to_owned();
            questions.push(Question { text, kind, evidence });
        }
    }
    Ok((questions, n_bad))
}

/// By question: the turns that hold the answer after all.
fn corrections(audit: Option<&Value>) -> BTreeMap<String, Vec<String>> {
    let entries = audit.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let entry = |e: &Value| {
        let ids = strings(&e["correct_evidence"]);
        let id = e["question_id"].as_str()?.to_owned();
        (!ids.is_empty()).then_some((id, ids))
    };
    entries.iter().filter_map(entry).collect()
}

fn strings(list: &Value) -> Vec<String> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
