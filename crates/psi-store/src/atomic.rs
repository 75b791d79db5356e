//! Files and folders that appear whole or not at all: written under another name, synced, renamed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Result, StoreError};

/// Replaces `path` by `bytes` so that a crash at any moment leaves the old file or the new one.
///
/// The temporary file lies in the same folder, is fsynced, renamed over `path`, and the folder is
/// fsynced (on Unix). Errors name `path`; the temporary file is removed.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes).map_err(|e| StoreError::io(path, "writing", e))?;
    file.commit()
}

/// A file being written that takes its real name only on [`AtomicFile::commit`].
///
/// Dropped without a commit, it is deleted and the old file stays. After a SIGKILL a file called
/// `.psi-*.tmp` may remain; it is never read.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    tmp: PathBuf,
    /// `None` once closed (by commit or by [`AtomicFile::seal`]).
    file: Option<File>,
    /// True until the temporary name is gone.
    pending: bool,
}

impl AtomicFile {
    /// Starts a replacement of `path`, whose folder must exist.
    pub fn create(path: &Path) -> Result<Self> {
        if path.file_name().is_none() {
            let e = io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file");
            return Err(StoreError::io(path, "creating", e));
        }
        loop {
            let tmp = temporary_name(path);
            match OpenOptions::new().read(true).write(true).create_new(true).open(&tmp) {
                Ok(file) => {
                    return Ok(Self {
                        path: path.to_owned(),
                        tmp,
                        file: Some(file),
                        pending: true,
                    });
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(StoreError::io(path, "creating", e)),
            }
        }
    }

    /// The name the file will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sets the length, so that tensors can be written in any order and gaps read as zeros.
    pub fn set_len(&mut self, len: u64) -> Result<()> {
        let result = self.open_file().and_then(|f| f.set_len(len));
        result.map_err(|e| StoreError::io(&self.path, "sizing", e))
    }

    /// Syncs and closes the file but leaves it under its temporary name, so that many finished
    /// files can wait for one commit without holding descriptors.
    pub fn seal(&mut self) -> Result<()> {
        if let Some(file) = self.file.take() {
            file.sync_all().map_err(|e| StoreError::io(&self.path, "syncing", e))?;
        }
        Ok(())
    }

    /// Gives the file its name, durably.
    pub fn commit(mut self) -> Result<()> {
        self.seal()?;
        fs::rename(&self.tmp, &self.path).map_err(|e| StoreError::io(&self.path, "renaming", e))?;
        self.pending = false;
        sync_dir(parent(&self.path))
    }

    fn open_file(&mut self) -> io::Result<&mut File> {
        self.file.as_mut().ok_or_else(|| io::Error::other("the file is already closed"))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.open_file()?.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open_file()?.flush()
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        self.open_file()?.seek(pos)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if self.pending {
            self.file = None; // Windows cannot delete an open file
            // Nobody can be told about a failure here, and a stray temporary file is harmless.
            let _ = fs::remove_file(&self.tmp);
        }
    }
}

/// A folder being filled that takes its real name only on [`AtomicDir::commit`]: a checkpoint of
/// weights, configuration and tokenizer is there as a whole or not at all.
///
/// Dropped without a commit, it is deleted.
#[derive(Debug)]
pub struct AtomicDir {
    path: PathBuf,
    tmp: PathBuf,
    /// True until the temporary name is gone.
    pending: bool,
}

impl AtomicDir {
    /// Starts the folder `path`, which must not exist; the folder it lies in must.
    pub fn create(path: &Path) -> Result<Self> {
        if path.symlink_metadata().is_ok() {
            let e = io::Error::new(io::ErrorKind::AlreadyExists, "something of that name is there");
            return Err(StoreError::io(path, "creating", e));
        }
        loop {
            let tmp = temporary_name(path);
            match fs::create_dir(&tmp) {
                Ok(()) => return Ok(Self { path: path.to_owned(), tmp, pending: true }),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(StoreError::io(path, "creating", e)),
            }
        }
    }

    /// Where to put the files for now. They must be durable before the commit, as what
    /// [`write_atomic`] and [`crate::TensorSink`] write is.
    pub fn staging(&self) -> &Path {
        &self.tmp
    }

    /// Gives the folder its name, durably.
    ///
    /// # Errors
    /// If a file, or a folder that is not empty, has taken the name meanwhile.
    pub fn commit(mut self) -> Result<()> {
        sync_dir(&self.tmp)?;
        fs::rename(&self.tmp, &self.path).map_err(|e| StoreError::io(&self.path, "renaming", e))?;
        self.pending = false;
        sync_dir(parent(&self.path))
    }
}

impl Drop for AtomicDir {
    fn drop(&mut self) {
        if self.pending {
            let _ = fs::remove_dir_all(&self.tmp); // as for a file
        }
    }
}

/// A name beside `path` that nothing of this process uses. A killed process that had our number may
/// have left one, so the caller tries again if it is taken.
fn temporary_name(path: &Path) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let n = COUNTER.fetch_add(1, Ordering::Relaxed);
    parent(path).join(format!(".psi-{}-{n}.tmp", std::process::id()))
}

/// The folder of `path`; a bare name lies in the current one.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    }
}

/// Makes renames in `dir` durable. Elsewhere than on Unix a folder cannot be synced.
fn sync_dir(dir: &Path) -> Result<()> {
    #[cfg(unix)]
    File::open(dir).and_then(|d| d.sync_all()).map_err(|e| StoreError::io(dir, "syncing", e))?;
    #[cfg(not(unix))]
    let _ = dir;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut v: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        v.sort();
        v
    }

    #[test]
    fn a_write_replaces_the_file_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(dir.path()), ["a.json"]);
    }

    #[test]
    fn an_abandoned_file_leaves_the_old_one_in_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_atomic(&path, b"old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new and unfinished").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(dir.path()), ["a"]);
    }

    #[test]
    fn a_sealed_file_is_invisible_until_committed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"x").unwrap();
        file.seal().unwrap();
        assert!(file.write_all(b"y").is_err(), "sealed means closed");
        assert!(!path.exists());
        file.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"x");
    }

    #[test]
    fn a_folder_appears_whole_and_never_over_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("step-100");
        let new = AtomicDir::create(&path).unwrap();
        write_atomic(&new.staging().join("config.json"), b"{}").unwrap();
        assert!(!path.exists());
        new.commit().unwrap();
        assert_eq!(names(&path), ["config.json"]);
        let err = AtomicDir::create(&path).unwrap_err();
        assert_eq!(err.path(), Some(path.as_path()));
        let other = AtomicDir::create(&dir.path().join("step-200")).unwrap();
        write_atomic(&dir.path().join("step-200"), b"in the way").unwrap();
        assert!(other.commit().is_err());
        assert_eq!(names(dir.path()), ["step-100", "step-200"]);
    }

    #[test]
    fn a_missing_folder_is_an_error_with_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("no/such/file");
        let err = write_atomic(&path, b"x").unwrap_err();
        assert_eq!(err.path(), Some(path.as_path()));
        assert!(write_atomic(Path::new("/"), b"x").is_err());
    }
}
