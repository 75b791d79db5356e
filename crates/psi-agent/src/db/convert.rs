//! A home that is encrypted or decrypted: the database is written anew beside the old file, looked at, and takes its
//! name at one moment. Killed before that moment everything is as it was, after it as it should be; what a
//! conversion that died left lying is removed by the next opening.

use std::{
    fs,
    path::{Path, PathBuf},
};

use psi_vault::{Cost, Passphrase, Vault, decrypt_file, encrypt_file, shred};
use rusqlite::Connection;

use super::{Db, connect, open_private, with_suffix};
use crate::{
    error::{AgentError, Result},
    time::Clock,
};

/// Encrypts a database that no process has open; one that is not there is created.
///
/// # Errors
/// When it is open or encrypted already, or a file cannot be written; the database is then as it was.
pub fn encrypt(path: &Path, clock: Clock, passphrase: &Passphrase, cost: Cost) -> Result<()> {
    passphrase.check()?;
    // Tables up to date, and the file there.
    drop(Db::open(path, clock)?);
    let _alone = Alone::begin(path)?;
    empty_log(path, None)?;
    let new = new_of(path);
    encrypt_file(path, &new, passphrase, cost)?;
    look_at(&new, Some(&Vault::unlock(&new, passphrase)?))?;
    replace(path, &new)
}

/// Decrypts a database that no process has open.
///
/// # Errors
/// When it is open or not encrypted, the passphrase is wrong, or a file cannot be written; the database is then as
/// it was.
pub fn decrypt(path: &Path, passphrase: &Passphrase) -> Result<()> {
    let _alone = Alone::begin(path)?;
    let vault = Vault::unlock(path, passphrase)?;
    empty_log(path, Some(&vault))?;
    let new = new_of(path);
    decrypt_file(&vault, &new)?;
    look_at(&new, None)?;
    replace(path, &new)
}

/// Removes what a conversion that died left. Only for who has the lock alone.
pub(super) fn tidy_up(path: &Path) -> Result<()> {
    let (new, old) = (new_of(path), old_of(path));
    for suffix in ["", "-wal", "-shm"] {
        shred(&with_suffix(&new, suffix))?;
    }
    // Without a database the old file would be all that is left.
    let is_there = fs::metadata(path).is_ok_and(|found| found.len() > 0);
    if !old.exists() || !is_there {
        return Ok(());
    }
    // The old name of the one file, until the new file has taken its name.
    if Vault::is_encrypted(&old)? == Vault::is_encrypted(path)? {
        return fs::remove_file(&old).map_err(|source| failed(&old, "removing", source));
    }
    Ok(shred(&old)?)
}

/// The lock file, held alone: no process has the database open, and none opens it.
struct Alone(#[expect(dead_code, reason = "held for its lock")] fs::File);

impl Alone {
    fn begin(path: &Path) -> Result<Self> {
        let file = with_suffix(path, ".lock");
        let lock = open_private(&file).map_err(|source| failed(&file, "locking", source))?;
        if lock.try_lock().is_err() {
            return Err(AgentError::invalid(
                "psi.db",
                "another psi has it open: end that one first",
            ));
        }
        tidy_up(path)?;
        Ok(Self(lock))
    }
}

fn new_of(path: &Path) -> PathBuf {
    with_suffix(path, ".new")
}

fn old_of(path: &Path) -> PathBuf {
    with_suffix(path, ".old")
}

fn failed(path: &Path, doing: &'static str, source: std::io::Error) -> AgentError {
    AgentError::Io { path: path.to_owned(), doing, source }
}

/// Brings everything of the log into the file, and removes the log.
fn empty_log(path: &Path, vault: Option<&Vault>) -> Result<()> {
    let at = |e: rusqlite::Error| AgentError::from(e).at(path);
    let connection = connect(path, vault, false).map_err(at)?;
    let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
    let blocked: i64 = connection.query_row(sql, [], |row| row.get(0)).map_err(at)?;
    connection.close().map_err(|(_, e)| at(e))?;
    let log = with_suffix(path, "-wal");
    let is_empty = fs::metadata(&log).map_or(true, |m| m.len() == 0);
    if blocked != 0 || !is_empty {
        return Err(AgentError::invalid("psi.db-wal", "another program reads the database"));
    }
    for suffix in ["-wal", "-shm"] {
        shred(&with_suffix(path, suffix))?;
    }
    Ok(())
}

/// Whether every page of the new file is there and fits the others.
fn look_at(path: &Path, vault: Option<&Vault>) -> Result<()> {
    let look = |connection: &Connection| {
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
    };
    let at = |e: rusqlite::Error| AgentError::from(e).at(path);
    let connection = connect(path, vault, false).map_err(at)?;
    let said = look(&connection).map_err(at)?;
    connection.close().map_err(|(_, e)| at(e))?;
    match said.as_str() {
        "ok" => Ok(()),
        other => Err(AgentError::corrupt("new file", other)),
    }
}

/// Gives the new file the name of the old one, and overwrites the old one, which keeps a second name until then.
fn replace(path: &Path, new: &Path) -> Result<()> {
    let old = old_of(path);
    // Without a second name (a file system that has none) the old blocks are freed as they are.
    let is_kept = fs::hard_link(path, &old).is_ok();
    fs::rename(new, path).map_err(|source| failed(path, "renaming the new file", source))?;
    sync_folder(path);
    if is_kept {
        shred(&old)?;
    }
    Ok(())
}

/// Makes the new name last. Systems that cannot open a folder keep names by themselves.
fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent().and_then(|f| fs::File::open(f).ok()) {
        let _ = folder.sync_all();
    }
}
