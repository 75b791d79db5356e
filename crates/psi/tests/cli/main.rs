//! The built program from the outside: what it prints where, its exit codes, the files it leaves.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops with the cause")]

mod answers;
mod chat;
mod checkpoint;
mod convert;
mod data;
mod eval;
mod gate;
mod generate;
mod hub;
mod learn;
mod machine;
mod mcp;
mod prefer;
mod program;
mod pull;
mod refine;
mod score;
mod skills;
mod tokenize;
mod train;
mod up;
mod users;
mod vault;
mod workshop;
