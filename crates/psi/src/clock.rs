//! The time of day, read here and nowhere else: everything below takes it as a value.

use std::time::SystemTime;

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |d| d.as_secs())
}
