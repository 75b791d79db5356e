//! Dates without a time zone: what the date tools compute with.
//!
//! Day numbers by Hinnant's `days_from_civil` (proleptic Gregorian calendar, day 0 is 1970-01-01).

use std::fmt;

/// A calendar day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    day_number: i64,
}

/// A minute of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The day.
    pub date: Date,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
}

/// English names, Monday first.
pub const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// English names, January first.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl Date {
    /// A day of the years 1 to 9999, if there is such a day.
    pub fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || day < 1 {
            return None;
        }
        let y = if month <= 2 { year - 1 } else { year };
        let era = y.div_euclid(400);
        let year_of_era = y.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let date = Self { day_number: era * 146_097 + day_of_era - 719_468 };
        (date.parts() == (year, month, day)).then_some(date)
    }

    /// Reads `2026-11-22`.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, rest) = text.split_once('-')?;
        let (month, day) = rest.split_once('-')?;
        let number = |text: &str, n_digits: usize| {
            let digits = text.len() == n_digits && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse::<i64>().ok()).flatten()
        };
        Self::new(number(year, 4)?, number(month, 2)?, number(day, 2)?)
    }

    /// Year, month and day.
    pub fn parts(self) -> (i64, i64, i64) {
        let z = self.day_number + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let m = (5 * day_of_year + 2) / 153;
        let month = if m < 10 { m + 3 } else { m - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        (year, month, day_of_year - (153 * m + 2) / 5 + 1)
    }

    /// This many days later; `None` outside the years 1 to 9999.
    pub fn plus(self, days: i64) -> Option<Self> {
        let later = Self { day_number: self.day_number.checked_add(days)? };
        let inside = Self::new(1, 1, 1)?.day_number..=Self::new(9999, 12, 31)?.day_number;
        inside.contains(&later.day_number).then_some(later)
    }

    /// Days from this day to `other`.
    pub fn days_until(self, other: Self) -> i64 {
        other.day_number - self.day_number
    }

    /// Its weekday.
    pub fn weekday(self) -> &'static str {
        WEEKDAYS[(self.day_number + 3).rem_euclid(7) as usize]
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.parts();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:02}:{:02}", self.date.weekday(), self.date, self.hour, self.minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days_have_their_weekdays_and_distances() {
        let day = |text| Date::parse(text).unwrap();
        assert_eq!(day("1970-01-01").weekday(), "Thursday");
        assert_eq!(day("2000-02-29").weekday(), "Tuesday");
        assert_eq!(day("2026-11-22").weekday(), "Sunday");
        assert_eq!(day("1900-02-28").plus(1), Some(day("1900-03-01")));
        assert_eq!(day("2024-02-28").plus(1), Some(day("2024-02-29")));
        assert_eq!(day("2024-12-31").days_until(day("2026-01-01")), 366);
        assert_eq!(day("9999-12-31").plus(1), None);
        assert_eq!(day("0001-01-01").plus(i64::MIN), None);
    }

    #[test]
    fn every_day_number_reads_back() {
        let mut date = Date::parse("1895-01-01").unwrap();
        for _ in 0..100_000 {
            let text = date.to_string();
            assert_eq!(Date::parse(&text), Some(date), "{text}");
            date = date.plus(1).unwrap();
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in
            ["", "2026-02-30", "2026-13-01", "26-01-01", "2026-1-1", "2026-01-01x", "+026-01-01"]
        {
            assert_eq!(Date::parse(text), None, "{text}");
        }
    }
}
