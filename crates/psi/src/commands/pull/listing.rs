//! What a repository holds, as the Hub lists it: names that may become paths, sizes and checksums.

use std::{fmt, str::FromStr};

use psi_store::{ContentHash, Hasher};
use serde_json::Value;
use sha1::{Digest, Sha1};

use crate::error::{Failure, Outcome};

/// A repository at one commit.
#[derive(Debug)]
pub(super) struct Listing {
    /// The commit, 40 hexadecimal digits: every file is asked for at this commit, so that none can change
    /// between the listing and the last byte.
    pub(super) commit: String,
    pub(super) files: Vec<RemoteFile>,
}

/// A file as the Hub describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RemoteFile {
    /// Path in the repository; see [`is_usable`].
    pub(super) path: String,
    /// Bytes; `None` if the server does not say so in its listing.
    pub(super) size: Option<u64>,
    pub(super) checksum: Option<Checksum>,
}

impl Listing {
    /// Reads the answer of `api/models/ORG/NAME/revision/REV?blobs=true`.
    ///
    /// # Errors
    /// When it has another form, or lists a name that would leave the model's folder.
    pub(super) fn parse(text: &str) -> Outcome<Self> {
        let odd = |what: &str| {
            Failure::failed(format!("the server's list of files {what}"))
                .hint("is --endpoint the address of a Hugging Face Hub?")
        };
        let json: Value = serde_json::from_str(text).map_err(|e| odd("is not JSON").because(e))?;
        let commit = json["sha"].as_str().ok_or_else(|| odd("names no commit"))?;
        if commit.len() != 40 || !commit.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(odd("names a commit that is none"));
        }
        let siblings = json["siblings"].as_array().ok_or_else(|| odd("names no files"))?;
        let mut files = Vec::with_capacity(siblings.len());
        for entry in siblings {
            let path = entry["rfilename"].as_str().ok_or_else(|| odd("has a file without name"))?;
            if leaves_folder(path) {
                return Err(Failure::failed(format!(
                    "the repository lists a file called {path:?}, which would lie outside the model's folder"
                ))
                .hint("do not trust this repository"));
            }
            let size = entry["lfs"]["size"].as_u64().or(entry["size"].as_u64());
            let sha256 = entry["lfs"]["sha256"].as_str();
            let checksum = match sha256 {
                Some(hex) => Some(
                    hex.parse()
                        .map(Checksum::Sha256)
                        .map_err(|_| odd("has a checksum that is no SHA-256"))?,
                ),
                None => entry["blobId"].as_str().and_then(|hex| hex.parse().ok()),
            };
            files.push(RemoteFile { path: path.to_owned(), size, checksum });
        }
        Ok(Self { commit: commit.to_owned(), files })
    }
}

/// Whether a path, taken literally on some system, would lie outside the folder it is joined to.
fn leaves_folder(path: &str) -> bool {
    let component = |c: &str| c == ".." || c.contains(['\\', ':', '\0']);
    path.is_empty() || path.starts_with(['/', '\\']) || path.split('/').any(component)
}

/// Whether psi stores files of this name: letters, digits, `.`, `_`, `-`, and `/` between parts that do
/// not begin with a dot (those are psi's own temporary files).
pub(super) fn is_usable(path: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let part = |p: &str| {
        !p.is_empty()
            && p.len() <= 200
            && p.bytes().all(letter)
            && !p.starts_with('.')
            && !p.ends_with('.')
    };
    path.len() <= 1000 && path.split('/').all(part)
}

/// What the bytes of a file must hash to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checksum {
    /// Files kept by Git LFS.
    Sha256(ContentHash),
    /// Files kept in git itself: SHA-1 of `blob SIZE\0` and the bytes.
    GitBlob([u8; 20]),
}

impl FromStr for Checksum {
    type Err = ();

    /// An entity tag or blob id: 64 hexadecimal digits are a SHA-256, 40 a git blob.
    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim().trim_start_matches("W/").trim_matches('"');
        if let Ok(hash) = text.parse() {
            return Ok(Self::Sha256(hash));
        }
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let mut out = [0; 20];
        if pairs.len() != out.len() || !rest.is_empty() {
            return Err(());
        }
        for (byte, pair) in out.iter_mut().zip(pairs) {
            let digits = std::str::from_utf8(pair).map_err(|_| ())?;
            if !pair.iter().all(u8::is_ascii_hexdigit) {
                return Err(());
            }
            *byte = u8::from_str_radix(digits, 16).map_err(|_| ())?;
        }
        Ok(Self::GitBlob(out))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(hash) => write!(f, "sha256:{hash}"),
            Self::GitBlob(hash) => {
                f.write_str("git:")?;
                hash.iter().try_for_each(|b| write!(f, "{b:02x}"))
            }
        }
    }
}

/// Computes the checksum of the kind that a file is checked by, as its bytes come in.
#[derive(Debug)]
pub(super) enum Digester {
    Sha256(Hasher),
    GitBlob(Sha1),
    /// There is nothing to compare with.
    None,
}

impl Digester {
    /// For a file of `size` bytes that must have this checksum.
    pub(super) fn new(checksum: Option<Checksum>, size: u64) -> Self {
        match checksum {
            Some(Checksum::Sha256(_)) => Self::Sha256(Hasher::new()),
            Some(Checksum::GitBlob(_)) => {
                let mut sha1 = Sha1::new();
                sha1.update(format!("blob {size}\0"));
                Self::GitBlob(sha1)
            }
            None => Self::None,
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::GitBlob(sha1) => sha1.update(bytes),
            Self::None => {}
        }
    }

    pub(super) fn finish(self) -> Option<Checksum> {
        match self {
            Self::Sha256(hasher) => Some(Checksum::Sha256(hasher.finish())),
            Self::GitBlob(sha1) => Some(Checksum::GitBlob(sha1.finalize().into())),
            Self::None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_gives_sizes_and_checksums() {
        let sha = "a".repeat(40);
        let text = serde_json::json!({"sha": sha, "siblings": [
            {"rfilename": "config.json", "size": 6, "blobId": "ce013625030ba8dba906f756967f9e9ca394464a"},
            {"rfilename": "m.safetensors", "size": 10, "blobId": sha,
             "lfs": {"sha256": "b".repeat(64), "size": 10, "pointerSize": 130}},
            {"rfilename": "bare"},
        ]});
        let listing = Listing::parse(&text.to_string()).unwrap();
        assert_eq!(listing.commit, sha);
        let mut blob = Digester::new(listing.files[0].checksum, 6);
        blob.update(b"hello\n");
        assert_eq!(blob.finish(), listing.files[0].checksum, "git hash-object of 'hello\\n'");
        assert!(matches!(listing.files[1].checksum, Some(Checksum::Sha256(_))));
        assert_eq!((listing.files[2].size, listing.files[2].checksum), (None, None));
    }

    #[test]
    fn answers_of_another_form_are_refused() {
        let sha = "a".repeat(40);
        for (text, want) in [
            ("<html>".to_owned(), "not JSON"),
            ("[]".to_owned(), "no commit"),
            (r#"{"sha": "../../x"}"#.to_owned(), "is none"),
            (format!(r#"{{"sha": "{sha}"}}"#), "no files"),
            (format!(r#"{{"sha": "{sha}", "siblings": [{{}}]}}"#), "without name"),
            (
                format!(
                    r#"{{"sha": "{sha}", "siblings": [{{"rfilename": "a", "lfs": {{"sha256": "12"}}}}]}}"#
                ),
                "no SHA-256",
            ),
        ] {
            let failure = Listing::parse(&text).unwrap_err().to_string();
            assert!(failure.contains(want), "{text}: {failure}");
        }
    }

    #[test]
    fn names_that_leave_the_folder_are_refused_and_odd_ones_unusable() {
        for bad in ["../x", "a/../../x", "/etc/x", "..", "\\x", "a\\..\\x", "C:x", "a\0b", ""] {
            let text = serde_json::json!({"sha": "a".repeat(40), "siblings": [{"rfilename": bad}]});
            let failure = Listing::parse(&text.to_string()).unwrap_err().to_string();
            assert!(failure.contains("outside the model's folder"), "{bad:?}: {failure}");
        }
        for odd in [".gitattributes", "a b", "é", "a//b", "a/", "a/.b", "x.", "a+b"] {
            assert!(!is_usable(odd), "{odd:?}");
        }
        for good in ["config.json", "a/b-c_d.safetensors", "model-00001-of-00002.safetensors"] {
            assert!(is_usable(good), "{good:?}");
        }
    }

    #[test]
    fn entity_tags_are_checksums_by_their_length() {
        let tag = |t: &str| t.parse::<Checksum>();
        assert!(matches!(tag(&format!("\"{}\"", "0".repeat(64))), Ok(Checksum::Sha256(_))));
        assert!(matches!(tag(&format!("W/\"{}\"", "0f".repeat(20))), Ok(Checksum::GitBlob(_))));
        for none in ["", "\"abc\"", &"g".repeat(40), &"+1".repeat(20), &"0".repeat(41)] {
            assert!(tag(none).is_err(), "{none:?}");
        }
    }
}
