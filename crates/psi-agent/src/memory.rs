//! Memory: what was said (the messages themselves) and facts drawn from it.
//!
//! A fact has a source, the time it was said and the time it holds for. A new fact that contradicts an
//! old one closes it; only forgetting erases. Retrieval puts a full-text ranking and a ranking by
//! vectors together, with the time asked for as a third voice.

pub(crate) mod by_model;
mod embed;
mod episodes;
mod extract;
mod facts;
mod question;
mod rank;
mod recall_bench;
mod search;
mod tool_side;
mod when;
mod words;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

pub use embed::{Embedder, HashedNgrams};
pub use episodes::{Arm, EpisodeHit};
pub use recall_bench::{RecallRow, RecallTable, recall_bench};
pub use search::FactHit;

use crate::{
    conversation::{MemoryUse, MessageId},
    db::Db,
    time::Timestamp,
};

/// A fact.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fact {
    /// Its number. A fact's text never changes: an edited one has a new number.
    pub id: i64,
    /// What it says, mostly in the user's words.
    pub text: String,
    /// What it is about, if it can be contradicted: `name`, `favorite color`, `likes tea`.
    pub slot: String,
    /// The slot's value, in lower case.
    pub value: String,
    /// What sort of fact.
    pub kind: FactKind,
    /// How it came here.
    pub origin: Origin,
    /// The messages it was said in.
    pub sources: Vec<MessageId>,
    /// When it was said.
    pub said_at: Timestamp,
    /// From when on it holds, if known.
    pub valid_from: Option<Timestamp>,
    /// Until when it holds, if known.
    pub valid_to: Option<Timestamp>,
    /// When psi learned that it holds no longer.
    pub closed_at: Option<Timestamp>,
    /// The fact that took its place.
    pub closed_by: Option<i64>,
    /// Always put before the model.
    pub pinned: bool,
}

/// What sort of fact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    /// About the user: name, home, work.
    Profile,
    /// What the user likes and does not.
    Preference,
    /// Something that happened or will happen on a day.
    Event,
    /// Anything else.
    #[default]
    Other,
}

/// How a fact came into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A rule found it in what the user said.
    Rule,
    /// A model found it there.
    Model,
    /// The model called a tool to keep it.
    Tool,
    /// The user wrote it, or corrected it.
    User,
    /// It came with an import.
    Imported,
}

/// A fact to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct NewFact {
    /// What it says.
    pub text: String,
    /// What it is about, if it can be contradicted.
    pub slot: String,
    /// The slot's value.
    pub value: String,
    /// What sort of fact.
    pub kind: FactKind,
    /// How it comes here.
    pub origin: Origin,
    /// The message it was said in.
    pub source: Option<MessageId>,
    /// When it was said; none: now.
    pub said_at: Option<Timestamp>,
    /// From when on it holds.
    pub valid_from: Option<Timestamp>,
    /// Until when it holds.
    pub valid_to: Option<Timestamp>,
}

impl NewFact {
    /// A fact that says `text`; its slot, value and times are found by rule where there is a rule.
    pub fn new(text: &str, origin: Origin, said_at: Timestamp) -> Self {
        let found = extract::from_text(text, said_at).into_iter().find_map(|found| match found {
            extract::Found::Fact(fact) if fact.text.len() + 8 >= text.trim().len() => Some(fact),
            _ => None,
        });
        let plain = || Self {
            text: text.trim().to_owned(),
            slot: String::new(),
            value: String::new(),
            kind: FactKind::Other,
            origin,
            source: None,
            said_at: Some(said_at),
            valid_from: None,
            valid_to: None,
        };
        let mut fact = found.unwrap_or_else(plain);
        fact.text = text.trim().to_owned();
        fact.origin = origin;
        fact
    }
}

impl Fact {
    /// Whether it holds, as far as psi knows.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.closed_at.is_none() && self.valid_to.is_none_or(|end| end > now)
    }

    /// The fact as something that was used.
    pub fn to_use(&self, score: f32) -> MemoryUse {
        let source = self.sources.first().copied();
        MemoryUse { fact: self.id, text: self.text.clone(), score, source }
    }
}

/// The memory of a database.
#[derive(Clone)]
pub struct Memory {
    db: Db,
    embedder: Arc<dyn Embedder>,
    episodes: Arc<Mutex<episodes::EpisodeVectors>>,
}

impl Memory {
    /// That of `db`, with vectors by `embedder`.
    pub fn new(db: &Db, embedder: Arc<dyn Embedder>) -> Self {
        Self { db: db.clone(), embedder, episodes: Arc::default() }
    }

    /// A panic leaves at worst vectors that are made again.
    fn lock_episodes(&self) -> MutexGuard<'_, episodes::EpisodeVectors> {
        self.episodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({}, {})", self.db.path().display(), self.embedder.name())
    }
}
