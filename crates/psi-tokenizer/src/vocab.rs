//! The table between token texts and ids: one arena of bytes, one hash index over it.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::TokenId;
use crate::error::{TokenizerError, quoted};

/// Byte strings by index, in one allocation.
#[derive(Debug, Default, Clone)]
pub(crate) struct Arena {
    bytes: Vec<u8>,
    /// (start, length) of each string; `u32::MAX` as the length marks an id nothing was stored for
    spans: Vec<(u32, u32)>,
}

const HOLE: u32 = u32::MAX;

impl Arena {
    pub(crate) fn with_capacity(strings: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), spans: Vec::with_capacity(strings) }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.spans.push((self.bytes.len() as u32, bytes.len() as u32));
        self.bytes.extend_from_slice(bytes);
    }

    fn set(&mut self, index: usize, bytes: &[u8]) {
        if index >= self.spans.len() {
            self.spans.resize(index + 1, (0, HOLE));
        }
        self.spans[index] = (self.bytes.len() as u32, bytes.len() as u32);
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn get(&self, index: usize) -> Option<&[u8]> {
        let &(start, len) = self.spans.get(index)?;
        (len != HOLE).then(|| &self.bytes[start as usize..start as usize + len as usize])
    }

    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }
}

/// Token texts, as the file spells them, and their ids.
#[derive(Debug, Default)]
pub(crate) struct Vocab {
    texts: Arena,
    index: HashTable<TokenId>,
    hasher: DefaultHashBuilder,
    longest: usize,
}

/// How far ids may run beyond the number of tokens: real files leave small holes; a file that names
/// id 2^31 must not make psi allocate for it.
const MAX_HOLES: u64 = 1 << 18;

impl Vocab {
    pub(crate) fn with_capacity(tokens: usize, bytes: usize) -> Self {
        Self {
            texts: Arena::with_capacity(tokens, bytes),
            index: HashTable::with_capacity(tokens),
            ..Self::default()
        }
    }

    /// Adds a token. `n_tokens` is how many the file holds in all.
    ///
    /// # Errors
    /// An id far beyond `n_tokens`, an id or a text that is already there, or texts beyond 4 GiB.
    pub(crate) fn insert(
        &mut self,
        text: &str,
        id: u64,
        n_tokens: usize,
        place: &str,
    ) -> Result<TokenId, TokenizerError> {
        if id >= n_tokens as u64 + MAX_HOLES {
            return Err(TokenizerError::invalid(
                place,
                format!("id {id} of {} is far beyond the {n_tokens} tokens", quoted(text)),
            ));
        }
        if self.texts.bytes.len() + text.len() >= HOLE as usize {
            return Err(TokenizerError::invalid(place, "the token texts exceed 4 GiB"));
        }
        let token = id as TokenId;
        if let Some(old) = self.text(token) {
            return Err(TokenizerError::invalid(
                place,
                format!("id {id} is given to both {} and {}", quoted(old), quoted(text)),
            ));
        }
        if let Some(old) = self.id(text) {
            return Err(TokenizerError::invalid(
                place,
                format!("{} has two ids, {old} and {id}", quoted(text)),
            ));
        }
        self.texts.set(token as usize, text.as_bytes());
        self.longest = self.longest.max(text.len());
        let Self { texts, index, hasher, .. } = self;
        let hash_of = |&t: &TokenId| hasher.hash_one(texts.get(t as usize).unwrap_or_default());
        index.insert_unique(hasher.hash_one(text.as_bytes()), token, hash_of);
        Ok(token)
    }

    /// The id of a text.
    #[inline]
    pub(crate) fn id(&self, text: &str) -> Option<TokenId> {
        self.id_of_bytes(text.as_bytes())
    }

    #[inline]
    pub(crate) fn id_of_bytes(&self, text: &[u8]) -> Option<TokenId> {
        if text.len() > self.longest {
            return None;
        }
        let hash = self.hasher.hash_one(text);
        self.index.find(hash, |&t| self.texts.get(t as usize) == Some(text)).copied()
    }

    /// The text of an id.
    pub(crate) fn text(&self, id: TokenId) -> Option<&str> {
        // Only `insert` writes the arena, and it takes `&str`.
        self.texts.get(id as usize).and_then(|b| std::str::from_utf8(b).ok())
    }

    /// One more than the largest id.
    pub(crate) fn size(&self) -> usize {
        self.texts.len()
    }

    /// Bytes of the longest text.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// All tokens in id order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TokenId, &str)> {
        (0..self.size() as TokenId).filter_map(|id| self.text(id).map(|t| (id, t)))
    }

    /// The ids of the byte tokens `<0x00>` to `<0xFF>`, or `None` for each that is missing.
    pub(crate) fn byte_tokens(&self) -> [Option<TokenId>; 256] {
        std::array::from_fn(|b| self.id(&format!("<0x{b:02X}>")))
    }
}

/// The byte that a token `<0xHH>` stands for.
pub(crate) fn parse_byte_token(text: &str) -> Option<u8> {
    let hex = text.strip_prefix("<0x")?.strip_suffix('>')?;
    let two_digits = hex.len() == 2 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    two_digits.then(|| u8::from_str_radix(hex, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_ids_find_each_other_and_holes_stay_empty() {
        let mut vocab = Vocab::with_capacity(3, 10);
        for (text, id) in [("a", 0), ("é", 4), ("", 2)] {
            vocab.insert(text, id, 3, "vocab").expect("valid");
        }
        assert_eq!((vocab.id("é"), vocab.id("b"), vocab.id("")), (Some(4), None, Some(2)));
        assert_eq!((vocab.text(4), vocab.text(3), vocab.text(9)), (Some("é"), None, None));
        assert_eq!((vocab.size(), vocab.index.len()), (5, 3));
    }

    #[test]
    fn repeated_and_huge_ids_are_refused() {
        let mut vocab = Vocab::default();
        vocab.insert("a", 0, 2, "v").expect("valid");
        for (text, id) in [("b", 0), ("a", 1), ("b", 1 << 31), ("b", u64::MAX)] {
            assert!(vocab.insert(text, id, 2, "v").is_err(), "{text} {id}");
        }
    }

    #[test]
    fn only_two_hex_digits_make_a_byte_token() {
        assert_eq!(parse_byte_token("<0x0A>"), Some(10));
        for bad in ["<0xGG>", "<0x-1>", "<0x100>", "<0x1>", "<0x>", "0x0A", "<0x+1>"] {
            assert_eq!(parse_byte_token(bad), None, "{bad}");
        }
    }
}
