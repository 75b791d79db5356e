//! The database: one SQLite file in WAL mode that only its owner can read.
//!
//! Writes go through one connection, one transaction each, and are on the disk when they return
//! (`synchronous=FULL`). Reads take a connection of their own from a small pool, so that a long search
//! holds nobody up. What is deleted is overwritten (`secure_delete`, also in the full-text indexes).

mod convert;
mod schema;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use convert::{decrypt, encrypt};
use psi_vault::{Passphrase, Vault};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::{
    error::{AgentError, Result},
    time::{Clock, Timestamp},
};

/// The assistant's database. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    path: PathBuf,
    /// Where the file is encrypted.
    vault: Option<Vault>,
    clock: Clock,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    presence: Presence,
}

/// How long a write waits for one of another process.
const BUSY: Duration = Duration::from_secs(10);
/// Idle read connections kept.
const MAX_IDLE_READERS: usize = 8;

impl Db {
    /// Opens the file, creating it and its folder where they are missing, and brings its tables up to
    /// date. Answers that a process was writing when it died are marked as interrupted.
    ///
    /// # Errors
    /// When the file is encrypted, is not a database, belongs to a later psi or cannot be opened.
    pub fn open(path: &Path, clock: Clock) -> Result<Self> {
        Self::open_with(path, clock, None)
    }

    /// Opens an encrypted file.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when the passphrase is wrong or the file is not encrypted.
    pub fn unlock(path: &Path, clock: Clock, passphrase: &Passphrase) -> Result<Self> {
        Self::open_with(path, clock, Some(passphrase))
    }

    /// Whether a file is encrypted. One that is not there is not.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn is_encrypted(path: &Path) -> Result<bool> {
        Ok(Vault::is_encrypted(path)?)
    }

    fn open_with(path: &Path, clock: Clock, passphrase: Option<&Passphrase>) -> Result<Self> {
        create_private(path)?;
        let mut presence = Presence::begin(path)?;
        let vault = match (Vault::is_encrypted(path)?, passphrase) {
            (true, None) => return Err(AgentError::Locked { path: path.to_owned() }),
            (false, None) => None,
            (_, Some(passphrase)) => Some(Vault::unlock(path, passphrase)?),
        };
        let at = |e: rusqlite::Error| AgentError::from(e).at(path);
        let mut writer = connect(path, vault.as_ref(), false).map_err(at)?;
        schema::migrate(&mut writer, path, clock.now()).map_err(|e| e.at(path))?;
        if presence.was_alone {
            let sql = "UPDATE message SET state = 'interrupted' WHERE state = 'streaming'";
            writer.execute(sql, []).map_err(at)?;
        }
        presence.share(path, vault.is_some())?;
        let inner = Inner {
            path: path.to_owned(),
            vault,
            clock,
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            presence,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The encryption of the file, if it is encrypted.
    pub fn vault(&self) -> Option<&Vault> {
        self.0.vault.as_ref()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether no other process had it open when this one opened it.
    pub fn was_alone(&self) -> bool {
        self.0.presence.was_alone
    }

    /// The clock's time.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Runs `work` on a snapshot of the database.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.try_read(work).map_err(|e| e.at(&self.0.path))
    }

    fn try_read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = lock(&self.0.readers).pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => connect(&self.0.path, self.0.vault.as_ref(), true)?,
        };
        let snapshot = reader.transaction()?;
        let result = work(&snapshot);
        drop(snapshot);
        let mut readers = lock(&self.0.readers);
        if readers.len() < MAX_IDLE_READERS {
            readers.push(reader);
        }
        result
    }

    /// Runs `work` in a transaction: all of it is on the disk when this returns, or none of it.
    pub(crate) fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        self.try_write(work).map_err(|e| e.at(&self.0.path))
    }

    fn try_write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut writer = lock(&self.0.writer);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    /// Empties the write-ahead log into the database file, so that what was deleted is in neither.
    ///
    /// # Errors
    /// When another process keeps the log busy for long.
    pub fn scrub(&self) -> Result<()> {
        lock(&self.0.readers).clear();
        let writer = lock(&self.0.writer);
        let busy = |e: rusqlite::Error| AgentError::from(e).at(&self.0.path);
        let blocked: i64 = writer
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(busy)?;
        if blocked == 0 {
            return Ok(());
        }
        let why = "another reader holds the write-ahead log; what was deleted is still in it";
        Err(AgentError::invalid("psi.db-wal", why))
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("path", &self.0.path).finish_non_exhaustive()
    }
}

/// A panic inside `work` has rolled its transaction back: the connection is as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(path: &Path, vault: Option<&Vault>, read_only: bool) -> rusqlite::Result<Connection> {
    let access = if read_only {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE
    };
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match vault {
        Some(vault) => Connection::open_with_flags_and_vfs(path, flags, vault.vfs())?,
        None => Connection::open_with_flags(path, flags)?,
    };
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    if !read_only {
        connection.pragma_update(None, "journal_mode", "WAL")?;
    }
    // temp_store: sorting must not leave text in temporary files.
    connection.execute_batch(
        "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON;
         PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF; PRAGMA cache_size=-16000;",
    )?;
    Ok(connection)
}

/// Makes the file, if it is not there, readable by its owner only; takes wider rights away if it is.
fn create_private(path: &Path) -> Result<()> {
    let fail =
        |doing: &'static str| move |source| AgentError::Io { path: path.to_owned(), doing, source };
    if let Some(folder) = path.parent() {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(fail("creating its folder"))?;
    }
    open_private(path).map_err(fail("opening"))?;
    #[cfg(unix)]
    for suffix in ["", "-wal", "-shm"] {
        use std::os::unix::fs::PermissionsExt;
        let file = with_suffix(path, suffix);
        let Ok(found) = fs::metadata(&file) else { continue };
        if found.permissions().mode() & 0o077 != 0 {
            let owner_only = fs::Permissions::from_mode(0o600);
            fs::set_permissions(&file, owner_only).map_err(fail("making it private"))?;
        }
    }
    Ok(())
}

fn open_private(path: &Path) -> std::io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// That this process has the database open, for others to see: a lock file, held shared. Whoever gets it alone knows
/// that no other process may be writing an answer, and that none converts the file. The operating system
/// lets go of a lock when its process dies, however it dies.
#[derive(Debug)]
struct Presence {
    lock: fs::File,
    /// No other process had the database open when this one opened it.
    was_alone: bool,
}

impl Presence {
    /// Waits until nobody converts the file; tidies up after a conversion that died.
    fn begin(path: &Path) -> Result<Self> {
        let file = with_suffix(path, ".lock");
        let fail = |source| AgentError::Io { path: file.clone(), doing: "locking", source };
        let lock = open_private(&file).map_err(fail)?;
        let was_alone = lock.try_lock().is_ok();
        if was_alone {
            convert::tidy_up(path)?;
        } else {
            lock.lock_shared().map_err(fail)?;
        }
        Ok(Self { lock, was_alone })
    }

    /// Lets other processes in. None may have converted the file before this one's lock was shared.
    fn share(&mut self, path: &Path, is_encrypted: bool) -> Result<()> {
        let fail =
            |source| AgentError::Io { path: with_suffix(path, ".lock"), doing: "locking", source };
        if self.was_alone {
            self.lock.unlock().map_err(fail)?;
            self.lock.lock_shared().map_err(fail)?;
        }
        if Vault::is_encrypted(path)? == is_encrypted {
            return Ok(());
        }
        let why = "it was encrypted or decrypted at this very moment: try again";
        Err(AgentError::invalid("psi.db", why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn open(dir: &tempfile::TempDir) -> Db {
        Db::open(&dir.path().join("home/psi.db"), Clock::fixed(Timestamp(0))).unwrap()
    }

    #[test]
    fn opening_twice_keeps_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let tables = |db: &Db| {
            db.read(|c| Ok(c.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?))
        };
        let first: i64 = tables(&open(&dir)).unwrap();
        assert_eq!(tables(&open(&dir)).unwrap(), first);
        assert!(first > 5);
    }

    #[test]
    #[cfg(unix)]
    fn only_the_owner_may_read_the_files() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let db = open(&dir);
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir.path().join("home")), 0o700);
        for suffix in ["", "-wal", "-shm", ".lock"] {
            assert_eq!(mode(&with_suffix(db.path(), suffix)), 0o600, "{suffix}");
        }
        fs::set_permissions(db.path(), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(mode(open(&dir).path()), 0o600);
    }

    #[test]
    fn a_file_that_is_no_database_and_one_of_a_later_psi_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("psi.db");
        psi_store::write_atomic(&path, &[b'x'; 4096]).unwrap();
        let error = Db::open(&path, Clock::fixed(Timestamp(0))).unwrap_err();
        assert!(error.to_string().contains("psi.db"), "{error}");
        assert!(error.hint().is_some_and(|h| h.contains("move the file")), "{error:?}");

        let db = open(&dir);
        db.write(|t| Ok(t.execute("INSERT INTO migration VALUES ('9999 future', 0)", [])?))
            .unwrap();
        let error = Db::open(db.path(), Clock::fixed(Timestamp(0))).unwrap_err();
        assert!(error.to_string().contains("9999 future"), "{error}");
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(&dir);
        let insert = "INSERT INTO setting (name, value) VALUES ('a', '1')";
        let failed: Result<()> = db.write(|t| {
            t.execute(insert, [])?;
            Err(AgentError::invalid("x", "y"))
        });
        assert!(failed.is_err());
        let n: i64 = db
            .read(|c| Ok(c.query_row("SELECT count(*) FROM setting", [], |r| r.get(0))?))
            .unwrap();
        assert_eq!(n, 0);
    }
}
