//! What looks at a schedule from time to time: one thread, for as long as what it looks after is there.

use std::{io, thread, time::Duration};

/// Calls `look` every `pause`, from one pause on, on a thread of its own until it says that there is nothing left to
/// look after.
///
/// # Errors
/// When the system has no thread to give.
pub fn repeat(
    name: &str,
    pause: Duration,
    mut look: Box<dyn FnMut() -> bool + Send>,
) -> io::Result<()> {
    let work = move || {
        thread::sleep(pause);
        while look() {
            thread::sleep(pause);
        }
    };
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}
