//! SHA-256 content hashes: the names of artefacts and the check on downloads.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::error::{Result, StoreError};

/// The SHA-256 of some bytes (FIPS 180-4). Prints as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Hash of `bytes`.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Hash of a file's content, read in pieces of 1 MiB.
    pub fn of_file(path: &Path) -> Result<Self> {
        let fail = |e| StoreError::io(path, "hashing", e);
        let mut file = File::open(path).map_err(fail)?;
        let mut hasher = Hasher::new();
        let mut buf = vec![0u8; 1 << 20];
        loop {
            match file.read(&mut buf) {
                Ok(0) => return Ok(hasher.finish()),
                Ok(n) => hasher.update(&buf[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(fail(e)),
            }
        }
    }

    /// Hash of a model or an adapter: of a folder, the names and hashes of the files directly in it, in
    /// order of their names, hidden ones left out; of a GGUF file that is split, of all its files; else
    /// of the file.
    pub fn of_artefact(path: &Path) -> Result<Self> {
        let files = if path.is_dir() { files_of(path)? } else { crate::gguf::all_shards(path) };
        if let [file] = files.as_slice()
            && !path.is_dir()
        {
            return Self::of_file(file);
        }
        let mut hasher = Hasher::new();
        for file in files {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            hasher.update(format!("{}  {name}\n", Self::of_file(&file)?).as_bytes());
        }
        Ok(hasher.finish())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 12 digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

/// The files directly in a folder, by name.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let fail = |e| StoreError::io(folder, "listing", e);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        if path.is_file() && !hidden {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

impl Serialize for ContentHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

/// The text was not a SHA-256 in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAHash;

impl fmt::Display for NotAHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 64 hexadecimal digits, optionally after 'sha256:'")
    }
}

impl std::error::Error for NotAHash {}

impl FromStr for ContentHash {
    type Err = NotAHash;

    /// Reads 64 hexadecimal digits, with or without `sha256:` before them.
    fn from_str(s: &str) -> std::result::Result<Self, NotAHash> {
        let digits = s.strip_prefix("sha256:").unwrap_or(s).as_bytes();
        let (pairs, rest) = digits.as_chunks::<2>();
        let mut out = [0u8; 32];
        if pairs.len() != out.len() || !rest.is_empty() {
            return Err(NotAHash);
        }
        let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
        for (byte, &[hi, lo]) in out.iter_mut().zip(pairs) {
            *byte = digit(hi).ok_or(NotAHash)? << 4 | digit(lo).ok_or(NotAHash)?;
        }
        Ok(Self(out))
    }
}

/// Hashes what is fed to it, piece by piece; also a [`Write`].
#[derive(Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// A hasher that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Feeds `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        Digest::update(&mut self.0, bytes);
    }

    /// The hash of everything fed.
    pub fn finish(self) -> ContentHash {
        ContentHash(self.0.finalize().into())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

impl Write for Hasher {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.update(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4 example, one block.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn bytes_files_and_pieces_hash_alike() {
        assert_eq!(ContentHash::of_bytes(b"abc").to_string(), ABC);
        let mut h = Hasher::new();
        h.write_all(b"a").unwrap();
        h.update(b"bc");
        assert_eq!(h.finish().to_string(), ABC);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        crate::write_atomic(&path, b"abc").unwrap();
        assert_eq!(ContentHash::of_file(&path).unwrap().to_string(), ABC);
        assert!(ContentHash::of_file(dir.path()).is_err());
    }

    #[test]
    fn an_artefact_is_its_files_wherever_they_lie() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            crate::write_atomic(&path, text.as_bytes()).unwrap();
            path
        };
        for folder in ["a", "b"] {
            write(&format!("{folder}/config.json"), "{}");
            write(&format!("{folder}/model.safetensors"), "weights");
        }
        let hash = |name: &str| ContentHash::of_artefact(&dir.path().join(name)).unwrap();
        assert_eq!(hash("a"), hash("b"));
        write("b/.psi-1.tmp", "left over");
        assert_eq!(hash("a"), hash("b"));
        write("b/model.safetensors", "Weights");
        assert_ne!(hash("a"), hash("b"));
        let file = write("m.gguf", "abc");
        assert_eq!(hash("m.gguf"), ContentHash::of_file(&file).unwrap());
        let (first, second) = (write("s-00001-of-00002.gguf", "a"), "s-00002-of-00002.gguf");
        write(second, "b");
        let both = ContentHash::of_artefact(&first).unwrap();
        write(second, "c");
        assert_ne!(both, ContentHash::of_artefact(&first).unwrap());
        assert!(ContentHash::of_artefact(&dir.path().join("none")).is_err());
    }

    #[test]
    fn only_whole_hashes_parse() {
        let want = ContentHash::of_bytes(b"abc");
        assert_eq!(ABC.parse(), Ok(want));
        assert_eq!(format!("sha256:{ABC}").parse(), Ok(want));
        assert_eq!(ABC.to_uppercase().parse(), Ok(want));
        for bad in ["", "sha256:", &ABC[1..], &format!("{ABC}0"), &ABC.replace('b', "g"), "sha1:00"]
        {
            assert_eq!(bad.parse::<ContentHash>(), Err(NotAHash), "{bad:?}");
        }
    }
}
