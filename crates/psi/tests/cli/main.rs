//! The built program from the outside: what it prints where, its exit codes, the files it leaves.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops with the cause")]

mod hub;
mod program;
mod pull;
mod train;
