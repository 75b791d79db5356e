//! Numbers and rows for people: byte sizes, counts, aligned columns.

use std::fmt::Write;

/// "1.3 GB": three significant digits, decimal units as on disk labels and in file managers.
pub(crate) fn bytes(n: u64) -> String {
    scaled(n as f64, &["B", "kB", "MB", "GB", "TB", "PB"])
}

/// "1.24 B" parameters and the like: three significant digits, short scale.
pub(crate) fn count(n: u64) -> String {
    scaled(n as f64, &["", "K", "M", "B", "T"]).trim_end().to_owned()
}

fn scaled(mut x: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while x >= 999.5 && unit + 1 < units.len() {
        x /= 1000.0;
        unit += 1;
    }
    let decimals = match x {
        _ if unit == 0 || x >= 99.95 => 0,
        x if x >= 9.995 => 1,
        _ => 2,
    };
    format!("{x:.decimals$} {}", units[unit])
}

/// Rows in columns two spaces apart; a column of numbers (by its first body row) is flush right.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &[String], c: usize| row.get(c).map_or(0, |s| s.chars().count());
    let widths: Vec<usize> =
        (0..n_columns).map(|c| rows.iter().map(|r| cell(r, c)).max().unwrap_or(0)).collect();
    let numeric = |c: usize| {
        let body = rows.get(1).or(rows.first()).and_then(|r| r.get(c));
        body.is_some_and(|s| s.starts_with(|ch: char| ch.is_ascii_digit()))
    };
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (c, text) in row.iter().enumerate() {
            let width = widths[c];
            // Writing to a string cannot fail.
            let _ = match numeric(c) {
                true => write!(line, "{text:>width$}  "),
                false => write!(line, "{text:<width$}  "),
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Names and values, the values in a column of their own.
pub(crate) fn pairs(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|r| r.0.chars().count()).max().unwrap_or(0);
    let line = |(name, value): &(String, String)| format!("{name:<width$}  {value}\n");
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_316_946_624), "1.32 GB");
        assert_eq!(bytes(999_600), "1.00 MB");
        assert_eq!(count(260_032), "260 K");
        assert_eq!(count(1_235_814_400), "1.24 B");
    }

    #[test]
    fn columns_line_up_and_numbers_are_flush_right() {
        let rows = [["name", "size"], ["a", "10"], ["long", "9"]];
        let rows: Vec<Vec<String>> =
            rows.iter().map(|r| r.iter().map(|&s| s.to_owned()).collect()).collect();
        assert_eq!(columns(&rows), "name  size\na       10\nlong     9\n");
    }
}
