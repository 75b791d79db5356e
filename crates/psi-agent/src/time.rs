//! Points in time, and the clock that the program passes in: nothing here reads the machine's own.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The same moment in the calendar's library.
    pub fn to_jiff(self) -> jiff::Timestamp {
        // Whatever lies outside the years that a calendar has is as good as its first or last moment.
        let moment = jiff::Timestamp::from_millisecond(self.0);
        moment.unwrap_or(if self.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX })
    }

    /// The day it falls on in UTC.
    pub fn date(self) -> jiff::civil::Date {
        self.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date()
    }

    /// Midnight (UTC) at the start of a day.
    pub fn at_start_of(day: jiff::civil::Date) -> Self {
        let epoch = jiff::civil::date(1970, 1, 1);
        let days = day.since(epoch).map_or(0, |span| i64::from(span.get_days()));
        Self(days * 86_400_000)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, to the second: `2026-11-22T10:50:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_jiff().strftime("%Y-%m-%dT%H:%M:%SZ"))
    }
}

/// What tells the time. The program makes one from the machine's clock, a test from a number.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that asks `read` each time.
    pub fn new(read: Box<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        Self(read.into())
    }

    /// A clock that stands still.
    pub fn fixed(at: Timestamp) -> Self {
        Self(Arc::new(move || at))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_print_as_rfc_3339_and_know_their_day() {
        let moment = Timestamp(1_795_344_600_123);
        assert_eq!(moment.to_string(), "2026-11-22T10:50:00Z");
        assert_eq!(moment.date().to_string(), "2026-11-22");
        assert_eq!(Timestamp::at_start_of(moment.date()).to_string(), "2026-11-22T00:00:00Z");
        assert_eq!(Timestamp::at_start_of(jiff::civil::date(1969, 12, 31)), Timestamp(-86_400_000));
    }
}
