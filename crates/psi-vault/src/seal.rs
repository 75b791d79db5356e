//! Sealed units: XChaCha20-Poly1305 (RFC 8439 with the extended nonce of draft-irtf-cfrg-xchacha), as
//! `nonce (24) | ciphertext | tag (16)`.
//!
//! Nonces are random: 192 bits do not collide, and no counter has to survive a crash or be shared between
//! processes.

use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305, XNonce, aead::AeadInOut};
use zeroize::Zeroizing;

use crate::error::{Result, VaultError};

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// How much longer sealed bytes are.
pub(crate) const OVERHEAD: usize = NONCE_BYTES + TAG_BYTES;

/// A secret key. Overwritten in memory when it is dropped.
#[derive(Clone)]
pub(crate) struct Key {
    cipher: XChaCha20Poly1305,
    bytes: Zeroizing<[u8; 32]>,
}

impl Key {
    pub(crate) fn random() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        random(bytes.as_mut_slice())?;
        Ok(Self::from_bytes(&bytes))
    }

    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(&(*bytes).into()), bytes: Zeroizing::new(*bytes) }
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    pub(crate) fn seal(&self, about: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        let mut sealed = vec![0; plain.len() + OVERHEAD];
        self.seal_into(about, plain, &mut sealed)?;
        Ok(sealed)
    }

    /// Seals into exactly `plain.len() + OVERHEAD` bytes.
    pub(crate) fn seal_into(&self, about: &[u8], plain: &[u8], sealed: &mut [u8]) -> Result<()> {
        assert_eq!(sealed.len(), plain.len() + OVERHEAD, "room for the sealed bytes");
        let (nonce, rest) = sealed.split_at_mut(NONCE_BYTES);
        let (text, tag) = rest.split_at_mut(plain.len());
        random(nonce)?;
        text.copy_from_slice(plain);
        let nonce = XNonce::try_from(&*nonce).expect("24 bytes");
        let made = self.cipher.encrypt_inout_detached(&nonce, about, text.into());
        tag.copy_from_slice(&made.map_err(|_| system("the text is too long to be sealed"))?);
        Ok(())
    }

    pub(crate) fn open(&self, about: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let mut buffer = sealed.to_vec();
        self.open_in_place(about, &mut buffer).map(|plain| plain.to_vec())
    }

    /// Opens where it lies; `None` if it was not sealed with this key about this, as it is.
    pub(crate) fn open_in_place<'b>(
        &self,
        about: &[u8],
        sealed: &'b mut [u8],
    ) -> Option<&'b mut [u8]> {
        let n = sealed.len().checked_sub(OVERHEAD)?;
        let (nonce, rest) = sealed.split_at_mut(NONCE_BYTES);
        let (text, tag) = rest.split_at_mut(n);
        let nonce = XNonce::try_from(&*nonce).ok()?;
        let tag = Tag::try_from(&*tag).ok()?;
        self.cipher.decrypt_inout_detached(&nonce, about, (&mut *text).into(), &tag).ok()?;
        Some(text)
    }
}

pub(crate) fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|e| system(format!("no random bytes: {e}")))
}

pub(crate) fn system(why: impl Into<String>) -> VaultError {
    VaultError::System { why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_with_the_same_key_about_the_same_and_unchanged_only() {
        let (key, other) = (Key::random().unwrap(), Key::random().unwrap());
        for plain in [&b""[..], b"a", &[7; 5000]] {
            let sealed = key.seal(b"x", plain).unwrap();
            assert_eq!(key.open(b"x", &sealed).unwrap(), plain);
            assert!(key.open(b"y", &sealed).is_none() && other.open(b"x", &sealed).is_none());
            assert_ne!(key.seal(b"x", plain).unwrap(), sealed, "another nonce");
            for i in (0..sealed.len()).step_by(sealed.len().div_ceil(50)) {
                let mut changed = sealed.clone();
                changed[i] ^= 1;
                assert!(key.open(b"x", &changed).is_none(), "byte {i}");
            }
            assert!(key.open(b"x", &sealed[1..]).is_none());
        }
        assert!(key.open(b"x", &[0; OVERHEAD - 1]).is_none());
    }
}
