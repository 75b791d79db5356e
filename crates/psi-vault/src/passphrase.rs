//! The passphrase, and what it costs to try one (Argon2id, RFC 9106).

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use crate::{
    error::{Result, VaultError},
    seal::Key,
};

/// Shortest passphrase accepted, in characters.
const MIN_CHARS: usize = 8;
/// Longest, in bytes.
const MAX_BYTES: usize = 1024;

/// What its owner types. Overwritten in memory when it is dropped; never printed.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// A passphrase as it was typed, without the end of its line.
    pub fn new(text: impl Into<String>) -> Self {
        let text = Zeroizing::new(text.into());
        Self(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// Whether it may protect something.
    ///
    /// # Errors
    /// When it is too short or too long.
    pub fn check(&self) -> Result<()> {
        if self.0.chars().count() >= MIN_CHARS && self.0.len() <= MAX_BYTES {
            return Ok(());
        }
        let why = format!("needs {MIN_CHARS} characters or more, and at most {MAX_BYTES} bytes");
        Err(VaultError::Unfit { why })
    }

    /// Takes as long as trying it on a file, for whoever should not learn that there is no file.
    ///
    /// # Errors
    /// When there is not the memory for it.
    pub fn try_in_vain(&self, cost: Cost) -> Result<()> {
        self.stretch(&[0; 32], cost).map(drop)
    }

    /// Whether they are the same.
    pub fn is(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }

    /// The key that it makes with a salt.
    pub(crate) fn stretch(&self, salt: &[u8], cost: Cost) -> Result<Key> {
        let unfit = |e: argon2::Error| VaultError::Unfit { why: e.to_string() };
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32));
        let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.map_err(unfit)?);
        let mut key = Zeroizing::new([0; 32]);
        hash.hash_password_into(self.0.as_bytes(), salt, key.as_mut_slice()).map_err(unfit)?;
        Ok(Key::from_bytes(&key))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase")
    }
}

/// What one try of a passphrase costs. Kept with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub(crate) memory_kib: u32,
    pub(crate) passes: u32,
    pub(crate) lanes: u32,
}

impl Cost {
    /// RFC 9106, section 4, second recommendation: 64 MiB, three passes, four lanes.
    pub const USUAL: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 };
    /// The least that Argon2 takes: for tests.
    pub const LEAST: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };

    /// Whether a file may ask for it: more would be an attack on this machine's memory.
    pub(crate) fn is_bearable(self) -> bool {
        self.memory_kib <= 1 << 20 && self.passes <= 64 && self.lanes <= 64
    }
}
