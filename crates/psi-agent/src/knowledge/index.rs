//! Bringing the index up to date with the files, in the background.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use rusqlite::Transaction;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    Knowledge, Source,
    extract::{Extracted, FileKind, extract},
    passages,
};
use crate::{
    Cancel, Result, Timestamp,
    error::AgentError,
    tools::{Folder, FolderEntry},
};

/// Most files of one source.
const MAX_FILES: usize = 50_000;

/// Passages that are embedded in one go.
const EMBED_BATCH: usize = 16;

/// How far indexing is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Whether it is still going on.
    pub running: bool,
    /// The file that is read, from the source.
    pub current: String,
    /// Files looked at, of all.
    pub n_files_done: usize,
    /// All files.
    pub n_files: usize,
    /// Files that were read anew.
    pub n_read: usize,
    /// Files that are no text.
    pub n_not_text: usize,
    /// Files that are gone.
    pub n_removed: usize,
    /// Passages that have got their vector, of `n_to_embed`.
    pub n_embedded: usize,
    /// Passages without a vector at the start.
    pub n_to_embed: usize,
    /// What went wrong with the whole; a file's own trouble is in its [`Document`](super::Document).
    pub error: Option<String>,
    /// Something the user should know: a source larger than what is indexed.
    pub notice: Option<String>,
}

/// Where progress is reported.
pub(crate) type Report<'a> = &'a mut dyn FnMut(&Progress);

/// A file as the database knows it.
struct Known {
    id: i64,
    n_bytes: i64,
    modified_ms: i64,
    hash: String,
}

impl Knowledge {
    /// Brings every source up to date. What was done stays done when it is cancelled.
    ///
    /// # Errors
    /// When the database cannot be written, or the embedder fails.
    pub(crate) fn index(&self, cancel: &Cancel, report: Report<'_>) -> Result<Progress> {
        let mut progress = Progress { running: true, ..Progress::default() };
        for source in self.sources()? {
            self.index_source(&source, cancel, &mut progress, report)?;
        }
        self.embed(cancel, &mut progress, report)?;
        progress.running = false;
        report(&progress);
        Ok(progress)
    }

    fn index_source(
        &self,
        source: &Source,
        cancel: &Cancel,
        progress: &mut Progress,
        report: Report<'_>,
    ) -> Result<()> {
        let (folder, files) = self.files_of(source, progress)?;
        let mut known = self.known(source.id)?;
        progress.n_files += files.len();
        for file in files {
            if cancel.is_cancelled() {
                return Ok(());
            }
            progress.current.clone_from(&file.path);
            report(progress);
            let before = known.remove(&stored_path(source, &file.path));
            if let Some(folder) = &folder {
                self.index_file(source, folder, &file, before, progress)?;
            }
            progress.n_files_done += 1;
        }
        progress.n_removed += known.len();
        self.db.write(|t| {
            for gone in known.values() {
                t.execute("DELETE FROM document WHERE id = ?1", [gone.id])?;
            }
            Ok(())
        })
    }

    /// The open folder and its files; none when the source itself is gone.
    fn files_of(
        &self,
        source: &Source,
        progress: &mut Progress,
    ) -> Result<(Option<Folder>, Vec<FolderEntry>)> {
        let (root, name) = place(&source.path);
        let Ok(folder) = Folder::open("source", root, false) else { return Ok((None, Vec::new())) };
        let listed = if name.is_empty() {
            folder.walk("", MAX_FILES)
        } else {
            // Hidden files and links are not listed, and so not indexed.
            folder.list("").map(|all| (all.into_iter().filter(|e| e.path == name).collect(), false))
        };
        let (files, cut) = listed.map_err(|e| AgentError::invalid("source", e.to_string()))?;
        if cut {
            let path = source.path.display();
            progress.notice =
                Some(format!("{path} has more than {MAX_FILES} files; the first are indexed"));
        }
        Ok((Some(folder), files))
    }

    fn known(&self, source: i64) -> Result<HashMap<String, Known>> {
        self.db.read(|c| {
            let mut rows = c.prepare_cached(
                "SELECT path, id, n_bytes, modified_ms, hash FROM document WHERE source = ?1",
            )?;
            let known = rows.query_map([source], |row| {
                let known = Known {
                    id: row.get(1)?,
                    n_bytes: row.get(2)?,
                    modified_ms: row.get(3)?,
                    hash: row.get(4)?,
                };
                Ok((row.get(0)?, known))
            })?;
            Ok(known.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn index_file(
        &self,
        source: &Source,
        folder: &Folder,
        file: &FolderEntry,
        before: Option<Known>,
        progress: &mut Progress,
    ) -> Result<()> {
        let n_bytes = i64::try_from(file.n_bytes).unwrap_or(i64::MAX);
        let same = |k: &Known| k.n_bytes == n_bytes && k.modified_ms == file.modified_ms;
        if before.as_ref().is_some_and(same) {
            return Ok(());
        }
        let (hash, extracted, kind) = match folder.read(&file.path) {
            Err(e) => (String::new(), Extracted::Failed(e.to_string()), FileKind::Text),
            Ok(bytes) => {
                let hash: String =
                    Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
                if let Some(known) = before.as_ref().filter(|k| k.hash == hash) {
                    return self.db.write(|t| {
                        let update =
                            "UPDATE document SET n_bytes = ?2, modified_ms = ?3 WHERE id = ?1";
                        t.execute(update, (known.id, n_bytes, file.modified_ms))?;
                        Ok(())
                    });
                }
                (hash, extract(&file.path, &bytes), FileKind::of(&file.path, &bytes))
            }
        };
        progress.n_read += 1;
        if extracted == Extracted::NotText {
            progress.n_not_text += 1;
        }
        let now = self.db.now();
        self.db.write(|t| {
            if let Some(known) = before {
                t.execute("DELETE FROM document WHERE id = ?1", [known.id])?;
            }
            let path = stored_path(source, &file.path);
            let id = insert_document(
                t,
                source.id,
                &path,
                kind,
                &extracted,
                (&hash, n_bytes, file.modified_ms),
                now,
            )?;
            match &extracted {
                Extracted::Pages(pages) => insert_passages(t, id, kind, pages),
                _ => Ok(()),
            }
        })
    }

    /// Gives every passage that has none of this model a vector.
    fn embed(&self, cancel: &Cancel, progress: &mut Progress, report: Report<'_>) -> Result<()> {
        let Some(embedder) = self.embedder.clone() else { return Ok(()) };
        let missing =
            "FROM passage p LEFT JOIN passage_vector v ON v.passage = p.id AND v.model = ?1
             WHERE v.passage IS NULL AND trim(p.content) <> ''";
        progress.n_to_embed = self.db.read(|c| {
            let n: i64 =
                c.query_row(&format!("SELECT count(*) {missing}"), [embedder.name()], |r| {
                    r.get(0)
                })?;
            Ok(n as usize)
        })?;
        while !cancel.is_cancelled() {
            report(progress);
            let batch: Vec<(i64, String)> = self.db.read(|c| {
                let sql =
                    format!("SELECT p.id, p.content {missing} ORDER BY p.id LIMIT {EMBED_BATCH}");
                let mut rows = c.prepare_cached(&sql)?;
                let rows =
                    rows.query_map([embedder.name()], |row| Ok((row.get(0)?, row.get(1)?)))?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            })?;
            if batch.is_empty() {
                break;
            }
            let embed = |(id, text): &(i64, String)| {
                let vector =
                    embedder.embed(text).map_err(|why| AgentError::invalid("embedder", why))?;
                Ok((*id, vector.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>()))
            };
            let vectors: Vec<(i64, Vec<u8>)> = batch.iter().map(embed).collect::<Result<_>>()?;
            self.db.write(|t| {
                for (id, vector) in &vectors {
                    let put = "INSERT OR REPLACE INTO passage_vector (passage, model, vector)
                        SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM passage WHERE id = ?1)";
                    t.execute(put, (id, embedder.name(), vector))?;
                }
                Ok(())
            })?;
            progress.n_embedded += batch.len();
        }
        Ok(())
    }
}

/// The folder of a source, and the file's name in it where the source is a file.
fn place(path: &Path) -> (&Path, String) {
    match (path.is_dir(), path.parent(), path.file_name()) {
        (false, Some(parent), Some(name)) => (parent, name.to_string_lossy().into_owned()),
        _ => (path, String::new()),
    }
}

/// A document's path: inside its folder, empty for a source that is a file.
fn stored_path(source: &Source, path: &str) -> String {
    if place(&source.path).1.is_empty() { path.to_owned() } else { String::new() }
}

fn insert_document(
    t: &Transaction<'_>,
    source: i64,
    path: &str,
    kind: FileKind,
    extracted: &Extracted,
    (hash, n_bytes, modified_ms): (&str, i64, i64),
    now: Timestamp,
) -> Result<i64> {
    let (state, why) = match extracted {
        Extracted::Pages(_) => ("indexed", None),
        Extracted::NoText(why) => ("no_text", Some(why.as_str())),
        Extracted::NotText => ("failed", Some("it is not a file of text")),
        Extracted::Failed(why) => ("failed", Some(why.as_str())),
    };
    t.execute(
        "INSERT INTO document (source, path, kind, n_bytes, modified_ms, hash, state, why, indexed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        (source, path, kind.name(), n_bytes, modified_ms, hash, state, why, now.0),
    )?;
    Ok(t.last_insert_rowid())
}

fn insert_passages(
    t: &Transaction<'_>,
    document: i64,
    kind: FileKind,
    pages: &[String],
) -> Result<()> {
    let mut insert = t.prepare_cached(
        "INSERT INTO passage (document, page, first_line, last_line, first_byte, end_byte, content)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let mut offset = 0;
    for (i, text) in pages.iter().enumerate() {
        let page = (kind == FileKind::Pdf).then_some(i + 1);
        for part in passages::cut(text) {
            let first = offset + part.first_byte;
            let (from, to) = part.lines;
            let end = first + part.text.len();
            let whole = |n: usize| i64::try_from(n).expect("a text has fewer bytes than an i64");
            let place = (page.map(whole), whole(from), whole(to), whole(first), whole(end));
            let (page, from, to, first, end) = place;
            insert.execute((document, page, from, to, first, end, part.text))?;
        }
        offset += text.len();
    }
    Ok(())
}

/// A thread that keeps the index up to date when it is told to. Dropping it stops it.
#[derive(Debug)]
pub struct Background {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    cancel: Cancel,
}

#[derive(Debug, Default)]
struct State {
    wanted: bool,
    ended: bool,
    progress: Progress,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Background {
    /// Starts the thread; it waits for the first [`Self::refresh`].
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(knowledge: Knowledge) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let builder = thread::Builder::new().name("psi-index".to_owned());
        let thread = builder.spawn(move || run(&knowledge, &theirs));
        let thread = thread.map_err(|e| AgentError::invalid("thread", e.to_string()))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Looks for what changed, soon.
    pub fn refresh(&self) {
        let mut state = self.shared.lock();
        state.wanted = true;
        state.progress.running = true;
        self.shared.changed.notify_all();
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.shared.lock().progress.clone()
    }

    /// Waits until everything that was asked for is done.
    pub fn wait(&self) -> Progress {
        let mut state = self.shared.lock();
        while state.progress.running {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.progress.clone()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.shared.cancel.cancel();
        self.shared.lock().ended = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has been printed; there is nobody to tell here.
            let _ = thread.join();
        }
    }
}

fn run(knowledge: &Knowledge, shared: &Shared) {
    loop {
        let mut state = shared.lock();
        while !state.wanted && !state.ended {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.ended {
            return;
        }
        state.wanted = false;
        drop(state);
        let mut report = |progress: &Progress| {
            shared.lock().progress = Progress { running: true, ..progress.clone() };
        };
        let result = knowledge.index(&shared.cancel, &mut report);
        let mut state = shared.lock();
        match result {
            Ok(progress) => state.progress = progress,
            Err(e) => state.progress.error = Some(e.to_string()),
        }
        state.progress.running = state.wanted;
        shared.changed.notify_all();
    }
}
