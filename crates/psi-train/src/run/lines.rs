//! Files of JSON lines that grow with the run and are cut back when it resumes.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use psi_store::write_atomic;
use serde_json::Value;

use crate::{Result, TrainError};

/// A file of objects, each with a `step`.
#[derive(Debug)]
pub(crate) struct Lines {
    path: PathBuf,
    file: File,
}

impl Lines {
    /// Opens the file and keeps the lines up to the checkpoint's step (none without a checkpoint): what a
    /// killed process wrote beyond it will be written again.
    pub(crate) fn open(path: &Path, checkpoint: Option<u64>) -> Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => String::new(),
            Err(e) => return Err(TrainError::io(path, "reading", e)),
        };
        let of = |line: &str| serde_json::from_str::<Value>(line).ok()?.get("step")?.as_u64();
        // Only the last line can be half-written.
        let kept: String = text
            .split_inclusive('\n')
            .take_while(|line| {
                line.ends_with('\n')
                    && of(line).is_some_and(|s| checkpoint.is_some_and(|step| s <= step))
            })
            .collect();
        if kept.len() != text.len() {
            write_atomic(path, kept.as_bytes())?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|e| TrainError::io(path, "opening", e))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends one object.
    pub(crate) fn write(&mut self, value: &Value) -> Result<()> {
        let written = self.file.write_all(format!("{value}\n").as_bytes());
        written.map_err(|e| TrainError::io(&self.path, "writing", e))
    }

    /// Makes the lines so far durable.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|e| TrainError::io(&self.path, "syncing", e))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_beyond_the_checkpoint_and_half_lines_are_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let mut lines = Lines::open(&path, Some(0)).unwrap();
        (1..=3).for_each(|s| lines.write(&json!({"step": s})).unwrap());
        lines.file.write_all(b"{\"step\": 4, \"lo").unwrap();
        let read = || std::fs::read_to_string(&path).unwrap();
        drop(Lines::open(&path, Some(9)).unwrap());
        assert_eq!(read(), "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n");
        let mut lines = Lines::open(&path, Some(2)).unwrap();
        lines.write(&json!({"step": 3, "again": true})).unwrap();
        assert_eq!(read(), "{\"step\":1}\n{\"step\":2}\n{\"step\":3,\"again\":true}\n");
    }
}
