//! What the assistant needs of a model: to count a prompt, to answer it piece by piece, to stop.

mod local;
mod vote;

use serde_json::Value;

pub use local::LocalModel;
pub(crate) use vote::vote;

use crate::conversation::{Usage, Votes};

/// A model that converses.
pub trait ChatSource: Send + Sync {
    /// Its name.
    fn name(&self) -> String;

    /// The adapter on it.
    fn adapter(&self) -> Option<String> {
        None
    }

    /// Whether it knows how to call tools.
    fn calls_tools(&self) -> bool {
        true
    }

    /// Most tokens it can hold, prompt and answer.
    fn max_context(&self) -> usize;

    /// Tokens of a prompt.
    ///
    /// # Errors
    /// A sentence: the model's chat template refuses the messages.
    fn count(&self, prompt: &Prompt) -> Result<usize, String>;

    /// Begins an answer. Its pieces go to `sink`, on a thread of the model's, which must not be held
    /// up; the last is [`SourceEvent::Finished`] or [`SourceEvent::Failed`].
    ///
    /// # Errors
    /// A sentence; `sink` is then never called.
    fn start(&self, generation: Generation, sink: SourceSink) -> Result<Box<dyn Ongoing>, String>;
}

/// Where the pieces of an answer go.
pub type SourceSink = Box<dyn FnMut(SourceEvent) + Send>;

/// An answer being written. Dropping it ends the answer.
pub trait Ongoing: Send {
    /// Ends it soon; [`SourceEvent::Finished`] still comes.
    fn cancel(&self);
}

/// What a model is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prompt {
    /// The messages, as chat templates take them.
    pub messages: Vec<Value>,
    /// The definitions of the tools it may call.
    pub tools: Vec<Value>,
    /// Whether it may think first.
    pub thinking: bool,
    /// Most tokens that it may think; `None`: as many as it likes.
    pub budget: Option<usize>,
}

/// How a prompt is to be answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// The prompt.
    pub prompt: Prompt,
    /// Most tokens it may write.
    pub max_tokens: usize,
    /// 0: always the likeliest token.
    pub temperature: f32,
    /// Whose request it is, for fair queueing.
    pub client: String,
}

/// What a model does.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceEvent {
    /// The prompt is being read.
    Started {
        /// Its tokens.
        n_prompt: usize,
        /// Those taken from the cache.
        n_cached: usize,
    },
    /// A piece of reasoning.
    Reasoning(String),
    /// A piece of the answer.
    Content(String),
    /// A call of a tool begins.
    Call {
        /// Which of the answer's calls, from 0.
        index: usize,
        /// Its name within the conversation.
        id: String,
        /// The tool.
        name: String,
    },
    /// A piece of a call's arguments.
    Arguments {
        /// Which call.
        index: usize,
        /// The piece of JSON.
        fragment: String,
    },
    /// How a vote stands, where the model was asked several times.
    Voted(Votes),
    /// The end.
    Finished {
        /// Why.
        reason: FinishReason,
        /// What it took.
        usage: Usage,
    },
    /// It could not go on.
    Failed(String),
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model was done.
    Stop,
    /// It used up its tokens.
    Length,
    /// It calls tools.
    ToolCalls,
    /// It was cancelled.
    Cancelled,
}

impl FinishReason {
    /// The name that [`crate::Details::finish`] keeps.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::Cancelled => "cancelled",
        }
    }
}
