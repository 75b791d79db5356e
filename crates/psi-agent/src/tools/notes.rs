//! Notes: Markdown files in one folder of psi's own, so that they can be read, searched and kept without psi.

use super::folders::{Folder, FolderError};
use crate::{ToolError, ToolOutput};

/// Longest title in characters.
const MAX_TITLE: usize = 80;

/// Keeps a note; one of that title is replaced.
pub(super) fn write(notes: &Folder, title: &str, text: &str) -> Result<ToolOutput, ToolError> {
    let file = file_name(title)?;
    notes.write(&file, &format!("# {}\n\n{}\n", title.trim(), text.trim()))?;
    Ok(ToolOutput::text(format!("noted: {}", title.trim())))
}

/// The notes that hold all words of a query, `everything` for the titles of all.
pub(super) fn find(notes: &Folder, query: &str) -> Result<ToolOutput, ToolError> {
    let all = query.trim().eq_ignore_ascii_case("everything");
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let mut found = Vec::new();
    for entry in notes.list("")?.into_iter().filter(|e| e.path.ends_with(".md")) {
        let text = notes.read_text(&entry.path)?;
        let lower = text.to_lowercase();
        if all {
            let title = text.lines().next().unwrap_or("").trim_start_matches("# ").to_owned();
            found.push(title);
        } else if !words.is_empty() && words.iter().all(|w| lower.contains(w)) {
            found.push(text.trim().to_owned());
        }
    }
    if found.is_empty() {
        return Ok(ToolOutput::text(super::NOTHING_FOUND));
    }
    let between = if all { "\n" } else { "\n\n" };
    Ok(ToolOutput::text(found.join(between)))
}

/// `Shopping list` is in `shopping-list.md`: letters and digits of any script, the rest becomes one hyphen.
fn file_name(title: &str) -> Result<String, FolderError> {
    let words = title.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    let slug: String = words.collect::<Vec<_>>().join("-").to_lowercase();
    if slug.is_empty() || title.chars().count() > MAX_TITLE {
        return Err(FolderError::Outside { path: title.to_owned() });
    }
    Ok(format!("{slug}.md"))
}
