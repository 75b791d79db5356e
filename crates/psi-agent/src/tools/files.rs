//! Files in granted folders: list, read, search, write.

use super::{
    folders::{self, Folder, FolderEntry, FolderError},
    pager,
};
use crate::{CallContext, ToolError, ToolOutput};

/// Most entries that are listed.
const MAX_ENTRIES: usize = 200;

/// Most files that a search opens, and most lines that it returns.
const MAX_SEARCHED: usize = 20_000;
const MAX_FOUND: usize = 50;

impl From<FolderError> for ToolError {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::NotGranted { .. }
            | FolderError::Forbidden { .. }
            | FolderError::ReadOnly { .. }
            | FolderError::Outside { .. } => Self::NotAllowed(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// The entries of a folder; without a path, the granted folders.
pub(super) fn list(path: Option<&str>, context: &CallContext) -> Result<ToolOutput, ToolError> {
    let folders = folders::open_all(&context.folders)?;
    let Some(path) = path.filter(|p| !p.trim_matches(['/', '.']).is_empty()) else {
        let names: Vec<String> = folders.iter().map(|f| format!("{}/", f.name())).collect();
        return Ok(if names.is_empty() {
            ToolOutput::text("no folder is granted")
        } else {
            ToolOutput::untrusted(names.join("\n"))
        });
    };
    let (folder, inner) = folders::locate(&folders, path)?;
    let entries = folder.list(&inner)?;
    let line = |e: &FolderEntry| {
        let name = format!("{}/{}", folder.name(), e.path);
        if e.is_folder { format!("{name}/") } else { format!("{name} ({} bytes)", e.n_bytes) }
    };
    let mut lines: Vec<String> = entries.iter().take(MAX_ENTRIES).map(line).collect();
    if entries.len() > MAX_ENTRIES {
        lines.push(format!("and {} more", entries.len() - MAX_ENTRIES));
    }
    let text = if lines.is_empty() { format!("{path} is empty") } else { lines.join("\n") };
    Ok(ToolOutput::untrusted(text))
}

/// Lines of a text file, from a line on.
pub(super) fn read(
    path: &str,
    from_line: Option<i64>,
    context: &CallContext,
) -> Result<ToolOutput, ToolError> {
    let folders = folders::open_all(&context.folders)?;
    let (folder, inner) = folders::locate(&folders, path)?;
    let text = folder.read_text(&inner)?;
    Ok(ToolOutput::untrusted(pager::page(path, &text, from_line)?))
}

/// Lines that hold a text, whatever its letter case: `path:line: text`.
pub(super) fn search(
    query: &str,
    path: Option<&str>,
    context: &CallContext,
) -> Result<ToolOutput, ToolError> {
    let wanted = query.trim().to_lowercase();
    if wanted.is_empty() {
        return Err(ToolError::BadArguments("query is empty".to_owned()));
    }
    let folders = folders::open_all(&context.folders)?;
    let places: Vec<(&Folder, String)> = match path {
        Some(path) => vec![folders::locate(&folders, path)?],
        None => folders.iter().map(|f| (f, String::new())).collect(),
    };
    let mut found = Search { wanted, lines: Vec::new(), more: false };
    for (folder, inner) in places {
        found.search(folder, &inner, context)?;
    }
    if found.lines.is_empty() {
        return Ok(ToolOutput::text(super::NOTHING_FOUND));
    }
    if found.more {
        found.lines.push("[there is more; search for something rarer]".to_owned());
    }
    Ok(ToolOutput::untrusted(found.lines.join("\n")))
}

struct Search {
    wanted: String,
    lines: Vec<String>,
    more: bool,
}

impl Search {
    fn search(
        &mut self,
        folder: &Folder,
        path: &str,
        context: &CallContext,
    ) -> Result<(), ToolError> {
        let (files, cut) = folder.walk(path, MAX_SEARCHED)?;
        self.more |= cut;
        for entry in files {
            context.check()?;
            // What is no text, too large or gone meanwhile is not what a text search is about.
            let Ok(text) = folder.read_text(&entry.path) else { continue };
            for (i, line) in text.lines().enumerate() {
                if !line.to_lowercase().contains(&self.wanted) {
                    continue;
                }
                if self.lines.len() == MAX_FOUND {
                    self.more = true;
                    return Ok(());
                }
                let shown: String = line.trim().chars().take(200).collect();
                self.lines.push(format!("{}/{}:{}: {shown}", folder.name(), entry.path, i + 1));
            }
        }
        Ok(())
    }
}

/// Writes a file whole.
pub(super) fn write(
    path: &str,
    text: &str,
    context: &CallContext,
) -> Result<ToolOutput, ToolError> {
    let folders = folders::open_all(&context.folders)?;
    let (folder, inner) = folders::locate(&folders, path)?;
    folder.write(&inner, text)?;
    Ok(ToolOutput::text(format!("written: {path}, {} bytes", text.len())))
}
