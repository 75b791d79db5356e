//! Encryption at rest: a SQLite file and its write-ahead log, and single files, under one passphrase.
//!
//! SQLite reads and writes through a virtual file system ([`Vault::vfs`]) that seals every unit (a page, a
//! header) with XChaCha20-Poly1305 under a random 192-bit nonce. The key is random; the first block of the file holds
//! it wrapped by Argon2id of the passphrase, so that one rename encrypts a home and another passphrase
//! rewrites half a kilobyte.

mod convert;
mod error;
mod header;
mod layout;
mod passphrase;
mod seal;
mod storage;
mod vfs;

use std::{
    fmt, fs,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

pub use convert::{decrypt_file, encrypt_file, shred};
pub use error::{Result, VaultError};
pub use passphrase::{Cost, Passphrase};

use header::Header;
use seal::Key;

/// An unlocked file. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    path: PathBuf,
    key: Key,
    vfs: String,
}

impl Vault {
    /// Whether a file is encrypted. One that is not there is not.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn is_encrypted(path: &Path) -> Result<bool> {
        let mut start = Vec::new();
        match fs::File::open(path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(VaultError::io(path, "opening", e)),
            Ok(file) => file
                .take(header::MAGIC.len() as u64)
                .read_to_end(&mut start)
                .map_err(|e| VaultError::io(path, "reading", e))?,
        };
        Ok(start == header::MAGIC)
    }

    /// Unlocks an encrypted file.
    ///
    /// # Errors
    /// When the passphrase is wrong, or the file is not an encrypted one.
    pub fn unlock(path: &Path, passphrase: &Passphrase) -> Result<Self> {
        let mut file = open_header(path)?;
        let (key, stale) = read_header(&mut file, path)?.unwrap(path, passphrase)?;
        if let Some(stale) = stale {
            // A change of the passphrase died before its end: the old one opens nothing any more.
            write_at(&mut file, path, stale, &[0; header::SLOT_BYTES])?;
        }
        Self::with_key(path, key)
    }

    fn with_key(path: &Path, key: Key) -> Result<Self> {
        let vfs = vfs::register(&key)?;
        Ok(Self(Arc::new(Inner { path: path.to_owned(), key, vfs })))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The name of the virtual file system that SQLite opens the file with.
    pub fn vfs(&self) -> &str {
        &self.0.vfs
    }

    /// Wraps the key with another passphrase. Killed at any moment, the file opens with the old one or with the
    /// new one; when this returns, with the new one only.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn change_passphrase(&self, new: &Passphrase, cost: Cost) -> Result<()> {
        let path = self.path();
        let mut file = open_header(path)?;
        let header = read_header(&mut file, path)?;
        let (next, slot) = header.next_slot(&self.0.key, new, cost)?;
        write_at(&mut file, path, next.offset(), &slot)?;
        write_at(&mut file, path, next.other().offset(), &[0; header::SLOT_BYTES])
    }

    /// Bytes that only this vault's key reads; `name` says what they are, and must be the same to open them.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn seal(&self, name: &str, plain: &[u8]) -> Result<Vec<u8>> {
        self.0.key.seal(name.as_bytes(), plain)
    }

    /// What [`seal`](Self::seal) was given.
    ///
    /// # Errors
    /// When they were sealed by another key, for another name, or were changed.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let forged = || VaultError::Forged { path: PathBuf::from(name) };
        self.0.key.open(name.as_bytes(), sealed).ok_or_else(forged)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("path", &self.0.path).finish_non_exhaustive()
    }
}

fn open_header(path: &Path) -> Result<fs::File> {
    let file = fs::OpenOptions::new().read(true).write(true).open(path);
    file.map_err(|e| VaultError::io(path, "opening", e))
}

fn read_header(file: &mut fs::File, path: &Path) -> Result<Header> {
    let mut bytes = vec![0; header::HEADER_BYTES];
    file.read_exact(&mut bytes).map_err(|e| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => VaultError::not_encrypted(path),
        _ => VaultError::io(path, "reading", e),
    })?;
    Header::parse(&bytes, path)
}

/// Writes one slot, and is on the disk when it returns.
fn write_at(file: &mut fs::File, path: &Path, offset: usize, bytes: &[u8]) -> Result<()> {
    let write = |file: &mut fs::File| {
        file.seek(SeekFrom::Start(offset as u64))?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write(file).map_err(|e| VaultError::io(path, "writing its header", e))
}
