//! The assistant's parts, through their public functions.

mod attacks;
mod conversations;
mod scripts;

use psi_agent::{Clock, Db, Timestamp};

/// A database in a new folder, at a time that stands still.
fn database() -> (tempfile::TempDir, Db) {
    let dir = tempfile::tempdir().expect("a folder for the test");
    let db = Db::open(&dir.path().join("psi.db"), Clock::fixed(Timestamp(1_000)));
    (dir, db.expect("a new database"))
}
