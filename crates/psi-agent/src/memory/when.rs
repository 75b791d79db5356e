//! Times in words: which days "last week", "May 2023" or "3 days ago" mean, seen from a day.

use jiff::{
    Span,
    civil::{Date, Weekday},
};

use super::words;
use crate::time::Timestamp;

/// Days from the first to the one before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) start: Date,
    pub(super) end: Date,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const MONTH_NAMES: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const NUMBERS: [&str; 13] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve",
];
/// Words that place something in time without naming a day.
const VAGUE: [&str; 9] =
    ["recently", "lately", "tonight", "weekend", "summer", "winter", "spring", "since", "earlier"];
/// How a question about a time begins.
const ASKS: [&str; 12] = [
    "when",
    "how long",
    "what date",
    "what day",
    "what month",
    "what year",
    "what time",
    "which day",
    "which month",
    "which year",
    "since when",
    "how old",
];

/// Whether a question asks for a time.
pub(super) fn asks_when(text: &str) -> bool {
    let text = words::words(text).join(" ");
    let asks = |a: &&str| text == **a || text.starts_with(&format!("{a} "));
    ASKS.iter().any(asks)
}

/// Whether a text says when something was or will be.
pub(super) fn mentions_time(text: &str) -> bool {
    // Any day will do: what matters is whether there are words for one.
    let today = jiff::civil::date(2000, 1, 1);
    let words = words::words(text);
    words.iter().any(|w| VAGUE.contains(&w.as_str()) || weekday(w).is_some())
        || (0..words.len()).any(|i| period_at(&words[i..], today).is_some())
}

/// The first period that a text names.
pub(super) fn period(text: &str, seen_from: Timestamp) -> Option<Period> {
    let words = words::words(text);
    (0..words.len()).find_map(|i| period_at(&words[i..], seen_from.date()))
}

/// The period that these words begin with.
fn period_at(words: &[String], today: Date) -> Option<Period> {
    let word = |i: usize| words.get(i).map_or("", String::as_str);
    absolute(&word).or_else(|| relative(&word, today))
}

/// `2023-05-07` (three words by now), `7 May 2023`, `May 7 2023`, `May 2023`, `2023`.
fn absolute<'a>(word: &dyn Fn(usize) -> &'a str) -> Option<Period> {
    let (first, second, third) = (word(0), word(1), word(2));
    if let Some(year) = year(first) {
        let iso = second.parse().ok().zip(third.parse().ok());
        if let Some(date) = iso.and_then(|(m, d)| Date::new(year, m, d).ok()) {
            return day(date);
        }
        return span(Date::new(year, 1, 1).ok()?, Span::new().years(1));
    }
    let day_number = |w: &str| -> Option<i8> {
        let digits = w.trim_end_matches(['s', 't', 'n', 'd', 'r', 'h']);
        digits.parse().ok().filter(|d| (1..=31).contains(d))
    };
    if let (Some(d), Some(m)) = (day_number(first), month(second)) {
        return day(Date::new(year(third)?, m, d).ok()?);
    }
    let m = month(first)?;
    if let (Some(d), Some(y)) = (day_number(second), year(third)) {
        return day(Date::new(y, m, d).ok()?);
    }
    span(Date::new(year(second)?, m, 1).ok()?, Span::new().months(1))
}

/// `yesterday`, `3 days ago`, `last week`, `next month`, `last friday`, `on friday`.
fn relative<'a>(word: &dyn Fn(usize) -> &'a str, today: Date) -> Option<Period> {
    let (first, second, third) = (word(0), word(1), word(2));
    match first {
        "today" | "tonight" => return day(today),
        "yesterday" => return day(today.checked_sub(Span::new().days(1)).ok()?),
        "tomorrow" => return day(today.checked_add(Span::new().days(1)).ok()?),
        _ => {}
    }
    if third == "ago" {
        let n = number(first)?;
        let back = unit(second, n)?;
        let at = today.checked_sub(back).ok()?;
        // As exact as it was said: "two months ago" is a month, not a day.
        return match second.trim_end_matches('s') {
            "day" => day(at),
            "week" => span(monday_of(at), Span::new().weeks(1)),
            "month" => span(at.first_of_month(), Span::new().months(1)),
            _ => span(at.first_of_year(), Span::new().years(1)),
        };
    }
    let steps = match first {
        "last" => -1,
        "this" | "on" => 0,
        "next" => 1,
        _ => return None,
    };
    if let Some(weekday) = weekday(second) {
        // The last one before today, the next one from today on.
        let found = if steps < 0 {
            today.nth_weekday(-1, weekday).ok()?
        } else if today.weekday() == weekday {
            today
        } else {
            today.nth_weekday(1, weekday).ok()?
        };
        return day(found);
    }
    if first == "on" {
        return None;
    }
    match second {
        "week" => {
            let start = monday_of(today).checked_add(Span::new().weeks(steps)).ok()?;
            span(start, Span::new().weeks(1))
        }
        "weekend" => {
            let start = monday_of(today).checked_add(Span::new().weeks(steps).days(5)).ok()?;
            span(start, Span::new().days(2))
        }
        "month" => {
            let start = today.first_of_month().checked_add(Span::new().months(steps)).ok()?;
            span(start, Span::new().months(1))
        }
        "year" => {
            let start = today.first_of_year().checked_add(Span::new().years(steps)).ok()?;
            span(start, Span::new().years(1))
        }
        _ => None,
    }
}

fn day(date: Date) -> Option<Period> {
    span(date, Span::new().days(1))
}

fn span(start: Date, length: Span) -> Option<Period> {
    Some(Period { start, end: start.checked_add(length).ok()? })
}

fn monday_of(date: Date) -> Date {
    let back = i64::from(date.weekday().to_monday_zero_offset());
    date.checked_sub(Span::new().days(back)).unwrap_or(date)
}

fn unit(word: &str, n: i64) -> Option<Span> {
    match word.trim_end_matches('s') {
        "day" => Span::new().try_days(n).ok(),
        "week" => Span::new().try_weeks(n).ok(),
        "month" => Span::new().try_months(n).ok(),
        "year" => Span::new().try_years(n).ok(),
        _ => None,
    }
}

fn number(word: &str) -> Option<i64> {
    let named = NUMBERS.iter().position(|n| *n == word).map(|n| n as i64);
    named.or_else(|| word.parse().ok()).or(matches!(word, "a" | "an").then_some(1))
}

fn year(word: &str) -> Option<i16> {
    let n: i16 = word.parse().ok()?;
    (word.len() == 4 && (1900..2100).contains(&n)).then_some(n)
}

fn month(word: &str) -> Option<i8> {
    let at = MONTH_NAMES.iter().position(|m| *m == word);
    at.or_else(|| MONTHS.iter().position(|m| *m == word)).map(|at| at as i8 + 1)
}

fn weekday(word: &str) -> Option<Weekday> {
    let at = WEEKDAYS.iter().position(|w| *w == word)?;
    Weekday::from_monday_zero_offset(at as i8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_times_mean_days() {
        // A Sunday.
        let now = Timestamp::at_start_of(jiff::civil::date(2026, 11, 22));
        let check = |text: &str, want: &str| {
            let got = period(text, now).map(|p| format!("{}..{}", p.start, p.end));
            assert_eq!(got.unwrap_or_default(), want, "{text}");
        };
        check("what did I do on 2023-05-07?", "2023-05-07..2023-05-08");
        check("the 7th May 2023 was fine", "2023-05-07..2023-05-08");
        check("May 7, 2023", "2023-05-07..2023-05-08");
        check("in May 2023", "2023-05-01..2023-06-01");
        check("in 2023", "2023-01-01..2024-01-01");
        check("yesterday evening", "2026-11-21..2026-11-22");
        check("three days ago", "2026-11-19..2026-11-20");
        check("a month ago", "2026-10-01..2026-11-01");
        check("last week", "2026-11-09..2026-11-16");
        check("this weekend", "2026-11-21..2026-11-23");
        check("next year", "2027-01-01..2028-01-01");
        check("last friday", "2026-11-20..2026-11-21");
        check("on Tuesday", "2026-11-24..2026-11-25");
        check("on sunday", "2026-11-22..2026-11-23");
        check("may I ask", "");
        check("99999999 years ago", "");
        check("31 February 2023", "2023-02-01..2023-03-01");
    }

    #[test]
    fn questions_for_a_time_and_texts_with_one_are_told_from_others() {
        assert!(asks_when("When did she move?") && asks_when("how long have you known?"));
        assert!(!asks_when("Where did she go whenever she could?"));
        assert!(mentions_time("We met last week") && mentions_time("I went on Monday"));
        assert!(!mentions_time("I like the sea"));
    }
}
