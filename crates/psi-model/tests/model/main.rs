//! The decoder against transformers, against itself, and against bad files.

mod adapters;
mod bad_files;
mod golden;
mod gradients;
mod run;
mod same_bits;
mod saving;
mod stories;
