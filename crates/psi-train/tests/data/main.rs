//! Training data from the outside: files in, rows out.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops with the cause")]

mod chats;
mod formats;
mod hostile;
mod loading;
mod resuming;
mod shards;
mod splitting;
mod training_tokenizers;
mod workshop;
