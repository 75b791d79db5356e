//! From files to batches: readers, token shards, packing, mixing, and a position that can be saved.
//!
//! ```text
//! files ──read──> rows ──encode──> documents ──shard──> a mapped file of tokens, cached by content
//!                                                            │ split, shuffle, mix
//!                                          Rows <──pack── documents in order
//! ```
//!
//! Everything after the shard is a function of (configuration, seed, [`Position`]): a loader that is
//! sought to a position serves the same rows as the one that was there.

mod chat;
mod config;
mod encode;
mod error;
mod files;
mod loader;
mod mix;
mod prepare;
mod read;
mod report;
mod rows;
mod shard;
mod source;
mod tokenizer;
mod validation;

pub use chat::CHATML;
pub(crate) use chat::last_turn;
pub use config::{DataConfig, Format, Overlong, Packing, SourceConfig, Turns};
pub use error::{BadRow, DataError};
pub use loader::{Loader, Position, inspect};
pub use prepare::{Progress, Resources};
pub use report::{Report, SourceReport};
pub use rows::Rows;
pub use tokenizer::train_tokenizer;
pub use validation::Validation;

/// A target that no loss falls on.
pub const NO_TARGET: u32 = u32::MAX;
