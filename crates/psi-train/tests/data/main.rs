//! Training data from the outside: files in, rows out.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops with the cause")]

mod loading;
mod workshop;
