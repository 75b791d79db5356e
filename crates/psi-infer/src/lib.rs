//! Text from a model: key/value cache blocks, batched forward passes, samplers, log-probabilities.
//!
//! [`Engine`] owns the cache and runs batches of sequences; [`generate`] and [`score`] are loops over
//! it, [`service`] serves many requests with it, and [`chat`] talks through a service. What a sequence computes never depends on what else is in the batch.

mod engine;
mod generate;
mod prefix;
mod score;
mod speculation;
mod stop;

pub mod chat;
pub mod grammar;
pub mod rng;
pub mod sampling;
pub mod service;
pub mod text;

pub use engine::{Engine, EngineError, EngineOptions, Logits, Sequence, Want, Work};
pub use generate::{
    Finish, GenerateError, GenerateParams, Generated, Step, generate, generate_held,
};
pub use sampling::{SamplingError, SamplingParams, TokenLogprob};
pub use score::{Score, ScoreOptions, log_probs, score};
pub use speculation::Speculation;
pub use stop::{StopMatcher, StopStep};
