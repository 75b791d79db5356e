//! `strftime_now`: a given time, formatted as Python's `strftime` does in the C locale.

use minijinja::{Error, ErrorKind};

/// A time without a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DateTime {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
}

const MONTHS: [&str; 12] = [
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
const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

fn invalid(reason: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason)
}

impl DateTime {
    /// Reads `YYYY-MM-DDTHH:MM:SS`, with a space for the T allowed.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let numbers: Vec<u32> =
            text.split(['-', 'T', ' ', ':']).map_while(|part| part.parse().ok()).collect();
        match numbers[..] {
            [
                year,
                month @ 1..=12,
                day @ 1..=31,
                hour @ 0..=23,
                minute @ 0..=59,
                second @ 0..=60,
            ] if year <= 9999 => Ok(Self { year: year as i32, month, day, hour, minute, second }),
            _ => Err(invalid(format!("{text:?} is not a time of the form YYYY-MM-DDTHH:MM:SS"))),
        }
    }

    /// Day of the week, 0 for Sunday (Sakamoto's method).
    fn weekday(&self) -> usize {
        const OFFSETS: [i32; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
        let year = if self.month < 3 { self.year - 1 } else { self.year };
        let days = year + year / 4 - year / 100 + year / 400;
        ((days + OFFSETS[self.month as usize - 1] + self.day as i32) % 7) as usize
    }

    fn day_of_year(&self) -> u32 {
        const BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        BEFORE[self.month as usize - 1] + self.day + u32::from(leap && self.month > 2)
    }

    /// Formats; `%-d` and its kin leave out leading zeros.
    pub(super) fn format(&self, format: &str) -> Result<String, Error> {
        let mut out = String::new();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let (code, padded) = match chars.next() {
                Some('-') => (chars.next(), false),
                other => (other, true),
            };
            let code = code.ok_or_else(|| invalid("the time format ends with %".to_owned()))?;
            out.push_str(&self.field(code, padded)?);
        }
        Ok(out)
    }

    fn field(&self, code: char, padded: bool) -> Result<String, Error> {
        let number = |n: u32, width: usize| {
            if padded { format!("{n:0width$}") } else { n.to_string() }
        };
        let hour_12 = (self.hour + 11) % 12 + 1;
        let (month, day) = (MONTHS[self.month as usize - 1], DAYS[self.weekday()]);
        Ok(match code {
            'Y' => format!("{:04}", self.year),
            'y' => number(self.year as u32 % 100, 2),
            'm' => number(self.month, 2),
            'd' => number(self.day, 2),
            'e' => format!("{:2}", self.day),
            'H' => number(self.hour, 2),
            'I' => number(hour_12, 2),
            'M' => number(self.minute, 2),
            'S' => number(self.second, 2),
            'j' => number(self.day_of_year(), 3),
            'B' => month.to_owned(),
            'b' | 'h' => month[..3].to_owned(),
            'A' => day.to_owned(),
            'a' => day[..3].to_owned(),
            'w' => self.weekday().to_string(),
            'u' => ((self.weekday() + 6) % 7 + 1).to_string(),
            'p' => if self.hour < 12 { "AM" } else { "PM" }.to_owned(),
            'f' => "000000".to_owned(),
            'z' | 'Z' => String::new(),
            'F' => self.format("%Y-%m-%d")?,
            'T' | 'X' => self.format("%H:%M:%S")?,
            'R' => self.format("%H:%M")?,
            'D' | 'x' => self.format("%m/%d/%y")?,
            'c' => self.format("%a %b %e %H:%M:%S %Y")?,
            'n' => "\n".to_owned(),
            't' => "\t".to_owned(),
            '%' => "%".to_owned(),
            other => return Err(invalid(format!("the time format %{other} is not supported"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_those_of_the_c_locale() {
        let time = DateTime::parse("2026-01-02T03:04:05").expect("valid");
        let text = time.format("%A %a, %-d %B %b %Y %y %H:%M:%S %I %p %j %u%w %%").expect("valid");
        assert_eq!(text, "Friday Fri, 2 January Jan 2026 26 03:04:05 03 AM 002 55 %");
        let leap = DateTime::parse("2024-12-31 23:59:59").expect("valid");
        assert_eq!(leap.format("%j %a %-I%p").expect("valid"), "366 Tue 11PM");
        assert!(time.format("%Q").is_err() && time.format("%").is_err());
        for bad in ["", "2026-13-01T00:00:00", "2026-01-02", "now"] {
            assert!(DateTime::parse(bad).is_err(), "{bad}");
        }
    }
}
