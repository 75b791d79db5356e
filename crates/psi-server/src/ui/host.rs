//! What the page asks of the program around it.

mod guest;
mod learning;

pub(crate) use guest::Guest;
pub use learning::{
    Fate, Learning, LearningNow, LearningRound, LearningState, Lesson, LessonPlace, SuiteChange,
};

use crate::runs::Run;

/// Models, downloads and runs, as the program has them. Every call returns at once; what takes longer goes on
/// behind it and is told by the next call.
pub trait Host: Send + Sync {
    /// The model that answers.
    fn model(&self) -> ModelState;

    /// Makes another model answer; it loads behind the call.
    ///
    /// # Errors
    /// A sentence for the reader.
    fn choose(&self, name: &str) -> Result<(), String>;

    /// The models on this machine.
    fn models(&self) -> Vec<ListedModel>;

    /// Models worth downloading.
    fn suggestions(&self) -> Vec<Suggestion>;

    /// Starts a download.
    ///
    /// # Errors
    /// A sentence for the reader.
    fn pull(&self, name: &str) -> Result<(), String>;

    /// Stops a download; what has come is kept, and going on starts there.
    fn stop_pull(&self, name: &str);

    /// Downloads of this session.
    fn pulls(&self) -> Vec<Pull>;

    /// This machine.
    fn machine(&self) -> Machine;

    /// Training runs.
    fn runs(&self) -> Vec<Run>;

    /// The learning loop.
    fn learning(&self) -> &dyn Learning;
}

/// The model that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelState {
    /// It is being loaded.
    Loading {
        /// Its name.
        name: String,
    },
    /// It answers.
    Ready {
        /// Its name.
        name: String,
        /// Tokens that it can hold.
        context: usize,
    },
    /// It cannot be loaded.
    Failed {
        /// Its name.
        name: String,
        /// Why, with a way out.
        why: String,
    },
}

impl ModelState {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Loading { name } | Self::Ready { name, .. } | Self::Failed { name, .. } => name,
        }
    }
}

/// A model on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedModel {
    /// Its name.
    pub name: String,
    /// `gguf`, `folder`.
    pub form: String,
    /// Bytes on the disk.
    pub n_bytes: u64,
    /// Bytes of memory it needs with its context.
    pub needs: u64,
    /// Whether it came with psi.
    pub is_bundled: bool,
}

/// A model worth downloading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// What `psi pull` calls it.
    pub name: String,
    /// What it is good for, in a sentence.
    pub what: String,
    /// Bytes to download, about.
    pub n_bytes: u64,
    /// Bytes of memory it needs with its context, about.
    pub needs: u64,
}

/// A download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// What `psi pull` calls it.
    pub name: String,
    /// Bytes that are here.
    pub n_done: u64,
    /// Bytes in all; none as long as that is not known.
    pub n_total: Option<u64>,
    /// How it ended: well, or why not.
    pub ended: Option<Result<(), String>>,
}

/// This machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its processor.
    pub processor: Option<String>,
    /// Threads in use.
    pub n_threads: usize,
    /// Bytes of memory: all, and free for a model.
    pub memory: Option<(u64, u64)>,
}
