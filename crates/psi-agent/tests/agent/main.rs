//! The assistant's parts, through their public functions.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops with the cause")]

mod assistant;
mod attacks;
mod conversations;
mod feedback;
mod memory;
mod scripts;
mod toolbox;
mod vault;

use std::path::Path;

use psi_agent::{Clock, Db, Timestamp};

/// A database in a new folder, at a time that stands still.
fn database() -> (tempfile::TempDir, Db) {
    let dir = tempfile::tempdir().expect("a folder for the test");
    let db = Db::open(&dir.path().join("psi.db"), Clock::fixed(Timestamp(1_000)));
    (dir, db.expect("a new database"))
}

/// The files of a folder that hold these bytes.
fn holding(dir: &Path, bytes: &[u8]) -> Vec<String> {
    let files = std::fs::read_dir(dir).expect("a folder");
    let files = files.map(|f| f.expect("an entry").path());
    let holds = |path: &std::path::PathBuf| {
        let all = std::fs::read(path).expect("a file");
        all.windows(bytes.len()).any(|w| w == bytes)
    };
    files.filter(holds).map(|f| f.display().to_string()).collect()
}
