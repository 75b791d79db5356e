//! The first block of an encrypted file: the data key, wrapped by the passphrase, in one of two slots.
//!
//! Each slot lies in a disk sector of its own and says by a digest that it is whole. Another passphrase goes to the slot
//! that is not in use, with a higher number; only then the other one is overwritten. So a kill or a power cut
//! leaves the old passphrase or the new one, never none.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::{
    error::{Result, VaultError},
    passphrase::{Cost, Passphrase},
    seal::{self, Key, OVERHEAD},
};

/// How an encrypted file begins. The digit is the version of everything that follows.
pub(crate) const MAGIC: &[u8; 16] = b"psi vault 1\n\0\0\0\0";
/// Bytes before the first unit.
pub(crate) const HEADER_BYTES: usize = 4096;
/// Bytes of a slot: what every disk writes at once.
pub(crate) const SLOT_BYTES: usize = 512;

const SALT: std::ops::Range<usize> = 20..52;
const WRAPPED: std::ops::Range<usize> = 52..52 + 32 + OVERHEAD;
const DIGEST_AT: usize = SLOT_BYTES - 32;

/// One of the two places of the wrapped key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    First,
    Second,
}

impl Place {
    pub(crate) fn offset(self) -> usize {
        match self {
            Self::First => SLOT_BYTES,
            Self::Second => 2 * SLOT_BYTES,
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// A header that was read.
#[derive(Debug)]
pub(crate) struct Header {
    place: Place,
    slot: Slot,
    /// The other place holds a passphrase that is no longer in use.
    is_stale: bool,
}

#[derive(Debug)]
struct Slot {
    number: u64,
    cost: Cost,
    salt: [u8; 32],
    wrapped: Vec<u8>,
}

impl Header {
    /// The header of a new file.
    pub(crate) fn create(key: &Key, passphrase: &Passphrase, cost: Cost) -> Result<Vec<u8>> {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        let at = Place::First.offset();
        bytes[at..at + SLOT_BYTES].copy_from_slice(&wrap(1, key, passphrase, cost)?);
        Ok(bytes)
    }

    /// The slot that counts: of those that are whole, the one of the highest number.
    pub(crate) fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        if !bytes.starts_with(MAGIC) {
            return Err(VaultError::not_encrypted(path));
        }
        let read = |place: Place| Slot::parse(&bytes[place.offset()..place.offset() + SLOT_BYTES]);
        let (place, slot, is_stale) = match (read(Place::First), read(Place::Second)) {
            (None, None) => {
                let why = "its header is damaged: the wrapped key is lost";
                return Err(VaultError::malformed(path, why));
            }
            (Some(a), Some(b)) if a.number < b.number => (Place::Second, b, true),
            (Some(a), other) => (Place::First, a, other.is_some()),
            (None, Some(b)) => (Place::Second, b, false),
        };
        if !slot.cost.is_bearable() {
            let why = "its passphrase asks for more memory or time than any psi would";
            return Err(VaultError::malformed(path, why));
        }
        Ok(Self { place, slot, is_stale })
    }

    /// The data key, and the offset of a slot that is to be overwritten.
    pub(crate) fn unwrap(
        &self,
        path: &Path,
        passphrase: &Passphrase,
    ) -> Result<(Key, Option<usize>)> {
        let wrapping = passphrase.stretch(&self.slot.salt, self.slot.cost)?;
        let key = wrapping.open(MAGIC, &self.slot.wrapped).map(zeroize::Zeroizing::new);
        let key = key.and_then(|k| k.as_slice().try_into().ok().map(|k| Key::from_bytes(&k)));
        let key = key.ok_or_else(|| VaultError::WrongPassphrase { path: path.to_owned() })?;
        Ok((key, self.is_stale.then(|| self.place.other().offset())))
    }

    /// The slot that makes another passphrase count, and its place.
    pub(crate) fn next_slot(
        &self,
        key: &Key,
        new: &Passphrase,
        cost: Cost,
    ) -> Result<(Place, Vec<u8>)> {
        Ok((self.place.other(), wrap(self.slot.number + 1, key, new, cost)?))
    }
}

fn wrap(number: u64, key: &Key, passphrase: &Passphrase, cost: Cost) -> Result<Vec<u8>> {
    passphrase.check()?;
    let mut slot = vec![0; SLOT_BYTES];
    slot[..8].copy_from_slice(&number.to_le_bytes());
    for (i, field) in [cost.memory_kib, cost.passes, cost.lanes].into_iter().enumerate() {
        slot[8 + 4 * i..12 + 4 * i].copy_from_slice(&field.to_le_bytes());
    }
    seal::random(&mut slot[SALT])?;
    let wrapping = passphrase.stretch(&slot[SALT], cost)?;
    let wrapped = wrapping.seal(MAGIC, key.bytes())?;
    slot[WRAPPED].copy_from_slice(&wrapped);
    let digest = Sha256::digest(&slot[..DIGEST_AT]);
    slot[DIGEST_AT..].copy_from_slice(&digest);
    Ok(slot)
}

impl Slot {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (body, digest) = bytes.split_at(DIGEST_AT);
        if Sha256::digest(body)[..] != *digest {
            return None;
        }
        let field = |i: usize| Some(u32::from_le_bytes(body[i..i + 4].try_into().ok()?));
        Some(Self {
            number: u64::from_le_bytes(body[..8].try_into().ok()?),
            cost: Cost { memory_kib: field(8)?, passes: field(12)?, lanes: field(16)? },
            salt: body[SALT].try_into().ok()?,
            wrapped: body[WRAPPED].to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(text: &str) -> Passphrase {
        Passphrase::new(text)
    }

    fn opens(bytes: &[u8], key: &Key, with: &str) -> bool {
        let path = Path::new("x.db");
        let header = Header::parse(bytes, path).unwrap();
        match header.unwrap(path, &pass(with)) {
            Ok((found, _)) => found.bytes() == key.bytes(),
            Err(VaultError::WrongPassphrase { .. }) => false,
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn another_passphrase_counts_from_the_moment_its_slot_is_whole() {
        let key = Key::random().unwrap();
        let mut bytes = Header::create(&key, &pass("the first one"), Cost::LEAST).unwrap();
        assert!(opens(&bytes, &key, "the first one") && !opens(&bytes, &key, "the first One"));
        for round in 0..4 {
            let (old, new) = (format!("passphrase {round}"), format!("passphrase {}", round + 1));
            let old = if round == 0 { "the first one".to_owned() } else { old };
            let header = Header::parse(&bytes, Path::new("x.db")).unwrap();
            let (place, slot) = header.next_slot(&key, &pass(&new), Cost::LEAST).unwrap();
            let at = place.offset();
            for n in [0, 1, 100, SLOT_BYTES - 1] {
                let mut torn = bytes.clone();
                torn[at..at + n].copy_from_slice(&slot[..n]);
                assert!(opens(&torn, &key, &old) && !opens(&torn, &key, &new), "{n} bytes");
            }
            bytes[at..at + SLOT_BYTES].copy_from_slice(&slot);
            assert!(opens(&bytes, &key, &new) && !opens(&bytes, &key, &old));
            let header = Header::parse(&bytes, Path::new("x.db")).unwrap();
            let (_, stale) = header.unwrap(Path::new("x.db"), &pass(&new)).unwrap();
            let stale = stale.expect("the old slot");
            bytes[stale..stale + SLOT_BYTES].fill(0);
            assert!(opens(&bytes, &key, &new));
        }
    }

    #[test]
    fn damaged_headers_short_passphrases_and_greedy_costs_are_refused() {
        let key = Key::random().unwrap();
        let whole = Header::create(&key, &pass("long enough"), Cost::LEAST).unwrap();
        let path = Path::new("x.db");
        for i in 0..SLOT_BYTES {
            let mut bytes = whole.clone();
            bytes[SLOT_BYTES + i] ^= 0x10;
            let error = Header::parse(&bytes, path).unwrap_err();
            assert!(error.to_string().contains("damaged"), "byte {i}: {error}");
        }
        let error = Header::create(&key, &pass("short"), Cost::LEAST).unwrap_err();
        assert!(error.to_string().contains("8 characters"), "{error}");
        let greedy = Cost { memory_kib: 1 << 30, ..Cost::LEAST };
        let mut bytes = whole;
        bytes[SLOT_BYTES + 8..SLOT_BYTES + 12].copy_from_slice(&greedy.memory_kib.to_le_bytes());
        let digest = Sha256::digest(&bytes[SLOT_BYTES..SLOT_BYTES + DIGEST_AT]);
        bytes[SLOT_BYTES + DIGEST_AT..2 * SLOT_BYTES].copy_from_slice(&digest);
        let error = Header::parse(&bytes, path).unwrap_err();
        assert!(error.to_string().contains("memory"), "{error}");
    }
}
