//! Checks against the files of the `shared` folder beside the checkout. Each says so when it is skipped.
#![expect(clippy::print_stdout, reason = "says what it compared")]

mod gguf_metadata;
mod templates;
mod training;
mod vocabularies;

use std::path::Path;

pub(crate) use psi_testkit::shared_data;

/// Reads a file that must be there.
pub(crate) fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
