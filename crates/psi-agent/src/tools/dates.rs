//! Days, distances between them and clocks of other places: what the date tools answer.

use jiff::{
    Zoned,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};

/// `Sunday 2026-11-22 09:05`.
pub(super) fn moment(now: &Zoned) -> String {
    format!("{} {} {:02}:{:02}", weekday(now.date()), now.date(), now.hour(), now.minute())
}

/// English name of a day's weekday.
pub(super) fn weekday(day: Date) -> &'static str {
    match day.weekday() {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

/// Reads `2026-11-22`, of the years 1 to 9999.
///
/// # Errors
/// A sentence that quotes what is not a date.
pub(super) fn parse(text: &str) -> Result<Date, String> {
    let numerals = text.bytes().enumerate().all(|(i, b)| match i {
        4 | 7 => b == b'-',
        _ => b.is_ascii_digit(),
    });
    let date = (text.len() == 10 && numerals).then(|| text.parse::<Date>().ok()).flatten();
    date.filter(|d| d.year() >= 1).ok_or_else(|| format!("{text} is not a date"))
}

/// The day `days` after a day, as a statement; negative: before.
///
/// # Errors
/// A sentence: not a date, or too far away.
pub(super) fn add(text: &str, days: i64) -> Result<String, String> {
    let day = parse(text)?;
    let far = || "the date is too far away".to_owned();
    let span = jiff::Span::new().try_days(days).map_err(|_| far())?;
    let sum = day.checked_add(span).ok().filter(|d| d.year() >= 1).ok_or_else(far)?;
    let side = if days < 0 { "before" } else { "after" };
    Ok(format!("{} {side} {day} is {} {sum}", plural(days, "day"), weekday(sum)))
}

/// Days from one day to another, as a statement.
///
/// # Errors
/// A sentence that quotes what is not a date.
pub(super) fn difference(from: &str, to: &str) -> Result<String, String> {
    let (a, b) = (parse(from)?, parse(to)?);
    let days = (b - a).get_days();
    Ok(format!("from {from} to {to} is {}", plural(i64::from(days), "day")))
}

/// Date and time in a zone of the IANA list, as a statement.
///
/// # Errors
/// A sentence that quotes the unknown zone.
pub(super) fn time_in(now: &Zoned, zone: &str) -> Result<String, String> {
    Ok(format!("in {zone} it is {}", moment(&now.with_time_zone(time_zone(zone)?))))
}

/// What the clock of another zone shows at a time of today, as a statement.
///
/// # Errors
/// A sentence that quotes what is no time or zone.
pub(super) fn convert_time(
    now: &Zoned,
    time: &str,
    from: &str,
    to: &str,
) -> Result<String, String> {
    let (here, there) = (time_zone(from)?, time_zone(to)?);
    let clock = Time::strptime("%H:%M", time).map_err(|_| format!("{time} is not a time"))?;
    let today = now.with_time_zone(here.clone()).date();
    let start = today.to_datetime(clock).to_zoned(here);
    let other = start.map_err(|_| format!("{time} is not a time in {from}"))?;
    let other = other.with_time_zone(there);
    let day = match (other.date() - today).get_days() {
        0 => "",
        1 => " the next day",
        _ => " the day before",
    };
    Ok(format!("{time} in {from} is {:02}:{:02}{day} in {to}", other.hour(), other.minute()))
}

fn time_zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| {
        format!("there is no time zone called {name}; they are called Europe/Berlin or UTC")
    })
}

fn plural(n: i64, unit: &str) -> String {
    let n = n.unsigned_abs();
    format!("{n} {unit}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        "2026-11-22T09:05:00+00:00[UTC]".parse().unwrap()
    }

    #[test]
    fn statements_are_whole() {
        assert_eq!(moment(&now()), "Sunday 2026-11-22 09:05");
        let cases = [
            (add("2026-11-22", 10), "10 days after 2026-11-22 is Wednesday 2026-12-02"),
            (add("2026-11-22", -1), "1 day before 2026-11-22 is Saturday 2026-11-21"),
            (add("2024-02-28", 1), "1 day after 2024-02-28 is Thursday 2024-02-29"),
            (difference("2026-11-22", "2026-12-25"), "from 2026-11-22 to 2026-12-25 is 33 days"),
            (difference("2026-01-01", "2024-12-31"), "from 2026-01-01 to 2024-12-31 is 366 days"),
            (time_in(&now(), "Asia/Tokyo"), "in Asia/Tokyo it is Sunday 2026-11-22 18:05"),
            (
                convert_time(&now(), "20:00", "America/New_York", "Europe/Berlin"),
                "20:00 in America/New_York is 02:00 the next day in Europe/Berlin",
            ),
            (
                convert_time(&now(), "01:30", "Europe/Berlin", "UTC"),
                "01:30 in Europe/Berlin is 00:30 in UTC",
            ),
        ];
        for (answer, expected) in cases {
            assert_eq!(answer.as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_no_date_time_or_zone_is_refused() {
        for text in [
            "",
            "2026-02-30",
            "2026-13-01",
            "26-01-01",
            "2026-1-1",
            "2026-01-01x",
            "+026-01-01",
            "0000-01-01",
        ] {
            assert_eq!(parse(text), Err(format!("{text} is not a date")));
        }
        assert_eq!(add("9999-12-31", 1), Err("the date is too far away".to_owned()));
        assert_eq!(add("0001-01-01", i64::MIN), Err("the date is too far away".to_owned()));
        assert!(time_in(&now(), "Mars/Base").is_err_and(|e| e.contains("Mars/Base")));
        assert!(convert_time(&now(), "25:00", "UTC", "UTC").is_err_and(|e| e.contains("25:00")));
    }
}
