//! When a task is due: once, every day, every week, or every few minutes, by the clock of a time zone.

use std::fmt;

use jiff::{
    civil::{Date, DateTime, Time, Weekday},
    tz::TimeZone,
};
use serde::Serialize;

use crate::time::Timestamp;

/// Most minutes between two runs: a year.
const MAX_MINUTES: i64 = 366 * 24 * 60;

/// When something is due. Prints as [`When::read`] reads it: `once 2026-11-24 07:30`, `daily 07:30`,
/// `weekly Monday 07:30`, `every 30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At one moment.
    Once(DateTime),
    /// At a time of every day.
    Daily(Time),
    /// At a time of a weekday.
    Weekly(Weekday, Time),
    /// Every so many minutes from when it was made.
    Every(i64),
}

const DAYS: [(Weekday, &str); 7] = [
    (Weekday::Monday, "Monday"),
    (Weekday::Tuesday, "Tuesday"),
    (Weekday::Wednesday, "Wednesday"),
    (Weekday::Thursday, "Thursday"),
    (Weekday::Friday, "Friday"),
    (Weekday::Saturday, "Saturday"),
    (Weekday::Sunday, "Sunday"),
];

impl When {
    /// Reads how often and when: `once` and `2026-11-24 07:30`, `daily` and `07:30`, `weekly` and `Monday 07:30`,
    /// `every` and a number of minutes.
    ///
    /// # Errors
    /// A sentence that says what is wanted.
    pub fn parse(repeat: &str, at: &str) -> Result<Self, String> {
        let at = at.trim();
        match repeat.trim() {
            "once" => {
                let (date, time) = at.split_once([' ', 'T']).unwrap_or((at, ""));
                let date: Date = date
                    .parse()
                    .map_err(|_| format!("\u{201c}{at}\u{201d} is not YYYY-MM-DD HH:MM"))?;
                Ok(Self::Once(date.to_datetime(clock(time)?)))
            }
            "daily" => clock(at).map(Self::Daily),
            "weekly" => {
                let (day, time) = at.split_once(' ').unwrap_or((at, ""));
                let named = |(_, name): &&(Weekday, &str)| name.eq_ignore_ascii_case(day);
                let day = DAYS.iter().find(named);
                let day =
                    day.ok_or_else(|| format!("\u{201c}{at}\u{201d} is not a weekday and HH:MM"))?;
                Ok(Self::Weekly(day.0, clock(time)?))
            }
            "every" => {
                let minutes = at.trim_end_matches("minutes").trim().parse().ok();
                let minutes = minutes.filter(|n| (1..=MAX_MINUTES).contains(n));
                let wrong = || {
                    format!(
                        "\u{201c}{at}\u{201d} is not a number of minutes from 1 to {MAX_MINUTES}"
                    )
                };
                minutes.map(Self::Every).ok_or_else(wrong)
            }
            other => Err(format!("\u{201c}{other}\u{201d} is not once, daily, weekly or every")),
        }
    }

    /// Reads what it prints.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn read(text: &str) -> Result<Self, String> {
        let (repeat, at) = text.split_once(' ').unwrap_or((text, ""));
        Self::parse(repeat, at)
    }

    /// The next time after a moment that it is due; none: never. `made`: from when minutes are counted. A time that a
    /// day does not have, because clocks go forward, is the one that the clock shows then.
    pub fn next(&self, after: Timestamp, made: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let moment = |date: Date, time: Time| {
            let zoned = date.to_datetime(time).to_zoned(zone.clone()).ok()?;
            Some(Timestamp(zoned.timestamp().as_millisecond()))
        };
        let today = || after.to_jiff().to_zoned(zone.clone()).date();
        let in_days = |time: Time, fits: &dyn Fn(Date) -> bool| {
            let mut day = today();
            for _ in 0..=14 {
                if let Some(at) = moment(day, time).filter(|at| fits(day) && *at > after) {
                    return Some(at);
                }
                day = day.tomorrow().ok()?;
            }
            None
        };
        match *self {
            Self::Once(at) => moment(at.date(), at.time()).filter(|at| *at > after),
            Self::Daily(time) => in_days(time, &|_| true),
            Self::Weekly(weekday, time) => in_days(time, &|day| day.weekday() == weekday),
            Self::Every(minutes) => {
                let step = minutes * 60_000;
                let passed = (after.0 - made.0).max(0) / step;
                Some(Timestamp(made.0 + (passed + 1) * step))
            }
        }
    }

    /// As people say it.
    pub fn words(&self) -> String {
        match self {
            Self::Once(at) => format!("once, {}", at.strftime("%A %-d %B %Y at %H:%M")),
            Self::Daily(at) => format!("every day at {}", shown(*at)),
            Self::Weekly(day, at) => format!("every {} at {}", name(*day), shown(*at)),
            Self::Every(1) => "every minute".to_owned(),
            Self::Every(n) => format!("every {n} minutes"),
        }
    }
}

fn clock(text: &str) -> Result<Time, String> {
    let wrong = || format!("\u{201c}{text}\u{201d} is not a time of day: HH:MM");
    Time::strptime("%H:%M", text.trim()).map_err(|_| wrong())
}

fn shown(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

fn name(day: Weekday) -> &'static str {
    DAYS.iter().find(|(known, _)| *known == day).map_or("", |(_, name)| name)
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once(at) => write!(f, "once {} {}", at.date(), shown(at.time())),
            Self::Daily(at) => write!(f, "daily {}", shown(*at)),
            Self::Weekly(day, at) => write!(f, "weekly {} {}", name(*day), shown(*at)),
            Self::Every(minutes) => write!(f, "every {minutes}"),
        }
    }
}

impl Serialize for When {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn what_is_printed_is_read_and_wrong_times_are_named() {
        for text in ["once 2026-11-24 07:30", "daily 00:05", "weekly Sunday 23:59", "every 30"] {
            assert_eq!(When::read(text).unwrap().to_string(), text);
        }
        assert_eq!(
            When::parse("once", "2026-11-24T07:30").unwrap(),
            When::read("once 2026-11-24 07:30").unwrap()
        );
        for text in [
            "daily 25:00",
            "weekly Someday 07:00",
            "every 0",
            "every x",
            "once 2026-02-30 07:00",
            "often",
            "",
        ] {
            assert!(When::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_next_time_is_by_the_clock_of_the_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let next = |when: &str, after: &str| {
            let made = at("2026-01-01T00:00:00Z");
            When::read(when).unwrap().next(at(after), made, &berlin).map(|t| t.to_string())
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(next("daily 07:30", "2026-11-23T06:29:00Z"), some("2026-11-23T06:30:00Z"));
        assert_eq!(next("daily 07:30", "2026-11-23T06:30:00Z"), some("2026-11-24T06:30:00Z"));
        assert_eq!(
            next("weekly Monday 07:30", "2026-11-23T07:00:00Z"),
            some("2026-11-30T06:30:00Z")
        );
        assert_eq!(
            next("once 2026-11-24 12:00", "2026-11-23T00:00:00Z"),
            some("2026-11-24T11:00:00Z")
        );
        assert_eq!(next("once 2026-11-24 12:00", "2026-11-24T11:00:00Z"), None);
        assert_eq!(next("every 30", "2026-01-01T00:59:59Z"), some("2026-01-01T01:00:00Z"));
        assert_eq!(next("every 30", "2026-01-01T01:00:00Z"), some("2026-01-01T01:30:00Z"));
        // Summer time begins: 02:30 is not there, and the clock shows 03:30 then. The day after, it is.
        assert_eq!(next("daily 02:30", "2026-03-28T12:00:00Z"), some("2026-03-29T01:30:00Z"));
        assert_eq!(next("daily 02:30", "2026-03-29T01:30:00Z"), some("2026-03-30T00:30:00Z"));
        // It ends: 02:30 comes twice, and once is enough.
        assert_eq!(next("daily 02:30", "2026-10-24T12:00:00Z"), some("2026-10-25T00:30:00Z"));
        assert_eq!(next("daily 02:30", "2026-10-25T00:30:00Z"), some("2026-10-26T01:30:00Z"));
    }
}
