//! SQLite itself over the sealed files: what is written is read, from several connections, after a copy at any
//! moment, and nothing of it is in any file.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use psi_vault::{Cost, Passphrase, Vault, VaultError, decrypt_file, encrypt_file};
use rusqlite::{Connection, OpenFlags};

const WORDS: [&str; 3] = ["porcupine", "Quetzalcoatl", "zinnwaldite"];

fn pass(text: &str) -> Passphrase {
    Passphrase::new(text)
}

/// An encrypted database without tables.
fn create(dir: &Path) -> PathBuf {
    let (plain, path) = (dir.join("plain.db"), dir.join("psi.db"));
    let connection = Connection::open(&plain).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.close().unwrap();
    encrypt_file(&plain, &path, &pass("open sesame"), Cost::LEAST).unwrap();
    fs::remove_file(plain).unwrap();
    path
}

fn connect(vault: &Vault) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs(vault.path(), flags, vault.vfs()).unwrap();
    connection
        .execute_batch(
            "PRAGMA temp_store=MEMORY; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;",
        )
        .unwrap();
    connection
}

fn fill(connection: &Connection, from: i64, n: i64) {
    let text = |i: i64| format!("{} number {i} {}", WORDS[i as usize % 3], "x".repeat(i as usize));
    let transaction = connection.unchecked_transaction().unwrap();
    for i in from..from + n {
        transaction.execute("INSERT INTO said VALUES (?1, ?2)", (i, text(i % 900))).unwrap();
        let sql = "INSERT INTO words (rowid, text) VALUES (?1, ?2)";
        transaction.execute(sql, (i, text(i % 900))).unwrap();
    }
    transaction.commit().unwrap();
}

fn tables(connection: &Connection) {
    let sql = "CREATE TABLE said (id INTEGER PRIMARY KEY, text TEXT);
               CREATE VIRTUAL TABLE words USING fts5(text);";
    connection.execute_batch(sql).unwrap();
}

fn count(connection: &Connection) -> i64 {
    let sql = "SELECT count(*) FROM words WHERE words MATCH 'porcupine OR zinnwaldite'";
    let found: i64 = connection.query_row(sql, [], |r| r.get(0)).unwrap();
    let all: i64 = connection.query_row("SELECT count(*) FROM said", [], |r| r.get(0)).unwrap();
    assert_eq!(found, all * 2 / 3);
    all
}

/// With a connection of its own: the check of a full-text index trusts what a connection has kept of it.
fn assert_is_sound(connection: &Connection) {
    let check: String = connection.query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
    assert_eq!(check, "ok");
}

/// No file of the folder holds any of the words, nor what every plain database begins with.
fn assert_nothing_is_plain(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        for word in WORDS.iter().chain(&["SQLite format", "CREATE TABLE"]) {
            let is_there =
                bytes.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word.as_bytes()));
            assert!(!is_there, "{word} in {}", path.display());
        }
    }
}

#[test]
fn sqlite_reads_what_it_wrote_and_no_file_holds_a_word_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault::unlock(&create(dir.path()), &pass("open sesame")).unwrap();
    let (writer, reader) = (connect(&vault), connect(&vault));
    tables(&writer);
    for round in 0..6 {
        fill(&writer, round * 300, 300);
        assert_eq!(count(&reader), (round + 1) * 300);
        assert_is_sound(&connect(&vault));
        assert_nothing_is_plain(dir.path());
        if round % 2 == 1 {
            writer.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
            assert_nothing_is_plain(dir.path());
        }
    }
    writer.execute_batch("DELETE FROM said; DELETE FROM words; VACUUM").unwrap();
    assert_eq!(count(&reader), 0);
    drop((writer, reader));
    assert_nothing_is_plain(dir.path());
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["psi.db"], "the log is gone with the last connection");
}

#[test]
fn a_copy_at_any_moment_is_what_was_committed() {
    let dir = tempfile::tempdir().unwrap();
    let path = create(dir.path());
    let vault = Vault::unlock(&path, &pass("open sesame")).unwrap();
    let writer = connect(&vault);
    tables(&writer);
    for round in 0..8 {
        fill(&writer, round * 60, 60);
        // What a power cut leaves: the files as they are, the log without its end, torn, or the last page of the
        // database file half written.
        let whole = fs::read(dir.path().join("psi.db-wal")).unwrap();
        for cut in [0, 1, 41, 4000, 4136, 4150] {
            let copy = tempfile::tempdir().unwrap();
            let db = copy.path().join("psi.db");
            fs::copy(&path, &db).unwrap();
            let mut log = whole.clone();
            log.truncate(whole.len() - cut);
            write(&copy.path().join("psi.db-wal"), &log);
            let vault = Vault::unlock(&db, &pass("open sesame")).unwrap();
            assert_is_sound(&connect(&vault));
            let n = count(&connect(&vault));
            assert_eq!(n, if cut == 0 { (round + 1) * 60 } else { round * 60 }, "cut {cut}");
        }
        let copy = tempfile::tempdir().unwrap();
        let db = copy.path().join("psi.db");
        fs::copy(&path, &db).unwrap();
        write(&copy.path().join("psi.db-wal"), &whole);
        let mut torn = fs::read(&db).unwrap();
        // A checkpoint that died: the log still holds the pages that it was writing.
        torn[4096 + 2000..4096 + 4136].fill(0x55);
        write(&db, &torn);
        let vault = Vault::unlock(&db, &pass("open sesame")).unwrap();
        assert_eq!(count(&connect(&vault)), (round + 1) * 60, "first page torn");
    }
}

#[test]
fn a_wrong_passphrase_a_changed_page_and_a_plain_file_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = create(dir.path());
    let vault = Vault::unlock(&path, &pass("open sesame")).unwrap();
    let writer = connect(&vault);
    tables(&writer);
    fill(&writer, 0, 300);
    drop(writer);
    assert!(Vault::is_encrypted(&path).unwrap());
    let wrong = Vault::unlock(&path, &pass("Open sesame")).unwrap_err();
    assert!(matches!(wrong, VaultError::WrongPassphrase { .. }), "{wrong}");
    vault.change_passphrase(&pass("another sesame"), Cost::LEAST).unwrap();
    assert!(Vault::unlock(&path, &pass("open sesame")).is_err());
    let vault = Vault::unlock(&path, &pass("another sesame\n")).unwrap();
    assert_eq!(count(&connect(&vault)), 300);

    let back = dir.path().join("back.db");
    decrypt_file(&vault, &back).unwrap();
    assert_eq!(count(&Connection::open(&back).unwrap()), 300);
    assert!(!Vault::is_encrypted(&back).unwrap());
    let plain = Vault::unlock(&back, &pass("another sesame")).unwrap_err();
    assert!(plain.to_string().contains("not encrypted"), "{plain}");

    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    write(&path, &bytes);
    let vault = Vault::unlock(&path, &pass("another sesame")).unwrap();
    let check: rusqlite::Result<Vec<String>> = connect(&vault)
        .prepare("PRAGMA integrity_check")
        .and_then(|mut s| s.query_map([], |r| r.get(0))?.collect());
    assert!(check.is_err() || check.is_ok_and(|said| said != ["ok"]));
    assert!(decrypt_file(&vault, &back).is_err());
}

#[expect(clippy::disallowed_methods, reason = "a test's own file")]
fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}
