//! Checks against the files of the `shared` folder beside the checkout. Each says so when it is skipped.
#![expect(clippy::print_stdout, reason = "says what it compared or skipped")]

mod gguf_metadata;
mod templates;
mod training;
mod vocabularies;

use std::path::{Path, PathBuf};

/// The folder `shared/data`: named by `PSI_SHARED`, or found by walking up from this crate.
pub(crate) fn shared_data() -> Option<PathBuf> {
    let named = std::env::var_os("PSI_SHARED").map(PathBuf::from);
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut candidates = named.into_iter().chain(above.map(|p| p.join("shared")));
    let found = candidates.find_map(|p| {
        let data = if p.ends_with("data") { p } else { p.join("data") };
        data.join("tokenizers").is_dir().then_some(data)
    });
    if found.is_none() {
        println!("skipped: there is no shared/data folder (PSI_SHARED names another place)");
    }
    found
}

/// Reads a file that must be there.
pub(crate) fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
