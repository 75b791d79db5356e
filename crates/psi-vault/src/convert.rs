//! A whole database file to an encrypted one, and back. The new file lies beside the old one; its rename is the
//! caller's, and is the one moment at which anything changes.

use std::{
    fs,
    io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
};

use crate::{
    Vault,
    error::{Result, VaultError},
    header::{HEADER_BYTES, Header},
    layout::{Kind, PAGE_BYTES, Unit},
    passphrase::{Cost, Passphrase},
    seal::Key,
};

/// How every plain database begins (SQLite's file format, section 1.3).
const SQLITE: &[u8; 16] = b"SQLite format 3\0";

/// Writes `plain`, a SQLite file that nobody writes to and whose log is empty, encrypted to `out`, which is on the
/// disk when this returns.
///
/// # Errors
/// When a file cannot be read or written, `plain` is no SQLite file of psi's, or the passphrase is too short.
pub fn encrypt_file(plain: &Path, out: &Path, passphrase: &Passphrase, cost: Cost) -> Result<()> {
    passphrase.check()?;
    let mut from = open(plain)?;
    let mut page = vec![0; PAGE_BYTES];
    let key = Key::random()?;
    let mut to = create(out)?;
    let failed = |e| VaultError::io(out, "writing", e);
    to.write_all(&Header::create(&key, passphrase, cost)?).map_err(failed)?;
    let mut offset = 0;
    while read_unit(&mut from, &mut page, plain)? {
        if offset == 0 {
            check_first(&page, plain)?;
        }
        let unit = Unit::holding(Kind::Database, offset);
        to.write_all(&key.seal(&unit.about(), &page)?).map_err(failed)?;
        offset += page.len() as u64;
    }
    finish(to, out)
}

/// Writes an encrypted file that nobody writes to and whose log is empty, in plain to `out`.
///
/// # Errors
/// When a file cannot be read or written, or a page is damaged.
pub fn decrypt_file(vault: &Vault, out: &Path) -> Result<()> {
    let path = vault.path();
    let mut from = open(path)?;
    let start = SeekFrom::Start(HEADER_BYTES as u64);
    from.seek(start).map_err(|e| VaultError::io(path, "reading", e))?;
    let mut to = create(out)?;
    let mut offset = 0;
    let mut sealed = vec![0; Unit::holding(Kind::Database, 0).sealed_len()];
    while read_unit(&mut from, &mut sealed, path)? {
        let unit = Unit::holding(Kind::Database, offset);
        let page = vault.0.key.open_in_place(&unit.about(), &mut sealed);
        let page = page.ok_or_else(|| VaultError::Forged { path: path.to_owned() })?;
        to.write_all(page).map_err(|e| VaultError::io(out, "writing", e))?;
        offset += page.len() as u64;
    }
    finish(to, out)
}

/// Overwrites a file with zeros and removes it. A file that is not there is fine. Disks and file systems that
/// write elsewhere (flash, snapshots) may keep what it held: no program can help that.
///
/// # Errors
/// When it cannot be written or removed.
pub fn shred(path: &Path) -> Result<()> {
    let mut file = match fs::OpenOptions::new().write(true).open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(VaultError::io(path, "opening", e)),
        Ok(file) => file,
    };
    let overwrite = |file: &mut fs::File| {
        let n = file.metadata()?.len();
        std::io::copy(&mut std::io::repeat(0).take(n), file)?;
        file.sync_all()
    };
    overwrite(&mut file).map_err(|e| VaultError::io(path, "overwriting", e))?;
    drop(file);
    fs::remove_file(path).map_err(|e| VaultError::io(path, "removing", e))
}

fn open(path: &Path) -> Result<BufReader<fs::File>> {
    let file = fs::File::open(path).map_err(|e| VaultError::io(path, "opening", e))?;
    Ok(BufReader::with_capacity(1 << 20, file))
}

/// A new file that only its owner may read.
fn create(path: &Path) -> Result<BufWriter<fs::File>> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|e| VaultError::io(path, "creating", e))?;
    Ok(BufWriter::with_capacity(1 << 20, file))
}

fn finish(file: BufWriter<fs::File>, path: &Path) -> Result<()> {
    let file = file.into_inner().map_err(|e| VaultError::io(path, "writing", e.into_error()))?;
    file.sync_all().map_err(|e| VaultError::io(path, "writing", e))
}

/// Reads one more unit; `false` at the end of the file.
fn read_unit(file: &mut impl Read, unit: &mut [u8], path: &Path) -> Result<bool> {
    let mut n = 0;
    while n < unit.len() {
        match file.read(&mut unit[n..]) {
            Ok(0) if n == 0 => return Ok(false),
            Ok(0) => return Err(VaultError::malformed(path, "ends in the middle of a page")),
            Ok(more) => n += more,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(VaultError::io(path, "reading", e)),
        }
    }
    Ok(true)
}

/// Whether a page is the first one of a database that psi can encrypt.
fn check_first(page: &[u8], path: &Path) -> Result<()> {
    if !page.starts_with(SQLITE) {
        return Err(VaultError::malformed(path, "is not a plain SQLite file"));
    }
    let page_bytes = usize::from(u16::from_be_bytes([page[16], page[17]]));
    if page_bytes != PAGE_BYTES {
        let why = format!("has pages of {page_bytes} bytes; psi's have {PAGE_BYTES}");
        return Err(VaultError::malformed(path, why));
    }
    Ok(())
}
