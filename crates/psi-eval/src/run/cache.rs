//! Answers kept for other runs: the same player, settings and item have the same answer.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use psi_store::{ContentHash, Log, StoreError};
use serde::{Deserialize, Serialize};

use super::{Result, RunError, player::Played};
use crate::task::{Item, Output};

/// A folder of answers, one log per player and settings.
#[derive(Debug)]
pub struct Cache {
    dir: PathBuf,
    open: HashMap<ContentHash, Kept>,
}

/// The answers of one player: where each one's line begins.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    log: Log,
    places: HashMap<u128, u64>,
    end: u64,
}

#[derive(Serialize, Deserialize)]
struct Line {
    key: ContentHash,
    prompt: String,
    output: Output,
    n_prompt: usize,
    n_answer: usize,
    seconds: f64,
}

impl Cache {
    /// The cache in a folder, which need not exist yet.
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), open: HashMap::new() }
    }

    /// Opens the answers of a player. Another process that writes them is waited for.
    pub(super) fn prepare(&mut self, player: ContentHash) -> Result<()> {
        if self.open.contains_key(&player) {
            return Ok(());
        }
        fs::create_dir_all(&self.dir).map_err(|e| StoreError::io(&self.dir, "creating", e))?;
        let path = self.dir.join(format!("{player}.jsonl"));
        let log = Log::open(&path)?;
        let (mut places, mut end) = (HashMap::new(), 0);
        for line in Log::lines(&path)? {
            let line = line?;
            // A line that is no answer is never found, and so made again.
            if let Ok(kept) = serde_json::from_str::<Line>(&line) {
                places.insert(short(kept.key), end);
            }
            end += line.len() as u64 + 1;
        }
        self.open.insert(player, Kept { path, log, places, end });
        Ok(())
    }

    /// The answer to an item, if there is one.
    pub(super) fn get(&self, player: ContentHash, item: &Item) -> Result<Option<Played>> {
        let Some(kept) = self.open.get(&player) else { return Ok(None) };
        let Some(&place) = kept.places.get(&short(item.hash)) else { return Ok(None) };
        let line =
            read_line(&kept.path, place).map_err(|e| StoreError::io(&kept.path, "reading", e))?;
        let bad = |what: String| RunError::Bad { path: kept.path.clone(), line: 0, what };
        let line: Line = serde_json::from_slice(&line).map_err(|e| bad(e.to_string()))?;
        if line.key != item.hash {
            return Ok(None); // a collision of 128 bits
        }
        let Line { prompt, output, n_prompt, n_answer, seconds, .. } = line;
        Ok(Some(Played { prompt, output, n_prompt, n_answer, seconds }))
    }

    /// Keeps an answer.
    pub(super) fn put(&mut self, player: ContentHash, item: &Item, played: &Played) -> Result<()> {
        let Some(kept) = self.open.get_mut(&player) else { return Ok(()) };
        let line = Line {
            key: item.hash,
            prompt: played.prompt.clone(),
            output: played.output.clone(),
            n_prompt: played.n_prompt,
            n_answer: played.n_answer,
            seconds: played.seconds,
        };
        let line = serde_json::to_string(&line).unwrap_or_default();
        kept.log.append(&line)?;
        kept.places.insert(short(item.hash), kept.end);
        kept.end += line.len() as u64 + 1;
        Ok(())
    }
}

fn short(hash: ContentHash) -> u128 {
    let [first, ..] = hash.as_bytes().as_chunks::<16>().0 else { return 0 };
    u128::from_le_bytes(*first)
}

fn read_line(path: &Path, place: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(place))?;
    let mut line = Vec::new();
    let mut piece = [0; 8192];
    loop {
        let n = file.read(&mut piece)?;
        match piece[..n].iter().position(|&b| b == b'\n') {
            Some(end) => {
                line.extend_from_slice(&piece[..end]);
                return Ok(line);
            }
            None if n == 0 => return Ok(line),
            None => line.extend_from_slice(&piece[..n]),
        }
    }
}
