//! A long text in parts: what one call shows, and how to ask for the rest.

use crate::ToolError;

/// Most lines that one call returns.
const MAX_LINES: usize = 400;

/// Most bytes that one call returns.
const MAX_BYTES: usize = 32 << 10;

/// The lines of `text` from `from_line` (1: the first) on that fit one answer; a last line says what is left.
///
/// # Errors
/// When there is no such line, or a single line is too long.
pub(super) fn page(name: &str, text: &str, from_line: Option<i64>) -> Result<String, ToolError> {
    let n_lines = text.lines().count();
    let first = usize::try_from(from_line.unwrap_or(1)).unwrap_or(0).max(1);
    if first > n_lines.max(1) {
        return Err(ToolError::Failed(format!("{name} has {n_lines} lines")));
    }
    let (mut shown, mut last) = (String::new(), first - 1);
    for line in text.lines().skip(first - 1).take(MAX_LINES) {
        if shown.len() + line.len() > MAX_BYTES {
            break;
        }
        shown.push_str(line);
        shown.push('\n');
        last += 1;
    }
    if last < first && n_lines > 0 {
        let why = format!("line {first} of {name} has more than {MAX_BYTES} bytes");
        return Err(ToolError::Failed(why));
    }
    if last < n_lines {
        let rest =
            format!("[lines {first} to {last} of {n_lines}; from_line {} goes on]\n", last + 1);
        shown.push_str(&rest);
    }
    Ok(shown)
}
