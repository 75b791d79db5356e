//! What the assistant serves, for those who serve it: found, checked, followed.

use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, SystemTime},
};

use psi_store::{Home, Served};

use crate::{
    clock,
    error::{Failure, Outcome, unusable},
};

/// How often the log of promotions is looked at.
const POLL: Duration = Duration::from_millis(250);

/// The last promotion, if there was one and its files are still those that the gate compared.
pub(crate) fn promoted(home: &Home) -> Outcome<Option<Served>> {
    let Some(served) = home.assistant().served().map_err(unusable)? else { return Ok(None) };
    let path = &served.model.path;
    let changed = |what: &str| {
        let error = Failure::input(format!("{}: what was promoted {what}", path.display()));
        error.hint("`psi models rollback` serves what was before")
    };
    if !path.exists() {
        return Err(changed("is gone"));
    }
    let adapter = served.adapter.as_ref().map(|a| a.path.as_path());
    match Served::at(path, adapter).map_err(unusable)?.same_content(&served) {
        true => Ok(Some(served)),
        false => Err(changed("has changed since the gate compared it")),
    }
}

/// Calls `changed` after every promotion and rollback from now on, until it returns false.
///
/// # Errors
/// The system gives no thread.
pub(crate) fn follow(
    home: &Home,
    mut changed: impl FnMut() -> bool + Send + 'static,
) -> std::io::Result<()> {
    let log = home.assistant().path().to_owned();
    let stamp = move || -> Option<(u64, SystemTime)> {
        let file = fs::metadata(&log).ok()?;
        Some((file.len(), file.modified().ok()?))
    };
    let mut seen = stamp();
    let watch = move || {
        loop {
            thread::sleep(POLL);
            let now = stamp();
            if now != seen {
                seen = now;
                if !changed() {
                    return;
                }
            }
        }
    };
    thread::Builder::new().name("psi-follow".to_owned()).spawn(watch).map(drop)
}

/// Takes note that somebody asks the assistant: `psi learn --when-idle` makes room.
pub(crate) fn note_use(home: &Home) {
    // Without the note learning goes on beside the answer, slower and no worse.
    let _ = psi_store::write_atomic(&last_use(home), clock::now().to_string().as_bytes());
}

/// The file that changes with every [`note_use`].
pub(crate) fn last_use(home: &Home) -> PathBuf {
    home.root().join("last-use")
}
