//! The decoder against transformers, against itself, and against bad files.

mod golden;
mod run;
mod stories;
